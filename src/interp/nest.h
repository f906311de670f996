/* Loop nests on whole tensors, without a schedule: what the reference
 * interpreter makes of a GENERIC.
 *
 * A result takes the values of its reduction in row-major order of the
 * reduction dims, one after another. */
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

/* Evaluate the nest of `op` for T tokens after P; in[operand], out[result].
 * layer: only this position of dim 0, or -1 for all of it. What a guard keeps
 * from being written, and a fold over nothing, leave the result as it is. A
 * lookup (EXTRACT) outside of its table gives 0, as a gathering load does.
 * False after an error: an access by a map that leaves its tensor. */
bool st_nest_run(const StOp *op, const StDense *const *in,
                 const StDense *const *out, int64_t P, int64_t T, int64_t layer,
                 StDiag *diag);

#endif
