/* MLIR's C API: a context, parsing with its diagnostics turned into ours, the
 * clean-up pipeline, and small accessors.
 *
 * MLIR 19's parser can crash on damaged text (after an error in a transpose's
 * permutation, for one). So a child process parses first and sends the errors
 * through a pipe; only text that it survives is parsed here.
 */
#include "import/linalg.h"

#include <errno.h>
#include <mlir-c/BuiltinAttributes.h>
#include <mlir-c/Diagnostics.h>
#include <mlir-c/Pass.h>
#include <mlir-c/RegisterEverything.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

static MlirStringRef ref(const char *s) {
  return mlirStringRefCreate(s, strlen(s));
}

/* ---- printing into the arena -------------------------------------------- */

typedef struct {
  StArena *arena;
  ST_VEC(char) out;
} Printer;

static void print_part(MlirStringRef s, void *user) {
  Printer *p = user;
  for (size_t i = 0; i < s.length; i++)
    st_vec_push(p->arena, &p->out, s.data[i]);
}

static const char *printed(Printer *p) {
  st_vec_push(p->arena, &p->out, '\0');
  return p->out.at;
}

const char *st_mlir_attr_text(StArena *a, MlirAttribute attr) {
  Printer p = {.arena = a};
  mlirAttributePrint(attr, print_part, &p);
  return printed(&p);
}

const char *st_mlir_type_text(StArena *a, MlirType type) {
  Printer p = {.arena = a};
  mlirTypePrint(type, print_part, &p);
  return printed(&p);
}

static StLoc location(StText *t, MlirLocation loc) {
  Printer p = {.arena = t->arena};
  mlirLocationPrint(loc, print_part, &p);
  return st_text_location(t, printed(&p), false);
}

/* ---- context ------------------------------------------------------------ */

typedef struct { /* an error on its way from the trial parse */
  bool good;     /* the last record: the text was parsed */
  int line, col;
  size_t file, message; /* bytes that follow */
} Record;

static void send_all(int fd, const void *data, size_t n) {
  for (const char *p = data; n > 0;) {
    ssize_t k = write(fd, p, n);
    if (k <= 0)
      _exit(1);
    p += k;
    n -= (size_t)k;
  }
}

static void send_error(int fd, StLoc loc, const char *message) {
  const char *file = loc.file ? loc.file : "";
  Record r = {.line = loc.line,
              .col = loc.col,
              .file = strlen(file),
              .message = strlen(message)};
  send_all(fd, &r, sizeof r);
  send_all(fd, file, r.file);
  send_all(fd, message, r.message);
}

static MlirLogicalResult report(MlirDiagnostic d, void *user) {
  StText *t = user;
  Printer p = {.arena = t->arena};
  mlirDiagnosticPrint(d, print_part, &p);
  const char *message = printed(&p);
  StLoc loc = location(t, mlirDiagnosticGetLocation(d));
  switch (mlirDiagnosticGetSeverity(d)) {
  case MlirDiagnosticError:
    if (t->pipe)
      send_error(t->pipe, loc, message);
    else
      st_error(t->diag, loc, "%s", message);
    break;
  case MlirDiagnosticWarning:
    if (!t->pipe)
      st_warning(t->diag, loc, "%s", message);
    break;
  case MlirDiagnosticNote:
  case MlirDiagnosticRemark:
    break;
  }
  return mlirLogicalResultSuccess();
}

void st_text_open(StText *t) {
  MlirDialectRegistry registry = mlirDialectRegistryCreate();
  mlirRegisterAllDialects(registry);
  t->ctx = mlirContextCreateWithRegistry(registry, false);
  mlirDialectRegistryDestroy(registry);
  mlirContextAttachDiagnosticHandler(t->ctx, report, t, NULL);
}

void st_text_close(StText *t) {
  if (!mlirOperationIsNull(t->top))
    mlirOperationDestroy(t->top);
  mlirContextDestroy(t->ctx);
  /* The text goes away with its arena; later messages show no line of it. */
  st_diag_add_source(t->diag, t->path, "", 0);
}

static MlirOperation parse(StText *t) {
  return mlirOperationCreateParse(t->ctx, mlirStringRefCreate(t->data, t->len),
                                  ref(t->path));
}

/* In the child: silent whatever happens. */
static _Noreturn void try_parse(StText *t, int fd) {
  static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE};
  for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
    signal(deadly[i], SIG_DFL);
  if (!freopen("/dev/null", "w", stderr))
    _exit(1);
  t->pipe = fd;
  Record last = {.good = !mlirOperationIsNull(parse(t))};
  if (last.good)
    send_all(fd, &last, sizeof last);
  _exit(0);
}

static bool receive(int fd, void *data, size_t n) {
  for (char *p = data; n > 0;) {
    ssize_t k = read(fd, p, n);
    if (k < 0 && errno == EINTR)
      continue;
    if (k <= 0)
      return false;
    p += k;
    n -= (size_t)k;
  }
  return true;
}

/* Reports what comes through the pipe; was the text parsed? */
static bool receive_errors(StText *t, int fd) {
  Record r = {0};
  while (receive(fd, &r, sizeof r) && !r.good) {
    char *file = st_arena_alloc(t->arena, r.file + 1);
    char *message = st_arena_alloc(t->arena, r.message + 1);
    if (!receive(fd, file, r.file) || !receive(fd, message, r.message))
      break;
    st_error(t->diag, (StLoc){r.file ? file : NULL, r.line, r.col}, "%s",
             message);
  }
  return r.good;
}

