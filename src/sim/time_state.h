/* What a run of the timer knows, shared by time.c, which issues beats, and
 * period.c, which skips those that repeat. */
#ifndef ST_SIM_TIME_STATE_H
#define ST_SIM_TIME_STATE_H

#include "sim/time.h"

typedef struct {
  int producer, consumer;
  int64_t depth; /* no more than there are tokens; INT64_MAX: without limit */
  int64_t lag;   /* issue of the producer to arrival */
  int64_t pushed, popped;
  int64_t mask;   /* slots of the rings - 1 */
  int64_t *issue; /* ring: issue time of the pushing beat */
  int64_t *pop;   /* ring */
  int64_t seen;   /* tokens that `most` accounts for ... */
  int64_t freed;  /* ... of which so many had left before the last one */
  int64_t most;   /* largest number of slots in use */
  bool wake_producer, wake_consumer;
} StTimeChannel;

typedef struct {
  StWalker walker;
  StTimeChannel **in, **out; /* of the process's ends */
  int64_t last;              /* issue time of the last beat */
  int64_t first;
  int64_t wait_input;
  bool queued, wake_partner;
  /* Converters: FILL with flow keeps a ring of the issue time of every beat,
   * else of the last beat of every window, DRAIN of the last of every window.
   */
  bool every;
  int64_t *history;
  int64_t mask;
  int64_t window, at;      /* the window, and the beat in it, that come next */
  int64_t need;            /* DRAIN: fill beats that the last beat needed */
  int64_t grain, boundary; /* beats after which periods are looked for, each
                              time and next; INT64_MAX: never */
} StTimeRunner;

struct StTimer {
  StArena *arena;
  const StProcessNet *net;
  StTimeChannel *channel;
  StTimeRunner *runner;
  int *queue; /* ring of processes that may be able to run */
  int head, count;
  int64_t issued; /* beats, of all processes, in this run */
  StTimerHook *hook;
  void *user;
  struct StPeriods *periods;
};

/* Brings `most` of a channel up to date as far as the known times allow. */
void st_time_count_slots(const StTimer *tm, StTimeChannel *c);

/* ---- period.c ----------------------------------------------------------- */

struct StPeriods *st_periods_new(StTimer *tm);
/* Before a run: sets the boundaries of all runners. */
void st_periods_start(StTimer *tm, bool wanted);
/* Process p is at its boundary: skips what repeats, and sets the next one. */
void st_periods_look(StTimer *tm, int p);
/* Beats skipped in this run, of all processes. */
int64_t st_periods_skipped(const StTimer *tm);

#endif
