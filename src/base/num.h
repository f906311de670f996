/* The numeric contract: what every operator of the language computes, bit for
 * bit, in the interpreter, the simulator, the emitted HLS C++ and the RTL.
 * doc/numerics.md has the rules, the algorithms with their sources and the
 * measured errors. In short, for binary32: round to nearest even; subnormals
 * are signed zeros on input and output; a result is tiny when the exact value
 * is below 2^-126 in magnitude (before rounding); every NaN result is
 * 0x7fc00000; nothing is contracted. Integers are two's complement.
 *
 * C11 and C++11, header only, right shifts of negative values arithmetic.
 * Compile with -ffp-contract=off. With ST_NUM_SOFT, and in HLS synthesis, the
 * scalar operators are the integer algorithms that specify them. */
#ifndef ST_BASE_NUM_H
#define ST_BASE_NUM_H

#include <stdint.h>
#include <string.h>

#include "num_tables.h"

#if defined(__FAST_MATH__)
#error "num.h needs IEEE arithmetic: compile without -ffast-math"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "num.h needs float arithmetic in single precision (-mfpmath=sse)"
#endif
#if defined(__SYNTHESIS__) && !defined(ST_NUM_SOFT)
#define ST_NUM_SOFT 1
#endif

#define ST_NUM_SIGN 0x80000000u
#define ST_NUM_INF 0x7f800000u
#define ST_NUM_NAN 0x7fc00000u
#define ST_NUM_ONE 0x3f800000u
#define ST_NUM_TINY 0x00800000u /* 2^-126, the smallest normal number */

#ifdef __SYNTHESIS__
typedef union {
  float f;
  uint32_t u;
} StNumWord;

static inline uint32_t st_num_bits(float a) {
  StNumWord w;
  w.f = a;
  return w.u;
}

static inline float st_num_float(uint32_t u) {
  StNumWord w;
  w.u = u;
  return w.f;
}
#else
static inline uint32_t st_num_bits(float a) {
  uint32_t u;
  memcpy(&u, &a, sizeof u);
  return u;
}

static inline float st_num_float(uint32_t u) {
  float a;
  memcpy(&a, &u, sizeof a);
  return a;
}
#endif

static inline uint32_t st_num_mag(uint32_t u) { return u & ~ST_NUM_SIGN; }

static inline int st_num_is_nan(uint32_t u) {
  return st_num_mag(u) > ST_NUM_INF;
}

/* Bits of an operand as the operators see it: no subnormals. */
static inline uint32_t st_num_flush(uint32_t u) {
  return (u & ST_NUM_INF) == 0 ? u & ST_NUM_SIGN : u;
}

/* The same with the canonical NaN. */
static inline uint32_t st_num_canon(uint32_t u) {
  return st_num_is_nan(u) ? ST_NUM_NAN : st_num_flush(u);
}

/* Exponent and 24-bit significand of a normal number, (-1)^s m 2^(e-23). */
static inline int st_num_exponent(uint32_t u) {
  return (int)(u >> 23 & 0xff) - 127;
}

static inline uint32_t st_num_significand(uint32_t u) {
  return (u & 0x7fffff) | 0x800000;
}

/* The binary32 nearest to m 2^(e-63), bit 63 of m set; sign is 0 or the sign
 * bit. Bit 0 of m may stand for all that is below it. */
static inline uint32_t st_num_pack(uint32_t sign, int e, uint64_t m) {
  uint64_t half = (uint64_t)1 << 39, rest = m & (2 * half - 1);
  uint32_t r = (uint32_t)(m >> 40);
  if (e < -126)
    return sign;
  if (e > 127)
    return sign | ST_NUM_INF;
  r += (uint32_t)((rest + half - 1 + (r & 1)) >> 40);
  return sign | (((uint32_t)(e + 126) << 23) + r);
}

/* The same for any m; the zero that m = 0 gives has the given sign. */
static inline uint32_t st_num_norm(uint32_t sign, int e, uint64_t m) {
  int lz;
  if (m == 0)
    return sign;
  lz = __builtin_clzll(m);
  return st_num_pack(sign, e - lz, m << lz);
}

/* The integer definitions of the four operations, on bits. */
static inline uint32_t st_num_add_bits(uint32_t a, uint32_t b) {
  uint32_t x = st_num_flush(a), y = st_num_flush(b), sign;
  uint64_t mx, my;
  int d;
  if (st_num_is_nan(x) || st_num_is_nan(y))
    return ST_NUM_NAN;
  if (st_num_mag(x) < st_num_mag(y)) {
    uint32_t t = x;
    x = y;
    y = t;
  }
  if (st_num_mag(x) == ST_NUM_INF)
    return (x ^ y) == ST_NUM_SIGN ? ST_NUM_NAN : x;
  if (st_num_mag(y) == 0)
    return st_num_mag(x) == 0 ? x & y : x;
  d = st_num_exponent(x) - st_num_exponent(y);
  if (d > 38)
    return x;
  mx = (uint64_t)st_num_significand(x) << 38;
  my = (uint64_t)st_num_significand(y) << (38 - d);
  sign = x & ST_NUM_SIGN;
  if (((x ^ y) & ST_NUM_SIGN) == 0)
    return st_num_norm(sign, st_num_exponent(x) + 2, mx + my);
  return mx == my ? 0 : st_num_norm(sign, st_num_exponent(x) + 2, mx - my);
}

