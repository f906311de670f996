/* Linear programs of difference constraints, solved by HiGHS. */
#ifndef ST_SOLVE_LP_H
#define ST_SOLVE_LP_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* x[to] - x[from] >= bound */
typedef struct {
  int from, to;
  int64_t bound;
} StDifference;

/* Minimise the sum of cost[i] * x[i] under lo <= x <= hi and the differences.
 * The matrix is totally unimodular, so that whole bounds have a whole optimum:
 * x receives it, exactly feasible. False: none was found, x is not touched. */
bool st_lp_differences(StArena *scratch, int n, const double *cost,
                       const int64_t *lo, const int64_t *hi, int ndifferences,
                       const StDifference *difference, int64_t *x);

#endif
