/* Expressions on arrays of slots: one dispatch an array. */
#include "interp/scalar.h"

#include <string.h>

#include "base/num.h"

/* Slots of one type or another. */
typedef union {
  float *f;
  int8_t *i8;
  int16_t *i16;
  int32_t *i32;
  int64_t *i64;
  void *any;
} Slots;

int st_slot_bytes(StDtype t) {
  return st_dtype_is_float(t) ? 4 : st_dtype_bytes(t);
}

/* One statement for n slots, and return: the operator is chosen outside the
 * loop. Operands lie apart or are the same, so that several slots can be taken
 * at a time. */
#define EACH(to, value)                                                        \
  do {                                                                         \
    _Pragma("omp simd") for (int i = 0; i < n; i++)(to)[i] = (value);          \
    return;                                                                    \
  } while (0)

/* ---- memory ------------------------------------------------------------ */

static float load_float(StDtype t, const char *p) {
  uint16_t h;
  float f;
  double d;
  switch ((int)t) {
  case ST_F16:
    memcpy(&h, p, 2);
    return st_num_from_f16(h);
  case ST_BF16:
    memcpy(&h, p, 2);
    return st_num_from_bf16(h);
  case ST_F64:
    memcpy(&d, p, 8);
    return st_num_from_f64(d);
  default:
    memcpy(&f, p, 4);
    return f;
  }
}

/* Bytes that hold a narrower integer are not trusted to be sign-extended. */
static void read_ints(StDtype t, const int8_t *p, Slots r, int n) {
  if (t == ST_I1)
    EACH(r.i8, p[i] & 1);
  if (t == ST_I4)
    EACH(r.i8, (int8_t)(((p[i] & 15) ^ 8) - 8)); /* wraps to 4 bits */
  memcpy(r.any, p, (size_t)n * (size_t)st_dtype_bytes(t));
}

void st_slots_read(StDtype t, const void *memory, int64_t n, void *slots) {
  Slots r = {.any = slots};
  const char *p = memory;
  if (!st_dtype_is_float(t))
    read_ints(t, memory, r, (int)n);
  else if (t == ST_F32)
    memcpy(slots, memory, (size_t)n * 4);
  else if (t == ST_F16)
    st_num_from_f16_n(r.f, memory, (int)n);
  else
    for (int64_t i = 0; i < n; i++, p += st_dtype_bytes(t))
      r.f[i] = load_float(t, p);
}

void st_slots_write(StDtype t, const void *slots, int64_t n, void *memory) {
  char *p = memory;
  size_t bytes = (size_t)st_dtype_bytes(t);
  if (t == ST_F32 || !st_dtype_is_float(t)) {
    memcpy(memory, slots, (size_t)n * bytes);
    return;
  }
  for (int64_t i = 0; i < n; i++, p += bytes) {
    float f = ((const float *)slots)[i];
    uint16_t h = t == ST_F16 ? st_num_to_f16(f) : st_num_to_bf16(f);
    double d = (double)f;
    if (t == ST_F64)
      memcpy(p, &d, 8);
    else
      memcpy(p, &h, 2);
  }
}

#define PICK(type)                                                             \
  for (int64_t i = 0; i < n; i++)                                              \
  ((type *)to)[i] = ((const type *)from)[element[i]]

void st_slots_pick(int bytes, int64_t n, const int64_t *element,
                   const void *from, void *to) {
  if (bytes == 1)
    PICK(uint8_t);
  else if (bytes == 2)
    PICK(uint16_t);
  else if (bytes == 4)
    PICK(uint32_t);
  else
    PICK(uint64_t);
}

/* ---- operators --------------------------------------------------------- */

/* f16 and bf16 values stay values of their type. */
static void narrow(StDtype t, float *r, int n) {
  if (t == ST_F16)
    EACH(r, st_num_from_f16(st_num_to_f16(r[i])));
  if (t == ST_BF16)
    EACH(r, st_num_from_bf16(st_num_to_bf16(r[i])));
}

