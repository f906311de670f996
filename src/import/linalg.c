/* The function: arguments, operations in order, results. What cannot be
 * imported is collected, so that one run names everything; only what reaches
 * a result is kept.
 */
#include "import/linalg.h"

#include <mlir-c/BuiltinAttributes.h>
#include <mlir-c/BuiltinTypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* ---- issues ------------------------------------------------------------- */

void st_import_refuse(StImport *imp, MlirOperation op, const char *fmt, ...) {
  char reason[512];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(reason, sizeof reason, fmt, ap);
  va_end(ap);
  int named = st_mlir_is(op, "linalg.generic")
                  ? st_ptrmap_get(&imp->named, mlirOperationGetLocation(op).ptr)
                  : -1;
  StIssue issue = {.op = named >= 0 ? imp->name.at[named]
                                    : st_mlir_name(imp->scratch, op),
                   .reason = st_arena_strdup(imp->scratch, reason),
                   .loc = st_mlir_loc(imp->text, op)};
  st_vec_push(imp->scratch, &imp->issue, issue);
}

void st_import_refuse_size(StImport *imp, MlirOperation op) {
  if (!imp->blind)
    st_import_refuse(imp, op, "a size or offset that is not linear in P and T");
}

static bool same_issue(const StIssue *a, const StIssue *b) {
  return strcmp(a->op, b->op) == 0 && strcmp(a->reason, b->reason) == 0;
}

/* One error for each operation and reason, the other places in a note. */
static void report_issue(const StImport *imp, int first) {
  const StIssue *issue = &imp->issue.at[first];
  StStr more;
  st_str_init(&more);
  int n = 0;
  for (int i = first + 1; i < imp->issue.n; i++) {
    const StIssue *other = &imp->issue.at[i];
    if (!same_issue(issue, other) || n++ >= 4 || !other->loc.file)
      continue;
    st_str_printf(&more, "%s%s:%d", more.len ? ", " : "", other->loc.file,
                  other->loc.line);
  }
  bool is_signature = strncmp(issue->op, "func.", 5) == 0;
  st_error(imp->text->diag, issue->loc, "%s%s%s", is_signature ? "" : issue->op,
           is_signature ? "" : " is not supported: ", issue->reason);
  if (n > 0)
    st_note(imp->text->diag, "%d more of this kind%s%s%s", n,
            more.len ? ": " : "", more.len ? more.data : "",
            n > 4 ? ", ..." : "");
  st_str_free(&more);
}

static void report_issues(const StImport *imp) {
  for (int i = 0; i < imp->issue.n; i++) {
    bool seen = false;
    for (int k = 0; k < i && !seen; k++)
      seen = same_issue(&imp->issue.at[k], &imp->issue.at[i]);
    if (!seen)
      report_issue(imp, i);
  }
}

/* ---- values ------------------------------------------------------------- */

bool st_import_dtype(MlirType t, StDtype *out) {
  if (mlirTypeIsAIndex(t)) {
    *out = ST_I64;
    return true;
  }
  if (mlirTypeIsAInteger(t)) {
    switch (mlirIntegerTypeGetWidth(t)) {
    case 1:
      *out = ST_I1;
      return true;
    case 4:
      *out = ST_I4;
      return true;
    case 8:
      *out = ST_I8;
      return true;
    case 16:
      *out = ST_I16;
      return true;
    case 32:
      *out = ST_I32;
      return true;
    case 64:
      *out = ST_I64;
      return true;
    }
    return false;
  }
  *out = mlirTypeIsAF16(t) ? ST_F16 : mlirTypeIsABF16(t) ? ST_BF16 : ST_F32;
  return mlirTypeIsAF16(t) || mlirTypeIsABF16(t) || mlirTypeIsAF32(t) ||
         mlirTypeIsAF64(t);
}

StOp *st_import_op(StImport *imp, StOpKind kind, StLoc loc, int noperands,
                   StValue *const *operands, StType type) {
  StOp *op = st_op_new(imp->m, kind, loc, noperands, operands, 1);
  op->result[0]->type = type;
  st_op_append(imp->m, op);
  return op;
}

/* Does the shape agree with the type in the text? */
static bool agrees(const StType *t, MlirType mt) {
  if (!mlirTypeIsARankedTensor(mt) || mlirShapedTypeGetRank(mt) != t->rank)
    return false;
  for (int i = 0; i < t->rank; i++)
    if (!mlirShapedTypeIsDynamicDim(mt, i) &&
        !st_sym_eq(t->shape[i], st_sym_const(mlirShapedTypeGetDimSize(mt, i))))
      return false;
  return true;
}

