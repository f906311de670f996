/* Why a step is stuck, and what frees it. */
#ifndef ST_SIM_DEADLOCK_H
#define ST_SIM_DEADLOCK_H

#include "sim/time.h"

/* After a run of `tm` with these depths that was stuck: the cycle of waits, and
 * the stream whose depth frees it with the least increase, found by running
 * again with other depths (the timer's state is lost). In the arena. */
StDeadlock *st_deadlock_explain(StArena *a, const StProcessNet *net,
                                StTimer *tm, const int64_t *depth);

/* Reports it as one error with a note for each link. */
void st_deadlock_report(const StProcessNet *net, const StDeadlock *d,
                        StDiag *diag);

#endif
