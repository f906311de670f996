/* Integers of the text that are linear in P and T: sizes, offsets, the
 * position. Everything that decides a shape is evaluated here; minima, maxima
 * and conditions are decided from the ranges of P and T where they can be.
 */
#include "import/linalg.h"

#include <mlir-c/AffineMap.h>
#include <mlir-c/BuiltinAttributes.h>
#include <mlir-c/BuiltinTypes.h>
#include <string.h>

bool st_sym_range(const StImport *imp, StSym s, int64_t *lo, int64_t *hi) {
  int64_t ctx = imp->m->ctx, chunk = imp->m->chunk;
  *lo = st_sym_min(s, ctx, chunk);
  *hi = st_sym_max(s, ctx, chunk);
  return st_sym_is_const(s) || (ctx > 0 && chunk > 0);
}

static int negate(int x) { return x < 0 ? x : !x; }

int st_import_compare(const StImport *imp, StPredicate p, StSym a, StSym b) {
  int64_t lo, hi, alo, ahi, blo, bhi;
  if (!st_sym_range(imp, st_sym_add(a, st_sym_scale(b, -1)), &lo, &hi) ||
      !st_sym_range(imp, a, &alo, &ahi) || !st_sym_range(imp, b, &blo, &bhi))
    return -1;
  if (p >= ST_P_IULT && p <= ST_P_IUGE) {
    if (alo < 0 || blo < 0)
      return -1;
    p = ST_P_SLT + (p - ST_P_IULT);
  }
  if (p == ST_P_EQ || p == ST_P_NE) {
    int eq = lo == 0 && hi == 0 ? 1 : lo > 0 || hi < 0 ? 0 : -1;
    return p == ST_P_EQ ? eq : negate(eq);
  }
  int lt = hi < 0 ? 1 : lo >= 0 ? 0 : -1;
  int gt = lo > 0 ? 1 : hi <= 0 ? 0 : -1;
  return p == ST_P_SLT   ? lt
         : p == ST_P_SGE ? negate(lt)
         : p == ST_P_SGT ? gt
                         : negate(gt);
}

/* ---- division ----------------------------------------------------------- */

typedef enum { TOWARDS_ZERO, FLOOR, CEIL } Rounding;

static bool divide(StSym a, StSym b, Rounding how, StSym *out) {
  if (!st_sym_is_const(b) || b.c == 0 || b.c == INT64_MIN)
    return false;
  int64_t k = b.c;
  if (a.p % k == 0 && a.t % k == 0 && a.c % k == 0) {
    *out = (StSym){.c = a.c / k, .p = a.p / k, .t = a.t / k};
    return true;
  }
  if (!st_sym_is_const(a))
    return false;
  int64_t q = a.c / k;
  bool negative = (a.c < 0) != (k < 0);
  *out = st_sym_const(how == FLOOR && negative   ? q - 1
                      : how == CEIL && !negative ? q + 1
                                                 : q);
  return true;
}

static bool multiply(StSym a, StSym b, StSym *out) {
  bool is_const_a = st_sym_is_const(a), is_const_b = st_sym_is_const(b);
  if (!is_const_a && !is_const_b)
    return false;
  StSym x = is_const_a ? b : a;
  int64_t k = is_const_a ? a.c : b.c, ignored;
  if (__builtin_mul_overflow(x.c, k, &ignored) ||
      __builtin_mul_overflow(x.p, k, &ignored) ||
      __builtin_mul_overflow(x.t, k, &ignored))
    return false;
  *out = st_sym_scale(x, k);
  return true;
}

/* a - (a / b) * b where the quotient is known. */
static bool remainder_of(StSym a, StSym b, Rounding how, StSym *out) {
  StSym q, whole;
  if (!divide(a, b, how, &q) || !multiply(q, b, &whole))
    return false;
  *out = st_sym_add(a, st_sym_scale(whole, -1));
  return true;
}

/* ---- affine maps -------------------------------------------------------- */