static const char *shape_text(StArena *a, int rank, const StSym *shape) {
  const char *text = "";
  char one[ST_SYM_TEXT];
  for (int i = 0; i < rank; i++)
    text = st_arena_printf(a, "%s%s%s", text, i ? " x " : "",
                           st_sym_print(one, shape[i]));
  return st_arena_printf(a, "[%s]", text);
}

void st_import_set(StImport *imp, MlirValue v, StImported val) {
  MlirType mt = mlirValueGetType(v);
  if (!agrees(&val.type, mt)) {
    MlirOperation op =
        mlirValueIsAOpResult(v) ? mlirOpResultGetOwner(v) : imp->fn;
    st_import_refuse(imp, op, "the shape is %s, but the text says %s",
                     shape_text(imp->scratch, val.type.rank, val.type.shape),
                     st_mlir_type_text(imp->scratch, mt));
    return;
  }
  int at = imp->value.n;
  st_vec_push(imp->scratch, &imp->value, val);
  st_ptrmap_set(imp->scratch, &imp->at, v.ptr, at);
}

void st_import_set_tensor(StImport *imp, MlirValue v, StValue *t) {
  StImported val = {.kind = ST_IV_TENSOR, .type = t->type, .value = t};
  st_import_set(imp, v, val);
}

StImported *st_import_get(StImport *imp, MlirValue v) {
  int at = st_ptrmap_get(&imp->at, v.ptr);
  return at < 0 ? NULL : &imp->value.at[at];
}

StValue *st_import_tensor(StImport *imp, MlirOperation op, intptr_t i) {
  StImported *t = st_import_get(imp, mlirOperationGetOperand(op, i));
  if (!t)
    return NULL;
  if (t->kind == ST_IV_EMPTY) {
    StValue *v = st_import_join_pieces(imp, op, t);
    if (!v) {
      st_import_refuse(imp, op, "operand %d has elements that nothing defines",
                       (int)i);
      return NULL;
    }
    t->kind = ST_IV_TENSOR;
    t->value = v;
  }
  return t->value;
}

/* ---- arguments ---------------------------------------------------------- */

static bool is_scalar(MlirType t) {
  return mlirTypeIsAInteger(t) || mlirTypeIsAFloat(t) || mlirTypeIsAIndex(t);
}

static bool bare_port(StImport *imp, MlirType mt, const char *name, StRole role,
                      StPort *port) {
  int rank = is_scalar(mt) ? 0 : (int)mlirShapedTypeGetRank(mt);
  *port = (StPort){.name = name,
                   .role = role,
                   .rank = rank,
                   .cache = -1,
                   .axis = -1,
                   .shape = ST_NEW_N(imp->m->arena, StSym, rank + 1)};
  for (int i = 0; i < rank; i++) {
    if (mlirShapedTypeIsDynamicDim(mt, i)) {
      st_import_refuse(imp, imp->fn,
                       "%s is %s: only a package (model.json) can say what its "
                       "`?` extents are",
                       name, st_mlir_type_text(imp->scratch, mt));
      return false;
    }
    port->shape[i] = st_sym_const(mlirShapedTypeGetDimSize(mt, i));
  }
  return true;
}

static StPort copy_port(StImport *imp, const StPort *from) {
  StPort p = *from;
  StArena *a = imp->m->arena;
  p.name = from->name ? st_arena_strdup(a, from->name) : NULL;
  p.shape = ST_NEW_N(a, StSym, from->rank + 1);
  for (int i = 0; i < from->rank; i++)
    p.shape[i] = from->shape[i];
  return p;
}

/* The port of an argument or result: from the signature, else made up. */
static bool port_of(StImport *imp, bool is_arg, int i, MlirType mt,
                    StPort *port) {
  StDtype dtype;
  MlirType elem = is_scalar(mt) ? mt : mlirShapedTypeGetElementType(mt);
  const char *name =
      st_arena_printf(imp->m->arena, "%s%d", is_arg ? "arg" : "result", i);
  if (!st_import_dtype(elem, &dtype) || mlirTypeIsAF64(elem)) {
    st_import_refuse(imp, imp->fn, "%s has the type %s", name,
                     st_mlir_type_text(imp->scratch, mt));
    return false;
  }
  if (imp->sig) {
    *port = copy_port(imp, is_arg ? &imp->sig->arg[i] : &imp->sig->ret[i]);
    if (port->dtype == dtype)
      return true;
    st_import_refuse(
        imp, imp->fn, "%s `%s` is %s in model.json, but %s in the text",
        is_arg ? "argument" : "result", port->name ? port->name : name,
        st_dtype_name(port->dtype), st_dtype_name(dtype));
    return false;
  }
  bool ok =
      bare_port(imp, mt, name, is_arg ? ST_ROLE_INPUT : ST_ROLE_OUTPUT, port);
  port->dtype = dtype;
  return ok;
}

