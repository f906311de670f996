/* Bundles: the same values as the loads that they replace, at every level; the
 * rate of their channels, reached and never exceeded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "bundle_module.h"
#include "check/check.h"
#include "hls_fixture.h"
#include "hls_module.h"
#include "interp/stream.h"
#include "ir_text.h"
#include "pass/channels.h"
#include "pass/pass.h"
#include "sim/sim.h"
#include "sim_graph.h"
#include "sim_module.h"
#include "size_module.h"
#include "target/timing.h"

/* ---- values ------------------------------------------------------------- */

static StModule *random_module(Fixture *f, uint64_t n, bool bundle) {
  uint64_t seed = n * 7919 + 13;
  SizeShape shape = {
      .ops = 2 + (int)(n % 9), .symbols = n % 4 == 3, .repeat = n % 2 == 0};
  StModule *m = size_random_module(&seed, shape, f->diag);
  assert_non_null(m);
  if (bundle)
    bundle_random(m, &seed);
  module_decide(m, 1 << 16, 3);
  assert_true(st_module_verify(m, "the test", f->diag));
  return m;
}

static StMemoryImage *filled(StArena *a, const StModule *m, uint64_t seed) {
  StMemoryImage *x = st_memory_new(a, m);
  for (int i = 0; i < m->arg.n; i++)
    for (int64_t k = 0; k < x->arg_bytes[i] / 4; k++)
      ((float *)x->own[i])[k] =
          (float)graph_random(&seed, 2000000) * 1e-6f - 1.0f;
  for (int r = 0; r < m->ret.n; r++)
    memset(x->ret[r], 0x55, (size_t)x->ret_bytes[r]);
  return x;
}

static void assert_same_results(const StMemoryImage *x,
                                const StMemoryImage *y) {
  for (int r = 0; r < x->module->ret.n; r++)
    assert_memory_equal(x->ret[r], y->ret[r], (size_t)x->ret_bytes[r]);
}

/* Simulator and interpreter of the bundled module, and the one with loads. */
static void test_values(void **state) {
  Fixture *f = *state;
  int bundles = 0;
  for (uint64_t n = 0; n < 150; n++) {
    StArena *a = st_arena_new();
    StModule *loads = random_module(f, n, false);
    StModule *m = random_module(f, n, true);
    bundles += m->op.n < loads->op.n;
    StStreamInterp *want = st_stream_interp_new(a, loads, f->diag);
    StStreamInterp *interp = st_stream_interp_new(a, m, f->diag);
    StSim *sim = st_sim_new(m, f->target, f->diag);
    for (int64_t T = 1; T <= (m->chunk ? 2 : 1); T++) {
      int64_t P = m->ctx ? 5 : 0;
      const StSimResult *r;
      StMemoryImage *x = filled(a, loads, n), *y = filled(a, m, n),
                    *z = filled(a, m, n);
      assert_true(st_stream_interp_step(want, x, P, T));
      assert_true(st_stream_interp_step(interp, y, P, T));
      assert_true(st_sim_step(sim, z, P, T, &r));
      assert_same_results(x, y);
      assert_same_results(x, z);
    }
    st_sim_free(sim);
    st_module_free(loads);
    st_module_free(m);
    st_arena_free(a);
  }
  assert_true(bundles > 75);
}

/* The emitted C++ leaves the bits of the simulator. */
static void test_hls(void **state) {
  Fixture *f = *state;
  static const uint64_t seeds[] = {2, 5};
  for (int i = 0; i < 2; i++) {
    StModule *m = random_module(f, seeds[i], true);
    StSim *sim = st_sim_new(m, f->target, f->diag);
    StMemoryImage *x = filled(f->arena, m, 1);
    const StSimResult *r;
    const void *result[16];
    assert_true(st_sim_step(sim, x, 0, 1, &r));
    StHlsClient *c = st_hls_client_start(
        build(f, m, i ? "clang++" : "g++"), NULL, 0, f->diag);
    assert_non_null(c);
    step(f, c, m, 0, 1, x->arg, result);
    for (int k = 0; k < m->ret.n; k++)
      assert_memory_equal(result[k], x->ret[k], (size_t)x->ret_bytes[k]);
    st_hls_client_stop(c);
    st_sim_free(sim);
    st_module_free(m);
  }
}

/* ---- rate --------------------------------------------------------------- */

enum { LAYERS = 24 };

