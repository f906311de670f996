/* quantize: a product across the groups of a factor in integers, as of
 * probabilities and values.
 *
 *   y[m, d] = sum_c x[m, c] * code[c, j, i] * scale[c, j]       d = j * g + i
 *
 * becomes, with as many bits in q as sums of int32 allow,
 *
 *   u[m, j, c]    = x[m, c] * scale[c, j]
 *   a[m, j]       = max_c |u[m, j, c]|
 *   q[m, j, c]    = round(u[m, j, c] * (most / a[m, j]))          int16
 *   dot[m, j, i]  = sum_c q[m, j, c] * code[c, j, i]              int32
 *   y[m, j, i]    = dot[m, j, i] * (a[m, j] / most)
 *
 * If x is a quotient e[m, c] / s[m], as of a softmax, u is made of e, and y is
 * divided: its factor is a[m, j] / most / s[m]. */
#include "pass/quantize.h"

#include <string.h>

/* Codes have 8 bits; fewer bits in q than that are not worth it. */
enum { MOST_CODE = 127, LEAST = 127, MOST = INT16_MAX };

typedef struct {
  StWriter *w;
  const StOp *op;
  const StProduct *p;
  const StQuantForm *f;
  int d;       /* nest dim along the groups */
  int at;      /* data dim of the result that is d */
  int n;       /* dims of u */
  int *dim;    /* [n] nest dim, -1: groups */
  int *number; /* [nest dim] dim of u, -1: none */
  StValue *x;  /* the other factor, or what is divided in it */
  StValue *s;  /* by what: of the shape of x with one position last; or NULL */
} Values;

/* ---- whether ---------------------------------------------------------------
 */

static bool uses(const StAffine *map, int rank, int d) {
  for (int i = 0; i < rank; i++)
    for (int t = 0; t < map[i].n; t++)
      if (map[i].term[t].dim == d)
        return true;
  return false;
}

/* Data dim of the result that is nest dim d, which no other uses; -1: none. */
static int result_dim(const StOp *op, int d) {
  const StAffine *map = op->u.nest.out[0].map;
  int found = -1;
  for (int i = 0; i < op->result[0]->type.rank; i++) {
    if (!uses(&map[i], 1, d))
      continue;
    if (found >= 0 || st_plain_dim(&map[i]) != d)
      return -1;
    found = i;
  }
  return found;
}

static int64_t largest_code(const StModule *m, StSym extent) {
  int64_t n = st_sym_max(extent, m->ctx, m->chunk);
  int64_t most = INT32_MAX / ((n > 0 ? n : 1) * (MOST_CODE + 1));
  return most < MOST ? most : MOST;
}

/* The dims of u: those of x and of the scales in the nest's order, then groups,
 * then the one that is summed. */
static void list_dims(Values *v) {
  const StNest *n = &v->op->u.nest;
  const StValue *x = v->op->operand[v->p->x];
  v->dim = ST_NEW_N(v->w->a, int, n->ndims + 2);
  v->number = ST_NEW_N(v->w->a, int, n->ndims + 1);
  for (int d = 0; d < n->ndims; d++) {
    bool used = uses(n->in[v->p->x].map, x->type.rank, d);
    for (int i = 0; i < v->f->rank; i++)
      used |= v->p->walk[i] == d;
    v->number[d] = -1;
    if (!used || d == v->d || d == v->p->k)
      continue;
    v->number[d] = v->n;
    v->dim[v->n++] = d;
  }
  v->number[v->d] = v->n;
  v->dim[v->n++] = -1;
  v->number[v->p->k] = v->n;
  v->dim[v->n++] = v->p->k;
}

/* ---- quotients -------------------------------------------------------------
 */

/* Every dim of the tensor is its own access; `last`: but for the last, which
 * has one position. */
static bool is_natural(const StAffine *map, int rank, bool last) {
  for (int i = 0; i < rank; i++) {
    bool zero = map[i].n == 0 && st_sym_eq(map[i].off, st_sym_const(0));
    if (last && i == rank - 1 ? !zero : st_plain_dim(&map[i]) != i)
      return false;
  }
  return true;
}

/* e[.., c] / s[.., 0], for all c. */
static bool is_quotient(const StOp *op) {
  if (op->kind != ST_OP_GENERIC || op->noperands != 2 || op->nresults != 1)
    return false;
  const StNest *n = &op->u.nest;
  const StExpr *e = &n->body.at[n->out[0].yield];
  int rank = op->result[0]->type.rank;
  if (e->kind != ST_X_DIVF || !rank || st_nest_reduces(n) ||
      !st_is_plain(n, 2, 1) || n->ndims != rank)
    return false;
  for (int i = 0; i < 2; i++) {
    const StExpr *a = &n->body.at[e->arg[i]];
    if (a->kind != ST_X_ARG || a->operand != i || !n->in[i].map ||
        op->operand[i]->type.rank != rank)
      return false;
  }
  const StType *s = &op->operand[1]->type;
  return is_natural(n->out[0].map, rank, false) &&
         is_natural(n->in[0].map, rank, false) &&
         is_natural(n->in[1].map, rank, true) &&
         st_sym_eq(s->shape[rank - 1], st_sym_const(1));
}