static inline uint32_t st_num_mul_bits(uint32_t a, uint32_t b) {
  uint32_t x = st_num_flush(a), y = st_num_flush(b);
  uint32_t sign = (x ^ y) & ST_NUM_SIGN;
  uint32_t mx = st_num_mag(x), my = st_num_mag(y);
  if (mx > ST_NUM_INF || my > ST_NUM_INF)
    return ST_NUM_NAN;
  if (mx == ST_NUM_INF || my == ST_NUM_INF)
    return mx == 0 || my == 0 ? ST_NUM_NAN : sign | ST_NUM_INF;
  if (mx == 0 || my == 0)
    return sign;
  return st_num_norm(sign, st_num_exponent(x) + st_num_exponent(y) + 17,
                     (uint64_t)st_num_significand(x) * st_num_significand(y));
}

static inline uint32_t st_num_div_bits(uint32_t a, uint32_t b) {
  uint32_t x = st_num_flush(a), y = st_num_flush(b);
  uint32_t sign = (x ^ y) & ST_NUM_SIGN;
  uint32_t mx = st_num_mag(x), my = st_num_mag(y);
  uint64_t n, d;
  if (mx > ST_NUM_INF || my > ST_NUM_INF ||
      (mx == my && (mx == 0 || mx == ST_NUM_INF)))
    return ST_NUM_NAN;
  if (mx == ST_NUM_INF || my == 0)
    return sign | ST_NUM_INF;
  if (mx == 0 || my == ST_NUM_INF)
    return sign;
  n = (uint64_t)st_num_significand(x) << 27;
  d = st_num_significand(y);
  return st_num_norm(sign, st_num_exponent(x) - st_num_exponent(y) + 35,
                     (n / d) << 1 | (uint64_t)(n % d != 0));
}

static inline float st_num_add(float a, float b) {
#ifndef ST_NUM_SOFT
  /* From 2^-101 on a subnormal operand cannot have changed the sum, and a sum
   * of zero is right in any case. */
  float r = a + b;
  uint32_t m = st_num_mag(st_num_bits(r));
  if (m - 0x0d000000u <= ST_NUM_INF - 0x0d000000u || m == 0)
    return r;
#endif
  return st_num_float(st_num_add_bits(st_num_bits(a), st_num_bits(b)));
}

static inline float st_num_sub(float a, float b) {
  return st_num_add(a, st_num_float(st_num_bits(b) ^ ST_NUM_SIGN));
}

static inline float st_num_mul(float a, float b) {
#ifndef ST_NUM_SOFT
  /* 2^-126 itself may have been rounded up from a tiny product. */
  float r = st_num_float(st_num_flush(st_num_bits(a))) *
            st_num_float(st_num_flush(st_num_bits(b)));
  uint32_t m = st_num_mag(st_num_bits(r));
  if (m - (ST_NUM_TINY + 1) <= ST_NUM_INF - (ST_NUM_TINY + 1) || m == 0)
    return r;
#endif
  return st_num_float(st_num_mul_bits(st_num_bits(a), st_num_bits(b)));
}

static inline float st_num_div(float a, float b) {
#ifndef ST_NUM_SOFT
  float r = st_num_float(st_num_flush(st_num_bits(a))) /
            st_num_float(st_num_flush(st_num_bits(b)));
  uint32_t m = st_num_mag(st_num_bits(r));
  if (m - (ST_NUM_TINY + 1) <= ST_NUM_INF - (ST_NUM_TINY + 1) || m == 0)
    return r;
#endif
  return st_num_float(st_num_div_bits(st_num_bits(a), st_num_bits(b)));
}

static inline float st_num_neg(float a) {
  uint32_t u = st_num_flush(st_num_bits(a));
  return st_num_float(st_num_canon(u ^ ST_NUM_SIGN));
}

static inline float st_num_abs(float a) {
  return st_num_float(st_num_mag(st_num_canon(st_num_bits(a))));
}

/* A key whose integer order is the order of the numbers, with -0 < +0. */
static inline int32_t st_num_key(uint32_t u) {
  uint32_t f = st_num_flush(u);
  return (f & ST_NUM_SIGN) != 0 ? -1 - (int32_t)st_num_mag(f) : (int32_t)f;
}

/* One of the four relations below. */
#define ST_NUM_LT 1u
#define ST_NUM_EQ 2u
#define ST_NUM_GT 4u
#define ST_NUM_UN 8u

