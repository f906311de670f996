/* Names of schemes, groups, and the rounding of weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "quant/grid.h"
#include "quant/scheme.h"

static bool parse(const char *text, StScheme *s) {
  StDiag *diag = st_diag_new(NULL);
  bool ok = st_scheme_parse(text, s, diag);
  assert_int_equal(ok, st_diag_errors(diag) == 0);
  st_diag_free(diag);
  return ok;
}

static void test_schemes(void **state) {
  (void)state;
  StScheme s;
  assert_true(parse("f32", &s));
  assert_int_equal(s.weight_bits, 0);
  assert_true(parse("w4a8", &s));
  assert_int_equal(s.weight_bits, 4);
  assert_int_equal(s.group, ST_GROUP_DEFAULT);
  assert_true(parse("w8a8:64", &s));
  assert_int_equal(s.weight_bits, 8);
  assert_int_equal(s.group, 64);
  static const char *const bad[] = {
      "",         "w4",       "w4a8:",  "w4a8:15", "w4a8:1025",
      "w4a8:32x", "w4a8: 32", "f32:32", "W4A8"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(parse(bad[i], &s));
}

static void test_groups(void **state) {
  (void)state;
  StScheme s = {4, 8, 128};
  assert_int_equal(st_scheme_group(&s, 1024), 128);
  assert_int_equal(st_scheme_group(&s, 576), 96);
  assert_int_equal(st_scheme_group(&s, 172), 86);
  assert_int_equal(st_scheme_group(&s, 7), 7);
  assert_int_equal(st_scheme_group(&s, 641), 0);
  for (int64_t n = 1; n < 3000; n++) {
    int64_t g = st_scheme_group(&s, n);
    assert_true(g <= 128 && (g == 0 || n % g == 0));
    assert_true(g == n || g == 0 || g >= ST_GROUP_MIN);
  }
}

static uint64_t random_bits(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return *state >> 33;
}

/* No element further from its value than the range forces; a scale of the
 * plain choice (largest magnitude on the lowest code) is never better. */
static void check_grid(int axis, int bits, int64_t group) {
  const int64_t shape[] = {3, 64, 4};
  StGrid g = {3, shape, axis, group, bits, false};
  float w[768];
  int8_t codes[768];
  uint16_t scales[768];
  uint64_t seed = 7;
  for (int i = 0; i < 768; i++)
    w[i] = (float)random_bits(&seed) / 1e9F - 1;
  st_grid_quantise(&g, w, codes, scales);
  int64_t stride = axis == 2 ? 1 : axis == 1 ? 4 : 256, at = 0;
  int64_t step[] = {256, 4, 1};
  int a = axis == 0, b = axis == 2 ? 1 : 2;
  for (int64_t i = 0; i < shape[a]; i++)
    for (int64_t j = 0; j < shape[b]; j++)
      for (int64_t k = 0; k < shape[axis]; k += group) {
        const float *from = w + i * step[a] + j * step[b] + k * stride;
        float s = st_num_from_f16(scales[at / group]), top = 0, sum = 0;
        float low = (float)-(1 << (bits - 1)), plain = 0;
        for (int64_t e = 0; e < group; e++)
          if (fabsf(from[e * stride]) > fabsf(top))
            top = from[e * stride];
        float p = st_num_from_f16(st_num_to_f16(top / low));
        for (int64_t e = 0; e < group; e++, at++) {
          float x = from[e * stride], q = rintf(x / p);
          q = q < low ? low : q > -low - 1 ? -low - 1 : q;
          plain += (x - q * p) * (x - q * p);
          sum += (x - (float)codes[at] * s) * (x - (float)codes[at] * s);
          assert_true(codes[at] >= low && codes[at] <= -low - 1);
        }
        assert_true(sum <= plain * 1.0001F);
      }
  assert_int_equal(at, 768);
}

static void test_grids(void **state) {
  (void)state;
  check_grid(2, 4, 4);
  check_grid(1, 4, 16);
  check_grid(1, 8, 64);
  check_grid(0, 8, 3);
}

static void test_odd_weights(void **state) {
  (void)state;
  const int64_t shape[] = {2, 4};
  StGrid g = {2, shape, 1, 4, 4, false};
  float w[] = {0, 0, 0, 0, NAN, INFINITY, -1, 1e-30F};
  int8_t codes[8];
  uint16_t scales[2];
  st_grid_quantise(&g, w, codes, scales);
  for (int i = 0; i < 4; i++)
    assert_int_equal(codes[i], 0);
  assert_int_equal(scales[0], 0);
  for (int i = 4; i < 8; i++)
    assert_true(codes[i] >= -8 && codes[i] <= 7);
  assert_true(isfinite(st_num_from_f16(scales[1])));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_schemes),
      cmocka_unit_test(test_groups),
      cmocka_unit_test(test_grids),
      cmocka_unit_test(test_odd_weights),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
