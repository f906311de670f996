/* allocate: HBM channels, II and latency of every op.
 *
 * Loads and stores are dealt to the channels in the order of their bytes in a
 * step, the largest first, each to the channel with least so far; ties go to
 * the lowest number. Buffers of converters take the memory that suits their
 * size. */
#include "pass/pass.h"

#include <stdlib.h>

#include "ir/itensor.h"
#include "target/timing.h"

typedef struct {
  int op;
  int64_t bits;
} Transfer;

static int64_t transfer_bits(const StModule *m, const StType *t) {
  int64_t tokens = 1;
  for (int i = 0; i < t->order->nloops; i++)
    tokens *= st_sym_max(t->order->loop[i].trip, m->ctx, m->chunk);
  return tokens * st_itensor_token(t->order) * st_dtype_bits(t->dtype);
}

static int by_size(const void *a, const void *b) {
  const Transfer *x = a, *y = b;
  if (x->bits != y->bits)
    return x->bits > y->bits ? -1 : 1;
  return x->op - y->op;
}

static void deal_channels(StModule *m, const StTarget *t) {
  StArena *scratch = st_arena_new();
  Transfer *all = ST_NEW_N(scratch, Transfer, m->op.n + 1);
  int n = 0, channels = t->memory.channels;
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    bool load = op->kind == ST_OP_LOAD;
    if (!load && op->kind != ST_OP_STORE)
      continue;
    if (load && op->operand[0]->def->kind == ST_OP_CONST)
      continue; /* a ROM */
    const StType *type = load ? &op->result[0]->type : &op->operand[0]->type;
    all[n++] = (Transfer){i, transfer_bits(m, type)};
  }
  qsort(all, (size_t)n, sizeof *all, by_size);
  int64_t *used = ST_NEW_N(scratch, int64_t, channels + 1);
  for (int i = 0; i < n && channels > 0; i++) {
    int best = 0;
    for (int c = 1; c < channels; c++)
      if (used[c] < used[best])
        best = c;
    used[best] += all[i].bits;
    StOp *op = m->op.at[all[i].op];
    if (op->kind == ST_OP_LOAD)
      op->u.load.channel = best;
    else
      op->u.store.channel = best;
  }
  st_arena_free(scratch);
}

bool st_pass_allocate(StModule *m, const StPassContext *ctx) {
  if (!ctx->target) {
    st_error(ctx->diag, (StLoc){0}, "allocate needs a target");
    st_note(ctx->diag, "name one with -t, for example -t u55c");
    return false;
  }
  m->target = ctx->target->name;
  deal_channels(m, ctx->target);
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
