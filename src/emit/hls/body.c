/* Every expression becomes one constant of a type that holds it: floats of all
 * widths in a float (16 bit results are rounded at once), i1 in a bool, other
 * integers sign-extended in an int64_t; the operators are those of num.h. */
#include "emit/hls/body.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "emit/hls/text.h"

/* ---- operators ------------------------------------------------------------
 */

static const char *float_function(StScalarKind k) {
  switch (k) {
  case ST_X_ADDF:
    return "add";
  case ST_X_SUBF:
    return "sub";
  case ST_X_MULF:
    return "mul";
  case ST_X_DIVF:
    return "div";
  case ST_X_NEGF:
    return "neg";
  case ST_X_ABSF:
    return "abs";
  case ST_X_MAXIMUMF:
    return "maximum";
  case ST_X_MINIMUMF:
    return "minimum";
  case ST_X_MAXNUMF:
    return "maxnum";
  case ST_X_MINNUMF:
    return "minnum";
  case ST_X_POWF:
    return "pow";
  default: /* the others have the name of the operation */
    return st_scalar_name(k);
  }
}

static const char *rounded(StArena *a, StDtype t, const char *x) {
  if (t != ST_F16 && t != ST_BF16)
    return x;
  const char *n = st_dtype_name(t);
  return st_arena_printf(a, "st_num_from_%s(st_num_to_%s(%s))", n, n, x);
}

static const char *float_op(StArena *a, StScalarKind k, StDtype t,
                            const char *x, const char *y) {
  const char *f = float_function(k);
  const char *call = st_scalar_args(k) == 1
                         ? st_arena_printf(a, "st_num_%s(%s)", f, x)
                         : st_arena_printf(a, "st_num_%s(%s, %s)", f, x, y);
  return rounded(a, t, call);
}

/* An integer value as int64_t: an i1 is -1 or 0. */
static const char *wide(StArena *a, StDtype t, const char *x) {
  return t == ST_I1 ? st_arena_printf(a, "-(int64_t)%s", x) : x;
}

static const char *int_op(StArena *a, StScalarKind k, StDtype t, const char *x,
                          const char *y) {
  int w = st_dtype_bits(t);
  const char *r, *close = t == ST_I1 ? " != 0" : "";
  x = wide(a, t, x);
  y = wide(a, t, y);
  switch (k) {
  case ST_X_ADDI:
    r = st_arena_printf(a, "st_num_iadd(%s, %s, %d)", x, y, w);
    break;
  case ST_X_SUBI:
    r = st_arena_printf(a, "st_num_isub(%s, %s, %d)", x, y, w);
    break;
  case ST_X_MULI:
    r = st_arena_printf(a, "st_num_imul(%s, %s, %d)", x, y, w);
    break;
  case ST_X_DIVSI:
    r = st_arena_printf(a, "st_num_idiv(%s, %s, %d)", x, y, w);
    break;
  case ST_X_REMSI:
    r = st_arena_printf(a, "st_num_irem(%s, %s)", x, y);
    break;
  case ST_X_MAXSI:
    r = st_arena_printf(a, "(%s > %s ? %s : %s)", x, y, x, y);
    break;
  case ST_X_MINSI:
    r = st_arena_printf(a, "(%s < %s ? %s : %s)", x, y, x, y);
    break;
  default: {
    const char *o = k == ST_X_ANDI ? "&" : k == ST_X_ORI ? "|" : "^";
    r = st_arena_printf(a, "(%s %s %s)", x, o, y);
  }
  }
  return st_arena_printf(a, "%s%s", r, close);
}

const char *st_hls_combine(StArena *a, StScalarKind k, StDtype t, const char *x,
                           const char *y) {
  return st_dtype_is_float(t) ? float_op(a, k, t, x, y) : int_op(a, k, t, x, y);
}

static const char *compare_float(StArena *a, StPredicate p, const char *x,
                                 const char *y) {
  return st_arena_printf(a, "st_num_%s(%s, %s) != 0", st_predicate_name(p), x,
                         y);
}

