/* The numeric contract against references that share no code with it: double
 * arithmetic with an explicit flush for the four operations, the double
 * precision library for the functions, C's own operators for comparisons and
 * conversions. Operands are all pairs of special values, random bits, and
 * random values with exponents chosen near the boundaries. */
#include "num_reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef float Binary(float, float);

/* One of each kind of number and the neighbours of every boundary. */
static const uint32_t specials[] = {
    0x00000000, 0x00000001, 0x00400000, 0x007fffff, 0x00800000, 0x00800001,
    0x00ffffff, 0x01000000, 0x0cffffff, 0x0d000000, 0x0d000001, 0x1fffffff,
    0x20000000, 0x33800000, 0x3effffff, 0x3f000000, 0x3f000001, 0x3f7fffff,
    0x3f800000, 0x3f800001, 0x3fc00000, 0x40000000, 0x40200000, 0x40400000,
    0x40490fdb, 0x42c80000, 0x4b000000, 0x4b000001, 0x4b7fffff, 0x4b800001,
    0x4effffff, 0x4f000000, 0x5effffff, 0x5f000000, 0x5f000001, 0x7effffff,
    0x7f000000, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000, 0x7fffffff,
};

enum { SPECIALS = sizeof specials / sizeof specials[0] };

static uint32_t special(int i) {
  return specials[i >> 1] | (uint32_t)(i & 1) << 31;
}

/* xorshift64* */
static uint32_t draw(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return (uint32_t)((*state * 0x2545f4914f6cdd1dULL) >> 32);
}

static uint32_t with_exponent(uint32_t bits, int biased) {
  return (bits & 0x807fffff) | (uint32_t)(biased & 0xff) << 23;
}

static void fail_at(const char *what, uint32_t a, uint32_t b, uint32_t got,
                    uint32_t want) {
  fail_msg("%s(0x%08x, 0x%08x) = 0x%08x, should be 0x%08x", what, (unsigned)a,
           (unsigned)b, (unsigned)got, (unsigned)want);
}

static void expect(const char *what, uint32_t a, uint32_t b, float got,
                   uint32_t want) {
  if (st_num_bits(got) != want)
    fail_at(what, a, b, st_num_bits(got), want);
}

/* An operand as the contract sees it, by value. */
static double operand(uint32_t bits) {
  double x = (double)st_num_float(bits);
  return fabs(x) < 0x1p-126 ? copysign(0, x) : x;
}

/* The contract's rounding of a value that double holds exactly, or as closely
 * as is innocuous for the basic operations (53 >= 2 * 24 + 2). */
static uint32_t rounded(double exact) {
  if (exact != exact)
    return 0x7fc00000;
  if (fabs(exact) < 0x1p-126)
    return is_minus(exact) ? 0x80000000 : 0;
  return st_num_bits((float)exact);
}

typedef struct {
  const char *name;
  Binary *fn;
  uint32_t (*soft)(uint32_t, uint32_t);
  char op;
} Basic;

static uint32_t sub_bits(uint32_t a, uint32_t b) {
  return st_num_add_bits(a, b ^ 0x80000000);
}

static const Basic basics[] = {
    {"add", st_num_add, st_num_add_bits, '+'},
    {"sub", st_num_sub, sub_bits, '-'},
    {"mul", st_num_mul, st_num_mul_bits, '*'},
    {"div", st_num_div, st_num_div_bits, '/'},
};

static double apply(char op, double x, double y) {
  return op == '+' ? x + y : op == '-' ? x - y : op == '*' ? x * y : x / y;
}

static void check_basic(uint32_t a, uint32_t b) {
  for (int k = 0; k < 4; k++) {
    const Basic *f = &basics[k];
    uint32_t want = rounded(apply(f->op, operand(a), operand(b)));
    uint32_t soft = f->soft(a, b);
    expect(f->name, a, b, f->fn(st_num_float(a), st_num_float(b)), want);
    if (soft != want)
      fail_at(f->name, a, b, soft, want);
  }
}

