/* Bodies of kernels over lanes: the arithmetic that interpreter and simulator
 * share (doc/numerics.md).
 *
 * A value in a register, a token or an accumulator takes a *slot*: a float for
 * the float types (f16 and bf16 as the float of equal value), an int64_t for
 * integers (sign-extended; i1 is 0 or 1). */
#ifndef ST_INTERP_SCALAR_H
#define ST_INTERP_SCALAR_H

#include "analysis/port.h"

typedef struct StBodyProgram StBodyProgram;

int st_slot_bytes(StDtype t); /* 4 or 8 */
/* n elements of memory (safetensors layout) to slots, and back. */
void st_slots_read(StDtype t, const void *memory, int64_t n, void *slots);
void st_slots_write(StDtype t, const void *slots, int64_t n, void *memory);
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

/* The program of a kernel's body for all of its lanes, in the arena. A program
 * has registers: it serves one thread at a time. */
StBodyProgram *st_body_compile(StArena *a, const StOp *kernel);

/* Evaluate one beat. token[k]: the token of operand k in slots, NULL outside
 * its guard (reads as 0). base[d]: what the loops give dim d. */
void st_body_run(StBodyProgram *p, const void *const *token,
                 const int64_t *base, int64_t P, int64_t T);

/* After a run: what result r makes of the beat, one slot a parallel lane; the
 * reduction lanes are folded by the balanced tree of doc/machine.md. Valid
 * until the next run. */
const void *st_body_value(StBodyProgram *p, int r);
int st_body_lanes(const StBodyProgram *p); /* parallel lanes */
/* acc = combine(acc, v) in all parallel lanes of result r. */
void st_body_combine(const StBodyProgram *p, int r, void *acc, const void *v);
/* The token of result r from its parallel lanes. */
void st_body_pack(const StBodyProgram *p, int r, const void *lanes,
                  void *token);

#endif