static const char *compare_int(StArena *a, StPredicate p, StDtype t,
                               const char *x, const char *y) {
  static const char *const sign[] = {"==", "!=", "<",  "<=", ">",
                                     ">=", "<",  "<=", ">",  ">="};
  int w = st_dtype_bits(t);
  const char *o = sign[p - ST_P_EQ];
  x = wide(a, t, x);
  y = wide(a, t, y);
  if (p < ST_P_IULT)
    return st_arena_printf(a, "%s %s %s", x, o, y);
  return st_arena_printf(
      a, "st_num_unsigned(%s, %d) %s st_num_unsigned(%s, %d)", x, w, o, y, w);
}

/* Saturating, to w bits. */
static const char *to_int(StArena *a, StDtype t, const char *x) {
  int w = st_dtype_bits(t);
  if (w == 64)
    return st_arena_printf(a, "st_num_to_i64(%s)", x);
  int64_t top = ((int64_t)1 << (w - 1)) - 1;
  const char *r = st_arena_printf(
      a, "st_hls_saturate(st_num_to_i64(%s), %" PRId64 ")", x, top);
  return t == ST_I1 ? st_arena_printf(a, "%s != 0", r) : r;
}

static const char *convert(StArena *a, StScalarKind k, StDtype to, StDtype from,
                           const char *x) {
  int w = st_dtype_bits(from);
  const char *u = st_arena_printf(
      a, from == ST_I1 ? "(int64_t)%s" : "(int64_t)st_num_unsigned(%s, %d)", x,
      w);
  switch (k) {
  case ST_X_SITOFP:
    return rounded(a, to,
                   st_arena_printf(a, "st_num_from_i64(%s)", wide(a, from, x)));
  case ST_X_UITOFP:
    return rounded(a, to, st_arena_printf(a, "st_num_from_i64(%s)", u));
  case ST_X_FPTOSI:
    return to_int(a, to, x);
  case ST_X_TRUNCF:
    return rounded(a, to, x);
  case ST_X_EXTSI:
    return wide(a, from, x);
  case ST_X_EXTUI:
    return u;
  case ST_X_TRUNCI:
    return to == ST_I1 ? st_arena_printf(a, "(%s & 1) != 0", x)
                       : st_arena_printf(a, "st_num_wrap(%s, %d)", x,
                                         st_dtype_bits(to));
  default: /* EXTF: a float holds it as it is */
    return x;
  }
}

/* ---- leaves -----------------------------------------------------------------
 */

/* The value as people write it: exact for what is normal. */
static const char *float_text(StArena *a, float f) {
  char s[32];
  snprintf(s, sizeof s, "%.9g", (double)f);
  for (int digits = 1; digits < 9; digits++) {
    char shorter[32];
    float back = 0;
    snprintf(shorter, sizeof shorter, "%.*g", digits, (double)f);
    if (sscanf(shorter, "%f", &back) == 1 &&
        st_num_bits(back) == st_num_bits(f)) {
      memcpy(s, shorter, sizeof s);
      break;
    }
  }
  return st_arena_printf(a, "%s%s", s, strpbrk(s, ".e") ? "" : ".0");
}

static const char *constant(StArena *a, StDtype t, uint64_t bits) {
  if (st_dtype_is_float(t)) {
    float f = t == ST_F16    ? st_num_from_f16((uint16_t)bits)
              : t == ST_BF16 ? st_num_from_bf16((uint16_t)bits)
                             : st_num_float((uint32_t)bits);
    uint32_t u = st_num_bits(f);
    bool plain = st_num_flush(u) == u && st_num_mag(u) < ST_NUM_INF;
    return plain ? st_arena_printf(a, "%sf", float_text(a, f))
                 : st_arena_printf(a, "st_num_float(0x%08" PRIx32 "u)", u);
  }
  if (t == ST_I1)
    return bits & 1 ? "true" : "false";
  int64_t v = st_num_wrap((int64_t)bits, st_dtype_bits(t));
  if (v == INT64_MIN)
    return "INT64_MIN";
  return st_arena_printf(a, "INT64_C(%" PRId64 ")", v);
}

