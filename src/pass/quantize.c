/* quantize: products with weights in integers (doc/quantisation.md).
 *
 *   y[m, n] = sum_k x[m, k] * w[n, k]
 *
 * with groups of g positions of k becomes
 *
 *   a[m, j]       = max_i |x[m, j, i]|              k = j * g + i
 *   q[m, j, i]    = round(x[m, j, i] * (127 / a[m, j]))           int8
 *   dot[m, n, j]  = sum_i q[m, j, i] * codes[n, j, i]             int32
 *   y[m, n]       = sum_j dot[m, n, j] * scales[n, j] * (a[m, j] / 127)
 *
 * The weight's argument becomes its codes; the scales are a new argument, and
 * so are minimums, if its grid has them (quantize_product.c has that formula).
 * Rows of a table that is a weight as well (a tied embedding) are looked up as
 * code * scale + min. What x was quantised to is shared by all products of x.
 */
#include "pass/quantize.h"

#include <string.h>

#include "base/str.h"

typedef struct {
  StQuantFind find;
  StQuantWriter q;
  StQuantised *made; /* what the driver has to compute; may be NULL */
} Quantize;

static void rewrite_product(Quantize *q, StOp *op, const StProduct *p,
                            const StQuantParam *w) {
  StQuantForm f = {w->codes, w->scales, w->arg->result[0]->type.rank,
                   w->axis,  w->group,  w->minima};
  st_quant_product(&q->q, op, p, &f);
}

/* ---- lookups
 * ---------------------------------------------------------------------- */

static int push_extract(Quantize *q, StOp *op, StDtype type, int operand,
                        const int *indices, int n) {
  StExpr e = {.kind = ST_X_EXTRACT,
              .dtype = type,
              .arg = {-1, -1, -1},
              .operand = operand,
              .nindices = n};
  e.indices = ST_NEW_N(q->q.w.a, int, n + 1);
  memcpy(e.indices, indices, (size_t)n * sizeof *indices);
  return st_expr_push(q->q.w.m, &op->u.nest.body, e);
}

static int push_index(Quantize *q, StOp *op, int d) {
  StExpr e = {.kind = ST_X_INDEX,
              .dtype = ST_I64,
              .arg = {-1, -1, -1},
              .affine = st_affine_dim(q->q.w.a, d)};
  return st_expr_push(q->q.w.m, &op->u.nest.body, e);
}

/* The f16 of the group, as f32. */
static int push_number(Quantize *q, StOp *op, int operand, const int *at,
                       int n) {
  int x = push_extract(q, op, ST_F16, operand, at, n);
  return st_write_expr(&q->q.w, op, ST_X_EXTF, ST_F32, x, -1);
}

/* code * scale (+ min) in place of the extract `old`; its number in the new
 * body. Scales and minimums are the last operands. */
static int push_lookup(Quantize *q, StOp *op, const StExpr *old,
                       const int *moved, const StQuantParam *w, int d,
                       int inner) {
  int n = old->nindices, scales = op->noperands - (w->minima ? 2 : 1);
  int *at = ST_NEW_N(q->q.w.a, int, n + 1);
  for (int i = 0; i + 1 < n; i++)
    at[i] = moved[old->indices[i]];
  at[n - 1] = push_index(q, op, d);
  at[n] = push_index(q, op, inner);
  StDtype type = op->operand[old->operand]->type.dtype;
  int code = push_extract(q, op, type, old->operand, at, n + 1);
  code = st_write_expr(&q->q.w, op, st_quant_widen(w->codes, w->minima, true),
                       ST_F32, code, -1);
  int x = st_write_expr(&q->q.w, op, ST_X_MULF, ST_F32, code,
                        push_number(q, op, scales, at, n));
  return w->minima ? st_write_expr(&q->q.w, op, ST_X_ADDF, ST_F32, x,
                                   push_number(q, op, scales + 1, at, n))
                   : x;
}

