/* The reference interpreter on small modules against plain C. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "interp/tensor.h"

#define INPUT(type, shape)                                                     \
  "argument input " type " " shape " cache -1 axis -1 \"x\"\n"
#define OUTPUT(type, shape)                                                    \
  "return output " type " " shape " cache -1 axis -1 \"y\"\n"
#define ARG(id, arg, type)                                                     \
  "%" #id " = arg #" #id " () [" #arg "] : tensor<" type ">\n"
#define RESULT(id, value, ret) "result #" #id " (%" #value ") [" #ret "]\n"

typedef struct {
  StArena *arena;
  StDiag *diag;
} Fixture;

static int set_up(void **state) {
  StArena *a = st_arena_new();
  Fixture *f = ST_NEW(a, Fixture);
  *f = (Fixture){a, st_diag_new(NULL)};
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  Fixture *f = *state;
  st_diag_free(f->diag);
  st_arena_free(f->arena);
  return 0;
}

/* A module of ids 0 .. 99. */
static StModule *parse(Fixture *f, const char *ports, const char *ops,
                       bool valid) {
  char *text = st_arena_printf(
      f->arena, "module \"m\" ctx 16 chunk 4 ops 100 values 100 {\n%s%s}\n",
      ports, ops);
  StModule *m = st_module_parse("m.st", text, strlen(text), f->diag);
  if (!m)
    fail_msg("%s", st_diag_text(f->diag));
  if (valid && !st_module_verify(m, "parsing", f->diag))
    fail_msg("%s", st_diag_text(f->diag));
  return m;
}

static void **run(Fixture *f, const StModule *m, const void *const *arg,
                  int64_t P, int64_t T) {
  StTensorEnv env = {m, arg, P, T};
  void **ret = st_tensor_run(f->arena, &env, f->diag);
  if (!ret)
    fail_msg("%s", st_diag_text(f->diag));
  return ret;
}

static float *numbers(Fixture *f, int64_t n, float from) {
  float *x = ST_NEW_N(f->arena, float, n + 1);
  for (int64_t i = 0; i < n; i++)
    x[i] = from + 0.37f * (float)(i % 11) - 0.0625f * (float)(i % 7);
  return x;
}

static void assert_bits(const float *got, const float *want, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (st_num_bits(got[i]) != st_num_bits(want[i]))
      fail_msg("element %d: %a, expected %a", (int)i, (double)got[i],
               (double)want[i]);
}

/* ---- generics ---------------------------------------------------------- */

/* 300 columns: more than a chunk; sums one after another. */
static void test_matmul(void **state) {
  Fixture *f = *state;
  StModule *m = parse(
      f, INPUT("f32", "[T, 24]") INPUT("f32", "[300, 24]")
      OUTPUT("f32", "[T, 300]"),
      ARG(0, 0, "f32 [T, 24]") ARG(1, 1, "f32 [300, 24]")
      "%2 = generic #2 (%0, %1) { dim par T dim par 300 dim red 24\n"
      "in [d0, d2] in [d1, d2] body arg f32 0 arg f32 1 mulf f32 0 1\n"
      "out 2 addf [d0, d1] } : tensor<f32 [T, 300]>\n" RESULT(3, 2, 0), true);
  const float *x = numbers(f, 96, 1), *w = numbers(f, 7200, -2);
  float *y = ST_NEW_N(f->arena, float, 1200);
  for (int64_t T = 1; T <= 4; T++) {
    for (int64_t i = 0; i < 300 * T; i++)
      for (int64_t k = 0; k < 24; k++) {
        float v = st_num_mul(x[i / 300 * 24 + k], w[i % 300 * 24 + k]);
        y[i] = k ? st_num_add(y[i], v) : v;
      }
    const void *args[] = {x, w};
    assert_bits(run(f, m, args, 0, T)[0], y, 300 * T);
  }
  st_module_free(m);
}

#define NORMAL(id, in, op, a, b, out, shape)                                   \
  "%" #id " = generic #" #id " (%" #a ", %" #b ") { dim par T dim par P+T\n"   \
  "in [d0, d1] in [" in "] body arg f32 0 arg f32 1 " op                       \
  " out " out " arg [d0, d1] } : tensor<f32 " shape ">\n"
#define FOLD(id, a, op)                                                        \
  "%" #id " = generic #" #id " (%" #a ") { dim par T dim red P+T\n"            \
  "in [d0, d1] body arg f32 0 out 0 " op " [d0] } : tensor<f32 [T]>\n"

