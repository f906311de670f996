/* Random stream graphs: sized, certified, simulated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "check/check.h"
#include "pass/pass.h"
#include "sim/time.h"
#include "size_module.h"

typedef struct {
  StDiag *diag;
  StArena *arena;
  const StTarget *target;
  int streams, converters, forks, cycles;
} Setup;

/* Cycles of a step: the end of the last store. */
static int64_t run(StArena *a, const StProcessNet *net, const int64_t *depth) {
  StProcessStats *ps = ST_NEW_N(a, StProcessStats, net->nprocesses);
  StTimer *tm = st_timer_new(a, net);
  int64_t end = 0;
  if (!st_timer_run(tm, depth, ps, NULL))
    return -1;
  for (int i = 0; i < net->nprocesses; i++) {
    const StProcess *p = &net->process[i];
    if (p->kind == ST_PROC_STORE && ps[i].last + p->latency > end)
      end = ps[i].last + p->latency;
  }
  return end;
}

static void check_steps(Setup *s, const StModule *m) {
  StArena *a = st_arena_new();
  const StTarget *t = s->target;
  StProcessNet *net = st_process_net(a, m, t->latency.fifo, t->latency.buffer);
  int64_t *none = ST_NEW_N(a, int64_t, net->nstreams);
  int64_t *depth = ST_NEW_N(a, int64_t, net->nstreams);
  for (int i = 0; i < net->nstreams; i++) {
    depth[i] = net->stream[i].depth;
    assert_true(depth[i] >= 1);
    assert_true(net->stream[i].value->memory != ST_MEM_AUTO);
  }
  for (int T = 1; T <= (m->chunk ? m->chunk : 1); T++)
    for (int P = 0; P <= (m->ctx ? m->ctx - T : 0); P++) {
      st_process_bind(net, P, T);
      int64_t bounded = run(a, net, depth), free = run(a, net, none);
      if (bounded < 0 || 100 * bounded > 101 * free)
        print_message("P=%d T=%d: %ld cycles, %ld unbounded\n", P, T,
                      (long)bounded, (long)free);
      assert_true(free > 0);
      assert_true(bounded >= free);
      assert_true(100 * bounded <= 101 * free);
    }
  s->streams += net->nstreams;
  for (int i = 0; i < m->op.n; i++) {
    s->converters += m->op.at[i]->kind == ST_OP_CONVERTER;
    s->forks += m->op.at[i]->kind == ST_OP_FORK;
  }
  st_arena_free(a);
}

/* The certificate is accepted, and refused once any one depth is lower. */
static void check_certificate(Setup *s, StModule *m, const StStr *text) {
  if (!st_check(m, s->target, text->data, text->len, s->diag, NULL))
    print_message("refused\n");
  StDiag *quiet = st_diag_new(NULL);
  for (int i = 0; i < m->op.n; i++)
    for (int r = 0; r < m->op.at[i]->nresults; r++) {
      StValue *v = m->op.at[i]->result[r];
      if (!v->type.order)
        continue;
      v->depth--;
      assert_false(st_check(m, s->target, text->data, text->len, quiet, NULL));
      const char *name = st_arena_printf(m->arena, "stream %%%d", v->id);
      assert_non_null(strstr(st_diag_text(quiet), name));
      v->depth++;
      st_diag_free(quiet);
      quiet = st_diag_new(NULL);
    }
  st_diag_free(quiet);
}

static void test_random_graphs(void **state) {
  Setup s = {.diag = st_diag_new(stderr), .arena = st_arena_new()};
  (void)state;
  s.target = st_target_load(s.arena, "u55c", s.diag);
  assert_non_null(s.target);
  for (uint64_t n = 0; n < 200; n++) {
    uint64_t seed = n * 1237 + 5;
    SizeShape shape = {
        .ops = 2 + (int)(n % 9), .symbols = n % 4 == 3, .repeat = n % 2 == 0};
    StModule *m = size_random_module(&seed, shape, s.diag);
    assert_non_null(m);
    StStr text;
    st_str_init(&text);
    StPassContext ctx = {
        .target = s.target, .diag = s.diag, .certificate = &text};
    if (!st_pass_size_fifos(m, &ctx))
      fail_msg("graph %d is not sized", (int)n);
    check_certificate(&s, m, &text);
    check_steps(&s, m);
    st_str_free(&text);
    st_module_free(m);
  }
  print_message("%d streams, %d converters, %d forks\n", s.streams,
                s.converters, s.forks);
  assert_int_equal(st_diag_errors(s.diag), 0);
  assert_true(s.converters > 200);
  assert_true(s.forks > 200);
  st_arena_free(s.arena);
  st_diag_free(s.diag);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_graphs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
