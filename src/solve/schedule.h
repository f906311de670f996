/* A schedule of a step: when every process of a bound net issues every beat, so
 * that every token and every window is there in time, without regard to depths;
 * and the depths that it needs (doc/fifo-sizing.md). */
#ifndef ST_SOLVE_SCHEDULE_H
#define ST_SOLVE_SCHEDULE_H

#include "analysis/process.h"

struct StStr;

typedef struct StSchedule StSchedule;

/* An empty schedule of the net's step, in the arena; the net stays bound as
 * long as it is used. Latencies are those of net->stream. cap: as in
 * st_system_new. */
StSchedule *st_schedule_new(StArena *a, const StProcessNet *net,
                            const int64_t *cap);

/* When the beat is issued. */
int64_t st_schedule_at(const StSchedule *s, int process, int64_t beat);

/* Every beat as early as possible. False: some beat waits for itself, however
 * deep the FIFOs are; *stuck is a process that cannot go on. */
bool st_schedule_earliest(StSchedule *s, int *stuck);

/* After st_schedule_earliest: every beat that pushes a token as late as the
 * beats that need it allow; the others, and those that nothing waits for, as
 * early as these let them. Processes that no other waits for (stores) keep
 * their times. */
void st_schedule_latest(StSchedule *s);

/* Moves whole processes so that the streams hold fewer bits, by linear
 * programming; keeps the schedule if that does not help. No store completes
 * later than the last one did. */
void st_schedule_balance(StSchedule *s);

/* Slots that the streams need: depth[s] is raised to the most in use at once,
 * from the issue of the pushing beat up to and including the cycle in which the
 * token is popped. */
void st_schedule_depths(const StSchedule *s, int64_t *depth);

/* One step of a certificate (src/check/check.h). */
void st_schedule_print(struct StStr *out, const StSchedule *s);

#endif
