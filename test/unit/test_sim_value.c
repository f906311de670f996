/* Values of a step: random kernels against a direct evaluation of what
 * doc/machine.md says, sums of products against the interpreter, converters
 * between random orders, forks, gathers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "device/memory.h"
#include "interp/stream.h"
#include "ir/itensor.h"
#include "pass/convert.h"
#include "sim/dot.h"
#include "sim/sim.h"
#include "sim_graph.h"
#include "sim_module.h"
#include "target/timing.h"

typedef struct {
  StDiag *diag;
  StArena *arena;
  const StTarget *target;
} Fixture;

static int setup(void **state) {
  StArena *a = st_arena_new();
  Fixture *f = ST_NEW(a, Fixture);
  f->arena = a;
  f->diag = st_diag_new(stderr);
  f->target = st_target_load(a, "u55c", f->diag);
  *state = f;
  return f->target ? 0 : -1;
}

static int teardown(void **state) {
  Fixture *f = *state;
  st_diag_free(f->diag);
  st_arena_free(f->arena);
  return 0;
}

typedef struct {
  void *data;
  int64_t elements; /* of 4 bytes */
} Span;

static Span arg_of(const StMemoryImage *image, int i) {
  return (Span){image->own[i], image->arg_bytes[i] / 4};
}

static Span result_of(const StMemoryImage *image, int i) {
  return (Span){image->ret[i], image->ret_bytes[i] / 4};
}

/* ---- kernels ------------------------------------------------------------ */

typedef struct {
  const StNest *n;
  float *data[4];   /* inputs */
  int64_t index[4]; /* values of the dims */
} Point;

static int64_t address(const StNest *n, const StAffine *map, int rank,
                       const int64_t *index) {
  int64_t at = 0;
  for (int i = 0; i < rank; i++) {
    int d = map[i].term[0].dim;
    at = at * n->dim[d].extent.c + index[d];
  }
  return at;
}

/* x plus the affine expression in the body, if there is one. */
static float add_index(const Point *p, float x) {
  for (int i = 0; i < p->n->body.n; i++) {
    const StExpr *e = &p->n->body.at[i];
    int64_t at = e->affine.off.c;
    for (int t = 0; t < e->affine.n; t++)
      at += e->affine.term[t].coef * p->index[e->affine.term[t].dim];
    if (e->kind == ST_X_INDEX)
      return st_num_add(x, st_num_from_i64(at));
  }
  return x;
}

/* What result r yields: the product of the inputs and the expression, or the
 * first input. */
static float body_at(const StOp *op, const Point *p, int r) {
  float value = 0;
  for (int i = 0; i < (r ? 1 : op->noperands); i++) {
    const StInput *in = &p->n->in[i];
    const StGuard *g = &in->guard;
    float x = 0;
    if (g->dim < 0 ||
        (g->lo.c <= p->index[g->dim] && p->index[g->dim] < g->hi.c))
      x = p->data[i]
                 [address(p->n, in->map, op->operand[i]->type.rank, p->index)];
    value = i ? st_num_mul(value, x) : x;
  }
  return r ? value : add_index(p, value);
}

/* Sets dims from the lanes of lane number `i` among those with `reduction`;
 * returns how many there are. */
static int set_lanes(const StNest *n, bool reduction, int i, int64_t *index) {
  int count = 1;
  for (int l = n->nlanes - 1; l >= 0; l--) {
    if (n->dim[n->lane[l].dim].reduction != reduction)
      continue;
    index[n->lane[l].dim] += i % n->lane[l].size;
    i /= n->lane[l].size;
    count *= n->lane[l].size;
  }
  return count;
}

/* The values of all reduction lanes at one beat, combined as a tree. */
static float tree_at(const StOp *op, const Point *base, int r) {
  float v[64];
  int64_t none[4] = {0};
  int n = set_lanes(base->n, true, 0, none);
  for (int i = 0; i < n; i++) {
    Point p = *base;
    set_lanes(p.n, true, i, p.index);
    v[i] = body_at(op, &p, r);
  }
  while (n > 1) {
    for (int i = 0; i < n / 2; i++)
      v[i] = st_num_add(v[2 * i], v[2 * i + 1]);
    if (n % 2)
      v[n / 2] = v[n - 1];
    n = (n + 1) / 2;
  }
  return v[0];
}

enum { MOST_WAYS = 8 };

