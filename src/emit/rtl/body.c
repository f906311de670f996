/* The body of a kernel: an instance for each expression and lane. */
#include <inttypes.h>
#include <string.h>

#include "emit/rtl/kernel.h"

int st_rtl_value_bits(StDtype t) {
  return st_dtype_is_float(t) ? 32 : st_dtype_bits(t);
}

int st_rtl_half(StDtype t) { return t == ST_F16 ? 1 : t == ST_BF16 ? 2 : 0; }

int st_rtl_combine_kind(StScalarKind k) {
  static const StScalarKind kinds[] = {
      ST_X_ADDF,    ST_X_MULF, ST_X_MAXIMUMF, ST_X_MINIMUMF, ST_X_MAXNUMF,
      ST_X_MINNUMF, ST_X_ADDI, ST_X_MULI,     ST_X_MAXSI,    ST_X_MINSI,
      ST_X_ANDI,    ST_X_ORI,  ST_X_XORI};
  for (int i = 0; i < (int)(sizeof kinds / sizeof *kinds); i++)
    if (kinds[i] == k)
      return i;
  return -1;
}

/* ---- operators ------------------------------------------------------------
 */

/* A module of the library for an operator: its parameter text after LATENCY,
 * and its least latency. */
typedef struct {
  StScalarKind kind;
  const char *module, *parameters;
  int least;
} Operator;

static const Operator operators[] = {
    {ST_X_ADDF, "st_fadd", "", 6},
    {ST_X_SUBF, "st_fadd", ", .SUB(1'b1)", 6},
    {ST_X_MULF, "st_fmul", "", 5},
    {ST_X_DIVF, "st_fdiv", "", 14},
    {ST_X_NEGF, "st_fsign", "", 0},
    {ST_X_ABSF, "st_fsign", ", .ABS(1'b1)", 0},
    {ST_X_MAXIMUMF, "st_fextreme", "", 0},
    {ST_X_MINIMUMF, "st_fextreme", ", .MIN(1'b1)", 0},
    {ST_X_MAXNUMF, "st_fextreme", ", .NUM(1'b1)", 0},
    {ST_X_MINNUMF, "st_fextreme", ", .MIN(1'b1), .NUM(1'b1)", 0},
    {ST_X_EXP, "st_exp", "", 10},
    {ST_X_LOG, "st_log", "", 12},
    {ST_X_SQRT, "st_fsqrt", "", 14},
    {ST_X_RSQRT, "st_rsqrt", "", 7},
    {ST_X_TANH, "st_fodd", "", 10},
    {ST_X_ERF, "st_fodd", ", .ERF(1'b1)", 10},
    {ST_X_SIN, "st_circular", "", 13},
    {ST_X_COS, "st_circular", ", .COS(1'b1)", 13},
    {ST_X_POWF, "st_fpow", "", 19},
    {ST_X_TRUNC, "st_frint", ", .MODE(2'd0)", 0},
    {ST_X_FLOOR, "st_frint", ", .MODE(2'd1)", 0},
    {ST_X_CEIL, "st_frint", ", .MODE(2'd2)", 0},
    {ST_X_ROUNDEVEN, "st_frint", ", .MODE(2'd3)", 0},
    {ST_X_SITOFP, "st_itof", ", .WIDTH(%d)", 3},
    {ST_X_UITOFP, "st_itof", ", .WIDTH(%d), .SIGNED(1'b0)", 3},
    {ST_X_FPTOSI, "st_ftoi", ", .WIDTH(%d)", 2},
    {ST_X_TRUNCF, "st_fround16", "", 0},
    {ST_X_CMPF, "st_fcmp", "", 0},
    {ST_X_MULI, "st_imul", ", .WIDTH(%d)", 2},
    {ST_X_DIVSI, "st_idiv", ", .WIDTH(%d)", 0},
    {ST_X_REMSI, "st_idiv", ", .WIDTH(%d), .REM(1'b1)", 0},
};

static const Operator *find_operator(StScalarKind k) {
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
    if (operators[i].kind == k)
      return &operators[i];
  return NULL;
}

