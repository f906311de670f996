/* Sums of products of small integers, which most of a quantised design's beats
 * compute: kernels that fold one result by addi over muli of two inputs of a
 * byte or less. Sums modulo 2^32 have no order, so the reduction lanes of a
 * beat are summed straight from the tokens, without rows of lanes. */
#ifndef ST_SIM_DOT_H
#define ST_SIM_DOT_H

#include "analysis/port.h"

typedef struct {
  int operand[2];   /* of the op: the factors */
  int16_t mask[2];  /* of each: the bits of a slot that are its value */
  int par, red;     /* lanes */
  int64_t *from[2]; /* [par] element of each factor's token where the lanes of
                       the sum begin; they follow one another */
} StDot;

/* NULL: the kernel is another. */
StDot *st_dot_find(StArena *a, const StOp *op, const StKernelInfo *info);

/* Tokens of one factor: the beats' one after another, or one for all. */
typedef struct {
  const int8_t *token;
  int64_t step; /* elements to the next beat's; 0: held */
} StDotTokens;

/* The sums of k beats, [k][par]. */
void st_dot_beats(const StDot *d, StDotTokens x, StDotTokens y, int64_t k,
                  int32_t *sum);

#endif
