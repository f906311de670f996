/* The emitted HLS C++, compiled with g++ and clang++ and run, gives the bits of
 * models that are written down here from doc/machine.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/num.h"
#include "hls_fixture.h"
#include "hls_module.h"
#include "interp/scalar.h"
#include "pass/convert.h"
#include "scratch.h"
#include "sim_graph.h"
#include "sim_module.h"

static const char *const compilers[] = {"g++", "clang++"};

/* ---- kernels of random schedules
 * ---------------------------------------------- */

/* Element of a row-major tensor at the maps' values of the dims; -1 outside the
 * guard. */
static int64_t element(const StType *t, const StAffine *map, const StGuard *g,
                       const int64_t *dim) {
  int64_t at = 0;
  for (int i = 0; i < t->rank; i++)
    at = at * t->shape[i].c + dim[st_affine_single(&map[i])];
  if (g->dim >= 0 && (dim[g->dim] < g->lo.c || dim[g->dim] >= g->hi.c))
    return -1;
  return at;
}

enum { MOST_WAYS = 8 };

typedef struct { /* of an element of the result */
  float way[MOST_WAYS];
  int64_t count; /* values so far */
} Fold;

/* Result r's value of the body at a point of the dims, one expression after
 * another. */
static float reference_body(const StOp *op, const int64_t *dim,
                            const float *const *in, int r) {
  const StNest *n = &op->u.nest;
  int64_t slot[32] = {0};
  for (int i = 0; i < n->body.n; i++) {
    const StExpr *e = &n->body.at[i];
    const void *args[3] = {0};
    for (int x = 0; x < 3; x++)
      args[x] = e->arg[x] >= 0 ? &slot[e->arg[x]] : NULL;
    if (e->kind == ST_X_ARG) {
      const StInput *from = &n->in[e->operand];
      int64_t at =
          element(&op->operand[e->operand]->type, from->map, &from->guard, dim);
      float x = at < 0 ? 0.0f : in[e->operand][at];
      memcpy(&slot[i], &x, sizeof x);
    } else if (e->kind == ST_X_INDEX) {
      slot[i] = e->affine.off.c;
      for (int t = 0; t < e->affine.n; t++)
        slot[i] += e->affine.term[t].coef * dim[e->affine.term[t].dim];
    } else {
      st_scalar_apply(e, n->body.at[e->arg[0]].dtype, args, &slot[i]);
    }
  }
  float y;
  memcpy(&y, &slot[n->out[r].yield], sizeof y);
  return y;
}

/* One beat: lanes that end in one element of the result are summed by a tree in
 * their order. */
static void reference_beat(const StOp *op, const int64_t *base,
                           const float *const *in, int r, Fold *fold) {
  const StNest *n = &op->u.nest;
  int64_t lanes = 1, where[256];
  float value[256];
  for (int j = 0; j < n->nlanes; j++)
    lanes *= n->lane[j].size;
  for (int64_t lane = 0; lane < lanes; lane++) {
    int64_t dim[8], rest = lane;
    memcpy(dim, base, sizeof dim);
    for (int j = n->nlanes; j-- > 0; rest /= n->lane[j].size)
      dim[n->lane[j].dim] += rest % n->lane[j].size;
    value[lane] = reference_body(op, dim, in, r);
    where[lane] =
        element(&op->result[r]->type, n->out[r].map, &n->out[r].guard, dim);
  }
  for (int64_t i = 0; i < lanes; i++) {
    float part[256];
    int count = 0;
    if (where[i] < 0)
      continue;
    for (int64_t j = i; j < lanes; j++)
      if (where[j] == where[i]) {
        part[count++] = value[j];
        where[j] = j == i ? where[j] : -2;
      }
    float sum = st_num_tree(part, count);
    Fold *to = &fold[where[i]];
    float *way = &to->way[n->ways > 1 ? to->count % n->ways : 0];
    bool first = to->count++ < (n->ways > 1 ? n->ways : 1);
    *way = first ? sum : st_num_add(*way, sum);
  }
}