typedef struct { /* of one element of the result */
  float way[MOST_WAYS];
  int64_t count; /* values so far */
} Sum;

/* Walks the loops in order, for each parallel lane. The n-th value of an
 * element is added to its accumulator n mod ways. */
static void evaluate(const StOp *op, float *const *data, int r, float *out,
                     int64_t elements) {
  StArena *a = st_arena_new();
  Sum *sum = ST_NEW_N(a, Sum, elements);
  const StGuard *g = &op->u.nest.out[r].guard;
  const StNest *n = &op->u.nest;
  int64_t beats = 1, none[4] = {0};
  int ways = n->ways > 1 ? n->ways : 1;
  for (int l = 0; l < n->nloops; l++)
    beats *= n->loop[l].trip.c;
  int par = set_lanes(n, false, 0, none);
  for (int64_t b = 0; b < beats; b++)
    for (int lane = 0; lane < par; lane++) {
      Point p = {.n = n};
      int64_t rest = b;
      memcpy(p.data, data, sizeof p.data);
      for (int l = n->nloops - 1; l >= 0; l--) {
        int64_t i = rest % n->loop[l].trip.c;
        rest /= n->loop[l].trip.c;
        p.index[n->loop[l].dim] += i * n->loop[l].step;
      }
      set_lanes(n, false, lane, p.index);
      if (g->dim >= 0 &&
          (p.index[g->dim] < g->lo.c || p.index[g->dim] >= g->hi.c))
        continue;
      float v = tree_at(op, &p, r);
      int64_t at = address(n, n->out[r].map, op->result[r]->type.rank, p.index);
      float *to = &sum[at].way[sum[at].count % ways];
      *to = sum[at].count++ < ways ? v : st_num_add(*to, v);
    }
  for (int64_t i = 0; i < elements; i++)
    if (sum[i].count)
      out[i] = st_num_tree(sum[i].way,
                           sum[i].count < ways ? (int)sum[i].count : ways);
  st_arena_free(a);
}

static float random_float(uint64_t *seed) {
  return (float)graph_random(seed, 2000000) * 1e-6f - 1.0f;
}

static void check_kernel(Fixture *f, uint64_t n) {
  uint64_t seed = n * 7919;
  StModule *m = st_module_new("m");
  StOp *op = module_random_kernel(m, &seed, 1 + (int)(n % 3), n % 2);
  module_decide(m, 1 + (int64_t)(n % 5), 3);
  float *data[4] = {0};
  StMemoryImage *image = st_memory_new(m->arena, m);
  for (int i = 0; i < op->noperands; i++) {
    Span s = arg_of(image, i);
    data[i] = (float *)s.data;
    for (int64_t k = 0; k < s.elements; k++)
      data[i][k] = random_float(&seed);
  }
  assert_true(st_module_verify(m, "the test", f->diag));
  StSim *sim = st_sim_new(m, f->target, f->diag);
  assert_non_null(sim);
  for (int step = 0; step < 2; step++) { /* the second time with other data */
    const StSimResult *r;
    Span result[2];
    float *want[2];
    for (int k = 0; k < op->nresults; k++) {
      result[k] = result_of(image, k);
      want[k] = ST_NEW_N(m->arena, float, result[k].elements);
      memset(result[k].data, 0xaa, (size_t)result[k].elements * 4);
      memset(want[k], 0xaa, (size_t)result[k].elements * 4);
      evaluate(op, data, k, want[k], result[k].elements);
    }
    assert_true(st_sim_step(sim, image, 0, 1, &r));
    for (int k = 0; k < op->nresults; k++)
      assert_memory_equal(result[k].data, want[k],
                          (size_t)result[k].elements * 4);
    for (int i = 0; i < op->noperands; i++)
      data[i][0] += 1.0f;
  }
  st_sim_free(sim);
  st_module_free(m);
}

static void test_kernels(void **state) {
  for (uint64_t n = 0; n < 1500; n++)
    check_kernel(*state, n);
}

/* ---- sums of products of integers --------------------------------------- */

/* Random bytes, or all the same, as argument i of both images: parameters,
 * which every step may find elsewhere, or inputs. */
