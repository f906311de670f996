/* Building the body of a GENERIC: expressions, operands, and the foldings that
 * keep index arithmetic affine and conditions on sizes out of the body.
 */
#include "import/linalg.h"

#include <mlir-c/BuiltinAttributes.h>
#include <mlir-c/BuiltinTypes.h>

#include "base/num.h"

enum { MAX_DEPTH = 500 }; /* of scalar operations outside the body */

static StExpr *expr(StBodyBuilder *b, int i) { return &b->nest->body.at[i]; }

static int push(StBodyBuilder *b, StExpr e) {
  return st_expr_push(b->imp->m, &b->nest->body, e);
}

static StExpr blank(StScalarKind k, StDtype t) {
  return (StExpr){.kind = k,
                  .dtype = t,
                  .arg = {-1, -1, -1},
                  .operand = -1,
                  .affine = st_affine_const(st_sym_const(0))};
}

/* ---- leaves ------------------------------------------------------------- */

int st_body_const(StBodyBuilder *b, StDtype dtype, uint64_t bits) {
  StExpr e = blank(ST_X_CONST, dtype);
  e.bits = bits;
  return push(b, e);
}

int st_body_index(StBodyBuilder *b, StAffine a) {
  if (a.n == 0 && a.off.p == 0 && a.off.t == 0)
    return st_body_const(b, ST_I64, (uint64_t)a.off.c);
  StExpr e = blank(ST_X_INDEX, ST_I64);
  e.affine = a;
  return push(b, e);
}

/* Is expression i an affine i64? */
static bool is_affine(StBodyBuilder *b, int i, StAffine *out) {
  const StExpr *e = expr(b, i);
  if (e->kind == ST_X_CONST && e->dtype == ST_I64) {
    *out = st_affine_const(st_sym_const((int64_t)e->bits));
    return true;
  }
  *out = e->affine;
  return e->kind == ST_X_INDEX;
}

/* A tensor that holds one integer known from P and T: its value. */
static const StExpr *known_integer(const StValue *v) {
  const StOp *op = v->def;
  if (op->kind != ST_OP_GENERIC || op->nresults != 1 || op->noperands != 0)
    return NULL;
  const StExpr *e = &op->u.nest.body.at[op->u.nest.out[0].yield];
  bool known =
      e->kind == ST_X_CONST || (e->kind == ST_X_INDEX && e->affine.n == 0);
  return known && op->u.nest.out[0].combine == ST_X_ARG ? e : NULL;
}

static bool same_map(const StAffine *x, const StAffine *y, int rank) {
  for (int i = 0; i < rank; i++)
    if (!st_affine_eq(&x[i], &y[i]))
      return false;
  return true;
}

/* Position of the operand; a NULL map is the whole tensor (EXTRACT). */
static int operand_of(StBodyBuilder *b, StValue *v, StAffine *map) {
  for (int i = 0; i < b->operand.n; i++)
    if (b->operand.at[i] == v && !b->in.at[i].map == !map &&
        (!map || same_map(map, b->in.at[i].map, v->type.rank)))
      return i;
  StInput in = {.map = map, .guard = {.dim = -1}};
  st_vec_push(b->imp->scratch, &b->operand, v);
  st_vec_push(b->imp->scratch, &b->in, in);
  return b->operand.n - 1;
}

int st_body_arg(StBodyBuilder *b, StValue *v, StAffine *map) {
  uint64_t bits;
  if (st_splat_bits(v, &bits))
    return st_body_const(b, v->type.dtype, bits);
  const StExpr *known = known_integer(v);
  if (known)
    return push(b, *known);
  int at = operand_of(b, v, map);
  for (int i = 0; i < b->nest->body.n; i++)
    if (expr(b, i)->kind == ST_X_ARG && expr(b, i)->operand == at)
      return i;
  StExpr e = blank(ST_X_ARG, v->type.dtype);
  e.operand = at;
  return push(b, e);
}

/* ---- operations with folding -------------------------------------------- */

static int fold_affine(StBodyBuilder *b, StScalarKind k, int x, int y) {
  StArena *a = b->imp->m->arena;
  StAffine ax, ay;
  if (!is_affine(b, x, &ax) || !is_affine(b, y, &ay))
    return -1;
  bool const_x = ax.n == 0 && !ax.off.p && !ax.off.t;
  bool const_y = ay.n == 0 && !ay.off.p && !ay.off.t;
  if (k == ST_X_ADDI)
    return st_body_index(b, st_affine_add(a, ax, ay));
  if (k == ST_X_SUBI)
    return st_body_index(b, st_affine_add(a, ax, st_affine_scale(a, ay, -1)));
  if (k == ST_X_MULI && (const_x || const_y))
    return st_body_index(b, const_x ? st_affine_scale(a, ay, ax.off.c)
                                    : st_affine_scale(a, ax, ay.off.c));
  return -1;
}