static void test_softmax(void **state) {
  Fixture *f = *state;
  StModule *m = parse(
      f, INPUT("f32", "[T, P+T]") OUTPUT("f32", "[T, P+T]"),
      ARG(0, 0, "f32 [T, P+T]") FOLD(1, 0, "maximumf")
      NORMAL(2, "d0", "subf f32 0 1 exp f32 2", 0, 1, "3", "[T, P+T]")
      FOLD(3, 2, "addf")
      NORMAL(4, "d0", "divf f32 0 1", 2, 3, "2", "[T, P+T]")
      RESULT(5, 4, 0), true);
  for (int64_t P = 0; P < 13; P++) {
    int64_t T = 1 + P % 4, n = P + T;
    const float *x = numbers(f, T * n, -1);
    float *y = ST_NEW_N(f->arena, float, T * n);
    for (int64_t t = 0; t < T; t++) {
      float most = x[t * n], sum = 0;
      for (int64_t i = 1; i < n; i++)
        most = st_num_maximum(most, x[t * n + i]);
      for (int64_t i = 0; i < n; i++) {
        y[t * n + i] = st_num_exp(st_num_sub(x[t * n + i], most));
        sum = i ? st_num_add(sum, y[t * n + i]) : y[t * n];
      }
      for (int64_t i = 0; i < n; i++)
        y[t * n + i] = st_num_div(y[t * n + i], sum);
    }
    const void *args[] = {x};
    assert_bits(run(f, m, args, P, T)[0], y, T * n);
  }
  st_module_free(m);
}

/* Rows of a cache and new rows, by guards on the rows and a select; a second
 * result is written for the new rows alone. */
static void test_guards(void **state) {
  Fixture *f = *state;
  StModule *m = parse(
      f, INPUT("f32", "[P, 3]") INPUT("f32", "[T, 3]")
      OUTPUT("f32", "[P+T, 3]") OUTPUT("f32", "[T, 3]"),
      ARG(0, 0, "f32 [P, 3]") ARG(1, 1, "f32 [T, 3]")
      "%2, %3 = generic #2 (%0, %1) { dim par P+T dim par 3\n"
      "in [d0, d1] guard d0 0 P in [d0-P, d1] guard d0 P P+T\n"
      "body arg f32 0 arg f32 1 index i64 d0 index i64 P\n"
      "cmpi i1 slt 2 3 select f32 4 0 1 addf f32 0 1\n"
      "out 5 arg [d0, d1] out 6 arg [d0-P, d1] guard d0 P P+T }\n"
      ": tensor<f32 [P+T, 3]>, tensor<f32 [T, 3]>\n"
      RESULT(3, 2, 0) RESULT(4, 3, 1), true);
  for (int64_t P = 0; P <= 12; P++) {
    int64_t T = 1 + P % 4;
    float *old = numbers(f, 3 * P, 5), *rows = numbers(f, 3 * T, -5);
    const void *args[] = {old, rows};
    void **ret = run(f, m, args, P, T);
    assert_bits(ret[0], old, 3 * P);
    assert_bits((float *)ret[0] + 3 * P, rows, 3 * T);
    assert_bits(ret[1], rows, 3 * T);
  }
  st_module_free(m);
}

/* A guard on a reduction dim, an offset, a transposed read, a dim that only
 * the body sees. */
static void test_reduction_guard(void **state) {
  Fixture *f = *state;
  StModule *m = parse(
      f, INPUT("f32", "[6, 5]") INPUT("f32", "[4]") OUTPUT("f32", "[5]"),
      ARG(0, 0, "f32 [6, 5]") ARG(1, 1, "f32 [4]")
      "%2 = generic #2 (%0, %1) { dim red 6 dim par 5 dim red 2\n"
      "in [d0, d1] in [d0-1] guard d0 1 5\n"
      "body arg f32 0 arg f32 1 index i64 d0+2*d1+3*d2-1 sitofp f32 2\n"
      "mulf f32 0 1 addf f32 4 3 out 5 addf [d1] } : tensor<f32 [5]>\n"
      RESULT(3, 2, 0), true);
  float *x = numbers(f, 30, 1), *w = numbers(f, 4, 2), y[5];
  for (int j = 0; j < 5; j++)
    for (int i = 0; i < 6; i++)
      for (int k = 0; k < 2; k++) {
        float g = i >= 1 && i < 5 ? w[i - 1] : 0;
        float v = st_num_add(st_num_mul(x[5 * i + j], g),
                             (float)(i + 2 * j + 3 * k - 1));
        y[j] = i + k ? st_num_add(y[j], v) : v;
      }
  const void *args[] = {x, w};
  assert_bits(run(f, m, args, 0, 1)[0], y, 5);
  st_module_free(m);
}

