/* II and latency that a target gives to ops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim_module.h"
#include "target/timing.h"

static const StLoc nowhere = {0};

typedef struct {
  StModule *m;
  StDiag *diag;
  const StTarget *t;
} Fixture;

static int setup(void **state) {
  StModule *m = st_module_new("m");
  Fixture *f = ST_NEW(m->arena, Fixture);
  f->m = m;
  f->diag = st_diag_new(stderr);
  f->t = st_target_load(m->arena, "u55c", f->diag);
  *state = f;
  return f->t ? 0 : -1;
}

static int teardown(void **state) {
  Fixture *f = *state;
  st_diag_free(f->diag);
  st_module_free(f->m);
  return 0;
}

/* y[o] = sum over i of exp(x[i]) * w[o, i], loops in the given order: outer of
 * `trip`, with four reduction lanes. */
static StOp *product(StModule *m, bool reduction_inside, int64_t rows,
                     int64_t columns) {
  StArena *a = m->arena;
  StNest n = {.ndims = 2, .nloops = 2, .nlanes = 1};
  n.dim = ST_NEW_N(a, StDim, 2);
  n.dim[0] = (StDim){.extent = st_sym_const(rows), .name = "o"};
  n.dim[1] = (StDim){
      .extent = st_sym_const(4 * columns), .reduction = true, .name = "i"};
  n.loop = ST_NEW_N(a, StLoop, 2);
  n.loop[!reduction_inside] = (StLoop){0, st_sym_const(rows), 1};
  n.loop[reduction_inside] = (StLoop){1, st_sym_const(columns), 4};
  n.lane = ST_NEW(a, StLane);
  *n.lane = (StLane){1, 4};
  n.in = ST_NEW_N(a, StInput, 2);
  n.out = ST_NEW(a, StOutput);
  for (int i = 0; i < 2; i++) {
    n.in[i].map = ST_NEW_N(a, StAffine, 2);
    n.in[i].guard.dim = -1;
  }
  n.in[0].map[0] = st_affine_dim(a, 1);
  n.in[1].map[0] = st_affine_dim(a, 0);
  n.in[1].map[1] = st_affine_dim(a, 1);
  n.out->map = ST_NEW(a, StAffine);
  n.out->map[0] = st_affine_dim(a, 0);
  n.out->guard.dim = -1;
  n.out->combine = ST_X_ADDF;
  for (int i = 0; i < 2; i++)
    st_expr_push(m, &n.body,
                 (StExpr){.kind = ST_X_ARG, .operand = i, .arg = {-1, -1, -1}});
  st_expr_push(m, &n.body, (StExpr){.kind = ST_X_EXP, .arg = {0, -1, -1}});
  n.out->yield =
      st_expr_push(m, &n.body, (StExpr){.kind = ST_X_MULF, .arg = {2, 1, -1}});
  const StSym shape[] = {n.dim[0].extent, n.dim[1].extent};
  StValue *operand[] = {module_arg(m, ST_F32, 1, shape + 1),
                        module_arg(m, ST_F32, 2, shape)};
  StOp *op = st_op_new(m, ST_OP_KERNEL, nowhere, 2, operand, 1);
  op->u.nest = n;
  st_op_append(m, op);
  return op;
}

static void test_kernel(void **state) {
  Fixture *f = *state;
  StOp *near = product(f->m, true, 8, 16);
  StOp *far = product(f->m, false, 8, 16);
  StOp *close = product(f->m, false, 4, 16);
  StOp *once = product(f->m, true, 8, 1);
  StOp *ways = product(f->m, true, 8, 16);
  StOp *both = product(f->m, false, 2, 16);
  StOp *few = product(f->m, true, 8, 16);
  assert_int_equal(st_timing_ways(f->m, f->t, ways), 6);
  assert_int_equal(st_timing_ways(f->m, f->t, far), 1);
  assert_int_equal(st_timing_ways(f->m, f->t, both), 3);
  assert_int_equal(st_timing_ways(f->m, f->t, once), 1);
  ways->u.nest.ways = 6;
  both->u.nest.ways = 3;
  few->u.nest.ways = 4;
  st_pass_timing(f->m, f->t);
  /* issue 1, exp 12, mulf 5, two levels of four lanes and the accumulator 18 */
  assert_int_equal(near->latency, 36);
  assert_int_equal(near->ii, 6);
  assert_int_equal(far->ii, 1);
  assert_int_equal(close->ii, 2);
  assert_int_equal(once->ii, 1);
  /* three levels of six ways, two of three and of four */
  assert_int_equal(ways->latency, 36 + 18);
  assert_int_equal(ways->ii, 1);
  assert_int_equal(both->latency, 36 + 12);
  assert_int_equal(both->ii, 1);
  assert_int_equal(few->latency, 36 + 12);
  assert_int_equal(few->ii, 2);
}

static StOp *load_of(StModule *m, int64_t token, int channel) {
  const StSym shape[] = {st_sym_const(token * 8)};
  int64_t elem[] = {token};
  StSym origin[1] = {{0}};
  StLoop *loop = ST_NEW(m->arena, StLoop);
  *loop = (StLoop){0, st_sym_const(8), token};
  StItensor order = {1, ST_NEW(m->arena, int64_t), ST_NEW(m->arena, StSym), 1,
                     loop};
  order.elem[0] = elem[0];
  order.origin[0] = origin[0];
  StValue *v = module_load(m, module_arg(m, ST_F32, 1, shape), &order);
  v->def->u.load.channel = channel;
  return v->def;
}

