/* Sums over a design. */
#include "driver/tally.h"

#include "ir/itensor.h"

int64_t st_tally_converter_bytes(const StOp *op) {
  const StConverter *c = &op->u.converter;
  return (c->banks * c->window * st_dtype_bits(op->result[0]->type.dtype) +
          7) / 8;
}

/* Elements that one iteration of the outermost loop makes: a tensor of a
 * block is needed for one iteration at a time. */
static int64_t live_elements(const StModule *m, const StOp *op, int r) {
  const StNest *n = &op->u.nest;
  int64_t all = st_type_max_elements(m, &op->result[r]->type);
  bool block = n->ndims && n->dim[0].iteration && n->nloops &&
               n->loop[0].dim == 0;
  return block ? all / n->loop[0].trip.c : all;
}

static void tally_stream(StTally *t, const StTarget *target,
                         const StValue *v) {
  int64_t bits = v->depth * st_type_token_bits(&v->type);
  t->streams++;
  t->fifo_bits += bits;
  if (v->def->kind == ST_OP_LOAD || v->def->kind == ST_OP_BUNDLE)
    t->load_bits += bits;
  t->used = st_cost_add(t->used,
                        st_target_fifo_cost(target, v->memory,
                                            st_type_token_bits(&v->type), v->depth));
}

/* A kernel that computes: filters only choose what is read. */
static bool is_filter(const StOp *op) {
  return op->nresults == 1 && op->u.nest.out[0].guard.dim >= 0;
}

StTally st_tally(const StModule *m, const StTarget *target) {
  StTally t = {0};
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    for (int r = 0; r < op->nresults; r++)
      if (op->result[r]->type.order)
        tally_stream(&t, target, op->result[r]);
    t.kernels += op->kind == ST_OP_KERNEL;
    t.converters += op->kind == ST_OP_CONVERTER;
    t.loads += op->kind == ST_OP_LOAD;
    t.bundles += op->kind == ST_OP_BUNDLE;
    t.stores += op->kind == ST_OP_STORE;
    if (op->kind == ST_OP_CONVERTER)
      t.converter_bytes += st_tally_converter_bytes(op);
    if (op->kind == ST_OP_KERNEL && !is_filter(op))
      for (int r = 0; r < op->nresults; r++)
        t.unfused_bytes += live_elements(m, op, r) *
                           (int64_t)st_dtype_bytes(op->result[r]->type.dtype);
    if (op->kind != ST_OP_ARG && op->kind != ST_OP_CONST)
      t.used = st_cost_add(t.used, st_target_op_cost(target, m, op));
  }
  t.fused_bytes = t.converter_bytes + (t.fifo_bits - t.load_bits + 7) / 8;
  return t;
}
