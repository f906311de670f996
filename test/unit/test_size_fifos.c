/* Schedules in runs of beats against schedules beat by beat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim_graph.h"
#include "size_module.h"
#include "size_reference.h"
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

static void test_random_nets(void **state) {
  (void)state;
  int stuck = 0;
  for (uint64_t n = 0; n < 4000; n++) {
    StArena *a = st_arena_new();
    uint64_t seed = n * 91 + 3;
    GraphShape shape = {
        .nodes = 1 + (int)(n % 7), .feedback = n % 5 == 0, .max_depth = 3};
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
      cmocka_unit_test(test_random_nets),
      cmocka_unit_test(test_random_modules),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