static void test_basic_specials(void **state) {
  (void)state;
  for (int i = 0; i < 2 * SPECIALS; i++)
    for (int j = 0; j < 2 * SPECIALS; j++)
      check_basic(special(i), special(j));
}

static void test_basic_random(void **state) {
  uint64_t seed = 1;
  (void)state;
  for (int i = 0; i < 1000000; i++) {
    uint32_t a = draw(&seed), b = draw(&seed), r = draw(&seed);
    int e = (int)(a >> 23 & 0xff), d = (int)(r % 64) - 32;
    check_basic(a, b);
    check_basic(a, with_exponent(b, e + d / 8)); /* cancellation, alignment */
    check_basic(a, with_exponent(b, e + d));
    check_basic(a, with_exponent(b, 127 - e + d / 16)); /* tiny product */
    check_basic(a, with_exponent(b, e + 126 + d / 16)); /* quotient */
    check_basic(with_exponent(a, (int)(r >> 8 & 31)), b & 0x8fffffff);
  }
}

/* Products and quotients that IEEE arithmetic rounds up to 2^-126. */
static void test_tiny_before_rounding(void **state) {
  (void)state;
  for (uint32_t k = 1; k < 2000; k++) {
    /* (2^23 + k) (2^24 - 2k) = 2^47 - 2k^2, on the scale of 2^-126 */
    float a = st_num_float(0x20000000 + k);
    float b = st_num_float(0x1fffffff + 1 - 2 * k);
    float c = st_num_float(0x00ffffff), two = 2;
    assert_true((double)a * (double)b < 0x1p-126);
    expect("mul", st_num_bits(a), st_num_bits(b), st_num_mul(a, b), 0);
    expect("mul", st_num_bits(a), st_num_bits(b), st_num_mul(-a, b),
           0x80000000);
    expect("div", 0x00ffffff, 0x40000000, st_num_div(c, two), 0);
  }
  /* the case is real: the machine's own product is not tiny */
  volatile float a = 0x1.000002p-63f, b = 0x1.fffffcp-64f;
  volatile float product = a * b;
  assert_true(product == 0x1p-126f);
}

/* A fused multiply-add gives another sum here. */
static void test_no_contraction(void **state) {
  uint64_t seed = 2;
  int differ = 0;
  (void)state;
  for (int i = 0; i < 100000; i++) {
    uint32_t ua = with_exponent(draw(&seed), 127);
    uint32_t ub = with_exponent(draw(&seed), 127);
    float a = st_num_float(ua), b = st_num_float(ub);
    float p = st_num_mul(a, b), c = -p;
    float sum = st_num_add(st_num_mul(a, b), c);
    differ += (double)a * (double)b + (double)c != 0;
    expect("mul, add", ua, ub, sum, 0);
  }
  assert_true(differ > 50000);
}

static void test_sign_operations(void **state) {
  (void)state;
  for (int i = 0; i < 2 * SPECIALS; i++) {
    uint32_t u = special(i);
    float a = st_num_float(u);
    expect("neg", u, 0, st_num_neg(a), rounded(-operand(u)));
    expect("abs", u, 0, st_num_abs(a), rounded(fabs(operand(u))));
  }
}

static void check_order(uint32_t a, uint32_t b) {
  float f = st_num_float(a), g = st_num_float(b);
  double x = operand(a), y = operand(b);
  int un = x != x || y != y;
  const int got[] = {st_num_oeq(f, g), st_num_one(f, g), st_num_olt(f, g),
                     st_num_ole(f, g), st_num_ogt(f, g), st_num_oge(f, g),
                     st_num_ord(f, g), st_num_ueq(f, g), st_num_une(f, g),
                     st_num_ult(f, g), st_num_ule(f, g), st_num_ugt(f, g),
                     st_num_uge(f, g), st_num_uno(f, g)};
  const int want[] = {x == y,
                      x < y || x > y,
                      x<y, x <= y, x> y,
                      x >= y,
                      !un,
                      un || x == y,
                      x != y,
                      !(x >= y),
                      !(x > y),
                      !(x <= y),
                      !(x < y),
                      un};
  assert_memory_equal(got, want, sizeof got);
}

