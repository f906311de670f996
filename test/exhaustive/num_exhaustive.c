/* Every binary32 operand of the one-operand functions of num.h against the
 * double precision library, or only every STEP-th.
 *
 *   num_exhaustive [-s STEP] [FUNCTION ...]
 *
 * Prints per function the largest error in units in the last place (of the
 * exact result's binade), the operand that has it, the share of results that
 * are not the nearest number, and the time. Exits with 1 if a bound is
 * exceeded. Not part of the test suite: a function takes one to four minutes.
 *
 * cc -std=c11 -O2 -ffp-contract=off -Isrc test/exhaustive/num_exhaustive.c -lm
 */
#include "base/num.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct {
  const char *name;
  float (*fn)(float);
  double (*ref)(double);
  double bound; /* ulp */
} Function;

typedef struct {
  double worst; /* ulp; INFINITY for a wrong special value */
  uint32_t at;
  uint64_t count, inexact;
} Result;

static double ref_rsqrt(double x) { return 1 / sqrt(x); }

static double ref_sigmoid(double x) {
  double e = exp(-fabs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

static const Function functions[] = {
    {"exp", st_num_exp, exp, 1},
    {"exp2", st_num_exp2, exp2, 1},
    {"log", st_num_log, log, 1},
    {"log2", st_num_log2, log2, 1},
    {"rsqrt", st_num_rsqrt, ref_rsqrt, 1},
    {"sqrt", st_num_sqrt, sqrt, 0.5},
    {"tanh", st_num_tanh, tanh, 2},
    {"sigmoid", st_num_sigmoid, ref_sigmoid, 2},
    {"erf", st_num_erf, erf, 2},
    {"sin", st_num_sin, sin, 2},
    {"cos", st_num_cos, cos, 2},
    {"trunc", st_num_trunc, trunc, 0},
    {"floor", st_num_floor, floor, 0},
    {"ceil", st_num_ceil, ceil, 0},
    {"round", st_num_round, round, 0},
    {"roundeven", st_num_roundeven, rint, 0},
};

static int is_minus(double x) { return signbit(x) != 0; }

/* |got - want| in ulp of want; want is a double with the flush still to do. */
static double error_of(float got, double want) {
  uint64_t w, e;
  double ulp, mag = fabs(want);
  memcpy(&w, &mag, sizeof w);
  if (want != want)
    return st_num_bits(got) == ST_NUM_NAN ? 0 : INFINITY;
  if (mag >= 0x1.ffffffp127)
    return isinf(got) && is_minus((double)got) == is_minus(want) ? 0 : INFINITY;
  if (mag < 0x1p-126) {
    int zero = got == 0 && is_minus((double)got) == is_minus(want);
    return zero || mag > 0x1.fffffep-127 ? 0 : INFINITY;
  }
  if (isnan(got) || is_minus((double)got) != is_minus(want))
    return INFINITY;
  e = (w >> 52) - 23;
  w = e << 52;
  memcpy(&ulp, &w, sizeof ulp);
  if (isinf(got))
    return (0x1p128 - mag) / ulp;
  return fabs((double)got - want) / ulp;
}

static Result scan(const Function *f, uint64_t step) {
  Result r = {-1, 0, 0, 0};
  uint64_t u;
  for (u = 0; u < (uint64_t)1 << 32; u += step) {
    uint32_t bits = (uint32_t)u;
    float x = st_num_float(st_num_flush(bits));
    double want = f->ref((double)x);
    float got = f->fn(st_num_float(bits));
    double error = error_of(got, want);
    r.count++;
    r.inexact += error > 0.5;
    if (error > r.worst) {
      r.worst = error;
      r.at = bits;
    }
  }
  return r;
}

static int is_wanted(const char *name, char **names, int count) {
  int i;
  for (i = 0; i < count; i++)
    if (strcmp(name, names[i]) == 0)
      return 1;
  return count == 0;
}

int main(int argc, char **argv) {
  uint64_t step = 1;
  int first = 1, bad = 0;
  size_t i;
  if (argc > 2 && strcmp(argv[1], "-s") == 0) {
    step = strtoull(argv[2], NULL, 10);
    first = 3;
  }
  if (step == 0) {
    fprintf(stderr, "usage: num_exhaustive [-s STEP] [FUNCTION ...]\n");
    return 2;
  }
  for (i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    const Function *f = &functions[i];
    Result r;
    clock_t start = clock();
    if (!is_wanted(f->name, argv + first, argc - first))
      continue;
    r = scan(f, step);
    bad |= r.worst > f->bound;
    printf("%-10s %8.5f ulp at 0x%08" PRIx32 " (%.9g), %.4f %% not nearest, "
           "%" PRIu64 " operands, %.0f s%s\n",
           f->name, r.worst, r.at, (double)st_num_float(r.at),
           100 * (double)r.inexact / (double)r.count, r.count,
           (double)(clock() - start) / CLOCKS_PER_SEC,
           r.worst > f->bound ? " EXCEEDS ITS BOUND" : "");
    fflush(stdout);
  }
  return bad;
}
