/* Directories, files and child processes for tests. */
#include "scratch.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

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

const char *scratch_full_device(const char *dir) {
  StArena *a = st_arena_new();
  StDiag *d = st_diag_new(NULL);
  const char *pipe = st_path_join(a, dir, "pipe");
  assert_int_equal(mkfifo(pipe, 0600), 0);
  int reader = open(pipe, O_RDONLY | O_NONBLOCK);
  struct stat st;
  char byte = 0;
  assert_true(st_file_write(pipe, "x", 1, d));
  assert_int_equal(read(reader, &byte, 1), 1);
  assert_int_equal(byte, 'x');
  assert_int_equal(stat(pipe, &st), 0);
  assert_true(S_ISFIFO(st.st_mode));
  close(reader);
  assert_int_equal(remove(pipe), 0);
  st_diag_free(d);
  st_arena_free(a);
  return "/dev/full";
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
