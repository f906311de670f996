/* Sizes in P and T: extremes against enumeration, text both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sym.h"
#include "scratch.h"

static void check_extremes(StSym s, int64_t ctx, int64_t chunk) {
  int64_t lo = INT64_MAX, hi = INT64_MIN;
  for (int64_t T = 1; T <= chunk && T <= ctx; T++) {
    for (int64_t P = 0; P <= ctx - T; P++) {
      int64_t x = s.c + s.p * P + s.t * T;
      assert_true(st_sym_eval(s, P, T) == x);
      lo = x < lo ? x : lo;
      hi = x > hi ? x : hi;
    }
  }
  assert_true(st_sym_min(s, ctx, chunk) == lo);
  assert_true(st_sym_max(s, ctx, chunk) == hi);
}

static void test_extremes(void **state) {
  (void)state;
  for (int64_t ctx = 1; ctx <= 9; ctx += 2)
    for (int64_t chunk = 1; chunk <= 11; chunk += 2)
      for (int64_t p = -3; p <= 3; p++)
        for (int64_t t = -3; t <= 3; t++)
          check_extremes((StSym){7, p, t}, ctx, chunk);
  assert_int_equal(st_sym_max((StSym){64, 0, 0}, 0, 0), 64);
  assert_int_equal(st_sym_min((StSym){64, 1, 1}, 0, 0), 64);
}

static void test_arithmetic(void **state) {
  (void)state;
  StSym a = {1, 2, 3}, b = {-4, 5, -6};
  assert_true(st_sym_eq(st_sym_add(a, b), (StSym){-3, 7, -3}));
  assert_true(st_sym_eq(st_sym_scale(a, -2), (StSym){-2, -4, -6}));
  assert_false(st_sym_eq(a, b));
  assert_true(st_sym_is_const(st_sym_const(5)));
  assert_false(st_sym_is_const((StSym){.t = 1}));
  assert_false(st_sym_is_const((StSym){.p = 1}));
  /* Beyond 64 bits a value stays at the end of the range. */
  assert_true(st_sym_eval((StSym){.p = INT64_MAX}, 9, 1) == INT64_MAX);
  assert_true(st_sym_eval((StSym){.p = INT64_MIN}, 9, 1) == INT64_MIN);
}

static void add_too_much(const void *arg) {
  (void)arg;
  st_sym_add((StSym){.c = INT64_MAX}, (StSym){.c = 1});
}

static void scale_too_much(const void *arg) {
  (void)arg;
  st_sym_scale((StSym){.t = INT64_MAX / 2}, 3);
}

static void test_overflow(void **state) {
  (void)state;
  assert_int_equal(scratch_child(add_too_much, NULL, "/dev/null"), 70);
  assert_int_equal(scratch_child(scale_too_much, NULL, "/dev/null"), 70);
}

static void test_text(void **state) {
  (void)state;
  static const struct {
    StSym s;
    const char *text;
  } cases[] = {
      {{0, 0, 0}, "0"},
      {{64, 0, 0}, "64"},
      {{-3, 0, 0}, "-3"},
      {{0, 1, 1}, "P+T"},
      {{0, 0, 2}, "2*T"},
      {{-1, 0, 1}, "T-1"},
      {{3, 2, 1}, "2*P+T+3"},
      {{0, 0, -1}, "-T"},
      {{0, -1, -2}, "-P-2*T"},
      {{-5, -7, 9}, "-7*P+9*T-5"},
      {{INT64_MIN, INT64_MIN, INT64_MIN},
       "-9223372036854775808*P-9223372036854775808*T-9223372036854775808"},
      {{INT64_MAX, INT64_MAX, INT64_MAX},
       "9223372036854775807*P+9223372036854775807*T+9223372036854775807"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char buf[ST_SYM_TEXT];
    StSym back;
    const char *text = cases[i].text;
    assert_string_equal(st_sym_print(buf, cases[i].s), text);
    assert_int_equal(st_sym_parse(text, strlen(text), &back), strlen(text));
    assert_true(st_sym_eq(back, cases[i].s));
  }
}

static void test_parse(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t used;
    StSym s;
  } cases[] = {
      {"T+P", 3, {0, 1, 1}},
      {"1+T+1", 5, {2, 0, 1}},
      {"T-T", 3, {0, 0, 0}},
      {"4*", 1, {4, 0, 0}},
      {"4*x", 1, {4, 0, 0}},
      {"T, P", 1, {0, 0, 1}},
      {"P+x", 1, {0, 1, 0}},
      {"T+", 1, {0, 0, 1}},
      {"", 0, {0, 0, 0}},
      {"x", 0, {0, 0, 0}},
      {"+1", 0, {0, 0, 0}},
      {"--1", 0, {0, 0, 0}},
      {"* T", 0, {0, 0, 0}},
      {"9223372036854775808", 0, {0, 0, 0}},
      {"-9223372036854775808+P", 22, {INT64_MIN, 1, 0}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    StSym s;
    const char *text = cases[i].text;
    assert_int_equal(st_sym_parse(text, strlen(text), &s), cases[i].used);
    assert_true(st_sym_eq(s, cases[i].s));
  }
  StSym s;
  assert_int_equal(st_sym_parse("12345", 3, &s), 3); /* not beyond n */
  assert_int_equal(s.c, 123);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_extremes), cmocka_unit_test(test_arithmetic),
      cmocka_unit_test(test_overflow), cmocka_unit_test(test_text),
      cmocka_unit_test(test_parse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
