/* Scalar operations of the arith and math dialects. Most are one of
 * scalar.def; the rest are built from those:
 *   log1p, expm1   W. Kahan's correction: log(1 + x) * x / ((1 + x) - 1)
 *   fpowi          repeated squaring for a constant exponent
 */
#include "import/linalg.h"

#include <mlir-c/BuiltinAttributes.h>
#include <mlir-c/BuiltinTypes.h>
#include <string.h>

#include "base/num.h"

typedef struct {
  StBodyBuilder *b;
  MlirOperation op;
  StDtype type; /* of the result */
  int arg[3];
} Scalar;

/* ---- shorthands --------------------------------------------------------- */

static int op2(Scalar *s, StScalarKind k, int x, int y) {
  return st_body_op(s->b, k, s->type, x, y, -1);
}

static int op1(Scalar *s, StScalarKind k, int x) {
  return st_body_op(s->b, k, s->type, x, -1, -1);
}

static int choose(Scalar *s, int cond, int x, int y) {
  return st_body_op(s->b, ST_X_SELECT, s->type, cond, x, y);
}

static int number(Scalar *s, double x) {
  return st_body_const(s->b, s->type, st_float_bits(s->type, x));
}

static int integer(Scalar *s, int64_t x) {
  int bits = st_dtype_bits(s->type);
  uint64_t u = (uint64_t)x;
  return st_body_const(s->b, s->type,
                       bits >= 64 ? u : u & ((UINT64_C(1) << bits) - 1));
}

static int equal(Scalar *s, int x, int y) {
  return st_body_compare(s->b, ST_X_CMPF, ST_P_OEQ, x, y);
}

static StDtype dtype_of(Scalar *s, int x) {
  return s->b->nest->body.at[x].dtype;
}

/* ---- operations that are not in scalar.def ------------------------------ */

static int64_t predicate(Scalar *s) {
  return mlirIntegerAttrGetValueInt(st_mlir_attr(s->op, "predicate"));
}

static int compare_float(Scalar *s) {
  int64_t p = predicate(s); /* 0 is "never", 15 is "always" */
  if (p <= 0 || p >= 15)
    return st_body_const(s->b, ST_I1, p == 15);
  return st_body_compare(s->b, ST_X_CMPF, ST_P_OEQ + (unsigned)(p - 1),
                         s->arg[0], s->arg[1]);
}

static int compare_int(Scalar *s) {
  return st_body_compare(s->b, ST_X_CMPI, ST_P_EQ + (unsigned)predicate(s),
                         s->arg[0], s->arg[1]);
}

static int cast_index(Scalar *s) {
  bool widens = st_dtype_bits(dtype_of(s, s->arg[0])) < st_dtype_bits(s->type);
  bool is_signed = st_mlir_is(s->op, "arith.index_cast");
  return op1(s,
             !widens     ? ST_X_TRUNCI
             : is_signed ? ST_X_EXTSI
                         : ST_X_EXTUI,
             s->arg[0]);
}

static int floor_divide(Scalar *s) {
  int q = op2(s, ST_X_DIVSI, s->arg[0], s->arg[1]);
  int r = op2(s, ST_X_REMSI, s->arg[0], s->arg[1]);
  int zero = integer(s, 0);
  int inexact = st_body_compare(s->b, ST_X_CMPI, ST_P_NE, r, zero);
  int sign = op2(s, ST_X_XORI, r, s->arg[1]);
  int differ = st_body_compare(s->b, ST_X_CMPI, ST_P_SLT, sign, zero);
  int down = st_body_op(s->b, ST_X_ANDI, ST_I1, inexact, differ, -1);
  return choose(s, down, op2(s, ST_X_SUBI, q, integer(s, 1)), q);
}

static int absolute(Scalar *s) {
  return op2(s, ST_X_MAXSI, s->arg[0],
             op2(s, ST_X_SUBI, integer(s, 0), s->arg[0]));
}

static int multiply_add(Scalar *s) {
  return op2(s, ST_X_ADDF, op2(s, ST_X_MULF, s->arg[0], s->arg[1]), s->arg[2]);
}

static int log1p_of(Scalar *s) {
  int x = s->arg[0];
  int u = op2(s, ST_X_ADDF, x, number(s, 1));
  int d = op2(s, ST_X_SUBF, u, number(s, 1));
  int log = op1(s, ST_X_LOG, u);
  int fixed = op2(s, ST_X_MULF, log, op2(s, ST_X_DIVF, x, d));
  int small = choose(s, equal(s, d, number(s, 0)), x, fixed);
  return choose(s, equal(s, d, x), log, small);
}

