/* allocate: HBM channels, II and latency of every op.
 *
 * Tensors are dealt to the channels in the order of the bytes that a step
 * moves, the largest first, each to the channel with least so far; ties go to
 * the lowest number. All loads and stores of a tensor (a cache is read and
 * written) use its channel; one that is larger than a channel goes on in the
 * next. What does not fit the memory is refused. Buffers of converters take
 * the memory that suits their size. */
#include "pass/pass.h"

#include <math.h>
#include <stdlib.h>

#include "ir/itensor.h"
#include "target/timing.h"

typedef struct {
  int tensor; /* first argument of the list; results after all arguments */
  int64_t bits;
} Tensor;

static int64_t transfer_bits(const StModule *m, const StType *t) {
  int64_t tokens = 1;
  for (int i = 0; i < t->order->nloops; i++)
    tokens *= st_sym_max(t->order->loop[i].trip, m->ctx, m->chunk);
  return tokens * st_itensor_token(t->order) * st_dtype_bits(t->dtype);
}

/* The tensor that an op moves; -1: none, or one in a ROM. */
static int tensor_of(const StModule *m, const StOp *op) {
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

/* channel[tensor] */
static int *deal_channels(StArena *a, const StModule *m, int channels) {
  int n = m->arg.n + m->ret.n;
  Tensor *all = ST_NEW_N(a, Tensor, n + 1);
  int *channel = ST_NEW_N(a, int, n + 1);
  int64_t *used = ST_NEW_N(a, int64_t, channels + 1);
  for (int i = 0; i < n; i++)
    all[i].tensor = i;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    int t = tensor_of(m, op);
    if (t >= 0)
      all[t].bits += transfer_bits(m, op->kind == ST_OP_LOAD
                                          ? &op->result[0]->type
                                          : &op->operand[0]->type);
  }
  qsort(all, (size_t)n, sizeof *all, by_size);
  for (int i = 0; i < n && channels > 0; i++) {
    int best = 0;
    for (int c = 1; c < channels; c++)
      if (used[c] < used[best])
        best = c;
    used[best] += all[i].bits;
    channel[all[i].tensor] = best;
  }
  return channel;
}

static void set_channels(StModule *m, const StTarget *t) {
  if (t->memory.channels == 0)
    return;
  StArena *scratch = st_arena_new();
  const int *channel = deal_channels(scratch, m, t->memory.channels);
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    int tensor = tensor_of(m, op);
    if (tensor >= 0 && op->kind == ST_OP_LOAD)
      op->u.load.channel = channel[tensor];
    else if (tensor >= 0)
      op->u.store.channel = channel[tensor];
  }
  st_arena_free(scratch);
}

/* Bytes of all arguments and results; caches at their full context. */
static double stored_bytes(const StModule *m) {
  double sum = 0;
  for (int i = 0; i < m->arg.n + m->ret.n; i++) {
    const StPort *p = i < m->arg.n ? &m->arg.at[i] : &m->ret.at[i - m->arg.n];
    double n = p->role == ST_ROLE_CACHE_ROWS ? 0 : st_dtype_bits(p->dtype);
    for (int d = 0; d < p->rank; d++)
      n *= (double)st_module_stored_extent(m, p->shape[d]);
    sum += ceil(n / 8);
  }
  return sum;
}

bool st_memory_check(const StModule *m, const StTarget *t, StLoc loc,
                     StDiag *diag) {
  bool on_chip = t->memory.kind == ST_STORAGE_ONCHIP;
  double need = stored_bytes(m) / 1e6;
  double have = on_chip ? (t->device.bram36 * 36 * 1024 +
                           t->device.uram * 288 * 1024) / 8e6
                        : (double)t->memory.channels *
                              (double)t->memory.channel_mb * 1.048576;
  if (need <= have)
    return true;
  st_error(diag, loc,
           "parameters and caches need %.1f MB where %s has %.1f MB of %s",
           need, t->name, have, on_chip ? "block RAM" : "memory");
  st_note(diag, "export with a smaller --ctx, or compile for a target "
                     "with more memory (-t)");
  return false;
}

bool st_pass_allocate(StModule *m, const StPassContext *ctx) {
  if (!ctx->target) {
    st_error(ctx->diag, (StLoc){0}, "allocate needs a target");
    st_note(ctx->diag, "name one with -t, for example -t u55c");
    return false;
  }
  m->target = ctx->target->name;
  if (!st_memory_check(m, ctx->target, (StLoc){0}, ctx->diag))
    return false;
  set_channels(m, ctx->target);
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    if (op->kind != ST_OP_CONVERTER)
      continue;
    StConverter *c = &op->u.converter;
    int64_t bits = st_itensor_token(&c->fill) *
                   st_dtype_bits(op->operand[0]->type.dtype);
    int64_t words = c->banks * c->window / st_itensor_token(&c->fill);
    c->memory = st_target_fifo_memory(ctx->target, bits, words);
  }
  st_pass_timing(m, ctx->target);
  return true;
}