static void compare_float(StPredicate p, const float *a, const float *b,
                          int8_t *r, int n) {
  switch ((int)p) {
  case ST_P_OEQ:
    EACH(r, (int8_t)st_num_oeq(a[i], b[i]));
  case ST_P_OGT:
    EACH(r, (int8_t)st_num_ogt(a[i], b[i]));
  case ST_P_OGE:
    EACH(r, (int8_t)st_num_oge(a[i], b[i]));
  case ST_P_OLT:
    EACH(r, (int8_t)st_num_olt(a[i], b[i]));
  case ST_P_OLE:
    EACH(r, (int8_t)st_num_ole(a[i], b[i]));
  case ST_P_ONE:
    EACH(r, (int8_t)st_num_one(a[i], b[i]));
  case ST_P_ORD:
    EACH(r, (int8_t)st_num_ord(a[i], b[i]));
  case ST_P_UEQ:
    EACH(r, (int8_t)st_num_ueq(a[i], b[i]));
  case ST_P_UGT:
    EACH(r, (int8_t)st_num_ugt(a[i], b[i]));
  case ST_P_UGE:
    EACH(r, (int8_t)st_num_uge(a[i], b[i]));
  case ST_P_ULT:
    EACH(r, (int8_t)st_num_ult(a[i], b[i]));
  case ST_P_ULE:
    EACH(r, (int8_t)st_num_ule(a[i], b[i]));
  case ST_P_UNE:
    EACH(r, (int8_t)st_num_une(a[i], b[i]));
  default:
    EACH(r, (int8_t)st_num_uno(a[i], b[i]));
  }
}

static void unary_float(StScalarKind k, const float *a, float *r, int n) {
  switch ((int)k) {
  case ST_X_NEGF:
    EACH(r, st_num_neg(a[i]));
  case ST_X_ABSF:
    EACH(r, st_num_abs(a[i]));
  case ST_X_EXP:
    EACH(r, st_num_exp(a[i]));
  case ST_X_LOG:
    EACH(r, st_num_log(a[i]));
  case ST_X_SQRT:
    EACH(r, st_num_sqrt(a[i]));
  case ST_X_RSQRT:
    EACH(r, st_num_rsqrt(a[i]));
  case ST_X_TANH:
    EACH(r, st_num_tanh(a[i]));
  case ST_X_ERF:
    EACH(r, st_num_erf(a[i]));
  case ST_X_SIN:
    EACH(r, st_num_sin(a[i]));
  case ST_X_COS:
    EACH(r, st_num_cos(a[i]));
  case ST_X_FLOOR:
    EACH(r, st_num_floor(a[i]));
  case ST_X_CEIL:
    EACH(r, st_num_ceil(a[i]));
  case ST_X_ROUNDEVEN:
    EACH(r, st_num_roundeven(a[i]));
  default:
    EACH(r, st_num_trunc(a[i]));
  }
}

static void binary_float(StScalarKind k, const float *a, const float *b,
                         float *r, int n) {
  switch ((int)k) {
  case ST_X_ADDF:
    st_num_add_n(r, a, b, n);
    return;
  case ST_X_SUBF:
    EACH(r, st_num_sub(a[i], b[i]));
  case ST_X_MULF:
    st_num_mul_n(r, a, b, n);
    return;
  case ST_X_DIVF:
    EACH(r, st_num_div(a[i], b[i]));
  case ST_X_MAXIMUMF:
    EACH(r, st_num_maximum(a[i], b[i]));
  case ST_X_MINIMUMF:
    EACH(r, st_num_minimum(a[i], b[i]));
  case ST_X_MAXNUMF:
    EACH(r, st_num_maxnum(a[i], b[i]));
  case ST_X_MINNUMF:
    EACH(r, st_num_minnum(a[i], b[i]));
  default:
    EACH(r, st_num_pow(a[i], b[i]));
  }
}

/* To w bits, saturating. */
static int64_t saturate(int64_t v, int w) {
  int64_t most = (int64_t)(UINT64_MAX >> 1) >> (64 - w);
  return v > most ? most : v < -most - 1 ? -most - 1 : v;
}

/* The operators on slots of one width. */
typedef struct {
  void (*compare)(StPredicate p, Slots a, Slots b, int8_t *r, int n);
  void (*binary)(StScalarKind k, int w, Slots a, Slots b, Slots r, int n);
  void (*resize)(StDtype from, StDtype to, bool is_signed, Slots a, Slots r,
                 int n);
  void (*to_float)(StDtype from, bool is_signed, Slots a, float *r, int n);
  void (*from_float)(StDtype to, const float *a, Slots r, int n);
  void (*choose)(const int8_t *c, Slots a, Slots b, Slots r, int n);
} Integers;

#define WIDTH 8
#include "interp/scalar_int.h"
#define WIDTH 16
#include "interp/scalar_int.h"
#define WIDTH 32
#include "interp/scalar_int.h"
#define WIDTH 64
#include "interp/scalar_int.h"

