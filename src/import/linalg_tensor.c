/* The tensor dialect: views, slices, concatenations and what is written with
 * them. insert_slice and pad become concatenations along one axis at a time:
 *   insert(s, d) -> concat(d[:off], s, d[off+n:])
 */
#include "import/linalg.h"

#include <mlir-c/BuiltinAttributes.h>
#include <mlir-c/BuiltinTypes.h>
#include <string.h>

typedef struct {
  StImport *imp;
  MlirOperation op;
  StLoc loc;
  StArena *arena; /* the module's */
} Tensor;

static StSym zero(void) { return st_sym_const(0); }

static bool refuse(Tensor *t, const char *why) {
  st_import_refuse(t->imp, t->op, "%s", why);
  return false;
}

static bool same_shape(const StType *t, int rank, const StSym *shape) {
  if (t->rank != rank)
    return false;
  for (int i = 0; i < rank; i++)
    if (!st_sym_eq(t->shape[i], shape[i]))
      return false;
  return true;
}

static void set_result(Tensor *t, StValue *v) {
  if (v)
    st_import_set_tensor(t->imp, mlirOperationGetResult(t->op, 0), v);
}

static MlirType result_type(Tensor *t) {
  return mlirValueGetType(mlirOperationGetResult(t->op, 0));
}

/* The type of the result with this shape; false after refusing. */
static bool typed(Tensor *t, int rank, const StSym *shape, StType *out) {
  StDtype dtype;
  if (!mlirTypeIsARankedTensor(result_type(t)) ||
      !st_import_dtype(mlirShapedTypeGetElementType(result_type(t)), &dtype))
    return refuse(t, "a tensor of this type");
  *out = st_type_tensor(t->arena, dtype, rank, shape);
  return true;
}

/* ---- the three operations of the module --------------------------------- */

static StValue *view(Tensor *t, StValue *v, int rank, const StSym *shape) {
  if (same_shape(&v->type, rank, shape))
    return v;
  StType type = st_type_tensor(t->arena, v->type.dtype, rank, shape);
  uint64_t bits;
  if (st_splat_bits(v, &bits))
    return st_import_splat(t->imp, t->loc, type, bits);
  return st_import_op(t->imp, ST_OP_VIEW, t->loc, 1, &v, type)->result[0];
}

static StValue *slice(Tensor *t, StValue *v, const StSym *offset,
                      const StSym *size, const int64_t *stride) {
  int rank = v->type.rank;
  StType type = st_type_tensor(t->arena, v->type.dtype, rank, size);
  uint64_t bits;
  bool whole = same_shape(&v->type, rank, size);
  for (int i = 0; i < rank; i++)
    whole = whole && st_sym_eq(offset[i], zero());
  if (whole)
    return v;
  if (st_splat_bits(v, &bits))
    return st_import_splat(t->imp, t->loc, type, bits);
  StOp *op = st_import_op(t->imp, ST_OP_SLICE, t->loc, 1, &v, type);
  op->u.slice.offset = ST_NEW_N(t->arena, StSym, rank + 1);
  op->u.slice.stride = ST_NEW_N(t->arena, int64_t, rank + 1);
  for (int i = 0; i < rank; i++) {
    op->u.slice.offset[i] = offset[i];
    op->u.slice.stride[i] = stride ? stride[i] : 1;
  }
  return op->result[0];
}

static StValue *concat(Tensor *t, int n, StValue *const *part, int axis) {
  if (n == 1)
    return part[0];
  StType type = st_type_tensor(t->arena, part[0]->type.dtype,
                               part[0]->type.rank, part[0]->type.shape);
  for (int i = 1; i < n; i++)
    type.shape[axis] = st_sym_add(type.shape[axis], part[i]->type.shape[axis]);
  StOp *op = st_import_op(t->imp, ST_OP_CONCAT, t->loc, n, part, type);
  op->u.axis = axis;
  return op->result[0];
}

/* ---- shapes ------------------------------------------------------------- */

/* A view of operand 0, which may also be a tensor without elements yet. */
static void reshaped(Tensor *t, int rank, const StSym *shape) {
  MlirValue from = mlirOperationGetOperand(t->op, 0);
  StImported *in = st_import_get(t->imp, from);
  if (in && in->kind == ST_IV_EMPTY && in->piece.n == 0) {
    StImported out = {.kind = ST_IV_EMPTY};
    if (typed(t, rank, shape, &out.type))
      st_import_set(t->imp, mlirOperationGetResult(t->op, 0), out);
    return;
  }
  StValue *v = st_import_tensor(t->imp, t->op, 0);
  if (v)
    set_result(t, view(t, v, rank, shape));
}