static uint32_t extreme(uint32_t a, uint32_t b, int max, int num) {
  double x = operand(a), y = operand(b);
  if (num && x != x)
    return rounded(y);
  if (num && y != y)
    return rounded(x);
  if (x != x || y != y)
    return 0x7fc00000;
  if (x == y)
    return rounded(is_minus(x) == max ? y : x);
  return rounded((x > y) == max ? x : y);
}

static void check_extremes(uint32_t a, uint32_t b) {
  static const struct {
    const char *name;
    Binary *fn;
    int max, num;
  } cases[] = {{"maximum", st_num_maximum, 1, 0},
               {"minimum", st_num_minimum, 0, 0},
               {"maxnum", st_num_maxnum, 1, 1},
               {"minnum", st_num_minnum, 0, 1}};
  for (int k = 0; k < 4; k++)
    expect(cases[k].name, a, b, cases[k].fn(st_num_float(a), st_num_float(b)),
           extreme(a, b, cases[k].max, cases[k].num));
}

static void test_order(void **state) {
  uint64_t seed = 3;
  (void)state;
  for (int i = 0; i < 2 * SPECIALS; i++)
    for (int j = 0; j < 2 * SPECIALS; j++) {
      check_order(special(i), special(j));
      check_extremes(special(i), special(j));
    }
  for (int i = 0; i < 300000; i++) {
    uint32_t a = draw(&seed), b = draw(&seed);
    check_order(a, (i & 1) != 0 ? b : a ^ (b & 0x80000001));
    check_extremes(a, b);
  }
}

static void check_function(const Function *f, uint32_t bits) {
  double error = error_at(f, bits);
  if (!(error <= f->bound))
    fail_msg("%s(0x%08x) = 0x%08x, %g ulp off, more than %g", f->name,
             (unsigned)bits, (unsigned)st_num_bits(f->fn(st_num_float(bits))),
             error, f->bound);
}

/* Around every power of two, and at random in every binade. */
static void test_functions(void **state) {
  uint64_t seed = 4;
  (void)state;
  for (int k = 0; k < FUNCTION_COUNT; k++) {
    for (int i = 0; i < 2 * SPECIALS; i++)
      check_function(&functions[k], special(i));
    for (uint32_t high = 0; high < 512; high++)
      for (uint32_t i = 0; i < 1024; i++) {
        check_function(&functions[k], (high << 23) + i);
        check_function(&functions[k], (high << 23) - 1 - i);
        check_function(&functions[k], high << 23 | draw(&seed) >> 9);
      }
  }
}

/* Where the tables are used: every 61st operand of the interesting binades,
 * and both sides of every boundary between segments. */
static void test_functions_segments(void **state) {
  (void)state;
  for (int k = 0; k < FUNCTION_COUNT; k++) {
    for (uint32_t u = 0x3c000000; u < 0x41800000; u += 61)
      check_function(&functions[k], u | (u & 1) << 31);
    for (uint32_t i = 0; i < 320; i++) {
      uint32_t u = st_num_bits((float)i / 32);
      for (uint32_t d = 0; d < 16; d++)
        check_function(&functions[k], u + d - 8);
    }
  }
}

