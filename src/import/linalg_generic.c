/* linalg.generic to GENERIC. Extents come from the operands' shapes.
 *
 * A reduction must have the form  yield = combine(acc, g(inputs)): g becomes
 * what the body yields. A neutral initial value is dropped, any other is
 * combined with the result by a second, elementwise GENERIC:
 *   acc = bias; acc += a * b   ->   r = fold addf (a * b);  r + bias
 */
#include "import/linalg.h"

#include <float.h>
#include <math.h>
#include <mlir-c/AffineMap.h>
#include <mlir-c/BuiltinAttributes.h>
#include <mlir-c/BuiltinTypes.h>
#include <string.h>

typedef struct {
  StImport *imp;
  MlirOperation op;
  StLoc loc;
  MlirBlock block;
  int nin, nops;  /* inputs; inputs and outputs */
  StAffine **map; /* [nops] */
  StType *type;   /* [nops] of tensors; rank 0 of scalars */
  bool reduces;
  StNest nest;
  StBodyBuilder b;
} Generic;

static bool refuse(Generic *g, const char *why) {
  st_import_refuse(g->imp, g->op, "%s", why);
  return false;
}

/* ---- maps --------------------------------------------------------------- */

static bool convert_expr(Generic *g, MlirAffineExpr e, StAffine *out) {
  StArena *a = g->imp->m->arena;
  if (mlirAffineExprIsAConstant(e)) {
    *out = st_affine_const(st_sym_const(mlirAffineConstantExprGetValue(e)));
    return true;
  }
  if (mlirAffineExprIsADim(e)) {
    *out = st_affine_dim(a, (int)mlirAffineDimExprGetPosition(e));
    return true;
  }
  bool is_add = mlirAffineExprIsAAdd(e), is_mul = mlirAffineExprIsAMul(e);
  if (!is_add && !is_mul)
    return refuse(g, "mod, floordiv or ceildiv in an indexing map");
  StAffine x, y;
  if (!convert_expr(g, mlirAffineBinaryOpExprGetLHS(e), &x) ||
      !convert_expr(g, mlirAffineBinaryOpExprGetRHS(e), &y))
    return false;
  if (is_mul && y.n != 0)
    return refuse(g, "an indexing map that is not affine");
  *out = is_add ? st_affine_add(a, x, y) : st_affine_scale(a, x, y.off.c);
  return true;
}

static bool convert_map(Generic *g, MlirAffineMap m, StAffine **out) {
  intptr_t n = mlirAffineMapGetNumResults(m);
  *out = ST_NEW_N(g->imp->m->arena, StAffine, (size_t)n + 1);
  for (intptr_t i = 0; i < n; i++)
    if (!convert_expr(g, mlirAffineMapGetResult(m, i), &(*out)[i]))
      return false;
  return true;
}

static bool read_maps(Generic *g) {
  MlirAttribute maps = st_mlir_attr(g->op, "indexing_maps");
  MlirAttribute iterators = st_mlir_attr(g->op, "iterator_types");
  StArena *a = g->imp->m->arena;
  g->nest.ndims = (int)mlirArrayAttrGetNumElements(iterators);
  g->nest.dim = ST_NEW_N(a, StDim, g->nest.ndims + 1);
  for (int i = 0; i < g->nest.ndims; i++) {
    const char *text = st_mlir_attr_text(g->imp->scratch,
                                         mlirArrayAttrGetElement(iterators, i));
    g->nest.dim[i].reduction = strstr(text, "reduction") != NULL;
    g->reduces |= g->nest.dim[i].reduction;
    if (!g->nest.dim[i].reduction && !strstr(text, "parallel"))
      return refuse(g, "a loop that is neither parallel nor a reduction");
  }
  g->map = ST_NEW_N(g->imp->scratch, StAffine *, g->nops + 1);
  for (int i = 0; i < g->nops; i++) {
    MlirAttribute m = mlirArrayAttrGetElement(maps, i);
    if (!convert_map(g, mlirAffineMapAttrGetValue(m), &g->map[i]))
      return false;
  }
  return true;
}

/* ---- extents ------------------------------------------------------------ */

