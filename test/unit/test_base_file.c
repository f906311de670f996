/* Files and directories: what is written, and what a failure leaves. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "scratch.h"

typedef struct {
  StArena *a;
  const char *dir;
  StDiag *d;
} Fixture;

static int setup(void **state) {
  StArena *a = st_arena_new();
  Fixture *f = ST_NEW(a, Fixture);
  *f = (Fixture){a, scratch_make(a), st_diag_new(NULL)};
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Fixture *f = *state;
  scratch_remove(f->dir);
  st_diag_free(f->d);
  st_arena_free(f->a);
  return 0;
}

static const char *in(const Fixture *f, const char *name) {
  return st_path_join(f->a, f->dir, name);
}

static void assert_content(const Fixture *f, const char *path,
                           const char *text) {
  size_t n = 0;
  const char *got = st_file_read(f->a, path, &n, f->d);
  assert_non_null(got);
  assert_string_equal(got, text);
  assert_int_equal(n, strlen(text));
}

static void assert_error(const Fixture *f, const char *text) {
  if (!strstr(st_diag_text(f->d), text))
    fail_msg("no \"%s\" in: %s", text, st_diag_text(f->d));
}

static void test_read(void **state) {
  Fixture *f = *state;
  size_t n = 7;
  scratch_write(in(f, "x"), "abc", 3);
  scratch_write(in(f, "empty"), "", 0);
  assert_content(f, in(f, "x"), "abc");
  assert_content(f, in(f, "empty"), "");
  /* Its size is not known beforehand. */
  assert_non_null(st_file_read(f->a, "/proc/self/maps", &n, f->d));
  assert_true(n > 100);
  assert_int_equal(st_diag_errors(f->d), 0);
  assert_null(st_file_read(f->a, in(f, "none"), &n, f->d));
  assert_error(f, "none: error: cannot open: No such file");
  assert_null(st_file_read(f->a, f->dir, &n, f->d));
  assert_error(f, "error: cannot read: Is a directory");
}

static void test_map(void **state) {
  Fixture *f = *state;
  StMap m;
  scratch_write(in(f, "x"), "abc", 3);
  scratch_write(in(f, "empty"), "", 0);
  assert_true(st_map_open(&m, in(f, "x"), f->d));
  assert_int_equal(m.size, 3);
  assert_memory_equal(m.data, "abc", 3);
  st_map_close(&m);
  assert_true(st_map_open(&m, in(f, "empty"), f->d));
  assert_int_equal(m.size, 0);
  assert_non_null(m.data);
  st_map_close(&m);
  assert_false(st_map_open(&m, in(f, "none"), f->d));
  assert_false(st_map_open(&m, f->dir, f->d));
  assert_error(f, "cannot open: it is a directory");
  assert_false(st_map_open(&m, "/dev/null", f->d));
  assert_error(f, "cannot open: it is not a regular file");
}

static void test_write(void **state) {
  Fixture *f = *state;
  const char *path = in(f, "x");
  assert_true(st_file_write(path, "one", 3, f->d));
  assert_content(f, path, "one");
  assert_int_equal(chmod(path, 0640), 0);
  assert_true(st_file_write(path, "two", 3, f->d));
  assert_content(f, path, "two");
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0640);
  assert_int_equal(symlink("x", in(f, "link")), 0);
  assert_true(st_file_write(in(f, "link"), "three", 5, f->d));
  assert_content(f, path, "three"); /* the link is still one */
  assert_int_equal(lstat(in(f, "link"), &st), 0);
  assert_true(S_ISLNK(st.st_mode));
  assert_int_equal(scratch_entries(f->dir), 2);
}

static void test_pieces(void **state) {
  Fixture *f = *state;
  const char *path = in(f, "x");
  StWriter *w = st_writer_open(path, f->d);
  enum { N = 300000 };
  char *text = st_arena_alloc(f->a, N + 1);
  for (int i = 0; i < N; i++)
    text[i] = (char)('a' + i % 26);
  size_t at = 0;
  for (size_t n = 0; at + n <= N; n += 199) { /* also of 0 bytes */
    assert_true(st_writer_put(w, text + at, n));
    at += n;
  }
  assert_true(st_writer_put(w, text + at, N - at));
  assert_false(st_path_exists(path));
  assert_true(st_writer_commit(w));
  assert_content(f, path, text);
  w = st_writer_open(path, f->d);
  assert_true(st_writer_put(w, "other", 5));
  st_writer_abort(w);
  assert_content(f, path, text);
  assert_int_equal(scratch_entries(f->dir), 1);
}

static void test_full_device(void **state) {
  Fixture *f = *state;
  enum { N = 200000 };
  char *zeros = st_arena_alloc(f->a, N);
  const char *full = scratch_full_device(f->dir);
  assert_false(st_file_write(full, zeros, N, f->d));
  assert_string_equal(st_diag_text(f->d),
                      "/dev/full: error: cannot write: No space left on "
                      "device\nnote: free some space, or choose another "
                      "place\n");
  assert_false(st_file_write(full, "x", 1, f->d)); /* found at the end */
  assert_int_equal(st_diag_errors(f->d), 2);
}

