/* Every scalar operation on every type it takes, in emitted C++, against the
 * operators of the interpreter; constants and tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "hls_fixture.h"
#include "hls_module.h"
#include "interp/scalar.h"
#include "sim_graph.h"
#include "sim_module.h"

enum { N = 64 };

typedef struct {
  StModule *m;
  StOp *kernel;
  StDtype type_of_arg[3];
  int x, dims[1];
} Bench;

/* A kernel with three operands of the types, N elements each. */
static Bench bench(StModule *m, StDtype a, StDtype b, StDtype c, int nresults) {
  Bench r = {.m = m, .type_of_arg = {a, b, c}};
  StSym n = st_sym_const(N);
  r.kernel = hls_kernel(m, "ops", 3, nresults);
  hls_dim(m, r.kernel, n, false, 2);
  hls_loop(m, r.kernel, 0, st_sym_const(N / 2), 2);
  for (int i = 0; i < 3; i++) {
    StDtype t = r.type_of_arg[i];
    hls_in(m, r.kernel, i, hls_arg(m, ST_ROLE_INPUT, t, 1, &n), 1, r.dims);
    hls_expr(m, r.kernel, ST_X_ARG, t, i, -1, -1);
  }
  r.kernel->nresults = 0;
  return r;
}

static void yield(Bench *b, StDtype t, int e) {
  int r = b->kernel->nresults++;
  hls_out(b->m, b->kernel, r, t, e, ST_X_ARG, 1, b->dims);
}

static void finish(Bench *b) {
  hls_finish(b->m, b->kernel);
  for (int r = 0; r < b->kernel->nresults; r++)
    hls_store(b->m, ST_ROLE_OUTPUT, b->kernel->result[r], -1);
}

/* i1 has no order: only what is the same for 0, 1 and 0, -1. */
static bool takes(StScalarKind k, StDtype t) {
  bool ordered =
      k == ST_X_MAXSI || k == ST_X_MINSI || k == ST_X_DIVSI || k == ST_X_REMSI;
  return (k < ST_X_ADDI) == st_dtype_is_float(t) && (t != ST_I1 || !ordered);
}

/* All operations whose result has the type of the arguments. */
static void add_same(StModule *m, StDtype t) {
  Bench b = bench(m, t, t, ST_I1, 64);
  bool f = st_dtype_is_float(t);
  for (int k = ST_X_ADDF; k <= ST_X_XORI; k++)
    if (takes((StScalarKind)k, t))
      yield(&b, t,
            hls_expr(m, b.kernel, (StScalarKind)k, t, 0,
                     st_scalar_args((StScalarKind)k) > 1 ? 1 : -1, -1));
  yield(&b, t, hls_expr(m, b.kernel, ST_X_SELECT, t, 2, 0, 1));
  int first = f ? ST_P_OEQ : ST_P_EQ, last = f ? ST_P_UNO : ST_P_IUGE;
  for (int p = first; p <= last && t != ST_I1; p++) {
    int e = hls_expr(m, b.kernel, f ? ST_X_CMPF : ST_X_CMPI, ST_I1, 0, 1, -1);
    b.kernel->u.nest.body.at[e].pred = (StPredicate)p;
    yield(&b, ST_I1, e);
  }
  finish(&b);
}

static StScalarKind conversion(StDtype from, StDtype to, bool is_signed) {
  bool f = st_dtype_is_float(from), g = st_dtype_is_float(to);
  int narrower = st_dtype_bits(to) - st_dtype_bits(from);
  if (f && g)
    return narrower > 0 ? ST_X_EXTF : ST_X_TRUNCF;
  if (f)
    return ST_X_FPTOSI;
  if (g)
    return is_signed ? ST_X_SITOFP : ST_X_UITOFP;
  return narrower < 0 ? ST_X_TRUNCI : is_signed ? ST_X_EXTSI : ST_X_EXTUI;
}

static const StDtype types[] = {ST_F32, ST_F16, ST_BF16, ST_I1,
                                ST_I8,  ST_I32, ST_I64};
enum { TYPES = sizeof types / sizeof types[0] };

static void add_conversions(StModule *m, StDtype from) {
  Bench b = bench(m, from, from, ST_I1, 32);
  for (int i = 0; i < TYPES; i++)
    for (int s = 0; s < 2; s++) {
      StDtype to = types[i];
      if (to == from || (st_dtype_bits(to) == st_dtype_bits(from) &&
                         st_dtype_is_float(to) == st_dtype_is_float(from)))
        continue;
      yield(&b, to,
            hls_expr(m, b.kernel, conversion(from, to, s), to, 0, -1, -1));
    }
  finish(&b);
}