static float *reference_kernel(StArena *a, const StOp *op,
                               const float *const *in, int r) {
  const StNest *n = &op->u.nest;
  int64_t size = 1, beats = 1;
  for (int i = 0; i < op->result[r]->type.rank; i++)
    size *= op->result[r]->type.shape[i].c;
  for (int l = 0; l < n->nloops; l++)
    beats *= n->loop[l].trip.c;
  Fold *fold = ST_NEW_N(a, Fold, size);
  float *value = ST_NEW_N(a, float, size);
  for (int64_t beat = 0; beat < beats; beat++) {
    int64_t base[8] = {0}, rest = beat;
    for (int l = n->nloops; l-- > 0; rest /= n->loop[l].trip.c)
      base[n->loop[l].dim] += rest % n->loop[l].trip.c * n->loop[l].step;
    reference_beat(op, base, in, r, fold);
  }
  int ways = n->ways > 1 ? n->ways : 1;
  for (int64_t i = 0; i < size; i++)
    if (fold[i].count)
      value[i] = st_num_tree(fold[i].way,
                             fold[i].count < ways ? (int)fold[i].count : ways);
  return value;
}

enum { KERNELS = 12 };

/* y[o] = sum over k, l of x[k, l, o], fourteen lanes in a tree. */
static StOp *wide_tree(StModule *m) {
  StSym o = st_sym_const(6), k = st_sym_const(14), l = st_sym_const(2);
  StSym shape[3] = {k, l, o};
  StOp *op = hls_kernel(m, "wide", 1, 1);
  int d[3] = {hls_dim(m, op, k, true, 7), hls_dim(m, op, l, true, 2),
              hls_dim(m, op, o, false, 3)};
  hls_loop(m, op, d[0], st_sym_const(2), 7);
  hls_loop(m, op, d[2], st_sym_const(2), 3);
  hls_in(m, op, 0, hls_arg(m, ST_ROLE_INPUT, ST_F32, 3, shape), 3, d);
  int x = hls_expr(m, op, ST_X_ARG, ST_F32, 0, -1, -1);
  hls_out(m, op, 0, ST_F32, x, ST_X_ADDF, 1, &d[2]);
  hls_finish(m, op);
  hls_store(m, ST_ROLE_OUTPUT, op->result[0], -1);
  return op;
}

/* y[o, q] = sum over k, l of x[k, o, l, q] in that order of the loops, by four
 * ways that the outer reduction loop turns by three, the inner by one. */
static StOp *turned_ways(StModule *m) {
  StSym shape[4] = {st_sym_const(3), st_sym_const(2), st_sym_const(7),
                    st_sym_const(4)};
  StOp *op = hls_kernel(m, "turned", 1, 1);
  int d[4];
  for (int i = 0; i < 4; i++)
    d[i] = hls_dim(m, op, shape[i], i % 2 == 0, i == 3 ? 2 : 1);
  for (int i = 0; i < 4; i++)
    hls_loop(m, op, d[i], i == 3 ? st_sym_const(2) : shape[i], i == 3 ? 2 : 1);
  hls_in(m, op, 0, hls_arg(m, ST_ROLE_INPUT, ST_F32, 4, shape), 4, d);
  int x = hls_expr(m, op, ST_X_ARG, ST_F32, 0, -1, -1), out[2] = {d[1], d[3]};
  hls_out(m, op, 0, ST_F32, x, ST_X_ADDF, 2, out);
  op->u.nest.ways = 4;
  hls_finish(m, op);
  hls_store(m, ST_ROLE_OUTPUT, op->result[0], -1);
  return op;
}

static void kernels_of_random_schedules(void **state) {
  Fixture *f = *state;
  for (int c = 0; c < 2; c++) {
    uint64_t seed = 11 + (uint64_t)c;
    StModule *m = st_module_new("kernels");
    StOp *kernel[KERNELS];
    int arg[KERNELS], ret[KERNELS];
    for (int i = 0; i < KERNELS; i++) {
      arg[i] = m->arg.n;
      ret[i] = m->ret.n;
      kernel[i] = i == 0   ? wide_tree(m)
                  : i == 1 ? turned_ways(m)
                           : module_random_kernel(m, &seed, 1 + i % 3, true);
    }
    module_decide(m, 2, 3);
    const void **data = random_arguments(f->arena, &seed, m), *result[64];
    StHlsClient *client =
        st_hls_client_start(build(f, m, compilers[c]), NULL, 0, f->diag);
    assert_non_null(client);
    for (int again = 0; again < 2; again++) {
      step(f, client, m, 0, 0, data, result);
      for (int i = 0; i < KERNELS; i++)
        for (int r = 0; r < kernel[i]->nresults; r++) {
          const float *const *in = (const float *const *)(data + arg[i]);
          float *expected = reference_kernel(f->arena, kernel[i], in, r);
          assert_bits(result[ret[i] + r], expected,
                      port_elements(&m->ret.at[ret[i] + r], 0, 0));
        }
    }
    st_hls_client_stop(client);
    st_module_free(m);
  }
}

/* ---- converters
 * ----------------------------------------------------------------- */

