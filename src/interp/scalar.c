/* Expressions on arrays of slots: one dispatch an array. */
#include "interp/scalar.h"

#include <string.h>

#include "base/num.h"

typedef union {
  float *f;
  int64_t *i;
  void *any;
} Slots;

int st_slot_bytes(StDtype t) { return st_dtype_is_float(t) ? 4 : 8; }

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

static int64_t load_int(StDtype t, const char *p) {
  int64_t v = 0;
  int bytes = (int)st_dtype_bytes(t);
  memcpy(&v, p, (size_t)bytes);
  if (t == ST_I1)
    return v & 1;
  return st_num_wrap(v, st_dtype_bits(t));
}

void st_slots_read(StDtype t, const void *memory, int64_t n, void *slots) {
  const char *p = memory;
  size_t bytes = (size_t)st_dtype_bytes(t);
  if (t == ST_F32) {
    memcpy(slots, memory, (size_t)n * 4);
    return;
  }
  for (int64_t i = 0; i < n; i++)
    if (st_dtype_is_float(t))
      ((float *)slots)[i] = load_float(t, p + (size_t)i * bytes);
    else
      ((int64_t *)slots)[i] = load_int(t, p + (size_t)i * bytes);
}

void st_slots_write(StDtype t, const void *slots, int64_t n, void *memory) {
  char *p = memory;
  size_t bytes = (size_t)st_dtype_bytes(t);
  for (int64_t i = 0; i < n; i++, p += bytes) {
    if (t == ST_F16 || t == ST_BF16) {
      float f = ((const float *)slots)[i];
      uint16_t h = t == ST_F16 ? st_num_to_f16(f) : st_num_to_bf16(f);
      memcpy(p, &h, 2);
    } else if (t == ST_F64) {
      double d = (double)((const float *)slots)[i];
      memcpy(p, &d, 8);
    } else if (t == ST_F32) {
      memcpy(p, (const float *)slots + i, 4);
    } else {
      memcpy(p, (const int64_t *)slots + i, bytes);
    }
  }
}

/* ---- operators --------------------------------------------------------- */

/* One statement for n slots: the operator is chosen outside the loop. */
#define EACH(to, value)                                                        \
  do {                                                                         \
    for (int i = 0; i < n; i++)                                                \
      (to)[i] = (value);                                                       \
    return;                                                                    \
  } while (0)

/* f16 and bf16 values stay values of their type. */
static void narrow(StDtype t, float *r, int n) {
  if (t == ST_F16)
    EACH(r, st_num_from_f16(st_num_to_f16(r[i])));
  if (t == ST_BF16)
    EACH(r, st_num_from_bf16(st_num_to_bf16(r[i])));
}

static int64_t wrap(StDtype t, int64_t v) {
  return t == ST_I1 ? v & 1 : st_num_wrap(v, st_dtype_bits(t));
}

static void compare_float(StPredicate p, const float *a, const float *b,
                          int64_t *r, int n) {
  switch ((int)p) {
  case ST_P_OEQ:
    EACH(r, st_num_oeq(a[i], b[i]));
  case ST_P_OGT:
    EACH(r, st_num_ogt(a[i], b[i]));
  case ST_P_OGE:
    EACH(r, st_num_oge(a[i], b[i]));
  case ST_P_OLT:
    EACH(r, st_num_olt(a[i], b[i]));
  case ST_P_OLE:
    EACH(r, st_num_ole(a[i], b[i]));
  case ST_P_ONE:
    EACH(r, st_num_one(a[i], b[i]));
  case ST_P_ORD:
    EACH(r, st_num_ord(a[i], b[i]));
  case ST_P_UEQ:
    EACH(r, st_num_ueq(a[i], b[i]));
  case ST_P_UGT:
    EACH(r, st_num_ugt(a[i], b[i]));
  case ST_P_UGE:
    EACH(r, st_num_uge(a[i], b[i]));
  case ST_P_ULT:
    EACH(r, st_num_ult(a[i], b[i]));
  case ST_P_ULE:
    EACH(r, st_num_ule(a[i], b[i]));
  case ST_P_UNE:
    EACH(r, st_num_une(a[i], b[i]));
  default:
    EACH(r, st_num_uno(a[i], b[i]));
  }
}

/* Signed, a true i1 is -1. Unsigned order is that of the sign-extended values
 * taken as 64 bits. */
