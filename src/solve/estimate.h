/* How long a step takes, without simulating it. */
#ifndef ST_SOLVE_ESTIMATE_H
#define ST_SOLVE_ESTIMATE_H

#include "target/target.h"

/* Cycles of the step of T tokens after P on a stream level module with ii and
 * latency decided: when its last store (without stores: its last beat)
 * completes if every beat is issued as early as the tokens allow and no FIFO is
 * ever full. FIFOs whose memory is decided have its latency, others that of
 * registers. With the depths of size-fifos the machine is no faster, and slower
 * only where loads are held back. -1: some beat waits for itself. */
int64_t st_estimate_cycles(const StModule *m, const StTarget *t, int64_t P,
                           int64_t T);

#endif
