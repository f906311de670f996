/* The constraints on the issue times of a bound net (doc/machine.md) in one
 * form: beats in pairs, one at least `lag` cycles after the other. Streams give
 * the arrival of tokens, converters the filling and draining of windows, capped
 * streams free slots. All of them have the beats of one pair after another in
 * boxes of evenly spaced beats. */
#ifndef ST_SOLVE_SYSTEM_H
#define ST_SOLVE_SYSTEM_H

#include "analysis/process.h"

typedef struct {
  int64_t count, stride;
} StBoxDim;

/* The beats base + sum of index(d) * stride(d) over 0 <= index(d) < count(d),
 * outermost dim first: beat m is the one with the m-th index vector. Beats are
 * increasing; at least one dim. */
typedef struct {
  int64_t base, size;
  int n;
  StBoxDim *dim;
} StBox;

/* The beats in which an end of a process of a bound net moves a token. */
StBox st_box_of_end(StArena *a, const StProcess *p, const StEnd *e);
/* The same beats counted from the last of `beats`. */
StBox st_box_reverse(const StBox *x, int64_t beats);

static inline int64_t st_box_beat(const StBox *x, int64_t m) {
  int64_t beat = x->base;
  for (int d = x->n - 1; d > 0; d--) {
    beat += m % x->dim[d].count * x->dim[d].stride;
    m /= x->dim[d].count;
  }
  return beat + m * x->dim[0].stride;
}

/* How many beats are evenly spaced from the m-th on. */
static inline int64_t st_box_row(const StBox *x, int64_t m) {
  int64_t row = x->dim[x->n - 1].count;
  return x->n == 1 ? row - m : row - m % row;
}

/* How many of the box's beats lie before `beat`. */
int64_t st_box_before(const StBox *x, int64_t beat);

/* For 0 <= m < count: beat `late`(late_first + m) of process `to` is issued at
 * least lag cycles after beat `early`(early_first + m) of process `from`. */
typedef struct {
  int from, to;
  StBox early, late;
  int64_t early_first, late_first, count;
  int64_t lag;
} StDependency;

typedef struct {
  const StProcessNet *net;
  int ndependencies;
  StDependency *dependency;
  int *first_in;     /* [nprocesses + 1] dependencies are sorted by `to` */
  StBox *push, *pop; /* [nstreams] */
} StSystem;

/* cap: [nstreams] slots beyond which a stream does not grow, 0 none; NULL: no
 * caps. A capped stream's producer must be a load or a bundle. */
StSystem *st_system_new(StArena *a, const StProcessNet *net,
                        const int64_t *cap);

#endif