enum { CONVERTERS = 16 };

/* Whatever the orders, the tensor that is stored is the one that was loaded. */
static void converters_keep_the_tensor(void **state) {
  Fixture *f = *state;
  for (int c = 0; c < 2; c++) {
    uint64_t seed = 5 + (uint64_t)c;
    StModule *m = st_module_new("converters");
    for (int i = 0; i < CONVERTERS; i++) {
      int rank = 1 + (int)graph_random(&seed, 3);
      int64_t extent[3];
      StSym shape[3];
      for (int d = 0; d < rank; d++) {
        extent[d] = 1 + (int64_t)graph_random(&seed, 8);
        shape[d] = st_sym_const(extent[d]);
      }
      StValue *tensor = hls_arg(m, ST_ROLE_INPUT, ST_F32, rank, shape);
      StItensor from =
          module_random_order(m->arena, &seed, rank, extent, false);
      StItensor to = module_random_order(m->arena, &seed, rank, extent, true);
      StOp *op = st_converter_new(m, hls_load(m, tensor, &from), &to);
      st_op_append(m, op);
      hls_store(m, ST_ROLE_OUTPUT, op->result[0], -1);
    }
    module_decide(m, 2, 1);
    const void **data = random_arguments(f->arena, &seed, m), *result[64];
    StHlsClient *client =
        st_hls_client_start(build(f, m, compilers[c]), NULL, 0, f->diag);
    assert_non_null(client);
    for (int again = 0; again < 2; again++) {
      step(f, client, m, 0, 0, data, result);
      for (int i = 0; i < CONVERTERS; i++)
        assert_bits(result[i], data[i], port_elements(&m->arg.at[i], 0, 0));
    }
    st_hls_client_stop(client);
    st_module_free(m);
  }
}

/* ---- feedback
 * ------------------------------------------------------------------- */

static const StSym sym_t = {0, 0, 1};

enum { WIDTH = 8, LAYERS = 3, CHUNK = 4 };

/* x = x * w[l] + l for layers l, from the argument to the result; the value of
 * a layer goes back to the next. */
static StModule *make_feedback(void) {
  StModule *m = st_module_new("feedback");
  m->ctx = 16;
  m->chunk = CHUNK;
  StSym w = st_sym_const(WIDTH), layers = st_sym_const(LAYERS);
  StSym x_shape[2] = {sym_t, w};
  StValue *x = hls_arg(m, ST_ROLE_INPUT, ST_F32, 2, x_shape);
  StValue *weights = hls_layers(m, ST_ROLE_PARAM, ST_F32, LAYERS, 1, &w);
  StOp *k = hls_kernel(m, "layer", 3, 2);
  int l = hls_dim(m, k, layers, false, 1);
  int t = hls_dim(m, k, sym_t, false, 1);
  int i = hls_dim(m, k, w, false, 2);
  hls_loop(m, k, l, layers, 1);
  hls_loop(m, k, t, sym_t, 1);
  hls_loop(m, k, i, st_sym_const(WIDTH / 2), 2);
  int first[2] = {t, i}, next[3] = {l, t, i}, weight[2] = {l, i};
  hls_in(m, k, 0, x, 2, first);
  k->u.nest.in[0].guard = (StGuard){l, st_sym_const(0), st_sym_const(1)};
  hls_in(m, k, 2, weights, 2, weight);
  int a = hls_expr(m, k, ST_X_ARG, ST_F32, 0, -1, -1);
  int b = hls_expr(m, k, ST_X_ARG, ST_F32, 1, -1, -1);
  int c = hls_expr(m, k, ST_X_ARG, ST_F32, 2, -1, -1);
  int at = hls_expr(m, k, ST_X_INDEX, ST_I64, -1, -1, -1);
  k->u.nest.body.at[at].affine = st_affine_dim(m->arena, l);
  int zero = hls_expr(m, k, ST_X_CONST, ST_I64, -1, -1, -1);
  int is_first = hls_expr(m, k, ST_X_CMPI, ST_I1, at, zero, -1);
  k->u.nest.body.at[is_first].pred = ST_P_EQ;
  int v = hls_expr(m, k, ST_X_SELECT, ST_F32, is_first, a, b);
  int p = hls_expr(m, k, ST_X_MULF, ST_F32, v, c, -1);
  int s = hls_expr(m, k, ST_X_SITOFP, ST_F32, at, -1, -1);
  int y = hls_expr(m, k, ST_X_ADDF, ST_F32, p, s, -1);
  hls_out(m, k, 0, ST_F32, y, ST_X_ARG, 3, next); /* back */
  k->u.nest.out[0].guard =
      (StGuard){l, st_sym_const(0), st_sym_const(LAYERS - 1)};
  hls_out(m, k, 1, ST_F32, y, ST_X_ARG, 2, first);
  k->u.nest.out[1].guard = (StGuard){l, st_sym_const(LAYERS - 1), layers};
  hls_in(m, k, 1, k->result[0], 3, next);
  k->u.nest.in[1].guard = (StGuard){l, st_sym_const(1), layers};
  k->u.nest.in[1].map[0].off = st_sym_const(-1);
  k->result[0]->type.shape[0] = st_sym_const(LAYERS - 1);
  hls_finish(m, k);
  hls_store(m, ST_ROLE_OUTPUT, k->result[1], -1);
  module_decide(m, 2, 4);
  k->result[0]->depth = CHUNK * WIDTH / 2;
  return m;
}

