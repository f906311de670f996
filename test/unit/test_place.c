/* place: against all placements of small graphs; what a placed module takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "driver/fit.h"
#include "hls_fixture.h"
#include "ir/itensor.h"
#include "pass/pass.h"
#include "pass/place.h"
#include "sim_graph.h"
#include "sim_module.h"
#include "size_module.h"

enum { NODES = 9, GRAPHS = 60, DIES = 3 };

static double rnd(uint64_t *seed, double most) {
  return most * (double)graph_random(seed, 1000) / 1000;
}

/* As full as `load` of all budgets. */
static StPlaceGraph *random_graph(StArena *a, const StTarget *t,
                                  uint64_t *seed, double load) {
  StPlaceGraph *g = ST_NEW(a, StPlaceGraph);
  *g = (StPlaceGraph){.arena = a, .target = t, .n = NODES, .nparts = 2};
  g->cost = ST_NEW_N(a, StCost, NODES);
  g->products = ST_NEW_N(a, double, NODES);
  g->fixed = ST_NEW_N(a, int, NODES);
  g->alone = ST_NEW_N(a, bool, NODES);
  g->meet = ST_NEW_N(a, bool, 4);
  g->meet[0] = g->meet[3] = true;
  g->meet[1] = g->meet[2] = graph_random(seed, 2);
  StCost each = st_cost_scale(t->device, 2 * load * t->budget / NODES);
  for (int i = 0; i < NODES; i++) {
    g->fixed[i] = i ? -1 : 0;
    g->alone[i] = graph_random(seed, 4) == 0;
    g->cost[i] = (StCost){rnd(seed, each.lut), rnd(seed, each.ff),
                          rnd(seed, each.dsp), rnd(seed, each.bram36),
                          rnd(seed, each.uram)};
    g->products[i] = graph_random(seed, 2) ? 2 * g->cost[i].dsp : 0;
  }
  for (int i = 0; i < 2 * NODES; i++) {
    int from = (int)graph_random(seed, NODES);
    int to = (int)graph_random(seed, NODES);
    StPlaceEdge e = {from, to, rnd(seed, 4000), -1};
    if (i < 4)
      e = (StPlaceEdge){0, 1 + to % (NODES - 1), rnd(seed, 8000), i % 2};
    if (e.from != e.to)
      st_vec_push(a, &g->edge, e);
  }
  return g;
}

static StPlaceScore best_of_all(const StPlaceGraph *g) {
  int die[NODES] = {0};
  StPlaceScore best = st_place_score(g, die);
  int all = 1;
  for (int i = 1; i < NODES; i++)
    all *= DIES;
  for (int k = 0; k < all; k++) {
    for (int i = 1, x = k; i < NODES; i++, x /= DIES)
      die[i] = x % DIES;
    StPlaceScore s = st_place_score(g, die);
    best = st_place_is_better(s, best) ? s : best;
  }
  return best;
}

/* Within the budgets if anything is; the program is never worse than what it
 * began with, and not much worse than the best. */
static void test_graphs(void **state) {
  Fixture *f = *state;
  int fitting = 0, helped = 0;
  for (uint64_t n = 0; n < GRAPHS; n++) {
    StArena *a = st_arena_new();
    uint64_t seed = n * 77 + 5;
    StPlaceGraph *g =
        random_graph(a, f->target, &seed, 0.4 + 0.4 * (double)n / GRAPHS);
    int die[NODES];
    st_place_greedy(g, die);
    StPlaceScore greedy = st_place_score(g, die);
    st_place_solve(g, die);
    StPlaceScore solved = st_place_score(g, die);
    assert_int_equal(die[0], 0);
    assert_false(st_place_is_better(greedy, solved));
    helped += st_place_is_better(solved, greedy);
    StPlaceScore best = best_of_all(g);
    assert_false(st_place_is_better(solved, best));
    if (best.over == 0) {
      fitting++;
      assert_true(solved.over < 1e-6);
      assert_true(solved.wires <= best.wires / 0.6 + 1);
    }
    st_place_refine(g, die);
    assert_false(st_place_is_better(solved, st_place_score(g, die)));
    st_arena_free(a);
  }
  assert_true(fitting > GRAPHS / 3 && helped > GRAPHS / 2);
}

