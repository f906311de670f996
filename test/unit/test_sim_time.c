/* Issue times of random nets against a model that steps every cycle, and what
 * is skipped against what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/deadlock.h"
#include "sim/time.h"
#include "sim_graph.h"

typedef struct {
  int64_t **issue; /* [process][beat] */
} Trace;

static void record(void *user, int process, int64_t beat, int64_t issue) {
  Trace *t = user;
  t->issue[process][beat] = issue;
}

static Trace trace_new(StArena *a, const StProcessNet *net) {
  Trace t = {ST_NEW_N(a, int64_t *, (size_t)net->nprocesses)};
  for (int i = 0; i < net->nprocesses; i++)
    t.issue[i] = ST_NEW_N(a, int64_t, (size_t)net->process[i].beats);
  return t;
}

static int64_t *depths_of(StArena *a, const StProcessNet *net) {
  int64_t *depth = ST_NEW_N(a, int64_t, (size_t)net->nstreams);
  for (int i = 0; i < net->nstreams; i++)
    depth[i] = net->stream[i].depth;
  return depth;
}

/* The same run without a look at every beat; returns how many it skipped. */
static int64_t check_skipping(StArena *a, const StProcessNet *net, StTimer *tm,
                              const int64_t *depth, bool done,
                              const StProcessStats *process,
                              const StStreamStats *stream) {
  StProcessStats *ps = ST_NEW_N(a, StProcessStats, (size_t)net->nprocesses);
  StStreamStats *ss = ST_NEW_N(a, StStreamStats, (size_t)net->nstreams);
  assert_int_equal(st_timer_run(tm, depth, ps, ss), done);
  for (int i = 0; i < net->nprocesses; i++) {
    assert_int_equal(ps[i].beats, process[i].beats);
    assert_int_equal(ps[i].first, process[i].first);
    assert_int_equal(ps[i].last, process[i].last);
    assert_int_equal(ps[i].wait_input, process[i].wait_input);
    assert_int_equal(ps[i].wait_output, process[i].wait_output);
  }
  for (int i = 0; i < net->nstreams; i++) {
    assert_int_equal(ss[i].tokens, stream[i].tokens);
    if (done)
      assert_int_equal(ss[i].max_fill, stream[i].max_fill);
  }
  return st_timer_skipped(tm);
}

static int64_t check_same(StArena *a, const StProcessNet *net, StTimer *tm,
                          const int64_t *depth, const int64_t *limits) {
  Brute b = brute_run(a, net, limits);
  StProcessStats *ps = ST_NEW_N(a, StProcessStats, (size_t)net->nprocesses);
  StStreamStats *ss = ST_NEW_N(a, StStreamStats, (size_t)net->nstreams);
  Trace trace = trace_new(a, net);
  st_timer_set_hook(tm, record, &trace);
  bool done = st_timer_run(tm, depth, ps, ss);
  st_timer_set_hook(tm, NULL, NULL);
  assert_int_equal(done, b.done);
  for (int i = 0; i < net->nprocesses; i++) {
    assert_int_equal(ps[i].beats, b.beats[i]);
    for (int64_t n = 0; n < b.beats[i]; n++)
      assert_int_equal(trace.issue[i][n], b.issue[i][n]);
    if (!b.beats[i])
      continue;
    assert_int_equal(ps[i].first, b.issue[i][0]);
    assert_int_equal(ps[i].last, b.issue[i][b.beats[i] - 1]);
    assert_int_equal(ps[i].wait_input + ps[i].wait_output,
                     ps[i].last - (b.beats[i] - 1) * net->process[i].ii);
  }
  for (int i = 0; i < net->nstreams && done; i++)
    assert_int_equal(ss[i].max_fill, b.most[i]);
  return check_skipping(a, net, tm, depth, done, ps, ss);
}

static void test_random_nets(void **state) {
  (void)state;
  int stuck = 0, ended = 0, skipping = 0;
  for (uint64_t n = 0; n < 4000; n++) {
    StArena *a = st_arena_new();
    uint64_t seed = n * 77 + 1;
    GraphShape shape = {.nodes = 1 + (int)(n % 7),
                        .feedback = n % 5 == 0,
                        .max_depth = n % 2 ? 3 : 20};
    StProcessNet *net = graph_new(a, &seed, shape);
    StTimer *tm = st_timer_new(a, net);
    int64_t *depth = depths_of(a, net);
    skipping += check_same(a, net, tm, depth, depth) > 0;
    bool ends = st_timer_run(tm, depth, NULL, NULL);
    stuck += !ends;
    ended += ends;
    /* The same timer again, without limits. */
    int64_t *limits = ST_NEW_N(a, int64_t, (size_t)net->nstreams);
    memset(depth, 0, (size_t)net->nstreams * sizeof *depth);
    for (int i = 0; i < net->nstreams; i++)
      limits[i] = 1 << 20;
    check_same(a, net, tm, depth, limits);
    /* ... and with the limits it had at first. */
    depth = depths_of(a, net);
    check_same(a, net, tm, depth, depth);
    st_arena_free(a);
  }
  assert_true(stuck > 100);
  assert_true(ended > 1000);
  assert_true(skipping > 300);
}

/* A deadlock names a closed cycle; the depth it proposes frees the net and one
 * less does not; where it proposes none, no single depth does. */
static void check_deadlock(StArena *a, const StProcessNet *net, int *freed,
                           int *cycles) {
  StTimer *tm = st_timer_new(a, net);
  int64_t *depth = depths_of(a, net);
  if (st_timer_run(tm, depth, NULL, NULL))
    return;
  StDeadlock *d = st_deadlock_explain(a, net, tm, depth);
  assert_true(d->nwaits > 0);
  for (int i = 0; i + 1 < d->nwaits; i++)
    assert_int_equal(d->wait[i].on, d->wait[i + 1].process);
  assert_int_equal(d->wait[d->nwaits - 1].on, d->wait[0].process);
  ++*cycles;
  if (d->enlarge >= 0) {
    int64_t old = depth[d->enlarge];
    depth[d->enlarge] = d->enlarge_to;
    assert_true(brute_run(a, net, depth).done);
    depth[d->enlarge] = d->enlarge_to - 1;
    assert_false(brute_run(a, net, depth).done);
    depth[d->enlarge] = old;
    ++*freed;
  }
  for (int i = 0; i < net->nstreams; i++) {
    int64_t old = depth[i];
    depth[i] =
        d->enlarge < 0 ? 1 << 20 : old + d->enlarge_to - depth[d->enlarge] - 1;
    assert_false(brute_run(a, net, depth).done);
    depth[i] = old;
  }
}

static void test_deadlocks(void **state) {
  (void)state;
  int freed = 0, cycles = 0;
  for (uint64_t n = 0; n < 1500; n++) {
    StArena *a = st_arena_new();
    uint64_t seed = n * 31 + 7;
    GraphShape shape = {.nodes = 4 + (int)(n % 8),
                        .feedback = n % 16 == 0,
                        .max_depth = 2,
                        .trip = 2 + (int)(n % 3)};
    check_deadlock(a, graph_new(a, &seed, shape), &freed, &cycles);
    st_arena_free(a);
  }
  print_message("%d deadlocks, %d freed by one depth\n", cycles, freed);
  assert_true(freed > 20);
  assert_true(cycles > freed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_nets),
      cmocka_unit_test(test_deadlocks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
