/* See channels.h. */
#include "pass/channels.h"

#include <stdlib.h>

#include "ir/itensor.h"
#include "target/timing.h"

typedef struct {
  int tensor;
  double need; /* st_timing_need of all that move it */
} Tensor;

typedef struct {
  int channel, channels; /* channels 0: not placed yet */
} Place;

static const StType *type_of(const StOp *op) {
  return op->kind == ST_OP_LOAD ? &op->result[0]->type : &op->operand[0]->type;
}

static int64_t tokens_of(const StModule *m, const StOp *op) {
  const StItensor *o = type_of(op)->order;
  int64_t tokens = 1;
  for (int i = 0; i < o->nloops; i++)
    tokens *= st_sym_max(o->loop[i].trip, m->ctx, m->chunk);
  return tokens;
}

int64_t st_channels_bits(const StModule *m, const StOp *op) {
  return tokens_of(m, op) * st_type_token_bits(type_of(op));
}

int st_channels_tensor(const StModule *m, const StOp *op) {
  if (op->kind == ST_OP_LOAD) {
    const StOp *def = op->operand[0]->def;
    return def->kind == ST_OP_ARG ? def->u.index.index[0] : -1;
  }
  if (op->kind != ST_OP_STORE)
    return -1;
  int ret = op->u.store.index.index[0];
  return m->ret.at[ret].cache >= 0 ? m->ret.at[ret].cache : m->arg.n + ret;
}

static int by_need(const void *a, const void *b) {
  const Tensor *x = a, *y = b;
  if (x->need != y->need)
    return x->need > y->need ? -1 : 1;
  return x->tensor - y->tensor;
}

static bool is_dealt(const StModule *m, const StOp *op, const bool *without) {
  return st_channels_tensor(m, op) >= 0 && !(without && without[op->id]);
}

/* Tensors that are caches and move anything. */
static bool is_cache(const StModule *m, const Tensor *x) {
  return x->tensor < m->arg.n && x->need > 0 &&
         m->arg.at[x->tensor].role == ST_ROLE_CACHE;
}

static void measure(const StModule *m, const bool *without, Tensor *all) {
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    if (is_dealt(m, op, without))
      all[st_channels_tensor(m, op)].need += st_timing_need(m, op);
  }
}

/* Channels that all caches share: their part of all needs; one at least is left
 * for the rest. How many. */
static int place_caches(const StModule *m, const Tensor *all, int n, int first,
                        int channels, Place *place) {
  double sum = 0, caches = 0;
  for (int i = 0; i < n; i++) {
    sum += all[i].need;
    caches += is_cache(m, &all[i]) ? all[i].need : 0;
  }
  int left = channels - first;
  int share = sum > 0 ? (int)(left * caches / sum + 0.5) : 0;
  share = share < left ? share : left - 1;
  for (int i = 0; i < n && share; i++)
    if (is_cache(m, &all[i]))
      place[all[i].tensor] = (Place){first, share};
  return share;
}

/* Caches are spread over channels of their own; the others each get a channel
 * of those that are left. */
static Place *deal(StArena *a, const StModule *m, const StTarget *t, int first,
                   const bool *without) {
  int channels = t->memory.channels, n = m->arg.n + m->ret.n;
  Tensor *all = ST_NEW_N(a, Tensor, n + 1);
  Place *place = ST_NEW_N(a, Place, n + 1);
  double *used = ST_NEW_N(a, double, channels + 1);
  for (int i = 0; i < n; i++)
    all[i].tensor = i;
  measure(m, without, all);
  qsort(all, (size_t)n, sizeof *all, by_need);
  first += place_caches(m, all, n, first, channels, place);
  for (int i = 0; i < n; i++) {
    if (place[all[i].tensor].channels)
      continue;
    int best = first;
    for (int c = first + 1; c < channels; c++)
      if (used[c] < used[best])
        best = c;
    used[best] += all[i].need;
    place[all[i].tensor] = (Place){best, 1};
  }
  return place;
}

void st_channels_deal(StModule *m, const StTarget *t, int first,
                      const bool *without) {
  if (t->memory.channels == 0)
    return;
  StArena *scratch = st_arena_new();
  const Place *place = deal(scratch, m, t, first, without);
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    Place at = {-1, 1};
    if (is_dealt(m, op, without))
      at = place[st_channels_tensor(m, op)];
    if (op->kind == ST_OP_LOAD) {
      op->u.load.channel = at.channel;
      op->u.load.channels = at.channels;
    } else if (op->kind == ST_OP_STORE) {
      op->u.store.channel = at.channel;
      op->u.store.channels = at.channels;
    }
  }
  st_arena_free(scratch);
}