static void import_empty(Tensor *t) {
  MlirType mt = result_type(t);
  int rank = (int)mlirShapedTypeGetRank(mt), next = 0;
  StSym *shape = ST_NEW_N(t->imp->scratch, StSym, rank + 1);
  for (int i = 0; i < rank; i++) {
    shape[i] = st_sym_const(mlirShapedTypeGetDimSize(mt, i));
    if (mlirShapedTypeIsDynamicDim(mt, i) &&
        !st_import_sym(t->imp, mlirOperationGetOperand(t->op, next++),
                       &shape[i])) {
      st_import_refuse_size(t->imp, t->op);
      return;
    }
  }
  StImported out = {.kind = ST_IV_EMPTY};
  if (typed(t, rank, shape, &out.type))
    st_import_set(t->imp, mlirOperationGetResult(t->op, 0), out);
}

static void import_cast(Tensor *t) {
  StImported *in = st_import_get(t->imp, mlirOperationGetOperand(t->op, 0));
  if (in)
    st_import_set(t->imp, mlirOperationGetResult(t->op, 0), *in);
}

static void import_expand(Tensor *t) {
  int rank = (int)mlirShapedTypeGetRank(result_type(t));
  StSym *shape = ST_NEW_N(t->imp->scratch, StSym, rank + 1);
  intptr_t next = 1;
  for (int i = 0; i < rank; i++)
    if (!st_import_mixed(t->imp, t->op, "static_output_shape", i, &next,
                         &shape[i])) {
      st_import_refuse_size(t->imp, t->op);
      return;
    }
  reshaped(t, rank, shape);
}

static bool multiply(StSym *x, StSym y) {
  if (!st_sym_is_const(*x) && !st_sym_is_const(y))
    return false;
  *x = st_sym_is_const(*x) ? st_sym_scale(y, x->c) : st_sym_scale(*x, y.c);
  return true;
}

static void import_collapse(Tensor *t) {
  StImported *in = st_import_get(t->imp, mlirOperationGetOperand(t->op, 0));
  if (!in)
    return;
  MlirAttribute groups = st_mlir_attr(t->op, "reassociation");
  int rank = (int)mlirArrayAttrGetNumElements(groups), at = 0;
  StSym *shape = ST_NEW_N(t->imp->scratch, StSym, rank + 1);
  for (int i = 0; i < rank; i++) {
    intptr_t n =
        mlirArrayAttrGetNumElements(mlirArrayAttrGetElement(groups, i));
    shape[i] = st_sym_const(1);
    for (; n > 0; n--)
      if (!multiply(&shape[i], in->type.shape[at++])) {
        refuse(t, "dimensions whose product is not linear in P and T");
        return;
      }
  }
  reshaped(t, rank, shape);
}

/* Entry i of the shape operand of tensor.reshape. */
static bool shape_entry(Tensor *t, int i, StSym *out) {
  MlirValue v = mlirOperationGetOperand(t->op, 1);
  if (mlirValueIsAOpResult(v) &&
      st_mlir_is(mlirOpResultGetOwner(v), "tensor.from_elements"))
    return st_import_sym(
        t->imp, mlirOperationGetOperand(mlirOpResultGetOwner(v), i), out);
  StImported *in = st_import_get(t->imp, v);
  if (!in || in->kind != ST_IV_TENSOR || in->type.dtype != ST_I64 ||
      in->value->def->kind != ST_OP_CONST)
    return false;
  const StConst *c = &in->value->def->u.constant;
  int64_t x;
  memcpy(&x, (const char *)c->data + (c->splat ? 0 : 8 * i), 8);
  *out = st_sym_const(x);
  return true;
}

static void import_reshape(Tensor *t) {
  MlirType mt = result_type(t);
  if (!mlirTypeIsARankedTensor(mt)) {
    refuse(t, "a tensor without a rank");
    return;
  }
  int rank = (int)mlirShapedTypeGetRank(mt);
  StSym *shape = ST_NEW_N(t->imp->scratch, StSym, rank + 1);
  for (int i = 0; i < rank; i++) {
    shape[i] = st_sym_const(mlirShapedTypeGetDimSize(mt, i));
    if (mlirShapedTypeIsDynamicDim(mt, i) && !shape_entry(t, i, &shape[i])) {
      st_import_refuse_size(t->imp, t->op);
      return;
    }
  }
  reshaped(t, rank, shape);
}

