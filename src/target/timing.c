/* II and latency of every stream level op; doc/machine.md has the rules. */
#include "target/timing.h"

#include "analysis/port.h"
#include "ir/itensor.h"

/* a >= 1; b may be as large as INT64_MAX. */
static int64_t ceil_div(int64_t a, int64_t b) { return (a - 1) / b + 1; }

/* Cycles that an accumulator needs if it is used in every beat. */
static int64_t fold_ii(const StModule *m, const StTarget *t, const StOp *op) {
  const StNest *nest = &op->u.nest;
  bool accumulates = false;
  for (int i = 0; i < nest->nloops; i++) {
    int64_t most = st_sym_max(nest->loop[i].trip, m->ctx, m->chunk);
    accumulates |= nest->dim[nest->loop[i].dim].reduction && most > 1;
  }
  int latency = 1;
  for (int r = 0; r < op->nresults && accumulates; r++) {
    const StOutput *out = &nest->out[r];
    if (out->combine == ST_X_ARG)
      continue;
    int l =
        st_target_op_latency(t, out->combine, nest->body.at[out->yield].dtype);
    latency = l > latency ? l : latency;
  }
  int64_t distance = st_kernel_distance(m, op);
  return ceil_div(latency, distance > 1 ? distance : 1);
}

int st_timing_ways(const StModule *m, const StTarget *t, const StOp *op) {
  return (int)fold_ii(m, t, op);
}

static int channel_of(const StOp *op) {
  if (op->kind == ST_OP_LOAD && op->operand[0]->memory != ST_MEM_ROM)
    return op->u.load.channel;
  return op->kind == ST_OP_STORE ? op->u.store.channel : -1;
}

static int transfer_ii(const StModule *m, const StTarget *t, const StOp *op) {
  if (op->kind == ST_OP_LOAD && op->operand[0]->memory == ST_MEM_ROM)
    return 1;
  const StType *type =
      op->kind == ST_OP_LOAD ? &op->result[0]->type : &op->operand[0]->type;
  int64_t bits = st_itensor_token(type->order) * st_dtype_bits(type->dtype);
  int channel = channel_of(op);
  int64_t sharers = 0;
  for (int i = 0; i < m->op.n; i++)
    sharers += channel >= 0 && channel_of(m->op.at[i]) == channel;
  return (int)(ceil_div(bits, st_target_channel_bits(t)) *
               (sharers > 1 ? sharers : 1));
}

int st_timing_ii(const StModule *m, const StTarget *t, const StOp *op) {
  if (op->kind == ST_OP_KERNEL)
    return (int)ceil_div(fold_ii(m, t, op), st_kernel_ways(op));
  if (op->kind == ST_OP_LOAD || op->kind == ST_OP_STORE)
    return transfer_ii(m, t, op);
  return 1;
}

bool st_timing_bundle_fits(const StTarget *t, const StOp *op) {
  const StBundle *b = &op->u.bundle;
  double a_beat = (double)b->channels * (double)st_target_channel_bits(t);
  for (int i = 0; i < op->nresults; i++) {
    const StBundlePart *x = &b->part[i];
    int64_t at = x->first * x->slots;
    double bits = 0; /* of the first frame of part i */
    for (int k = 0; k < op->nresults; k++) {
      const StBundlePart *y = &b->part[k];
      const StType *type = &op->result[k]->type;
      if (y->base == x->base && y->first * y->slots <= at &&
          at < y->last * y->slots)
        bits += (double)y->per_frame * (double)st_itensor_token(type->order) *
                st_dtype_bits(type->dtype);
    }
    if (bits > (double)x->slots * a_beat)
      return false;
  }
  return true;
}

void st_pass_timing(StModule *m, const StTarget *t) {
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    if (op->kind != ST_OP_KERNEL && op->kind != ST_OP_CONVERTER &&
        op->kind != ST_OP_FORK && op->kind != ST_OP_LOAD &&
        op->kind != ST_OP_BUNDLE && op->kind != ST_OP_STORE)
      continue;
    op->ii = st_timing_ii(m, t, op);
    op->latency = st_target_latency(t, op);
  }
}