static void give_bytes(StMemoryImage *one, StMemoryImage *two, int i,
                       bool random, uint64_t *seed) {
  size_t n = (size_t)one->arg_bytes[i];
  int8_t *data = st_arena_alloc(one->module->arena, n);
  for (size_t k = 0; k < n; k++)
    data[k] = random ? (int8_t)graph_random(seed, 256) : INT8_MIN;
  if (!one->own[i]) {
    st_memory_bind(one, i, data);
    st_memory_bind(two, i, data);
    return;
  }
  memcpy(one->own[i], data, n);
  memcpy(two->own[i], data, n);
}

/* Against the interpreter of kernels. */
static void check_product(Fixture *f, uint64_t seed, int *found) {
  StModule *m = st_module_new("m");
  StOp *op = module_random_product(m, &seed);
  StKernelInfo info = st_kernel_info(m->arena, op);
  *found += st_dot_find(m->arena, op, &info) != NULL;
  module_decide(m, 1 + graph_random(&seed, 5), 3);
  for (int i = 0; i < m->arg.n; i++)
    if (graph_random(&seed, 2))
      m->arg.at[i].role = ST_ROLE_PARAM;
  StMemoryImage *one = st_memory_new(m->arena, m);
  StMemoryImage *two = st_memory_new(m->arena, m);
  assert_true(st_module_verify(m, "the test", f->diag));
  StSim *sim = st_sim_new(m, f->target, f->diag);
  StStreamInterp *interp = st_stream_interp_new(m->arena, m, f->diag);
  assert_non_null(sim);
  assert_non_null(interp);
  for (int step = 0; step < 2; step++) {
    const StSimResult *r;
    for (int i = 0; i < op->noperands; i++)
      give_bytes(one, two, i, step > 0, &seed);
    assert_true(st_sim_step(sim, one, 0, 1, &r));
    assert_true(st_stream_interp_step(interp, two, 0, 1));
    assert_memory_equal(one->ret[0], two->ret[0], (size_t)one->ret_bytes[0]);
  }
  st_sim_free(sim);
  st_module_free(m);
}

static void test_products(void **state) {
  int found = 0;
  for (uint64_t n = 0; n < 1000; n++)
    check_product(*state, n * 15485863, &found);
  assert_in_range(found, 300, 900); /* both ways to compute them */
}

/* ---- converters --------------------------------------------------------- */

/* Random orders of one tensor: what goes in comes out, however it is cut. */
static void check_converter(Fixture *f, uint64_t seed) {
  StModule *m = st_module_new("m");
  int64_t shape[3];
  StSym sym[3];
  int rank = 1 + (int)graph_random(&seed, 3);
  for (int d = 0; d < rank; d++) {
    shape[d] = 1 + graph_random(&seed, 12);
    sym[d] = st_sym_const(shape[d]);
  }
  StItensor in = module_random_order(m->arena, &seed, rank, shape, false);
  StItensor want =
      module_random_order(m->arena, &seed, rank, shape, graph_random(&seed, 2));
  StValue *x = module_load(m, module_arg(m, ST_F32, rank, sym), &in);
  StOp *op = st_converter_new(m, x, &want);
  st_op_append(m, op);
  module_store(m, op->result[0]);
  module_decide(m, 1 + graph_random(&seed, 4), 2);
  StMemoryImage *image = st_memory_new(m->arena, m);
  Span a = arg_of(image, 0), r = result_of(image, 0);
  assert_int_equal(a.elements, r.elements);
  for (int64_t k = 0; k < a.elements; k++)
    ((float *)a.data)[k] = (float)(k + 1);
  assert_true(st_module_verify(m, "the test", f->diag));
  StSim *sim = st_sim_new(m, f->target, f->diag);
  const StSimResult *result;
  assert_non_null(sim);
  assert_true(st_sim_step(sim, image, 0, 1, &result));
  assert_memory_equal(a.data, r.data, (size_t)a.elements * 4);
  st_sim_free(sim);
  st_module_free(m);
}

static void test_converters(void **state) {
  for (uint64_t n = 0; n < 1500; n++)
    check_converter(*state, n * 104729);
}

/* ---- loads and stores --------------------------------------------------- */

/* Tokens of `token` elements of the last dim, all loops in natural order. */
static StItensor natural(StArena *a, int rank, const StSym *shape,
                         int64_t token) {
  StItensor o = {rank, ST_NEW_N(a, int64_t, rank), ST_NEW_N(a, StSym, rank),
                 rank, ST_NEW_N(a, StLoop, rank)};
  for (int d = 0; d < rank; d++) {
    o.elem[d] = d + 1 < rank ? 1 : token;
    o.loop[d] = (StLoop){d, shape[d], o.elem[d]};
  }
  if (token > 1)
    o.loop[rank - 1].trip = st_sym_const(shape[rank - 1].c / token);
  return o;
}

