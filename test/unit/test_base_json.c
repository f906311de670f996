/* JSON: values, and the places in messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static const char text[] = "{\n"
                           "  \"a.b\": [1, {\"x\": \"q\\\"]}\", \"y\": true},"
                           " -2.5],\n"
                           "  \"n\" : null ,\n"
                           "  \"empty\": [ [], {} , 7 ],\n"
                           "  \"s\": \"\xc3\xa9\"\n"
                           "}\n";

typedef struct {
  StArena *a;
  StDiag *d;
  const StJson *root;
} Fixture;

static int setup(void **state) {
  StArena *a = st_arena_new();
  Fixture *f = ST_NEW(a, Fixture);
  *f = (Fixture){a, st_diag_new(NULL), NULL};
  f->root = st_json_parse(a, "t.json", text, strlen(text), f->d);
  *state = f;
  return f->root ? 0 : -1;
}

static int teardown(void **state) {
  Fixture *f = *state;
  st_json_close(f->root);
  st_diag_free(f->d);
  st_arena_free(f->a);
  return 0;
}

static void assert_error(const Fixture *f, const char *message) {
  if (!strstr(st_diag_text(f->d), message))
    fail_msg("no \"%s\" in: %s", message, st_diag_text(f->d));
}

static void test_values(void **state) {
  Fixture *f = *state;
  const StJson *list = st_json_need(f->root, "a.b");
  const char *s;
  int64_t i;
  double x;
  bool b;
  assert_true(st_json_object(f->root) && st_json_array(list));
  assert_int_equal(st_json_count(f->root), 4);
  assert_int_equal(st_json_count(list), 3);
  assert_int_equal(st_json_count(NULL), 0);
  assert_true(st_json_int(st_json_item(list, 0), 1, 1, &i) && i == 1);
  assert_true(st_json_get_string(st_json_item(list, 1), "x", &s));
  assert_string_equal(s, "q\"]}");
  assert_true(st_json_get_bool(st_json_item(list, 1), "y", &b) && b);
  assert_true(st_json_number(st_json_item(list, 2), &x) && x == -2.5);
  assert_true(st_json_number(st_json_item(list, 0), &x) && x == 1);
  assert_true(st_json_get_string(f->root, "s", &s));
  assert_string_equal(s, "\xc3\xa9");
  assert_null(st_json_find(f->root, "n"));
  assert_null(st_json_find(f->root, "none"));
  assert_null(st_json_find(NULL, "none"));
  assert_true(st_json_is_null(st_json_need(f->root, "n")));
  assert_int_equal(st_diag_errors(f->d), 0);
}

static void test_places(void **state) {
  Fixture *f = *state;
  const StJson *list = st_json_need(f->root, "a.b");
  const StJson *empty = st_json_need(f->root, "empty");
  const struct {
    const StJson *v;
    int line, col;
    const char *path;
  } cases[] = {
      {f->root, 1, 1, ""},
      {list, 2, 10, "a.b"},
      {st_json_item(list, 0), 2, 11, "a.b[0]"},
      {st_json_item(list, 1), 2, 14, "a.b[1]"},
      {st_json_need(st_json_item(list, 1), "x"), 2, 20, "a.b[1].x"},
      {st_json_need(st_json_item(list, 1), "y"), 2, 34, "a.b[1].y"},
      {st_json_item(list, 2), 2, 41, "a.b[2]"},
      {st_json_need(f->root, "n"), 3, 9, "n"},
      {empty, 4, 12, "empty"},
      {st_json_item(empty, 1), 4, 18, "empty[1]"},
      {st_json_item(empty, 2), 4, 23, "empty[2]"},
      {st_json_need(f->root, "s"), 5, 8, "s"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    StLoc loc = st_json_loc(cases[i].v);
    assert_string_equal(loc.file, "t.json");
    assert_int_equal(loc.line, cases[i].line);
    assert_int_equal(loc.col, cases[i].col);
    assert_string_equal(st_json_path(cases[i].v), cases[i].path);
  }
}

static void test_messages(void **state) {
  Fixture *f = *state;
  const StJson *list = st_json_need(f->root, "a.b");
  const char *s;
  int64_t i;
  double x;
  bool b;
  assert_false(st_json_string(list, &s));
  assert_string_equal(st_diag_text(f->d),
                      "t.json:2:10: error: a.b: expected a string, not an "
                      "array\n"
                      "  \"a.b\": [1, {\"x\": \"q\\\"]}\", \"y\": true}, "
                      "-2.5],\n"
                      "         ^\n");
  assert_false(st_json_int(st_json_item(list, 0), 2, 9, &i));
  assert_error(f, "t.json:2:11: error: a.b[0]: 1 is not from 2 to 9");
  assert_false(st_json_int(st_json_item(list, 2), 0, 9, &i));
  assert_error(f, "a.b[2]: expected an integer, not a number");
  assert_false(st_json_get_bool(f->root, "s", &b));
  assert_error(f, "s: expected true or false, not a string");
  assert_false(st_json_number(f->root, &x));
  assert_error(f, "t.json:1:1: error: expected a number, not an object");
  assert_false(st_json_object(list));
  assert_error(f, "a.b: expected an object, not an array");
  assert_false(st_json_array(f->root));
  assert_false(st_json_get_string(f->root, "no", &s));
  assert_error(f, "t.json:1:1: error: \"no\" is missing");
  int n = st_diag_errors(f->d);
  assert_false(st_json_get_int(NULL, "no", 0, 1, &i)); /* reported before */
  assert_false(st_json_get_number(NULL, "no", &x));
  assert_int_equal(st_diag_errors(f->d), n);
}

static void test_syntax(void **state) {
  Fixture *f = *state;
  static const struct {
    const char *text, *place;
  } cases[] = {
      {"", "bad.json:1:1: error: this is not valid JSON: "},
      {"{\n \"a\": }", "bad.json:2:7: error: this is not valid JSON: "},
      {"[1, 2", "bad.json:1:5: error: this is not valid JSON: "},
      {"{\"a\": 1,\n\"a\": 2}", "bad.json:2:3: error: this is not valid JSON: "
                                "duplicate object key"},
      {"[\"\xff\"]", "error: this is not valid JSON: "},
      {"[99999999999999999999]", "error: this is not valid JSON: too big"},
      {"[1] 2", "error: this is not valid JSON: end of file expected"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *t = cases[i].text;
    assert_null(st_json_parse(f->a, "bad.json", t, strlen(t), f->d));
    assert_error(f, cases[i].place);
    assert_int_equal(st_diag_errors(f->d), i + 1);
  }
  assert_null(st_json_open(f->a, "/nonexistent/x.json", f->d));
  assert_error(f, "/nonexistent/x.json: error: cannot open");
  st_json_close(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_values),
      TEST(test_places),
      TEST(test_messages),
      TEST(test_syntax),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