/* Every element type in, out and through a body; a lookup with indices outside
 * of the table. */
static void test_types(void **state) {
  Fixture *f = *state;
  StModule *m = parse(
      f, INPUT("f16", "[4]") INPUT("bf16", "[4]") INPUT("i8", "[4]")
      INPUT("i1", "[4]") INPUT("i32", "[2, 3]") INPUT("i64", "[4]")
      OUTPUT("f16", "[4]") OUTPUT("bf16", "[4]") OUTPUT("i8", "[4]")
      OUTPUT("i1", "[4]") OUTPUT("i32", "[4]"),
      ARG(0, 0, "f16 [4]") ARG(1, 1, "bf16 [4]") ARG(2, 2, "i8 [4]")
      ARG(3, 3, "i1 [4]") ARG(4, 4, "i32 [2, 3]") ARG(5, 5, "i64 [4]")
      "%6, %7, %8, %9, %10 = generic #6 (%0, %1, %2, %3, %4, %5) {\n"
      "dim par 4 in [d0] in [d0] in [d0] in [d0] in table in [d0]\n"
      "body arg f16 0 arg bf16 1 arg i8 2 arg i1 3 arg i64 5\n"
      "mulf f16 0 0 mulf bf16 1 1 addi i8 2 2 const i64 0x1\n"
      "extract i32 4 [8, 4] out 5 arg [d0] out 6 arg [d0]\n"
      "out 7 arg [d0] out 3 arg [d0] out 9 arg [d0] }\n"
      ": tensor<f16 [4]>, tensor<bf16 [4]>, tensor<i8 [4]>, tensor<i1 [4]>,\n"
      "tensor<i32 [4]>\n" RESULT(7, 6, 0) RESULT(8, 7, 1) RESULT(9, 8, 2)
      RESULT(10, 9, 3) RESULT(11, 10, 4), true);
  static const uint16_t half[4] = {0x3c00, 0xbe01, 0x7bff, 0x0001};
  static const uint16_t brain[4] = {0x3f80, 0xbfc1, 0x7f7f, 0x3f01};
  static const int8_t bytes[4] = {1, -3, 100, -128};
  static const uint8_t flags[4] = {0, 1, 1, 0};
  static const int32_t table[6] = {1, 2, 3, 40, -50, 60};
  static const int64_t index[4] = {1, 3, -1, 2};
  const void *args[] = {half, brain, bytes, flags, table, index};
  void **ret = run(f, m, args, 0, 1);
  for (int i = 0; i < 4; i++) {
    float h = st_num_from_f16(half[i]), b = st_num_from_bf16(brain[i]);
    assert_int_equal(((uint16_t *)ret[0])[i], st_num_to_f16(st_num_mul(h, h)));
    assert_int_equal(((uint16_t *)ret[1])[i], st_num_to_bf16(st_num_mul(b, b)));
    assert_int_equal(((int8_t *)ret[2])[i], (int8_t)(bytes[i] * 2));
    assert_int_equal(((uint8_t *)ret[3])[i], flags[i]);
    assert_int_equal(((int32_t *)ret[4])[i],
                     index[i] >= 0 && index[i] < 3 ? table[3 + index[i]] : 0);
  }
  st_module_free(m);
}

/* ---- views, slices, concatenations, constants -------------------------- */

