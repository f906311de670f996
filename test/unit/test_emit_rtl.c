/* Random stream graphs in SystemVerilog under Verilator: the values and the
 * cycles of every step are those of the simulator; behind AXI, over memory that
 * takes different times, as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "bundle_module.h"
#include "device/memory.h"
#include "emit/rtl/rtl.h"
#include "hls_fixture.h"
#include "pass/pass.h"
#include "sim/sim.h"
#include "size_module.h"
#include "target/timing.h"

/* How many; ST_RTL_GRAPHS sets it (behind AXI: ST_RTL_AXI), ST_RTL_FIRST the
 * first. */
static int number(const char *name, int otherwise) {
  const char *text = getenv(name);
  return text ? atoi(text) : otherwise;
}

static const char *compile(Fixture *f, const StModule *m, int n, bool axi) {
  StArena *a = f->arena;
  const char *dir =
      st_arena_printf(a, "%s/graph%d%s", f->dir, n, axi ? "-axi" : "");
  assert_true(st_emit_rtl(m, f->target, NULL, dir, f->diag));
  shell(a, st_arena_printf(a, "make -s -C '%s' lint", dir));
  shell(a, st_arena_printf(a,
                           "make -s -C '%s' %s CXXFLAGS=-O0 "
                           "COMMON='%s/common'",
                           dir, axi ? "axi" : "sim", f->dir));
  if (axi) /* where a client looks for it */
    shell(a, st_arena_printf(a, "mv '%s'/build/axi-run '%s'/build/sim-run", dir,
                             dir));
  return dir;
}

/* A port's elements of a step, dense, to where they lie in memory; or back. */
static float *move(Fixture *f, const StModule *m, const StPort *p, int P, int T,
                   const float *from, bool in) {
  int64_t n = port_elements(p, P, T);
  float *to = st_arena_alloc(f->arena, (size_t)st_memory_port_bytes(m, p));
  for (int64_t i = 0; i < n; i++) {
    int64_t rest = i, at = 0, weight = 1;
    for (int d = p->rank; d-- > 0;) {
      int64_t extent = st_sym_eval(p->shape[d], P, T);
      at += rest % extent * weight;
      rest /= extent;
      weight *= st_module_stored_extent(m, p->shape[d]);
    }
    if (in)
      to[at] = from[i];
    else
      to[i] = from[at];
  }
  return to;
}

/* A step on the simulator with the image that the arguments are in. */
static int64_t simulate(StSim *sim, StMemoryImage *image, const void **data,
                        int P, int T) {
  const StSimResult *r;
  for (int k = 0; k < image->module->arg.n; k++)
    st_memory_bind(image, k, data[k]);
  assert_true(st_sim_step(sim, image, P, T, &r));
  return r->cycles;
}

static void check_step(Fixture *f, StHlsClient *c, StSim *sim,
                       StMemoryImage *image, uint64_t *seed, int P, int T) {
  const StModule *m = image->module;
  const void **data = random_arguments(f->arena, seed, m);
  const void **result = ST_NEW_N(f->arena, const void *, m->ret.n + 1);
  step(f, c, m, P, T, data, result);
  for (int k = 0; k < m->arg.n; k++)
    data[k] = move(f, m, &m->arg.at[k], P, T, data[k], true);
  int64_t cycles = simulate(sim, image, data, P, T);
  if (st_hls_client_cycles(c) != cycles)
    fail_msg("P=%d T=%d: %ld cycles, the simulator has %ld", P, T,
             (long)st_hls_client_cycles(c), (long)cycles);
  for (int r = 0; r < m->ret.n; r++)
    assert_bits(result[r],
                move(f, m, &m->ret.at[r], P, T, image->ret[r], false),
                port_elements(&m->ret.at[r], P, T));
}

/* Steps at the ends of the ranges of P and T and between them. */
static void check_graph(Fixture *f, StModule *m, int n, bool axi,
                        uint64_t *seed) {
  const char *dir = compile(f, m, n, axi);
  StSim *sim = st_sim_new(m, f->target, f->diag);
  StMemoryImage *image = st_memory_new(f->arena, m);
  StHlsClient *c = st_hls_client_start(dir, NULL, 0, f->diag);
  assert_true(sim && c);
  int chunk = (int)m->chunk, ctx = (int)m->ctx;
  for (int T = chunk ? chunk : 1; T > 0; T = T > 1 ? T / 2 : 0)
    for (int P = 0; P <= (ctx ? ctx - T : 0); P += 1 + P)
      check_step(f, c, sim, image, seed, P, T);
  st_hls_client_stop(c);
  st_sim_free(sim);
}