/* The position: a scalar that equals P, or a tensor filled with it. */
static StValue *position_tensor(StImport *imp, StLoc loc, StType type) {
  StArena *a = imp->m->arena;
  StNest nest = {.ndims = type.rank, .dim = ST_NEW_N(a, StDim, type.rank + 1)};
  for (int i = 0; i < type.rank; i++)
    nest.dim[i].extent = type.shape[i];
  StBodyBuilder b = {.imp = imp, .op = imp->fn, .nest = &nest};
  int at = st_body_index(&b, st_affine_const((StSym){.p = 1}));
  if (type.dtype != ST_I64)
    at = st_body_op(&b, ST_X_TRUNCI, type.dtype, at, -1, -1);
  StOutput out = {.yield = at,
                  .combine = ST_X_ARG,
                  .map = st_identity_map(a, type.rank),
                  .guard = {.dim = -1}};
  return st_body_finish(&b, loc, 1, &out, &type)->result[0];
}

static void import_argument(StImport *imp, int i, MlirValue v) {
  MlirType mt = mlirValueGetType(v);
  StPort port = {0};
  if (!is_scalar(mt) && !mlirTypeIsARankedTensor(mt)) {
    st_import_refuse(imp, imp->fn, "argument %d has the type %s", i,
                     st_mlir_type_text(imp->scratch, mt));
    return;
  }
  if (!port_of(imp, true, i, mt, &port))
    return;
  st_vec_push(imp->m->arena, &imp->m->arg, port);
  StType type =
      st_type_tensor(imp->m->arena, port.dtype, port.rank, port.shape);
  if (!is_scalar(mt) ? !agrees(&type, mt) : port.rank != 0) {
    st_import_refuse(imp, imp->fn,
                     "argument `%s` is %s in model.json, but %s in the text",
                     port.name, shape_text(imp->scratch, port.rank, port.shape),
                     st_mlir_type_text(imp->scratch, mt));
    return;
  }
  StLoc loc = st_mlir_loc(imp->text, imp->fn);
  StImported val = {.kind = ST_IV_TENSOR, .type = type};
  if (port.role == ST_ROLE_POSITION && !st_dtype_is_float(port.dtype)) {
    imp->position = is_scalar(mt) ? v.ptr : imp->position;
    val.value = position_tensor(imp, loc, type);
  } else {
    StOp *op = st_import_op(imp, ST_OP_ARG, loc, 0, NULL, type);
    op->u.index = (StIndexList){1, ST_NEW(imp->m->arena, int)};
    op->u.index.index[0] = i;
    op->result[0]->name = port.name;
    val.value = op->result[0];
  }
  int at = imp->value.n; /* a scalar has no tensor type to agree with */
  st_vec_push(imp->scratch, &imp->value, val);
  st_ptrmap_set(imp->scratch, &imp->at, v.ptr, at);
}

/* ---- results ------------------------------------------------------------ */

static void import_result(StImport *imp, MlirOperation ret, int i) {
  MlirValue v = mlirOperationGetOperand(ret, i);
  if (!mlirTypeIsARankedTensor(mlirValueGetType(v))) {
    st_import_refuse(imp, ret, "result %d is not a tensor", i);
    return;
  }
  StValue *t = st_import_tensor(imp, ret, i);
  StPort port = {0};
  MlirType mt = mlirValueGetType(v);
  if (!t)
    return;
  if (!imp->sig) {
    port = (StPort){.name = st_arena_printf(imp->m->arena, "result%d", i),
                    .role = ST_ROLE_OUTPUT,
                    .dtype = t->type.dtype,
                    .rank = t->type.rank,
                    .shape = t->type.shape,
                    .cache = -1,
                    .axis = -1};
  } else if (!port_of(imp, false, i, mt, &port)) {
    return;
  }
  bool same = port.rank == t->type.rank && port.dtype == t->type.dtype;
  for (int k = 0; same && k < port.rank; k++)
    same = st_sym_eq(port.shape[k], t->type.shape[k]);
  if (!same) {
    st_import_refuse(imp, ret, "result `%s` is %s in model.json, but %s here",
                     port.name, shape_text(imp->scratch, port.rank, port.shape),
                     shape_text(imp->scratch, t->type.rank, t->type.shape));
    return;
  }
  st_vec_push(imp->m->arena, &imp->m->ret, port);
  StOp *op =
      st_op_new(imp->m, ST_OP_RESULT, st_mlir_loc(imp->text, ret), 1, &t, 0);
  op->u.index = (StIndexList){1, ST_NEW(imp->m->arena, int)};
  op->u.index.index[0] = i;
  st_op_append(imp->m, op);
}