static void test_shapes(void **state) {
  Fixture *f = *state;
  StModule *m = parse(
      f, INPUT("f32", "[4, 6]") OUTPUT("f32", "[3, 2, 7]"),
      ARG(0, 0, "f32 [4, 6]")
      "%1 = view #1 (%0) : tensor<f32 [2, 3, 4]>\n"
      "%2 = slice #2 (%0) offset [3, 5] stride [-2, -3]"
      " : tensor<f32 [2, 2]>\n"
      "%3 = const #3 () of 1 splat hex \"0000803f\" : tensor<f32 [2, 2]>\n"
      "%4 = concat #4 (%2, %3, %2) axis 1 : tensor<f32 [2, 6]>\n"
      "%5 = view #5 (%4) : tensor<f32 [2, 3, 2]>\n"
      "%6 = const #6 () of 1 hex \"000000400000404000008040"
      "0000a0400000c0400000e040\" : tensor<f32 [2, 3, 1]>\n"
      "%7 = concat #7 (%1, %5, %6) axis 2 : tensor<f32 [2, 3, 7]>\n"
      "%8 = generic #8 (%7) { dim par 3 dim par 2 dim par 7\n"
      "in [d1, d0, d2] body arg f32 0 out 0 arg [d0, d1, d2] }\n"
      ": tensor<f32 [3, 2, 7]>\n" RESULT(9, 8, 0), true);
  float *x = numbers(f, 24, 1), cat[2][6], y[3][2][7];
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) {
      cat[i][j] = cat[i][4 + j] = x[(3 - 2 * i) * 6 + 5 - 3 * j];
      cat[i][2 + j] = 1;
    }
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 3; j++) {
      for (int k = 0; k < 4; k++)
        y[j][i][k] = x[12 * i + 4 * j + k];
      for (int k = 0; k < 2; k++)
        y[j][i][4 + k] = cat[i][2 * j + k];
      y[j][i][6] = (float)(2 + 3 * i + j);
    }
  const void *args[] = {x};
  assert_bits(run(f, m, args, 0, 1)[0], y[0][0], 42);
  st_module_free(m);
}

/* ---- repeats ----------------------------------------------------------- */

#define BINARY(id, a, b, scope, dims, op, map)                                 \
  "%" #id " = generic #" #id " (%" #a ", %" #b ") " scope " { " dims           \
  " in " map " in " map " body arg f32 0 arg f32 1 " op " f32 0 1 out 2 arg "  \
  map " }"

/* c = carry(x, d), d = carry(y, c): they change places, and c takes a weight
 * of each iteration; each iteration's c is a result. An op of the outside is
 * in the midst of the block. */
static void test_repeat(void **state) {
  Fixture *f = *state;
  StModule *m = parse(
      f, INPUT("f32", "[2]") INPUT("f32", "[2]") INPUT("f32", "[2]")
      INPUT("f32", "[2]") INPUT("f32", "[2]")
      OUTPUT("f32", "[2]") OUTPUT("f32", "[2]") OUTPUT("f32", "[2]")
      OUTPUT("f32", "[2]") "repeat 3\n",
      ARG(0, 0, "f32 [2]") ARG(1, 1, "f32 [2]")
      "%2 = carry #2 (%0, %5) scope 1 : tensor<f32 [2]>\n"
      "%3 = carry #3 (%1, %2) scope 1 : tensor<f32 [2]>\n"
      BINARY(10, 0, 1, "", "dim par 2", "addf", "[d0]") ": tensor<f32 [2]>\n"
      "%4 = arg #4 () scope 1 [4, 2, 3] : tensor<f32 [2]>\n"
      BINARY(6, 3, 10, "scope 1", "dim par 2", "addf", "[d0]")
      ": tensor<f32 [2]>\n"
      BINARY(7, 6, 4, "scope 1", "dim par 2", "mulf", "[d0]")
      ": tensor<f32 [2]>\n"
      "%8 = const #8 () scope 1 of 3 splat hex \"0000803f0000004000004040\"\n"
      ": tensor<f32 [2]>\n"
      BINARY(5, 7, 8, "scope 1", "dim par 2", "subf", "[d0]")
      ": tensor<f32 [2]>\n"
      "result #9 (%5) scope 1 [1, 0, 2]\n" RESULT(11, 3, 3), true);
  float *in[5], c[2], d[2], want[4][2];
  static const int order[3] = {4, 2, 3}, where[3] = {1, 0, 2};
  const void *args[5];
  for (int i = 0; i < 5; i++)
    args[i] = in[i] = numbers(f, 2, (float)i - 1.5f);
  memcpy(c, in[0], sizeof c);
  memcpy(d, in[1], sizeof d);
  for (int it = 0; it < 3; it++)
    for (int i = 0; i < 2; i++) {
      float v = st_num_add(d[i], st_num_add(in[0][i], in[1][i]));
      v = st_num_sub(st_num_mul(v, in[order[it]][i]), (float)(it + 1));
      want[where[it]][i] = v;
      want[3][i] = d[i];
      d[i] = c[i];
      c[i] = v;
    }
  void **ret = run(f, m, args, 0, 1);
  for (int r = 0; r < 4; r++)
    assert_bits(ret[r], want[r], 2);
  st_module_free(m);
}

/* The same kind of block after expand-repeat: layers as dim 0, an operand that
 * reads the layer before; a list of arguments and of results as dim 0. */