int st_rtl_least_latency(const StNest *nest, const StExpr *e) {
  const Operator *o = find_operator(e->kind);
  if (e->kind == ST_X_EXTRACT || e->dtype == ST_F64)
    return -1;
  if (e->kind == ST_X_DIVSI || e->kind == ST_X_REMSI)
    return st_dtype_bits(e->dtype) + 2;
  (void)nest;
  return o ? o->least : 0;
}

/* Bits of the integer that a conversion takes or makes. */
static int width_of(const StRtlKernel *k, const StExpr *e) {
  bool from = e->kind == ST_X_SITOFP || e->kind == ST_X_UITOFP;
  return st_dtype_bits(from ? k->nest->body.at[e->arg[0]].dtype : e->dtype);
}

/* Relations {unordered, greater, equal, less}. */
static const char *relations(StPredicate p) {
  static const char *const set[] = {
      [ST_P_OEQ] = "0010", [ST_P_OGT] = "0100", [ST_P_OGE] = "0110",
      [ST_P_OLT] = "0001", [ST_P_OLE] = "0011", [ST_P_ONE] = "0101",
      [ST_P_ORD] = "0111", [ST_P_UEQ] = "1010", [ST_P_UGT] = "1100",
      [ST_P_UGE] = "1110", [ST_P_ULT] = "1001", [ST_P_ULE] = "1011",
      [ST_P_UNE] = "1101", [ST_P_UNO] = "1000"};
  return set[p];
}

static const char *parameters(const StRtlKernel *k, const StExpr *e) {
  const char *text = find_operator(e->kind)->parameters;
  if (e->kind == ST_X_CMPF)
    return st_arena_printf(k->a, ", .SET(4'b%s)", relations(e->pred));
  if (e->kind == ST_X_TRUNCF)
    return e->dtype == ST_BF16 ? ", .BF(1'b1)" : "";
  const char *width = strstr(text, "%d");
  if (!width)
    return text;
  return st_arena_printf(k->a, "%.*s%d%s", (int)(width - text), text,
                         width_of(k, e), width + 2);
}

/* ---- operators without a module ---------------------------------------------
 */

static const char *compare(StArena *a, StPredicate p, const char *x,
                           const char *y) {
  static const char *const sign[] = {
      [ST_P_EQ] = "==",  [ST_P_NE] = "!=",   [ST_P_SLT] = "<",
      [ST_P_SLE] = "<=", [ST_P_SGT] = ">",   [ST_P_SGE] = ">=",
      [ST_P_IULT] = "<", [ST_P_IULE] = "<=", [ST_P_IUGT] = ">",
      [ST_P_IUGE] = ">="};
  bool is_signed = p >= ST_P_SLT && p <= ST_P_SGE;
  return st_arena_printf(
      a, is_signed ? "$signed(%s) %s $signed(%s)" : "%s %s %s", x, sign[p], y);
}

static const char *extend(const StRtlKernel *k, const StExpr *e,
                          const char *x) {
  int from = k->expr[e->arg[0]].bits, to = st_dtype_bits(e->dtype);
  if (from == to)
    return x;
  if (e->kind == ST_X_EXTUI)
    return st_arena_printf(k->a, "{%d'd0, %s}", to - from, x);
  const char *top =
      from == 1 ? x : st_arena_printf(k->a, "%s[%d]", x, from - 1);
  return st_arena_printf(k->a, "{{%d{%s}}, %s}", to - from, top, x);
}

/* An expression in the names of its arguments; NULL: it has a module. */
static const char *simple(const StRtlKernel *k, const StExpr *e,
                          const char *const *x) {
  StArena *a = k->a;
  switch (e->kind) {
  case ST_X_ADDI:
    return st_arena_printf(a, "%s + %s", x[0], x[1]);
  case ST_X_SUBI:
    return st_arena_printf(a, "%s - %s", x[0], x[1]);
  case ST_X_ANDI:
    return st_arena_printf(a, "%s & %s", x[0], x[1]);
  case ST_X_ORI:
    return st_arena_printf(a, "%s | %s", x[0], x[1]);
  case ST_X_XORI:
    return st_arena_printf(a, "%s ^ %s", x[0], x[1]);
  case ST_X_MAXSI:
  case ST_X_MINSI:
    return st_arena_printf(a, "$signed(%s) %s $signed(%s) ? %s : %s", x[0],
                           e->kind == ST_X_MAXSI ? "<" : ">", x[1], x[1], x[0]);
  case ST_X_CMPI:
    return compare(a, e->pred, x[0], x[1]);
  case ST_X_SELECT:
    return st_arena_printf(a, "%s ? %s : %s", x[0], x[1], x[2]);
  case ST_X_EXTSI:
  case ST_X_EXTUI:
    return extend(k, e, x[0]);
  case ST_X_TRUNCI:
    return k->expr[e->arg[0]].bits == st_dtype_bits(e->dtype)
               ? x[0]
               : st_arena_printf(a, "%s%s", x[0],
                                 st_rtl_slice(a, 0, st_dtype_bits(e->dtype)));
  case ST_X_EXTF:
    return x[0];
  default:
    return NULL;
  }
}

