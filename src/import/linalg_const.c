/* Constants: splat, dense (also as hex), resource blobs, and the bits of one
 * element. f64 becomes f32, index becomes i64, i1 is a byte an element.
 */
#include "import/linalg.h"

#include <mlir-c/BuiltinAttributes.h>
#include <mlir-c/BuiltinTypes.h>
#include <string.h>

#include "base/num.h"

uint64_t st_float_bits(StDtype dtype, double x) {
  float f = st_num_from_f64(x);
  return dtype == ST_F16    ? st_num_to_f16(f)
         : dtype == ST_BF16 ? st_num_to_bf16(f)
                            : st_num_bits(f);
}

static size_t bytes_of(StDtype t) { return (size_t)st_dtype_bytes(t); }

static uint64_t mask_to(StDtype t, uint64_t x) {
  int bits = st_dtype_bits(t);
  return bits >= 64 ? x : x & ((UINT64_C(1) << bits) - 1);
}

bool st_import_attr_bits(MlirAttribute attr, StDtype dtype, uint64_t *bits) {
  if (mlirAttributeIsAFloat(attr) && st_dtype_is_float(dtype)) {
    *bits = st_float_bits(dtype, mlirFloatAttrGetValueDouble(attr));
    return true;
  }
  if (mlirAttributeIsAInteger(attr) && !st_dtype_is_float(dtype)) {
    *bits = mask_to(dtype, (uint64_t)mlirIntegerAttrGetValueInt(attr));
    return true;
  }
  return false;
}

StValue *st_import_splat(StImport *imp, StLoc loc, StType type, uint64_t bits) {
  StOp *op = st_import_op(imp, ST_OP_CONST, loc, 0, NULL, type);
  size_t n = bytes_of(type.dtype);
  void *data = st_arena_alloc(imp->m->arena, 8);
  memcpy(data, &bits, n); /* the host is little endian, as the module */
  op->u.constant =
      (StConst){.n = 1, .splat = true, .data = data, .bytes = (int64_t)n};
  return op->result[0];
}

bool st_splat_bits(const StValue *v, uint64_t *bits) {
  const StOp *op = v->def;
  if (op->kind != ST_OP_CONST || !op->u.constant.splat || op->u.constant.n != 1)
    return false;
  *bits = 0;
  memcpy(bits, op->u.constant.data, (size_t)op->u.constant.bytes);
  return true;
}

/* ---- dense -------------------------------------------------------------- */

/* What the text's elements look like. */
typedef struct {
  const uint8_t *raw; /* little endian, NULL: ask MLIR for each i1 */
  MlirAttribute attr;
  MlirType elem;
  size_t size; /* bytes of an element in raw */
} Elements;

static void copy_element(const Elements *e, StDtype dtype, int64_t i,
                         uint8_t *out) {
  if (dtype == ST_I1 && !e->raw) {
    *out = mlirDenseElementsAttrGetBoolValue(e->attr, i);
  } else if (dtype == ST_I1) {
    *out = e->raw[i] != 0;
  } else if (mlirTypeIsAF64(e->elem)) {
    double x;
    memcpy(&x, e->raw + i * 8, 8);
    float f = st_num_from_f64(x);
    memcpy(out, &f, 4);
  } else {
    memcpy(out, e->raw + (size_t)i * e->size, e->size);
  }
}

static const void *copy_elements(StImport *imp, const Elements *e,
                                 StDtype dtype, int64_t n) {
  size_t size = bytes_of(dtype);
  uint8_t *data = st_arena_alloc(imp->m->arena, (size_t)n * size + 1);
  if (e->raw && size == e->size && dtype != ST_I1)
    memcpy(data, e->raw, (size_t)n * size);
  else
    for (int64_t i = 0; i < n; i++)
      copy_element(e, dtype, i, data + (size_t)i * size);
  return data;
}