/* ---- operations --------------------------------------------------------- */

static const char *const structural[] = {
    "builtin.module",   "func.func",    "func.return",     "arith.constant",
    "linalg.generic",   "linalg.index", "cf.assert",       "arith.maxui",
    "affine.apply",     "affine.min",   "affine.max",      "arith.divui",
    "arith.remui",      "arith.minui",  "arith.ceildivsi", "arith.ceildivui",
    "ml_program.global"};

static bool is_known(const char *name) {
  for (size_t i = 0; i < sizeof structural / sizeof *structural; i++)
    if (strcmp(structural[i], name) == 0)
      return true;
  return strncmp(name, "linalg.", 7) == 0 || st_scalar_is_known(name) ||
         st_tensor_is_known(name);
}

static bool has_tensor_result(MlirOperation op) {
  return mlirOperationGetNumResults(op) == 1 &&
         mlirTypeIsATensor(mlirValueGetType(mlirOperationGetResult(op, 0)));
}

static void import_operation(StImport *imp, MlirOperation op) {
  if (st_mlir_is(op, "linalg.generic")) {
    st_import_generic(imp, op);
  } else if (st_mlir_is(op, "arith.constant")) {
    st_import_constant(imp, op);
  } else if (st_mlir_is(op, "cf.assert")) {
    if (st_import_cond(imp, mlirOperationGetOperand(op, 0)) == 0)
      st_import_refuse(imp, op, "this assertion always fails");
  } else if (st_mlir_is(op, "func.return")) {
    for (int i = 0; i < (int)mlirOperationGetNumOperands(op); i++)
      import_result(imp, op, i);
  } else if (!st_import_tensor_op(imp, op)) {
    const char *name = st_mlir_name(imp->scratch, op);
    bool is_linalg = strncmp(name, "linalg.", 7) == 0;
    if (is_linalg || !is_known(name))
      st_import_refuse(imp, op, "no operation of the accelerator does this");
    else if (has_tensor_result(op))
      st_import_elementwise(imp, op);
  }
  /* Integers in order, so that long chains are not evaluated recursively. */
  StSym ignored;
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); i++)
    st_import_sym(imp, mlirOperationGetResult(op, i), &ignored);
}

static bool check_counts(StImport *imp, MlirBlock body) {
  int nargs = (int)mlirBlockGetNumArguments(body);
  int nrets = (int)mlirOperationGetNumOperands(mlirBlockGetTerminator(body));
  if (!imp->sig || (imp->sig->nargs == nargs && imp->sig->nrets == nrets))
    return true;
  st_error(imp->text->diag, st_mlir_loc(imp->text, imp->fn),
           "the function has %d arguments and %d results, model.json has %d "
           "and %d",
           nargs, nrets, imp->sig->nargs, imp->sig->nrets);
  st_note(imp->text->diag, "the text and model.json of a package belong "
                           "together; export it again");
  return false;
}

static bool import_function(StImport *imp) {
  MlirRegion region = mlirOperationGetFirstRegion(imp->fn);
  MlirBlock body = mlirRegionGetFirstBlock(region);
  if (!mlirBlockIsNull(mlirBlockGetNextInRegion(body))) {
    st_import_refuse(imp, imp->fn, "control flow between blocks");
    return true;
  }
  if (!check_counts(imp, body))
    return false;
  for (int i = 0; i < (int)mlirBlockGetNumArguments(body); i++)
    import_argument(imp, i, mlirBlockGetArgument(body, i));
  if (imp->issue.n > 0)
    return true;
  for (MlirOperation op = mlirBlockGetFirstOperation(body);
       !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op))
    import_operation(imp, op);
  ST_CHECK(imp->issue.n > 0 ||
               imp->m->ret.n == (int)mlirOperationGetNumOperands(
                                    mlirBlockGetTerminator(body)),
           "import of %s lost a result", imp->text->path);
  return true;
}

/* ---- dead operations ---------------------------------------------------- */

