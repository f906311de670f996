/* The cycle simulator: doc/machine.md, executed. A step computes its values
 * and the cycle of every beat. Which tokens move in which beat depends on P
 * and T only, never on data, so the two are computed apart: the cycles in
 * src/sim/time.c, the values in src/sim/value.c (doc/simulator.md). Results do
 * not depend on the order in which processes are looked at.
 */
#ifndef ST_SIM_SIM_H
#define ST_SIM_SIM_H

#include "analysis/process.h"
#include "target/target.h"

struct StMemoryImage;

typedef struct StSim StSim;

typedef struct {
  int64_t beats;
  int64_t first, last; /* cycles of issue; -1 without beats */
  int64_t wait_input;  /* cycles beyond II that it waited for a token (or for
                          the window of a converter to fill) */
  int64_t wait_output; /* ... for a free slot (or window) */
} StProcessStats;

typedef struct {
  int64_t tokens;
  int64_t max_fill; /* most slots in use: from the issue of the pushing beat to
                       the cycle in which the token is popped, inclusive */
} StStreamStats;

typedef enum {
  ST_WAIT_EMPTY,
  ST_WAIT_FULL,
  ST_WAIT_FILL,
  ST_WAIT_DRAIN
} StWaitKind;

/* One link of a deadlock: `process` waits for process `on`. */
typedef struct {
  StWaitKind kind;
  int process, on;
  int stream;          /* EMPTY, FULL; else -1 (inside a converter) */
  int64_t fill, depth; /* of the stream: slots in use, slots */
} StWait;

typedef struct {
  int nwaits;
  StWait *wait;       /* a cycle: the last waits for the first */
  int enlarge;        /* stream whose depth frees it; -1: no single one does */
  int64_t enlarge_to; /* smallest depth that does */
} StDeadlock;

typedef struct {
  int64_t cycles;          /* completion of the last store (without stores: of
                              the last beat); -1 after a deadlock */
  StProcessStats *process; /* [net->nprocesses] */
  StStreamStats *stream;   /* [net->nstreams] */
  int nchannels;           /* of the target; one more for transfers whose
                              channel is not decided */
  int64_t *read, *written; /* [nchannels + 1] bytes of HBM or DDR */
  StDeadlock *deadlock;    /* NULL: none */
} StSimResult;

/* A simulator of a verified stream level module whose ii, latency and (unless
 * `unbounded` below) depths are decided. NULL after errors. The module and the
 * target must outlive it. */
StSim *st_sim_new(const StModule *m, const StTarget *t, StDiag *diag);
void st_sim_free(StSim *sim);

/* FIFOs without limit, from the next step on: what they fill up to then is what
 * they need to never hold a producer back. */
void st_sim_set_unbounded(StSim *sim, bool unbounded);

/* The net that the indices of a result refer to; bound to the last step. */
const StProcessNet *st_sim_net(const StSim *sim);

/* One step of T tokens after P. With an image the step reads its arguments
 * there and leaves its results there; what parameters hold must not change
 * between steps, unless they are bound anew. NULL: cycles only. *out points
 * into the simulator and is valid until the next step. False after an error (a
 * deadlock is one, reported with its cycle of channels); then *out is set, its
 * `deadlock` tells more, and what the image holds is undefined. */
bool st_sim_step(StSim *sim, struct StMemoryImage *image, int64_t P, int64_t T,
                 const StSimResult **out);

#endif