static void copy_body(Quantize *q, StOp *op, const StNest *old,
                      const StLookup *l, const StQuantParam *w, int inner) {
  int *moved = ST_NEW_N(q->q.w.a, int, old->body.n + 1);
  for (int i = 0; i < old->body.n; i++) {
    StExpr e = old->body.at[i];
    if (i == l->expr) {
      moved[i] = push_lookup(q, op, &e, moved, w, l->d, inner);
      continue;
    }
    for (int a = 0; a < 3; a++)
      e.arg[a] = e.arg[a] < 0 ? -1 : moved[e.arg[a]];
    int *indices = ST_NEW_N(q->q.w.a, int, e.nindices + 1);
    for (int a = 0; a < e.nindices; a++)
      indices[a] = moved[e.indices[a]];
    e.indices = indices;
    moved[i] = st_expr_push(q->q.w.m, &op->u.nest.body, e);
  }
  op->u.nest.out[0].yield = moved[old->out[0].yield];
}

/* The op over dim d as groups and elements; a view gives its shape back. */
static void rewrite_lookup(Quantize *q, StOp *op, const StLookup *l,
                           const StQuantParam *w) {
  const StNest *old = &op->u.nest;
  int n = op->noperands, inner = old->ndims,
      table = old->body.at[l->expr].operand;
  StValue **operand = ST_NEW_N(q->q.w.a, StValue *, n + 2);
  memcpy(operand, op->operand, (size_t)n * sizeof *operand);
  operand[table] = w->codes;
  operand[n] = w->scales;
  operand[n + 1] = w->minima;
  StDim *dim = ST_NEW_N(q->q.w.a, StDim, inner + 1);
  memcpy(dim, old->dim, (size_t)inner * sizeof *dim);
  dim[l->d].extent = st_sym_const(dim[l->d].extent.c / w->group);
  dim[inner] = (StDim){.extent = st_sym_const(w->group)};
  StOp *rows = st_write_generic(&q->q.w, op, w->minima ? n + 2 : n + 1, operand,
                                inner + 1, dim);
  memcpy(rows->u.nest.in, old->in, (size_t)n * sizeof *old->in);
  copy_body(q, rows, old, l, w, inner);
  const StType *t = &op->result[0]->type;
  int axis = 0;
  while (st_affine_single(&old->out[0].map[axis]) != l->d)
    axis++;
  rows->u.nest.out[0].map =
      st_write_split_map(&q->q.w, old->out[0].map, t->rank, axis, l->d, inner);
  rows->result[0]->type =
      st_write_split_type(&q->q.w, t, t->dtype, axis, w->group, true);
  StOp *view = st_write_op(&q->q.w, ST_OP_VIEW, op, 1, rows->result);
  st_write_give(view, op->result[0]);
}

/* ---- parameters
 * ------------------------------------------------------------------- */

/* Shape of the codes: the axis last, as groups and elements. */
static StType codes_type(Quantize *q, const StQuantParam *p, StDtype dtype,
                         bool elements) {
  const StType *t = &p->arg->result[0]->type;
  StType r = {.dtype = dtype, .shape = ST_NEW_N(q->q.w.a, StSym, t->rank + 2)};
  for (int i = 0; i < t->rank; i++)
    if (i != p->axis)
      r.shape[r.rank++] = t->shape[i];
  r.shape[r.rank++] = st_sym_const(t->shape[p->axis].c / p->group);
  if (elements)
    r.shape[r.rank++] = st_sym_const(p->group);
  return r;
}

/* An argument NAME.what in place of `arg`, or a new one if that is negative. */
static StValue *add_param(Quantize *q, const StOp *like, int arg,
                          const StType *type, const char *name,
                          const char *what) {
  StPort none = {0};
  name = st_arena_printf(q->q.w.a, "%s.%s", name, what);
  if (arg < 0) {
    arg = q->q.w.m->arg.n;
    st_vec_push(q->q.w.a, &q->q.w.m->arg, none);
  }
  q->q.w.m->arg.at[arg] = (StPort){.name = name,
                                   .role = ST_ROLE_PARAM,
                                   .dtype = type->dtype,
                                   .rank = type->rank,
                                   .shape = type->shape,
                                   .cache = -1,
                                   .axis = -1};
  StOp *op = st_write_op(&q->q.w, ST_OP_ARG, like, 0, NULL);
  op->name = name;
  op->u.index = (StIndexList){1, ST_NEW(q->q.w.a, int)};
  op->u.index.index[0] = arg;
  op->result[0]->name = name;
  op->result[0]->type = *type;
  return op->result[0];
}

