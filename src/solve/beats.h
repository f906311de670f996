/* Tokens and beats of an end of a stream (analysis/process.h), in closed form.
 * The conditions of an end are nested: the beats that one allows are intervals
 * of a whole number of the next one's cycles. */
#ifndef ST_SOLVE_BEATS_H
#define ST_SOLVE_BEATS_H

#include "analysis/process.h"

/* The beat that moves token m, 0 <= m < e->tokens. */
static inline int64_t st_end_beat(const StEnd *e, int64_t m) {
  for (int i = e->nconds - 1; i >= 0; i--) {
    const StCond *c = &e->cond[i];
    int64_t width = c->hi - c->lo;
    m = m / width * c->cycle + c->lo + m % width;
  }
  return m;
}

/* Tokens moved by the beats before beat b. */
static inline int64_t st_end_tokens(const StEnd *e, int64_t b) {
  for (int i = 0; i < e->nconds; i++) {
    const StCond *c = &e->cond[i];
    int64_t width = c->hi - c->lo, in = b % c->cycle - c->lo;
    in = in < 0 ? 0 : in > width ? width : in;
    b = b / c->cycle * width + in;
  }
  return b;
}

#endif