/* s[l] = sum of w[l, i, j], high x wide elements a beat; layers 0: one sum. */
static void add_sum(StModule *m, int layers, int64_t rows, int64_t columns,
                    int high, int wide) {
  StSym shape[2] = {st_sym_const(rows), st_sym_const(columns)};
  StValue *w = layers ? hls_layers(m, ST_ROLE_PARAM, ST_I4, layers, 2, shape)
                      : hls_arg(m, ST_ROLE_PARAM, ST_I4, 2, shape);
  StOp *k = hls_kernel(m, "sum", 1, 1);
  int dims[3], n = 0;
  if (layers) {
    dims[n] = hls_dim(m, k, st_sym_const(layers), false, 1);
    hls_loop(m, k, dims[n++], st_sym_const(layers), 1);
  }
  int i = dims[n++] = hls_dim(m, k, shape[0], true, high);
  int j = dims[n++] = hls_dim(m, k, shape[1], true, wide);
  hls_loop(m, k, i, st_sym_const(rows / high), high);
  hls_loop(m, k, j, st_sym_const(columns / wide), wide);
  hls_in(m, k, 0, w, n, dims);
  int x = hls_expr(m, k, ST_X_ARG, ST_I4, 0, -1, -1);
  int y = hls_expr(m, k, ST_X_EXTSI, ST_I32, x, -1, -1);
  hls_out(m, k, 0, ST_I32, y, ST_X_ADDI, layers ? 1 : 0, dims);
  hls_finish(m, k);
  hls_store(m, ST_ROLE_OUTPUT, k->result[0], -1);
}

static const StOp *bundle_of(const StModule *m) {
  for (int i = 0; i < m->op.n; i++)
    if (m->op.at[i]->kind == ST_OP_BUNDLE)
      return m->op.at[i];
  return NULL;
}

/* Weights of layers and a last product, read as fast as the channels go: the
 * step takes at most 1.07 times as long as the bits need. */
static void test_rate(void **state) {
  Fixture *f = *state;
  StModule *m = st_module_new("wide");
  StStr certificate;
  st_str_init(&certificate);
  StPassContext ctx = {
      .target = f->target, .diag = f->diag, .certificate = &certificate};
  add_sum(m, LAYERS, 3072, 1024, 64, 64);
  add_sum(m, LAYERS, 1024, 1024, 64, 64);
  add_sum(m, LAYERS, 4096, 1024, 64, 64);
  add_sum(m, LAYERS, 1024, 4096, 64, 64);
  add_sum(m, 0, 1733 * 29, 1024, 29, 128);
  double bits = 4.0 * (LAYERS * 12.0 + 1733 * 29 / 1024.0) * 1024 * 1024;
  assert_true(st_pass_bundle_loads(m, &ctx));
  assert_true(st_module_verify(m, "bundle-loads", f->diag));
  assert_true(st_pass_allocate(m, &ctx));
  const StOp *op = bundle_of(m);
  assert_non_null(op);
  assert_int_equal(op->nresults, 5);
  assert_int_equal(op->u.bundle.channel, 0);
  int64_t a_cycle =
      op->u.bundle.channels * st_target_channel_bits(f->target);
  assert_true(st_timing_bundle_fits(f->target, op));
  double least = bits / (double)a_cycle;
  print_message("%ld beats, %.0f needed\n", (long)st_bundle_beats(op), least);
  assert_true((double)st_bundle_beats(op) <= 1.07 * least);
  assert_true(st_pass_size_fifos(m, &ctx));
  assert_true(st_check(m, f->target, certificate.data, certificate.len,
                       f->diag, NULL));
  StSim *sim = st_sim_new(m, f->target, f->diag);
  const StSimResult *r;
  assert_true(st_sim_step(sim, NULL, 0, 1, &r));
  assert_true((double)r->cycles <= 1.07 * least);
  for (int c = 0; c < op->u.bundle.channels; c++)
    assert_true((double)r->read[c] * op->u.bundle.channels < bits / 8 + 32);
  for (int c = op->u.bundle.channels; c <= r->nchannels; c++)
    assert_int_equal(r->read[c], 0);
  print_message("%ld cycles\n", (long)r->cycles);
  st_sim_free(sim);
  st_str_free(&certificate);
  st_module_free(m);
}

/* Narrow kernels gain nothing: their loads stay. */
static void test_narrow(void **state) {
  Fixture *f = *state;
  StModule *m = st_module_new("narrow");
  StPassContext ctx = {.target = f->target, .diag = f->diag};
  add_sum(m, LAYERS, 256, 1024, 1, 64);
  add_sum(m, LAYERS, 256, 1024, 1, 64);
  assert_true(st_pass_bundle_loads(m, &ctx));
  assert_null(bundle_of(m));
  st_module_free(m);
}

/* Loads of a few rows go without: they are not worth a port. */
static void test_small(void **state) {
  Fixture *f = *state;
  StModule *m = st_module_new("small");
  StPassContext ctx = {.target = f->target, .diag = f->diag};
  add_sum(m, LAYERS, 4096, 1024, 64, 64);
  add_sum(m, LAYERS, 64, 512, 64, 64);
  assert_true(st_pass_bundle_loads(m, &ctx));
  assert_non_null(bundle_of(m));
  assert_int_equal(bundle_of(m)->nresults, 1);
  st_module_free(m);
}