static int fold_convert(StBodyBuilder *b, StScalarKind k, StDtype to, int x) {
  const StExpr e = *expr(b, x);
  bool keeps = k == ST_X_EXTF || k == ST_X_TRUNCF || k == ST_X_EXTSI ||
               k == ST_X_EXTUI || k == ST_X_TRUNCI;
  if (keeps && e.dtype == to)
    return x;
  if (e.kind != ST_X_CONST || (k != ST_X_EXTF && k != ST_X_TRUNCF))
    return -1;
  float f = e.dtype == ST_F16    ? st_num_from_f16((uint16_t)e.bits)
            : e.dtype == ST_BF16 ? st_num_from_bf16((uint16_t)e.bits)
                                 : st_num_float((uint32_t)e.bits);
  return st_body_const(b, to, st_float_bits(to, (double)f));
}

static int fold_select(StBodyBuilder *b, int c, int x, int y) {
  if (x == y)
    return x;
  return expr(b, c)->kind == ST_X_CONST ? (expr(b, c)->bits ? x : y) : -1;
}

int st_body_op(StBodyBuilder *b, StScalarKind k, StDtype dtype, int x, int y,
               int z) {
  int n = st_scalar_args(k), folded = -1;
  if (n == 1)
    folded = fold_convert(b, k, dtype, x);
  else if (n == 2 && dtype == ST_I64)
    folded = fold_affine(b, k, x, y);
  else if (k == ST_X_SELECT)
    folded = fold_select(b, x, y, z);
  if (folded >= 0)
    return folded;
  StExpr e = blank(k, dtype);
  e.arg[0] = x;
  e.arg[1] = n > 1 ? y : -1;
  e.arg[2] = n > 2 ? z : -1;
  return push(b, e);
}

int st_body_compare(StBodyBuilder *b, StScalarKind k, StPredicate p, int x,
                    int y) {
  StAffine ax, ay;
  if (k == ST_X_CMPI && is_affine(b, x, &ax) && is_affine(b, y, &ay) &&
      ax.n == 0 && ay.n == 0) {
    int known = st_import_compare(b->imp, p, ax.off, ay.off);
    if (known >= 0)
      return st_body_const(b, ST_I1, (uint64_t)known);
  }
  StExpr e = blank(k, ST_I1);
  e.arg[0] = x;
  e.arg[1] = y;
  e.pred = p;
  return push(b, e);
}

/* ---- scalars of the text ------------------------------------------------ */

void st_body_bind(StBodyBuilder *b, MlirValue v, int at) {
  StBound bound = {v, at};
  st_vec_push(b->imp->scratch, &b->bound, bound);
}

static int refuse(StBodyBuilder *b, MlirOperation op, const char *why) {
  st_import_refuse(b->imp, op, "%s", why);
  return -1;
}

/* tensor.extract: an operand with a map where the indices are affine. */
static int extract(StBodyBuilder *b, MlirOperation op) {
  StArena *a = b->imp->m->arena;
  StValue *v = st_import_tensor(b->imp, op, 0);
  if (!v)
    return -1;
  int rank = v->type.rank;
  int *index = ST_NEW_N(a, int, rank + 1);
  StAffine *map = ST_NEW_N(a, StAffine, rank + 1);
  bool affine = true;
  for (int i = 0; i < rank; i++) {
    index[i] = st_body_scalar(b, mlirOperationGetOperand(op, i + 1));
    if (index[i] < 0)
      return -1;
    affine = affine && is_affine(b, index[i], &map[i]) &&
             (map[i].n == 0 || st_affine_single(&map[i]) >= 0);
  }
  uint64_t ignored;
  if (affine || st_splat_bits(v, &ignored))
    return st_body_arg(b, v, map);
  StExpr e = blank(ST_X_EXTRACT, v->type.dtype);
  e.operand = operand_of(b, v, NULL);
  e.nindices = rank;
  e.indices = index;
  return push(b, e);
}

static int constant(StBodyBuilder *b, MlirOperation op, StDtype dtype) {
  uint64_t bits;
  if (!st_import_attr_bits(st_mlir_attr(op, "value"), dtype, &bits))
    return refuse(b, op, "this form of constant");
  return st_body_const(b, dtype, bits);
}

static int loop_index(StBodyBuilder *b, MlirOperation op) {
  int64_t dim = mlirIntegerAttrGetValueInt(st_mlir_attr(op, "dim"));
  if (dim < 0 || dim >= b->nest->ndims)
    return refuse(b, op, "no such loop");
  return st_body_index(b, st_affine_dim(b->imp->m->arena, (int)dim));
}

/* What an operation computes, in this body. */
static int operation(StBodyBuilder *b, MlirOperation op, StDtype dtype) {
  if (st_mlir_is(op, "arith.constant"))
    return constant(b, op, dtype);
  if (st_mlir_is(op, "linalg.index"))
    return loop_index(b, op);
  if (st_mlir_is(op, "tensor.extract"))
    return extract(b, op);
  if (st_mlir_is(op, "tensor.dim") || st_mlir_is(op, "affine.apply") ||
      st_mlir_is(op, "affine.min") || st_mlir_is(op, "affine.max")) {
    st_import_refuse_size(b->imp, op);
    return -1;
  }
  return st_body_scalar_op(b, op);
}

