/* Paths, and directories that appear all at once. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

enum { TRIES = 1000, OPEN_DIRS = 16, STALE_SECONDS = 3600 };

static StLoc at_path(const char *path) { return (StLoc){.file = path}; }

bool st_path_exists(const char *path) {
  struct stat st;
  return stat(path, &st) == 0;
}

bool st_path_is_dir(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

const char *st_path_base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

char *st_path_join(StArena *a, const char *dir, const char *name) {
  size_t n = strlen(dir);
  if (name[0] == '/' || n == 0 || !strcmp(dir, "."))
    return st_arena_strdup(a, name);
  return st_arena_printf(a, "%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name);
}

static int make_one(const char *path) {
  if (mkdir(path, 0777) == 0)
    return 0;
  if (errno == EEXIST) {
    if (st_path_is_dir(path))
      return 0;
    errno = ENOTDIR;
  }
  return -1;
}

/* 0, or -1 with errno set. */
static int make_dirs(char *path) {
  for (char *p = path + (*path == '/'); *p; p++) {
    if (*p != '/')
      continue;
    *p = 0;
    int r = make_one(path);
    *p = '/';
    if (r < 0)
      return -1;
  }
  return make_one(path);
}

bool st_dir_make(const char *path, StDiag *diag) {
  StArena *a = st_arena_new();
  int r = make_dirs(st_arena_strdup(a, path));
  if (r < 0)
    st_error(diag, at_path(path), "cannot make this directory: %s",
             strerror(errno));
  st_arena_free(a);
  return r == 0;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *at) {
  (void)st;
  (void)type;
  (void)at;
  return remove(path);
}

static int remove_tree(const char *path) {
  return nftw(path, remove_one, OPEN_DIRS, FTW_DEPTH | FTW_PHYS);
}

/* ---- transactions ----------------------------------------------------- */

struct StDirTx {
  StArena *arena;
  StDiag *diag;
  const char *path; /* as asked for, for messages */
  const char *to;   /* with links resolved, without '/' at the end */
  const char *temp;
  const char *marker;
  bool replaces; /* there is a directory at `to` */
  bool failed;   /* and reported */
};

static bool fail(StDirTx *tx, const char *what) {
  int reason = errno;
  if (!tx->failed) {
    st_error(tx->diag, at_path(tx->path), "cannot %s: %s", what,
             strerror(reason));
    if (reason == ENOSPC || reason == EDQUOT)
      st_note(tx->diag, "free some space, or choose another place");
  }
  tx->failed = true;
  return false;
}

static bool is_empty_dir(const char *path) {
  DIR *d = opendir(path);
  if (!d)
    return false;
  int n = 0;
  for (struct dirent *e; n <= 2 && (e = readdir(d));)
    n++;
  closedir(d);
  return n <= 2; /* "." and ".." */
}

/* What is at the path may be replaced. */
static bool check_target(StDirTx *tx) {
  struct stat st;
  if (stat(tx->to, &st) < 0)
    return errno == ENOENT || fail(tx, "write this directory");
  tx->replaces = true;
  const char *marker = st_path_join(tx->arena, tx->to, tx->marker);
  if (S_ISDIR(st.st_mode) && (st_path_exists(marker) || is_empty_dir(tx->to)))
    return true;
  tx->failed = true;
  st_error(tx->diag, at_path(tx->path),
           S_ISDIR(st.st_mode)
               ? "not replaced: this directory has other content (no %s)"
               : "not replaced: this is not a directory (with %s)",
           tx->marker);
  st_note(tx->diag, "choose another place, or remove it first");
  return false;
}

/* Left by a process that is gone (or so old that the number is another's). */
static bool is_stale(const char *path, const char *process) {
  char *end;
  long pid = strtol(process, &end, 10);
  struct stat st;
  if (end == process || *end != '-' || end[1] < '0' || end[1] > '9' ||
      end[1 + strspn(end + 1, "0123456789")] || pid <= 0 || pid > INT_MAX)
    return false;
  if (kill((pid_t)pid, 0) < 0 && errno == ESRCH)
    return true;
  return stat(path, &st) == 0 && time(NULL) - st.st_mtime > STALE_SECONDS;
}

/* Temporary directories of runs that were killed, beside `to`. */
static void remove_stale(const StDirTx *tx, const char *parent) {
  const char *prefix =
      st_arena_printf(tx->arena, "%s.tmp-", st_path_base(tx->to));
  size_t n = strlen(prefix);
  DIR *d = opendir(parent);
  for (struct dirent *e; d && (e = readdir(d));) {
    if (strncmp(e->d_name, prefix, n))
      continue;
    const char *path = st_path_join(tx->arena, parent, e->d_name);
    if (is_stale(path, e->d_name + n))
      remove_tree(path);
  }
  if (d)
    closedir(d);
}