static int expm1_of(Scalar *s) {
  int x = s->arg[0];
  int u = op1(s, ST_X_EXP, x);
  int d = op2(s, ST_X_SUBF, u, number(s, 1));
  int ratio = op2(s, ST_X_DIVF, x, op1(s, ST_X_LOG, u));
  int fixed = op2(s, ST_X_MULF, d, ratio);
  int small = choose(s, equal(s, d, number(s, 0)), x, fixed);
  int low = choose(s, equal(s, d, number(s, -1)), d, small);
  return choose(s, equal(s, d, u), d, low);
}

static int exp2_of(Scalar *s) {
  return op1(s, ST_X_EXP,
             op2(s, ST_X_MULF, s->arg[0], number(s, 0.69314718055994531)));
}

static int log2_of(Scalar *s) {
  return op2(s, ST_X_MULF, op1(s, ST_X_LOG, s->arg[0]),
             number(s, 1.4426950408889634));
}

static int log10_of(Scalar *s) {
  return op2(s, ST_X_MULF, op1(s, ST_X_LOG, s->arg[0]),
             number(s, 0.43429448190325182));
}

static int tan_of(Scalar *s) {
  return op2(s, ST_X_DIVF, op1(s, ST_X_SIN, s->arg[0]),
             op1(s, ST_X_COS, s->arg[0]));
}

/* x^n by squaring; n > 0. */
static int power(Scalar *s, int x, int64_t n) {
  int out = -1;
  for (; n > 0; n >>= 1) {
    if (n & 1)
      out = out < 0 ? x : op2(s, ST_X_MULF, out, x);
    if (n > 1)
      x = op2(s, ST_X_MULF, x, x);
  }
  return out;
}

static int power_int(Scalar *s) {
  StSym n;
  if (!st_import_sym(s->b->imp, mlirOperationGetOperand(s->op, 1), &n) || n.p ||
      n.t || n.c > 64 || n.c < -64)
    return op2(s, ST_X_POWF, s->arg[0], op1(s, ST_X_SITOFP, s->arg[1]));
  if (n.c == 0)
    return number(s, 1);
  int at = power(s, s->arg[0], n.c < 0 ? -n.c : n.c);
  return n.c < 0 ? op2(s, ST_X_DIVF, number(s, 1), at) : at;
}

static int shift_left(Scalar *s) {
  StSym n;
  if (!st_import_sym(s->b->imp, mlirOperationGetOperand(s->op, 1), &n) || n.p ||
      n.t || n.c < 0 || n.c >= st_dtype_bits(s->type)) {
    st_import_refuse(s->b->imp, s->op, "a shift by a variable amount");
    return -1;
  }
  return op2(s, ST_X_MULI, s->arg[0],
             integer(s, (int64_t)(UINT64_C(1) << n.c)));
}

/* ---- the table ---------------------------------------------------------- */