static void run(Fixture *f, StModule *m, StMemoryImage *image) {
  assert_true(st_module_verify(m, "the test", f->diag));
  StSim *sim = st_sim_new(m, f->target, f->diag);
  const StSimResult *r;
  assert_non_null(sim);
  assert_true(st_sim_step(sim, image, 0, 1, &r));
  st_sim_free(sim);
}

static void test_gather(void **state) {
  Fixture *f = *state;
  StModule *m = st_module_new("m");
  const StSym table_shape[] = {st_sym_const(10), st_sym_const(6)};
  const StSym count[] = {st_sym_const(4)};
  const StSym shape[] = {st_sym_const(4), st_sym_const(6)};
  StValue *table = module_arg(m, ST_F32, 2, table_shape);
  StItensor index_order = natural(m->arena, 1, count, 1);
  StValue *index =
      module_load(m, module_arg(m, ST_I64, 1, count), &index_order);
  StItensor order = natural(m->arena, 2, shape, 2);
  StValue *in[] = {table, index};
  StOp *op = st_op_new(m, ST_OP_LOAD, (StLoc){0}, 2, in, 1);
  op->u.load = (StLoad){.gather = 0,
                        .index_level = 1,
                        .layer_dim = -1,
                        .stride = ST_NEW_N(m->arena, int64_t, 2),
                        .channel = -1};
  op->u.load.stride[0] = 6;
  op->u.load.stride[1] = 1;
  op->result[0]->type = st_type_tensor(m->arena, ST_F32, 2, shape);
  op->result[0]->type.order = &order;
  st_op_append(m, op);
  module_store(m, op->result[0]);
  module_decide(m, 2, 3);
  StMemoryImage *image = st_memory_new(m->arena, m);
  float *rows = (float *)arg_of(image, 0).data;
  int64_t *at = (int64_t *)arg_of(image, 1).data;
  const float *out = (const float *)result_of(image, 0).data;
  const int64_t picks[] = {7, 0, 9, 7};
  for (int i = 0; i < 60; i++)
    rows[i] = (float)i;
  memcpy(at, picks, sizeof picks);
  run(f, m, image);
  for (int i = 0; i < 4; i++)
    assert_memory_equal(out + 6 * i, rows + 6 * picks[i], 6 * sizeof *out);
  at[1] = -1;
  at[2] = 10;
  const float zero[6] = {0};
  run(f, m, image);
  assert_memory_equal(out + 6, zero, sizeof zero);
  assert_memory_equal(out + 12, zero, sizeof zero);
  assert_memory_equal(out, rows + 42, sizeof zero);
  st_module_free(m);
}

/* A list of three arguments as a dim of a stream, back into three results. */
static void test_lists(void **state) {
  Fixture *f = *state;
  StModule *m = st_module_new("m");
  const StSym one[] = {st_sym_const(4), st_sym_const(6)};
  const StSym all[] = {st_sym_const(3), st_sym_const(4), st_sym_const(6)};
  StValue *v = module_arg(m, ST_F32, 2, one);
  module_arg(m, ST_F32, 2, one);
  module_arg(m, ST_F32, 2, one);
  static const int list[] = {2, 0, 1};
  int *index = ST_NEW_N(m->arena, int, 3);
  memcpy(index, list, sizeof list);
  v->def->u.index = (StIndexList){3, index};
  v->type = st_type_tensor(m->arena, ST_F32, 3, all);
  StItensor order = natural(m->arena, 3, all, 3);
  StLoop outer = order.loop[0]; /* the layers inside the rows */
  order.loop[0] = order.loop[1];
  order.loop[1] = outer;
  StValue *s = module_load(m, v, &order);
  s->def->u.load.layer_dim = 0;
  s->def->u.load.stride[0] = 0;
  module_store(m, s);
  StOp *store = m->op.at[m->op.n - 1];
  m->ret.at[0].rank = 2;
  m->ret.at[0].shape = m->arg.at[0].shape;
  st_vec_push(m->arena, &m->ret, m->ret.at[0]);
  st_vec_push(m->arena, &m->ret, m->ret.at[0]);
  int *results = ST_NEW_N(m->arena, int, 3);
  for (int i = 0; i < 3; i++)
    results[i] = i;
  store->u.store.index = (StIndexList){3, results};
  store->u.store.layer_dim = 0;
  store->u.store.stride[0] = 0;
  module_decide(m, 2, 3);
  StMemoryImage *image = st_memory_new(m->arena, m);
  for (int a = 0; a < 3; a++)
    for (int i = 0; i < 24; i++)
      ((float *)arg_of(image, a).data)[i] = (float)(100 * a + i);
  run(f, m, image);
  for (int r = 0; r < 3; r++)
    assert_memory_equal(result_of(image, r).data, arg_of(image, list[r]).data,
                        24 * 4);
  st_module_free(m);
}

