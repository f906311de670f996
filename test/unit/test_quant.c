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
  assert_false(s.mins);
  assert_true(parse("w4a8:min", &s) && s.mins && s.group == ST_GROUP_DEFAULT);
  assert_true(parse("w8a8:32:min", &s) && s.mins && s.group == 32);
  static const char *const bad[] = {"",           "w4",
                                    "w4a8:",      "w4a8:15",
                                    "w4a8:1025",  "w4a8:32x",
                                    "w4a8: 32",   "f32:32",
                                    "W4A8",       "w4a8:99999999999999999999",
                                    "f32:min",    "w4a8:min:32",
                                    "w4a8:minx",  "w4a8:min:min",
                                    "w4a8:32:32", "w4a8,",
                                    "w4a8,x",     "w4a8,=f32",
                                    "w4a8,x=",    "w4a8,x=w4",
                                    ",x=f32",     "w4a8,x=f32,"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(parse(bad[i], &s));
}

static void test_rules(void **state) {
  (void)state;
  StScheme s;
  StSchemeRule rule;
  assert_true(parse("f32", &s) && !st_scheme_rule(&s, 0, &rule));
  assert_true(parse("w4a8:min,a.*=w8a8:64,*.b=f32,a.[xy]=w4a8", &s));
  assert_true(st_scheme_rule(&s, 1, &rule));
  assert_string_equal(rule.pattern, "*.b");
  assert_false(st_scheme_rule(&s, 3, &rule));
  static const struct {
    const char *name;
    int bits;
    int64_t group;
    bool mins;
  } want[] = {{"c", 4, 128, true},    {"a.c", 8, 64, false},
              {"a.b", 0, 0, false},   {"q.b", 0, 0, false},
              {"a.x", 4, 128, false}, {"a", 4, 128, true}};
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
    StScheme one = st_scheme_of(&s, want[i].name);
    assert_int_equal(one.weight_bits, want[i].bits);
    assert_int_equal(one.group, want[i].group);
    assert_int_equal(one.mins, want[i].mins);
    assert_null(one.rules);
  }
  char longest[ST_PATTERN_MAX + 16];
  for (int n = ST_PATTERN_MAX - 1; n <= ST_PATTERN_MAX; n++) {
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "f32,", 4);
    memcpy(longest + 4 + n, "=w4a8", 6);
    assert_int_equal(parse(longest, &s), n < ST_PATTERN_MAX);
  }
}

static void test_groups(void **state) {
  (void)state;
  StScheme s = {.weight_bits = 4, .group = 128};
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
  st_grid_quantise(&g, w, codes, scales, NULL);
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

static float through_f16(float x) { return st_num_from_f16(st_num_to_f16(x)); }

/* With minimums: no worse than the whole range in equal steps, and exact where
 * there is nothing to round. */
static void check_minimums(int bits) {
  enum { ROWS = 24, GROUP = 32, N = ROWS * GROUP };
  const int64_t shape[] = {ROWS, GROUP};
  StGrid g = {2, shape, 1, GROUP, bits, true};
  float w[N];
  int8_t codes[N];
  uint16_t scales[ROWS], mins[ROWS];
  uint64_t seed = 9;
  for (int i = 0; i < N; i++)
    w[i] = (float)random_bits(&seed) / 1e9F + (float)(i / GROUP);
  for (int i = 0; i < GROUP; i++) {
    w[i] = 1.5F;                            /* one value */
    w[GROUP + i] = 0.25F * (float)(i % 16); /* on a grid */
  }
  st_grid_quantise(&g, w, codes, scales, mins);
  for (int r = 0; r < ROWS; r++) {
    float low = INFINITY, high = -INFINITY, sum = 0, plain = 0;
    for (int i = r * GROUP; i < (r + 1) * GROUP; i++) {
      low = w[i] < low ? w[i] : low;
      high = w[i] > high ? w[i] : high;
    }
    float step = through_f16((high - low) / (float)((1 << bits) - 1));
    float zero = bits == 8 ? 128 : 0, most = (float)(1 << bits) - 1 - zero;
    float min = through_f16(low + zero * step);
    for (int i = r * GROUP; i < (r + 1) * GROUP; i++) {
      assert_true(bits == 8 || (codes[i] >= -8 && codes[i] <= 7));
      float code = (float)(bits == 4 ? codes[i] & 15 : codes[i]);
      float e =
          w[i] - (code * st_num_from_f16(scales[r]) + st_num_from_f16(mins[r]));
      float p = step == 0 ? 0 : rintf((w[i] - min) / step);
      p = w[i] - (fminf(fmaxf(p, -zero), most) * step + min);
      sum += e * e;
      plain += p * p;
    }
    assert_true(r < 1 || (r < 2 && bits == 4) ? sum < 1e-9F
                                              : sum <= plain * 1.01F + 1e-5F);
  }
}

static void test_minimums(void **state) {
  (void)state;
  check_minimums(4);
  check_minimums(8);
}

static void test_odd_weights(void **state) {
  (void)state;
  const int64_t shape[] = {2, 4};
  StGrid g = {2, shape, 1, 4, 4, false};
  float w[] = {0, 0, 0, 0, NAN, INFINITY, -1, 1e-30F};
  int8_t codes[8];
  uint16_t scales[2];
  st_grid_quantise(&g, w, codes, scales, NULL);
  for (int i = 0; i < 4; i++)
    assert_int_equal(codes[i], 0);
  assert_int_equal(scales[0], 0);
  for (int i = 4; i < 8; i++)
    assert_true(codes[i] >= -8 && codes[i] <= 7);
  assert_true(isfinite(st_num_from_f16(scales[1])));
  g.mins = true;
  uint16_t mins[2];
  st_grid_quantise(&g, w, codes, scales, mins);
  for (int i = 0; i < 8; i++)
    assert_true(codes[i] >= -8 && codes[i] <= 7);
  for (int i = 0; i < 2; i++)
    assert_true(isfinite(st_num_from_f16(scales[i])) &&
                isfinite(st_num_from_f16(mins[i])));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_schemes),  cmocka_unit_test(test_rules),
      cmocka_unit_test(test_groups),   cmocka_unit_test(test_grids),
      cmocka_unit_test(test_minimums), cmocka_unit_test(test_odd_weights),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
