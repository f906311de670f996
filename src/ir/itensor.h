/* Orders of streams (doc/itensor.md): canonical form, equality, sequences. */
#ifndef ST_IR_ITENSOR_H
#define ST_IR_ITENSOR_H

#include "ir/ir.h"

/* The canonical form of an order, in the arena (doc/itensor.md): no loops of
 * one trip; neighbouring loops of one data dim merged where the outer step is
 * the inner step times the inner trip; neighbouring loops that stream again
 * (dim -1 or step 0) as the factors of their product. Two orders are equal as
 * sequences of tokens, for all P and T, iff their canonical forms are equal. */
StItensor st_itensor_canonical(StArena *a, const StItensor *x);

/* Same sequence of tokens. */
bool st_itensor_same(StArena *scratch, const StItensor *x, const StItensor *y);

/* A tensor row by row, `width` elements of the innermost dim (which has a
 * multiple of that) in a token. */
StItensor st_itensor_row_major(StArena *a, const StType *t, int64_t width);

/* The same, but dims whose extents vary (tokens, context) innermost. */
StItensor st_itensor_tokens_last(StArena *a, const StType *t, int64_t width);
/* Two shapes of the same elements, with constant dims split alike by those that
 * vary: elements in either of the two orders above come in the same sequence.
 */
bool st_itensor_is_reshape(const StType *x, const StType *y);
/* The order of `in` in which its elements come as those of `out`, another shape
 * in one of the two orders, do. */
StItensor st_itensor_reshaped(StArena *a, const StType *in, const StType *out);

/* Elements in a token. */
int64_t st_itensor_token(const StItensor *x);
/* Bits in a token of a stream of that type. */
int64_t st_type_token_bits(const StType *t);
/* Tokens in the whole stream of a step. */
int64_t st_itensor_tokens(const StItensor *x, int64_t P, int64_t T);
/* True if no loop streams again (every token visited once). */
bool st_itensor_is_once(const StItensor *x);
/* Positions of data dim d that the loops from `first` inward and the token
 * span. */
StSym st_itensor_extent(const StItensor *x, int d, int first);

/* The order of elements inside the first `shared` loops, each visited for the
 * first time: lanes as loops, no loops that stream again, origin 0. In the
 * arena. */
StItensor st_itensor_elements(StArena *a, const StItensor *x, int shared);

#endif
