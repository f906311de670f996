/* See lp.h. HiGHS works in floating point; its result is rounded and then
 * checked in whole numbers. */
#include "solve/lp.h"

#include <math.h>

/* The header declares static functions that it does not define. */
#pragma GCC diagnostic ignored "-Wunused-function"
#include <interfaces/highs_c_api.h>

static bool is_feasible(int n, const int64_t *lo, const int64_t *hi,
                        int ndifferences, const StDifference *difference,
                        const int64_t *x) {
  for (int i = 0; i < n; i++)
    if (x[i] < lo[i] || x[i] > hi[i])
      return false;
  for (int i = 0; i < ndifferences; i++)
    if (x[difference[i].to] - x[difference[i].from] < difference[i].bound)
      return false;
  return true;
}

bool st_lp_differences(StArena *scratch, int n, const double *cost,
                       const int64_t *lo, const int64_t *hi, int ndifferences,
                       const StDifference *difference, int64_t *x) {
  size_t cols = (size_t)n, rows = (size_t)ndifferences;
  double *lower = ST_NEW_N(scratch, double, cols + 1);
  double *upper = ST_NEW_N(scratch, double, cols + 1);
  double *low = ST_NEW_N(scratch, double, rows + 1);
  double *high = ST_NEW_N(scratch, double, rows + 1);
  HighsInt *start = ST_NEW_N(scratch, HighsInt, rows + 1);
  HighsInt *index = ST_NEW_N(scratch, HighsInt, 2 * rows + 1);
  double *value = ST_NEW_N(scratch, double, 2 * rows + 1);
  double *solution = ST_NEW_N(scratch, double, cols + 1);
  int64_t *whole = ST_NEW_N(scratch, int64_t, cols + 1);
  void *highs = Highs_create();
  double infinity = Highs_getInfinity(highs);
  for (size_t i = 0; i < cols; i++) {
    lower[i] = (double)lo[i];
    upper[i] = (double)hi[i];
  }
  for (size_t i = 0; i < rows; i++) {
    low[i] = (double)difference[i].bound;
    high[i] = infinity;
    start[i] = (HighsInt)(2 * i);
    index[2 * i] = difference[i].to;
    index[2 * i + 1] = difference[i].from;
    value[2 * i] = 1;
    value[2 * i + 1] = -1;
  }
  Highs_setBoolOptionValue(highs, "output_flag", 0);
  Highs_setIntOptionValue(highs, "threads", 1);
  bool ok =
      Highs_passLp(highs, n, ndifferences, 2 * ndifferences,
                   kHighsMatrixFormatRowwise, kHighsObjSenseMinimize, 0, cost,
                   lower, upper, low, high, start, index,
                   value) == kHighsStatusOk &&
      Highs_run(highs) == kHighsStatusOk &&
      Highs_getModelStatus(highs) == kHighsModelStatusOptimal &&
      Highs_getSolution(highs, solution, NULL, NULL, NULL) == kHighsStatusOk;
  Highs_destroy(highs);
  for (int i = 0; i < n; i++)
    whole[i] = llround(solution[i]);
  if (!ok || !is_feasible(n, lo, hi, ndifferences, difference, whole))
    return false;
  for (int i = 0; i < n; i++)
    x[i] = whole[i];
  return true;
}

/* ---- mixed integer programs --------------------------------------------- */

int st_milp_column(StMilp *p, double cost, double lo, double hi, bool whole) {
  StMilpColumn c = {cost, lo, hi, whole};
  st_vec_push(p->arena, &p->column, c);
  return p->column.n - 1;
}

void st_milp_row(StMilp *p, double most) {
  StMilpRow r = {most, p->term.n, 0};
  st_vec_push(p->arena, &p->row, r);
}

void st_milp_term(StMilp *p, int column, double value) {
  StMilpTerm t = {column, value};
  st_vec_push(p->arena, &p->term, t);
  p->row.at[p->row.n - 1].n++;
}

static bool pass_program(void *highs, const StMilp *p) {
  size_t cols = (size_t)p->column.n, rows = (size_t)p->row.n;
  size_t terms = (size_t)p->term.n;
  double *cost = ST_NEW_N(p->arena, double, cols + 1);
  double *lo = ST_NEW_N(p->arena, double, cols + 1);
  double *hi = ST_NEW_N(p->arena, double, cols + 1);
  HighsInt *whole = ST_NEW_N(p->arena, HighsInt, cols + 1);
  double *least = ST_NEW_N(p->arena, double, rows + 1);
  double *most = ST_NEW_N(p->arena, double, rows + 1);
  HighsInt *start = ST_NEW_N(p->arena, HighsInt, rows + 1);
  HighsInt *index = ST_NEW_N(p->arena, HighsInt, terms + 1);
  double *value = ST_NEW_N(p->arena, double, terms + 1);
  for (size_t i = 0; i < cols; i++) {
    cost[i] = p->column.at[i].cost;
    lo[i] = p->column.at[i].lo;
    hi[i] = p->column.at[i].hi;
    whole[i] = p->column.at[i].whole ? kHighsVarTypeInteger
                                     : kHighsVarTypeContinuous;
  }
  for (size_t i = 0; i < rows; i++) {
    least[i] = -Highs_getInfinity(highs);
    most[i] = p->row.at[i].most;
    start[i] = p->row.at[i].first;
  }
  for (size_t i = 0; i < terms; i++) {
    index[i] = p->term.at[i].column;
    value[i] = p->term.at[i].value;
  }
  return Highs_passMip(highs, p->column.n, p->row.n, p->term.n,
                       kHighsMatrixFormatRowwise, kHighsObjSenseMinimize, 0,
                       cost, lo, hi, least, most, start, index, value,
                       whole) == kHighsStatusOk;
}

bool st_milp_solve(StMilp *p, int nodes, double gap, double *x) {
  void *highs = Highs_create();
  double *solution = ST_NEW_N(p->arena, double, p->column.n + 1);
  Highs_setBoolOptionValue(highs, "output_flag", 0);
  Highs_setIntOptionValue(highs, "threads", 1);
  Highs_setIntOptionValue(highs, "mip_max_nodes", nodes);
  Highs_setDoubleOptionValue(highs, "mip_rel_gap", gap);
  bool ok = pass_program(highs, p) &&
            Highs_setSolution(highs, x, NULL, NULL, NULL) !=
                kHighsStatusError &&
            Highs_run(highs) != kHighsStatusError &&
            Highs_getSolution(highs, solution, NULL, NULL, NULL) ==
                kHighsStatusOk;
  ok = ok && Highs_getObjectiveValue(highs) < Highs_getInfinity(highs);
  Highs_destroy(highs);
  for (int i = 0; ok && i < p->column.n; i++)
    x[i] = solution[i];
  return ok;
}