static bool eval_affine(MlirAffineExpr e, const StSym *dim, const StSym *sym,
                        StSym *out) {
  if (mlirAffineExprIsAConstant(e)) {
    *out = st_sym_const(mlirAffineConstantExprGetValue(e));
    return true;
  }
  if (mlirAffineExprIsADim(e)) {
    *out = dim[mlirAffineDimExprGetPosition(e)];
    return true;
  }
  if (mlirAffineExprIsASymbol(e)) {
    *out = sym[mlirAffineSymbolExprGetPosition(e)];
    return true;
  }
  StSym a, b;
  if (!eval_affine(mlirAffineBinaryOpExprGetLHS(e), dim, sym, &a) ||
      !eval_affine(mlirAffineBinaryOpExprGetRHS(e), dim, sym, &b))
    return false;
  if (mlirAffineExprIsAAdd(e)) {
    *out = st_sym_add(a, b);
    return true;
  }
  if (mlirAffineExprIsAMul(e))
    return multiply(a, b, out);
  if (mlirAffineExprIsAMod(e))
    return remainder_of(a, b, FLOOR, out);
  return divide(a, b, mlirAffineExprIsACeilDiv(e) ? CEIL : FLOOR, out);
}

/* affine.apply, and affine.min and max whose winner is known. */
static bool eval_affine_op(StImport *imp, MlirOperation op, StPredicate keep,
                           StSym *out) {
  MlirAffineMap map = mlirAffineMapAttrGetValue(st_mlir_attr(op, "map"));
  intptr_t n = mlirOperationGetNumOperands(op);
  StSym *arg = ST_NEW_N(imp->scratch, StSym, (size_t)n + 1);
  for (intptr_t i = 0; i < n; i++)
    if (!st_import_sym(imp, mlirOperationGetOperand(op, i), &arg[i]))
      return false;
  const StSym *symbols = arg + mlirAffineMapGetNumDims(map);
  for (intptr_t i = 0; i < mlirAffineMapGetNumResults(map); i++) {
    StSym x;
    if (!eval_affine(mlirAffineMapGetResult(map, i), arg, symbols, &x))
      return false;
    int better = i == 0 ? 1 : st_import_compare(imp, keep, x, *out);
    if (better < 0)
      return false;
    *out = better ? x : *out;
  }
  return mlirAffineMapGetNumResults(map) > 0;
}

/* ---- tensors ------------------------------------------------------------ */

static bool eval_dim(StImport *imp, MlirOperation op, StSym *out) {
  StImported *t = st_import_get(imp, mlirOperationGetOperand(op, 0));
  StSym d;
  imp->blind |= !t;
  if (!t || !st_import_sym(imp, mlirOperationGetOperand(op, 1), &d) || d.p ||
      d.t || d.c < 0 || d.c >= t->type.rank)
    return false;
  *out = t->type.shape[d.c];
  return true;
}

/* An element of a constant, or of a tensor that holds one such integer. */
static bool eval_extract(StImport *imp, MlirOperation op, StSym *out) {
  StImported *t = st_import_get(imp, mlirOperationGetOperand(op, 0));
  if (!t || t->kind != ST_IV_TENSOR || t->type.dtype != ST_I64)
    return false;
  const StOp *def = t->value->def;
  int64_t at = 0;
  for (int i = 0; i < t->type.rank; i++) {
    StSym x;
    if (!st_import_sym(imp, mlirOperationGetOperand(op, i + 1), &x) || x.p ||
        x.t || x.c < 0 || t->type.shape[i].p || t->type.shape[i].t ||
        x.c >= t->type.shape[i].c)
      return false;
    at = at * t->type.shape[i].c + x.c;
  }
  if (def->kind == ST_OP_CONST) {
    int64_t x;
    at = def->u.constant.splat ? 0 : at;
    memcpy(&x, (const char *)def->u.constant.data + at * 8, 8);
    *out = st_sym_const(x);
    return true;
  }
  if (def->kind != ST_OP_GENERIC || def->nresults != 1)
    return false;
  const StExpr *e = &def->u.nest.body.at[def->u.nest.out[0].yield];
  *out = e->kind == ST_X_CONST ? st_sym_const((int64_t)e->bits) : e->affine.off;
  return e->kind == ST_X_CONST || (e->kind == ST_X_INDEX && e->affine.n == 0 &&
                                   def->u.nest.out[0].combine == ST_X_ARG);
}

/* ---- scalar operations -------------------------------------------------- */

typedef enum {
  S_CONSTANT,
  S_DIM,
  S_EXTRACT,
  S_APPLY,
  S_AMIN,
  S_AMAX,
  S_CAST,
  S_SELECT,
  S_ADD,
  S_SUB,
  S_MUL,
  S_DIV,
  S_FLOORDIV,
  S_CEILDIV,
  S_REM,
  S_MAX,
  S_MIN
} SymOp;

