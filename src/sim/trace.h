/* What happens when: a step's beats and waits over time, for people. The step
 * is run beat by beat, without values, with the depths of the module. */
#ifndef ST_SIM_TRACE_H
#define ST_SIM_TRACE_H

#include "sim/sim.h"

/* Waits for a process's first beat are its beginning: no stream is blamed for
 * them. */
typedef struct {
  int64_t empty; /* cycles that the consumer waited for a token of it, which
                    was the last to arrive of those of its beat */
  int64_t full;  /* ... that the producer waited for a slot of it */
} StStreamTrace;

/* One process. Every cycle up to its last beat is busy (the `ii` cycles of a
 * beat), or it waits for its input or its output, in the sense of
 * StProcessStats. */
typedef struct {
  int64_t *busy, *input, *output; /* [bins] cycles */
  int64_t
      *moved; /* [bins] bits to or from memory; NULL: it has no port there */
  int64_t partner; /* cycles that a converter's side waited for the other, its
                      first beat not counted */
} StProcessTrace;

typedef struct {
  const StProcessNet *net; /* bound to the step */
  int64_t cycles;          /* until the step is complete */
  int bins;
  int64_t per_bin;           /* cycles; bins * per_bin >= cycles */
  StProcessTrace *process;   /* [net->nprocesses] */
  StStreamTrace *stream;     /* [net->nstreams] */
  const StSimResult *result; /* of the same step */
} StTrace;

typedef enum { ST_TRACE_WORK, ST_TRACE_INPUT, ST_TRACE_OUTPUT } StTraceState;

/* What a process does from cycle `from` to `to`. */
typedef struct {
  int process;
  StTraceState state;
  int stream; /* waits: the one it waited for; -1: the converter's other side */
  int64_t from, to;
  int64_t beats; /* WORK */
} StTraceSpan;

/* Spans of a process come in order. Waits of less than `grain` cycles are taken
 * for work. */
typedef struct {
  int64_t grain; /* at least 1 */
  void (*span)(void *user, const StTraceSpan *span);
  void *user;
} StTraceSink;

/* The step of T tokens after P in `bins` pieces, and to `sink`, which may be
 * NULL, as spans. `sim` is a simulator of the
 * module, with its limits; the trace lives in the arena, `net` and `result` in
 * the simulator, until its next step. NULL after an error (a deadlock is one).
 */
const StTrace *st_trace_step(StArena *a, StSim *sim, int64_t P, int64_t T,
                             int bins, const StTraceSink *sink);

/* Bits that each channel moves in each bin, [nchannels + 1][bins], the last of
 * transfers whose channel is not decided. A process that has several channels
 * moves the same share over each. */
void st_trace_channels(const StTrace *t, int64_t *bits);

#endif
