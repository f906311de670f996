/* Random stream graphs: sized, certified, simulated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "bundle_module.h"
#include "check/check.h"
#include "pass/pass.h"
#include "sim/sim.h"
#include "size_module.h"

typedef struct {
  StDiag *diag;
  StArena *arena;
  const StTarget *target;
  int converters, forks, cycles; /* found in the graphs */
  int stuck, slower;             /* graphs with a fourth of the depths */
} Setup;

/* Cycles of a step; -1 after a deadlock. */
static int64_t run(StSim *sim, int P, int T) {
  const StSimResult *r;
  st_sim_step(sim, NULL, P, T, &r);
  return r->cycles;
}

/* At every P and T: no deadlock, and as fast as without limits. */
static void check_steps(Setup *s, const StModule *m) {
  StSim *bounded = st_sim_new(m, s->target, s->diag);
  StSim *unbounded = st_sim_new(m, s->target, s->diag);
  assert_true(bounded && unbounded);
  st_sim_set_unbounded(unbounded, true);
  for (int T = 1; T <= (m->chunk ? m->chunk : 1); T++)
    for (int P = 0; P <= (m->ctx ? m->ctx - T : 0); P++) {
      int64_t with = run(bounded, P, T), without = run(unbounded, P, T);
      if (with < without || 100 * with > 101 * without)
        fail_msg("P=%d T=%d: %ld cycles, %ld unbounded", P, T, (long)with,
                 (long)without);
    }
  st_sim_free(bounded);
  st_sim_free(unbounded);
}

/* Whether the sizing matters: with a fourth of the depths it is slower or
 * stuck. */
static void count_if_tight(Setup *s, StModule *m) {
  StDiag *quiet = st_diag_new(NULL);
  StSim *sim = st_sim_new(m, s->target, quiet);
  int T = m->chunk ? (int)m->chunk : 1;
  int64_t before = run(sim, 0, T);
  st_sim_free(sim);
  for (int i = 0; i < m->op.n; i++)
    for (int r = 0; r < m->op.at[i]->nresults; r++) {
      int64_t *depth = &m->op.at[i]->result[r]->depth;
      *depth = *depth > 4 ? *depth / 4 : *depth ? 1 : 0;
    }
  sim = st_sim_new(m, s->target, quiet);
  int64_t after = run(sim, 0, T);
  s->stuck += after < 0;
  s->slower += after > before;
  st_sim_free(sim);
  st_diag_free(quiet);
}

/* A stream that leads to an op before its own closes a cycle: a block. */
static void count_parts(Setup *s, const StModule *m) {
  int *place = ST_NEW_N(m->arena, int, m->next_op);
  for (int i = 0; i < m->op.n; i++)
    place[m->op.at[i]->id] = i;
  bool cycle = false;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    s->converters += op->kind == ST_OP_CONVERTER;
    s->forks += op->kind == ST_OP_FORK;
    for (int k = 0; k < op->noperands; k++)
      cycle |= place[op->operand[k]->def->id] >= i;
  }
  s->cycles += cycle;
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
    if (n % 3 == 1)
      bundle_random(m, &seed);
    StStr text;
    st_str_init(&text);
    StPassContext ctx = {
        .target = s.target, .diag = s.diag, .certificate = &text};
    if (!st_pass_size_fifos(m, &ctx))
      fail_msg("graph %d is not sized", (int)n);
    check_certificate(&s, m, &text);
    check_steps(&s, m);
    count_parts(&s, m);
    count_if_tight(&s, m);
    st_str_free(&text);
    st_module_free(m);
  }
  print_message("%d converters, %d forks, %d cycles; with a fourth of the "
                "depths %d are stuck, %d slower\n",
                s.converters, s.forks, s.cycles, s.stuck, s.slower);
  assert_int_equal(st_diag_errors(s.diag), 0);
  assert_true(s.converters > 200);
  assert_true(s.forks > 200);
  assert_true(s.cycles > 50);
  assert_true(s.stuck > 20);
  assert_true(s.slower > 50);
  st_arena_free(s.arena);
  st_diag_free(s.diag);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_graphs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
