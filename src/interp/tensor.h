/* Reference interpreter of modules at the tensor level (doc/ir.md), before and
 * after expand-repeat: generics with guards and lookups, views, slices,
 * concatenations, repeats, gathering loads. Independent of any schedule; what
 * a pass does to a module must not change it beyond the order of sums. */
#ifndef ST_INTERP_TENSOR_H
#define ST_INTERP_TENSOR_H

#include "device/memory.h"

/* Tensors are row-major and dense at the extents of this P and T, elements as
 * in memory (interp/scalar.h). */
typedef struct {
  const StModule *module;
  const void *const *arg; /* [module->arg.n]; NULL if no op reads it */
  int64_t P, T;           /* 0 and 0 if the module has no symbols */
} StTensorEnv;

/* The module's results, [module->ret.n], likewise dense; NULL for one that no
 * op writes. In the arena, as is the array. NULL after a located error: a data
 * pointer that is missing, an access outside of a tensor, an op of another
 * level, ops that depend on each other other than from one iteration of a
 * repeat to the next. */
void **st_tensor_run(StArena *a, const StTensorEnv *env, StDiag *diag);

/* One step of T tokens after P on the memory of a device, for a module with
 * the image's arguments and results. Rows of caches go behind the P rows that
 * are there. False after an error. */
bool st_tensor_step(StMemoryImage *image, const StModule *m, int64_t P,
                    int64_t T, StDiag *diag);

#endif