static const Integers *integers(int slot_bytes) {
  switch (slot_bytes) {
  case 1:
    return &integers_8;
  case 2:
    return &integers_16;
  case 4:
    return &integers_32;
  default:
    return &integers_64;
  }
}

/* Signed, a true i1 is -1. */
static void compare_int(StPredicate p, StDtype t, Slots a, Slots b, int8_t *r,
                        int n) {
  if (t == ST_I1 && p >= ST_P_SLT && p <= ST_P_SGE) {
    Slots x = a;
    a = b;
    b = x;
  }
  integers(st_slot_bytes(t))->compare(p, a, b, r, n);
}

/* An i1 is 0 or -1 as a number of one bit, and held as 0 or 1. */
static void binary_bit(StScalarKind k, const int8_t *a, const int8_t *b,
                       int8_t *r, int n) {
  for (int i = 0; i < n; i++) {
    int8_t x = (int8_t)-a[i], y = (int8_t)-b[i], z;
    wrapped_8(k, 1, &x, &y, &z, 1);
    r[i] = z & 1;
  }
}

static void convert(const StExpr *e, StDtype from, Slots a, Slots r, int n) {
  const Integers *of = integers(st_slot_bytes(from));
  switch ((int)e->kind) {
  case ST_X_SITOFP:
  case ST_X_UITOFP:
    of->to_float(from, e->kind == ST_X_SITOFP, a, r.f, n);
    return;
  case ST_X_FPTOSI:
    integers(st_slot_bytes(e->dtype))->from_float(e->dtype, a.f, r, n);
    return;
  case ST_X_EXTSI:
  case ST_X_EXTUI:
  case ST_X_TRUNCI:
    of->resize(from, e->dtype, e->kind != ST_X_EXTUI, a, r, n);
    return;
  default: /* EXTF, TRUNCF */
    memmove(r.f, a.f, (size_t)n * sizeof *r.f);
  }
}

/* r = e(a, b, c) in n lanes; type0 is a's type. */
static void apply(const StExpr *e, StDtype type0, Slots a, Slots b, Slots c,
                  Slots r, int n) {
  switch ((int)e->kind) {
  case ST_X_CMPF:
    compare_float(e->pred, a.f, b.f, r.i8, n);
    return;
  case ST_X_CMPI:
    compare_int(e->pred, type0, a, b, r.i8, n);
    return;
  case ST_X_SELECT:
    integers(st_slot_bytes(e->dtype))->choose(a.i8, b, c, r, n);
    return;
  case ST_X_SITOFP:
  case ST_X_UITOFP:
  case ST_X_FPTOSI:
  case ST_X_EXTF:
  case ST_X_TRUNCF:
  case ST_X_EXTSI:
  case ST_X_EXTUI:
  case ST_X_TRUNCI:
    convert(e, type0, a, r, n);
    break;
  default:
    if (e->dtype == ST_I1)
      binary_bit(e->kind, a.i8, b.i8, r.i8, n);
    else if (!st_dtype_is_float(e->dtype))
      integers(st_slot_bytes(e->dtype))
          ->binary(e->kind, st_dtype_bits(e->dtype), a, b, r, n);
    else if (b.any)
      binary_float(e->kind, a.f, b.f, r.f, n);
    else
      unary_float(e->kind, a.f, r.f, n);
  }
  if (st_dtype_is_float(e->dtype))
    narrow(e->dtype, r.f, n);
}

static Slots constant(const void *p) {
  union {
    const void *from;
    void *to;
  } cast = {p};
  return (Slots){.any = cast.to};
}

void st_slots_apply(const StExpr *e, StDtype type0, int64_t n,
                    const void *const *args, void *result) {
  Slots none = {0};
  int nargs = st_scalar_args(e->kind);
  apply(e, type0, constant(args[0]), nargs > 1 ? constant(args[1]) : none,
        nargs > 2 ? constant(args[2]) : none, (Slots){.any = result}, (int)n);
}

void st_scalar_apply(const StExpr *e, StDtype type0, const void *const *args,
                     void *result) {
  st_slots_apply(e, type0, 1, args, result);
}

void st_slots_combine(StScalarKind combine, StDtype t, int64_t n, void *acc,
                      const void *v) {
  StExpr e = {.kind = combine, .dtype = t};
  Slots a = {.any = acc};
  apply(&e, t, a, constant(v), (Slots){0}, a, (int)n);
}