/* Shapes of all operands; false if one could not be imported. */
static bool read_types(Generic *g) {
  g->type = ST_NEW_N(g->imp->scratch, StType, g->nops + 1);
  for (int i = 0; i < g->nops; i++) {
    MlirValue v = mlirOperationGetOperand(g->op, i);
    if (!mlirTypeIsAShaped(mlirValueGetType(v)))
      continue;
    StImported *t = st_import_get(g->imp, v);
    if (!t)
      return false;
    g->type[i] = t->type;
  }
  return true;
}

static bool read_extents(Generic *g) {
  bool *known = ST_NEW_N(g->imp->scratch, bool, g->nest.ndims + 1);
  for (int i = 0; i < g->nops; i++)
    for (int k = 0; k < g->type[i].rank; k++) {
      int d = st_affine_single(&g->map[i][k]);
      if (d < 0 || !st_sym_eq(g->map[i][k].off, st_sym_const(0)))
        continue;
      if (known[d] && !st_sym_eq(g->nest.dim[d].extent, g->type[i].shape[k]))
        return refuse(g, "operands of different sizes along one loop");
      g->nest.dim[d].extent = g->type[i].shape[k];
      known[d] = true;
    }
  for (int d = 0; d < g->nest.ndims; d++) {
    int64_t lo, hi;
    if (!known[d])
      return refuse(g, "a loop whose extent no operand's shape tells");
    if (g->nest.dim[d].reduction &&
        (!st_sym_range(g->imp, g->nest.dim[d].extent, &lo, &hi) || lo < 1))
      return refuse(g, "a reduction over a dimension that can be empty");
  }
  return true;
}

/* Without loops that run once, every entry must be one loop or a constant. */
static bool check_maps(Generic *g) {
  for (int i = 0; i < g->nops; i++)
    for (int k = 0; k < g->type[i].rank; k++) {
      StAffine *e = &g->map[i][k];
      int n = 0;
      for (int j = 0; j < e->n; j++)
        if (e->n == 1 ||
            !st_sym_eq(g->nest.dim[e->term[j].dim].extent, st_sym_const(1)))
          e->term[n++] = e->term[j];
      e->n = n;
      if (n > 0 && st_affine_single(e) < 0)
        return refuse(g, "an indexing map that adds or scales loops (a window "
                         "or a stride, as in a convolution or pooling)");
    }
  return true;
}

/* Does a result's map cover the result exactly once? */
static bool covers(const Generic *g, int operand) {
  const StAffine *map = g->map[operand];
  const StType *t = &g->type[operand];
  bool *seen = ST_NEW_N(g->imp->scratch, bool, g->nest.ndims + 1);
  for (int k = 0; k < t->rank; k++) {
    int d = st_affine_single(&map[k]);
    if (!st_sym_eq(map[k].off, st_sym_const(0)))
      return false;
    if (d < 0 && !st_sym_eq(t->shape[k], st_sym_const(1)))
      return false;
    if (d >= 0 && (seen[d] || g->nest.dim[d].reduction))
      return false;
    if (d >= 0)
      seen[d] = true;
  }
  for (int d = 0; d < g->nest.ndims; d++)
    if (!seen[d] && !g->nest.dim[d].reduction &&
        !st_sym_eq(g->nest.dim[d].extent, st_sym_const(1)))
      return false;
  return true;
}

/* ---- reductions --------------------------------------------------------- */

static const struct {
  const char *name;
  StScalarKind kind;
} combiner[] = {
    {"arith.addf", ST_X_ADDF},         {"arith.mulf", ST_X_MULF},
    {"arith.maximumf", ST_X_MAXIMUMF}, {"arith.minimumf", ST_X_MINIMUMF},
    {"arith.maxnumf", ST_X_MAXNUMF},   {"arith.minnumf", ST_X_MINNUMF},
    {"arith.addi", ST_X_ADDI},         {"arith.muli", ST_X_MULI},
    {"arith.maxsi", ST_X_MAXSI},       {"arith.minsi", ST_X_MINSI},
    {"arith.andi", ST_X_ANDI},         {"arith.ori", ST_X_ORI},
};

