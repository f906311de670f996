/* A 64-bit digest of the results of each operator of num.h on fixed pseudo-
 * random operands, one line each. C11 and C++11, so that every compiler, option
 * and language that num.h is used from can be compared; num_digest.txt has
 * the lines that all of them must print. */
#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>

enum { COUNT = 1 << 16 };

typedef struct {
  const char *name;
  float (*one)(float);
  float (*two)(float, float);
} Operator;

static float relation(float a, float b) { return (float)st_num_relation(a, b); }

static float halves(float a) { return st_num_from_f16(st_num_to_f16(a)); }

static float brains(float a) { return st_num_from_bf16(st_num_to_bf16(a)); }

static float words(float a) { return st_num_from_i32(st_num_to_i32(a)); }

static float longs(float a) { return st_num_from_i64(st_num_to_i64(a)); }

static const Operator operators[] = {
    {"add", 0, st_num_add},
    {"sub", 0, st_num_sub},
    {"mul", 0, st_num_mul},
    {"div", 0, st_num_div},
    {"pow", 0, st_num_pow},
    {"maximum", 0, st_num_maximum},
    {"minimum", 0, st_num_minimum},
    {"maxnum", 0, st_num_maxnum},
    {"minnum", 0, st_num_minnum},
    {"relation", 0, relation},
    {"neg", st_num_neg, 0},
    {"abs", st_num_abs, 0},
    {"exp", st_num_exp, 0},
    {"exp2", st_num_exp2, 0},
    {"log", st_num_log, 0},
    {"log2", st_num_log2, 0},
    {"sqrt", st_num_sqrt, 0},
    {"rsqrt", st_num_rsqrt, 0},
    {"tanh", st_num_tanh, 0},
    {"sigmoid", st_num_sigmoid, 0},
    {"erf", st_num_erf, 0},
    {"sin", st_num_sin, 0},
    {"cos", st_num_cos, 0},
    {"trunc", st_num_trunc, 0},
    {"floor", st_num_floor, 0},
    {"ceil", st_num_ceil, 0},
    {"round", st_num_round, 0},
    {"roundeven", st_num_roundeven, 0},
    {"f16", halves, 0},
    {"bf16", brains, 0},
    {"i32", words, 0},
    {"i64", longs, 0},
};

static uint32_t draw(uint64_t *state) {
  *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (uint32_t)(*state >> 32);
}

/* Any bits, or an exponent between 2^-16 and 2^15. */
static float operand(uint64_t *state) {
  uint32_t u = draw(state), r = draw(state);
  if (r % 4 != 0)
    u = (u & 0x807fffff) | (111 + (r >> 8) % 32) << 23;
  return st_num_float(u);
}

static uint64_t digest(const Operator *f) {
  uint64_t state = 1, sum = 14695981039346656037ULL;
  int i;
  for (i = 0; i < COUNT; i++) {
    float a = operand(&state), b = operand(&state);
    uint32_t r = st_num_bits(f->one ? f->one(a) : f->two(a, b));
    sum = (sum ^ r) * 1099511628211ULL;
  }
  return sum;
}

#ifndef __SYNTHESIS__
static uint64_t digest_dot(void) {
  static float a[COUNT], b[COUNT], v[COUNT];
  uint64_t state = 1, sum = 14695981039346656037ULL;
  int i;
  for (i = 0; i < COUNT; i++) {
    a[i] = operand(&state);
    b[i] = operand(&state);
  }
  for (i = 0; i + 300 < COUNT; i += 100)
    sum = (sum ^ st_num_bits(st_num_dot(v, a + i, b + i, 1 + i % 299))) *
          1099511628211ULL;
  return sum;
}
#endif

int main(void) {
  size_t i;
  for (i = 0; i < sizeof operators / sizeof operators[0]; i++)
    printf("%-10s %016" PRIx64 "\n", operators[i].name, digest(&operators[i]));
#ifndef __SYNTHESIS__
  printf("%-10s %016" PRIx64 "\n", "dot", digest_dot());
#endif
  return 0;
}
