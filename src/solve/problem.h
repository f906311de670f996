/* The least solution of constraints between beats. */
#ifndef ST_SOLVE_PROBLEM_H
#define ST_SOLVE_PROBLEM_H

#include "solve/curve.h"

/* Arrays by process. */
typedef struct {
  int nprocesses;
  const int64_t *beats, *ii;
  const StDependency *dependency; /* sorted by `to` */
  const int *first_in;            /* [nprocesses + 1] */
  bool from_zero; /* forwards: no beat before cycle 0. Else backwards: beats
                     that wait for nothing have no time (StCurve.never) */
} StProblem;

/* Every beat as early as its dependencies and ii allow. Beats that `curve` has
 * already keep their times. Processes of which a beat waits for itself stay
 * incomplete. */
void st_problem_solve(StArena *a, const StProblem *p, StCurve *curve);

#endif
