/* Designs of one package, estimated or compiled, without writing builds: the
 * inner loop of `explore`. */
#ifndef ST_DRIVER_ESTIMATE_H
#define ST_DRIVER_ESTIMATE_H

#include "driver/build.h"

/* What is wanted of a design: a prompt in steps of its chunk, then tokens one
 * by one. Of packages without symbols: one step. */
typedef struct {
  int64_t prompt, tokens;
} StWorkload;

typedef struct {
  /* Estimated: what kernels, converters and movers take leaves 5 % of the
   * device's budget of LUTs, FFs and block RAM. Compiled: all is within the
   * budgets of all dies. */
  bool fits;
  const char *lacks; /* compiled: a resource that is short; NULL: none */
  double cycles;          /* of the workload; each step at its middle context */
  double decode, prefill; /* cycles of such a step; 0: there is none */
  StCost used;            /* estimated: without FIFOs */
  double factor[3];       /* given or found */
} StDesignResult;

typedef struct StEstimator StEstimator;

/* Reads the package and runs the passes that all designs share; target,
 * quantisation and kv as in StCompileOptions. NULL after errors. */
StEstimator *st_estimator_open(const char *package, const char *target,
                               const char *quantisation, const char *kv,
                               StDiag *diag);
void st_estimator_close(StEstimator *e); /* NULL is fine */

const StTarget *st_estimator_target(const StEstimator *e);
int64_t st_estimator_chunk(const StEstimator *e); /* of the package; 0: none */
int64_t st_estimator_context(const StEstimator *e);

/* compiled: with depths and dies as `compile` makes them, simulated cycle by
 * cycle; else estimated, in a small part of that time. False after errors. */
bool st_estimator_run(const StEstimator *e, const StDesign *d,
                      const StWorkload *w, bool compiled, StDesignResult *r,
                      StDiag *diag);

#endif