/* select(a > b, a, b) and the like: the maximum or minimum that it is. */
static StScalarKind select_kind(MlirOperation select, MlirOperation cmp) {
  bool is_float = st_mlir_is(cmp, "arith.cmpf");
  if (!is_float && !st_mlir_is(cmp, "arith.cmpi"))
    return ST_X_COUNT;
  MlirValue l = mlirOperationGetOperand(cmp, 0);
  MlirValue r = mlirOperationGetOperand(cmp, 1);
  MlirValue yes = mlirOperationGetOperand(select, 1);
  MlirValue no = mlirOperationGetOperand(select, 2);
  bool straight = mlirValueEqual(l, yes) && mlirValueEqual(r, no);
  if (!straight && !(mlirValueEqual(l, no) && mlirValueEqual(r, yes)))
    return ST_X_COUNT;
  int64_t p = mlirIntegerAttrGetValueInt(st_mlir_attr(cmp, "predicate"));
  if (!is_float) {
    bool greater = p == 4 || p == 5; /* sgt, sge */
    if (!greater && p != 2 && p != 3)
      return ST_X_COUNT;
    return greater == straight ? ST_X_MAXSI : ST_X_MINSI;
  }
  bool ordered = p >= 2 && p <= 5, unordered = p >= 9 && p <= 12;
  if (!ordered && !unordered)
    return ST_X_COUNT;
  bool greater = (ordered ? p - 2 : p - 9) < 2;
  if (greater == straight)
    return ordered ? ST_X_MAXNUMF : ST_X_MAXIMUMF;
  return ordered ? ST_X_MINNUMF : ST_X_MINIMUMF;
}

/* Split  y = combine(acc, rest). */
static bool match_combine(MlirValue y, MlirValue acc, StScalarKind *kind,
                          MlirValue *rest) {
  if (!mlirValueIsAOpResult(y))
    return false;
  MlirOperation op = mlirOpResultGetOwner(y);
  intptr_t first = 0;
  *kind = ST_X_COUNT;
  if (st_mlir_is(op, "arith.select")) {
    MlirValue c = mlirOperationGetOperand(op, 0);
    first = 1;
    if (mlirValueIsAOpResult(c))
      *kind = select_kind(op, mlirOpResultGetOwner(c));
  }
  for (size_t i = 0; i < sizeof combiner / sizeof *combiner; i++)
    if (st_mlir_is(op, combiner[i].name))
      *kind = combiner[i].kind;
  if (*kind == ST_X_COUNT)
    return false;
  for (intptr_t i = first; i < first + 2; i++)
    if (mlirValueEqual(mlirOperationGetOperand(op, i), acc)) {
      *rest = mlirOperationGetOperand(op, 2 * first + 1 - i);
      return true;
    }
  return false;
}

static float float_of(StDtype t, uint64_t bits) {
  uint32_t u = (uint32_t)bits;
  float f;
  if (t == ST_BF16)
    u <<= 16;
  memcpy(&f, &u, 4);
  return f;
}

/* Is the splat `bits` an initial value that changes nothing? The lowest finite
 * number counts as such for a maximum: masks are written with it. */
static bool is_neutral(StScalarKind k, StDtype t, uint64_t bits) {
  bool is_add = k == ST_X_ADDF, is_mul = k == ST_X_MULF;
  bool is_max = k == ST_X_MAXIMUMF || k == ST_X_MAXNUMF;
  bool is_min = k == ST_X_MINIMUMF || k == ST_X_MINNUMF;
  if (is_add || is_mul || is_max || is_min) {
    if (t == ST_F16)
      return bits == (is_add   ? 0u
                      : is_mul ? 0x3c00u
                      : is_max ? 0xfc00u
                               : 0x7c00u);
    float f = float_of(t, bits);
    return is_add   ? f == 0
           : is_mul ? f == 1
           : is_max ? f <= -0.99f * FLT_MAX
                    : f >= 0.99f * FLT_MAX;
  }
  int n = st_dtype_bits(t);
  uint64_t ones = n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
  uint64_t lowest = UINT64_C(1) << (n - 1);
  return bits == (k == ST_X_MULI    ? 1
                  : k == ST_X_ANDI  ? ones
                  : k == ST_X_MAXSI ? lowest
                  : k == ST_X_MINSI ? ones ^ lowest
                                    : 0);
}

/* ---- small nests -------------------------------------------------------- */

static StNest box(StImport *imp, const StType *t) {
  StNest n = {.ndims = t->rank,
              .dim = ST_NEW_N(imp->m->arena, StDim, t->rank + 1)};
  for (int i = 0; i < t->rank; i++)
    n.dim[i].extent = t->shape[i];
  return n;
}