static void test_transfers(void **state) {
  Fixture *f = *state;
  StOp *narrow = load_of(f->m, 8, 0); /* 256 of 425 bits a cycle */
  StOp *wide = load_of(f->m, 16, 1);  /* 512 */
  StOp *spread = load_of(f->m, 32, 4); /* 1024 bits over two channels */
  spread->u.load.channels = 2;
  StOp *huge = load_of(f->m, 1024, 8);
  StOp *tiny = load_of(f->m, 1, 8); /* a 64th at least */
  StOp *shared = load_of(f->m, 8, 2);
  StOp *sharing = load_of(f->m, 16, 2);
  StOp *undecided = load_of(f->m, 8, -1);
  StOp *other = load_of(f->m, 8, -1);
  StOp *rom = load_of(f->m, 64, 0);
  rom->operand[0]->memory = ST_MEM_ROM;
  module_store(f->m, narrow->result[0]);
  StOp *store = f->m->op.at[f->m->op.n - 1];
  store->u.store.channel = 7;
  st_pass_timing(f->m, f->t);
  assert_int_equal(narrow->ii, 1);
  assert_int_equal(wide->ii, 2);
  assert_int_equal(spread->ii, 2);
  assert_int_equal(huge->ii, 79); /* 77.1 cycles, 64 of 65 are its own */
  assert_int_equal(tiny->ii, 5);
  assert_int_equal(shared->ii, 2);
  assert_int_equal(sharing->ii, 2); /* two thirds of it, as of the bits */
  assert_int_equal(undecided->ii, 1);
  assert_int_equal(other->ii, 1);
  assert_int_equal(rom->ii, 1);
  assert_int_equal(store->ii, 1);
  assert_int_equal(narrow->latency, 68); /* engine 4, memory 64 */
  assert_int_equal(rom->latency, 7);
  assert_int_equal(store->latency, 68);
}

static void test_cost(void **state) {
  Fixture *f = *state;
  StOp *op = product(f->m, false, 8, 16);
  StCost c = st_target_op_cost(f->t, f->m, op);
  /* 4 lanes of exp and mulf; 3 adders of the tree and one that accumulates */
  assert_true(c.dsp == 4 * (16 + 2));
  double lut = 4 * (737 + 150) + 4 * 500 + 2 * f->t->fifo.control_lut;
  assert_true(c.lut == lut + 32); /* 8 words of 32 bits in SRLs */
  op->u.nest.ways = 3;            /* three such memories, two more adders */
  StCost more = st_target_op_cost(f->t, f->m, op);
  assert_true(more.lut == lut + 3 * 32 + 2 * 500);
}

/* One lane's value serves all lanes if no lane's dim is in it. */
static void test_cost_of_what_lanes_share(void **state) {
  Fixture *f = *state;
  StOp *op = product(f->m, false, 8, 16);
  StNest *n = &op->u.nest;
  n->lane->dim = 0; /* rows: the four share x */
  n->dim[0].extent = st_sym_const(32);
  n->dim[1].extent = st_sym_const(16);
  StCost c = st_target_op_cost(f->t, f->m, op);
  assert_true(c.dsp == 16 + 4 * 2);
}

/* Products of integers, in multipliers or in LUTs. */
static void test_cost_of_dots(void **state) {
  Fixture *f = *state;
  StOp *op = product(f->m, false, 8, 16);
  StNest *n = &op->u.nest;
  StExpr wide = {.kind = ST_X_EXTSI, .dtype = ST_I32, .arg = {0, -1, -1}};
  n->body.n = 0;
  for (int i = 0; i < 2; i++)
    st_expr_push(f->m, &n->body,
                 (StExpr){.kind = ST_X_ARG, .dtype = i ? ST_I4 : ST_I8,
                          .operand = i, .arg = {-1, -1, -1}});
  st_expr_push(f->m, &n->body, wide);
  wide.arg[0] = 1;
  st_expr_push(f->m, &n->body, wide);
  n->out->yield = st_expr_push(
      f->m, &n->body,
      (StExpr){.kind = ST_X_MULI, .dtype = ST_I32, .arg = {2, 3, -1}});
  n->out->combine = ST_X_ADDI;
  assert_int_equal(st_target_dot_lanes(op), 4);
  StCost hard = st_target_op_cost(f->t, f->m, op);
  assert_true(hard.dsp == 4 * f->t->dot.product.dsp);
  n->soft = 3;
  StCost soft = st_target_op_cost(f->t, f->m, op);
  assert_true(soft.dsp == f->t->dot.product.dsp);
  double more = f->t->dot.soft.lut - f->t->dot.product.lut;
  assert_true(soft.lut == hard.lut + 3 * more);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_kernel, setup, teardown),
      cmocka_unit_test_setup_teardown(test_transfers, setup, teardown),
      cmocka_unit_test_setup_teardown(test_cost, setup, teardown),
      cmocka_unit_test_setup_teardown(test_cost_of_what_lanes_share, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_cost_of_dots, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