static void compare_int(StPredicate p, StDtype t, const int64_t *a,
                        const int64_t *b, int64_t *r, int n) {
  if (t == ST_I1 && p >= ST_P_SLT && p <= ST_P_SGE) {
    const int64_t *x = a;
    a = b;
    b = x;
  }
  switch ((int)p) {
  case ST_P_EQ:
    EACH(r, a[i] == b[i]);
  case ST_P_NE:
    EACH(r, a[i] != b[i]);
  case ST_P_SLT:
    EACH(r, a[i] < b[i]);
  case ST_P_SLE:
    EACH(r, a[i] <= b[i]);
  case ST_P_SGT:
    EACH(r, a[i] > b[i]);
  case ST_P_SGE:
    EACH(r, a[i] >= b[i]);
  case ST_P_IULT:
    EACH(r, (uint64_t)a[i] < (uint64_t)b[i]);
  case ST_P_IULE:
    EACH(r, (uint64_t)a[i] <= (uint64_t)b[i]);
  case ST_P_IUGT:
    EACH(r, (uint64_t)a[i] > (uint64_t)b[i]);
  default:
    EACH(r, (uint64_t)a[i] >= (uint64_t)b[i]);
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

/* Two's complement, without the wrap of i1. */
static void binary_int(StScalarKind k, int w, const int64_t *a,
                       const int64_t *b, int64_t *r, int n) {
  switch ((int)k) {
  case ST_X_ADDI:
    EACH(r, st_num_iadd(a[i], b[i], w));
  case ST_X_SUBI:
    EACH(r, st_num_isub(a[i], b[i], w));
  case ST_X_MULI:
    EACH(r, st_num_imul(a[i], b[i], w));
  case ST_X_DIVSI:
    EACH(r, st_num_idiv(a[i], b[i], w));
  case ST_X_REMSI:
    EACH(r, st_num_irem(a[i], b[i]));
  case ST_X_MAXSI:
    EACH(r, a[i] > b[i] ? a[i] : b[i]);
  case ST_X_MINSI:
    EACH(r, a[i] < b[i] ? a[i] : b[i]);
  case ST_X_ANDI:
    EACH(r, a[i] & b[i]);
  case ST_X_ORI:
    EACH(r, a[i] | b[i]);
  default:
    EACH(r, a[i] ^ b[i]);
  }
}

/* An i1 is 0 or -1 as a number of one bit, and held as 0 or 1. */
static void binary_bit(StScalarKind k, const int64_t *a, const int64_t *b,
                       int64_t *r, int n) {
  for (int i = 0; i < n; i++) {
    int64_t x = -a[i], y = -b[i], z;
    binary_int(k, 1, &x, &y, &z, 1);
    r[i] = z & 1;
  }
}

/* To w bits, saturating. */
static int64_t saturate(int64_t v, int w) {
  int64_t most = (int64_t)(UINT64_MAX >> 1) >> (64 - w);
  return v > most ? most : v < -most - 1 ? -most - 1 : v;
}

static void convert(const StExpr *e, StDtype from, Slots a, Slots r, int n) {
  StDtype to = e->dtype;
  int w = st_dtype_bits(from);
  int64_t sign = from == ST_I1 ? -1 : 1;
  switch ((int)e->kind) {
  case ST_X_SITOFP:
    EACH(r.f, st_num_from_i64(sign * a.i[i]));
  case ST_X_UITOFP:
    EACH(r.f, st_num_from_i64((int64_t)st_num_unsigned(a.i[i], w)));
  case ST_X_FPTOSI:
    EACH(r.i, wrap(to, saturate(st_num_to_i64(a.f[i]), st_dtype_bits(to))));
  case ST_X_EXTSI:
    EACH(r.i, wrap(to, sign * a.i[i]));
  case ST_X_EXTUI:
    EACH(r.i, wrap(to, (int64_t)st_num_unsigned(a.i[i], w)));
  case ST_X_TRUNCI:
    EACH(r.i, wrap(to, a.i[i]));
  default: /* EXTF, TRUNCF */
    memmove(r.f, a.f, (size_t)n * sizeof *r.f);
  }
}

static void choose(StDtype t, const int64_t *c, Slots a, Slots b, Slots r,
                   int n) {
  if (st_dtype_is_float(t))
    EACH(r.f, c[i] & 1 ? a.f[i] : b.f[i]);
  EACH(r.i, c[i] & 1 ? a.i[i] : b.i[i]);
}

/* r = e(a, b, c) in n lanes; type0 is a's type. */
static void apply(const StExpr *e, StDtype type0, Slots a, Slots b, Slots c,
                  Slots r, int n) {
  switch ((int)e->kind) {
  case ST_X_CMPF:
    compare_float(e->pred, a.f, b.f, r.i, n);
    return;
  case ST_X_CMPI:
    compare_int(e->pred, type0, a.i, b.i, r.i, n);
    return;
  case ST_X_SELECT:
    choose(e->dtype, a.i, b, c, r, n);
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
    if (!st_dtype_is_float(e->dtype) && e->dtype != ST_I1)
      binary_int(e->kind, st_dtype_bits(e->dtype), a.i, b.i, r.i, n);
    else if (e->dtype == ST_I1)
      binary_bit(e->kind, a.i, b.i, r.i, n);
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
