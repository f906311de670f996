/* quantize: the ops of a product in integers (doc/quantisation.md).
 *
 *   a[m, j]       = max_i |x[m, j, i]|              k = j * g + i
 *   q[m, j, i]    = round(x[m, j, i] * (127 / a[m, j]))           int8
 *   dot[m, n, j]  = sum_i q[m, j, i] * codes[n, j, i]             int32
 *   y[m, n]       = sum_j dot[m, n, j] * scales[n, j] * (a[m, j] / 127)
 *
 * or, if the second factor has minimums,
 *
 *   sum[m, j]     = sum_i q[m, j, i]
 *   y[m, n]       = sum_j (dot[m, n, j] * scales[n, j] +
 *                          sum[m, j] * mins[n, j]) * (a[m, j] / 127) */
#include "pass/quantize.h"

#include <string.h>

/* ---- what is multiplied -------------------------------------------------- */

/* Largest magnitude of each group: of the elements along dim `inner`. */
static StValue *add_largest(StWriter *w, const StOp *like, StValue *x,
                            int inner) {
  StDim *dim = st_write_dims(w, &x->type);
  dim[inner].reduction = true;
  StOp *op = st_write_generic(w, like, 1, &x, x->type.rank, dim);
  op->u.nest.in[0].map = st_write_natural_map(w, x->type.rank, -1);
  op->u.nest.out[0].yield =
      st_write_expr(w, op, ST_X_ABSF, ST_F32, st_write_arg(w, op, 0), -1);
  op->u.nest.out[0].combine = ST_X_MAXIMUMF;
  op->u.nest.out[0].map = st_write_natural_map(w, x->type.rank, inner);
  StType *t = &op->result[0]->type;
  *t = st_type_tensor(w->a, ST_F32, x->type.rank, x->type.shape);
  t->rank--;
  for (int i = inner; i < t->rank; i++)
    t->shape[i] = t->shape[i + 1];
  return op->result[0];
}

/* f * a, or f / max(a, tiny), for each group. */
static StValue *add_factor(StWriter *w, const StOp *like, StValue *a, float f,
                           bool inverse) {
  StOp *op = st_write_generic(w, like, 1, &a, a->type.rank,
                              st_write_dims(w, &a->type));
  op->u.nest.in[0].map = st_write_natural_map(w, a->type.rank, -1);
  op->u.nest.out[0].map = st_write_natural_map(w, a->type.rank, -1);
  int x = st_write_arg(w, op, 0), c = st_write_float(w, op, f);
  if (inverse)
    x = st_write_expr(w, op, ST_X_MAXNUMF, ST_F32, x,
                      st_write_float(w, op, 0x1p-100F));
  op->u.nest.out[0].yield =
      st_write_expr(w, op, inverse ? ST_X_DIVF : ST_X_MULF, ST_F32,
                    inverse ? c : x, inverse ? x : c);
  op->result[0]->type = a->type;
  return op->result[0];
}

static StValue *add_codes(StWriter *w, const StOp *like, StValue *x,
                          StValue *inverse, int inner, StDtype dtype) {
  StValue *operand[] = {x, inverse};
  int rank = x->type.rank;
  StOp *op =
      st_write_generic(w, like, 2, operand, rank, st_write_dims(w, &x->type));
  op->u.nest.in[0].map = st_write_natural_map(w, rank, -1);
  op->u.nest.in[1].map = st_write_natural_map(w, rank, inner);
  op->u.nest.out[0].map = st_write_natural_map(w, rank, -1);
  int p = st_write_expr(w, op, ST_X_MULF, ST_F32, st_write_arg(w, op, 0),
                        st_write_arg(w, op, 1));
  p = st_write_expr(w, op, ST_X_ROUNDEVEN, ST_F32, p, -1);
  op->u.nest.out[0].yield = st_write_expr(w, op, ST_X_FPTOSI, dtype, p, -1);
  op->result[0]->type = st_type_tensor(w->a, dtype, rank, x->type.shape);
  return op->result[0];
}

/* What x was quantised to, if it was. */
static StQuantRows *find_rows(StQuantWriter *q, const StValue *x, int axis,
                              int64_t group) {
  for (int i = 0; i < q->done.n; i++) {
    StQuantRows *d = &q->done.at[i];
    if (d->x == x && d->axis == axis && d->group == group)
      return d;
  }
  return NULL;
}