static inline unsigned st_num_relation(float a, float b) {
  uint32_t x = st_num_flush(st_num_bits(a)), y = st_num_flush(st_num_bits(b));
  if (st_num_is_nan(x) || st_num_is_nan(y))
    return ST_NUM_UN;
  if (x == y || st_num_mag(x | y) == 0)
    return ST_NUM_EQ;
  return st_num_key(x) < st_num_key(y) ? ST_NUM_LT : ST_NUM_GT;
}

/* st_num_oeq(a, b) and so on: 1 or 0, the predicates of arith.cmpf. */
#define ST_NUM_PREDICATE(name, set)                                            \
  static inline int st_num_##name(float a, float b) {                          \
    return (st_num_relation(a, b) & (set)) != 0;                               \
  }
ST_NUM_PREDICATE(oeq, ST_NUM_EQ)
ST_NUM_PREDICATE(ogt, ST_NUM_GT)
ST_NUM_PREDICATE(oge, ST_NUM_GT | ST_NUM_EQ)
ST_NUM_PREDICATE(olt, ST_NUM_LT)
ST_NUM_PREDICATE(ole, ST_NUM_LT | ST_NUM_EQ)
ST_NUM_PREDICATE(one, ST_NUM_LT | ST_NUM_GT)
ST_NUM_PREDICATE(ord, ST_NUM_LT | ST_NUM_EQ | ST_NUM_GT)
ST_NUM_PREDICATE(ueq, ST_NUM_UN | ST_NUM_EQ)
ST_NUM_PREDICATE(ugt, ST_NUM_UN | ST_NUM_GT)
ST_NUM_PREDICATE(uge, ST_NUM_UN | ST_NUM_GT | ST_NUM_EQ)
ST_NUM_PREDICATE(ult, ST_NUM_UN | ST_NUM_LT)
ST_NUM_PREDICATE(ule, ST_NUM_UN | ST_NUM_LT | ST_NUM_EQ)
ST_NUM_PREDICATE(une, ST_NUM_UN | ST_NUM_LT | ST_NUM_GT)
ST_NUM_PREDICATE(uno, ST_NUM_UN)
#undef ST_NUM_PREDICATE

/* maximum, minimum: NaN if either operand is; maxnum, minnum: the other
 * operand if one is NaN. For all, -0 is less than +0. */
#define ST_NUM_EXTREME(both, num, before)                                      \
  static inline float st_num_##both(float a, float b) {                        \
    uint32_t x = st_num_canon(st_num_bits(a));                                 \
    uint32_t y = st_num_canon(st_num_bits(b));                                 \
    if (st_num_is_nan(x) || st_num_is_nan(y))                                  \
      return st_num_float(ST_NUM_NAN);                                         \
    return st_num_float(st_num_key(y) before st_num_key(x) ? y : x);           \
  }                                                                            \
  static inline float st_num_##num(float a, float b) {                         \
    int left = st_num_is_nan(st_num_bits(a));                                  \
    int right = st_num_is_nan(st_num_bits(b));                                 \
    return st_num_##both(left ? b : a, right ? a : b);                         \
  }
ST_NUM_EXTREME(maximum, maxnum, >)
ST_NUM_EXTREME(minimum, minnum, <)
#undef ST_NUM_EXTREME

typedef enum {
  ST_NUM_RND_TRUNC,
  ST_NUM_RND_FLOOR,
  ST_NUM_RND_CEIL,
  ST_NUM_RND_EVEN, /* to nearest, halves to even */
  ST_NUM_RND_AWAY  /* to nearest, halves away from zero */
} StNumRnd;

/* The sign of a zero result is that of the operand. */
static inline float st_num_rint(float a, StNumRnd mode) {
  uint32_t u = st_num_canon(st_num_bits(a)), sign = u & ST_NUM_SIGN;
  int e = st_num_exponent(u), s = e < -1 ? 25 : 23 - e, up = 0;
  uint32_t m, whole, rest, half;
  if (e >= 23 || st_num_mag(u) == 0)
    return st_num_float(u);
  m = st_num_significand(u);
  half = 1u << (s - 1);
  whole = m >> s;
  rest = m & (2 * half - 1);
  if (mode == ST_NUM_RND_EVEN)
    up = rest > half || (rest == half && (whole & 1) != 0);
  else if (mode == ST_NUM_RND_AWAY)
    up = rest >= half;
  else if (mode == (sign != 0 ? ST_NUM_RND_FLOOR : ST_NUM_RND_CEIL))
    up = rest != 0;
  return st_num_float(st_num_norm(sign, 63, (uint64_t)whole + (unsigned)up));
}

#define ST_NUM_ROUNDING(name, mode)                                            \
  static inline float st_num_##name(float a) { return st_num_rint(a, mode); }
ST_NUM_ROUNDING(trunc, ST_NUM_RND_TRUNC)
ST_NUM_ROUNDING(floor, ST_NUM_RND_FLOOR)
ST_NUM_ROUNDING(ceil, ST_NUM_RND_CEIL)
ST_NUM_ROUNDING(roundeven, ST_NUM_RND_EVEN)
ST_NUM_ROUNDING(round, ST_NUM_RND_AWAY)
#undef ST_NUM_ROUNDING