static void test_cycle(void **state) {
  Fixture *f = *state;
  StModule *m = parse(
      f, INPUT("f32", "[3]") INPUT("f32", "[3]") INPUT("f32", "[3]")
      OUTPUT("f32", "[3]") OUTPUT("f32", "[3]") OUTPUT("f32", "[3]"),
      ARG(0, 0, "f32 [3]")
      "%1 = arg #1 () [2, 1] : tensor<f32 [2, 3]>\n"
      "%2 = generic #2 (%0, %5) { dim iter 2 dim par 3\n"
      "in [d1] guard d0 0 1 in [d0-1, d1] guard d0 1 2\n"
      "body arg f32 0 arg f32 1 addf f32 0 1 out 2 arg [d0, d1] }\n"
      ": tensor<f32 [2, 3]>\n"
      BINARY(4, 2, 1, "", "dim iter 2 dim par 3", "mulf", "[d0, d1]")
      ": tensor<f32 [2, 3]>\n"
      BINARY(5, 4, 1, "", "dim iter 2 dim par 3", "addf", "[d0, d1]")
      ": tensor<f32 [2, 3]>\n"
      "%6 = generic #6 (%5) { dim par 3 in [1, d0] body arg f32 0\n"
      "out 0 arg [d0] } : tensor<f32 [3]>\n"
      "result #7 (%5) [0, 1]\n" RESULT(8, 6, 2), true);
  const float *x = numbers(f, 3, 1), *w[3] = {NULL, numbers(f, 3, 2),
                                              numbers(f, 3, -3)};
  float want[2][3];
  for (int i = 0; i < 3; i++)
    for (int l = 0; l < 2; l++)
      want[l][i] = st_num_add(st_num_mul(l ? want[0][i] : x[i], w[2 - l][i]),
                              w[2 - l][i]);
  const void *args[] = {x, w[1], w[2]};
  void **ret = run(f, m, args, 0, 1);
  assert_bits(ret[0], want[0], 3);
  assert_bits(ret[1], want[1], 3);
  assert_bits(ret[2], want[1], 3);
  st_module_free(m);
}

/* Rows of a table with T indices, one of them outside: what expand-repeat
 * makes of a lookup. */
static void test_gather(void **state) {
  Fixture *f = *state;
  StModule *m = parse(
      f, INPUT("f32", "[2, 5, 3]") INPUT("i64", "[T]")
      OUTPUT("f32", "[T, 2, 3]"),
      ARG(0, 0, "f32 [2, 5, 3]") ARG(1, 1, "i64 [T]")
      "%2 = load #2 (%0, %1) gather 0 level 1 layer -1 stride [3, 15, 1]\n"
      "channel -1 : tensor<f32 [T, 2, 3]>\n" RESULT(3, 2, 0), true);
  const float *x = numbers(f, 30, 1);
  static const int64_t index[4] = {4, 0, 5, 2};
  float want[4][2][3];
  for (int t = 0; t < 4; t++)
    for (int h = 0; h < 2; h++)
      for (int i = 0; i < 3; i++)
        want[t][h][i] = index[t] < 5 ? x[15 * h + 3 * index[t] + i] : 0;
  const void *args[] = {x, index};
  assert_bits(run(f, m, args, 3, 4)[0], want[0][0], 24);
  assert_bits(run(f, m, args, 3, 2)[0], want[0][0], 12);
  st_module_free(m);
}

/* ---- on a device's memory ---------------------------------------------- */