/* ---- leaves -------------------------------------------------------------- */

static const char *from_token(StArena *a, StDtype t, const char *x) {
  if (t == ST_F16)
    return st_arena_printf(a, "st_num::from_f16(%s)", x);
  if (t == ST_BF16)
    return st_arena_printf(a, "st_num::canon({%s, 16'd0})", x);
  return x;
}

const char *st_rtl_to_token(StArena *a, StDtype t, const char *x) {
  if (t == ST_F16 || t == ST_BF16)
    return st_arena_printf(a, "st_num::to_%s(%s)", st_dtype_name(t), x);
  return x;
}

static const char *element(const StRtlKernel *k, const StExpr *e,
                           const char *const *digit) {
  const StPortInfo *port = &k->in[e->operand];
  int bits = st_dtype_bits(e->dtype);
  const char *name = st_arena_printf(k->a, "held%d", e->operand);
  if (port->token == 1)
    return from_token(k->a, e->dtype, name);
  const char *at = st_rtl_lane_sum(k, st_rtl_elements(k, port), digit);
  return from_token(
      k->a, e->dtype,
      st_arena_printf(k->a, "%s[(%s)*%d+:%d]", name, at, bits, bits));
}

static const char *constant(StArena *a, StDtype t, uint64_t bits) {
  int width = st_rtl_value_bits(t);
  const char *stored = st_arena_printf(
      a, "%d'h%" PRIx64, st_dtype_bits(t),
      width == 64 ? bits : bits & ((UINT64_C(1) << st_dtype_bits(t)) - 1));
  return from_token(a, t, stored);
}

/* The part of an affine expression that does not depend on lanes, in the cycle
 * of issue, as a sum of 64 bits. */
static const char *index_base(StRtlKernel *k, const StAffine *e) {
  StArena *a = k->a;
  const char *sum =
      st_arena_printf(a, "64'd%" PRId64, e->off.c < 0 ? -e->off.c : e->off.c);
  sum = e->off.c < 0 ? st_arena_printf(a, "-%s", sum) : sum;
  if (e->off.p)
    sum = st_arena_printf(a, "%s + 64'd%" PRId64 " * %s", sum, e->off.p,
                          st_rtl_value(k->x, (StSym){0, 1, 0}, 64));
  if (e->off.t)
    sum = st_arena_printf(a, "%s + 64'd%" PRId64 " * %s", sum, e->off.t,
                          st_rtl_value(k->x, (StSym){0, 0, 1}, 64));
  for (int i = 0; i < e->n; i++)
    for (int l = 0; l < k->nest->nloops; l++)
      if (k->nest->loop[l].dim == e->term[i].dim && k->f.counter[l] >= 0)
        sum = st_arena_printf(
            a, "%s %c 64'd%" PRId64 " * 64'(%s)", sum,
            e->term[i].coef < 0 ? '-' : '+',
            (e->term[i].coef < 0 ? -e->term[i].coef : e->term[i].coef) *
                k->nest->loop[l].step,
            st_rtl_index(&k->f, l));
  return sum;
}

/* Declares x`i`_base, the sum without the lanes, when the index is ready. */
static void put_index_base(StRtlKernel *k, int i) {
  const StExpr *e = &k->nest->body.at[i];
  int ready = k->expr[i].ready;
  st_str_printf(&k->x->body,
                "  logic [63:0] x%d_issued, x%d_base;\n"
                "  assign x%d_issued = %s;\n"
                "  st_delay #(.WIDTH(64), .LATENCY(%d)) x%d_later (\n"
                "      .clk, .en(v[%d:0]), .d(x%d_issued), .q(x%d_base));\n",
                i, i, i, index_base(k, &e->affine), ready, i, ready, i, i);
}