static inline float st_num_from_i64(int64_t v) {
  uint64_t m = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
  return st_num_float(st_num_norm(v < 0 ? ST_NUM_SIGN : 0, 63, m));
}

static inline float st_num_from_i32(int32_t v) { return st_num_from_i64(v); }

/* Towards zero; too large saturates, NaN is 0. */
static inline int64_t st_num_to_i64(float a) {
  uint32_t u = st_num_flush(st_num_bits(a)), m = st_num_significand(u);
  int e = st_num_exponent(u), neg = (u & ST_NUM_SIGN) != 0;
  int64_t v;
  if (e < 0 || st_num_is_nan(u))
    return 0;
  if (e >= 63)
    return neg ? INT64_MIN : INT64_MAX;
  v = (int64_t)(e > 23 ? (uint64_t)m << (e - 23) : (uint64_t)m >> (23 - e));
  return neg ? -v : v;
}

static inline int32_t st_num_to_i32(float a) {
  int64_t v = st_num_to_i64(a);
  return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

/* binary64 to binary32, for constants. */
static inline float st_num_from_f64(double a) {
  uint64_t u, m;
  uint32_t sign;
  memcpy(&u, &a, sizeof u);
  m = u & 0xfffffffffffffULL;
  sign = (uint32_t)(u >> 32) & ST_NUM_SIGN;
  if ((u >> 52 & 0x7ff) == 0x7ff)
    return st_num_float(m != 0 ? ST_NUM_NAN : sign | ST_NUM_INF);
  return st_num_float(st_num_pack(sign, (int)(u >> 52 & 0x7ff) - 1023,
                                  m << 11 | (uint64_t)1 << 63));
}

/* binary16 as bits. Its subnormals are normal numbers of binary32 and are kept
 * in both directions; its NaN is 0x7e00. */
static inline float st_num_from_f16(uint16_t h) {
  uint32_t sign = (uint32_t)(h >> 15) << 31, e = h >> 10 & 0x1fu;
  uint32_t m = h & 0x3ffu;
  if (e == 0)
    return st_num_float(st_num_norm(sign, 39, m));
  if (e == 31)
    return st_num_float(m != 0 ? ST_NUM_NAN : sign | ST_NUM_INF);
  return st_num_float(sign | (e + 112) << 23 | m << 13);
}

static inline uint16_t st_num_to_f16(float a) {
  uint32_t u = st_num_flush(st_num_bits(a)), sign = u >> 16 & 0x8000u, m, r;
  int e = st_num_exponent(u), s = e >= -14 ? 13 : -1 - e;
  if (st_num_is_nan(u))
    return 0x7e00;
  if (e > 15 || e < -25)
    return (uint16_t)(e > 15 ? sign | 0x7c00u : sign);
  m = st_num_significand(u);
  r = m >> s;
  r += ((m & ((1u << s) - 1)) + (1u << (s - 1)) - 1 + (r & 1)) >> s;
  return (uint16_t)(sign | (r + (e >= -14 ? (uint32_t)(e + 14) << 10 : 0)));
}

/* bfloat16 as bits; its NaN is 0x7fc0. */
static inline float st_num_from_bf16(uint16_t h) {
  return st_num_float(st_num_canon((uint32_t)h << 16));
}

static inline uint16_t st_num_to_bf16(float a) {
  uint32_t u = st_num_canon(st_num_bits(a));
  return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

/* g at t 2^-24 of a segment, times 2^31; c is its row in num_tables.h. */
static inline uint32_t st_num_cubic(const int32_t *c, uint32_t t) {
  int64_t b = c[2] + (((int64_t)c[3] * (t >> 7)) >> 17);
  int64_t a = c[1] + ((b * t) >> 24);
  int64_t p = (a * t) >> 24;
  int64_t g = ((int64_t)c[0] + ((int64_t)1 << 31)) * 2 + p;
  return (uint32_t)((g + 1) >> 1);
}

/* x g(|x|) with segments of 1/32 in x, saturating to +-1 from limit/32 on. */
static inline float st_num_odd(float a, const int32_t (*table)[4],
                               uint32_t limit) {
  uint32_t u = st_num_canon(st_num_bits(a)), m = st_num_significand(u);
  int e = st_num_exponent(u);
  uint64_t x = 0; /* |x| in units of 2^-29 */
  if (st_num_is_nan(u) || st_num_mag(u) == 0)
    return st_num_float(u);
  if (e < 4 && e > -30)
    x = ((uint64_t)m << 10) >> (4 - e);
  if (e >= 4 || x >> 24 >= limit)
    return st_num_float((u & ST_NUM_SIGN) | ST_NUM_ONE);
  x = (uint64_t)m * st_num_cubic(table[x >> 24], (uint32_t)x & 0xffffff);
  return st_num_float(st_num_norm(u & ST_NUM_SIGN, e + 9, x));
}

static inline float st_num_erf(float a) {
  return st_num_odd(a, st_num_erf_tab, 128);
}

static inline float st_num_tanh(float a) {
  return st_num_odd(a, st_num_tanh_tab, 289);
}

/* 2^31 / sqrt(m) of a normal number with its exponent made even: m in [1, 4)
 * is the significand, doubled if the exponent is odd. */
static inline uint32_t st_num_rsqrt_fix(uint32_t u) {
  uint32_t odd = (~u >> 23) & 1, f = u & 0x7fffff;
  return st_num_cubic(st_num_rsqrt_tab[odd << 6 | f >> 17], (f & 0x1ffff) << 7);
}

static inline float st_num_rsqrt(float a) {
  uint32_t u = st_num_flush(st_num_bits(a));
  int e = st_num_exponent(u);
  if (st_num_mag(u) == 0)
    return st_num_float(u | ST_NUM_INF);
  if (u > ST_NUM_INF)
    return st_num_float(ST_NUM_NAN);
  if (u == ST_NUM_INF)
    return 0;
  return st_num_float(
      st_num_norm(0, 32 - ((e - (e & 1)) / 2), st_num_rsqrt_fix(u)));
}

/* Correctly rounded: floor(sqrt(n)) with a sticky bit, from m 1/sqrt(m). */
static inline float st_num_sqrt(float a) {
  uint32_t u = st_num_flush(st_num_bits(a)), m = st_num_significand(u);
  int e = st_num_exponent(u), odd = e & 1;
  int64_t n, s, d;
  if (st_num_mag(u) == 0)
    return st_num_float(u);
  if (u >= ST_NUM_INF)
    return st_num_float(u == ST_NUM_INF ? u : ST_NUM_NAN);
  n = (int64_t)m << (25 + odd);
  s = (int64_t)(((uint64_t)m * st_num_rsqrt_fix(u)) >> (30 - odd));
  d = n - s * s;
  for (; d < 0; d = n - s * s)
    s--;
  for (; d > 2 * s; d = n - s * s)
    s++;
  return st_num_float(st_num_norm(0, (e - odd) / 2 + 38,
                                  (uint64_t)s << 1 | (uint64_t)(d != 0)));
}

/* 2^t for t in units of 2^-32: the significand times 2^31 is returned, the
 * exponent is t >> 32. */
static inline uint32_t st_num_exp2_fix(int64_t t) {
  uint64_t f = (uint32_t)t, r = f & 0xffffff, rh = r >> 6;
  uint64_t c2 = ST_NUM_EXP2_C2 + ((ST_NUM_EXP2_C3 * rh) >> 26);
  uint64_t c1 = ST_NUM_EXP2_C1 + ((c2 * rh) >> 20);
  uint64_t p = (c1 * r) >> 24;
  uint32_t top = st_num_exp2_tab[f >> 24];
  return top + (uint32_t)((top * p) >> 34);
}

static inline uint32_t st_num_exp2_pack(int64_t t) {
  return st_num_pack(0, (int)(t >> 32), (uint64_t)st_num_exp2_fix(t) << 32);
}

/* log2(e) x in units of 2^-32 for |x| < 128 given by its bits. */
static inline int64_t st_num_log2e_fix(uint32_t u) {
  int s = 30 - st_num_exponent(u);
  uint64_t t = st_num_significand(u) * ST_NUM_LOG2E_Q39;
  int64_t v = s > 63 ? 0 : (int64_t)(t >> s);
  return (u & ST_NUM_SIGN) != 0 ? -v : v;
}

static inline float st_num_exp(float a) {
  uint32_t u = st_num_flush(st_num_bits(a));
  if (st_num_is_nan(u))
    return st_num_float(ST_NUM_NAN);
  if (st_num_exponent(u) > 6)
    return st_num_float((u & ST_NUM_SIGN) != 0 ? 0 : ST_NUM_INF);
  return st_num_float(st_num_exp2_pack(st_num_log2e_fix(u)));
}

static inline float st_num_exp2(float a) {
  uint32_t u = st_num_flush(st_num_bits(a));
  int e = st_num_exponent(u);
  int64_t t;
  if (st_num_is_nan(u))
    return st_num_float(ST_NUM_NAN);
  if (e > 7)
    return st_num_float((u & ST_NUM_SIGN) != 0 ? 0 : ST_NUM_INF);
  t = (int64_t)st_num_significand(u) << 17;
  t = e < -46 ? 0 : t >> (8 - e);
  return st_num_float(st_num_exp2_pack((u & ST_NUM_SIGN) != 0 ? -t : t));
}

/* 1 / (1 + 2^-|t|) for x >= 0, 2^-|t| / (1 + 2^-|t|) below, t = log2(e) x. */
static inline float st_num_sigmoid(float a) {
  uint32_t u = st_num_flush(st_num_bits(a)), m;
  uint64_t num, den;
  int64_t t;
  int neg = (u & ST_NUM_SIGN) != 0, k;
  if (st_num_is_nan(u))
    return st_num_float(ST_NUM_NAN);
  if (st_num_exponent(u) > 6)
    return st_num_float(neg ? 0 : ST_NUM_ONE);
  t = st_num_log2e_fix(u | ST_NUM_SIGN);
  k = (int)(t >> 32);
  m = st_num_exp2_fix(t);
  den = ((uint64_t)1 << 31) + (k < -31 ? 0 : m >> -k);
  num = (uint64_t)(neg ? m : ST_NUM_SIGN) << 32;
  return st_num_float(st_num_norm(0, (neg ? k : 0) + 31, num / den));
}

/* log2 of a positive normal number: the result is v 2^-scale. */
static inline int64_t st_num_log2_fix(uint32_t u, int *scale) {
  uint32_t m = st_num_significand(u), i = m >> 15 & 0xff;
  int e = st_num_exponent(u) + (i >= 106);
  int64_t r = (int64_t)m * st_num_rcp_tab[i] - ((int64_t)1 << 32), rh = r >> 8;
  int64_t d3 = ST_NUM_LOG2_D3 - ((ST_NUM_LOG2_D4 * rh) >> 20);
  int64_t d2 = ST_NUM_LOG2_D2 - ((d3 * rh) >> 18);
  int64_t d1 = ST_NUM_LOG2_D1 - ((d2 * r) >> 26);
  int64_t v = (ST_NUM_LOG2_D0 - ((d1 * r) >> 26)) * r;
  *scale = 70;
  if (e == 0 && st_num_log2_tab[i] == 0)
    return v;
  *scale = 55;
  return e * ((int64_t)1 << 55) + st_num_log2_tab[i] + (v >> 15);
}

/* log2(a) times factor 2^-32. */
static inline float st_num_log_times(float a, uint64_t factor) {
  uint32_t u = st_num_flush(st_num_bits(a));
  uint64_t m;
  int64_t v;
  int scale, lz;
  if (st_num_mag(u) == 0)
    return st_num_float(ST_NUM_SIGN | ST_NUM_INF);
  if (u >= ST_NUM_INF)
    return st_num_float(u == ST_NUM_INF ? u : ST_NUM_NAN);
  v = st_num_log2_fix(u, &scale);
  if (v == 0)
    return 0;
  m = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
  lz = __builtin_clzll(m);
  return st_num_float(st_num_norm(v < 0 ? ST_NUM_SIGN : 0, 63 - lz - scale,
                                  ((m << lz) >> 32) * factor));
}

static inline float st_num_log(float a) {
  return st_num_log_times(a, ST_NUM_LN2_Q32);
}

static inline float st_num_log2(float a) {
  return st_num_log_times(a, (uint64_t)1 << 32);
}

/* |x|^y for normal numbers, as bits. */
static inline uint32_t st_num_pow_fix(uint32_t x, uint32_t y) {
  int scale, lz, s;
  int64_t v = st_num_log2_fix(st_num_mag(x), &scale), t;
  uint64_t m = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
  int neg = (v < 0) != ((y & ST_NUM_SIGN) != 0);
  if (v == 0)
    return ST_NUM_ONE;
  lz = __builtin_clzll(m);
  s = lz + scale - st_num_exponent(y) - 33;
  if (s < 23)
    return neg ? 0 : ST_NUM_INF;
  t = s > 63 ? 0 : (int64_t)((((m << lz) >> 24) * st_num_significand(y)) >> s);
  return st_num_exp2_pack(neg ? -t : t);
}

/* The special cases are those of pow in C (Annex F). */
static inline float st_num_pow(float a, float b) {
  uint32_t x = st_num_flush(st_num_bits(a)), y = st_num_flush(st_num_bits(b));
  uint32_t mx = st_num_mag(x), my = st_num_mag(y), sign = 0;
  int e = st_num_exponent(y), down = (y & ST_NUM_SIGN) != 0;
  int whole = e >= 23 || (e >= 0 && (st_num_significand(y) << (e + 9)) == 0);
  if (my == 0 || x == ST_NUM_ONE || (mx == ST_NUM_ONE && my == ST_NUM_INF))
    return 1;
  if (mx > ST_NUM_INF || my > ST_NUM_INF)
    return st_num_float(ST_NUM_NAN);
  if (whole && e <= 23 && (st_num_significand(y) >> (23 - e) & 1) != 0)
    sign = x & ST_NUM_SIGN;
  if (mx == 0 || mx == ST_NUM_INF)
    return st_num_float(sign | ((mx == 0) == down ? ST_NUM_INF : 0));
  if (my == ST_NUM_INF)
    return st_num_float((mx < ST_NUM_ONE) == down ? ST_NUM_INF : 0);
  if (x != mx && !whole)
    return st_num_float(ST_NUM_NAN);
  return st_num_float(sign | st_num_pow_fix(x, y));
}

/* sin(a + quarter pi/2). |a| 2/pi modulo 4 is taken from 96 bits of 2/pi that
 * start where a multiple of 4 ends (Payne and Hanek), as 2 + 62 bits. */
static inline float st_num_circular(float a, unsigned quarter) {
  uint32_t u = st_num_canon(st_num_bits(a)), sign = quarter ? 0 : u, g, t;
  uint64_t m = st_num_significand(u), w[3], f, d;
  int e = st_num_exponent(u), k, lz;
  unsigned q;
  if (e == 128)
    return st_num_float(ST_NUM_NAN);
  if (e < -12)
    return quarter ? 1 : st_num_float(u);
  for (k = 0; k < 3; k++) {
    const uint32_t *p = st_num_two_over_pi + ((e + 12) >> 5) + k;
    w[k] = (((uint64_t)p[0] << 32 | p[1]) << ((e + 12) & 31)) >> 32;
  }
  f = (m * w[0] << 32) + m * w[1] + (m * w[2] >> 32);
  q = (unsigned)((f + ((uint64_t)1 << 61)) >> 62) + quarter;
  d = f << 2 >> 2;
  if (d >> 61 != 0) {
    d = ((uint64_t)1 << 62) - d;
    sign ^= (q & 1) ? 0 : ST_NUM_SIGN;
  }
  sign = (sign ^ (q & 2) << 30) & ST_NUM_SIGN;
  t = (uint32_t)(d >> 32) & 0xffffff;
  if (q & 1)
    return st_num_float(
        st_num_norm(sign, 32, st_num_cubic(st_num_cos_tab[d >> 56], t)));
  g = st_num_cubic(st_num_sin_tab[d >> 56], t);
  lz = d == 0 ? 0 : __builtin_clzll(d);
  return st_num_float(st_num_norm(sign, 2 - lz, ((d << lz) >> 32) * g));
}

static inline float st_num_sin(float a) { return st_num_circular(a, 0); }

static inline float st_num_cos(float a) { return st_num_circular(a, 1); }

#ifndef __SYNTHESIS__
/* Four lanes, native; bad collects the lanes that need the slow path. */
typedef float StNumF4 __attribute__((vector_size(16)));
typedef int32_t StNumI4 __attribute__((vector_size(16)));

static inline StNumF4 st_num_load4(const float *a) {
  StNumF4 v;
  memcpy(&v, a, sizeof v);
  return v;
}

static inline StNumF4 st_num_add4(StNumF4 a, StNumF4 b, StNumI4 *bad) {
  StNumF4 r = a + b;
  StNumI4 m = (StNumI4)r & 0x7fffffff;
  *bad |= (m > (int32_t)ST_NUM_INF) | ((m < 0x0d000000) & (m != 0));
  return r;
}

static inline StNumF4 st_num_flush4(StNumF4 a) {
  StNumI4 u = (StNumI4)a, normal = (u & (int32_t)ST_NUM_INF) != 0;
  return (StNumF4)(u & (normal | INT32_MIN));
}

static inline StNumF4 st_num_mul4(StNumF4 a, StNumF4 b, StNumI4 *bad) {
  StNumF4 r = st_num_flush4(a) * st_num_flush4(b);
  StNumI4 m = (StNumI4)r & 0x7fffffff;
  *bad |= (m > (int32_t)ST_NUM_INF) | ((m <= (int32_t)ST_NUM_TINY) & (m != 0));
  return r;
}

static inline int st_num_any4(StNumI4 bad) {
  uint64_t half[2];
  memcpy(half, &bad, sizeof bad);
  return (half[0] | half[1]) != 0;
}

/* The vector forms give the bits of the scalar operators, element by element.
 * r may be one of the operands, but not overlap it otherwise.
 * st_num_add_n: r[i] = a[i] + b[i]; st_num_mul_n: r[i] = a[i] * b[i] */
#define ST_NUM_VECTOR(op)                                                      \
  static inline void st_num_##op##_n(float *r, const float *a, const float *b, \
                                     int n) {                                  \
    int i = 0, k;                                                              \
    for (; i + 8 <= n; i += 8) {                                               \
      const float *c = a + i, *d = b + i;                                      \
      StNumI4 bad = {0, 0, 0, 0};                                              \
      StNumF4 s = st_num_##op##4(st_num_load4(c), st_num_load4(d), &bad);      \
      StNumF4 t =                                                              \
          st_num_##op##4(st_num_load4(c + 4), st_num_load4(d + 4), &bad);      \
      if (st_num_any4(bad)) {                                                  \
        for (k = i; k < i + 8; k++)                                            \
          r[k] = st_num_##op(a[k], b[k]);                                      \
        continue;                                                              \
      }                                                                        \
      memcpy(r + i, &s, sizeof s);                                             \
      memcpy(r + i + 4, &t, sizeof t);                                         \
    }                                                                          \
    for (; i < n; i++)                                                         \
      r[i] = st_num_##op(a[i], b[i]);                                          \
  }
ST_NUM_VECTOR(add)
ST_NUM_VECTOR(mul)
#undef ST_NUM_VECTOR

/* r[i] = r[i] + a[i] * b[i], product and sum each rounded */
static inline void st_num_mac_n(float *r, const float *a, const float *b,
                                int n) {
  int i = 0, k;
  for (; i + 4 <= n; i += 4) {
    StNumI4 bad = {0, 0, 0, 0};
    StNumF4 p = st_num_mul4(st_num_load4(a + i), st_num_load4(b + i), &bad);
    StNumF4 s = st_num_add4(st_num_load4(r + i), p, &bad);
    if (st_num_any4(bad)) {
      for (k = i; k < i + 4; k++)
        r[k] = st_num_add(r[k], st_num_mul(a[k], b[k]));
      continue;
    }
    memcpy(r + i, &s, sizeof s);
  }
  for (; i < n; i++)
    r[i] = st_num_add(r[i], st_num_mul(a[i], b[i]));
}

/* r[i] = from_i32(a[i]); r[i] = from_f16(h[i]) */
static inline void st_num_from_i32_n(float *r, const int32_t *a, int n) {
  int i;
  for (i = 0; i < n; i++)
    r[i] = (float)a[i];
}

static inline void st_num_from_f16_n(float *r, const uint16_t *h, int n) {
  int i;
  for (i = 0; i < n; i++) { /* no branches: several at a time */
    uint32_t m = h[i] & 0x7fffu, sign = (uint32_t)(h[i] & 0x8000u) << 16;
    uint32_t tiny = 0u - (m < 0x400u), huge = 0u - (m >= 0x7c00u);
    uint32_t nan = 0u - (m > 0x7c00u);
    uint32_t u = (m << 13) + (112u << 23) + (huge & 112u << 23);
    float small = (float)(int32_t)m * (1.0f / (1 << 24));
    u = sign | (st_num_bits(small) & tiny) | (u & ~tiny);
    r[i] = st_num_float((ST_NUM_NAN & nan) | (u & ~nan));
  }
}

/* Sum of v[0 .. n), n > 0, by a balanced tree: neighbours pairwise, an odd last
 * one is carried up. v is overwritten. */
static inline float st_num_tree(float *v, int n) {
  for (; n > 1; n = (n + 1) / 2) {
    int i = 0, k;
    for (; 2 * i + 8 <= n; i += 4) {
      StNumI4 bad = {0, 0, 0, 0};
      StNumF4 x = st_num_load4(v + 2 * i), y = st_num_load4(v + 2 * i + 4);
      StNumF4 even = {x[0], x[2], y[0], y[2]}, odd = {x[1], x[3], y[1], y[3]};
      StNumF4 s = st_num_add4(even, odd, &bad);
      if (st_num_any4(bad))
        for (k = 0; k < 4; k++)
          s[k] = st_num_add(even[k], odd[k]);
      memcpy(v + i, &s, sizeof s);
    }
    for (; 2 * i < n; i++)
      v[i] = 2 * i + 1 < n ? st_num_add(v[2 * i], v[2 * i + 1]) : v[2 * i];
  }
  return v[0];
}

/* The tree over the products a[i] * b[i]; v holds n numbers of scratch. */
static inline float st_num_dot(float *v, const float *a, const float *b,
                               int n) {
  st_num_mul_n(v, a, b, n);
  return st_num_tree(v, n);
}
#endif

/* Integers of w <= 64 bits are held sign-extended in an int64_t; every
 * operation is two's complement modulo 2^w: compute, then wrap. */
static inline int64_t st_num_wrap(int64_t v, int w) {
  return (int64_t)((uint64_t)v << (64 - w)) >> (64 - w);
}

static inline uint64_t st_num_unsigned(int64_t v, int w) {
  return (uint64_t)v << (64 - w) >> (64 - w);
}

#define ST_NUM_INTEGER(name, op)                                               \
  static inline int64_t st_num_##name(int64_t a, int64_t b, int w) {           \
    return st_num_wrap((int64_t)((uint64_t)a op(uint64_t) b), w);              \
  }
