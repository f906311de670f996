/* What the one-operand functions of num.h should give, from the double
 * precision library, and the error of a result in ulp. The bounds are the
 * largest errors over all 2^32 operands (doc/numerics.md), rounded up. */
#ifndef ST_UNIT_NUM_REFERENCE_H
#define ST_UNIT_NUM_REFERENCE_H

#include "base/num.h"

#include <math.h>

typedef struct {
  const char *name;
  float (*fn)(float);
  double (*ref)(double);
  double bound; /* ulp */
} Function;

static double ref_rsqrt(double x) { return 1 / sqrt(x); }

static double ref_sigmoid(double x) {
  double e = exp(-fabs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

static const Function functions[] = {
    {"exp", st_num_exp, exp, 0.51},
    {"exp2", st_num_exp2, exp2, 0.51},
    {"log", st_num_log, log, 0.51},
    {"log2", st_num_log2, log2, 0.51},
    {"rsqrt", st_num_rsqrt, ref_rsqrt, 0.52},
    {"sqrt", st_num_sqrt, sqrt, 0.5},
    {"tanh", st_num_tanh, tanh, 0.59},
    {"sigmoid", st_num_sigmoid, ref_sigmoid, 0.52},
    {"erf", st_num_erf, erf, 0.55},
    {"sin", st_num_sin, sin, 0.53},
    {"cos", st_num_cos, cos, 0.53},
    {"trunc", st_num_trunc, trunc, 0},
    {"floor", st_num_floor, floor, 0},
    {"ceil", st_num_ceil, ceil, 0},
    {"round", st_num_round, round, 0},
    {"roundeven", st_num_roundeven, rint, 0},
};

enum { FUNCTION_COUNT = sizeof functions / sizeof functions[0] };

static int is_minus(double x) { return signbit(x) != 0; }

/* |got - want| in units in the last place of want's binade; INFINITY for a
 * wrong special value. want is not flushed yet; within 2^-24 of 2^-126 it may
 * be or not be, as tiny is decided on the computed value. */
static double error_of(float got, double want) {
  uint64_t w;
  double ulp, mag = fabs(want);
  memcpy(&w, &mag, sizeof w);
  if (want != want)
    return st_num_bits(got) == ST_NUM_NAN ? 0 : (double)INFINITY;
  if (got != got || is_minus((double)got) != is_minus(want))
    return (double)INFINITY;
  if (mag >= 0x1.ffffffp127)
    return isinf(got) ? 0 : (double)INFINITY;
  if (got == 0 && mag < 0x1.000001p-126)
    return 0;
  if (mag < 0x1.fffffep-127)
    return (double)INFINITY;
  w = ((w >> 52) - 23) << 52;
  memcpy(&ulp, &w, sizeof ulp);
  return fabs((isinf(got) ? copysign(0x1p128, want) : (double)got) - want) /
         ulp;
}

/* The error of f for the operand with the given bits. */
static double error_at(const Function *f, uint32_t bits) {
  double x = (double)st_num_float(st_num_flush(bits));
  return error_of(f->fn(st_num_float(bits)), f->ref(x));
}

#endif