/* ---- slices ------------------------------------------------------------- */

typedef struct {
  int rank;
  StSym *offset, *size;
  int64_t *stride;
} Window;

/* Offsets, sizes and strides; `first` is the first of their operands. */
static bool read_window(Tensor *t, int rank, int first, Window *w) {
  StArena *a = t->imp->scratch;
  intptr_t next = first;
  *w = (Window){.rank = rank,
                .offset = ST_NEW_N(a, StSym, rank + 1),
                .size = ST_NEW_N(a, StSym, rank + 1),
                .stride = ST_NEW_N(a, int64_t, rank + 1)};
  bool ok = true;
  for (int i = 0; i < rank; i++)
    ok &= st_import_mixed(t->imp, t->op, "static_offsets", i, &next,
                          &w->offset[i]);
  for (int i = 0; i < rank; i++)
    ok &= st_import_mixed(t->imp, t->op, "static_sizes", i, &next, &w->size[i]);
  for (int i = 0; i < rank && ok; i++) {
    StSym s;
    ok = st_import_mixed(t->imp, t->op, "static_strides", i, &next, &s) &&
         s.p == 0 && s.t == 0;
    w->stride[i] = s.c;
  }
  if (!ok)
    st_import_refuse_size(t->imp, t->op);
  return ok;
}

/* The sizes that a rank-reduced slice keeps. */
static int reduced_shape(const Window *w, MlirType mt, StSym *shape) {
  int rank = (int)mlirShapedTypeGetRank(mt), n = 0, drop = w->rank - rank;
  for (int i = 0; i < w->rank; i++) {
    bool unit = st_sym_eq(w->size[i], st_sym_const(1));
    bool wanted = n < rank && mlirShapedTypeGetDimSize(mt, n) == 1;
    if (unit && drop > 0 && !wanted)
      drop--;
    else if (n < rank)
      shape[n++] = w->size[i];
  }
  return n;
}

static void import_extract_slice(Tensor *t) {
  StImported *in = st_import_get(t->imp, mlirOperationGetOperand(t->op, 0));
  Window w;
  if (!in || !read_window(t, in->type.rank, 1, &w))
    return;
  StSym *shape = ST_NEW_N(t->imp->scratch, StSym, w.rank + 1);
  int rank = reduced_shape(&w, result_type(t), shape);
  if (in->kind == ST_IV_EMPTY && in->piece.n == 0) {
    reshaped(t, rank, shape);
    return;
  }
  StValue *v = st_import_tensor(t->imp, t->op, 0);
  if (v)
    set_result(t,
               view(t, slice(t, v, w.offset, w.size, w.stride), rank, shape));
}

/* The part off <= i < off + n along one axis. */
static StValue *part_of(Tensor *t, StValue *v, int axis, StSym off, StSym n) {
  StSym *offset = ST_NEW_N(t->imp->scratch, StSym, v->type.rank + 1);
  StSym *size = ST_NEW_N(t->imp->scratch, StSym, v->type.rank + 1);
  for (int i = 0; i < v->type.rank; i++) {
    offset[i] = i == axis ? off : zero();
    size[i] = i == axis ? n : v->type.shape[i];
  }
  return slice(t, v, offset, size, NULL);
}

/* `dest` with `src` at `offset`. */
static StValue *insert(Tensor *t, StValue *dest, StValue *src,
                       const StSym *offset, int axis) {
  int rank = src->type.rank;
  while (axis < rank &&
         st_sym_eq(src->type.shape[axis], dest->type.shape[axis]))
    axis++;
  if (axis == rank)
    return src;
  StSym off = offset[axis], n = src->type.shape[axis];
  StSym end = st_sym_add(off, n);
  StSym rest = st_sym_add(dest->type.shape[axis], st_sym_scale(end, -1));
  StValue *part[3];
  int parts = 0;
  if (!st_sym_eq(off, zero()))
    part[parts++] = part_of(t, dest, axis, zero(), off);
  part[parts++] =
      insert(t, part_of(t, dest, axis, off, n), src, offset, axis + 1);
  if (!st_sym_eq(rest, zero()))
    part[parts++] = part_of(t, dest, axis, end, rest);
  return concat(t, parts, part, axis);
}