static int known_scalar(StBodyBuilder *b, MlirValue v, StDtype dtype) {
  StSym s;
  if (dtype == ST_I1) {
    int c = st_import_cond(b->imp, v);
    return c < 0 ? -1 : st_body_const(b, ST_I1, (uint64_t)c);
  }
  if (dtype == ST_F32 || !st_import_sym(b->imp, v, &s))
    return -1;
  int at = st_body_index(b, st_affine_const(s));
  return dtype == ST_I64 ? at : st_body_op(b, ST_X_TRUNCI, dtype, at, -1, -1);
}

static int scalar(StBodyBuilder *b, MlirValue v) {
  StDtype dtype;
  if (!st_import_dtype(mlirValueGetType(v), &dtype))
    return refuse(b, mlirValueIsAOpResult(v) ? mlirOpResultGetOwner(v) : b->op,
                  "a scalar of this type");
  bool is_constant = mlirValueIsAOpResult(v) &&
                     st_mlir_is(mlirOpResultGetOwner(v), "arith.constant");
  int known = is_constant ? -1 : known_scalar(b, v, dtype);
  if (known >= 0)
    return known;
  if (mlirValueIsAOpResult(v))
    return operation(b, mlirOpResultGetOwner(v), dtype);
  StImported *arg = st_import_get(b->imp, v);
  if (!arg || arg->kind != ST_IV_TENSOR || arg->type.rank != 0)
    return refuse(b, b->op,
                  "an accumulator is read other than by one "
                  "combination with the inputs (as in argmax)");
  return st_body_arg(b, arg->value, ST_NEW(b->imp->m->arena, StAffine));
}

int st_body_scalar(StBodyBuilder *b, MlirValue v) {
  for (int i = b->bound.n - 1; i >= 0; i--)
    if (mlirValueEqual(b->bound.at[i].value, v))
      return b->bound.at[i].expr;
  if (b->depth >= MAX_DEPTH)
    return refuse(b, b->op, "scalar arithmetic outside loops is too long");
  b->depth++;
  int at = scalar(b, v);
  b->depth--;
  st_body_bind(b, v, at);
  return at;
}

/* ---- finishing ---------------------------------------------------------- */

static void mark(const StBody *body, bool *used) {
  for (int i = body->n - 1; i >= 0; i--) {
    const StExpr *e = &body->at[i];
    for (int k = 0; used[i] && k < 3; k++)
      if (e->arg[k] >= 0)
        used[e->arg[k]] = true;
    for (int k = 0; used[i] && k < e->nindices; k++)
      used[e->indices[k]] = true;
  }
}

/* Rebuild the body with what is used; *at maps old positions to new ones. */
static StBody compact(StBodyBuilder *b, const bool *used, int *at,
                      int *operand) {
  StBody out = {0};
  const StBody *old = &b->nest->body;
  for (int i = 0; i < old->n; i++) {
    if (!used[i])
      continue;
    StExpr e = old->at[i];
    for (int k = 0; k < 3; k++)
      e.arg[k] = e.arg[k] >= 0 ? at[e.arg[k]] : -1;
    int *indices = ST_NEW_N(b->imp->m->arena, int, e.nindices + 1);
    for (int k = 0; k < e.nindices; k++)
      indices[k] = at[e.indices[k]];
    e.indices = e.nindices ? indices : NULL;
    if (e.operand >= 0)
      e.operand = operand[e.operand];
    at[i] = st_expr_push(b->imp->m, &out, e);
  }
  return out;
}

StOp *st_body_finish(StBodyBuilder *b, StLoc loc, int nout, const StOutput *out,
                     const StType *type) {
  StArena *scratch = b->imp->scratch, *a = b->imp->m->arena;
  StNest *nest = b->nest;
  bool *used = ST_NEW_N(scratch, bool, nest->body.n + 1);
  int *at = ST_NEW_N(scratch, int, nest->body.n + 1);
  int *operand = ST_NEW_N(scratch, int, b->operand.n + 1);
  StValue **kept = ST_NEW_N(scratch, StValue *, b->operand.n + 1);
  for (int i = 0; i < nout; i++)
    used[out[i].yield] = true;
  mark(&nest->body, used);
  for (int i = 0; i < nest->body.n; i++)
    if (used[i] && nest->body.at[i].operand >= 0)
      operand[nest->body.at[i].operand] = 1;
  int n = 0;
  nest->in = ST_NEW_N(a, StInput, b->operand.n + 1);
  for (int i = 0; i < b->operand.n; i++) {
    if (!operand[i])
      continue;
    kept[n] = b->operand.at[i];
    nest->in[n] = b->in.at[i];
    operand[i] = n++;
  }
  nest->body = compact(b, used, at, operand);
  nest->out = ST_NEW_N(a, StOutput, nout);
  for (int i = 0; i < nout; i++) {
    nest->out[i] = out[i];
    nest->out[i].yield = at[out[i].yield];
  }
  StOp *op = st_op_new(b->imp->m, ST_OP_GENERIC, loc, n, kept, nout);
  op->u.nest = *nest;
  for (int i = 0; i < nout; i++)
    op->result[i]->type = type[i];
  st_op_append(b->imp->m, op);
  return op;
}