static const struct {
  const char *name;
  StScalarKind kind;      /* where build is NULL */
  int (*build)(Scalar *); /* the expression, or -1 after refusing */
} table[] = {
    {"arith.addf", ST_X_ADDF, NULL},
    {"arith.subf", ST_X_SUBF, NULL},
    {"arith.mulf", ST_X_MULF, NULL},
    {"arith.divf", ST_X_DIVF, NULL},
    {"arith.negf", ST_X_NEGF, NULL},
    {"arith.maximumf", ST_X_MAXIMUMF, NULL},
    {"arith.minimumf", ST_X_MINIMUMF, NULL},
    {"arith.maxnumf", ST_X_MAXNUMF, NULL},
    {"arith.minnumf", ST_X_MINNUMF, NULL},
    {"math.absf", ST_X_ABSF, NULL},
    {"math.exp", ST_X_EXP, NULL},
    {"math.log", ST_X_LOG, NULL},
    {"math.sqrt", ST_X_SQRT, NULL},
    {"math.rsqrt", ST_X_RSQRT, NULL},
    {"math.tanh", ST_X_TANH, NULL},
    {"math.erf", ST_X_ERF, NULL},
    {"math.sin", ST_X_SIN, NULL},
    {"math.cos", ST_X_COS, NULL},
    {"math.powf", ST_X_POWF, NULL},
    {"math.floor", ST_X_FLOOR, NULL},
    {"math.ceil", ST_X_CEIL, NULL},
    {"math.roundeven", ST_X_ROUNDEVEN, NULL},
    {"math.trunc", ST_X_TRUNC, NULL},
    {"arith.addi", ST_X_ADDI, NULL},
    {"arith.subi", ST_X_SUBI, NULL},
    {"arith.muli", ST_X_MULI, NULL},
    {"arith.divsi", ST_X_DIVSI, NULL},
    {"arith.remsi", ST_X_REMSI, NULL},
    {"arith.maxsi", ST_X_MAXSI, NULL},
    {"arith.minsi", ST_X_MINSI, NULL},
    {"arith.andi", ST_X_ANDI, NULL},
    {"arith.ori", ST_X_ORI, NULL},
    {"arith.xori", ST_X_XORI, NULL},
    {"arith.select", ST_X_SELECT, NULL},
    {"arith.sitofp", ST_X_SITOFP, NULL},
    {"arith.uitofp", ST_X_UITOFP, NULL},
    {"arith.fptosi", ST_X_FPTOSI, NULL},
    {"arith.extf", ST_X_EXTF, NULL},
    {"arith.truncf", ST_X_TRUNCF, NULL},
    {"arith.extsi", ST_X_EXTSI, NULL},
    {"arith.extui", ST_X_EXTUI, NULL},
    {"arith.trunci", ST_X_TRUNCI, NULL},
    {"arith.cmpf", ST_X_CMPF, compare_float},
    {"arith.cmpi", ST_X_CMPI, compare_int},
    {"arith.index_cast", ST_X_EXTSI, cast_index},
    {"arith.index_castui", ST_X_EXTUI, cast_index},
    {"arith.floordivsi", ST_X_DIVSI, floor_divide},
    {"arith.shli", ST_X_MULI, shift_left},
    {"math.absi", ST_X_MAXSI, absolute},
    {"math.fma", ST_X_ADDF, multiply_add},
    {"math.log1p", ST_X_LOG, log1p_of},
    {"math.expm1", ST_X_EXP, expm1_of},
    {"math.exp2", ST_X_EXP, exp2_of},
    {"math.log2", ST_X_LOG, log2_of},
    {"math.log10", ST_X_LOG, log10_of},
    {"math.tan", ST_X_SIN, tan_of},
    {"math.fpowi", ST_X_POWF, power_int},
};

enum { TABLE = sizeof table / sizeof *table };

bool st_scalar_is_known(const char *name) {
  for (int i = 0; i < TABLE; i++)
    if (strcmp(table[i].name, name) == 0)
      return true;
  return false;
}

static MlirType element_type(MlirType t) {
  return mlirTypeIsAShaped(t) ? mlirShapedTypeGetElementType(t) : t;
}

int st_body_scalar_op(StBodyBuilder *b, MlirOperation op) {
  int at = 0;
  while (at < TABLE && !st_mlir_is(op, table[at].name))
    at++;
  Scalar s = {.b = b, .op = op, .arg = {-1, -1, -1}};
  if (at == TABLE) {
    st_import_refuse(b->imp, op, "there is no such scalar operation here");
    return -1;
  }
  MlirType type = element_type(mlirValueGetType(mlirOperationGetResult(op, 0)));
  if (!st_import_dtype(type, &s.type)) {
    st_import_refuse(b->imp, op, "result type %s",
                     st_mlir_type_text(b->imp->scratch, type));
    return -1;
  }
  intptr_t n = mlirOperationGetNumOperands(op);
  b->imp->wide |= mlirTypeIsAF64(type) && n > 1;
  for (intptr_t i = 0; i < n && i < 3; i++) {
    s.arg[i] = st_body_scalar(b, mlirOperationGetOperand(op, i));
    if (s.arg[i] < 0)
      return -1;
  }
  return table[at].build ? table[at].build(&s)
                         : st_body_op(b, table[at].kind, s.type, s.arg[0],
                                      s.arg[1], s.arg[2]);
}

StAffine *st_identity_map(StArena *a, int rank) {
  StAffine *map = ST_NEW_N(a, StAffine, rank + 1);
  for (int i = 0; i < rank; i++)
    map[i] = st_affine_dim(a, i);
  return map;
}