static void test_function_values(void **state) {
  static const struct {
    const char *name;
    float (*fn)(float);
    uint32_t x, want;
  } cases[] = {
      {"exp", st_num_exp, 0x80000000, 0x3f800000},
      {"exp", st_num_exp, 0x42b17218, 0x7f800000}, /* 88.7228394 */
      {"exp", st_num_exp, 0x42b17217, 0x7f7fff84}, /* 88.7228317 */
      {"exp", st_num_exp, 0xc2aeac50, 0x00000000}, /* below ln 2^-126 */
      {"exp", st_num_exp, 0xc2aeac4f, 0x00800026}, /* above it */
      {"exp", st_num_exp, 0xff800000, 0x00000000},
      {"exp2", st_num_exp2, 0xc2fc0000, 0x00800000}, /* 2^-126 */
      {"exp2", st_num_exp2, 0xc2fc0001, 0x00000000},
      {"exp2", st_num_exp2, 0x42fe0000, 0x7f000000}, /* 2^127 */
      {"exp2", st_num_exp2, 0x43000000, 0x7f800000},
      {"log", st_num_log, 0x3f800000, 0x00000000},
      {"log", st_num_log, 0x00000001, 0xff800000},
      {"log", st_num_log, 0x80000000, 0xff800000},
      {"log", st_num_log, 0x80800000, 0x7fc00000},
      {"log2", st_num_log2, 0x00800000, 0xc2fc0000},
      {"log2", st_num_log2, 0x7f000000, 0x42fe0000},
      {"rsqrt", st_num_rsqrt, 0x80000001, 0xff800000},
      {"rsqrt", st_num_rsqrt, 0x3f800000, 0x3f800000},
      {"rsqrt", st_num_rsqrt, 0x40800000, 0x3f000000},
      {"rsqrt", st_num_rsqrt, 0x7f800000, 0x00000000},
      {"rsqrt", st_num_rsqrt, 0xbf800000, 0x7fc00000},
      {"sqrt", st_num_sqrt, 0x80000000, 0x80000000},
      {"sqrt", st_num_sqrt, 0x80800000, 0x7fc00000},
      {"sqrt", st_num_sqrt, 0x7f7fffff, 0x5f7fffff},
      {"tanh", st_num_tanh, 0x80000001, 0x80000000},
      {"tanh", st_num_tanh, 0xff800000, 0xbf800000},
      {"tanh", st_num_tanh, 0x411051ec, 0x3f800000}, /* 9.02 */
      {"sigmoid", st_num_sigmoid, 0x80000000, 0x3f000000},
      {"sigmoid", st_num_sigmoid, 0xff800000, 0x00000000},
      {"sigmoid", st_num_sigmoid, 0x7f800000, 0x3f800000},
      {"erf", st_num_erf, 0x40800000, 0x3f800000},
      {"erf", st_num_erf, 0xff7fffff, 0xbf800000},
      {"sin", st_num_sin, 0x80000000, 0x80000000},
      {"sin", st_num_sin, 0x7f800000, 0x7fc00000},
      {"sin", st_num_sin, 0x40490fdb, 0xb3bbbd2e}, /* pi */
      {"sin", st_num_sin, 0x48000000, 0xbf7fc5ec}, /* 131072 */
      {"cos", st_num_cos, 0xff800000, 0x7fc00000},
      {"cos", st_num_cos, 0x00000000, 0x3f800000},
      {"cos", st_num_cos, 0x6f79be45, 0xb0ddeea9}, /* close to a zero */
      {"round", st_num_round, 0x3effffff, 0x00000000},
      {"round", st_num_round, 0xbf000000, 0xbf800000},
      {"roundeven", st_num_roundeven, 0x40200000, 0x40000000},
      {"roundeven", st_num_roundeven, 0xbf000000, 0x80000000},
      {"floor", st_num_floor, 0x80000001, 0x80000000},
      {"ceil", st_num_ceil, 0xbf7fffff, 0x80000000},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    expect(cases[i].name, cases[i].x, 0, cases[i].fn(st_num_float(cases[i].x)),
           cases[i].want);
  for (int k = 0; k < FUNCTION_COUNT; k++) /* NaNs of any sign and payload */
    for (uint32_t nan = 0x7f800001; nan < 0x80000000; nan += 0x3ffff)
      for (uint32_t sign = 0; sign < 2; sign++)
        expect(functions[k].name, nan | sign << 31, 0,
               functions[k].fn(st_num_float(nan | sign << 31)), 0x7fc00000);
}

static void check_sqrt(uint32_t bits) {
  expect("sqrt", bits, 0, st_num_sqrt(st_num_float(bits)),
         rounded(sqrt(operand(bits))));
}

static void test_sqrt_nearest(void **state) {
  uint64_t seed = 5;
  (void)state;
  for (int i = 0; i < 2000000; i++)
    check_sqrt(draw(&seed) & 0x7fffffff);
  for (uint32_t s = 0x800000; s < 0x1000000; s += 7) /* near squares */
    for (uint32_t d = 0; d < 3; d++)
      check_sqrt(st_num_bits((float)s * (float)s) + d - 1);
}

/* The scaling of a large exponent shows every error of the logarithm. */
static void test_pow(void **state) {
  uint64_t seed = 6;
  double worst = 0;
  (void)state;
  for (int i = 0; i < 2 * SPECIALS; i++)
    for (int j = 0; j < 2 * SPECIALS; j++) {
      uint32_t a = special(i), b = special(j);
      float got = st_num_pow(st_num_float(a), st_num_float(b));
      double want = pow(operand(a), operand(b));
      if (error_of(got, want) > 0.52)
        fail_at("pow", a, b, st_num_bits(got), rounded(want));
    }
  for (int i = 0; i < 1500000; i++) {
    uint32_t a = draw(&seed) & 0x7fffffff, b = draw(&seed), near = a % 25;
    if ((i & 1) != 0) /* close to 1, with an exponent that compensates */
      a = 0x3f800000 + (uint32_t)((b & 1) != 0 ? 1 : -1) * (a >> (7 + near));
    b = with_exponent(b, 120 + (int)(draw(&seed) % ((i & 1) ? 38 : 12)));
    float got = st_num_pow(st_num_float(a), st_num_float(b));
    double error = error_of(got, pow(operand(a), operand(b)));
    if (error > 0.52)
      fail_at("pow", a, b, st_num_bits(got),
              rounded(pow(operand(a), operand(b))));
    worst = error > worst ? error : worst;
  }
  assert_true(worst > 0.49);
  for (int i = -27; i <= 27; i++) /* small integer powers are exact */
    for (int k = 0; k <= 5; k++)
      expect("pow", st_num_bits((float)i), (uint32_t)k,
             st_num_pow((float)i, (float)k), rounded(pow(i, k)));
}

static void test_integers_from_float(void **state) {
  uint64_t seed = 7;
  (void)state;
  for (int i = 0; i < 1000000 + 2 * SPECIALS; i++) {
    uint32_t u = i < 2 * SPECIALS ? special(i) : draw(&seed);
    if (i % 2 != 0 && i >= 2 * SPECIALS)
      u = with_exponent(u, 120 + (int)(draw(&seed) % 80));
    double x = operand(u);
    int64_t wide = x != x         ? 0
                   : x >= 0x1p63  ? INT64_MAX
                   : x <= -0x1p63 ? INT64_MIN
                                  : (int64_t)x;
    int32_t narrow = x != x                   ? 0
                     : x >= (double)INT32_MAX ? INT32_MAX
                     : x <= (double)INT32_MIN ? INT32_MIN
                                              : (int32_t)x;
    assert_true(st_num_to_i64(st_num_float(u)) == wide);
    assert_true(st_num_to_i32(st_num_float(u)) == narrow);
  }
}

static void test_float_from_integers(void **state) {
  static const int64_t edges[] = {
      0,         1,         -1,        0xffffff,
      0x1000000, 0x1000001, 0x1000003, INT32_MAX,
      INT32_MIN, INT64_MAX, INT64_MIN, INT64_MAX - 0x3fffffffff};
  uint64_t seed = 8;
  (void)state;
  for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
    expect("from_i64", (uint32_t)i, 0, st_num_from_i64(edges[i]),
           st_num_bits((float)edges[i]));
  for (int i = 0; i < 1000000; i++) {
    uint64_t word = (uint64_t)draw(&seed) << 32 | draw(&seed);
    int64_t v = (int64_t)word >> (draw(&seed) & 63);
    expect("from_i64", (uint32_t)(word >> 32), (uint32_t)word,
           st_num_from_i64(v), st_num_bits((float)v));
    expect("from_i32", (uint32_t)word, 0, st_num_from_i32((int32_t)word),
           st_num_bits((float)(int32_t)word));
  }
}

static void test_from_f64(void **state) {
  uint64_t seed = 9;
  (void)state;
  for (int i = 0; i < 1000000; i++) {
    uint64_t w = (uint64_t)draw(&seed) << 32 | draw(&seed);
    double x;
    if (i % 4 != 0) /* the range of binary32 and just outside; ties */
      w = (w & ~(0x7ffULL << 52)) | (uint64_t)(890 + draw(&seed) % 270) << 52;
    if (i % 4 == 2)
      w &= ~0xfffffffULL;
    memcpy(&x, &w, sizeof x);
    expect("from_f64", (uint32_t)(w >> 32), (uint32_t)w, st_num_from_f64(x),
           rounded(x));
  }
  expect("from_f64", 0, 0, st_num_from_f64(-0.0), 0x80000000);
  expect("from_f64", 0, 0, st_num_from_f64(0x1.fffffffffffffp-127), 0);
  expect("from_f64", 0, 0, st_num_from_f64(-HUGE_VAL), 0xff800000);
}

/* The value of binary16 bits, or of the first number past the largest. */
static double half_value(uint32_t h) {
  double m = (double)(h & 0x3ff);
  int e = (int)(h >> 10 & 31);
  return e == 0 ? ldexp(m, -24) : ldexp(m + 1024, e - 25);
}

/* Both conversions for every binary16 number, and the rounding of binary32
 * numbers at and next to the middle of each two. */
static void test_f16(void **state) {
  (void)state;
  for (uint32_t h = 0; h < 0x7c00; h++) {
    double mid = (half_value(h) + half_value(h + 1)) / 2;
    float f = (float)mid;
    uint32_t even = (h & 1) != 0 ? h + 1 : h, u = st_num_bits(f);
    assert_true((double)f == mid);
    for (uint32_t s = 0; s < 2; s++) {
      uint32_t sign = s << 31, top = s << 15;
      float x = st_num_from_f16((uint16_t)(h | top));
      assert_true((double)x == (s ? -half_value(h) : half_value(h)));
      assert_int_equal(st_num_to_f16(x), h | top);
      assert_int_equal(st_num_to_f16(st_num_float(u | sign)), even | top);
      assert_int_equal(st_num_to_f16(st_num_float((u - 1) | sign)), h | top);
      assert_int_equal(st_num_to_f16(st_num_float((u + 1) | sign)),
                       (h + 1) | top);
    }
  }
  for (uint32_t h = 0x7c01; h < 0x8000; h++) {
    expect("from_f16", h, 0, st_num_from_f16((uint16_t)h), 0x7fc00000);
    assert_int_equal(st_num_to_f16(st_num_float(h << 13 | 0x7f800000)), 0x7e00);
  }
  expect("from_f16", 0x8000, 0, st_num_from_f16(0x8000), 0x80000000);
  expect("from_f16", 0xfc00, 0, st_num_from_f16(0xfc00), 0xff800000);
  assert_int_equal(st_num_to_f16(st_num_float(0xff800000)), 0xfc00);
  assert_int_equal(st_num_to_f16(st_num_float(0x7f7fffff)), 0x7c00);
  assert_int_equal(st_num_to_f16(st_num_float(0x807fffff)), 0x8000);
}

static void test_bf16(void **state) {
  (void)state;
  for (uint32_t h = 0; h < 0x10000; h++) {
    uint32_t u = h << 16, flushed = (u & 0x7f800000) == 0 ? u & 0x80000000 : u;
    int nan = (u & 0x7fffffff) > 0x7f800000;
    uint32_t even = (h & 1) != 0 ? h + 1 : h;
    expect("from_bf16", h, 0, st_num_from_bf16((uint16_t)h),
           nan ? 0x7fc00000 : flushed);
    if (nan) {
      assert_int_equal(st_num_to_bf16(st_num_float(u)), 0x7fc0);
      continue;
    }
    assert_int_equal(st_num_to_bf16(st_num_float(u)), flushed >> 16);
    if ((u & 0x7f800000) == 0 || (u & 0x7f800000) == 0x7f800000)
      continue;
    assert_int_equal(st_num_to_bf16(st_num_float(u | 0x7fff)), h);
    assert_int_equal(st_num_to_bf16(st_num_float(u | 0x8000)), even);
    assert_int_equal(st_num_to_bf16(st_num_float(u | 0x8001)), h + 1);
  }
}

enum { VECTOR = 300 };

/* Mostly ordinary numbers; one in rare is any bits or a special value. */
static void fill(float *v, int n, uint32_t rare, uint64_t *seed) {
  for (int i = 0; i < n; i++) {
    uint32_t u = draw(seed), r = draw(seed);
    if (r % rare != 0)
      u = with_exponent(u, 120 + (int)(r >> 8) % 16);
    else if ((r >> 16 & 1) != 0)
      u = special((int)(u % (2 * SPECIALS)));
    v[i] = st_num_float(u);
  }
}

static float tree(const float *v, int n) {
  float half[VECTOR];
  int h = (n + 1) / 2;
  for (int i = 0; i < h; i++)
    half[i] = 2 * i + 1 < n ? st_num_add(v[2 * i], v[2 * i + 1]) : v[2 * i];
  return h == 1 ? half[0] : tree(half, h);
}

static void check_vectors(int n, uint32_t rare, uint64_t *seed) {
  float a[VECTOR], b[VECTOR], r[VECTOR], sum[VECTOR], mul[VECTOR], mac[VECTOR];
  fill(a, n, rare, seed);
  fill(b, n, rare, seed);
  fill(r, n, rare, seed);
  for (int i = 0; i < n; i++) {
    sum[i] = st_num_add(a[i], b[i]);
    mul[i] = st_num_mul(a[i], b[i]);
    mac[i] = st_num_add(r[i], mul[i]);
  }
  st_num_mac_n(r, a, b, n);
  assert_memory_equal(r, mac, (size_t)n * sizeof r[0]);
  st_num_add_n(r, a, b, n);
  assert_memory_equal(r, sum, (size_t)n * sizeof r[0]);
  st_num_mul_n(r, a, b, n);
  assert_memory_equal(r, mul, (size_t)n * sizeof r[0]);
  expect("dot", (uint32_t)n, rare, st_num_dot(r, a, b, n),
         st_num_bits(n == 1 ? mul[0] : tree(mul, n)));
  memcpy(r, a, sizeof r);
  expect("tree", (uint32_t)n, rare, st_num_tree(r, n),
         st_num_bits(n == 1 ? a[0] : tree(a, n)));
  memcpy(r, a, sizeof r);
  st_num_add_n(r, r, b, n);
  assert_memory_equal(r, sum, (size_t)n * sizeof r[0]);
  memcpy(r, b, sizeof r);
  st_num_mul_n(r, a, r, n);
  assert_memory_equal(r, mul, (size_t)n * sizeof r[0]);
}

static void test_vectors(void **state) {
  uint64_t seed = 10;
  (void)state;
  for (int n = 1; n < VECTOR; n++)
    for (uint32_t rare = 1; rare < 2000; rare *= 6)
      check_vectors(n, rare, &seed);
}

/* Conversions of arrays give the bits of the single ones. */
static void test_vector_conversions(void **state) {
  enum { N = 0x10000 };
  static uint16_t half[N];
  static int32_t word[N];
  static float r[N];
  uint64_t seed = 12;
  (void)state;
  for (int i = 0; i < N; i++) {
    half[i] = (uint16_t)i;
    word[i] = (int32_t)(draw(&seed) >> (draw(&seed) & 31));
  }
  st_num_from_f16_n(r, half, N);
  for (int i = 0; i < N; i++)
    expect("from_f16_n", half[i], 0, r[i],
           st_num_bits(st_num_from_f16(half[i])));
  st_num_from_i32_n(r, word, N);
  for (int i = 0; i < N; i++)
    expect("from_i32_n", (uint32_t)word[i], 0, r[i],
           st_num_bits(st_num_from_i32(word[i])));
}

/* 3 and 5 bits against arithmetic that cannot overflow, 64 at the edges. */
static void check_integers(int64_t a, int64_t b, int w) {
  int64_t span = (int64_t)1 << w, sums[3] = {a + b, a - b, a * b}, got[3];
  got[0] = st_num_iadd(a, b, w);
  got[1] = st_num_isub(a, b, w);
  got[2] = st_num_imul(a, b, w);
  for (int k = 0; k < 3; k++) {
    int64_t want = ((sums[k] % span) + span) % span;
    assert_true(got[k] == (want >= span / 2 ? want - span : want));
  }
  if (b == 0) {
    assert_true(st_num_idiv(a, b, w) == -1 && st_num_irem(a, b) == a);
  } else {
    int64_t q = a / b == span / 2 ? -span / 2 : a / b;
    assert_true(st_num_idiv(a, b, w) == q && st_num_irem(a, b) == a % b);
  }
}

static void check_shifts(int64_t a, uint64_t n, int w) {
  int64_t span = (int64_t)1 << w, u = a < 0 ? a + span : a;
  int64_t left = n >= (uint64_t)w ? 0 : (u * ((int64_t)1 << n)) % span;
  int64_t right = n >= (uint64_t)w ? 0 : u / ((int64_t)1 << n);
  int64_t fill_right = a < 0 ? -1 : 0;
  if (n < (uint64_t)w)
    fill_right = (a - (a < 0 ? ((int64_t)1 << n) - 1 : 0)) / ((int64_t)1 << n);
  assert_true(st_num_ishl(a, n, w) == st_num_wrap(left, w));
  assert_true(st_num_ishr(a, n, w) == st_num_wrap(right, w));
  assert_true(st_num_isar(a, n, w) == fill_right);
  assert_true(st_num_unsigned(a, w) == (uint64_t)u);
}

static void test_integers(void **state) {
  (void)state;
  for (int w = 3; w <= 5; w += 2)
    for (int64_t a = -(1 << (w - 1)); a < 1 << (w - 1); a++) {
      for (int64_t b = -(1 << (w - 1)); b < 1 << (w - 1); b++)
        check_integers(a, b, w);
      for (uint64_t n = 0; n < 9; n++)
        check_shifts(a, n, w);
    }
  assert_true(st_num_iadd(INT64_MAX, 1, 64) == INT64_MIN);
  assert_true(st_num_isub(INT64_MIN, 1, 64) == INT64_MAX);
  assert_true(st_num_imul(INT64_MIN, -1, 64) == INT64_MIN);
  assert_true(st_num_idiv(INT64_MIN, -1, 64) == INT64_MIN);
  assert_true(st_num_irem(INT64_MIN, -1) == 0);
  assert_true(st_num_wrap(128, 8) == -128 && st_num_wrap(1, 1) == -1);
  assert_true(st_num_isar(INT64_MIN, 64, 64) == -1);
  assert_true(st_num_ishr(-1, 63, 64) == 1);
  assert_true(st_num_ishl(1, (uint64_t)-1, 64) == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_basic_specials),
      cmocka_unit_test(test_basic_random),
      cmocka_unit_test(test_tiny_before_rounding),
      cmocka_unit_test(test_no_contraction),
      cmocka_unit_test(test_sign_operations),
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_functions),
      cmocka_unit_test(test_functions_segments),
      cmocka_unit_test(test_function_values),
      cmocka_unit_test(test_sqrt_nearest),
      cmocka_unit_test(test_pow),
      cmocka_unit_test(test_integers_from_float),
      cmocka_unit_test(test_float_from_integers),
      cmocka_unit_test(test_from_f64),
      cmocka_unit_test(test_f16),
      cmocka_unit_test(test_bf16),
      cmocka_unit_test(test_vectors),
      cmocka_unit_test(test_vector_conversions),
      cmocka_unit_test(test_integers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
