/* The simulator's interface: cycles worked out by hand, statistics, traffic,
 * deadlocks, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "device/memory.h"
#include "sim/sim.h"
#include "sim_module.h"
#include "target/timing.h"

static const StLoc nowhere = {0};

typedef struct {
  StArena *arena;
  StDiag *diag; /* text only */
  const StTarget *target;
  StModule *m;
} Fixture;

static int setup(void **state) {
  StArena *a = st_arena_new();
  Fixture *f = ST_NEW(a, Fixture);
  f->arena = a;
  f->diag = st_diag_new(NULL);
  f->target = st_target_load(a, "u55c", f->diag);
  f->m = st_module_new("m");
  *state = f;
  return f->target ? 0 : -1;
}

static int teardown(void **state) {
  Fixture *f = *state;
  st_module_free(f->m);
  st_diag_free(f->diag);
  st_arena_free(f->arena);
  return 0;
}

/* Order of a vector of n elements, one a token. */
static StItensor vector(StArena *a, int64_t n) {
  StItensor o = {1, ST_NEW(a, int64_t), ST_NEW(a, StSym), 1, ST_NEW(a, StLoop)};
  o.elem[0] = 1;
  o.loop[0] = (StLoop){0, st_sym_const(n), 1};
  return o;
}

static StValue *vector_load(StModule *m, int64_t n) {
  const StSym shape[] = {st_sym_const(n)};
  StItensor o = vector(m->arena, n);
  return module_load(m, module_arg(m, ST_F32, 1, shape), &o);
}

static StNest nest_of(StModule *m, int ndims, int inputs, int64_t n) {
  StArena *a = m->arena;
  StNest k = {.ndims = ndims, .nloops = ndims};
  k.dim = ST_NEW_N(a, StDim, ndims);
  k.loop = ST_NEW_N(a, StLoop, ndims);
  k.in = ST_NEW_N(a, StInput, inputs);
  k.out = ST_NEW_N(a, StOutput, 2);
  for (int d = 0; d < ndims; d++) {
    k.dim[d].extent = st_sym_const(n);
    k.loop[d] = (StLoop){d, st_sym_const(n), 1};
  }
  for (int i = 0; i < inputs; i++) {
    k.in[i].map = ST_NEW(a, StAffine);
    k.in[i].map[0] = st_affine_dim(a, 0);
    k.in[i].guard.dim = -1;
    st_expr_push(m, &k.body,
                 (StExpr){.kind = ST_X_ARG, .operand = i, .arg = {-1, -1, -1}});
  }
  return k;
}

static StValue *kernel(StModule *m, int n, StValue *const *in, StNest nest) {
  StOp *op = st_op_new(m, ST_OP_KERNEL, nowhere, n, in, 1);
  op->u.nest = nest;
  st_op_append(m, op);
  return op->result[0];
}

/* out[i] = a[i] + b[i] (or a[i] alone). */
static StValue *add(StModule *m, StValue *a, StValue *b) {
  StNest k = nest_of(m, 1, b ? 2 : 1, a->type.shape[0].c);
  StValue *in[] = {a, b};
  if (b)
    st_expr_push(m, &k.body, (StExpr){.kind = ST_X_ADDF, .arg = {0, 1, -1}});
  k.out[0].yield = k.body.n - 1;
  k.out[0].combine = ST_X_ARG;
  k.out[0].map = k.in[0].map;
  k.out[0].guard.dim = -1;
  StValue *v = kernel(m, b ? 2 : 1, in, k);
  v->type = a->type;
  return v;
}

/* out = sum of a, one token. */
static StValue *sum(StModule *m, StValue *a) {
  StNest k = nest_of(m, 1, 1, a->type.shape[0].c);
  k.dim[0].reduction = true;
  k.out[0].combine = ST_X_ADDF;
  k.out[0].guard.dim = -1;
  k.out[0].map = ST_NEW(m->arena, StAffine);
  StValue *v = kernel(m, 1, &a, k);
  v->type = st_type_tensor(m->arena, ST_F32, 0, NULL);
  v->type.order = ST_NEW(m->arena, StItensor);
  *v->type.order = (StItensor){.elem = ST_NEW(m->arena, int64_t),
                               .origin = ST_NEW(m->arena, StSym),
                               .loop = ST_NEW(m->arena, StLoop)};
  return v;
}