/* Into a tensor without elements: remember the piece. */
static void insert_piece(Tensor *t, const StImported *dest, StValue *src,
                         const Window *w) {
  int axis = -1, differ = 0;
  for (int i = 0; i < w->rank; i++)
    if (!st_sym_eq(w->size[i], dest->type.shape[i])) {
      axis = i;
      differ++;
    }
  if (differ == 0) {
    set_result(t, src);
    return;
  }
  if (differ > 1 || (dest->piece.n > 0 && dest->axis != axis)) {
    refuse(t, "pieces of an undefined tensor along more than one axis");
    return;
  }
  StImported out = {.kind = ST_IV_EMPTY, .type = dest->type, .axis = axis};
  for (int i = 0; i < dest->piece.n; i++)
    st_vec_push(t->imp->scratch, &out.piece, dest->piece.at[i]);
  StPiece p = {w->offset[axis], src};
  st_vec_push(t->imp->scratch, &out.piece, p);
  st_import_set(t->imp, mlirOperationGetResult(t->op, 0), out);
}

StValue *st_import_join_pieces(StImport *imp, MlirOperation op,
                               const StImported *e) {
  Tensor t = {imp, op, st_mlir_loc(imp->text, op), imp->m->arena};
  StValue **part = ST_NEW_N(imp->scratch, StValue *, e->piece.n + 1);
  StSym at = zero();
  int n = 0;
  for (int i = 0; i < e->piece.n; i++) {
    int k = 0;
    while (k < e->piece.n && !st_sym_eq(e->piece.at[k].offset, at))
      k++;
    if (k == e->piece.n)
      return NULL;
    part[n++] = e->piece.at[k].value;
    at = st_sym_add(at, part[n - 1]->type.shape[e->axis]);
  }
  return n > 0 && st_sym_eq(at, e->type.shape[e->axis])
             ? concat(&t, n, part, e->axis)
             : NULL;
}

static void import_insert_slice(Tensor *t) {
  StImported *dest = st_import_get(t->imp, mlirOperationGetOperand(t->op, 1));
  StValue *src = st_import_tensor(t->imp, t->op, 0);
  Window w;
  if (!dest || !src || !read_window(t, dest->type.rank, 2, &w))
    return;
  for (int i = 0; i < w.rank; i++)
    if (w.stride[i] != 1) {
      refuse(t, "a stride other than 1");
      return;
    }
  src = view(t, src, w.rank, w.size);
  if (dest->kind == ST_IV_EMPTY) {
    insert_piece(t, dest, src, &w);
    return;
  }
  set_result(t, insert(t, dest->value, src, w.offset, 0));
}

/* ---- joining ------------------------------------------------------------ */

static void import_concat(Tensor *t) {
  int n = (int)mlirOperationGetNumOperands(t->op);
  StValue **part = ST_NEW_N(t->imp->scratch, StValue *, n + 1);
  for (int i = 0; i < n; i++)
    if (!(part[i] = st_import_tensor(t->imp, t->op, i)))
      return;
  int64_t axis = mlirIntegerAttrGetValueInt(st_mlir_attr(t->op, "dim"));
  for (int i = 1; i < n; i++)
    for (int k = 0; k < part[0]->type.rank; k++)
      if (k != axis &&
          !st_sym_eq(part[i]->type.shape[k], part[0]->type.shape[k])) {
        refuse(t, "operands of different sizes");
        return;
      }
  set_result(t, concat(t, n, part, (int)axis));
}

static bool pad_bits(Tensor *t, StDtype dtype, uint64_t *bits) {
  MlirBlock b = mlirRegionGetFirstBlock(mlirOperationGetFirstRegion(t->op));
  MlirValue v = mlirOperationGetOperand(mlirBlockGetTerminator(b), 0);
  return mlirValueIsAOpResult(v) &&
         st_mlir_is(mlirOpResultGetOwner(v), "arith.constant") &&
         st_import_attr_bits(st_mlir_attr(mlirOpResultGetOwner(v), "value"),
                             dtype, bits);
}