static bool make_temp(StDirTx *tx) {
  char *parent = st_arena_strdup(tx->arena, tx->to);
  char *slash = strrchr(parent, '/');
  if (slash && slash > parent) {
    *slash = 0;
    if (make_dirs(parent) < 0)
      return fail(tx, "make its parent directory");
  }
  remove_stale(tx, !slash ? "." : slash == parent ? "/" : parent);
  for (int i = 0; i < TRIES; i++) {
    tx->temp =
        st_arena_printf(tx->arena, "%s.tmp-%ld-%d", tx->to, (long)getpid(), i);
    if (mkdir(tx->temp, 0777) == 0)
      return true;
    if (errno != EEXIST)
      break;
  }
  tx->temp = NULL;
  return fail(tx, "write this directory");
}

StDirTx *st_dirtx_begin(const char *path, const char *marker, StDiag *diag) {
  StArena *a = st_arena_new();
  StDirTx *tx = ST_NEW(a, StDirTx);
  *tx = (StDirTx){.arena = a, .diag = diag};
  tx->path = st_arena_strdup(a, path);
  tx->marker = st_arena_strdup(a, marker);
  char *real = realpath(path, NULL);
  char *to = st_arena_strdup(a, real ? real : path);
  free(real);
  for (size_t n = strlen(to); n > 1 && to[n - 1] == '/'; n--)
    to[n - 1] = 0;
  tx->to = to;
  if (!*to) {
    errno = ENOENT;
    fail(tx, "write this directory");
  }
  if (tx->failed || !check_target(tx) || !make_temp(tx)) {
    st_dirtx_abort(tx);
    return NULL;
  }
  return tx;
}

const char *st_dirtx_path(StDirTx *tx, const char *name) {
  ST_CHECK(name[0] != '/' && strncmp(name, "..", 2) && !strstr(name, "/.."),
           "%s is not inside the directory that is written", name);
  if (!*name)
    return tx->temp;
  char *full = st_path_join(tx->arena, tx->temp, name);
  char *slash = strrchr(full, '/');
  *slash = 0;
  if (make_dirs(full) < 0)
    fail(tx, "make a directory inside");
  *slash = '/';
  return full;
}

static int sync_one(const char *path, const struct stat *st, int type,
                    struct FTW *at) {
  (void)st;
  (void)at;
  if (type != FTW_F && type != FTW_DP)
    return 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  int r = fd < 0 ? -1 : fsync(fd);
  int reason = errno;
  if (fd >= 0)
    close(fd);
  errno = reason;
  return r < 0 && reason != EINVAL ? -1 : 0; /* EINVAL: cannot be synced */
}

/* Without RENAME_EXCHANGE: for a moment there is nothing at `to`. */
static int swap_by_steps(const StDirTx *tx) {
  const char *old = st_arena_printf(tx->arena, "%s-old", tx->temp);
  if (rename(tx->to, old) < 0)
    return -1;
  if (rename(tx->temp, tx->to) < 0) {
    int reason = errno;
    rename(old, tx->to);
    errno = reason;
    return -1;
  }
  return rename(old, tx->temp);
}

/* The new directory at `to`; an old one, if any, at `temp`. */
static int put_in_place(const StDirTx *tx) {
  if (!tx->replaces)
    return rename(tx->temp, tx->to);
  struct stat st;
  if (stat(tx->to, &st) == 0)
    chmod(tx->temp, st.st_mode & 07777);
  int r = renameat2(AT_FDCWD, tx->temp, AT_FDCWD, tx->to, RENAME_EXCHANGE);
  if (r < 0 && (errno == EINVAL || errno == ENOSYS))
    r = swap_by_steps(tx);
  return r;
}

bool st_dirtx_commit(StDirTx *tx) {
  const char *marker = st_path_join(tx->arena, tx->temp, tx->marker);
  ST_CHECK(tx->failed || st_path_exists(marker), "%s was not written",
           tx->marker);
  if (!tx->failed &&
      nftw(tx->temp, sync_one, OPEN_DIRS, FTW_DEPTH | FTW_PHYS) < 0)
    fail(tx, "write this directory");
  int r = tx->failed ? -1 : put_in_place(tx);
  bool taken = r < 0 && !tx->replaces &&
               (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR);
  if (!tx->failed && taken && check_target(tx)) /* another came first */
    r = put_in_place(tx);
  if (!tx->failed && r < 0)
    fail(tx, "write this directory");
  bool ok = !tx->failed;
  if (ok && !tx->replaces)
    tx->temp = NULL;
  st_dirtx_abort(tx);
  return ok;
}

void st_dirtx_abort(StDirTx *tx) {
  if (tx->temp && remove_tree(tx->temp) < 0)
    st_warning(tx->diag, at_path(tx->temp), "cannot remove: %s",
               strerror(errno));
  st_arena_free(tx->arena);
}