static const struct {
  const char *name;
  SymOp op;
} sym_op[] = {
    {"arith.constant", S_CONSTANT}, {"tensor.dim", S_DIM},
    {"tensor.extract", S_EXTRACT},  {"affine.apply", S_APPLY},
    {"affine.min", S_AMIN},         {"affine.max", S_AMAX},
    {"arith.index_cast", S_CAST},   {"arith.index_castui", S_CAST},
    {"arith.extsi", S_CAST},        {"arith.extui", S_CAST},
    {"arith.trunci", S_CAST},       {"arith.select", S_SELECT},
    {"arith.addi", S_ADD},          {"arith.subi", S_SUB},
    {"arith.muli", S_MUL},          {"arith.divsi", S_DIV},
    {"arith.divui", S_DIV},         {"arith.floordivsi", S_FLOORDIV},
    {"arith.ceildivsi", S_CEILDIV}, {"arith.ceildivui", S_CEILDIV},
    {"arith.remsi", S_REM},         {"arith.remui", S_REM},
    {"arith.maxsi", S_MAX},         {"arith.maxui", S_MAX},
    {"arith.minsi", S_MIN},         {"arith.minui", S_MIN},
};

static bool is_bool(MlirValue v) {
  MlirType t = mlirValueGetType(v);
  return mlirTypeIsAInteger(t) && mlirIntegerTypeGetWidth(t) == 1;
}

static bool eval_binary(StImport *imp, SymOp k, StSym a, StSym b, StSym *out) {
  switch (k) {
  case S_ADD:
    *out = st_sym_add(a, b);
    return true;
  case S_SUB:
    *out = st_sym_add(a, st_sym_scale(b, -1));
    return true;
  case S_MUL:
    return multiply(a, b, out);
  case S_DIV:
    return divide(a, b, TOWARDS_ZERO, out);
  case S_FLOORDIV:
    return divide(a, b, FLOOR, out);
  case S_CEILDIV:
    return divide(a, b, CEIL, out);
  case S_REM:
    return remainder_of(a, b, TOWARDS_ZERO, out);
  case S_MAX:
  case S_MIN: {
    int first = st_import_compare(imp, k == S_MAX ? ST_P_SGE : ST_P_SLE, a, b);
    *out = first == 1 ? a : b;
    return first >= 0;
  }
  case S_CONSTANT:
  case S_DIM:
  case S_EXTRACT:
  case S_APPLY:
  case S_AMIN:
  case S_AMAX:
  case S_CAST:
  case S_SELECT:
    break;
  }
  return false;
}

/* Does a truncation to this type keep the value? */
static bool fits(const StImport *imp, StSym s, MlirType type) {
  int64_t lo, hi;
  unsigned width = mlirTypeIsAIndex(type) ? 64 : mlirIntegerTypeGetWidth(type);
  if (width >= 64)
    return true;
  int64_t max = (INT64_C(1) << (width - 1)) - 1;
  return st_sym_range(imp, s, &lo, &hi) && lo >= -max - 1 && hi <= max;
}

/* An integer from another, or from a condition. */
static bool eval_cast(StImport *imp, MlirOperation op, StSym *out) {
  MlirValue arg = mlirOperationGetOperand(op, 0);
  if (!is_bool(arg))
    return st_import_sym(imp, arg, out) &&
           fits(imp, *out, mlirValueGetType(mlirOperationGetResult(op, 0)));
  int cond = st_import_cond(imp, arg);
  bool is_signed =
      !st_mlir_is(op, "arith.extui") && !st_mlir_is(op, "arith.index_castui");
  *out = st_sym_const(cond == 1 ? (is_signed ? -1 : 1) : 0);
  return cond >= 0;
}