/* Another shape with the same last dim. */
static bool keeps_last(const StOp *op) {
  if (op->noperands != 1 || op->nresults != 1)
    return false;
  const StType *from = &op->operand[0]->type, *to = &op->result[0]->type;
  return op->kind == ST_OP_VIEW && from->rank && to->rank &&
         st_sym_eq(from->shape[from->rank - 1], to->shape[to->rank - 1]);
}

/* v in the shape of t; with one position in the last dim if `last`. */
static StValue *write_shape(const Values *v, StValue *x, const StType *t,
                            bool last) {
  StOp *view = st_write_op(v->w, ST_OP_VIEW, v->op, 1, &x);
  StType *to = &view->result[0]->type;
  *to = st_type_tensor(v->w->a, ST_F32, t->rank, t->shape);
  if (last)
    to->shape[t->rank - 1] = st_sym_const(1);
  return view->result[0];
}

/* What x divides and by what, if it is a quotient of what does not depend on
 * the dim that is summed, its last. */
static void take_quotient(Values *v) {
  v->x = v->op->operand[v->p->x];
  v->s = NULL;
  const StOp *def = v->x->def;
  while (keeps_last(def))
    def = def->operand[0]->def;
  const StType *t = &v->x->type;
  if (!is_quotient(def) || v->p->x_axis != t->rank - 1)
    return;
  v->x = write_shape(v, def->operand[0], t, false);
  v->s = write_shape(v, def->operand[1], t, true);
}

/* ---- ops -------------------------------------------------------------------
 */

static StSym groups(const Values *v) {
  return st_sym_const(v->op->u.nest.dim[v->d].extent.c / v->f->group);
}

/* Accesses of x with the numbers of u's dims. */
static StAffine *renumber(const Values *v, const StAffine *map, int rank) {
  StAffine *r = st_write_copy_map(v->w, map, rank);
  for (int i = 0; i < rank; i++)
    if (r[i].n)
      r[i] = st_affine_dim(v->w->a, v->number[st_affine_single(&map[i])]);
  return r;
}

static StValue *add_scaled(const Values *v) {
  const StOp *op = v->op;
  const StNest *old = &op->u.nest;
  StValue *x = v->x, *operand[] = {x, v->f->scales};
  StDim *dim = ST_NEW_N(v->w->a, StDim, v->n + 1);
  StSym *shape = ST_NEW_N(v->w->a, StSym, v->n + 1);
  int *walk = ST_NEW_N(v->w->a, int, v->f->rank + 1);
  for (int i = 0; i < v->n; i++)
    dim[i].extent = shape[i] =
        v->dim[i] < 0 ? groups(v) : old->dim[v->dim[i]].extent;
  for (int i = 0; i < v->f->rank; i++)
    walk[i] = v->p->walk[i] < 0 ? -1 : v->number[v->p->walk[i]];
  StOp *u = st_write_generic(v->w, op, 2, operand, v->n, dim);
  StNest *n = &u->u.nest;
  n->in[0].map = renumber(v, old->in[v->p->x].map, x->type.rank);
  n->in[1].map = st_quant_factor_map(v->w, v->f, walk, -1);
  n->out[0].map = st_write_natural_map(v->w, v->n, -1);
  int a = st_write_arg(v->w, u, 0);
  int s =
      st_write_expr(v->w, u, ST_X_EXTF, ST_F32, st_write_arg(v->w, u, 1), -1);
  n->out[0].yield = st_write_expr(v->w, u, ST_X_MULF, ST_F32, a, s);
  u->result[0]->type = st_type_tensor(v->w->a, ST_F32, v->n, shape);
  return u->result[0];
}

/* Over the dims of the product, d as groups, and one more for their elements.
 */