/* Steps of different length; the rows that are computed join the cache. */
static void test_memory(void **state) {
  Fixture *f = *state;
  StModule *m = parse(
      f, INPUT("f32", "[2, T]")
      "argument cache f32 [2, P, 1] cache -1 axis 1 \"c\"\n"
      OUTPUT("f32", "[2]")
      "return cache-rows f32 [2, T, 1] cache 1 axis 1 \"c\"\n",
      ARG(0, 0, "f32 [2, T]") ARG(1, 1, "f32 [2, P, 1]")
      "%2 = view #2 (%0) : tensor<f32 [2, T, 1]>\n"
      "%3 = concat #3 (%1, %2) axis 1 : tensor<f32 [2, P+T, 1]>\n"
      "%4 = generic #4 (%3) { dim par 2 dim red P+T in [d0, d1, 0]\n"
      "body arg f32 0 out 0 addf [d0] } : tensor<f32 [2]>\n"
      RESULT(5, 4, 0) RESULT(6, 2, 1), true);
  StMemoryImage *image = st_memory_new(f->arena, m);
  float seen[2][16], sum[2];
  int64_t P = 0;
  for (int64_t T = 1; P + T <= 16; P += T, T = 1 + (P * 7) % 4) {
    const float *x = numbers(f, 8, (float)P);
    memcpy(image->own[0], x, 8 * sizeof *x);
    for (int h = 0; h < 2; h++)
      for (int64_t i = 0; i < P + T; i++) {
        if (i >= P)
          seen[h][i] = x[4 * h + i - P];
        sum[h] = i ? st_num_add(sum[h], seen[h][i]) : seen[h][0];
      }
    assert_true(st_tensor_step(image, m, P, T, f->diag));
    assert_bits(image->ret[0], sum, 2);
    for (int h = 0; h < 2; h++)
      assert_bits((float *)image->own[1] + 16 * h, seen[h], P + T);
  }
  assert_true(P > 12);
  st_module_free(m);
}

/* ---- errors ------------------------------------------------------------ */

static void refuses(Fixture *f, const char *ops, const void *const *arg,
                    const char *message) {
  StModule *m = parse(f, INPUT("f32", "[4]") OUTPUT("f32", "[4]"), ops, false);
  StTensorEnv env = {m, arg, 0, 1};
  int before = st_diag_errors(f->diag);
  assert_null(st_tensor_run(f->arena, &env, f->diag));
  assert_int_equal(st_diag_errors(f->diag), before + 1);
  if (!strstr(st_diag_text(f->diag), message))
    fail_msg("'%s' is not in: %s", message, st_diag_text(f->diag));
  st_module_free(m);
  st_diag_free(f->diag);
  f->diag = st_diag_new(NULL);
}

#define COPY(id, from, extent, in, out, shape)                                 \
  "%" #id " = generic #" #id " (%" #from ") name \"it\" { dim par " extent     \
  " in [" in "] body arg f32 0 out 0 arg [" out "] } : tensor<f32 " shape ">\n"

static void test_errors(void **state) {
  Fixture *f = *state;
  const void *x = numbers(f, 4, 0), *args[] = {x}, *none[] = {NULL};
  refuses(f, ARG(0, 0, "f32 [4]") COPY(1, 0, "4", "d0+1", "d0", "[4]")
          RESULT(2, 1, 0), args,
          "generic #1 it: operand 0 is accessed at 1 to 4 of dim 0, which "
          "has 4");
  refuses(f, ARG(0, 0, "f32 [4]") COPY(1, 0, "4", "d0", "-2*d0+6", "[4]")
          RESULT(2, 1, 0), args,
          "generic #1 it: result 0 is accessed at 0 to 6 of dim 0");
  refuses(f, ARG(0, 0, "f32 [4]") RESULT(1, 0, 0), none,
          "arg #0: the argument has no data");
  refuses(f, ARG(0, 0, "f32 [5]"), args,
          "arg #0: the type is not that of the argument");
  refuses(f, ARG(0, 0, "f32 [4]") COPY(1, 0, "3", "d0", "d0", "[3]")
          RESULT(2, 1, 0), args,
          "result #2: the type is not that of the result");
  refuses(f, ARG(0, 0, "f32 [4]") "%1 = view #1 (%0) : tensor<f32 [3]>\n",
          args, "view #1: the number of elements changes");
  refuses(f, ARG(0, 0, "f32 [4]")
          "%1 = slice #1 (%0) offset [1] stride [3] : tensor<f32 [3]>\n",
          args, "slice #1: the part leaves the tensor");
  refuses(f, ARG(0, 0, "f32 [4]")
          "%1 = concat #1 (%0, %0) axis 0 : tensor<f32 [9]>\n",
          args, "concat #1: the parts do not make up the tensor");
  refuses(f, ARG(0, 0, "f32 [4]")
          "%1 = fork #1 (%0) : tensor<f32 [4]>\n", args,
          "fork #1: not an op of the tensor level");
  refuses(f, COPY(1, 2, "4", "d0", "d0", "[4]")
          COPY(2, 1, "4", "d0", "d0", "[4]"), args,
          "depends on itself other than through an earlier position");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_matmul),          TEST(test_softmax), TEST(test_guards),
      TEST(test_reduction_guard), TEST(test_types),   TEST(test_shapes),
      TEST(test_repeat),          TEST(test_cycle),   TEST(test_gather),
      TEST(test_memory),          TEST(test_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
