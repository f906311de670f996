/* Scalar operations on slots: widths, signs, rounding to narrow floats, and
 * elements of memory. (Operators of f32 are those of base/num.h.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "interp/scalar.h"

__extension__ typedef __int128 Wide;

enum { MANY = 37 }; /* slots: several at a time, and some that are left */

/* Integer slots from and to numbers. */
static void put(StDtype t, int64_t v, void *slots, int i) {
  int bytes = st_slot_bytes(t);
  memcpy((char *)slots + i * bytes, &v, (size_t)bytes);
}

static int64_t get(StDtype t, const void *slots, int i) {
  int bytes = st_slot_bytes(t);
  int64_t v = 0;
  memcpy(&v, (const char *)slots + i * bytes, (size_t)bytes);
  return st_num_wrap(v, 8 * bytes);
}

/* Of one pair and of many, into the first operand. */
static int64_t int_of(StScalarKind k, StDtype t, StPredicate p, int64_t a,
                      int64_t b) {
  StDtype type = k == ST_X_CMPI ? ST_I1 : t;
  StExpr e = {.kind = k, .dtype = type, .pred = p};
  int64_t x[MANY], y[MANY], r = 99;
  const void *args[] = {x, y};
  for (int i = 0; i < MANY; i++) {
    put(t, a, x, i);
    put(t, b, y, i);
  }
  st_scalar_apply(&e, t, args, &r);
  st_slots_apply(&e, t, MANY, args, x);
  for (int i = 0; i < MANY; i++)
    assert_int_equal(get(type, x, i), get(type, &r, 0));
  return get(type, &r, 0);
}

static float float_of(StScalarKind k, StDtype t, float a, float b) {
  StExpr e = {.kind = k, .dtype = t};
  const void *args[] = {&a, &b};
  float r = 99;
  st_scalar_apply(&e, t, args, &r);
  return r;
}

static const int64_t low[] = {
    [ST_I1] = -1,      [ST_I4] = -8,         [ST_I8] = -128,
    [ST_I16] = -32768, [ST_I32] = INT32_MIN, [ST_I64] = INT64_MIN};

/* A slot as a number: a true i1 is -1. */
static int64_t number(StDtype t, int64_t slot) {
  return t == ST_I1 ? -slot : slot;
}

static int64_t slot(StDtype t, int64_t v) { return t == ST_I1 ? v & 1 : v; }

/* The value modulo 2^w that the type holds. */
static int64_t modulo(StDtype t, Wide v) {
  Wide size = (Wide)1 << st_dtype_bits(t);
  v = ((v % size) + size) % size;
  return slot(t, (int64_t)(v > size / 2 - 1 ? v - size : v));
}

static void check_pair(StDtype t, int64_t a, int64_t b) {
  Wide x = number(t, a), y = number(t, b), q = y ? x / y : -1;
  const struct {
    StScalarKind kind;
    Wide want;
  } binary[] = {
      {ST_X_ADDI, x + y},
      {ST_X_SUBI, x - y},
      {ST_X_MULI, x * y},
      {ST_X_DIVSI, q},
      {ST_X_REMSI, y ? x - q * y : x},
      {ST_X_MAXSI, x > y ? x : y},
      {ST_X_MINSI, x < y ? x : y},
      {ST_X_ANDI, x & y},
      {ST_X_ORI, x | y},
      {ST_X_XORI, x ^ y},
  };
  Wide size = (Wide)1 << st_dtype_bits(t);
  Wide ux = x < 0 ? x + size : x, uy = y < 0 ? y + size : y;
  const struct {
    StPredicate p;
    bool want;
  } order[] = {
      {ST_P_EQ, x == y},     {ST_P_NE, x != y},     {ST_P_SLT, x < y},
      {ST_P_SLE, x <= y},    {ST_P_SGT, x > y},     {ST_P_SGE, x >= y},
      {ST_P_IULT, ux < uy},  {ST_P_IULE, ux <= uy}, {ST_P_IUGT, ux > uy},
      {ST_P_IUGE, ux >= uy},
  };
  for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
    assert_int_equal(int_of(binary[i].kind, t, ST_P_EQ, a, b),
                     modulo(t, binary[i].want));
  for (size_t i = 0; i < sizeof order / sizeof *order; i++)
    assert_int_equal(int_of(ST_X_CMPI, t, order[i].p, a, b), order[i].want);
}

