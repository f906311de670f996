/* allocate: HBM channels, II and latency of every op.
 *
 * Tensors are dealt to the channels behind those of a bundle (channels.h). What
 * does not fit the memory is refused. Buffers of converters take the memory
 * that suits their size. */
#include "pass/pass.h"

#include <math.h>

#include "ir/itensor.h"
#include "pass/channels.h"
#include "target/timing.h"

static double port_bytes(const StModule *m, const StPort *p) {
  double n = p->role == ST_ROLE_CACHE_ROWS ? 0 : st_dtype_bits(p->dtype);
  for (int d = 0; d < p->rank; d++)
    n *= (double)st_module_stored_extent(m, p->shape[d]);
  return ceil(n / 8);
}

/* Bytes of the arguments that a bundle reads and a load as well: they lie in
 * the channels of both. */
static double copied_bytes(const StModule *m) {
  StArena *scratch = st_arena_new();
  bool *bundled = ST_NEW_N(scratch, bool, m->arg.n + 1);
  bool *loaded = ST_NEW_N(scratch, bool, m->arg.n + 1);
  double sum = 0;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    if (op->kind != ST_OP_LOAD && op->kind != ST_OP_BUNDLE)
      continue;
    bool *reads = op->kind == ST_OP_LOAD ? loaded : bundled;
    int n = op->kind == ST_OP_LOAD ? 1 : op->noperands;
    for (int k = 0; k < n; k++) {
      const StOp *def = op->operand[k]->def;
      for (int l = 0; def->kind == ST_OP_ARG && l < def->u.index.n; l++)
        reads[def->u.index.index[l]] = true;
    }
  }
  for (int i = 0; i < m->arg.n; i++)
    sum += bundled[i] && loaded[i] ? port_bytes(m, &m->arg.at[i]) : 0;
  st_arena_free(scratch);
  return sum;
}

/* Bytes of all arguments and results; caches at their full context. */
static double stored_bytes(const StModule *m) {
  double sum = copied_bytes(m);
  for (int i = 0; i < m->arg.n; i++)
    sum += port_bytes(m, &m->arg.at[i]);
  for (int i = 0; i < m->ret.n; i++)
    sum += port_bytes(m, &m->ret.at[i]);
  return sum;
}

bool st_memory_check(const StModule *m, const StTarget *t, StLoc loc,
                     StDiag *diag) {
  bool on_chip = t->memory.kind == ST_STORAGE_ONCHIP;
  double need = stored_bytes(m) / 1e6;
  double have = on_chip ? st_target_memory_bits(t) / 8e6
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

/* first: channels of other bundles. */
static bool check_bundle(const StOp *op, const StPassContext *ctx, int first) {
  const StTarget *t = ctx->target;
  int channels = op->u.bundle.channels;
  if (first + channels < t->memory.channels && st_timing_bundle_fits(t, op))
    return true;
  st_error(ctx->diag, op->loc,
           "a bundle of %d channels asks for more than they move", channels);
  st_note(ctx->diag, "%s has %d channels of %lld bits a cycle", t->name,
          t->memory.channels, (long long)st_target_channel_bits(t));
  return false;
}

/* Bundles get the lowest channels; *first is the first that is left. */
static bool place_bundles(StModule *m, const StPassContext *ctx, int *first) {
  *first = 0;
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    if (op->kind != ST_OP_BUNDLE)
      continue;
    if (!check_bundle(op, ctx, *first))
      return false;
    op->u.bundle.channel = *first;
    *first += op->u.bundle.channels;
  }
  return true;
}

bool st_pass_allocate(StModule *m, const StPassContext *ctx) {
  if (!ctx->target) {
    st_error(ctx->diag, (StLoc){0}, "allocate needs a target");
    st_note(ctx->diag, "name one with -t, for example -t u55c");
    return false;
  }
  m->target = ctx->target->name;
  int first;
  if (!st_memory_check(m, ctx->target, (StLoc){0}, ctx->diag) ||
      !place_bundles(m, ctx, &first))
    return false;
  st_channels_deal(m, ctx->target, first, NULL);
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