static StModule *random_graph(Fixture *f, int n, uint64_t *seed) {
  SizeShape shape = {
      .ops = 2 + n % 9, .symbols = n % 4 == 3, .repeat = n % 2 == 0};
  StModule *m = size_random_module(seed, shape, f->diag);
  assert_non_null(m);
  if (n % 3 == 1)
    bundle_random(m, seed);
  st_pass_timing(m, f->target);
  StStr text;
  st_str_init(&text);
  StPassContext ctx = {
      .target = f->target, .diag = f->diag, .certificate = &text};
  assert_true(st_pass_size_fifos(m, &ctx));
  st_str_free(&text);
  return m;
}

static void check_graphs(Fixture *f, int first, int count, bool axi) {
  for (int n = first; n < first + count; n++) {
    uint64_t seed = (uint64_t)n * 7919 + 3;
    StModule *m = random_graph(f, n, &seed);
    check_graph(f, m, n, axi, &seed);
    st_module_free(m);
  }
}

static void test_random_graphs(void **state) {
  check_graphs(*state, number("ST_RTL_FIRST", 0), number("ST_RTL_GRAPHS", 4),
               false);
}

static void test_axi(void **state) {
  check_graphs(*state, number("ST_RTL_FIRST", 4), number("ST_RTL_AXI", 1),
               true);
}

/* ---- refusals --------------------------------------------------------------
 */

static void expect(const Fixture *f, const StModule *m, const StTarget *t,
                   const char *message) {
  StDiag *quiet = st_diag_new(NULL);
  int n;
  assert_null(st_rtl_files(f->arena, m, t, &n, quiet));
  if (!strstr(st_diag_text(quiet), message))
    fail_msg("no `%s` in: %s", message, st_diag_text(quiet));
  st_diag_free(quiet);
}

static StOp *find(const StModule *m, StOpKind kind) {
  for (int i = 0; i < m->op.n; i++)
    if (m->op.at[i]->kind == kind)
      return m->op.at[i];
  fail_msg("there is no such op");
  return NULL;
}

static void test_refused(void **state) {
  Fixture *f = *state;
  uint64_t seed = 3;
  StModule *m = random_graph(f, 8, &seed);
  StTarget t = *f->target;
  t.latency.issue = 0;
  expect(f, m, &t, "the RTL needs latencies of at least 1 for issue");
  t = *f->target;
  t.latency.fifo[ST_MEM_SRL] = t.latency.fifo[ST_MEM_REG] = 2;
  expect(f, m, &t, "2 cycles: the RTL has 1");
  t = *f->target;
  t.op[ST_CLASS_F32][ST_X_MULF].latency = 3;
  expect(f, m, &t, "gives `mulf` of f32 3 cycles and the RTL needs 5");
  t = *f->target;
  t.op[ST_CLASS_F32][ST_X_ADDF].latency = 0;
  expect(f, m, &t, "the RTL cannot fold with `addf` in 0 cycles");
  t = *f->target;
  t.memory.latency_ns *= 2;
  expect(f, m, &t, "raise latency.load in the target's file");
  StOp *load = find(m, ST_OP_LOAD);
  load->operand[0]->def->kind = ST_OP_CONST;
  expect(f, m, f->target, "the RTL has no loads of constants");
  load->operand[0]->def->kind = ST_OP_ARG;
  StConverter *c = &find(m, ST_OP_CONVERTER)->u.converter;
  int inner = c->fill.loop[c->fill.nloops - 1].dim;
  c->fill.elem[inner] = c->fill.loop[c->fill.nloops - 1].step + 1;
  expect(f, m, f->target, "begin elsewhere than at multiples of their size");
  StOp *kernel = find(m, ST_OP_KERNEL);
  StExpr *e = &kernel->u.nest.body.at[0];
  *e = (StExpr){.kind = ST_X_EXTRACT, .dtype = ST_F32, .arg = {-1, -1, -1}};
  expect(f, m, f->target, "the RTL has no `extract` of f32");
  load->result[0]->depth = 0;
  expect(f, m, f->target, "has no depth: run size-fifos");
  st_module_free(m);
}

/* A board needs a token, logits and caches that the chip's memories can be. */
static void test_no_board(void **state) {
  Fixture *f = *state;
  uint64_t seed = 3;
  StModule *m = random_graph(f, 8, &seed);
  StTarget t = *f->target;
  t.memory.kind = ST_STORAGE_ONCHIP;
  static const struct {
    int64_t chunk;
    const char *message;
  } cases[] = {
      {4, "no board.sv: the design has steps of several tokens"},
      {1, "no board.sv: the design has an input or output that is no token"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    StDiag *quiet = st_diag_new(NULL);
    int n;
    m->chunk = cases[i].chunk;
    assert_non_null(st_rtl_files(f->arena, m, &t, &n, quiet));
    if (!strstr(st_diag_text(quiet), cases[i].message))
      fail_msg("no `%s` in: %s", cases[i].message, st_diag_text(quiet));
    st_diag_free(quiet);
  }
  st_module_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_no_board, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_random_graphs, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_axi, set_up, tear_down)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