static void test_integers(void **state) {
  (void)state;
  for (StDtype t = ST_I1; t <= ST_I64; t++) {
    int64_t v[] = {0,       -1,         t == ST_I1 ? 0 : 1,          low[t],
                   ~low[t], low[t] / 3, t == ST_I1 ? 0 : -low[t] / 5};
    for (int i = 0; i < 7; i++)
      for (int j = 0; j < 7; j++)
        check_pair(t, slot(t, v[i]), slot(t, v[j]));
  }
}

static void test_conversions(void **state) {
  (void)state;
  for (StDtype t = ST_I1; t <= ST_I64; t++) {
    static const float f[] = {0.0f, -0.75f, 1.5f, -300.25f,
                              1e6f, -1e30f, 1e30f};
    for (int i = 0; i < 7; i++) {
      StExpr e = {.kind = ST_X_FPTOSI, .dtype = t};
      const void *args[] = {&f[i]};
      int64_t r;
      double d = (double)f[i], most = -(double)low[t];
      int64_t want = d >= most ? ~low[t] : d <= -most ? low[t] : (int64_t)d;
      st_scalar_apply(&e, ST_F32, args, &r);
      assert_int_equal(get(t, &r, 0), slot(t, want));
    }
    for (StDtype to = ST_I1; to <= ST_I64; to++) {
      int64_t a = slot(t, low[t]);
      StExpr e = {.kind = ST_X_TRUNCI, .dtype = to};
      const void *args[] = {&a};
      int64_t r, top = (int64_t)st_num_unsigned(low[t], st_dtype_bits(t));
      if (to <= t) {
        st_scalar_apply(&e, t, args, &r);
        assert_int_equal(get(to, &r, 0), modulo(to, a));
      }
      e.kind = ST_X_EXTSI;
      st_scalar_apply(&e, t, args, &r);
      assert_int_equal(get(to, &r, 0), modulo(to, low[t]));
      e.kind = ST_X_EXTUI;
      st_scalar_apply(&e, t, args, &r);
      assert_int_equal(get(to, &r, 0), modulo(to, top));
    }
    int64_t a = slot(t, low[t]);
    StExpr e = {.kind = ST_X_SITOFP, .dtype = ST_F32};
    const void *args[] = {&a};
    float r;
    st_scalar_apply(&e, t, args, &r);
    assert_true(r == (float)low[t]);
    e.kind = ST_X_UITOFP;
    st_scalar_apply(&e, t, args, &r);
    if (t != ST_I64)
      assert_true(r == -(float)low[t]);
  }
}

/* Results of narrow floats are values of their type. */
static void test_narrow(void **state) {
  (void)state;
  assert_true(float_of(ST_X_ADDF, ST_F32, 1, 0x1p-20f) == 1 + 0x1p-20f);
  assert_true(float_of(ST_X_ADDF, ST_F16, 1, 0x1p-11f) == 1);
  assert_true(float_of(ST_X_ADDF, ST_F16, 1, 0x1.8p-11f) == 1 + 0x1p-10f);
  assert_true(float_of(ST_X_ADDF, ST_BF16, 1, 0x1p-8f) == 1);
  assert_true(float_of(ST_X_MULF, ST_F16, 256, 256) > 1e30f);
  assert_true(float_of(ST_X_TRUNCF, ST_BF16, 1.00390625f, 0) == 1);
  assert_true(float_of(ST_X_EXTF, ST_F32, 1.00390625f, 0) == 1.00390625f);
  assert_true(float_of(ST_X_EXP, ST_F16, 1, 0) ==
              st_num_from_f16(st_num_to_f16(st_num_exp(1))));
}

