/* The parts of the verifier. Every check reports through st_verify_fail: the
 * op, what does not hold, and what to do. */
#ifndef ST_IR_VERIFY_H
#define ST_IR_VERIFY_H

#include "ir/ir.h"

/* Products of sizes stay below this, so that no analysis overflows. */
#define ST_VERIFY_MOST ((int64_t)1 << 60)
/* Any other number: what the text form can hold. */
#define ST_VERIFY_NUMBER ((int64_t)1 << 48)
enum { ST_VERIFY_LANES = 1 << 16, ST_VERIFY_WAYS = 1 << 14,
       ST_VERIFY_RANK = 64 };

typedef struct {
  const StModule *m;
  const char *after;
  StDiag *diag;
  StArena *scratch;
  bool ok;
  bool streams; /* the stream level: no op of the tensor level is left */
  const StValue **value; /* [value id] defined so far */
  int *users;            /* [value id] operands that are the value */
} StVerify;

/* op NULL: the module. `fix` is a sentence for the note. Always false. */
bool st_verify_fail(StVerify *v, const StOp *op, const char *fix,
                    const char *fmt, ...) ST_PRINTF(4, 5);

/* ---- sizes (verify_type.c) ---- */

/* Bounded, and constant in a module without P and T. */
bool st_verify_sym(const StVerify *v, StSym s);
/* a >= b for all P and T. Sums of bounded sizes. */
bool st_verify_ge(const StVerify *v, StSym a, StSym b);
/* *to += s * by; false if it leaves the bounds. */
bool st_verify_add(StSym *to, StSym s, int64_t by);
/* *to *= by; false if it is not below ST_VERIFY_MOST. Not negative. */
bool st_verify_mul(int64_t *to, int64_t by);
/* Elements of a shape at the largest extents; -1: too many. */
int64_t st_verify_elements(const StVerify *v, int rank, const StSym *shape);
/* As many elements, also at the smallest extents. */
bool st_verify_same_size(const StVerify *v, int rank, const StSym *shape,
                         int rank2, const StSym *shape2, int64_t times);
bool st_verify_same_shape(const StType *x, const StType *y);

/* The type of result r. */
bool st_verify_type(StVerify *v, const StOp *op, int r);
/* Loops, steps, bounds; inside a tensor of this shape. `what` names it. */
bool st_verify_order(StVerify *v, const StOp *op, const char *what,
                     const StItensor *o, int rank, const StSym *shape);

/* ---- ops; operands and results exist and their types are valid ---- */

bool st_verify_nest(StVerify *v, const StOp *op);      /* verify_nest.c */
bool st_verify_kernel(StVerify *v, const StOp *op);    /* verify_kernel.c */
void st_verify_stream_op(StVerify *v, const StOp *op); /* verify_stream.c */

#endif