/* Groups keep costs and wires, and what is fixed or alone. */
static void test_coarsen(void **state) {
  Fixture *f = *state;
  for (uint64_t n = 0; n < GRAPHS; n++) {
    StArena *a = st_arena_new();
    uint64_t seed = n * 31 + 7;
    StPlaceGraph *g = random_graph(a, f->target, &seed, 0.2);
    int group[NODES], rough[NODES], die[NODES];
    const StPlaceGraph *c = st_place_coarsen(g, 4, group);
    assert_true(c->n <= g->n);
    for (int i = 0; i < c->n; i++)
      rough[i] =
          c->fixed[i] >= 0 ? c->fixed[i] : (int)graph_random(&seed, DIES);
    for (int i = 0; i < g->n; i++) {
      die[i] = rough[group[i]];
      assert_int_equal(c->fixed[group[i]], g->fixed[i]);
      assert_int_equal(c->alone[group[i]], g->alone[i]);
    }
    StPlaceScore x = st_place_score(c, rough), y = st_place_score(g, die);
    assert_true(fabs(x.over - y.over) < 1e-9);
    assert_true(fabs(x.wires - y.wires) < 1e-6);
    st_arena_free(a);
  }
}

/* The sums over dies are those of the design; movers are on the memory's die;
 * twice is once. */
static void test_modules(void **state) {
  Fixture *f = *state;
  for (uint64_t n = 0; n < 30; n++) {
    uint64_t seed = n * 7919 + 13;
    SizeShape shape = {.ops = 4 + (int)(n % 9), .repeat = n % 2 == 0};
    StModule *m = size_random_module(&seed, shape, f->diag);
    module_decide(m, 64, 3);
    StPassContext ctx = {.target = f->target, .diag = f->diag};
    assert_true(st_pass_place(m, &ctx));
    assert_true(st_module_verify(m, "place", f->diag));
    StCost use[DIES], sum = {0}, want = {0};
    double wires[DIES], again[DIES];
    st_dies_use(m, f->target, use, wires);
    for (int d = 0; d < DIES; d++)
      sum = st_cost_add(sum, use[d]);
    for (int i = 0; i < m->op.n; i++) {
      const StOp *op = m->op.at[i];
      want = st_cost_add(want, st_target_op_cost(f->target, m, op));
      if (op->kind == ST_OP_LOAD || op->kind == ST_OP_STORE)
        assert_int_equal(op->die, f->target->memory_die);
      for (int r = 0; r < op->nresults; r++) {
        const StValue *v = op->result[r];
        if (v->type.order)
          want = st_cost_add(
              want, st_target_fifo_cost(f->target, v->memory,
                                        st_type_token_bits(&v->type),
                                        v->depth));
      }
    }
    assert_true(fabs(sum.lut - want.lut) < 1e-6 * want.lut);
    assert_true(fabs(sum.bram36 - want.bram36) < 1e-6 * want.bram36 + 1e-9);
    assert_true(st_pass_place(m, &ctx));
    st_dies_use(m, f->target, use, again);
    assert_memory_equal(wires, again, 2 * sizeof *wires);
    st_module_free(m);
  }
}

/* What a design lacks, by name. */
static void test_shortage(void **state) {
  Fixture *f = *state;
  uint64_t seed = 13;
  StModule *m = size_random_module(&seed, (SizeShape){.ops = 9}, f->diag);
  module_decide(m, 64, 3);
  StTarget t = *f->target;
  StCost die[DIES] = {t.die[0], t.die[1], t.die[2]};
  t.die = die;
  assert_null(st_fit_shortage(m, &t).resource);
  StDiag *diag = st_diag_new(NULL);
  die[0].lut = 1000;
  StShortage s = st_fit_shortage(m, &t);
  assert_string_equal(s.resource, "LUT");
  assert_true(s.die == 0 && s.have == 800 && s.need > 800);
  assert_true(s.user && s.most > 0 && s.most <= s.need);
  st_fit_refuse(m, &t, &s, false, diag);
  assert_non_null(strstr(st_diag_text(diag), "does not fit die 0 of u55c: "));
  assert_non_null(strstr(st_diag_text(diag), "for a larger target (-t)"));
  die[0] = f->target->die[0];
  t.die_wires = 10;
  for (int i = 0; i < m->op.n; i++)
    m->op.at[i]->die = m->op.at[i]->kind == ST_OP_KERNEL ? 1 : 0;
  s = st_fit_shortage(m, &t);
  assert_string_equal(s.resource, "wires");
  assert_true(s.die == 0 && s.have == 8 && s.need > 8 && !s.user);
  st_fit_refuse(m, &t, &s, true, diag);
  assert_non_null(
      strstr(st_diag_text(diag), "u55c between die 0 and die 1: "));
  assert_non_null(strstr(st_diag_text(diag), "larger factors make smaller"));
  st_diag_free(diag);
  st_module_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_graphs, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_coarsen, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_modules, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_shortage, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
