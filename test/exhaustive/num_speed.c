/* Throughput of num.h in this build, in millions of results a second.
 *
 * cc -std=c11 -O2 -ffp-contract=off -Isrc test/exhaustive/num_speed.c */
#include "base/num.h"

#include <stdio.h>
#include <time.h>

enum { N = 4096, ROUNDS = 4000 };

typedef void Vector(float *r, const float *a, const float *b, int n);
typedef float Scalar(float);

static double seconds(clock_t start) {
  return (double)(clock() - start) / CLOCKS_PER_SEC;
}

static void report(const char *name, clock_t start) {
  printf("%-10s %8.0f M/s\n", name, 1e-6 * N * ROUNDS / seconds(start));
}

static void add_each(float *r, const float *a, const float *b, int n) {
  for (int i = 0; i < n; i++)
    r[i] = st_num_add(a[i], b[i]);
}

static void mul_each(float *r, const float *a, const float *b, int n) {
  for (int i = 0; i < n; i++)
    r[i] = st_num_mul(a[i], b[i]);
}

static void div_each(float *r, const float *a, const float *b, int n) {
  for (int i = 0; i < n; i++)
    r[i] = st_num_div(a[i], b[i]);
}

static void dot_16(float *r, const float *a, const float *b, int n) {
  float v[16];
  for (int i = 0; i + 16 <= n; i += 16)
    r[i] = st_num_dot(v, a + i, b + i, 16);
}

static void dot_128(float *r, const float *a, const float *b, int n) {
  float v[128];
  for (int i = 0; i + 128 <= n; i += 128)
    r[i] = st_num_dot(v, a + i, b + i, 128);
}

#define SCALAR(name)                                                           \
  static void name##_each(float *r, const float *a, const float *b, int n) {   \
    (void)b;                                                                   \
    for (int i = 0; i < n; i++)                                                \
      r[i] = st_num_##name(a[i]);                                              \
  }
SCALAR(exp)
SCALAR(log)
SCALAR(rsqrt)
SCALAR(sqrt)
SCALAR(tanh)
SCALAR(sigmoid)
SCALAR(erf)
SCALAR(sin)
SCALAR(roundeven)

int main(void) {
  static const struct {
    const char *name;
    Vector *fn;
  } cases[] = {
      {"add", add_each},
      {"mul", mul_each},
      {"div", div_each},
      {"add_n", st_num_add_n},
      {"mul_n", st_num_mul_n},
      {"mac_n", st_num_mac_n},
      {"dot 16", dot_16},
      {"dot 128", dot_128},
      {"exp", exp_each},
      {"log", log_each},
      {"rsqrt", rsqrt_each},
      {"sqrt", sqrt_each},
      {"tanh", tanh_each},
      {"sigmoid", sigmoid_each},
      {"erf", erf_each},
      {"sin", sin_each},
      {"roundeven", roundeven_each},
  };
  static float a[N], b[N], r[N];
  uint32_t seed = 1;
  for (int i = 0; i < N; i++) {
    seed = seed * 1664525u + 1013904223u;
    a[i] = (float)(seed >> 8) * 0x1p-22f;
    seed = seed * 1664525u + 1013904223u;
    b[i] = (float)(seed >> 8) * 0x1p-23f - 1;
  }
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    clock_t start = clock();
    memset(r, 0, sizeof r);
    for (int k = 0; k < ROUNDS; k++) {
      cases[c].fn(r, a, b, N);
      a[k % N] = r[(k * 7) % N] > 4 ? 1.5f : a[k % N];
    }
    report(cases[c].name, start);
  }
  return 0;
}
