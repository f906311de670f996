/* Bodies of GENERIC and KERNEL ops at many points of their dims at once, on
 * whole tensors: what both interpreters are made of. */
#ifndef ST_INTERP_NEST_H
#define ST_INTERP_NEST_H

#include "ir/ir.h"

/* A tensor at the extents of one step: dense, row-major. */
typedef struct {
  StDtype dtype;
  int rank;
  const int64_t *extent; /* [rank] */
  void *slots;           /* interp/scalar.h; of operands only read */
} StDense;

int64_t st_dense_elements(const StDense *t);

typedef struct StNestEval StNestEval;

/* For a step of T tokens after P, in the arena. in[operand], out[result];
 * layer: only this position of dim 0 is evaluated, or -1 for all of it;
 * uniform[d]: dim d has one value at all points of an evaluation; points: the
 * most of one. A lookup (EXTRACT) outside of its table gives 0, as a gathering
 * load does. NULL after an error: an access by a map that leaves its tensor. */
StNestEval *st_nest_new(StArena *a, const StOp *op, const StDense *const *in,
                        const StDense *const *out, int64_t P, int64_t T,
                        int64_t layer, const bool *uniform, int points,
                        StDiag *diag);

/* Before an evaluation: the dim's values, one a point; of a uniform dim the
 * first counts. */
int64_t *st_nest_dim(StNestEval *e, int d);
/* Take n points with their values of the dims that are not uniform. */
void st_nest_place(StNestEval *e, int n);
/* Evaluate the body there; again: only the uniform dims have changed since
 * the last evaluation. */
void st_nest_evaluate(StNestEval *e, bool again);
/* What result r yields at the points, valid until the next evaluation. */
const void *st_nest_value(const StNestEval *e, int r);
/* Write slots to result r at points first .. first + n - 1, those where its
 * guard holds. */
void st_nest_write(const StNestEval *e, int r, int first, int n,
                   const void *slots);

/* Evaluate a GENERIC at all points. Reductions are folded in row-major order of
 * the reduction dims, one value after another. What a guard keeps from being
 * written, and a fold over nothing, leave the result as it is. */
bool st_nest_run(const StOp *op, const StDense *const *in,
                 const StDense *const *out, int64_t P, int64_t T,
                 int64_t layer, StDiag *diag);

#endif
