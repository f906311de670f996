/* Files: mapped, read whole, written through a temporary name. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static StLoc at_path(const char *path) { return (StLoc){.file = path}; }

bool st_map_open(StMap *m, const char *path, StDiag *diag) {
  *m = (StMap){.data = ""};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0) {
    st_error(diag, at_path(path), "cannot open: %s", strerror(errno));
    if (fd >= 0)
      close(fd);
    return false;
  }
  bool ok = S_ISREG(st.st_mode);
  if (!ok) {
    st_error(diag, at_path(path), "cannot open: it is %s",
             S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
  } else if (st.st_size > 0) {
    m->size = (size_t)st.st_size;
    void *p = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0);
    ok = p != MAP_FAILED;
    if (ok)
      m->data = m->base = p;
    else
      st_error(diag, at_path(path), "cannot map: %s", strerror(errno));
  }
  close(fd);
  return ok;
}

void st_map_close(StMap *m) {
  if (m->base)
    munmap(m->base, m->size);
  *m = (StMap){.data = ""};
}

/* All bytes of fd; NULL with errno set after a failure. */
static char *read_all(StArena *a, int fd, size_t expect, size_t *len) {
  size_t cap = expect + 1, n = 0;
  char *buf = st_arena_alloc(a, cap);
  for (;;) {
    ssize_t got = read(fd, buf + n, cap - n);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return NULL;
    if (got == 0)
      break;
    n += (size_t)got;
    if (n == cap) {
      char *larger = st_arena_alloc(a, cap * 2);
      memcpy(larger, buf, n);
      buf = larger;
      cap *= 2;
    }
  }
  buf[n] = 0;
  *len = n;
  return buf;
}

char *st_file_read(StArena *a, const char *path, size_t *len, StDiag *diag) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0) {
    st_error(diag, at_path(path), "cannot open: %s", strerror(errno));
    if (fd >= 0)
      close(fd);
    return NULL;
  }
  size_t expect =
      S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size : 4096;
  char *text = read_all(a, fd, expect, len);
  if (!text)
    st_error(diag, at_path(path), "cannot read: %s", strerror(errno));
  close(fd);
  return text;
}

/* ---- writing ---------------------------------------------------------- */

enum { BUFFER = 1 << 16, TRIES = 1000 };

struct StWriter {
  StArena *arena;
  StDiag *diag;
  const char *path; /* as asked for, for messages */
  const char *to;   /* with links resolved */
  const char *temp; /* NULL: written directly */
  int fd;
  bool failed; /* and reported */
  size_t n;
  char *buffer; /* n of BUFFER bytes not yet written */
};

/* The path as the user knows it: a directory that is being made has a name of
 * its own (dir.c), NAME.tmp-PID-N. */
static const char *user_path(StArena *a, const char *path) {
  char *name = st_arena_strdup(a, path);
  for (char *at = strstr(name, ".tmp-"); at; at = strstr(at + 1, ".tmp-")) {
    char *end = at + 5 + strspn(at + 5, "0123456789");
    if (end > at + 5 && *end == '-' && end[1] >= '0' && end[1] <= '9') {
      end += 1 + strspn(end + 1, "0123456789");
      if (*end == '/')
        memmove(at, end, strlen(end) + 1);
    }
  }
  return name;
}

static bool fail(StWriter *w, const char *what) {
  int reason = errno;
  if (!w->failed) {
    st_error(w->diag, at_path(user_path(w->arena, w->path)), "cannot %s: %s", what,
             strerror(reason));
    if (reason == ENOSPC || reason == EDQUOT)
      st_note(w->diag, "free some space, or choose another place");
    else if (reason == ENOENT)
      st_note(w->diag, "make its directory first");
  }
  w->failed = true;
  return false;
}

static bool open_target(StWriter *w) {
  struct stat st;
  bool exists = stat(w->path, &st) == 0;
  char *real = exists ? realpath(w->path, NULL) : NULL;
  w->to = st_arena_strdup(w->arena, real ? real : w->path);
  free(real);
  if (exists && S_ISDIR(st.st_mode)) {
    errno = EISDIR;
    return false;
  }
  if (exists && !S_ISREG(st.st_mode)) {
    w->fd = open(w->to, O_WRONLY | O_CLOEXEC);
    return w->fd >= 0;
  }
  for (int i = 0; i < TRIES && w->fd < 0; i++) {
    w->temp =
        st_arena_printf(w->arena, "%s.tmp-%ld-%d", w->to, (long)getpid(), i);
    w->fd = open(w->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w->fd < 0 && errno != EEXIST)
      break;
  }
  if (w->fd < 0)
    return false;
  return !exists || fchmod(w->fd, st.st_mode & 07777) == 0;
}

StWriter *st_writer_open(const char *path, StDiag *diag) {
  StArena *a = st_arena_new();
  StWriter *w = ST_NEW(a, StWriter);
  *w = (StWriter){.arena = a, .diag = diag, .fd = -1};
  w->path = st_arena_strdup(a, path);
  w->buffer = st_arena_alloc(a, BUFFER);
  if (!open_target(w)) {
    fail(w, "write");
    st_writer_abort(w);
    return NULL;
  }
  return w;
}

static bool write_out(StWriter *w, const char *data, size_t n) {
  while (n && !w->failed) {
    ssize_t put = write(w->fd, data, n);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      return fail(w, "write");
    data += put;
    n -= (size_t)put;
  }
  return !w->failed;
}

bool st_writer_put(StWriter *w, const void *data, size_t n) {
  if (n > BUFFER - w->n) {
    write_out(w, w->buffer, w->n);
    w->n = 0;
  }
  if (n > BUFFER)
    return write_out(w, data, n);
  if (n)
    memcpy(w->buffer + w->n, data, n);
  w->n += n;
  return !w->failed;
}

/* So that the new name survives a power cut; not every file system can. */
static void sync_parent(StArena *a, const char *path) {
  const char *slash = strrchr(path, '/');
  const char *dir = !slash ? "."
                    : slash == path
                        ? "/"
                        : st_arena_printf(a, "%.*s", (int)(slash - path), path);
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return;
  fsync(fd);
  close(fd);
}

bool st_writer_commit(StWriter *w) {
  write_out(w, w->buffer, w->n);
  if (!w->failed && w->temp && fsync(w->fd) < 0)
    fail(w, "write");
  int closed = close(w->fd);
  w->fd = -1;
  if (!w->failed && closed < 0)
    fail(w, "write");
  if (!w->failed && w->temp) {
    if (rename(w->temp, w->to) < 0) {
      fail(w, "write");
    } else {
      w->temp = NULL;
      sync_parent(w->arena, w->to);
    }
  }
  bool ok = !w->failed;
  st_writer_abort(w);
  return ok;
}

void st_writer_abort(StWriter *w) {
  if (w->fd >= 0) {
    close(w->fd);
    w->fd = -1;
  }
  if (w->temp)
    unlink(w->temp);
  st_arena_free(w->arena);
}

bool st_file_write(const char *path, const void *data, size_t n, StDiag *diag) {
  StWriter *w = st_writer_open(path, diag);
  if (!w)
    return false;
  st_writer_put(w, data, n);
  return st_writer_commit(w);
}