static void check_constant(Fixture *f, bool splat) {
  static const float values[] = {1, 2, 3, 4, 5, 6, 7, 8};
  StModule *m = st_module_new("m");
  const StSym shape[] = {st_sym_const(2), st_sym_const(4)};
  StOp *op = st_op_new(m, ST_OP_CONST, (StLoc){0}, 0, NULL, 1);
  op->u.constant = (StConst){
      .n = 1, .splat = splat, .data = values, .bytes = splat ? 4 : 32};
  op->result[0]->type = st_type_tensor(m->arena, ST_F32, 2, shape);
  st_op_append(m, op);
  StItensor order = natural(m->arena, 2, shape, 2);
  StValue *v = op->result[0];
  StOp *fork = st_op_new(m, ST_OP_FORK, (StLoc){0}, 1,
                         &(StValue *){module_load(m, v, &order)}, 2);
  for (int i = 0; i < 2; i++)
    fork->result[i]->type = fork->operand[0]->type;
  st_op_append(m, fork);
  module_store(m, fork->result[0]);
  module_store(m, fork->result[1]);
  module_decide(m, 2, 3);
  StMemoryImage *image = st_memory_new(m->arena, m);
  run(f, m, image);
  for (int r = 0; r < 2; r++)
    for (int i = 0; i < 8; i++)
      assert_true(((const float *)result_of(image, r).data)[i] ==
                  values[splat ? 0 : i]);
  st_module_free(m);
}

static void test_constants(void **state) {
  check_constant(*state, false);
  check_constant(*state, true);
}

/* One simulator, many steps: a tensor of [T, P + T] in memory of [4, 16]. */
static void test_symbols(void **state) {
  Fixture *f = *state;
  StModule *m = st_module_new("m");
  m->ctx = 16;
  m->chunk = 4;
  const StSym shape[] = {{0, 0, 1}, {0, 1, 1}};
  StItensor order = natural(m->arena, 2, shape, 1), turned = order;
  turned.loop = ST_NEW_N(m->arena, StLoop, 2);
  turned.loop[0] = order.loop[1];
  turned.loop[1] = order.loop[0];
  StValue *v = module_load(m, module_arg(m, ST_F32, 2, shape), &order);
  StOp *op = st_converter_new(m, v, &turned);
  st_op_append(m, op);
  module_store(m, op->result[0]);
  module_decide(m, 2, 3);
  StMemoryImage *image = st_memory_new(m->arena, m);
  float *in = (float *)arg_of(image, 0).data;
  const float *out = (const float *)result_of(image, 0).data;
  assert_true(st_module_verify(m, "the test", f->diag));
  StSim *sim = st_sim_new(m, f->target, f->diag);
  assert_non_null(sim);
  for (int64_t P = 0; P <= 12; P++) {
    int64_t T = 1 + P % 4;
    const StSimResult *r;
    for (int i = 0; i < 64; i++)
      in[i] = (float)(i + 100 * P);
    assert_true(st_sim_step(sim, image, P, T, &r));
    for (int64_t t = 0; t < T; t++)
      assert_memory_equal(out + 16 * t, in + 16 * t, (size_t)(P + T) * 4);
  }
  st_sim_free(sim);
  st_module_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_kernels, setup, teardown),
      cmocka_unit_test_setup_teardown(test_products, setup, teardown),
      cmocka_unit_test_setup_teardown(test_converters, setup, teardown),
      cmocka_unit_test_setup_teardown(test_gather, setup, teardown),
      cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
      cmocka_unit_test_setup_teardown(test_constants, setup, teardown),
      cmocka_unit_test_setup_teardown(test_symbols, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
