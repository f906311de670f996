/* The interpreter of stream level modules against the simulator, which has
 * its own queues and batches: kernels of random schedule, random orders, random
 * graphs with repeats, P and T. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "interp/stream.h"
#include "pass/convert.h"
#include "sim/sim.h"
#include "sim_graph.h"
#include "sim_module.h"
#include "size_module.h"

typedef struct {
  StArena *arena;
  StDiag *diag;
  const StTarget *target;
} Fixture;

static int set_up(void **state) {
  StArena *a = st_arena_new();
  Fixture *f = ST_NEW(a, Fixture);
  *f = (Fixture){.arena = a, .diag = st_diag_new(stderr)};
  f->target = st_target_load(a, "u55c", f->diag);
  *state = f;
  return f->target ? 0 : -1;
}

static int tear_down(void **state) {
  Fixture *f = *state;
  st_diag_free(f->diag);
  st_arena_free(f->arena);
  return 0;
}

static void fill(const StModule *m, uint64_t *seed, StMemoryImage *x,
                 StMemoryImage *y) {
  for (int i = 0; i < m->arg.n; i++) {
    float *to = x->own[i];
    for (int64_t k = 0; k < x->arg_bytes[i] / 4; k++)
      to[k] = (float)graph_random(seed, 2000000) * 1e-6f - 1.0f;
    memcpy(y->own[i], to, (size_t)x->arg_bytes[i]);
  }
  for (int r = 0; r < m->ret.n; r++) {
    memset(x->ret[r], 0x55, (size_t)x->ret_bytes[r]);
    memset(y->ret[r], 0x55, (size_t)x->ret_bytes[r]);
  }
}

/* Steps at several P and T leave the same memory. */
static void check_module(Fixture *f, StModule *m, uint64_t seed) {
  StArena *a = st_arena_new();
  module_decide(m, 1 << 16, 1 + (int)(seed % 5));
  assert_true(st_module_verify(m, "the test", f->diag));
  StMemoryImage *one = st_memory_new(a, m), *two = st_memory_new(a, m);
  StSim *sim = st_sim_new(m, f->target, f->diag);
  StStreamInterp *interp = st_stream_interp_new(a, m, f->diag);
  assert_non_null(sim);
  assert_non_null(interp);
  for (int step = 0; step < (m->chunk ? 5 : 2); step++) {
    const StSimResult *r;
    int64_t T =
        m->chunk ? 1 + (int64_t)graph_random(&seed, (uint32_t)m->chunk) : 1;
    int64_t P =
        m->ctx ? (int64_t)graph_random(&seed, (uint32_t)(m->ctx - T + 1)) : 0;
    fill(m, &seed, one, two);
    assert_true(st_sim_step(sim, one, P, T, &r));
    assert_true(st_stream_interp_step(interp, two, P, T));
    for (int k = 0; k < m->ret.n; k++)
      if (memcmp(one->ret[k], two->ret[k], (size_t)one->ret_bytes[k]))
        fail_msg("result %d differs at P=%d T=%d", k, (int)P, (int)T);
  }
  st_sim_free(sim);
  st_arena_free(a);
}

static void test_kernels(void **state) {
  for (uint64_t n = 0; n < 600; n++) {
    uint64_t seed = n * 6151 + 1;
    StModule *m = st_module_new("m");
    module_random_kernel(m, &seed, 1 + (int)(n % 3), n % 2);
    check_module(*state, m, seed);
    st_module_free(m);
  }
}

static void test_converters(void **state) {
  for (uint64_t n = 0; n < 300; n++) {
    uint64_t seed = n * 389 + 7;
    StModule *m = st_module_new("m");
    int64_t shape[3];
    StSym sym[3];
    int rank = 1 + (int)graph_random(&seed, 3);
    for (int d = 0; d < rank; d++) {
      shape[d] = 1 + graph_random(&seed, 12);
      sym[d] = st_sym_const(shape[d]);
    }
    StItensor in = module_random_order(m->arena, &seed, rank, shape, false);
    StItensor out = module_random_order(m->arena, &seed, rank, shape,
                                        graph_random(&seed, 2));
    StValue *x = module_load(m, module_arg(m, ST_F32, rank, sym), &in);
    StOp *op = st_converter_new(m, x, &out);
    st_op_append(m, op);
    module_store(m, op->result[0]);
    check_module(*state, m, seed);
    st_module_free(m);
  }
}

static void test_graphs(void **state) {
  Fixture *f = *state;
  int cycles = 0;
  for (uint64_t n = 0; n < 150; n++) {
    uint64_t seed = n * 911 + 3;
    SizeShape shape = {
        .ops = 2 + (int)(n % 9), .symbols = n % 4 == 3, .repeat = n % 2 == 0};
    StModule *m = size_random_module(&seed, shape, f->diag);
    assert_non_null(m);
    for (int i = 0; i < m->op.n; i++)
      for (int k = 0; k < m->op.at[i]->noperands; k++)
        cycles += m->op.at[i]->operand[k]->def->id >= m->op.at[i]->id;
    check_module(f, m, seed);
    st_module_free(m);
  }
  assert_true(cycles > 50);
}

/* A cycle that no repeat explains. */
static void test_error(void **state) {
  Fixture *f = *state;
  static const char text[] =
      "module \"m\" ctx 0 chunk 0 ops 2 values 2 {\n"
      "%0 = fork #0 (%1) : itensor<f32 [4] by [1], [4]*[1], [0], [0]>\n"
      "%1 = fork #1 (%0) : itensor<f32 [4] by [1], [4]*[1], [0], [0]>\n"
      "}\n";
  StDiag *quiet = st_diag_new(NULL);
  StModule *m = st_module_parse("m.st", text, sizeof text - 1, quiet);
  assert_non_null(m);
  assert_null(st_stream_interp_new(f->arena, m, quiet));
  assert_non_null(strstr(st_diag_text(quiet),
                         "ops depend on each other other than through a "
                         "repeat"));
  st_module_free(m);
  st_diag_free(quiet);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_kernels),
      TEST(test_converters),
      TEST(test_graphs),
      TEST(test_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