static void test_unwritable(void **state) {
  Fixture *f = *state;
  scratch_write(in(f, "file"), "x", 1);
  assert_false(st_file_write(in(f, "file/y"), "x", 1, f->d));
  assert_error(f, "file/y: error: cannot write: Not a directory");
  assert_false(st_file_write(in(f, "no/y"), "x", 1, f->d));
  assert_error(f, "no/y: error: cannot write: No such file or directory\n"
                  "note: make its directory first");
  assert_false(st_file_write(f->dir, "x", 1, f->d));
  assert_error(f, "cannot write: Is a directory");
  assert_false(st_file_write("/proc/streamtensor-test", "x", 1, f->d));
  assert_null(st_dirtx_begin("/proc/streamtensor-test/x", "m", f->d));
  assert_null(st_dirtx_begin(in(f, "file/y"), "m", f->d));
  assert_error(f, "file/y: error: cannot write this directory: Not a dir");
  assert_int_equal(st_diag_errors(f->d), 6);
}

/* Writes past a limit on the size of files, as if the disk were full. */
static void write_too_much(const void *arg) {
  const Fixture *f = arg;
  struct rlimit limit = {100000, 100000};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  char *zeros = st_arena_alloc(f->a, 300000);
  if (st_file_write(in(f, "x"), zeros, 300000, f->d))
    _exit(1);
  StDirTx *tx = st_dirtx_begin(in(f, "d"), "m", f->d);
  if (!tx || st_file_write(st_dirtx_path(tx, "m"), zeros, 300000, f->d))
    _exit(2);
  st_dirtx_abort(tx);
  _exit(st_diag_errors(f->d) == 2 ? 0 : 3);
}

static void test_fails_midway(void **state) {
  Fixture *f = *state;
  scratch_write(in(f, "x"), "old", 3);
  assert_int_equal(scratch_child(write_too_much, f, "/dev/null"), 0);
  assert_content(f, in(f, "x"), "old");
  assert_int_equal(scratch_entries(f->dir), 1); /* no temporary files */
}

static void test_paths(void **state) {
  Fixture *f = *state;
  assert_string_equal(st_path_join(f->a, "a", "b"), "a/b");
  assert_string_equal(st_path_join(f->a, "a/", "b"), "a/b");
  assert_string_equal(st_path_join(f->a, "a", "/b"), "/b");
  assert_string_equal(st_path_join(f->a, ".", "b"), "b");
  assert_string_equal(st_path_join(f->a, "", "b"), "b");
  assert_string_equal(st_path_join(f->a, "/", "b"), "/b");
  assert_string_equal(st_path_base("a/b"), "b");
  assert_string_equal(st_path_base("b"), "b");
  assert_true(st_dir_make(in(f, "p/q/r"), f->d));
  assert_true(st_dir_make(in(f, "p/q/r"), f->d));
  assert_true(st_path_is_dir(in(f, "p/q/r")));
  scratch_write(in(f, "x"), "", 0);
  assert_true(st_path_exists(in(f, "x")));
  assert_false(st_path_is_dir(in(f, "x")));
  assert_false(st_dir_make(in(f, "x/y"), f->d));
  assert_error(f, "x/y: error: cannot make this directory: Not a directory");
}

/* ---- directories ------------------------------------------------------ */

/* begin and two files. */
static StDirTx *fill(const Fixture *f, const char *path, const char *text) {
  StDirTx *tx = st_dirtx_begin(path, "mark", f->d);
  assert_non_null(tx);
  size_t n = strlen(text);
  assert_true(st_file_write(st_dirtx_path(tx, "mark"), text, n, f->d));
  assert_true(st_file_write(st_dirtx_path(tx, "sub/deep/x"), text, n, f->d));
  return tx;
}

static void test_dir_new(void **state) {
  Fixture *f = *state;
  const char *path = in(f, "a/b/out");
  StDirTx *tx = fill(f, path, "1");
  assert_false(st_path_exists(path));
  assert_true(st_path_is_dir(st_dirtx_path(tx, "")));
  assert_true(st_dirtx_commit(tx));
  assert_content(f, in(f, "a/b/out/mark"), "1");
  assert_content(f, in(f, "a/b/out/sub/deep/x"), "1");
  assert_int_equal(scratch_entries(in(f, "a/b")), 1);
}