/* Channels are dealt by the bits that a step moves. */
static void test_deal(void **state) {
  static const int want[] = {0, 1, 1};
  Fixture *f = *state;
  StModule *m = st_module_new("deal");
  StTarget two = *f->target;
  int n = 0;
  two.memory.channels = 2;
  add_sum(m, 0, 64, 4096, 64, 64);
  add_sum(m, 0, 64, 128, 1, 2);
  add_sum(m, 0, 64, 32, 1, 2);
  st_channels_deal(m, &two, 0, NULL);
  for (int i = 0; i < m->op.n; i++)
    if (m->op.at[i]->kind == ST_OP_LOAD)
      assert_int_equal(m->op.at[i]->u.load.channel, want[n++]);
  assert_int_equal(n, 3);
  st_module_free(m);
}

/* ---- limits ------------------------------------------------------------- */

enum { TOKENS = 4096 };

/* y[i] = w[i] * z[i], a token a beat. w comes from a bundle, a token every four
 * beats; z from the same bundle after it, or of a load that takes its time. */
static StModule *join_module(bool both) {
  StModule *m = st_module_new("join");
  StSym n = st_sym_const(TOKENS);
  static const float one = 1;
  StOp *k = hls_kernel(m, "join", 2, 1);
  int d = hls_dim(m, k, n, false, 1);
  hls_loop(m, k, d, n, 1);
  hls_in(m, k, 0, hls_arg(m, ST_ROLE_PARAM, ST_F32, 1, &n), 1, &d);
  StValue *z = both ? hls_arg(m, ST_ROLE_PARAM, ST_F32, 1, &n)
                    : hls_const(m, ST_F32, 1, &n, &one, sizeof one, true);
  hls_in(m, k, 1, z, 1, &d);
  int x = hls_expr(m, k, ST_X_ARG, ST_F32, 0, -1, -1);
  int y = hls_expr(m, k, ST_X_ARG, ST_F32, 1, -1, -1);
  hls_out(m, k, 0, ST_F32, hls_expr(m, k, ST_X_MULF, ST_F32, x, y, -1),
          ST_X_ARG, 1, &d);
  hls_finish(m, k);
  hls_store(m, ST_ROLE_OUTPUT, k->result[0], -1);
  return m;
}

/* Sized for a device with one block of RAM; the depth for w. */
static int64_t size_small(Fixture *f, bool both) {
  StModule *m = join_module(both);
  StTarget small = *f->target;
  StPassContext ctx = {.target = &small, .diag = f->diag};
  uint64_t seed = 1;
  small.device.bram36 = 1;
  small.device.uram = 0;
  module_decide(m, 0, 3);
  StOp *op = bundle_random(m, &seed);
  assert_non_null(op);
  for (int i = 0; i < op->nresults; i++) {
    StBundlePart *p = &op->u.bundle.part[i];
    *p = (StBundlePart){p->layer_dim, p->stride, 0, 5 * TOKENS, 1,
                        i ? 1 : 4,    0,         0, 1};
    p->first = i ? 4 * TOKENS : 0;
    p->last = p->first + TOKENS;
  }
  for (int i = 0; i < m->op.n; i++)
    if (m->op.at[i]->kind == ST_OP_LOAD)
      m->op.at[i]->latency = 5 * TOKENS;
  assert_true(st_module_verify(m, "the test", f->diag));
  assert_true(st_pass_size_fifos(m, &ctx));
  StSim *sim = st_sim_new(m, &small, f->diag);
  const StSimResult *r;
  assert_true(st_sim_step(sim, NULL, 0, 1, &r));
  int64_t depth = op->result[0]->depth;
  st_sim_free(sim);
  st_module_free(m);
  return depth;
}

/* A bundle that runs ahead of a late z by most of w is held back, but not when
 * it would wait for itself: all of w waits for z behind it. */
static void test_limits(void **state) {
  assert_true(size_small(*state, false) < TOKENS / 2);
  assert_true(size_small(*state, true) > TOKENS - 8);
}

/* ---- refused ------------------------------------------------------------ */

static void test_too_fast(void **state) {
  Fixture *f = *state;
  StModule *m = st_module_new("fast");
  StDiag *diag = st_diag_new(NULL);
  StStr certificate;
  st_str_init(&certificate);
  StPassContext ctx = {
      .target = f->target, .diag = diag, .certificate = &certificate};
  add_sum(m, LAYERS, 4096, 1024, 64, 64);
  assert_true(st_pass_bundle_loads(m, &ctx));
  assert_true(st_pass_allocate(m, &ctx));
  assert_true(st_pass_size_fifos(m, &ctx));
  const char *text = certificate.data;
  assert_true(st_check(m, f->target, text, certificate.len, diag, NULL));
  for (int i = 0; i < m->op.n; i++)
    if (m->op.at[i]->kind == ST_OP_BUNDLE)
      m->op.at[i]->u.bundle.channels = 3;
  assert_false(st_check(m, f->target, text, certificate.len, diag, NULL));
  assert_non_null(strstr(st_diag_text(diag), "a frame of part 0 moves"));
  assert_false(st_pass_allocate(m, &ctx));
  assert_non_null(strstr(st_diag_text(diag), "a bundle of 3 channels asks"));
  st_str_free(&certificate);
  st_diag_free(diag);
  st_module_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_hls, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_rate, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_narrow, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_small, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_deal, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_too_fast, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
