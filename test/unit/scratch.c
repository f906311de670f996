/* Directories, files and child processes for tests. */
#include "scratch.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

const char *scratch_make(StArena *a) {
  const char *base = getenv("TMPDIR");
  char *dir =
      st_arena_printf(a, "%s/streamtensor-XXXXXX", base ? base : "/tmp");
  assert_non_null(mkdtemp(dir));
  return dir;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *at) {
  (void)st;
  (void)type;
  (void)at;
  return remove(path);
}

void scratch_remove(const char *dir) {
  assert_int_equal(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void scratch_write(const char *path, const void *data, size_t n) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
}

int scratch_entries(const char *dir) {
  DIR *d = opendir(dir);
  assert_non_null(d);
  int n = -2;
  while (readdir(d))
    n++;
  closedir(d);
  return n;
}

int scratch_child(void (*f)(const void *arg), const void *arg,
                  const char *log) {
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    if (!freopen(log, "w", stderr))
      _exit(99);
    f(arg);
    fflush(NULL);
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