/* out[i] = a[i] + s */
static StValue *add_scalar(StModule *m, StValue *a, StValue *s) {
  StNest k = nest_of(m, 1, 2, a->type.shape[0].c);
  StValue *in[] = {a, s};
  st_expr_push(m, &k.body, (StExpr){.kind = ST_X_ADDF, .arg = {0, 1, -1}});
  k.out[0].yield = 2;
  k.out[0].combine = ST_X_ARG;
  k.out[0].map = k.in[0].map;
  k.out[0].guard.dim = -1;
  StValue *v = kernel(m, 2, in, k);
  v->type = a->type;
  return v;
}

static void fork_of(StModule *m, StValue *v, StValue *out[2]) {
  StOp *op = st_op_new(m, ST_OP_FORK, nowhere, 1, &v, 2);
  for (int i = 0; i < 2; i++) {
    op->result[i]->type = v->type;
    out[i] = op->result[i];
  }
  st_op_append(m, op);
}

static const StSimResult *step(Fixture *f, StSim *sim, bool ends) {
  const StSimResult *r;
  assert_non_null(sim);
  assert_int_equal(st_sim_step(sim, NULL, 0, 1, &r), ends);
  assert_int_equal(st_diag_errors(f->diag) == 0, ends);
  return r;
}

static void test_pipeline(void **state) {
  Fixture *f = *state;
  module_store(f->m, add(f->m, vector_load(f->m, 8), NULL));
  module_decide(f->m, 64, 5);
  StSim *sim = st_sim_new(f->m, f->target, f->diag);
  const StSimResult *r = step(f, sim, true);
  /* Every hop: latency 5, FIFO 1. The load issues 0 .. 7, the kernel 6 .. 13,
   * the store 12 .. 19, and ends 5 later. */
  assert_int_equal(r->cycles, 24);
  assert_int_equal(r->process[0].first, 0);
  assert_int_equal(r->process[1].first, 6);
  assert_int_equal(r->process[2].last, 19);
  assert_int_equal(r->process[1].wait_input, 6);
  assert_int_equal(r->process[1].wait_output, 0);
  /* Of a stream six tokens are on their way or waiting, and one leaves. */
  assert_int_equal(r->stream[0].max_fill, 7);
  assert_int_equal(r->stream[0].tokens, 8);
  assert_int_equal(r->read[r->nchannels], 32);
  assert_int_equal(r->written[r->nchannels], 32);
  st_sim_free(sim);
}

/* A single slot: a token goes round in latency + FIFO + 1 = 7 cycles. */
static void test_depth_one(void **state) {
  Fixture *f = *state;
  module_store(f->m, add(f->m, vector_load(f->m, 8), NULL));
  module_decide(f->m, 1, 5);
  StSim *sim = st_sim_new(f->m, f->target, f->diag);
  const StSimResult *r = step(f, sim, true);
  assert_int_equal(r->process[0].last, 7 * 7);
  assert_int_equal(r->process[2].last, 12 + 7 * 7);
  assert_int_equal(r->cycles, 12 + 7 * 7 + 5);
  assert_true(r->process[0].wait_output > 0);
  st_sim_set_unbounded(sim, true);
  r = step(f, sim, true);
  assert_int_equal(r->cycles, 24);
  st_sim_free(sim);
}

static void test_channels(void **state) {
  Fixture *f = *state;
  StValue *a = vector_load(f->m, 8), *b = vector_load(f->m, 8);
  a->def->u.load.channel = 3;
  b->def->u.load.channel = 4;
  b->def->operand[0]->memory = ST_MEM_ROM;
  module_store(f->m, add(f->m, a, b));
  f->m->op.at[f->m->op.n - 1]->u.store.channel = 3;
  module_decide(f->m, 4, 5);
  StSim *sim = st_sim_new(f->m, f->target, f->diag);
  const StSimResult *r = step(f, sim, true);
  assert_int_equal(r->read[3], 32);
  assert_int_equal(r->read[4], 0);
  assert_int_equal(r->written[3], 32);
  assert_int_equal(r->read[r->nchannels], 0);
  st_sim_free(sim);
}