static void replace_param(Quantize *q, int arg, StQuantParam *p) {
  const char *name = q->q.w.m->arg.at[arg].name;
  const StType *t = &p->arg->result[0]->type;
  StType codes = codes_type(q, p, p->bits == 4 ? ST_I4 : ST_I8, true);
  StType scales = codes_type(q, p, ST_F16, false);
  p->codes = add_param(q, p->arg, arg, &codes, name, "codes");
  p->scales = add_param(q, p->arg, -1, &scales, name, "scales");
  int second = q->q.w.m->arg.n - 1, third = -1;
  if (p->mins) {
    p->minima = add_param(q, p->arg, -1, &scales, name, "mins");
    third = q->q.w.m->arg.n - 1;
  }
  if (!q->made || p->own)
    return;
  int64_t *shape = ST_NEW_N(q->q.w.a, int64_t, t->rank);
  for (int i = 0; i < t->rank; i++)
    shape[i] = t->shape[i].c;
  StQuantTensor made = {
      .source = arg,
      .codes = arg,
      .scales = second,
      .mins = third,
      .grid = {t->rank, shape, p->axis, p->group, p->bits, p->mins}};
  st_vec_push(q->q.w.a, q->made, made);
}

/* ---- rules of the scheme --------------------------------------------------
 */

/* Parameters that can be quantised, a few of them. */
static void note_names(const Quantize *q, StDiag *diag) {
  enum { MOST = 8 };
  StStr names;
  st_str_init(&names);
  int n = 0;
  for (int i = 0; i < q->find.m->arg.n; i++) {
    const StQuantParam *p = &q->find.param[i];
    if (!p->products || ++n > MOST)
      continue;
    st_str_printf(&names, "%s%s", n > 1 ? ", " : "", q->find.m->arg.at[i].name);
  }
  st_note(diag, "there are %s%s", n ? names.data : "none",
          n > MOST ? ", ..." : "");
  st_str_free(&names);
}

/* Every rule is for a factor of some product. */
static bool check_rules(const Quantize *q, StDiag *diag) {
  StSchemeRule rule;
  for (int r = 0; st_scheme_rule(&q->find.scheme, r, &rule); r++) {
    bool factor = false;
    for (int i = 0; i < q->find.m->arg.n; i++)
      factor |= q->find.param[i].products &&
                st_scheme_matches(&rule, q->find.m->arg.at[i].name);
    if (factor)
      continue;
    st_error(diag, (StLoc){0},
             "-q: no parameter that is multiplied with is called '%s'",
             rule.pattern);
    note_names(q, diag);
    return false;
  }
  return true;
}

/* ---- the pass
 * --------------------------------------------------------------------- */

static void rewrite(Quantize *q, StOp *op) {
  const StProduct *p = q->find.product[op->id];
  const StLookup *l = q->find.lookup[op->id];
  int arg = -1;
  if (op->nresults == 1)
    arg = st_quant_takes(&q->find, op->result[0]);
  if (arg >= 0) { /* a quantised parameter, or one that was moved */
    if (op->kind == ST_OP_ARG && !q->find.param[arg].codes)
      replace_param(q, arg, &q->find.param[arg]);
    return;
  }
  if (p)
    arg = st_quant_takes(&q->find, op->operand[p->w]);
  else if (l)
    arg = st_quant_takes(&q->find,
                         op->operand[op->u.nest.body.at[l->expr].operand]);
  if (arg >= 0 && p)
    rewrite_product(q, op, p, &q->find.param[arg]);
  else if (arg >= 0)
    rewrite_lookup(q, op, l, &q->find.param[arg]);
  else
    st_vec_push(q->q.w.a, &q->q.w.out, op);
}

bool st_pass_quantize(StModule *m, const StPassContext *ctx) {
  if (!ctx->scheme.weight_bits && !ctx->scheme.rules)
    return true;
  Quantize q = {.find = {.m = m,
                         .scheme = ctx->scheme,
                         .own = ctx->own,
                         .scratch = st_arena_new()},
                .q = {.w = {.m = m, .a = m->arena}, .bits = ST_ACTIVATION_BITS},
                .made = ctx->quantised};
  st_quant_find(&q.find);
  bool ok = check_rules(&q, ctx->diag);
  int n = ok ? m->op.n : 0;
  for (int i = 0; i < n; i++)
    rewrite(&q, m->op.at[i]);
  if (ok)
    st_write_finish(&q.q.w);
  st_arena_free(q.find.scratch);
  return ok;
}
