/* See channels.h. */
#include "pass/channels.h"

#include <stdlib.h>

#include "ir/itensor.h"

typedef struct {
  int tensor;
  int64_t bits;
} Tensor;

int64_t st_channels_bits(const StModule *m, const StOp *op) {
  const StType *t = op->kind == ST_OP_LOAD ? &op->result[0]->type
                                           : &op->operand[0]->type;
  int64_t tokens = 1;
  for (int i = 0; i < t->order->nloops; i++)
    tokens *= st_sym_max(t->order->loop[i].trip, m->ctx, m->chunk);
  return tokens * st_itensor_token(t->order) * st_dtype_bits(t->dtype);
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

static int by_size(const void *a, const void *b) {
  const Tensor *x = a, *y = b;
  if (x->bits != y->bits)
    return x->bits > y->bits ? -1 : 1;
  return x->tensor - y->tensor;
}

static bool is_dealt(const StModule *m, const StOp *op, const bool *without) {
  return st_channels_tensor(m, op) >= 0 && !(without && without[op->id]);
}

/* channel[tensor] */
static int *deal(StArena *a, const StModule *m, int first, int channels,
                 const bool *without) {
  int n = m->arg.n + m->ret.n;
  Tensor *all = ST_NEW_N(a, Tensor, n + 1);
  int *channel = ST_NEW_N(a, int, n + 1);
  int64_t *used = ST_NEW_N(a, int64_t, channels + 1);
  for (int i = 0; i < n; i++)
    all[i].tensor = i;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    if (is_dealt(m, op, without))
      all[st_channels_tensor(m, op)].bits += st_channels_bits(m, op);
  }
  qsort(all, (size_t)n, sizeof *all, by_size);
  for (int i = 0; i < n; i++) {
    int best = first;
    for (int c = first + 1; c < channels; c++)
      if (used[c] < used[best])
        best = c;
    used[best] += all[i].bits;
    channel[all[i].tensor] = best;
  }
  return channel;
}

void st_channels_deal(StModule *m, const StTarget *t, int first,
                      const bool *without) {
  if (t->memory.channels == 0)
    return;
  StArena *scratch = st_arena_new();
  const int *channel = deal(scratch, m, first, t->memory.channels, without);
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    int at = is_dealt(m, op, without) ? channel[st_channels_tensor(m, op)] : -1;
    if (op->kind == ST_OP_LOAD)
      op->u.load.channel = at;
    else if (op->kind == ST_OP_STORE)
      op->u.store.channel = at;
  }
  st_arena_free(scratch);
}
