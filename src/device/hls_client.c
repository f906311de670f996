/* The child reads requests from its standard input and answers on its standard
 * output; what it says on its standard error is this program's. */
#include "device/hls_client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "emit/hls/hls.h"
#include "emit/rtl/rtl.h"

extern char **environ;

enum { MAGIC = 0x314c4853, QUIT = 0, STEP = 1 };
enum { TAIL = 2000 }; /* bytes of a compiler's output that are shown */

/* What there is of each kind. */
typedef struct {
  const char *name;    /* of the directory's beginning */
  const char *noun;    /* in messages */
  const char *target;  /* of make */
  const char *program; /* that it makes */
  const char *marker;
  const StHlsFile *(*files)(StArena *a, const StModule *m, const StTarget *t,
                            int *n, StDiag *diag);
} Kind;

enum { HLS, RTL, SYNTH };
static const Kind kinds[] = {
    [HLS] = {"hls", "C simulation", "csim", "build/csim-run",
                       ST_HLS_MARKER, st_hls_files},
    [RTL] = {"rtl", "RTL simulation", "sim", "build/sim-run",
                       ST_RTL_MARKER, st_rtl_files},
    [SYNTH] = {"rtl", "synthesis by Yosys", "synth", ST_RTL_STAT,
                       ST_RTL_MARKER, st_rtl_files},
};

struct StHlsClient {
  const Kind *kind;
  StArena *arena;
  StArena *step; /* results of the last step */
  const char *dir;
  pid_t child;
  int to, from;
  int64_t cycles; /* of the last step */
};

static const StLoc nowhere = {0};

/* ---- building ---------------------------------------------------------------
 */

static uint64_t hash_files(const StHlsFile *file, int n) {
  uint64_t h = 0;
  for (int i = 0; i < n; i++) {
    h = st_hash_mix(h, st_hash_bytes(file[i].name, strlen(file[i].name)));
    h = st_hash_mix(h, st_hash_bytes(file[i].data, file[i].size));
  }
  return h;
}

/* Starts argv; its output (and errors, if `errors`) can be read from *from,
 * its input written to *to (if not NULL). */