static const char *index_value(const StRtlKernel *k, int i,
                               const char *const *digit) {
  const StAffine *e = &k->nest->body.at[i].affine;
  int64_t *coef = ST_NEW_N(k->a, int64_t, k->nest->nlanes + 1);
  for (int l = 0; l < k->nest->nlanes; l++)
    for (int j = 0; j < e->n; j++)
      if (e->term[j].dim == k->nest->lane[l].dim)
        coef[l] += e->term[j].coef;
  const char *lanes = st_rtl_lane_sum(k, coef, digit);
  if (!strcmp(lanes, "0"))
    return st_arena_printf(k->a, "x%d_base", i);
  return st_arena_printf(k->a, "x%d_base + 64'(%s)", i, lanes);
}

/* ---- blocks ---------------------------------------------------------------
 */

static const char *name_at(const StRtlKernel *k, int i, int time) {
  const StRtlExpr *e = &k->expr[i];
  if (e->constant || time == e->ready)
    return st_arena_printf(k->a, "x%d", i);
  return st_arena_printf(k->a, "x%d_at%d", i, time);
}

static const char *block_name(const StRtlKernel *k, unsigned lanes) {
  const char *name = "g";
  for (int l = 0; l < k->nest->nlanes; l++)
    if (lanes >> l & 1)
      name = st_arena_printf(k->a, "%s_d%d", name, k->nest->lane[l].dim);
  return name;
}

const char *st_rtl_expr_name(const StRtlKernel *k, int i, int time,
                             unsigned lanes, const char *const *digit) {
  const StRtlExpr *e = &k->expr[i];
  const char *name = name_at(k, i, time);
  if (!e->lanes || e->lanes == lanes)
    return name;
  int64_t *coef = ST_NEW_N(k->a, int64_t, k->nest->nlanes + 1), w = 1;
  for (int l = k->nest->nlanes; l-- > 0;)
    if (e->lanes >> l & 1) {
      coef[l] = w;
      w *= k->nest->lane[l].size;
    }
  return st_arena_printf(k->a, "%s[%s].%s", block_name(k, e->lanes),
                         st_rtl_lane_sum(k, coef, digit), name);
}

static void put_late(const StRtlKernel *k, int i, int pad) {
  const StRtlExpr *e = &k->expr[i];
  const char *from = name_at(k, i, e->ready);
  int at = e->ready;
  for (int j = 0; j < e->late.n; j++) {
    int to = e->late.at[j];
    const char *name = name_at(k, i, to);
    st_str_printf(&k->x->body,
                  "%*slogic %s%s;\n"
                  "%*sst_delay #(.WIDTH(%d), .LATENCY(%d)) x%d_to%d (\n"
                  "%*s.clk, .en(v[%d:%d]), .d(%s), .q(%s));\n",
                  pad, "", st_rtl_range(k->a, e->bits), name, pad, "", e->bits,
                  to - at, i, to, pad + 4, "", to, at, from, name);
    from = name;
    at = to;
  }
}

/* The result of a module is rounded behind it where floats have 16 bits. */
static void put_instance(const StRtlKernel *k, int i, int pad,
                         const char *const *x, int start) {
  const StExpr *e = &k->nest->body.at[i];
  const Operator *o = find_operator(e->kind);
  int latency = st_target_expr(k->t, &k->nest->body, e)->latency;
  bool half = st_rtl_half(e->dtype) != 0;
  bool narrow = e->kind == ST_X_TRUNCF && half;
  const char *y = half ? st_arena_printf(k->a, "x%d_raw", i)
                       : st_arena_printf(k->a, "x%d", i);
  if (half)
    st_str_printf(&k->x->body, "%*slogic [%d:0] %s;\n", pad, "",
                  narrow ? 15 : 31, y);
  st_str_printf(&k->x->body, "%*s%s #(.LATENCY(%d)%s) op%d (\n", pad, "",
                o->module, latency, parameters(k, e), i);
  st_str_printf(&k->x->body, "%*s.clk, .en(v[%d:%d]), .a(%s)", pad + 4, "",
                start + latency, start, x[0]);
  if (e->arg[1] >= 0)
    st_str_printf(&k->x->body, ", .b(%s)", x[1]);
  st_str_printf(&k->x->body, ", .y(%s));\n", y);
  if (half)
    st_str_printf(&k->x->body, "%*sassign x%d = %s;\n", pad, "", i,
                  from_token(k->a, e->dtype,
                             narrow ? y : st_rtl_to_token(k->a, e->dtype, y)));
}