/* The blob that `dense_resource<name>` names; NULL after refusing. */
static const uint8_t *blob(StImport *imp, MlirOperation op, MlirAttribute attr,
                           size_t want) {
  const char *text = st_mlir_attr_text(imp->scratch, attr);
  const char *from = strchr(text, '<'), *to = from ? strchr(from, '>') : NULL;
  if (!to)
    return NULL;
  const char *name =
      st_arena_printf(imp->scratch, "%.*s", (int)(to - from - 1), from + 1);
  size_t n = 0;
  const uint8_t *raw = st_text_resource(imp->text, name, &n);
  if (raw && n == want)
    return raw;
  if (raw)
    st_import_refuse(imp, op, "resource %s has %zu bytes, its type needs %zu",
                     name, n, want);
  else
    st_import_refuse(imp, op, "resource %s is missing or damaged", name);
  return NULL;
}

static bool read_elements(StImport *imp, MlirOperation op, MlirAttribute attr,
                          int64_t n, StDtype dtype, Elements *e) {
  e->attr = attr;
  e->size = mlirTypeIsAF64(e->elem) ? 8 : bytes_of(dtype);
  if (mlirAttributeIsADenseResourceElements(attr)) {
    e->raw = blob(imp, op, attr, (size_t)n * e->size);
    return e->raw != NULL;
  }
  if (!mlirAttributeIsADenseElements(attr)) {
    st_import_refuse(imp, op, "this form of constant");
    return false;
  }
  e->raw = dtype == ST_I1 ? NULL : mlirDenseElementsAttrGetRawData(attr);
  return true;
}

/* The type of a constant; false after refusing. */
static bool constant_type(StImport *imp, MlirOperation op, MlirType mt,
                          StType *type, int64_t *n) {
  int rank = (int)mlirShapedTypeGetRank(mt);
  StSym *shape = ST_NEW_N(imp->scratch, StSym, rank + 1);
  *n = 1;
  for (int i = 0; i < rank; i++) {
    int64_t d = mlirShapedTypeGetDimSize(mt, i);
    shape[i] = st_sym_const(d);
    if (__builtin_mul_overflow(*n, d, n) || *n > INT64_MAX / 8) {
      st_import_refuse(imp, op, "a constant of more than 2^60 elements");
      return false;
    }
  }
  StDtype dtype;
  if (!st_import_dtype(mlirShapedTypeGetElementType(mt), &dtype)) {
    st_import_refuse(imp, op, "element type of %s",
                     st_mlir_type_text(imp->scratch, mt));
    return false;
  }
  *type = st_type_tensor(imp->m->arena, dtype, rank, shape);
  return true;
}

void st_import_constant(StImport *imp, MlirOperation op) {
  MlirValue result = mlirOperationGetResult(op, 0);
  MlirType mt = mlirValueGetType(result);
  if (!mlirTypeIsARankedTensor(mt))
    return; /* a scalar: evaluated where it is used */
  StType type;
  int64_t n;
  if (!constant_type(imp, op, mt, &type, &n))
    return;
  MlirAttribute attr = st_mlir_attr(op, "value");
  StLoc loc = st_mlir_loc(imp->text, op);
  bool splat =
      mlirAttributeIsADenseElements(attr) && mlirDenseElementsAttrIsSplat(attr);
  uint64_t bits;
  if (splat && st_import_attr_bits(mlirDenseElementsAttrGetSplatValue(attr),
                                   type.dtype, &bits)) {
    st_import_set_tensor(imp, result, st_import_splat(imp, loc, type, bits));
    return;
  }
  Elements e = {.elem = mlirShapedTypeGetElementType(mt)};
  if (!read_elements(imp, op, attr, n, type.dtype, &e))
    return;
  StOp *c = st_import_op(imp, ST_OP_CONST, loc, 0, NULL, type);
  c->u.constant = (StConst){.n = 1,
                            .data = copy_elements(imp, &e, type.dtype, n),
                            .bytes = n * (int64_t)bytes_of(type.dtype)};
  st_import_set_tensor(imp, result, c->result[0]);
}
