/* A causal order of the beats of a step, in long runs: every token is pushed
 * before it is popped, every window filled before it is drained. */
#ifndef ST_SIM_ORDER_H
#define ST_SIM_ORDER_H

#include "analysis/process.h"

typedef struct StOrder StOrder;

StOrder *st_order_new(StArena *a, const StProcessNet *net);
/* A process that needs nothing from others is not visited: its tokens are there
 * whenever they are wanted. */
void st_order_leave_out(StOrder *o, int process);

/* Called for k beats; `at` stands before them and tells over which ends all of
 * them move a token. */
typedef void StOrderVisit(void *user, const StWalker *at, int64_t k);

/* Visits all other beats of the bound net's step, streams holding at most `depth`
 * tokens ([nstreams]). False if that is not possible. */
bool st_order_run(StOrder *o, const int64_t *depth, StOrderVisit *visit,
                  void *user);

#endif