static void reference_feedback(const float *x, const float *w, int64_t T,
                               float *y) {
  for (int64_t i = 0; i < T * WIDTH; i++) {
    y[i] = x[i];
    for (int l = 0; l < LAYERS; l++)
      y[i] = st_num_add(st_num_mul(y[i], w[l * WIDTH + i % WIDTH]), (float)l);
  }
}

static void layers_feed_back(void **state) {
  Fixture *f = *state;
  StModule *m = make_feedback();
  uint64_t seed = 3;
  float *x = random_floats(f->arena, &seed, CHUNK * WIDTH);
  float *w = random_floats(f->arena, &seed, LAYERS * WIDTH);
  const char *path = st_arena_printf(f->arena, "%s/weights", f->dir);
  StHlsWeight weight[LAYERS];
  scratch_write(path, w, LAYERS * WIDTH * sizeof *w);
  for (int l = 0; l < LAYERS; l++)
    weight[l] = (StHlsWeight){1 + l, path, l * WIDTH * 4, WIDTH * 4};
  for (int c = 0; c < 4; c++) {
    const char *dir = c < 2 ? build(f, m, compilers[c])
                            : build_vendor(f, m, compilers[c - 2]);
    StHlsClient *client = st_hls_client_start(dir, weight, LAYERS, f->diag);
    assert_non_null(client);
    for (int64_t T = 1; T <= CHUNK; T++) {
      float y[CHUNK * WIDTH];
      const void *data[8] = {x}, *result[4];
      reference_feedback(x, w, T, y);
      step(f, client, m, 0, T, data, result);
      assert_bits(result[0], y, T * WIDTH);
    }
    st_hls_client_stop(client);
  }
  st_module_free(m);
}

/* A FIFO too short for what goes round: the simulation names who waits. */
static void a_deadlock_is_reported(void **state) {
  Fixture *f = *state;
  StModule *m = make_feedback();
  m->name = "deadlock";
  uint64_t seed = 3;
  for (int i = 0; i < m->op.n; i++)
    if (m->op.at[i]->kind == ST_OP_KERNEL)
      m->op.at[i]->result[0]->depth = WIDTH / 2;
  const char *dir = build(f, m, "g++");
  const char *path = st_arena_printf(f->arena, "%s/weights", f->dir);
  const char *log = st_arena_printf(f->arena, "%s/log", f->dir);
  float *w = random_floats(f->arena, &seed, LAYERS * WIDTH);
  StHlsWeight weight[LAYERS];
  scratch_write(path, w, LAYERS * WIDTH * sizeof *w);
  for (int l = 0; l < LAYERS; l++)
    weight[l] = (StHlsWeight){1 + l, path, l * WIDTH * 4, WIDTH * 4};
  FILE *to = fopen(log, "w");
  assert_non_null(to);
  StDiag *diag = st_diag_new(to);
  StHlsClient *client = st_hls_client_start(dir, weight, LAYERS, diag);
  assert_non_null(client);
  StHlsInput in = {0, w, 2 * WIDTH * 4};
  const StHlsOutput *out;
  int nout;
  assert_false(st_hls_client_step(client, 0, 2, &in, 1, &out, &nout, diag));
  st_hls_client_stop(client);
  st_diag_free(diag);
  fclose(to);
  size_t n;
  const char *text = st_file_read(f->arena, log, &n, f->diag);
  assert_non_null(strstr(text, "deadlock"));
  assert_non_null(strstr(text, "waits for a slot of s"));
  st_module_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(kernels_of_random_schedules, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(converters_keep_the_tensor, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(layers_feed_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_deadlock_is_reported, set_up,
                                      tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
