/* The pipeline: the list of passes, run in order, verified and timed. */
#ifndef ST_DRIVER_PIPELINE_H
#define ST_DRIVER_PIPELINE_H

#include <stdio.h>

#include "pass/pass.h"

typedef struct {
  const char *name;
  double seconds;
} StPassTime;

typedef struct {
  const char *stop_after;  /* pass name; NULL: run them all */
  const char *print_after; /* pass name or "all"; NULL: print nothing */
  FILE *print_to;          /* where print_after prints */
  bool round_trip;         /* print, parse, print after each pass: equal bytes */
  void (*before)(void *user, const char *pass); /* a pass; may be NULL */
  void *user;
} StPipelineOptions;

/* The passes in order; *n is their number. */
const StPass *st_pipeline_passes(int *n);

/* Run the named passes, all of them if names is NULL. The module is verified
 * after each; `times` (room for every pass; may be NULL) receives seconds, and
 * *ntimes their number. False after an error was reported. */
bool st_pipeline_run(StModule *m, const StPassContext *ctx,
                     const char *const *names, int nnames,
                     const StPipelineOptions *options, StPassTime *times,
                     int *ntimes);

#endif
