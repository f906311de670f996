/* Steps over time, for Perfetto (ui.perfetto.dev) and chrome://tracing. */
#ifndef ST_DRIVER_TRACE_H
#define ST_DRIVER_TRACE_H

#include "driver/build.h"

typedef struct {
  int64_t P, T; /* T tokens after P */
} StTraceStep;

/* Writes n steps, one after another, as JSON of trace events, one microsecond
 * of the card a microsecond: tracks of the steps, of every process (what it
 * works on, what it waits for) and of memory (GB/s, of all and each channel).
 * False after an error. */
bool st_trace_write(const StBuild *b, const StTraceStep *step, int n,
                    const char *path, StDiag *diag);

#endif
