/* Schedules in runs of beats against schedules beat by beat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bundle_module.h"
#include "sim_graph.h"
#include "size_module.h"
#include "size_reference.h"
#include "solve/line.h"
#include "solve/schedule.h"
#include "target/target.h"

static void assert_same(const StProcessNet *net, const StSchedule *s,
                        const SizeReference *r, const char *what) {
  for (int i = 0; i < net->nprocesses; i++)
    for (int64_t b = 0; b < net->process[i].beats; b++)
      if (st_schedule_at(s, i, b) != size_reference_at(r, i, b))
        fail_msg("%s: process %d beat %ld: %ld, not %ld", what, i, (long)b,
                 (long)st_schedule_at(s, i, b),
                 (long)size_reference_at(r, i, b));
}

/* True if it is not stuck. */
static bool compare(const StProcessNet *net) {
  StArena *a = st_arena_new();
  SizeReference *r = size_reference_new(a, net);
  StSchedule *s = st_schedule_new(a, net, NULL);
  int stuck;
  bool ok = size_reference_earliest(r);
  assert_int_equal(st_schedule_earliest(s, &stuck), ok);
  if (ok) {
    assert_same(net, s, r, "earliest");
    st_schedule_latest(s);
    size_reference_latest(r);
    assert_same(net, s, r, "latest");
    int64_t *depth = ST_NEW_N(a, int64_t, net->nstreams);
    st_schedule_depths(s, depth);
    for (int i = 0; i < net->nstreams; i++)
      assert_int_equal(depth[i], size_reference_depth(r, i));
  }
  st_arena_free(a);
  return ok;
}

/* Of groups of 1 to 4 items, forwards in time. */
static StLine random_line(uint64_t *seed) {
  int64_t group = 1 + graph_random(seed, 4);
  StLine l = {graph_random(seed, 30), graph_random(seed, 5), group,
              graph_random(seed, (uint32_t)group), graph_random(seed, 9)};
  if (graph_random(seed, 3) == 0)
    l = st_line_plain(l.t, l.stride);
  return l;
}

static void check_line(uint64_t *seed, const StLine *x) {
  int64_t n = 1 + graph_random(seed, 20), step = 1 + graph_random(seed, 5);
  int64_t from = graph_random(seed, 20), count;
  StLine y = st_line_from(x, from), z = st_line_reverse(x, n);
  for (int64_t j = 0; j < n; j++) {
    assert_int_equal(st_line_at(&y, j), st_line_at(x, from + j));
    assert_int_equal(st_line_at(&z, j), -st_line_at(x, n - 1 - j));
  }
  y = st_line_sample(x, step, n, &count);
  assert_true(count >= 1 && (count - 1) * step < n);
  for (int64_t j = 0; j < count; j++)
    assert_int_equal(st_line_at(&y, j), st_line_at(x, j * step));
  for (int64_t j = 1; j < st_line_rest(x, n); j++)
    assert_int_equal(st_line_at(x, j) - st_line_at(x, j - 1), x->stride);
}

static void check_lines(uint64_t *seed, const StLine *late,
                        const StLine *early) {
  int64_t n = 1 + graph_random(seed, 30), looked = n, least = INT64_MAX;
  int64_t found = st_line_least(late, early, &looked);
  assert_true(looked >= 1 && looked <= n);
  for (int64_t j = 0; j < looked; j++) {
    int64_t d = st_line_at(late, j) - st_line_at(early, j);
    least = d < least ? d : least;
  }
  assert_int_equal(found, least);
  if (late->t < early->t)
    return;
  int64_t above = st_line_above(late, early, n);
  assert_true(above >= 1 && above <= n);
  for (int64_t j = 0; j < above; j++)
    assert_true(st_line_at(late, j) >= st_line_at(early, j));
  int64_t length = 1 + graph_random(seed, 10);
  StLine go = st_line_from(late, length);
  assert_true(st_line_continues(late, length, &go, n));
  if (st_line_continues(late, length, early, n))
    for (int64_t j = 0; j < n; j++)
      assert_int_equal(st_line_at(&go, j), st_line_at(early, j));
}

static void test_lines(void **state) {
  (void)state;
  uint64_t seed = 17;
  for (int i = 0; i < 100000; i++) {
    StLine x = random_line(&seed), y = random_line(&seed);
    check_line(&seed, &x);
    if (i % 2) { /* groups that agree */
      y.group = x.group;
      y.phase = x.phase;
    }
    check_lines(&seed, &x, &y);
  }
}

static void test_random_nets(void **state) {
  (void)state;
  int stuck = 0;
  for (uint64_t n = 0; n < 4000; n++) {
    StArena *a = st_arena_new();
    uint64_t seed = n * 91 + 3;
    GraphShape shape = {.nodes = 1 + (int)(n % 7),
                        .feedback = n % 5 == 0,
                        .max_depth = 3,
                        .trip = n % 3 == 0 ? 2 + (int)(n % 5) : 0};
    stuck += !compare(graph_new(a, &seed, shape));
    st_arena_free(a);
  }
  assert_true(stuck > 50);
  assert_true(stuck < 2000);
}

static void test_random_modules(void **state) {
  StDiag *diag = st_diag_new(stderr);
  StArena *a = st_arena_new();
  const StTarget *t = st_target_load(a, "u55c", diag);
  (void)state;
  assert_non_null(t);
  for (uint64_t n = 0; n < 200; n++) {
    uint64_t seed = n * 577 + 11;
    SizeShape shape = {
        .ops = 2 + (int)(n % 9), .symbols = n % 4 == 3, .repeat = n % 2 == 0};
    StModule *m = size_random_module(&seed, shape, diag);
    assert_non_null(m);
    if (n % 3 == 1)
      bundle_random(m, &seed);
    StProcessNet *net =
        st_process_net(m->arena, m, t->latency.fifo, t->latency.buffer);
    st_process_bind(net, m->ctx / 2, m->chunk ? m->chunk / 2 : 1);
    assert_true(compare(net));
    st_module_free(m);
  }
  st_arena_free(a);
  st_diag_free(diag);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines),
      cmocka_unit_test(test_random_nets),
      cmocka_unit_test(test_random_modules),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