static StOutput plain_output(StImport *imp, const StType *t, int yield) {
  return (StOutput){.yield = yield,
                    .combine = ST_X_ARG,
                    .map = st_identity_map(imp->m->arena, t->rank),
                    .guard = {.dim = -1}};
}

/* combine(x, y), element by element. */
static StValue *combine(StImport *imp, MlirOperation op, StLoc loc,
                        StScalarKind k, StValue *x, StValue *y) {
  StType t = x->type;
  StNest nest = box(imp, &t);
  StBodyBuilder b = {.imp = imp, .op = op, .nest = &nest};
  StArena *a = imp->m->arena;
  int ex = st_body_arg(&b, x, st_identity_map(a, t.rank));
  int ey = st_body_arg(&b, y, st_identity_map(a, t.rank));
  StOutput out = plain_output(imp, &t, st_body_op(&b, k, t.dtype, ex, ey, -1));
  return st_body_finish(&b, loc, 1, &out, &t)->result[0];
}

void st_import_elementwise(StImport *imp, MlirOperation op) {
  StType t = {0};
  StArena *a = imp->m->arena;
  StBodyBuilder b = {.imp = imp, .op = op};
  StNest nest = {0};
  MlirValue result = mlirOperationGetResult(op, 0);
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); i++) {
    MlirValue v = mlirOperationGetOperand(op, i);
    if (!mlirTypeIsAShaped(mlirValueGetType(v)))
      continue;
    StValue *x = st_import_tensor(imp, op, i);
    if (!x)
      return;
    if (!b.nest) {
      nest = box(imp, &x->type);
      t = x->type;
      b.nest = &nest;
    }
    st_body_bind(&b, v, st_body_arg(&b, x, st_identity_map(a, t.rank)));
  }
  if (!b.nest ||
      !st_import_dtype(mlirShapedTypeGetElementType(mlirValueGetType(result)),
                       &t.dtype)) {
    st_import_refuse(imp, op, "an operation on tensors of this type");
    return;
  }
  int y = st_body_scalar_op(&b, op);
  if (y < 0)
    return;
  StOutput out = plain_output(imp, &t, y);
  StOp *made = st_body_finish(&b, st_mlir_loc(imp->text, op), 1, &out, &t);
  st_import_set_tensor(imp, result, made->result[0]);
}

StValue *st_import_broadcast(StImport *imp, MlirOperation op, MlirValue v,
                             StType type) {
  StNest nest = box(imp, &type);
  StBodyBuilder b = {.imp = imp, .op = op, .nest = &nest};
  StLoc loc = st_mlir_loc(imp->text, op);
  int y = st_body_scalar(&b, v);
  if (y < 0)
    return NULL;
  if (nest.body.at[y].kind == ST_X_CONST)
    return st_import_splat(imp, loc, type, nest.body.at[y].bits);
  StOutput out = plain_output(imp, &type, y);
  return st_body_finish(&b, loc, 1, &out, &type)->result[0];
}

/* ---- the body ----------------------------------------------------------- */

static bool is_used(MlirValue v) {
  return !mlirOpOperandIsNull(mlirValueGetFirstUse(v));
}

/* Block arguments to expressions; accumulators of a reduction stay unbound. */
static bool bind_arguments(Generic *g) {
  for (int i = 0; i < (g->reduces ? g->nin : g->nops); i++) {
    MlirValue arg = mlirBlockGetArgument(g->block, i);
    MlirValue v = mlirOperationGetOperand(g->op, i);
    if (!is_used(arg))
      continue;
    int at;
    if (mlirTypeIsAShaped(mlirValueGetType(v))) {
      StValue *t = st_import_tensor(g->imp, g->op, i);
      if (!t)
        return false;
      at = st_body_arg(&g->b, t, g->map[i]);
    } else {
      at = st_body_scalar(&g->b, v);
    }
    if (at < 0)
      return false;
    st_body_bind(&g->b, arg, at);
  }
  return true;
}

/* An assertion inside a body that is known to fail. */
static bool check_asserts(Generic *g) {
  for (MlirOperation op = mlirBlockGetFirstOperation(g->block);
       !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op))
    if (st_mlir_is(op, "cf.assert") &&
        st_import_cond(g->imp, mlirOperationGetOperand(op, 0)) == 0) {
      st_import_refuse(g->imp, op, "this assertion always fails");
      return false;
    }
  return true;
}

