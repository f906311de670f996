/* The rates and latencies that a target gives to the ops of a module. */
#ifndef ST_TARGET_TIMING_H
#define ST_TARGET_TIMING_H

#include "target/target.h"

/* Least cycles between beats of a stream level op (doc/machine.md):
 * kernel: ceil(latency of combine / (distance * ways)) if a reduction loop has
 * more than one trip; load, store: ceil(bits of a token / bits of a channel a
 * cycle), times the loads and stores that share its channel; others 1. */
int st_timing_ii(const StModule *m, const StTarget *t, const StOp *op);

/* What a load or store needs of its channels: the bits that it moves in a step
 * of one token after a quarter of the context, over the part of the step that
 * it has for that. */
double st_timing_need(const StModule *m, const StOp *op);

/* The least `ways` of a kernel, or of a generic with a schedule, with which it
 * has a beat every cycle. */
int st_timing_ways(const StModule *m, const StTarget *t, const StOp *op);

/* Whether the tokens of every frame of a bundle have at most slots * channels *
 * st_target_channel_bits bits. */
bool st_timing_bundle_fits(const StTarget *t, const StOp *op);

/* Sets `ii` and `latency` of every stream level op. */
void st_pass_timing(StModule *m, const StTarget *t);

#endif