static StValue *add_dot(const Values *v, StValue *q) {
  const StNest *old = &v->op->u.nest;
  StWriter *w = v->w;
  int inner = old->ndims;
  StDim *dim = ST_NEW_N(w->a, StDim, inner + 1);
  memcpy(dim, old->dim, (size_t)inner * sizeof *dim);
  dim[v->d] = (StDim){.extent = groups(v)};
  dim[inner] = (StDim){.extent = st_sym_const(v->f->group)};
  StValue *operand[] = {q, v->f->codes};
  StOp *dot = st_write_generic(w, v->op, 2, operand, inner + 1, dim);
  StNest *n = &dot->u.nest;
  n->in[0].map = ST_NEW_N(w->a, StAffine, v->n + 1);
  for (int i = 0; i < v->n; i++)
    n->in[0].map[i] = st_affine_dim(w->a, v->dim[i] < 0 ? v->d : v->dim[i]);
  n->in[1].map = st_quant_factor_map(w, v->f, v->p->walk, inner);
  int a =
      st_write_expr(w, dot, ST_X_EXTSI, ST_I32, st_write_arg(w, dot, 0), -1);
  int b =
      st_write_expr(w, dot, ST_X_EXTSI, ST_I32, st_write_arg(w, dot, 1), -1);
  n->out[0].yield = st_write_expr(w, dot, ST_X_MULI, ST_I32, a, b);
  n->out[0].combine = ST_X_ADDI;
  const StType *t = &v->op->result[0]->type;
  n->out[0].map =
      st_write_split_map(w, old->out[0].map, t->rank, v->at, v->d, inner);
  dot->result[0]->type =
      st_write_split_type(w, t, ST_I32, v->at, v->f->group, true);
  return dot->result[0];
}

/* The data dims of the split result that the dims of u but the last are. */
static StAffine *scale_map(const Values *v) {
  StAffine *map = ST_NEW_N(v->w->a, StAffine, v->n + 1);
  for (int i = 0; i + 1 < v->n; i++) {
    int d = v->dim[i] < 0 ? v->at : result_dim(v->op, v->dim[i]);
    d += d > v->at;
    map[i] =
        d < 0 ? st_affine_const(st_sym_const(0)) : st_affine_dim(v->w->a, d);
  }
  return map;
}

/* scale[m.., j] / s[m.., 0]. */
static StValue *add_divided(const Values *v, StValue *scale) {
  StWriter *w = v->w;
  StValue *operand[] = {scale, v->s};
  const StType *t = &scale->type;
  StOp *op =
      st_write_generic(w, v->op, 2, operand, t->rank, st_write_dims(w, t));
  StNest *n = &op->u.nest;
  n->in[0].map = st_write_natural_map(w, t->rank, -1);
  n->in[1].map = renumber(v, v->op->u.nest.in[v->p->x].map, v->s->type.rank);
  n->in[1].map[v->s->type.rank - 1] = st_affine_const(st_sym_const(0));
  n->out[0].map = st_write_natural_map(w, t->rank, -1);
  n->out[0].yield = st_write_expr(
      w, op, ST_X_DIVF, ST_F32, st_write_arg(w, op, 0), st_write_arg(w, op, 1));
  op->result[0]->type = *t;
  return op->result[0];
}

static StOp *add_result(const Values *v, StValue *dot, StValue *scale) {
  StWriter *w = v->w;
  StValue *operand[] = {dot, scale};
  const StType *t = &dot->type;
  StOp *y =
      st_write_generic(w, v->op, 2, operand, t->rank, st_write_dims(w, t));
  StNest *n = &y->u.nest;
  n->in[0].map = st_write_natural_map(w, t->rank, -1);
  n->in[1].map = scale_map(v);
  n->out[0].map = st_write_natural_map(w, t->rank, -1);
  int e = st_write_expr(w, y, ST_X_SITOFP, ST_F32, st_write_arg(w, y, 0), -1);
  n->out[0].yield =
      st_write_expr(w, y, ST_X_MULF, ST_F32, e, st_write_arg(w, y, 1));
  y->result[0]->type = st_type_tensor(w->a, ST_F32, t->rank, t->shape);
  return y;
}

bool st_quant_values(StWriter *w, StOp *op, const StProduct *p,
                     const StQuantForm *f) {
  Values v = {.w = w, .op = op, .p = p, .f = f, .d = p->walk[f->axis]};
  int64_t most = largest_code(w->m, op->u.nest.dim[p->k].extent);
  if (v.d < 0 || most < LEAST)
    return false;
  v.at = result_dim(op, v.d);
  const StValue *x = op->operand[p->x];
  if (v.at < 0 || uses(op->u.nest.in[p->x].map, x->type.rank, v.d))
    return false;
  list_dims(&v);
  take_quotient(&v);
  StQuantRows q;
  st_quant_codes(w, op, add_scaled(&v), v.n - 1, (int)most, ST_I16, &q);
  if (v.s)
    q.scale = add_divided(&v, q.scale);
  StOp *y = add_result(&v, add_dot(&v, q.q), q.scale);
  st_write_give(st_write_op(w, ST_OP_VIEW, op, 1, y->result), op->result[0]);
  return true;
}
