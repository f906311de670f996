/* Passes keep what random modules compute, bit for bit: the reference
 * interpreter after each pass of the tensor level, then the stream level on
 * its interpreter and on the simulator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "interp/stream.h"
#include "interp/tensor.h"
#include "interp_module.h"
#include "pass/pass.h"
#include "sim/sim.h"
#include "sim_graph.h"
#include "sim_module.h"

enum { STEPS = 4 };

typedef struct {
  StDiag *diag;
  StPassContext ctx;
  StArena *arena; /* of the module at hand */
  uint64_t seed;
  int refused, done, rolled;
  StMemoryImage *want[STEPS];
} Fixture;

static void step_of(const StModule *m, uint64_t seed, int step, int64_t *P,
                    int64_t *T) {
  seed = seed * 31 + (uint64_t)step;
  *T = m->chunk ? 1 + graph_random(&seed, (uint32_t)m->chunk) : 1;
  *P = m->ctx ? graph_random(&seed, (uint32_t)(m->ctx - *T + 1)) : 0;
  if (step == 0)
    *P = 0;
}

static StMemoryImage *new_image(Fixture *f, const StModule *m, int step) {
  StMemoryImage *image = st_memory_new(f->arena, m);
  interp_fill(f->arena, image, f->seed + (uint64_t)step);
  return image;
}

static void compare(Fixture *f, const StModule *m, const char *after, int step,
                    const StMemoryImage *got) {
  int64_t P, T;
  step_of(m, f->seed, step, &P, &T);
  for (int r = 0; r < m->ret.n; r++)
    if (memcmp(got->ret[r], f->want[step]->ret[r], (size_t)got->ret_bytes[r]))
      fail_msg("module %d: after %s result %d differs at P=%d T=%d",
               (int)f->seed, after, r, (int)P, (int)T);
}

static void check_tensors(Fixture *f, const StModule *m, const char *after) {
  for (int step = 0; step < STEPS; step++) {
    int64_t P, T;
    step_of(m, f->seed, step, &P, &T);
    StMemoryImage *image = new_image(f, m, step);
    if (!st_tensor_step(image, m, P, T, f->diag))
      fail_msg("module %d after %s: %s", (int)f->seed, after,
               st_diag_text(f->diag));
    if (!f->want[step])
      f->want[step] = image;
    compare(f, m, after, step, image);
  }
}

static void check_streams(Fixture *f, StModule *m) {
  module_decide(m, 1 << 16, 2);
  StSim *sim = st_sim_new(m, f->ctx.target, f->diag);
  StStreamInterp *interp = st_stream_interp_new(f->arena, m, f->diag);
  if (!sim || !interp)
    fail_msg("module %d: %s", (int)f->seed, st_diag_text(f->diag));
  for (int step = 0; step < STEPS; step++) {
    const StSimResult *r;
    int64_t P, T;
    step_of(m, f->seed, step, &P, &T);
    StMemoryImage *image = new_image(f, m, step);
    assert_true(st_stream_interp_step(interp, image, P, T));
    compare(f, m, "stream (interpreter)", step, image);
    image = new_image(f, m, step);
    assert_true(st_sim_step(sim, image, P, T, &r));
    compare(f, m, "stream (simulator)", step, image);
  }
  st_sim_free(sim);
}

static void check_module(Fixture *f, StModule *m) {
  static const StPass passes[] = {
      {"simplify", "", st_pass_simplify},
      {"factor-dims", "", st_pass_factor_dims},
      {"roll-layers", "", st_pass_roll_layers},
      {"fuse-elementwise", "", st_pass_fuse_elementwise},
      {"expand-repeat", "", st_pass_expand_repeat},
      {"tile", "", st_pass_tile},
      {"stream", "", st_pass_stream}};
  int n = sizeof passes / sizeof *passes;
  if (!st_module_verify(m, "the test", f->diag))
    fail_msg("module %d: %s", (int)f->seed, st_diag_text(f->diag));
  check_tensors(f, m, "the test");
  for (int i = 0; i < n; i++) {
    if (!passes[i].run(m, &f->ctx)) {
      f->refused++; /* with a message: what hardware does not do */
      assert_true(st_diag_errors(f->diag) > 0);
      return;
    }
    if (!st_module_verify(m, passes[i].name, f->diag))
      fail_msg("module %d: %s", (int)f->seed, st_diag_text(f->diag));
    if (i + 1 < n)
      check_tensors(f, m, passes[i].name);
    f->rolled += passes[i].run == st_pass_roll_layers && m->repeat.n > 0;
  }
  check_streams(f, m);
  f->done++;
}

static void check_many(int first, int count, InterpShape shape) {
  StArena *a = st_arena_new();
  Fixture f = {.ctx = {.lanes = 4}};
  StDiag *loud = st_diag_new(stderr);
  f.ctx.target = st_target_load(a, "u55c", loud);
  assert_non_null(f.ctx.target);
  for (int n = first; n < first + count; n++) {
    f.diag = f.ctx.diag = st_diag_new(NULL);
    f.arena = st_arena_new();
    f.seed = (uint64_t)n;
    memset(f.want, 0, sizeof f.want);
    shape.ops = 2 + n % 8;
    f.ctx.lanes = 1 << n % 4;
    StModule *m = interp_random_module(f.seed, shape);
    check_module(&f, m);
    st_module_free(m);
    st_arena_free(f.arena);
    st_diag_free(f.diag);
  }
  print_message("%d compared to the end, %d refused, %d with a repeat\n",
                f.done, f.refused, f.rolled);
  assert_true(f.rolled >= (shape.repeat || shape.layers ? count / 10 : 0));
  assert_true(f.done >= count * 4 / 5);
  st_diag_free(loud);
  st_arena_free(a);
}

static void test_plain(void **state) {
  (void)state;
  check_many(0, 150, (InterpShape){.symbols = false});
}

static void test_symbols(void **state) {
  (void)state;
  check_many(1000, 150, (InterpShape){.symbols = true});
}

static void test_repeats(void **state) {
  (void)state;
  check_many(2000, 150, (InterpShape){.repeat = true});
  check_many(3000, 100, (InterpShape){.repeat = true, .symbols = true});
}

static void test_layers(void **state) {
  (void)state;
  check_many(4000, 150, (InterpShape){.layers = true});
  check_many(5000, 100, (InterpShape){.layers = true, .symbols = true});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain),
      cmocka_unit_test(test_symbols),
      cmocka_unit_test(test_repeats),
      cmocka_unit_test(test_layers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
