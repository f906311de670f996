/* Issue times of the beats of a process, in runs. */
#ifndef ST_SOLVE_CURVE_H
#define ST_SOLVE_CURVE_H

#include "solve/line.h"
#include "solve/system.h"

typedef struct {
  int64_t beat; /* the first of the run; up to the next run's */
  StLine line;
} StRun;

typedef struct {
  int64_t beats; /* known: those before this one ... */
  int64_t never; /* ... of which the first have no time: nothing holds them */
  ST_VEC(StRun) run;
} StCurve;

static inline int64_t st_curve_run_end(const StCurve *c, int run) {
  return run + 1 < c->run.n ? c->run.at[run + 1].beat : c->beats;
}

/* n more beats at the times of the line. */
void st_curve_append(StArena *a, StCurve *c, const StLine *line, int64_t n);
int64_t st_curve_last(const StCurve *c); /* time of the last known beat */
int64_t st_curve_at(const StCurve *c, int64_t beat);
/* The beats in reverse at the negative times. */
StCurve st_curve_reverse(StArena *a, const StCurve *c);

/* Beats of a box on a complete curve, in stretches: the next n are issued at
 * the times of the line; n 0: the end. */
typedef struct {
  int64_t n;
  StLine line;
  const StCurve *curve;
  const StBox *box;
  int64_t m, end;
  int run;
} StStretch;

/* The beats first, .. first + count - 1 of the box. */
StStretch st_stretch_new(const StCurve *c, const StBox *box, int64_t first,
                         int64_t count);
/* Passes k of them, k <= n. */
void st_stretch_advance(StStretch *s, int64_t k);

#endif
