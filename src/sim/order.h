/* A causal order of the beats of a step, in long runs: every token is pushed
 * before it is popped, every window filled before it is drained. */
#ifndef ST_SIM_ORDER_H
#define ST_SIM_ORDER_H

#include "analysis/process.h"

typedef struct StOrder StOrder;

StOrder *st_order_new(StArena *a, const StProcessNet *net);

/* Called for k beats; `at` stands before them and tells over which ends all of
 * them move a token. */
typedef void StOrderVisit(void *user, const StWalker *at, int64_t k);

/* Visits all beats of the bound net's step, streams holding at most `depth`
 * tokens ([nstreams]). False if that is not possible. */
bool st_order_run(StOrder *o, const int64_t *depth, StOrderVisit *visit,
                  void *user);

#endif
