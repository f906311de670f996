/* Linear programs of difference constraints, and mixed integer programs, solved
 * by HiGHS. */
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

/* ---- mixed integer programs --------------------------------------------- */

/* lo <= x <= hi; a whole column is an integer. */
typedef struct {
  double cost, lo, hi;
  bool whole;
} StMilpColumn;

typedef struct {
  int column;
  double value;
} StMilpTerm;

/* The sum of the terms is at most `most`. */
typedef struct {
  double most;
  int first, n; /* terms */
} StMilpRow;

typedef struct {
  StArena *arena;
  ST_VEC(StMilpColumn) column;
  ST_VEC(StMilpRow) row;
  ST_VEC(StMilpTerm) term;
} StMilp;

/* The new column's index. */
int st_milp_column(StMilp *p, double cost, double lo, double hi, bool whole);
/* A new row; the terms added next are its. */
void st_milp_row(StMilp *p, double most);
void st_milp_term(StMilp *p, int column, double value);

/* Minimises the cost, beginning with the whole columns of x, until `nodes`
 * nodes of the search tree were looked at or the cost is within the share `gap`
 * of the least that is possible; no clock has a say, so the same program has
 * the same answer. x becomes the best solution found. False: none was found, x
 * is as it was. */
bool st_milp_solve(StMilp *p, int nodes, double gap, double *x);

#endif