static const char *affine(StArena *a, const StAffine *x,
                          const char *const *dim) {
  int64_t *coef = ST_NEW_N(a, int64_t, x->n + 1);
  const char **term = ST_NEW_N(a, const char *, x->n + 1);
  for (int i = 0; i < x->n; i++) {
    coef[i] = x->term[i].coef;
    term[i] = strpbrk(dim[x->term[i].dim], " ")
                  ? st_arena_printf(a, "(%s)", dim[x->term[i].dim])
                  : dim[x->term[i].dim];
  }
  return st_hls_sum(a, x->off, x->n, coef, term);
}

static const char *extract(const StHlsBody *b, const StExpr *e) {
  StArena *a = b->a;
  const StType *t = &b->op->operand[e->operand]->type;
  const StOp *from = b->op->operand[e->operand]->def;
  const char *at = "";
  bool splat = from->kind == ST_OP_CONST && from->u.constant.splat;
  int used = !splat ? t->rank : from->u.constant.n > 1 ? 1 : 0;
  for (int i = 0; i < used; i++) {
    const char *n = st_hls_sym(a, t->shape[i]);
    at = st_arena_printf(a,
                         *at ? "(%s) * %s + st_hls_clamp(v%d, %s)"
                             : "%.0s%.0sst_hls_clamp(v%d, %s)",
                         at, n, e->indices[i], n);
  }
  const char *element =
      st_arena_printf(a, "%s[%s]", b->table[e->operand], *at ? at : "0");
  if (from->kind == ST_OP_CONST && e->dtype == ST_F32) /* ROMs hold bits */
    return st_arena_printf(a, "st_num_float(%s)", element);
  return st_hls_from_element(a, e->dtype, element);
}

/* ---- bodies ---------------------------------------------------------------
 */

static const char *expression(const StHlsBody *b, const StExpr *e) {
  StArena *a = b->a;
  const StExpr *at = b->nest->body.at;
  const char *x[3] = {"", "", ""};
  for (int i = 0; i < 3; i++)
    if (e->arg[i] >= 0)
      x[i] = st_arena_printf(a, "v%d", e->arg[i]);
  StDtype from = e->arg[0] >= 0 ? at[e->arg[0]].dtype : e->dtype;
  switch (e->kind) {
  case ST_X_ARG:
    return b->arg[e->operand];
  case ST_X_CONST:
    return constant(a, e->dtype, e->bits);
  case ST_X_INDEX:
    return affine(a, &e->affine, b->dim);
  case ST_X_EXTRACT:
    return extract(b, e);
  case ST_X_CMPF:
    return compare_float(a, e->pred, x[0], x[1]);
  case ST_X_CMPI:
    return compare_int(a, e->pred, from, x[0], x[1]);
  case ST_X_SELECT:
    return st_arena_printf(a, "%s ? %s : %s", x[0], x[1], x[2]);
  case ST_X_SITOFP:
  case ST_X_UITOFP:
  case ST_X_FPTOSI:
  case ST_X_EXTF:
  case ST_X_TRUNCF:
  case ST_X_EXTSI:
  case ST_X_EXTUI:
  case ST_X_TRUNCI:
    return convert(a, e->kind, e->dtype, from, x[0]);
  default:
    return st_hls_combine(a, e->kind, e->dtype, x[0], x[1]);
  }
}

static void mark(const StBody *body, int i, bool *needed) {
  needed[i] = true;
  for (; i >= 0; i--) {
    const StExpr *e = &body->at[i];
    if (!needed[i])
      continue;
    for (int k = 0; k < 3; k++)
      if (e->arg[k] >= 0)
        needed[e->arg[k]] = true;
    for (int k = 0; e->kind == ST_X_EXTRACT && k < e->nindices; k++)
      needed[e->indices[k]] = true;
  }
}

void st_hls_body(StStr *out, const StHlsBody *b, int pad) {
  const StBody *body = &b->nest->body;
  bool *needed = ST_NEW_N(b->a, bool, body->n + 1);
  for (int r = 0; r < b->op->nresults; r++)
    mark(body, b->nest->out[r].yield, needed);
  for (int i = 0; i < body->n; i++)
    if (needed[i])
      st_str_printf(out, "%*sconst %s v%d = %s;\n", pad, "",
                    st_hls_scalar(body->at[i].dtype), i,
                    expression(b, &body->at[i]));
}
