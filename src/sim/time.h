/* Cycles of all beats of a step, by recurrence on issue times. */
#ifndef ST_SIM_TIME_H
#define ST_SIM_TIME_H

#include "sim/sim.h"

typedef struct StTimer StTimer;

/* A timer for the net, in the arena. */
StTimer *st_timer_new(StArena *a, const StProcessNet *net);

/* Called for every beat of a process, in order, with its issue time; for tests
 * and traces. Without one, beats are skipped that repeat others. */
typedef void StTimerHook(void *user, int process, int64_t beat, int64_t issue);
void st_timer_set_hook(StTimer *tm, StTimerHook *hook, void *user);

/* Runs a step of the bound net with the given depths ([nstreams], 0: without
 * limit), fills process ([nprocesses]) and stream ([nstreams]); false: it is
 * stuck. Either pointer may be NULL. */
bool st_timer_run(StTimer *tm, const int64_t *depth, StProcessStats *process,
                  StStreamStats *stream);

/* After a run that was stuck: the waits of process p, at most `max`; 0 if it
 * has issued all its beats. */
int st_timer_waits(const StTimer *tm, int p, StWait *wait, int max);
/* After any run: beats issued by process p. */
int64_t st_timer_beats(const StTimer *tm, int p);
/* ... and those that were not issued one by one, of all processes. */
int64_t st_timer_skipped(const StTimer *tm);

#endif
