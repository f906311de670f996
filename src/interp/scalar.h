/* The arithmetic that interpreters and simulator share (doc/numerics.md).
 *
 * A value in a register, a token or an accumulator takes a *slot*: a float for
 * the float types (f16 and bf16 as the float of equal value), for integers the
 * intN_t that memory has (i4 sign-extended in an int8_t; i1 0 or 1 in one). */
#ifndef ST_INTERP_SCALAR_H
#define ST_INTERP_SCALAR_H

#include "ir/ir.h"

int st_slot_bytes(StDtype t); /* 1, 2, 4 or 8 */
/* n elements of memory (safetensors layout) to slots, and back. */
void st_slots_read(StDtype t, const void *memory, int64_t n, void *slots);
void st_slots_write(StDtype t, const void *slots, int64_t n, void *memory);
/* to[i] = from[element[i]], for n slots of so many bytes. */
void st_slots_pick(int bytes, int64_t n, const int64_t *element,
                   const void *from, void *to);
/* One expression on single slots (any kind but leaves). `args` are slots of
 * the types of e's arguments, `type0` that of the first. */
void st_scalar_apply(const StExpr *e, StDtype type0, const void *const *args,
                     void *result);
/* The same on n slots of each argument; `result` may be one of them. */
void st_slots_apply(const StExpr *e, StDtype type0, int64_t n,
                    const void *const *args, void *result);
/* acc = combine(acc, v) for n slots. */
void st_slots_combine(StScalarKind combine, StDtype t, int64_t n, void *acc,
                      const void *v);

#endif