ST_NUM_INTEGER(iadd, +)
ST_NUM_INTEGER(isub, -)
ST_NUM_INTEGER(imul, *)
#undef ST_NUM_INTEGER

/* Towards zero; x / 0 = -1 and x rem 0 = x, the minimum / -1 wraps. */
static inline int64_t st_num_idiv(int64_t a, int64_t b, int w) {
  if (b == 0)
    return -1;
  return b == -1 ? st_num_isub(0, a, w) : a / b;
}

static inline int64_t st_num_irem(int64_t a, int64_t b) {
  if (b == 0)
    return a;
  return b == -1 ? 0 : a % b;
}

/* A shift by w bits or more (n unsigned) leaves only the fill. */
static inline int64_t st_num_ishl(int64_t a, uint64_t n, int w) {
  return n >= (uint64_t)w ? 0 : st_num_wrap((int64_t)((uint64_t)a << n), w);
}

static inline int64_t st_num_isar(int64_t a, uint64_t n, int w) {
  return a >> (n >= (uint64_t)w ? w - 1 : (int)n);
}

static inline int64_t st_num_ishr(int64_t a, uint64_t n, int w) {
  uint64_t u = n >= (uint64_t)w ? 0 : st_num_unsigned(a, w) >> n;
  return st_num_wrap((int64_t)u, w);
}

#endif
