/* See dies.h. */
#include "target/dies.h"

#include <math.h>

#include "ir/itensor.h"

enum { HANDSHAKE = 2 }; /* valid, ready */

double st_dies_token_wires(const StValue *v) {
  return (double)st_type_token_bits(&v->type) + HANDSHAKE;
}

double st_dies_wires(const StValue *v) {
  double bits = (double)st_type_token_bits(&v->type);
  if (v->def->kind == ST_OP_BUNDLE) {
    const StBundlePart *x = &v->def->u.bundle.part[v->result];
    bits = ceil(bits * (double)x->per_frame / (double)x->slots);
  } else if (v->def->kind == ST_OP_LOAD && v->def->ii > 1) {
    bits = ceil(bits / v->def->ii);
  }
  return bits + HANDSHAKE;
}

bool st_dies_meet(const StBundle *b, int i, int k) {
  const StBundlePart *x = &b->part[i], *y = &b->part[k];
  int64_t at = x->first * x->slots;
  return y->base == x->base && y->first * y->slots <= at &&
         at < y->last * y->slots;
}

static bool crosses(int from, int to, int boundary) {
  return (from <= boundary) != (to <= boundary);
}

/* The most that outputs which work at the same time need at a boundary. */
static double bundle_wires(const StOp *op, int boundary) {
  double most = 0;
  for (int i = 0; i < op->nresults; i++) {
    double sum = 0;
    for (int k = 0; k < op->nresults; k++)
      if (st_dies_meet(&op->u.bundle, i, k) &&
          crosses(op->die, op->result[k]->die, boundary))
        sum += st_dies_wires(op->result[k]);
    most = fmax(most, sum);
  }
  return most;
}

static void add_op_wires(const StOp *op, int dies, double *wires) {
  for (int b = 0; b + 1 < dies; b++) {
    if (op->kind == ST_OP_BUNDLE)
      wires[b] += bundle_wires(op, b);
    for (int r = 0; r < op->nresults && op->kind != ST_OP_BUNDLE; r++)
      if (op->result[r]->type.order && crosses(op->die, op->result[r]->die, b))
        wires[b] += st_dies_wires(op->result[r]);
    for (int k = 0; k < op->noperands; k++) { /* from the FIFO on */
      const StValue *v = op->operand[k];
      if (v->type.order && crosses(v->die, op->die, b))
        wires[b] += st_dies_token_wires(v);
    }
  }
}

void st_dies_use(const StModule *m, const StTarget *t, StCost *use,
                 double *wires) {
  for (int d = 0; d < t->dies; d++)
    use[d] = (StCost){0};
  for (int b = 0; b + 1 < t->dies; b++)
    wires[b] = 0;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    use[op->die] = st_cost_add(use[op->die], st_target_op_cost(t, m, op));
    for (int r = 0; r < op->nresults; r++) {
      const StValue *v = op->result[r];
      if (v->type.order)
        use[v->die] = st_cost_add(
            use[v->die],
            st_target_fifo_cost(t, v->memory, st_type_token_bits(&v->type),
                                v->depth));
    }
    add_op_wires(op, t->dies, wires);
  }
}