static void put_operator(const StRtlKernel *k, int i, int pad,
                         const char *const *digit) {
  const StExpr *e = &k->nest->body.at[i];
  int latency = st_target_expr(k->t, &k->nest->body, e)->latency;
  int start = k->expr[i].ready - latency;
  const char *x[3] = {"", "", ""};
  for (int j = 0; j < st_scalar_args(e->kind); j++)
    x[j] = st_rtl_expr_name(k, e->arg[j], start, k->expr[i].lanes, digit);
  const char *value = simple(k, e, x);
  if (!value) {
    put_instance(k, i, pad, x, start);
  } else if (!latency) {
    st_str_printf(&k->x->body, "%*sassign x%d = %s;\n", pad, "", i, value);
  } else {
    int bits = k->expr[i].bits;
    st_str_printf(&k->x->body,
                  "%*sst_delay #(.WIDTH(%d), .LATENCY(%d)) op%d (\n"
                  "%*s.clk, .en(v[%d:%d]), .d(%s), .q(x%d));\n",
                  pad, "", bits, latency, i, pad + 4, "", start + latency,
                  start, value, i);
  }
}

static void put_expr(StRtlKernel *k, int i, int pad, const char *const *digit) {
  const StExpr *e = &k->nest->body.at[i];
  StStr *out = &k->x->body;
  st_str_printf(out, "%*slogic %sx%d;\n", pad, "",
                st_rtl_range(k->a, k->expr[i].bits), i);
  if (e->kind == ST_X_CONST)
    st_str_printf(out, "%*sassign x%d = %s;\n", pad, "", i,
                  constant(k->a, e->dtype, e->bits));
  else if (e->kind == ST_X_ARG)
    st_str_printf(out, "%*sassign x%d = %s;\n", pad, "", i,
                  element(k, e, digit));
  else if (e->kind == ST_X_INDEX)
    st_str_printf(out, "%*sassign x%d = %s;\n", pad, "", i,
                  index_value(k, i, digit));
  else
    put_operator(k, i, pad, digit);
  put_late(k, i, pad);
}

/* Expressions that depend on the same lanes. */
static void put_block(StRtlKernel *k, unsigned lanes) {
  bool any = false;
  const char *var = "c";
  const char **digit = st_rtl_digits(k, lanes, var);
  for (int i = 0; i < k->nest->body.n; i++) {
    if (!k->expr[i].needed || k->expr[i].lanes != lanes)
      continue;
    if (!any && lanes)
      st_str_printf(&k->x->body,
                    "\n  for (genvar %s = 0; %s < %d; %s++) begin : %s\n", var,
                    var, st_rtl_copies(k, lanes), var, block_name(k, lanes));
    else if (!any)
      st_str_printf(&k->x->body, "\n");
    any = true;
    put_expr(k, i, lanes ? 4 : 2, digit);
  }
  if (any && lanes)
    st_str_printf(&k->x->body, "  end\n");
}

static int count_lanes(unsigned lanes) {
  int n = 0;
  for (; lanes; lanes &= lanes - 1)
    n++;
  return n;
}

void st_rtl_body(StRtlKernel *k) {
  for (int i = 0; i < k->nest->body.n; i++)
    if (k->expr[i].needed && k->nest->body.at[i].kind == ST_X_INDEX)
      put_index_base(k, i);
  for (int n = 0; n <= k->nest->nlanes; n++) /* fewer lanes first */
    for (int i = 0; i < k->nest->body.n; i++) {
      unsigned lanes = k->expr[i].lanes;
      bool first = k->expr[i].needed && count_lanes(lanes) == n;
      for (int j = 0; j < i && first; j++)
        first = !k->expr[j].needed || k->expr[j].lanes != lanes;
      if (first)
        put_block(k, lanes);
    }
}