static void import_pad(Tensor *t) {
  StValue *src = st_import_tensor(t->imp, t->op, 0);
  if (!src)
    return;
  int rank = src->type.rank;
  StSym *low = ST_NEW_N(t->imp->scratch, StSym, rank + 1);
  StSym *shape = ST_NEW_N(t->imp->scratch, StSym, rank + 1);
  intptr_t next = 1;
  bool ok = true;
  for (int i = 0; i < rank; i++)
    ok &= st_import_mixed(t->imp, t->op, "static_low", i, &next, &low[i]);
  for (int i = 0; i < rank; i++) {
    StSym high = zero();
    int64_t lo1, lo2, hi;
    ok &= st_import_mixed(t->imp, t->op, "static_high", i, &next, &high) &&
          st_sym_range(t->imp, low[i], &lo1, &hi) && lo1 >= 0 &&
          st_sym_range(t->imp, high, &lo2, &hi) && lo2 >= 0;
    shape[i] = st_sym_add(st_sym_add(low[i], high), src->type.shape[i]);
  }
  uint64_t bits;
  if (!ok || !pad_bits(t, src->type.dtype, &bits)) {
    refuse(t, "padding that is not a constant of a size linear in P and T");
    return;
  }
  StType type = st_type_tensor(t->arena, src->type.dtype, rank, shape);
  set_result(
      t, insert(t, st_import_splat(t->imp, t->loc, type, bits), src, low, 0));
}

/* ---- scalars to tensors ------------------------------------------------- */

/* Are all users shapes of a reshape? Those read the scalars themselves. */
static bool is_only_shape(MlirOperation op) {
  MlirOpOperand use = mlirValueGetFirstUse(mlirOperationGetResult(op, 0));
  for (; !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use))
    if (!st_mlir_is(mlirOpOperandGetOwner(use), "tensor.reshape"))
      return false;
  return true;
}

static void import_from_elements(Tensor *t) {
  MlirType mt = result_type(t);
  int rank = (int)mlirShapedTypeGetRank(mt);
  int n = (int)mlirOperationGetNumOperands(t->op);
  StSym *shape = ST_NEW_N(t->imp->scratch, StSym, rank + 1);
  StSym one = st_sym_const(1);
  StType type;
  for (int i = 0; i < rank; i++)
    shape[i] = st_sym_const(mlirShapedTypeGetDimSize(mt, i));
  if (is_only_shape(t->op) ||
      !typed(t, n == 1 ? rank : 1, n == 1 ? shape : &one, &type))
    return;
  StValue **part = ST_NEW_N(t->imp->scratch, StValue *, n + 1);
  for (int i = 0; i < n; i++)
    if (!(part[i] = st_import_broadcast(
              t->imp, t->op, mlirOperationGetOperand(t->op, i), type)))
      return;
  if (n > 0)
    set_result(t, view(t, concat(t, n, part, 0), rank, shape));
}

static void import_splat(Tensor *t) {
  MlirType mt = result_type(t);
  int rank = (int)mlirShapedTypeGetRank(mt), next = 1;
  StSym *shape = ST_NEW_N(t->imp->scratch, StSym, rank + 1);
  for (int i = 0; i < rank; i++) {
    shape[i] = st_sym_const(mlirShapedTypeGetDimSize(mt, i));
    if (mlirShapedTypeIsDynamicDim(mt, i) &&
        !st_import_sym(t->imp, mlirOperationGetOperand(t->op, next++),
                       &shape[i])) {
      st_import_refuse_size(t->imp, t->op);
      return;
    }
  }
  StType type;
  if (typed(t, rank, shape, &type))
    set_result(t, st_import_broadcast(t->imp, t->op,
                                      mlirOperationGetOperand(t->op, 0), type));
}

/* Evaluated where they are used. */
static void import_later(Tensor *t) { (void)t; }

static const struct {
  const char *name;
  void (*import)(Tensor *);
} table[] = {
    {"tensor.empty", import_empty},
    {"tensor.cast", import_cast},
    {"tensor.expand_shape", import_expand},
    {"tensor.collapse_shape", import_collapse},
    {"tensor.reshape", import_reshape},
    {"tensor.extract_slice", import_extract_slice},
    {"tensor.insert_slice", import_insert_slice},
    {"tensor.concat", import_concat},
    {"tensor.pad", import_pad},
    {"tensor.from_elements", import_from_elements},
    {"tensor.splat", import_splat},
    {"tensor.dim", import_later},
    {"tensor.extract", import_later},
    {"tensor.yield", import_later},
};

enum { TABLE = sizeof table / sizeof *table };

bool st_tensor_is_known(const char *name) {
  for (int i = 0; i < TABLE; i++)
    if (strcmp(table[i].name, name) == 0)
      return true;
  return false;
}

bool st_import_tensor_op(StImport *imp, MlirOperation op) {
  Tensor t = {imp, op, st_mlir_loc(imp->text, op), imp->m->arena};
  for (int i = 0; i < TABLE; i++)
    if (st_mlir_is(op, table[i].name)) {
      table[i].import(&t);
      return true;
    }
  return false;
}