/* Does a child process survive the parse, and like the text? */
static bool survives(StText *t) {
  int fd[2];
  if (pipe(fd) != 0)
    st_fatal("cannot make a pipe");
  pid_t child = fork();
  if (child < 0)
    st_fatal("cannot make a process");
  if (child == 0)
    try_parse(t, fd[1]);
  close(fd[1]);
  bool good = receive_errors(t, fd[0]);
  close(fd[0]);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
    continue;
  return good;
}

bool st_text_parse(StText *t) {
  int before = st_diag_errors(t->diag);
  if (survives(t))
    t->top = parse(t);
  if (mlirOperationIsNull(t->top) && st_diag_errors(t->diag) == before)
    st_error(t->diag, (StLoc){t->path, 1, 1},
             "this is not MLIR text, or it is damaged");
  return !mlirOperationIsNull(t->top);
}

bool st_text_run(StText *t, const char *passes) {
  bool is_module = st_mlir_is(t->top, "builtin.module");
  const char *pipeline = st_arena_printf(
      t->arena, is_module ? "builtin.module(func.func(%s))" : "func.func(%s)",
      passes);
  mlirRegisterAllPasses();
  int before = st_diag_errors(t->diag);
  Printer p = {.arena = t->arena};
  MlirPassManager pm = mlirPassManagerCreateOnOperation(
      t->ctx, mlirIdentifierStr(mlirOperationGetName(t->top)));
  MlirLogicalResult r = mlirParsePassPipeline(
      mlirPassManagerGetAsOpPassManager(pm), ref(pipeline), print_part, &p);
  ST_CHECK(mlirLogicalResultIsSuccess(r), "MLIR pipeline: %s", printed(&p));
  r = mlirPassManagerRunOnOp(pm, t->top);
  mlirPassManagerDestroy(pm);
  if (mlirLogicalResultIsFailure(r) && st_diag_errors(t->diag) == before)
    st_error(t->diag, (StLoc){t->path, 1, 1}, "MLIR's %s failed on this text",
             passes);
  return mlirLogicalResultIsSuccess(r);
}

/* ---- accessors ---------------------------------------------------------- */

StLoc st_mlir_loc(StText *t, MlirOperation op) {
  return location(t, mlirOperationGetLocation(op));
}

const char *st_mlir_name(StArena *a, MlirOperation op) {
  MlirStringRef s = mlirIdentifierStr(mlirOperationGetName(op));
  return st_arena_printf(a, "%.*s", (int)s.length, s.data);
}

bool st_mlir_is(MlirOperation op, const char *name) {
  return mlirStringRefEqual(mlirIdentifierStr(mlirOperationGetName(op)),
                            ref(name));
}

MlirAttribute st_mlir_attr(MlirOperation op, const char *name) {
  return mlirOperationGetAttributeByName(op, ref(name));
}

/* ---- the function ------------------------------------------------------- */

typedef struct {
  MlirStringRef wanted;
  MlirOperation last, named;
  int n;
} Functions;

static MlirWalkResult see_function(MlirOperation op, void *user) {
  Functions *f = user;
  if (!st_mlir_is(op, "func.func"))
    return MlirWalkResultAdvance;
  MlirRegion body = mlirOperationGetFirstRegion(op);
  if (mlirBlockIsNull(mlirRegionGetFirstBlock(body)))
    return MlirWalkResultSkip;
  f->last = op;
  f->n++;
  MlirStringRef name = mlirStringAttrGetValue(st_mlir_attr(op, "sym_name"));
  if (mlirStringRefEqual(name, f->wanted))
    f->named = op;
  return MlirWalkResultSkip;
}

MlirOperation st_mlir_function(StText *t, const char *name) {
  Functions f = {.wanted = ref(name ? name : "main")};
  mlirOperationWalk(t->top, see_function, &f, MlirWalkPreOrder);
  if (!mlirOperationIsNull(f.named))
    return f.named;
  if (f.n == 1 && !name)
    return f.last;
  st_error(t->diag, (StLoc){t->path, 1, 1},
           "no function named %s with a body (there are %d others)",
           name ? name : "main", f.n);
  if (name)
    st_note(t->diag, "\"entry\" of model.json says which function it is");
  return (MlirOperation){NULL};
}

/* ---- pointer map -------------------------------------------------------- */

static int slot_of(const StPtrMap *m, const void *key) {
  uint64_t h = (uint64_t)(uintptr_t)key * 0x9e3779b97f4a7c15u;
  int i = (int)(h >> 33) & (m->cap - 1);
  while (m->key[i] && m->key[i] != key)
    i = (i + 1) & (m->cap - 1);
  return i;
}

int st_ptrmap_get(const StPtrMap *m, const void *key) {
  if (!m->cap)
    return -1;
  int i = slot_of(m, key);
  return m->key[i] ? m->at[i] : -1;
}

void st_ptrmap_set(StArena *a, StPtrMap *m, const void *key, int at) {
  if (2 * (m->n + 1) > m->cap) {
    StPtrMap big = {.cap = m->cap ? 2 * m->cap : 64};
    big.key = ST_NEW_N(a, const void *, big.cap);
    big.at = ST_NEW_N(a, int, big.cap);
    for (int i = 0; i < m->cap; i++)
      if (m->key[i])
        st_ptrmap_set(a, &big, m->key[i], m->at[i]);
    *m = big;
  }
  int i = slot_of(m, key);
  m->n += !m->key[i];
  m->key[i] = key;
  m->at[i] = at;
}