/* What result r yields and how it is folded; false after refusing. */
static bool read_output(Generic *g, int r, StOutput *out) {
  MlirOperation yield = mlirBlockGetTerminator(g->block);
  MlirValue y = mlirOperationGetOperand(yield, r);
  *out = (StOutput){
      .combine = ST_X_ARG, .map = g->map[g->nin + r], .guard = {.dim = -1}};
  if (!covers(g, g->nin + r))
    return refuse(g, "a result whose map does not cover it exactly once");
  MlirValue acc = mlirBlockGetArgument(g->block, g->nin + r);
  if (g->reduces && !match_combine(y, acc, &out->combine, &y))
    return refuse(g, "a reduction that is not combine(acc, f(inputs)) with one "
                     "of add, mul, max, min, and, or (argmax and running sums "
                     "are such)");
  out->yield = st_body_scalar(&g->b, y);
  return out->yield >= 0;
}

/* A copy of its operand, or a constant: no loop is needed. */
static StValue *without_loop(Generic *g, const StOutput *out,
                             const StType *type) {
  const StExpr *e = &g->nest.body.at[out->yield];
  if (g->reduces)
    return NULL;
  if (e->kind == ST_X_CONST)
    return st_import_splat(g->imp, g->loc, *type, e->bits);
  if (e->kind != ST_X_ARG)
    return NULL;
  StValue *v = g->b.operand.at[e->operand];
  const StAffine *map = g->b.in.at[e->operand].map;
  if (v->type.rank != type->rank || v->type.dtype != type->dtype)
    return NULL;
  for (int i = 0; i < type->rank; i++)
    if (!st_affine_eq(&map[i], &out->map[i]) ||
        !st_sym_eq(v->type.shape[i], type->shape[i]))
      return NULL;
  return v;
}

/* Result r after its initial value, if that matters; NULL after refusing. */
static StValue *with_init(Generic *g, int r, StScalarKind k, StValue *v) {
  uint64_t bits;
  StValue *init = st_import_tensor(g->imp, g->op, g->nin + r);
  if (!init)
    return NULL;
  if (st_splat_bits(init, &bits) && is_neutral(k, init->type.dtype, bits))
    return v;
  return combine(g->imp, g->op, g->loc, k, v, init);
}

static void build(Generic *g) {
  int nout = g->nops - g->nin, n = 0;
  StOutput *out = ST_NEW_N(g->imp->scratch, StOutput, nout + 1);
  StType *type = ST_NEW_N(g->imp->scratch, StType, nout + 1);
  int *which = ST_NEW_N(g->imp->scratch, int, nout + 1);
  for (int r = 0; r < nout; r++) {
    if (!is_used(mlirOperationGetResult(g->op, r)))
      continue;
    if (!read_output(g, r, &out[n]))
      return;
    which[n] = r;
    type[n++] = g->type[g->nin + r];
  }
  if (n == 0)
    return;
  StValue *same = n == 1 ? without_loop(g, &out[0], &type[0]) : NULL;
  if (same) {
    st_import_set_tensor(g->imp, mlirOperationGetResult(g->op, which[0]), same);
    return;
  }
  StOp *op = st_body_finish(&g->b, g->loc, n, out, type);
  for (int i = 0; i < n; i++) {
    StValue *v = op->result[i];
    MlirType mt = mlirValueGetType(mlirOperationGetResult(g->op, which[i]));
    g->imp->wide |= mlirTypeIsAF64(mlirShapedTypeGetElementType(mt));
    if (g->reduces)
      v = with_init(g, which[i], out[i].combine, v);
    if (v)
      st_import_set_tensor(g->imp, mlirOperationGetResult(g->op, which[i]), v);
  }
}

void st_import_generic(StImport *imp, MlirOperation op) {
  Generic g = {.imp = imp,
               .op = op,
               .loc = st_mlir_loc(imp->text, op),
               .nops = (int)mlirOperationGetNumOperands(op)};
  g.nin = g.nops - (int)mlirOperationGetNumResults(op);
  g.block = mlirRegionGetFirstBlock(mlirOperationGetFirstRegion(op));
  g.b = (StBodyBuilder){.imp = imp, .op = op, .nest = &g.nest};
  if (read_types(&g) && read_maps(&g) && read_extents(&g) && check_maps(&g) &&
      check_asserts(&g) && bind_arguments(&g))
    build(&g);
}