/* Numbers of all sizes, special ones among them. */
static void *elements(StArena *a, uint64_t *seed, StDtype t) {
  static const uint32_t special[] = {
      0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
      0x7fc00001, 0x00400000, 0x80000001, 0x4b000001, 0xcf000000, 0x3f000000};
  int64_t size = st_dtype_bytes(t);
  uint8_t *data = st_arena_alloc(a, (size_t)(N * size));
  for (int i = 0; i < N; i++) {
    uint64_t bits = (uint64_t)graph_random(seed, 0xffffffffu) << 32 |
                    graph_random(seed, 0xffffffffu);
    bool pick = graph_random(seed, 3) == 0;
    if (st_dtype_is_float(t)) {
      uint32_t u = pick ? special[graph_random(seed, 12)] : (uint32_t)bits;
      bits = graph_random(seed, 2) && !pick
                 ? st_num_bits(st_num_from_i64((int64_t)(bits % 400) - 200) / 8)
                 : u;
      if (t == ST_F16)
        bits = st_num_to_f16(st_num_float((uint32_t)bits));
      else if (t == ST_BF16)
        bits = st_num_to_bf16(st_num_float((uint32_t)bits));
    } else if (t == ST_I1) {
      bits &= 1;
    } else if (pick) {
      bits = bits % 3 - 1;
    }
    memcpy(data + i * size, &bits, (size_t)size);
  }
  return data;
}

/* Result r of a kernel by the interpreter's operators, element by element. */
static void expect(StArena *a, const StOp *k, int r, const void *const *in,
                   const void *got) {
  const StBody *body = &k->u.nest.body;
  const StExpr *e = &body->at[k->u.nest.out[r].yield];
  int64_t size = st_dtype_bytes(e->dtype);
  for (int i = 0; i < N; i++) {
    int64_t slot[3] = {0}, result = 0, memory = 0;
    const void *args[3] = {0};
    for (int x = 0; x < 3 && e->arg[x] >= 0; x++) {
      StDtype t = body->at[e->arg[x]].dtype;
      const char *from = in[e->arg[x]];
      st_slots_read(t, from + i * st_dtype_bytes(t), 1, &slot[x]);
      args[x] = &slot[x];
    }
    st_scalar_apply(e, body->at[e->arg[0]].dtype, args, &result);
    st_slots_write(e->dtype, &result, 1, &memory);
    if (memcmp((const char *)got + i * size, &memory, (size_t)size)) {
      int64_t other = 0;
      memcpy(&other, (const char *)got + i * size, (size_t)size);
      fail_msg("%s",
               st_arena_printf(
                   a, "%s to %s pred %s, element %d: %llx, expected %llx",
                   st_scalar_name(e->kind), st_dtype_name(e->dtype),
                   st_predicate_name(e->pred), i, (unsigned long long)other,
                   (unsigned long long)memory));
    }
  }
}

static void scalars_have_the_bits_of_the_interpreter(void **state) {
  Fixture *f = *state;
  for (int c = 0; c < 2; c++) {
    StModule *m = st_module_new("scalars");
    for (int i = 0; i < TYPES; i++)
      add_same(m, types[i]);
    for (int i = 0; i < TYPES; i++)
      add_conversions(m, types[i]);
    module_decide(m, 2, 1);
    uint64_t seed = 77;
    const void **data = ST_NEW_N(f->arena, const void *, m->arg.n);
    const void **result = ST_NEW_N(f->arena, const void *, m->ret.n);
    for (int k = 0; k < m->arg.n; k++)
      data[k] = elements(f->arena, &seed, m->arg.at[k].dtype);
    StHlsClient *client = st_hls_client_start(
        build(f, m, c ? "clang++" : "g++"), NULL, 0, f->diag);
    assert_non_null(client);
    step(f, client, m, 0, 0, data, result);
    int arg = 0, ret = 0;
    for (int i = 0; i < m->op.n; i++) {
      const StOp *k = m->op.at[i];
      if (k->kind != ST_OP_KERNEL)
        continue;
      for (int r = 0; r < k->nresults; r++)
        expect(f->arena, k, r, data + arg, result[ret++]);
      arg += 3;
    }
    st_hls_client_stop(client);
    st_module_free(m);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(scalars_have_the_bits_of_the_interpreter,
                                      set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
