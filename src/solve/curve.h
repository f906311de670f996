/* Issue times of the beats of a process as runs of evenly spaced beats, and the
 * least solution of the constraints of a net in this form. */
#ifndef ST_SOLVE_CURVE_H
#define ST_SOLVE_CURVE_H

#include "solve/system.h"

typedef struct {
  int64_t beat, t, stride; /* the beats up to the next run's */
} StRun;

typedef struct {
  int64_t beats; /* known: those before this one ... */
  int64_t never; /* ... of which the first have no time: nothing holds them */
  ST_VEC(StRun) run;
} StCurve;

int64_t st_curve_last(const StCurve *c); /* time of the last known beat */
int64_t st_curve_at(const StCurve *c, int64_t beat);
/* The beats in reverse at the negative times. */
StCurve st_curve_reverse(StArena *a, const StCurve *c);
/* Its first n beats. */
StCurve st_curve_prefix(StArena *a, const StCurve *c, int64_t n);

/* Beats first, first + 1, ... first + count - 1 of a box on a complete curve,
 * in stretches: the next n are issued at t, t + stride, ...; n 0: the end. */
typedef struct {
  int64_t n, t, stride;
  const StCurve *curve;
  const StBox *box;
  int64_t m, end;
  int run;
} StStretch;

StStretch st_stretch_new(const StCurve *c, const StBox *box, int64_t first,
                         int64_t count);
/* Passes k of them, k <= n. */
void st_stretch_advance(StStretch *s, int64_t k);

/* What a solution is wanted of; arrays by process. */
typedef struct {
  int nprocesses;
  const int64_t *beats, *ii;
  const StDependency *dependency; /* sorted by `to` */
  const int *first_in;            /* [nprocesses + 1] */
  bool from_zero; /* no beat before cycle 0; else beats that wait for nothing
                     have no time (StCurve.never) */
} StProblem;

/* Every beat as early as its dependencies and ii allow. Beats that `curve` has
 * already keep their times. Processes of which a beat waits for itself stay
 * incomplete. */
void st_problem_solve(StArena *a, const StProblem *p, StCurve *curve);

#endif