static bool eval_op(StImport *imp, MlirOperation op, SymOp k, StSym *out) {
  switch (k) {
  case S_CONSTANT: {
    MlirAttribute v = st_mlir_attr(op, "value");
    if (!mlirAttributeIsAInteger(v))
      return false;
    *out = st_sym_const(mlirIntegerAttrGetValueInt(v));
    return true;
  }
  case S_DIM:
    return eval_dim(imp, op, out);
  case S_EXTRACT:
    return eval_extract(imp, op, out);
  case S_APPLY:
  case S_AMIN:
    return eval_affine_op(imp, op, ST_P_SLE, out);
  case S_AMAX:
    return eval_affine_op(imp, op, ST_P_SGE, out);
  case S_CAST:
    return eval_cast(imp, op, out);
  case S_SELECT: {
    int c = st_import_cond(imp, mlirOperationGetOperand(op, 0));
    return c >= 0 &&
           st_import_sym(imp, mlirOperationGetOperand(op, c ? 1 : 2), out);
  }
  case S_ADD:
  case S_SUB:
  case S_MUL:
  case S_DIV:
  case S_FLOORDIV:
  case S_CEILDIV:
  case S_REM:
  case S_MAX:
  case S_MIN:
    break;
  }
  StSym a, b;
  return st_import_sym(imp, mlirOperationGetOperand(op, 0), &a) &&
         st_import_sym(imp, mlirOperationGetOperand(op, 1), &b) &&
         eval_binary(imp, k, a, b, out);
}

static bool eval(StImport *imp, MlirValue v, StSym *out) {
  MlirType type = mlirValueGetType(v);
  if ((!mlirTypeIsAInteger(type) && !mlirTypeIsAIndex(type)) || is_bool(v))
    return false;
  if (!mlirValueIsAOpResult(v)) {
    *out = (StSym){.p = 1};
    return imp->position && v.ptr == imp->position;
  }
  MlirOperation op = mlirOpResultGetOwner(v);
  for (size_t i = 0; i < sizeof sym_op / sizeof *sym_op; i++)
    if (st_mlir_is(op, sym_op[i].name))
      return eval_op(imp, op, sym_op[i].op, out);
  return false;
}

bool st_import_sym(StImport *imp, MlirValue v, StSym *out) {
  int at = st_ptrmap_get(&imp->sym_at, v.ptr);
  if (at < 0) {
    StKnown k = {.sym = st_sym_const(0)};
    k.known = eval(imp, v, &k.sym);
    at = imp->sym.n;
    st_vec_push(imp->scratch, &imp->sym, k);
    st_ptrmap_set(imp->scratch, &imp->sym_at, v.ptr, at);
  }
  *out = imp->sym.at[at].sym;
  return imp->sym.at[at].known;
}

/* ---- conditions --------------------------------------------------------- */

static int eval_cmpi(StImport *imp, MlirOperation op) {
  StSym a, b;
  if (!st_import_sym(imp, mlirOperationGetOperand(op, 0), &a) ||
      !st_import_sym(imp, mlirOperationGetOperand(op, 1), &b))
    return -1;
  int64_t p = mlirIntegerAttrGetValueInt(st_mlir_attr(op, "predicate"));
  return st_import_compare(imp, ST_P_EQ + (unsigned)p, a, b);
}

int st_import_cond(StImport *imp, MlirValue v) {
  if (!mlirValueIsAOpResult(v) || !is_bool(v))
    return -1;
  MlirOperation op = mlirOpResultGetOwner(v);
  if (st_mlir_is(op, "arith.constant"))
    return mlirIntegerAttrGetValueInt(st_mlir_attr(op, "value")) != 0;
  if (st_mlir_is(op, "arith.cmpi"))
    return is_bool(mlirOperationGetOperand(op, 0)) ? -1 : eval_cmpi(imp, op);
  bool is_and = st_mlir_is(op, "arith.andi");
  if (!is_and && !st_mlir_is(op, "arith.ori") && !st_mlir_is(op, "arith.xori"))
    return -1;
  int a = st_import_cond(imp, mlirOperationGetOperand(op, 0));
  int b = st_import_cond(imp, mlirOperationGetOperand(op, 1));
  if (st_mlir_is(op, "arith.xori"))
    return a < 0 || b < 0 ? -1 : a ^ b;
  if (a == !is_and || b == !is_and)
    return !is_and;
  return a < 0 || b < 0 ? -1 : is_and;
}

/* ---- mixed static and dynamic lists ------------------------------------- */

bool st_import_mixed(StImport *imp, MlirOperation op, const char *statics,
                     intptr_t i, intptr_t *next, StSym *out) {
  int64_t x = mlirDenseI64ArrayGetElement(st_mlir_attr(op, statics), i);
  if (!mlirShapedTypeIsDynamicSize(x)) {
    *out = st_sym_const(x);
    return true;
  }
  return st_import_sym(imp, mlirOperationGetOperand(op, (*next)++), out);
}
