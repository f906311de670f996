/* MLIR's C API: a context, parsing with its diagnostics turned into ours, the
 * clean-up pipeline, and small accessors.
 */
#include "import/linalg.h"

#include <mlir-c/BuiltinAttributes.h>
#include <mlir-c/Diagnostics.h>
#include <mlir-c/Pass.h>
#include <mlir-c/RegisterEverything.h>
#include <string.h>

#include "base/str.h"

static MlirStringRef ref(const char *s) {
  return mlirStringRefCreate(s, strlen(s));
}

/* ---- printing into the arena --------------------------------------------- */

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

/* ---- context ------------------------------------------------------------------ */

static MlirLogicalResult report(MlirDiagnostic d, void *user) {
  StText *t = user;
  Printer p = {.arena = t->arena};
  mlirDiagnosticPrint(d, print_part, &p);
  const char *message = printed(&p);
  StLoc loc = location(t, mlirDiagnosticGetLocation(d));
  switch (mlirDiagnosticGetSeverity(d)) {
  case MlirDiagnosticError:
    st_error(t->diag, loc, "%s", message);
    break;
  case MlirDiagnosticWarning:
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

bool st_text_parse(StText *t) {
  int before = st_diag_errors(t->diag);
  t->top = mlirOperationCreateParse(t->ctx, mlirStringRefCreate(t->data, t->len),
                                    ref(t->path));
  if (mlirOperationIsNull(t->top) && st_diag_errors(t->diag) == before)
    st_error(t->diag, (StLoc){t->path, 1, 1}, "this is not MLIR text");
  return !mlirOperationIsNull(t->top);
}

bool st_text_run(StText *t, const char *passes) {
  bool is_module = st_mlir_is(t->top, "builtin.module");
  const char *pipeline =
      st_arena_printf(t->arena, is_module ? "builtin.module(func.func(%s))"
                                          : "func.func(%s)", passes);
  mlirRegisterAllPasses();
  int before = st_diag_errors(t->diag);
  Printer p = {.arena = t->arena};
  MlirPassManager pm = mlirPassManagerCreateOnOperation(
      t->ctx, mlirIdentifierStr(mlirOperationGetName(t->top)));
  MlirLogicalResult r =
      mlirParsePassPipeline(mlirPassManagerGetAsOpPassManager(pm),
                            ref(pipeline), print_part, &p);
  ST_CHECK(mlirLogicalResultIsSuccess(r), "MLIR pipeline: %s", printed(&p));
  r = mlirPassManagerRunOnOp(pm, t->top);
  mlirPassManagerDestroy(pm);
  if (mlirLogicalResultIsFailure(r) && st_diag_errors(t->diag) == before)
    st_error(t->diag, (StLoc){t->path, 1, 1}, "MLIR's %s failed on this text",
             passes);
  return mlirLogicalResultIsSuccess(r);
}

/* ---- accessors ---------------------------------------------------------------- */

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

/* ---- the function --------------------------------------------------------------- */

typedef struct {
  MlirOperation only, main;
  int n;
} Functions;

static MlirWalkResult see_function(MlirOperation op, void *user) {
  Functions *f = user;
  if (!st_mlir_is(op, "func.func"))
    return MlirWalkResultAdvance;
  MlirRegion body = mlirOperationGetFirstRegion(op);
  if (mlirBlockIsNull(mlirRegionGetFirstBlock(body)))
    return MlirWalkResultSkip;
  f->only = op;
  f->n++;
  MlirStringRef name = mlirStringAttrGetValue(st_mlir_attr(op, "sym_name"));
  if (mlirStringRefEqual(name, ref("main")))
    f->main = op;
  return MlirWalkResultSkip;
}

MlirOperation st_mlir_function(StText *t) {
  Functions f = {0};
  mlirOperationWalk(t->top, see_function, &f, MlirWalkPreOrder);
  if (!mlirOperationIsNull(f.main))
    return f.main;
  if (f.n == 1)
    return f.only;
  st_error(t->diag, (StLoc){t->path, 1, 1},
           f.n ? "%d functions and none of them is named main"
               : "no func.func with a body (%d found)",
           f.n);
  return (MlirOperation){NULL};
}

/* ---- pointer map ------------------------------------------------------------------ */

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