void st_quant_codes(StWriter *w, const StOp *like, StValue *x, int inner,
                    int most, StDtype dtype, StQuantRows *out) {
  StValue *largest = add_largest(w, like, x, inner);
  StValue *inverse = add_factor(w, like, largest, (float)most, true);
  out->q = add_codes(w, like, x, inverse, inner, dtype);
  out->scale = add_factor(w, like, largest, 1 / (float)most, false);
}

StQuantRows st_quant_rows(StQuantWriter *q, const StOp *like, StValue *x,
                          int axis, int64_t group) {
  const StQuantRows *found = find_rows(q, x, axis, group);
  if (found)
    return *found;
  StWriter *w = &q->w;
  StOp *view = st_write_op(w, ST_OP_VIEW, like, 1, &x);
  StValue *split = view->result[0];
  split->type = st_write_split_type(w, &x->type, ST_F32, axis, group, true);
  int most = (1 << (q->bits - 1)) - 1;
  StQuantRows d = {.x = x, .axis = axis, .group = group};
  st_quant_codes(w, like, split, axis + 1, most, ST_I8, &d);
  st_vec_push(w->a, &q->done, d);
  return d;
}

/* The sum of the codes of each group of x, exact in f32. */
static StValue *sum_of_rows(StQuantWriter *q, const StOp *like,
                            const StQuantRows *x) {
  StQuantRows *kept = find_rows(q, x->x, x->axis, x->group);
  if (kept->sum)
    return kept->sum;
  StWriter *w = &q->w;
  const StType *t = &x->q->type;
  StDim *dim = st_write_dims(w, t);
  StValue *codes = x->q;
  dim[x->axis + 1].reduction = true;
  StOp *op = st_write_generic(w, like, 1, &codes, t->rank, dim);
  op->u.nest.in[0].map = st_write_natural_map(w, t->rank, -1);
  op->u.nest.out[0].yield =
      st_write_expr(w, op, ST_X_EXTSI, ST_I32, st_write_arg(w, op, 0), -1);
  op->u.nest.out[0].combine = ST_X_ADDI;
  op->u.nest.out[0].map = st_write_natural_map(w, t->rank, x->axis + 1);
  const StType *groups = &x->scale->type;
  op->result[0]->type =
      st_type_tensor(w->a, ST_I32, groups->rank, groups->shape);
  StOp *wide = st_write_generic(w, like, 1, op->result, groups->rank,
                                st_write_dims(w, groups));
  wide->u.nest.in[0].map = st_write_natural_map(w, groups->rank, -1);
  wide->u.nest.out[0].map = st_write_natural_map(w, groups->rank, -1);
  wide->u.nest.out[0].yield =
      st_write_expr(w, wide, ST_X_SITOFP, ST_F32, st_write_arg(w, wide, 0), -1);
  wide->result[0]->type = *groups;
  return kept->sum = wide->result[0];
}

/* ---- the product -----------------------------------------------------------
 */

StAffine *st_quant_factor_map(StWriter *w, const StQuantForm *f,
                              const int *walk, int inner) {
  int rank = f->rank, n = 0;
  StAffine *map = ST_NEW_N(w->a, StAffine, rank + 2);
  for (int i = 0; i < rank; i++)
    if (i != f->axis && walk[i] >= 0)
      map[n++] = st_affine_dim(w->a, walk[i]);
    else if (i != f->axis)
      map[n++] = st_affine_const(st_sym_const(0));
  map[n++] = st_affine_dim(w->a, walk[f->axis]);
  if (inner >= 0)
    map[n] = st_affine_dim(w->a, inner);
  return map;
}

StScalarKind st_quant_widen(const StValue *codes, const StValue *minima,
                            bool to_float) {
  bool bare = minima && codes->type.dtype == ST_I4;
  return to_float ? bare ? ST_X_UITOFP : ST_X_SITOFP
         : bare   ? ST_X_EXTUI
                  : ST_X_EXTSI;
}

/* dot[.., j] over the dims of the product, k as groups, and one more for the
 * elements of a group. */
