/* Messages: format, source lines, the limit, the ends of the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/file.h"
#include "scratch.h"

static const char source[] = "first\n\tsecond = 3\n\nlast";

static void test_format(void **state) {
  (void)state;
  StDiag *d = st_diag_new(NULL);
  st_diag_add_source(d, "m.mlir", source, strlen(source));
  st_error(d, (StLoc){"m.mlir", 2, 2}, "no op '%s'", "second");
  st_note(d, "write %d", 3);
  st_warning(d, (StLoc){"m.mlir", 4, 5}, "odd");
  st_error(d, (StLoc){"m.mlir", 9, 1}, "beyond the end");
  st_error(d, (StLoc){"m.mlir", 3, 0}, "a line");
  st_error(d, (StLoc){"m.mlir", 0, 0}, "a file");
  st_error(d, (StLoc){0}, "no place");
  assert_string_equal(st_diag_text(d), "m.mlir:2:2: error: no op 'second'\n"
                                       " second = 3\n"
                                       " ^\n"
                                       "note: write 3\n"
                                       "m.mlir:4:5: warning: odd\n"
                                       "last\n"
                                       "    ^\n"
                                       "m.mlir:9:1: error: beyond the end\n"
                                       "m.mlir:3: error: a line\n"
                                       "\n"
                                       "m.mlir: error: a file\n"
                                       "error: no place\n");
  assert_int_equal(st_diag_errors(d), 5);
  StLoc first;
  assert_string_equal(st_diag_first(d, &first), "no op 'second'");
  assert_string_equal(first.file, "m.mlir");
  assert_true(first.line == 2 && first.col == 2);
  st_diag_free(d);
  st_diag_free(NULL);
}

static void test_stream(void **state) {
  (void)state;
  char *text = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&text, &n);
  StDiag *d = st_diag_new(f);
  st_error(d, (StLoc){0}, "one");
  st_note(d, "two");
  fclose(f);
  assert_string_equal(text, "error: one\nnote: two\n");
  assert_string_equal(st_diag_text(d), text);
  free(text);
  st_diag_free(d);
}

static void test_limit(void **state) {
  (void)state;
  StDiag *d = st_diag_new(NULL);
  for (int i = 0; i < 30; i++) {
    st_error(d, (StLoc){0}, "e%d", i);
    st_note(d, "n%d", i);
  }
  st_warning(d, (StLoc){0}, "w");
  assert_int_equal(st_diag_errors(d), 30);
  const char *text = st_diag_text(d);
  assert_non_null(strstr(text, "error: e19\nnote: n19\n"
                               "note: more errors follow"));
  assert_null(strstr(text, "e20"));
  assert_null(strstr(text, "n20"));
  assert_null(strstr(text, "warning"));
  const char *more = strstr(text, "more errors");
  assert_null(strstr(more + 1, "more errors"));
  st_diag_free(d);
}

/* A line of megabytes (inline weights): only the part at the caret. */
static void test_long_line(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  size_t n = 3 << 20;
  char *text = st_arena_alloc(a, n + 1);
  memset(text, 'x', n);
  text[n / 2] = '!';
  StDiag *d = st_diag_new(NULL);
  st_diag_add_source(d, "big", text, n);
  st_error(d, (StLoc){"big", 1, (int)(n / 2) + 1}, "here");
  const char *shown = st_diag_text(d);
  assert_true(strlen(shown) < 400);
  const char *mark = strchr(shown, '!'), *caret = strchr(shown, '^');
  const char *line = strchr(shown, '\n') + 1;
  const char *below = strchr(line, '\n') + 1;
  assert_int_equal(mark - line, caret - below);
  st_diag_free(d);
  st_arena_free(a);
}

/* Sources that nobody added are read, those that were forgotten too. */
static void test_source_on_disk(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  const char *dir = scratch_make(a);
  const char *path = st_path_join(a, dir, "model.py");
  scratch_write(path, "import torch\nx = y\n", 19);
  StDiag *d = st_diag_new(NULL);
  st_error(d, (StLoc){path, 2, 5}, "bad");
  assert_string_equal(
      st_diag_text(d),
      st_arena_printf(a, "%s:2:5: error: bad\nx = y\n    ^\n", path));
  st_diag_add_source(d, path, "added\nz = w", 11);
  st_error(d, (StLoc){path, 2, 1}, "bad");
  assert_non_null(strstr(st_diag_text(d), "z = w\n^\n"));
  st_diag_add_source(d, path, NULL, 0);
  st_error(d, (StLoc){path, 1, 1}, "bad");
  assert_non_null(strstr(st_diag_text(d), "import torch\n^\n"));
  st_diag_free(d);
  scratch_remove(dir);
  st_arena_free(a);
}

static void end_fatal(const void *arg) {
  (void)arg;
  st_fatal("cannot %s", "go on");
}

static void end_check(const void *arg) {
  (void)arg;
  int one = 1;
  ST_CHECK(one == 1, "holds");
  ST_CHECK(one == 2, "one is %d", one);
}

static void test_ends(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  const char *dir = scratch_make(a);
  const char *log = st_path_join(a, dir, "log");
  StDiag *d = st_diag_new(NULL);
  size_t n;
  assert_int_equal(scratch_child(end_fatal, NULL, log), 70);
  assert_string_equal(st_file_read(a, log, &n, d),
                      "streamtensor: fatal: cannot go on\n");
  assert_int_equal(scratch_child(end_check, NULL, log), 70);
  const char *text = st_file_read(a, log, &n, d);
  assert_non_null(strstr(text, "internal error at "));
  assert_non_null(strstr(text, "test_base_diag.c:"));
  assert_non_null(strstr(text, "one is 1\n"));
  st_diag_free(d);
  scratch_remove(dir);
  st_arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_format),         cmocka_unit_test(test_stream),
      cmocka_unit_test(test_limit),          cmocka_unit_test(test_long_line),
      cmocka_unit_test(test_source_on_disk), cmocka_unit_test(test_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
