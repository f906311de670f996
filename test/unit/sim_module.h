/* Small stream level modules for tests: loads, one kernel or converter, stores.
 */
#ifndef ST_TEST_SIM_MODULE_H
#define ST_TEST_SIM_MODULE_H

#include "ir/ir.h"

/* Argument of the step function as a tensor. */
StValue *module_arg(StModule *m, StDtype dtype, int rank, const StSym *shape);
/* Load of a tensor in an order, row-major in memory. */
StValue *module_load(StModule *m, StValue *tensor, const StItensor *order);
/* Store of a stream as a result of the step function, row-major. */
void module_store(StModule *m, StValue *stream);
/* Depth for all streams, and 1 as ii, `latency` for all ops. */
void module_decide(StModule *m, int64_t depth, int latency);

/* A kernel of random schedule: extents, loops, lanes and maps (subsets of the
 * dims, in random order); `inputs` operands of f32, read by loads; the body
 * multiplies them for the first result, perhaps adds an affine expression of
 * the dims, and passes operand 0 to the second (if there is one); reductions
 * sum; results are stored. With `guards` inputs and
 * results may be guarded. */
StOp *module_random_kernel(StModule *m, uint64_t *seed, int inputs,
                           bool guards);

/* Likewise a sum of products of two operands of i8 or i4, as i32. */
StOp *module_random_product(StModule *m, uint64_t *seed);

/* A random order of the whole tensor: tokens, loops, again-loops. */
StItensor module_random_order(StArena *a, uint64_t *seed, int rank,
                              const int64_t *shape, bool again);

#endif