static bool start(char *const *argv, int *to, int *from, bool errors,
                  pid_t *child, StDiag *diag) {
  int in[2] = {-1, -1}, out[2];
  posix_spawn_file_actions_t actions;
  if (pipe2(out, O_CLOEXEC) != 0 || (to && pipe2(in, O_CLOEXEC) != 0))
    st_fatal("no pipe: %s", strerror(errno));
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  if (errors)
    posix_spawn_file_actions_adddup2(&actions, out[1], 2);
  if (to)
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  int bad = posix_spawnp(child, argv[0], &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  *from = out[0];
  if (to) {
    close(in[0]);
    *to = in[1];
  }
  if (bad)
    st_error(diag, nowhere, "cannot run %s: %s", argv[0], strerror(bad));
  return !bad;
}

static bool succeeded(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool compile(StArena *a, const Kind *kind, const char *dir,
                    StDiag *diag) {
  char *argv[] = {"make",
                  "-s",
                  "-j2",
                  "-C",
                  st_arena_strdup(a, dir),
                  st_arena_strdup(a, kind->target),
                  NULL};
  StStr output;
  char part[4096];
  pid_t child;
  int from;
  if (!start(argv, NULL, &from, true, &child, diag))
    return false;
  st_str_init(&output);
  for (ssize_t n; (n = read(from, part, sizeof part)) != 0;)
    if (n > 0)
      st_str_append(&output, part, (size_t)n);
    else if (errno != EINTR)
      break;
  close(from);
  bool ok = succeeded(child);
  if (!ok) {
    const char *tail = output.data + output.len;
    while (tail > output.data && output.data + output.len - tail < TAIL)
      tail--;
    st_error(diag, nowhere, "the %s in %s does not compile", kind->noun, dir);
    st_note(diag, "the output of make ends with:\n%s", tail);
  }
  st_str_free(&output);
  return ok;
}

static const char *build(StArena *a, const Kind *kind, const StModule *m,
                         const StTarget *t, const char *cache_dir,
                         StDiag *diag) {
  int n;
  const StHlsFile *file = kind->files(a, m, t, &n, diag);
  if (!file)
    return NULL;
  const char *name = st_arena_printf(a, "%s-%016" PRIx64, kind->name,
                                     hash_files(file, n));
  const char *dir = st_path_join(a, cache_dir, name);
  const char *program = st_path_join(a, dir, kind->program);
  if (!st_path_exists(st_path_join(a, dir, kind->marker)) &&
      !st_hls_write_as(file, n, dir, kind->marker, diag))
    return NULL;
  int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock >= 0)
    (void)flock(lock, LOCK_EX); /* one make at a time */
  bool ok = st_path_exists(program) || compile(a, kind, dir, diag);
  if (lock >= 0)
    close(lock);
  return ok ? dir : NULL;
}

const char *st_hls_build(StArena *a, const StModule *m, const StTarget *t,
                         const char *cache_dir, StDiag *diag) {
  return build(a, &kinds[HLS], m, t, cache_dir, diag);
}

const char *st_rtl_build(StArena *a, const StModule *m, const StTarget *t,
                         const char *cache_dir, StDiag *diag) {
  return build(a, &kinds[RTL], m, t, cache_dir, diag);
}

const char *st_rtl_synth(StArena *a, const StModule *m, const StTarget *t,
                         const char *cache_dir, StDiag *diag) {
  return build(a, &kinds[SYNTH], m, t, cache_dir, diag);
}

/* ---- messages ---------------------------------------------------------------
 */

static bool write_all(StHlsClient *c, const void *data, size_t n) {
  const char *at = data;
  while (n > 0) {
    ssize_t k = write(c->to, at, n);
    if (k < 0 && errno == EINTR)
      continue;
    if (k <= 0)
      return false;
    at += k;
    n -= (size_t)k;
  }
  return true;
}

static bool read_all(StHlsClient *c, void *data, size_t n) {
  char *at = data;
  while (n > 0) {
    ssize_t k = read(c->from, at, n);
    if (k < 0 && errno == EINTR)
      continue;
    if (k <= 0)
      return false;
    at += k;
    n -= (size_t)k;
  }
  return true;
}

static bool broken(StHlsClient *c, StDiag *diag) {
  st_error(diag, nowhere, "the %s in %s ended", c->kind->noun, c->dir);
  return false;
}

/* ---- life -------------------------------------------------------------------
 */

/* An open temporary file's name; NULL after an error. */
static const char *write_manifest(StArena *a, const StHlsWeight *w, int n,
                                  StDiag *diag) {
  const char *dir = getenv("TMPDIR");
  char *path = st_arena_printf(a, "%s/st-hls-XXXXXX", dir ? dir : "/tmp");
  StStr text;
  int fd = mkstemp(path);
  if (fd < 0) {
    st_error(diag, nowhere, "cannot make %s: %s", path, strerror(errno));
    return NULL;
  }
  close(fd);
  st_str_init(&text);
  for (int i = 0; i < n; i++)
    st_str_printf(&text, "%d %" PRId64 " %" PRId64 " %s\n", w[i].arg,
                  w[i].offset, w[i].bytes, w[i].path);
  bool ok = st_file_write(path, text.data, text.len, diag);
  st_str_free(&text);
  if (!ok)
    unlink(path);
  return ok ? path : NULL;
}

StHlsClient *st_hls_client_start(const char *dir, const StHlsWeight *weight,
                                 int nweights, StDiag *diag) {
  StArena *a = st_arena_new();
  StHlsClient *c = ST_NEW(a, StHlsClient);
  bool rtl = st_path_exists(st_path_join(a, dir, ST_RTL_MARKER));
  *c = (StHlsClient){.kind = &kinds[rtl ? RTL : HLS],
                     .arena = a,
                     .step = st_arena_new(),
                     .dir = st_arena_strdup(a, dir),
                     .to = -1,
                     .from = -1};
  const char *manifest = write_manifest(a, weight, nweights, diag);
  char *argv[] = {st_path_join(a, dir, c->kind->program),
                  st_arena_strdup(a, manifest ? manifest : ""), NULL};
  uint32_t hello[3] = {0};
  signal(SIGPIPE, SIG_IGN); /* a child that ended is an error, not an end */
  bool ok = manifest && start(argv, &c->to, &c->from, false, &c->child, diag);
  if (ok && (!read_all(c, hello, sizeof hello) || hello[0] != MAGIC))
    ok = broken(c, diag);
  if (manifest)
    unlink(manifest);
  if (ok)
    return c;
  st_hls_client_stop(c);
  return NULL;
}

void st_hls_client_stop(StHlsClient *c) {
  if (!c)
    return;
  const uint32_t quit = QUIT;
  if (c->to >= 0) {
    (void)write_all(c, &quit, sizeof quit);
    close(c->to);
    close(c->from);
  }
  if (c->child > 0)
    (void)succeeded(c->child);
  st_arena_free(c->step);
  st_arena_free(c->arena);
}

/* ---- steps
 * -------------------------------------------------------------------- */

static bool send_step(StHlsClient *c, int64_t P, int64_t T,
                      const StHlsInput *in, int nin) {
  const int32_t head[4] = {STEP, (int32_t)P, (int32_t)T, nin};
  bool ok = write_all(c, head, sizeof head);
  for (int i = 0; i < nin && ok; i++) {
    const int32_t arg = in[i].arg;
    const uint64_t bytes = (uint64_t)in[i].bytes;
    ok = write_all(c, &arg, sizeof arg) && write_all(c, &bytes, sizeof bytes) &&
         write_all(c, in[i].data, (size_t)bytes);
  }
  return ok;
}

static bool refused(StHlsClient *c, StDiag *diag) {
  uint32_t n;
  if (!read_all(c, &n, sizeof n))
    return broken(c, diag);
  char *message = st_arena_alloc(c->step, (size_t)n + 1);
  if (!read_all(c, message, n))
    return broken(c, diag);
  st_error(diag, nowhere, "the %s in %s: %s", c->kind->noun, c->dir, message);
  return false;
}

int64_t st_hls_client_cycles(const StHlsClient *c) { return c->cycles; }

bool st_hls_client_step(StHlsClient *c, int64_t P, int64_t T,
                        const StHlsInput *in, int nin, const StHlsOutput **out,
                        int *nout, StDiag *diag) {
  uint32_t status, n;
  st_arena_free(c->step);
  c->step = st_arena_new();
  if (!send_step(c, P, T, in, nin) || !read_all(c, &status, sizeof status))
    return broken(c, diag);
  if (status != 0)
    return refused(c, diag);
  if (!read_all(c, &c->cycles, sizeof c->cycles) || !read_all(c, &n, sizeof n))
    return broken(c, diag);
  StHlsOutput *result = ST_NEW_N(c->step, StHlsOutput, n);
  for (uint32_t i = 0; i < n; i++) {
    int32_t ret;
    uint64_t bytes;
    if (!read_all(c, &ret, sizeof ret) || !read_all(c, &bytes, sizeof bytes))
      return broken(c, diag);
    void *data = st_arena_alloc(c->step, bytes);
    if (!read_all(c, data, bytes))
      return broken(c, diag);
    result[i] = (StHlsOutput){ret, data, (int64_t)bytes};
  }
  *out = result;
  *nout = (int)n;
  return true;
}