/* x[i] + sum(x): the row must wait in the FIFO beside the sum. */
static void test_deadlock(void **state) {
  Fixture *f = *state;
  StValue *x[2];
  fork_of(f->m, vector_load(f->m, 16), x);
  module_store(f->m, add_scalar(f->m, x[0], sum(f->m, x[1])));
  module_decide(f->m, 4, 5);
  StSim *sim = st_sim_new(f->m, f->target, f->diag);
  const StSimResult *r = step(f, sim, false);
  assert_int_equal(r->cycles, -1);
  const StDeadlock *d = r->deadlock;
  assert_non_null(d);
  assert_int_equal(d->nwaits, 3); /* fork, sum of them, sum */
  const StProcessNet *net = st_sim_net(sim);
  assert_ptr_equal(net->stream[d->enlarge].value, x[0]);
  assert_int_equal(d->enlarge_to, 16);
  const char *text = st_diag_text(f->diag);
  assert_non_null(strstr(text, "deadlock at P = 0, T = 1"));
  assert_non_null(strstr(text, "holds 4 of 4 tokens"));
  assert_non_null(strstr(text, "which is empty"));
  assert_non_null(strstr(text, "depth 16 of stream"));
  st_sim_free(sim);
  x[0]->depth = 16;
  sim = st_sim_new(f->m, f->target, f->diag);
  assert_true(st_sim_step(sim, NULL, 0, 1, &r));
  assert_null(r->deadlock);
  st_sim_free(sim);
}

static void expect_refused(Fixture *f, const char *message) {
  StSim *sim = st_sim_new(f->m, f->target, f->diag);
  const StSimResult *r;
  if (sim)
    assert_false(st_sim_step(sim, NULL, 0, 1, &r));
  if (!strstr(st_diag_text(f->diag), message))
    fail_msg("expected '%s' in '%s'", message, st_diag_text(f->diag));
  st_sim_free(sim);
}

static void test_no_depth(void **state) {
  Fixture *f = *state;
  module_store(f->m, vector_load(f->m, 8));
  expect_refused(*state, "has no depth; run the pass size-fifos first");
}

static void test_unequal(void **state) {
  Fixture *f = *state;
  StValue *v = vector_load(f->m, 8);
  StOp *kernel_op = add(f->m, v, NULL)->def;
  module_store(f->m, kernel_op->result[0]);
  kernel_op->u.nest.loop[0].trip = st_sym_const(7);
  module_decide(f->m, 4, 5);
  expect_refused(f, "8 tokens enter stream");
}

static void test_tensor_level(void **state) {
  Fixture *f = *state;
  const StSym shape[] = {st_sym_const(8)};
  StValue *v = module_arg(f->m, ST_F32, 1, shape);
  expect_refused(f, "nothing to simulate");
  st_op_append(f->m, st_op_new(f->m, ST_OP_VIEW, nowhere, 1, &v, 1));
  expect_refused(f, "'view' is of the tensor level");
}

/* A loop of streams without a token in it: no depth helps. */
static void test_no_way_out(void **state) {
  Fixture *f = *state;
  StValue *x = vector_load(f->m, 4), *y = add(f->m, x, x), *out[2];
  fork_of(f->m, y, out);
  y->def->operand[1] = out[1];
  module_store(f->m, out[0]);
  module_decide(f->m, 4, 5);
  StSim *sim = st_sim_new(f->m, f->target, f->diag);
  const StSimResult *r = step(f, sim, false);
  assert_int_equal(r->deadlock->nwaits, 2);
  assert_int_equal(r->deadlock->enlarge, -1);
  assert_non_null(
      strstr(st_diag_text(f->diag), "no single stream's depth frees it"));
  st_sim_free(sim);
}

/* A step with values of a kernel that looks into a table. */
static void test_extract(void **state) {
  Fixture *f = *state;
  StValue *v = add(f->m, vector_load(f->m, 8), NULL);
  module_store(f->m, v);
  module_decide(f->m, 4, 5);
  StExpr e = {.kind = ST_X_EXTRACT, .arg = {-1, -1, -1}, .nindices = 1};
  e.indices = ST_NEW(f->m->arena, int);
  st_expr_push(f->m, &v->def->u.nest.body, e);
  StSim *sim = st_sim_new(f->m, f->target, f->diag);
  const StSimResult *r;
  assert_non_null(sim);
  StMemoryImage *image = st_memory_new(f->m->arena, f->m);
  assert_false(st_sim_step(sim, image, 0, 1, &r));
  assert_non_null(strstr(st_diag_text(f->diag), "no kernels that extract"));
  st_sim_free(sim);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_pipeline),     TEST(test_depth_one),  TEST(test_channels),
      TEST(test_deadlock),     TEST(test_no_depth),   TEST(test_unequal),
      TEST(test_tensor_level), TEST(test_no_way_out), TEST(test_extract),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