static void test_dir_replace(void **state) {
  Fixture *f = *state;
  const char *path = in(f, "out");
  assert_int_equal(mkdir(path, 0750), 0); /* empty: may be replaced */
  assert_true(st_dirtx_commit(fill(f, in(f, "out/"), "1")));
  scratch_write(in(f, "out/stale"), "", 0);
  st_dirtx_abort(fill(f, path, "2"));
  assert_content(f, in(f, "out/mark"), "1");
  assert_true(st_dirtx_commit(fill(f, path, "3")));
  assert_content(f, in(f, "out/mark"), "3");
  assert_false(st_path_exists(in(f, "out/stale")));
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0750);
  assert_int_equal(symlink("out", in(f, "link")), 0);
  assert_true(st_dirtx_commit(fill(f, in(f, "link"), "4")));
  assert_content(f, in(f, "out/mark"), "4");
  assert_int_equal(scratch_entries(f->dir), 2);
  assert_int_equal(st_diag_errors(f->d), 0);
}

/* Two at once: the later one replaces the earlier, as if it had waited; what
 * is somebody else's stays. */
static void test_dir_race(void **state) {
  Fixture *f = *state;
  const char *path = in(f, "out");
  StDirTx *one = fill(f, path, "1"), *two = fill(f, path, "2");
  StDirTx *three = fill(f, in(f, "home"), "3");
  assert_true(st_dirtx_commit(one));
  assert_true(st_dirtx_commit(two));
  assert_content(f, in(f, "out/mark"), "2");
  assert_int_equal(mkdir(in(f, "home"), 0755), 0);
  scratch_write(in(f, "home/thesis"), "x", 1);
  assert_false(st_dirtx_commit(three));
  assert_error(f, "home: error: not replaced");
  assert_content(f, in(f, "home/thesis"), "x");
  assert_int_equal(scratch_entries(f->dir), 2);
}

static void test_dir_refuses(void **state) {
  Fixture *f = *state;
  assert_int_equal(mkdir(in(f, "home"), 0755), 0);
  scratch_write(in(f, "home/thesis"), "x", 1);
  assert_null(st_dirtx_begin(in(f, "home"), "mark", f->d));
  assert_error(f, "home: error: not replaced: this directory has other "
                  "content (no mark)\n");
  assert_null(st_dirtx_begin(in(f, "home/thesis"), "mark", f->d));
  assert_error(f, "thesis: error: not replaced: this is not a directory");
  assert_null(st_dirtx_begin("", "mark", f->d));
  assert_null(st_dirtx_begin("/", "mark", f->d));
  assert_content(f, in(f, "home/thesis"), "x");
  assert_int_equal(scratch_entries(f->dir), 1);
}

static void forget_marker(const void *arg) {
  const Fixture *f = arg;
  StDirTx *tx = st_dirtx_begin(in(f, "d"), "mark", f->d);
  st_dirtx_commit(tx);
}

static void leave_directory(const void *arg) {
  const Fixture *f = arg;
  st_dirtx_path(st_dirtx_begin(in(f, "d"), "mark", f->d), "a/../../b");
}

static void test_dir_misuse(void **state) {
  Fixture *f = *state;
  assert_int_equal(scratch_child(forget_marker, f, "/dev/null"), 70);
  assert_int_equal(scratch_child(leave_directory, f, "/dev/null"), 70);
}

static void die_before_commit(const void *arg) {
  fill(arg, in(arg, "out"), "2");
  kill(getpid(), SIGKILL);
}

static void die_in_write(const void *arg) {
  StWriter *w = st_writer_open(in(arg, "x"), ((const Fixture *)arg)->d);
  st_writer_put(w, "new", 3);
  kill(getpid(), SIGKILL);
}

/* Replaces the directory again and again until it is killed. */
static void replace_forever(const void *arg) {
  const Fixture *f = arg;
  alarm(1);
  for (int i = 0;; i++)
    st_dirtx_commit(
        fill(f, in(f, "out"), st_arena_printf(f->a, "%d%0*d", i, 4000, i)));
}

static void test_killed(void **state) {
  Fixture *f = *state;
  assert_true(st_dirtx_commit(fill(f, in(f, "out"), "1")));
  scratch_write(in(f, "x"), "old", 3);
  assert_int_equal(scratch_child(die_before_commit, f, "/dev/null"), -SIGKILL);
  assert_int_equal(scratch_child(die_in_write, f, "/dev/null"), -SIGKILL);
  assert_content(f, in(f, "out/mark"), "1");
  assert_content(f, in(f, "x"), "old");
  assert_int_equal(scratch_child(replace_forever, f, "/dev/null"), -SIGALRM);
  size_t n, m;
  const char *one = st_file_read(f->a, in(f, "out/mark"), &n, f->d);
  const char *two = st_file_read(f->a, in(f, "out/sub/deep/x"), &m, f->d);
  assert_non_null(one);
  assert_non_null(two);
  assert_true(n > 4000 && n == m);
  assert_memory_equal(one, two, n); /* of one and the same version */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_read),         TEST(test_map),         TEST(test_write),
      TEST(test_pieces),       TEST(test_full_device), TEST(test_unwritable),
      TEST(test_fails_midway), TEST(test_paths),       TEST(test_dir_new),
      TEST(test_dir_replace),  TEST(test_dir_refuses), TEST(test_dir_misuse),
      TEST(test_dir_race),     TEST(test_killed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