static StValue *add_dot(StWriter *w, const StOp *op, const StProduct *p,
                        const StQuantForm *f, const StQuantRows *x) {
  const StNest *n = &op->u.nest;
  StDim *dim = ST_NEW_N(w->a, StDim, n->ndims + 1);
  memcpy(dim, n->dim, (size_t)n->ndims * sizeof *dim);
  dim[p->k] = (StDim){.extent = st_sym_const(dim[p->k].extent.c / f->group)};
  dim[n->ndims] = (StDim){.extent = st_sym_const(f->group), .reduction = true};
  StValue *operand[] = {x->q, f->codes};
  StOp *dot = st_write_generic(w, op, 2, operand, n->ndims + 1, dim);
  const StValue *from = op->operand[p->x], *to = op->result[0];
  dot->u.nest.in[0].map = st_write_split_map(
      w, n->in[p->x].map, from->type.rank, p->x_axis, p->k, n->ndims);
  dot->u.nest.in[1].map = st_quant_factor_map(w, f, p->walk, n->ndims);
  int a =
      st_write_expr(w, dot, ST_X_EXTSI, ST_I32, st_write_arg(w, dot, 0), -1);
  int b = st_write_expr(w, dot, st_quant_widen(f->codes, f->minima, false),
                        ST_I32, st_write_arg(w, dot, 1), -1);
  StOutput *out = &dot->u.nest.out[0];
  out->yield = st_write_expr(w, dot, ST_X_MULI, ST_I32, a, b);
  out->combine = ST_X_ADDI;
  int rank = to->type.rank;
  out->map = st_write_copy_map(w, n->out[0].map, rank);
  out->map[rank] = st_affine_dim(w->a, p->k);
  StType *t = &dot->result[0]->type;
  *t = (StType){.dtype = ST_I32,
                .rank = rank + 1,
                .shape = ST_NEW_N(w->a, StSym, rank + 2)};
  memcpy(t->shape, to->type.shape, (size_t)rank * sizeof *t->shape);
  t->shape[rank] = dim[p->k].extent;
  return dot->result[0];
}

/* dot * scale + sum * min of `sum`'s operands. */
static int write_group(StWriter *w, StOp *sum, bool mins) {
  int e =
      st_write_expr(w, sum, ST_X_SITOFP, ST_F32, st_write_arg(w, sum, 0), -1);
  int s = st_write_expr(w, sum, ST_X_EXTF, ST_F32, st_write_arg(w, sum, 1), -1);
  e = st_write_expr(w, sum, ST_X_MULF, ST_F32, e, s);
  if (!mins)
    return e;
  s = st_write_expr(w, sum, ST_X_EXTF, ST_F32, st_write_arg(w, sum, 3), -1);
  s = st_write_expr(w, sum, ST_X_MULF, ST_F32, st_write_arg(w, sum, 4), s);
  return st_write_expr(w, sum, ST_X_ADDF, ST_F32, e, s);
}

/* The product itself becomes the sum over groups. */
static void sum_groups(StQuantWriter *q, StOp *op, const StProduct *p,
                       const StQuantForm *f, const StQuantRows *x,
                       StValue *dot) {
  StWriter *w = &q->w;
  const StNest old = op->u.nest;
  StDim *dim = ST_NEW_N(w->a, StDim, old.ndims);
  memcpy(dim, old.dim, (size_t)old.ndims * sizeof *dim);
  dim[p->k].extent = st_sym_const(dim[p->k].extent.c / f->group);
  StValue *operand[] = {dot, f->scales, x->scale, f->minima,
                        f->minima ? sum_of_rows(q, op, x) : NULL};
  StOp *sum =
      st_write_generic(w, op, f->minima ? 5 : 3, operand, old.ndims, dim);
  StNest *n = &sum->u.nest;
  int rank = dot->type.rank;
  n->in[0].map = st_write_copy_map(w, dot->def->u.nest.out[0].map, rank);
  n->in[1].map = st_quant_factor_map(w, f, p->walk, -1);
  n->in[2].map = st_write_split_map(
      w, old.in[p->x].map, op->operand[p->x]->type.rank, p->x_axis, p->k, -1);
  if (f->minima) {
    n->in[3].map = n->in[1].map;
    n->in[4].map = n->in[2].map;
  }
  n->out[0].yield =
      st_write_expr(w, sum, ST_X_MULF, ST_F32, write_group(w, sum, f->minima),
                    st_write_arg(w, sum, 2));
  n->out[0].combine = ST_X_ADDF;
  n->out[0].map = st_write_copy_map(w, old.out[0].map, rank - 1);
  st_write_give(sum, op->result[0]);
}

void st_quant_product(StQuantWriter *q, StOp *op, const StProduct *p,
                      const StQuantForm *f) {
  StQuantRows x = st_quant_rows(q, op, op->operand[p->x], p->x_axis, f->group);
  sum_groups(q, op, p, f, &x, add_dot(&q->w, op, p, f, &x));
}
