/* See channels.h. */
#include "pass/channels.h"

#include <stdlib.h>

#include "ir/itensor.h"

typedef struct {
  int tensor;
  int64_t cycles;
} Tensor;

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

static int64_t token_bits(const StOp *op) {
  const StType *t = type_of(op);
  return st_itensor_token(t->order) * st_dtype_bits(t->dtype);
}

int64_t st_channels_bits(const StModule *m, const StOp *op) {
  return tokens_of(m, op) * token_bits(op);
}

/* Cycles of a channel. */
static int64_t cycles_of(const StModule *m, const StTarget *t, const StOp *op) {
  int64_t each = (token_bits(op) - 1) / st_target_channel_bits(t) + 1;
  return tokens_of(m, op) * each;
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

static int by_time(const void *a, const void *b) {
  const Tensor *x = a, *y = b;
  if (x->cycles != y->cycles)
    return x->cycles > y->cycles ? -1 : 1;
  return x->tensor - y->tensor;
}

static bool is_dealt(const StModule *m, const StOp *op, const bool *without) {
  return st_channels_tensor(m, op) >= 0 && !(without && without[op->id]);
}

/* channel[tensor] */
static int *deal(StArena *a, const StModule *m, const StTarget *t, int first,
                 const bool *without) {
  int channels = t->memory.channels;
  int n = m->arg.n + m->ret.n;
  Tensor *all = ST_NEW_N(a, Tensor, n + 1);
  int *channel = ST_NEW_N(a, int, n + 1);
  int64_t *used = ST_NEW_N(a, int64_t, channels + 1);
  for (int i = 0; i < n; i++)
    all[i].tensor = i;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    if (is_dealt(m, op, without))
      all[st_channels_tensor(m, op)].cycles += cycles_of(m, t, op);
  }
  qsort(all, (size_t)n, sizeof *all, by_time);
  for (int i = 0; i < n; i++) {
    int best = first;
    for (int c = first + 1; c < channels; c++)
      if (used[c] < used[best])
        best = c;
    used[best] += all[i].cycles;
    channel[all[i].tensor] = best;
  }
  return channel;
}

void st_channels_deal(StModule *m, const StTarget *t, int first,
                      const bool *without) {
  if (t->memory.channels == 0)
    return;
  StArena *scratch = st_arena_new();
  const int *channel = deal(scratch, m, t, first, without);
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
