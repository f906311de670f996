/* Every process with beats left waits for another one that has beats left, as
 * both ends of a stream move as many tokens. Following one wait of each (a full
 * stream where there is one: its depth can be changed) from the first such
 * process must come back to a process already seen, which closes the cycle.
 *
 * More depth never takes a token away, so whether a step ends is monotone in
 * each depth and the smallest that frees it is found by bisection.
 */
#include "sim/deadlock.h"

#include <string.h>

typedef ST_VEC(StWait) Waits;

/* The wait of process p to follow. */
static StWait choose_wait(StArena *a, const StProcessNet *net,
                          const StTimer *tm, int p) {
  const StProcess *proc = &net->process[p];
  int max = proc->nin + proc->nout + 1;
  StWait *wait = ST_NEW_N(a, StWait, max);
  int n = st_timer_waits(tm, p, wait, max);
  ST_CHECK(n > 0, "a process stands still without a reason");
  for (int i = 0; i < n; i++)
    if (wait[i].kind == ST_WAIT_FULL)
      return wait[i];
  return wait[0];
}

static void follow(StArena *a, const StProcessNet *net, const StTimer *tm,
                   StDeadlock *d) {
  int *place = ST_NEW_N(a, int, net->nprocesses); /* 1 + in the chain */
  Waits chain = {0};
  int p = 0;
  while (st_timer_beats(tm, p) == net->process[p].beats)
    p++;
  while (!place[p]) {
    StWait w = choose_wait(a, net, tm, p);
    place[p] = chain.n + 1;
    st_vec_push(a, &chain, w);
    p = w.on;
  }
  d->wait = chain.at + place[p] - 1;
  d->nwaits = chain.n - place[p] + 1;
}

/* Streams that some process finds full: those of the chain first. */
static int list_full(StArena *a, const StProcessNet *net, const StTimer *tm,
                     const StDeadlock *d, int **streams) {
  bool *seen = ST_NEW_N(a, bool, (size_t)net->nstreams);
  int *list = ST_NEW_N(a, int, (size_t)net->nstreams);
  int n = 0;
  for (int i = 0; i < d->nwaits; i++)
    if (d->wait[i].kind == ST_WAIT_FULL && !seen[d->wait[i].stream]) {
      seen[d->wait[i].stream] = true;
      list[n++] = d->wait[i].stream;
    }
  for (int p = 0; p < net->nprocesses; p++) {
    const StProcess *proc = &net->process[p];
    int max = proc->nin + proc->nout + 1;
    StWait *wait = ST_NEW_N(a, StWait, (size_t)max);
    int k = st_timer_waits(tm, p, wait, max);
    for (int i = 0; i < k; i++)
      if (wait[i].kind == ST_WAIT_FULL && !seen[wait[i].stream]) {
        seen[wait[i].stream] = true;
        list[n++] = wait[i].stream;
      }
  }
  *streams = list;
  return n;
}

static bool ends_with(StTimer *tm, int64_t *depth, int s, int64_t tokens) {
  int64_t old = depth[s];
  depth[s] = tokens;
  bool ends = st_timer_run(tm, depth, NULL, NULL);
  depth[s] = old;
  return ends;
}

/* The smallest depth above the present one, and at most `limit` more, with
 * which the step ends; 0: none. */
static int64_t smallest_depth(const StProcessNet *net, StTimer *tm,
                              int64_t *depth, int s, int64_t limit) {
  const StStream *stream = &net->stream[s];
  int64_t all = net->process[stream->producer].out[stream->out].tokens;
  int64_t lo = depth[s], hi = all; /* stuck at lo; ends at hi */
  if (limit < all - lo)
    hi = lo + limit;
  if (hi <= lo || !ends_with(tm, depth, s, hi))
    return 0;
  while (hi - lo > 1) {
    int64_t mid = lo + (hi - lo) / 2;
    if (ends_with(tm, depth, s, mid))
      hi = mid;
    else
      lo = mid;
  }
  return hi;
}

StDeadlock *st_deadlock_explain(StArena *a, const StProcessNet *net,
                                StTimer *tm, const int64_t *depth) {
  StDeadlock *d = ST_NEW(a, StDeadlock);
  d->enlarge = -1;
  follow(a, net, tm, d);
  int *full;
  int n = list_full(a, net, tm, d, &full);
  int64_t *trial = ST_NEW_N(a, int64_t, (size_t)net->nstreams);
  memcpy(trial, depth, (size_t)net->nstreams * sizeof *trial);
  int64_t limit = INT64_MAX; /* increase that would be an improvement */
  for (int i = 0; i < n && limit > 0; i++) {
    int64_t to = smallest_depth(net, tm, trial, full[i], limit);
    if (!to)
      continue;
    d->enlarge = full[i];
    d->enlarge_to = to;
    limit = to - depth[full[i]] - 1;
  }
  return d;
}

static void report_wait(StArena *a, const StProcessNet *net, const StWait *w,
                        StDiag *diag) {
  const StProcess *p = &net->process[w->process];
  const char *who = st_process_name(a, p);
  const char *on = st_process_name(a, &net->process[w->on]);
  const char *stream =
      w->stream < 0 ? "" : st_stream_name(a, &net->stream[w->stream]);
  switch (w->kind) {
  case ST_WAIT_EMPTY:
    st_note(diag,
            "%s waits for a token of stream %s, which is "
            "empty, from %s",
            who, stream, on);
    break;
  case ST_WAIT_FULL:
    st_note(diag,
            "%s waits for a free slot of stream %s, which "
            "holds %lld of %lld tokens, from %s",
            who, stream, (long long)w->fill, (long long)w->depth, on);
    break;
  case ST_WAIT_FILL:
    st_note(diag, "%s waits until %s has written the window", who, on);
    break;
  case ST_WAIT_DRAIN:
    st_note(diag, "%s waits until %s has emptied a window", who, on);
    break;
  }
}

void st_deadlock_report(const StProcessNet *net, const StDeadlock *d,
                        StDiag *diag) {
  StArena *a = st_arena_new();
  const StOp *op = net->process[d->wait[0].process].op;
  st_error(diag, op->loc,
           "deadlock at P = %lld, T = %lld: processes wait for each other",
           (long long)net->P, (long long)net->T);
  for (int i = 0; i < d->nwaits; i++)
    report_wait(a, net, &d->wait[i], diag);
  if (d->enlarge >= 0)
    st_note(diag, "depth %lld of stream %s, now %lld, frees it",
            (long long)d->enlarge_to,
            st_stream_name(a, &net->stream[d->enlarge]),
            (long long)net->stream[d->enlarge].depth);
  else
    st_note(diag, "no single stream's depth frees it");
  st_arena_free(a);
}