static void drop_dead(StModule *m) {
  StArena *scratch = st_arena_new();
  bool *live = ST_NEW_N(scratch, bool, m->next_op + 1);
  for (int i = m->op.n - 1; i >= 0; i--) {
    StOp *op = m->op.at[i];
    live[op->id] |= op->kind == ST_OP_RESULT;
    for (int k = 0; live[op->id] && k < op->noperands; k++)
      live[op->operand[k]->def->id] = true;
  }
  int n = 0;
  for (int i = 0; i < m->op.n; i++)
    if (live[m->op.at[i]->id])
      m->op.at[n++] = m->op.at[i];
  m->op.n = n;
  st_module_renumber(m);
  st_arena_free(scratch);
}

/* ---- entry -------------------------------------------------------------- */

StImport st_import_new(StText *t, StModule *m, const StSignature *sig) {
  m->ctx = sig ? sig->ctx : 0;
  m->chunk = sig ? sig->chunk : 0;
  return (StImport){.text = t, .sig = sig, .m = m, .scratch = t->arena};
}

/* Several operations may share a location: a fill is the least telling. */
static MlirWalkResult remember_name(MlirOperation op, void *user) {
  StImport *imp = user;
  const char *name = st_mlir_name(imp->scratch, op);
  const void *loc = mlirOperationGetLocation(op).ptr;
  if (strncmp(name, "linalg.", 7) != 0 || mlirOperationGetNumRegions(op) == 0 ||
      strcmp(name, "linalg.fill") == 0 ||
      (strcmp(name, "linalg.generic") == 0 &&
       st_ptrmap_get(&imp->named, loc) >= 0))
    return MlirWalkResultAdvance;
  st_ptrmap_set(imp->scratch, &imp->named, loc, imp->name.n);
  st_vec_push(imp->scratch, &imp->name, name);
  return MlirWalkResultAdvance;
}

bool st_import_run(StImport *imp) {
  if (!st_text_parse(imp->text) || !st_text_run(imp->text, "canonicalize,cse"))
    return false;
  mlirOperationWalk(imp->text->top, remember_name, imp, MlirWalkPreOrder);
  if (!st_text_run(imp->text, "linalg-generalize-named-ops,canonicalize,cse"))
    return false;
  imp->fn = st_mlir_function(imp->text, imp->sig ? imp->sig->entry : NULL);
  if (mlirOperationIsNull(imp->fn) || !import_function(imp))
    return false;
  if (imp->issue.n == 0 && imp->wide)
    st_warning(imp->text->diag, st_mlir_loc(imp->text, imp->fn),
               "f64 values are computed as f32");
  return true;
}

static void add_stranger(StImport *imp, const StStatement *s,
                         const char *name) {
  StIssue issue = {.op = name,
                   .reason = "no operation of the accelerator does this",
                   .loc = st_text_statement_loc(imp->text, s)};
  st_vec_push(imp->scratch, &imp->issue, issue);
}

/* A yield goes with the operation around it. */
static bool is_yield(MlirStringRef name) {
  return name.length > 6 &&
         memcmp(name.data + name.length - 6, ".yield", 6) == 0;
}

bool st_import_strangers(StImport *imp, const StStatements *all) {
  bool found = false;
  for (int i = 0; i < all->n; i++)
    found |= !all->at[i].known;
  for (int yields = 0; found && yields < 2 && imp->issue.n == 0; yields++)
    for (int i = 0; i < all->n; i++) {
      const StStatement *s = &all->at[i];
      const char *name = st_arena_printf(imp->scratch, "%.*s",
                                         (int)s->name.length, s->name.data);
      if (is_yield(s->name) ? yields && !s->known
                            : !s->known || !is_known(name))
        add_stranger(imp, s, name);
    }
  return found;
}

StModule *st_import_linalg(const StSignature *sig, const char *path,
                           StDiag *diag) {
  const char *slash = strrchr(path, '/');
  StModule *m = st_module_new(sig && sig->name ? sig->name
                              : slash          ? slash + 1
                                               : path);
  StArena *scratch = st_arena_new();
  StText text;
  bool ok = st_text_load(&text, path, scratch, m->arena, diag);
  StImport imp = st_import_new(&text, m, sig);
  StStatements all = {0};
  if (ok)
    st_text_statements(&text, &all);
  ok = ok && !st_import_strangers(&imp, &all) && st_import_run(&imp);
  report_issues(&imp);
  ok = ok && imp.issue.n == 0;
  if (ok)
    drop_dead(m);
  st_text_close(&text);
  st_arena_free(scratch);
  if (ok)
    return m;
  st_module_free(m);
  return NULL;
}
