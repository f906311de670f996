/* Loops over integers in slots of WIDTH bits: a part of scalar.c, which
 * includes it once for each width (so it has no guard). The arithmetic is that
 * of base/num.h; where a type is as wide as its slots, constant widths leave
 * plain machine operations of it. */
#define PASTE_TOKENS(a, b, c) a##b##c
#define PASTE(a, b, c) PASTE_TOKENS(a, b, c)
#define INT PASTE(int, WIDTH, _t)
#define NAME(verb) PASTE(verb, _, WIDTH)
#define OF(slots) ((slots).PASTE(i, WIDTH, ))

/* Unsigned order is that of the sign-extended values taken as 64 bits. */
static void NAME(compare)(StPredicate p, Slots x, Slots y, int8_t *r, int n) {
  const INT *a = OF(x), *b = OF(y);
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

/* Two's complement modulo 2^w, without the wrap of i1. */
static inline void NAME(wrapped)(StScalarKind k, int w, const INT *a,
                                 const INT *b, INT *r, int n) {
  switch ((int)k) {
  case ST_X_ADDI:
    EACH(r, (INT)st_num_iadd(a[i], b[i], w));
  case ST_X_SUBI:
    EACH(r, (INT)st_num_isub(a[i], b[i], w));
  case ST_X_MULI:
    EACH(r, (INT)st_num_imul(a[i], b[i], w));
  case ST_X_DIVSI:
    EACH(r, (INT)st_num_idiv(a[i], b[i], w));
  case ST_X_REMSI:
    EACH(r, (INT)st_num_irem(a[i], b[i]));
  case ST_X_MAXSI:
    EACH(r, (INT)(a[i] > b[i] ? a[i] : b[i]));
  case ST_X_MINSI:
    EACH(r, (INT)(a[i] < b[i] ? a[i] : b[i]));
  case ST_X_ANDI:
    EACH(r, (INT)(a[i] & b[i]));
  case ST_X_ORI:
    EACH(r, (INT)(a[i] | b[i]));
  default:
    EACH(r, (INT)(a[i] ^ b[i]));
  }
}

static void NAME(binary)(StScalarKind k, int w, Slots a, Slots b, Slots r,
                         int n) {
  if (w == WIDTH)
    NAME(wrapped)(k, WIDTH, OF(a), OF(b), OF(r), n);
  else
    NAME(wrapped)(k, w, OF(a), OF(b), OF(r), n);
}

/* Of `number` (of a[i]) what type `to` holds. */
#define RESIZE(number)                                                         \
  switch ((int)to) {                                                           \
  case ST_I1:                                                                  \
    EACH(r.i8, (int8_t)((number)&1));                                          \
  case ST_I4:                                                                  \
    EACH(r.i8, (int8_t)st_num_wrap(number, 4));                                \
  case ST_I8:                                                                  \
    EACH(r.i8, (int8_t)st_num_wrap(number, 8));                                \
  case ST_I16:                                                                 \
    EACH(r.i16, (int16_t)st_num_wrap(number, 16));                             \
  case ST_I32:                                                                 \
    EACH(r.i32, (int32_t)st_num_wrap(number, 32));                             \
  default:                                                                     \
    EACH(r.i64, number);                                                       \
  }

static void NAME(resize)(StDtype from, StDtype to, bool is_signed, Slots x,
                         Slots r, int n) {
  const INT *a = OF(x);
  int w = st_dtype_bits(from);
  if (!is_signed)
    RESIZE((int64_t)st_num_unsigned(a[i], w));
  if (from == ST_I1)
    RESIZE(-(int64_t)a[i]);
  RESIZE((int64_t)a[i]);
}

static void NAME(to_float)(StDtype from, bool is_signed, Slots x, float *r,
                           int n) {
  const INT *a = OF(x);
  int w = st_dtype_bits(from);
  if (!is_signed)
    EACH(r, st_num_from_i64((int64_t)st_num_unsigned(a[i], w)));
  if (from == ST_I1)
    EACH(r, st_num_from_i64(-(int64_t)a[i]));
#if WIDTH == 32
  st_num_from_i32_n(r, a, n);
#else
  EACH(r, st_num_from_i64(a[i]));
#endif
}

static void NAME(from_float)(StDtype to, const float *a, Slots x, int n) {
  INT *r = OF(x);
  int w = st_dtype_bits(to);
  int64_t bits = to == ST_I1 ? 1 : -1;
  EACH(r, (INT)(saturate(st_num_to_i64(a[i]), w) & bits));
}

static void NAME(choose)(const int8_t *c, Slots x, Slots y, Slots z, int n) {
  const INT *a = OF(x), *b = OF(y);
  INT *r = OF(z);
  EACH(r, (INT)(c[i] & 1 ? a[i] : b[i]));
}

static const Integers NAME(integers) = {NAME(compare),    NAME(binary),
                                        NAME(resize),     NAME(to_float),
                                        NAME(from_float), NAME(choose)};

#undef RESIZE
#undef OF
#undef NAME
#undef INT
#undef PASTE
#undef PASTE_TOKENS
#undef WIDTH