static void test_select(void **state) {
  (void)state;
  static const int8_t c[3] = {1, 0, 1};
  static const int32_t x[3] = {1, 2, 3}, y[3] = {-1, -2, -3};
  static const float f[3] = {1, 2, 3}, g[3] = {-1, -2, -3};
  StExpr e = {.kind = ST_X_SELECT, .dtype = ST_I32};
  const void *ints[] = {c, x, y}, *floats[] = {c, f, g};
  int32_t r[3];
  float s[3];
  st_slots_apply(&e, ST_I1, 3, ints, r);
  assert_true(r[0] == 1 && r[1] == -2 && r[2] == 3);
  e.dtype = ST_F32;
  st_slots_apply(&e, ST_I1, 3, floats, s);
  assert_true(s[0] == 1 && s[1] == -2 && s[2] == 3);
}

/* Float predicates on ordered, equal and unordered pairs. */
static void test_compare(void **state) {
  (void)state;
  static const float nan_bits = 0;
  float nan = st_num_div(nan_bits, nan_bits);
  const float a[4] = {1, 2, 2, nan}, b[4] = {2, 1, 2, 1};
  static const char *const want[] = {
      [ST_P_OEQ] = "0010", [ST_P_OGT] = "0100", [ST_P_OGE] = "0110",
      [ST_P_OLT] = "1000", [ST_P_OLE] = "1010", [ST_P_ONE] = "1100",
      [ST_P_ORD] = "1110", [ST_P_UEQ] = "0011", [ST_P_UGT] = "0101",
      [ST_P_UGE] = "0111", [ST_P_ULT] = "1001", [ST_P_ULE] = "1011",
      [ST_P_UNE] = "1101", [ST_P_UNO] = "0001"};
  const void *args[] = {a, b};
  for (StPredicate p = ST_P_OEQ; p <= ST_P_UNO; p++) {
    StExpr e = {.kind = ST_X_CMPF, .dtype = ST_I1, .pred = p};
    int8_t r[4];
    st_slots_apply(&e, ST_F32, 4, args, r);
    for (int i = 0; i < 4; i++)
      assert_int_equal(r[i], want[p][i] - '0');
  }
}

/* Elements of memory to slots and back. */
static void test_memory(void **state) {
  (void)state;
  static const uint8_t bytes[16] = {0x01, 0x80, 0x7f, 0xff, 0x00, 0x3c,
                                    0x12, 0x40, 0x01, 0x00, 0xf0, 0x3f,
                                    0x00, 0x00, 0x80, 0xbf};
  for (int i = 0; i < ST_DTYPE_COUNT; i++) {
    StDtype t = (StDtype)i;
    int64_t n = 16 / st_dtype_bytes(t), slots[16];
    uint8_t back[16], from[16];
    memcpy(from, bytes, 16);
    for (int k = 0; k < 16 && (t == ST_I1 || t == ST_I4); k++)
      from[k] = t == ST_I1 ? bytes[k] & 1 : (uint8_t)st_num_wrap(bytes[k], 4);
    st_slots_read(t, from, n, slots);
    st_slots_write(t, slots, n, back);
    if (t != ST_F64 && t != ST_BF16 && t != ST_F16)
      assert_memory_equal(back, from, 16);
    for (int64_t k = 0; k < n && !st_dtype_is_float(t); k++)
      assert_true(number(t, get(t, slots, (int)k)) >= low[t] &&
                  number(t, get(t, slots, (int)k)) <= ~low[t]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_integers), cmocka_unit_test(test_conversions),
      cmocka_unit_test(test_narrow),   cmocka_unit_test(test_select),
      cmocka_unit_test(test_compare),  cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
