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
 * The weight's argument becomes its codes; the scales are a new argument. Rows
 * of a table that is a weight as well (a tied embedding) are looked up as code
 * * scale. What x was quantised to is shared by all products of x. */
#include "pass/quantize.h"

#include <string.h>

#include "base/num.h"

typedef struct {
  StValue *x; /* of which this is the quantised form */
  int axis;
  int64_t group;
  StValue *q, *scale;
} Activation;

typedef struct {
  StQuantFind find;
  StModule *m;
  StArena *a;
  StQuantised *made; /* what the driver has to compute; may be NULL */
  ST_VEC(StOp *) out;
  ST_VEC(Activation) done;
} Quantize;

/* ---- building
 * ------------------------------------------------------------------ */

static StOp *add_op(Quantize *q, StOpKind kind, const StOp *like, int n,
                    StValue *const *operands) {
  StOp *op = st_op_new(q->m, kind, like->loc, n, operands, 1);
  op->name = like->name;
  st_vec_push(q->a, &q->out, op);
  return op;
}

/* A generic over dims of these extents; maps are still to be set. */
static StOp *add_generic(Quantize *q, const StOp *like, int n,
                         StValue *const *operands, int ndims,
                         const StDim *dim) {
  StOp *op = add_op(q, ST_OP_GENERIC, like, n, operands);
  StNest *nest = &op->u.nest;
  nest->ndims = ndims;
  nest->dim = ST_NEW_N(q->a, StDim, ndims + 1);
  memcpy(nest->dim, dim, (size_t)ndims * sizeof *dim);
  nest->in = ST_NEW_N(q->a, StInput, n + 1);
  nest->out = ST_NEW_N(q->a, StOutput, 1);
  for (int k = 0; k < n; k++)
    nest->in[k].guard.dim = -1;
  nest->out[0] = (StOutput){.combine = ST_X_ARG, .guard = {.dim = -1}};
  return op;
}

static int push_arg(Quantize *q, StOp *op, int k) {
  StExpr e = {.kind = ST_X_ARG,
              .dtype = op->operand[k]->type.dtype,
              .arg = {-1, -1, -1},
              .operand = k};
  return st_expr_push(q->m, &op->u.nest.body, e);
}

static int push_op(Quantize *q, StOp *op, StScalarKind kind, StDtype type,
                   int x, int y) {
  StExpr e = {.kind = kind, .dtype = type, .arg = {x, y, -1}};
  return st_expr_push(q->m, &op->u.nest.body, e);
}

static int push_float(Quantize *q, StOp *op, float f) {
  StExpr e = {.kind = ST_X_CONST, .dtype = ST_F32, .arg = {-1, -1, -1}};
  memcpy(&e.bits, &f, sizeof f);
  return st_expr_push(q->m, &op->u.nest.body, e);
}

/* `rank` accesses; [at] becomes the dims d and, if `inner` >= 0, inner. */
static StAffine *split_map(Quantize *q, const StAffine *map, int rank, int at,
                           int d, int inner) {
  StAffine *r = ST_NEW_N(q->a, StAffine, rank + 2);
  int n = 0;
  for (int i = 0; i < rank; i++) {
    r[n++] = i == at ? st_affine_dim(q->a, d) : map[i];
    if (i == at && inner >= 0)
      r[n++] = st_affine_dim(q->a, inner);
  }
  return r;
}

/* With room for one more. */
static StAffine *copy_map(Quantize *q, const StAffine *map, int rank) {
  StAffine *r = ST_NEW_N(q->a, StAffine, rank + 1);
  memcpy(r, map, (size_t)rank * sizeof *r);
  return r;
}

/* dims 0 .. n - 1; without one of them if skip >= 0. */
static StAffine *natural_map(Quantize *q, int n, int skip) {
  StAffine *r = ST_NEW_N(q->a, StAffine, n + 1);
  int count = 0;
  for (int i = 0; i < n; i++)
    if (i != skip)
      r[count++] = st_affine_dim(q->a, i);
  return r;
}

/* The shape with [axis] as extent / group and, if `both`, group. */
static StType split_type(Quantize *q, const StType *t, StDtype dtype, int axis,
                         int64_t group, bool both) {
  StType r = {.dtype = dtype, .shape = ST_NEW_N(q->a, StSym, t->rank + 2)};
  for (int i = 0; i < t->rank; i++) {
    r.shape[r.rank++] =
        i == axis ? st_sym_const(t->shape[i].c / group) : t->shape[i];
    if (i == axis && both)
      r.shape[r.rank++] = st_sym_const(group);
  }
  return r;
}

/* ---- activations
 * ----------------------------------------------------------------- */

static StDim *dims_of(Quantize *q, const StType *t) {
  StDim *dim = ST_NEW_N(q->a, StDim, t->rank + 2);
  for (int i = 0; i < t->rank; i++)
    dim[i].extent = t->shape[i];
  return dim;
}

/* Largest magnitude of each group of x (split). */
static StValue *add_largest(Quantize *q, const StOp *like, StValue *x, int axis,
                            const StType *type) {
  StDim *dim = dims_of(q, &x->type);
  dim[axis + 1].reduction = true;
  StOp *op = add_generic(q, like, 1, &x, x->type.rank, dim);
  op->u.nest.in[0].map = natural_map(q, x->type.rank, -1);
  op->u.nest.out[0].yield =
      push_op(q, op, ST_X_ABSF, ST_F32, push_arg(q, op, 0), -1);
  op->u.nest.out[0].combine = ST_X_MAXIMUMF;
  op->u.nest.out[0].map = natural_map(q, x->type.rank, axis + 1);
  op->result[0]->type = *type;
  return op->result[0];
}

/* f * a, or f / max(a, tiny), for each group. */
static StValue *add_factor(Quantize *q, const StOp *like, StValue *a, float f,
                           bool inverse) {
  StOp *op = add_generic(q, like, 1, &a, a->type.rank, dims_of(q, &a->type));
  op->u.nest.in[0].map = natural_map(q, a->type.rank, -1);
  op->u.nest.out[0].map = natural_map(q, a->type.rank, -1);
  int x = push_arg(q, op, 0), c = push_float(q, op, f);
  if (inverse)
    x = push_op(q, op, ST_X_MAXNUMF, ST_F32, x, push_float(q, op, 0x1p-100F));
  op->u.nest.out[0].yield = push_op(q, op, inverse ? ST_X_DIVF : ST_X_MULF,
                                    ST_F32, inverse ? c : x, inverse ? x : c);
  op->result[0]->type = a->type;
  return op->result[0];
}

static StValue *add_codes(Quantize *q, const StOp *like, StValue *x,
                          StValue *inverse, int axis) {
  StValue *operand[] = {x, inverse};
  int rank = x->type.rank;
  StOp *op = add_generic(q, like, 2, operand, rank, dims_of(q, &x->type));
  op->u.nest.in[0].map = natural_map(q, rank, -1);
  op->u.nest.in[1].map = natural_map(q, rank, axis + 1);
  op->u.nest.out[0].map = natural_map(q, rank, -1);
  int p =
      push_op(q, op, ST_X_MULF, ST_F32, push_arg(q, op, 0), push_arg(q, op, 1));
  p = push_op(q, op, ST_X_ROUNDEVEN, ST_F32, p, -1);
  op->u.nest.out[0].yield = push_op(q, op, ST_X_FPTOSI, ST_I8, p, -1);
  op->result[0]->type = st_type_tensor(q->a, ST_I8, rank, x->type.shape);
  return op->result[0];
}

static Activation quantise_activation(Quantize *q, const StOp *like, StValue *x,
                                      int axis, int64_t group) {
  for (int i = 0; i < q->done.n; i++) {
    const Activation *d = &q->done.at[i];
    if (d->x == x && d->axis == axis && d->group == group)
      return *d;
  }
  StOp *view = add_op(q, ST_OP_VIEW, like, 1, &x);
  StValue *split = view->result[0];
  split->type = split_type(q, &x->type, ST_F32, axis, group, true);
  StType groups = split_type(q, &x->type, ST_F32, axis, group, false);
  float most = (float)((1 << (q->find.scheme.activation_bits - 1)) - 1);
  StValue *largest = add_largest(q, like, split, axis, &groups);
  StValue *inverse = add_factor(q, like, largest, most, true);
  Activation d = {x, axis, group, add_codes(q, like, split, inverse, axis),
                  add_factor(q, like, largest, 1 / most, false)};
  st_vec_push(q->a, &q->done, d);
  return d;
}

/* ---- products
 * --------------------------------------------------------------------- */

/* Accesses of a parameter's codes or scales: its dims but the axis, which comes
 * last as groups (dim k) and, if inner >= 0, their elements. */
static StAffine *param_map(Quantize *q, const StQuantParam *p, const int *walk,
                           int inner) {
  int rank = p->arg->result[0]->type.rank, n = 0;
  StAffine *map = ST_NEW_N(q->a, StAffine, rank + 2);
  for (int i = 0; i < rank; i++)
    if (i != p->axis && walk[i] >= 0)
      map[n++] = st_affine_dim(q->a, walk[i]);
    else if (i != p->axis)
      map[n++] = st_affine_const(st_sym_const(0));
  map[n++] = st_affine_dim(q->a, walk[p->axis]);
  if (inner >= 0)
    map[n] = st_affine_dim(q->a, inner);
  return map;
}

/* dot[.., j] over the dims of the product, k as groups, and one more for the
 * elements of a group. */
static StValue *add_dot(Quantize *q, const StOp *op, const StProduct *p,
                        const StQuantParam *w, const Activation *x) {
  const StNest *n = &op->u.nest;
  StDim *dim = ST_NEW_N(q->a, StDim, n->ndims + 1);
  memcpy(dim, n->dim, (size_t)n->ndims * sizeof *dim);
  dim[p->k] = (StDim){.extent = st_sym_const(dim[p->k].extent.c / w->group)};
  dim[n->ndims] = (StDim){.extent = st_sym_const(w->group), .reduction = true};
  StValue *operand[] = {x->q, w->codes};
  StOp *dot = add_generic(q, op, 2, operand, n->ndims + 1, dim);
  const StValue *from = op->operand[p->x], *to = op->result[0];
  dot->u.nest.in[0].map =
      split_map(q, n->in[p->x].map, from->type.rank, p->x_axis, p->k, n->ndims);
  dot->u.nest.in[1].map = param_map(q, w, p->walk, n->ndims);
  int a = push_op(q, dot, ST_X_EXTSI, ST_I32, push_arg(q, dot, 0), -1);
  int b = push_op(q, dot, ST_X_EXTSI, ST_I32, push_arg(q, dot, 1), -1);
  StOutput *out = &dot->u.nest.out[0];
  out->yield = push_op(q, dot, ST_X_MULI, ST_I32, a, b);
  out->combine = ST_X_ADDI;
  int rank = to->type.rank;
  out->map = copy_map(q, n->out[0].map, rank);
  out->map[rank] = st_affine_dim(q->a, p->k);
  StType *t = &dot->result[0]->type;
  *t = (StType){.dtype = ST_I32,
                .rank = rank + 1,
                .shape = ST_NEW_N(q->a, StSym, rank + 2)};
  memcpy(t->shape, to->type.shape, (size_t)rank * sizeof *t->shape);
  t->shape[rank] = dim[p->k].extent;
  return dot->result[0];
}

/* The product itself becomes the sum over groups. */
static void sum_groups(Quantize *q, StOp *op, const StProduct *p,
                       const StQuantParam *w, const Activation *x,
                       StValue *dot) {
  const StNest old = op->u.nest;
  StDim *dim = ST_NEW_N(q->a, StDim, old.ndims);
  memcpy(dim, old.dim, (size_t)old.ndims * sizeof *dim);
  dim[p->k].extent = st_sym_const(dim[p->k].extent.c / w->group);
  StValue *operand[] = {dot, w->scales, x->scale};
  StOp *sum = add_generic(q, op, 3, operand, old.ndims, dim);
  StNest *n = &sum->u.nest;
  int rank = dot->type.rank;
  n->in[0].map = copy_map(q, dot->def->u.nest.out[0].map, rank);
  n->in[1].map = param_map(q, w, p->walk, -1);
  n->in[2].map = split_map(q, old.in[p->x].map, op->operand[p->x]->type.rank,
                           p->x_axis, p->k, -1);
  int e = push_op(q, sum, ST_X_SITOFP, ST_F32, push_arg(q, sum, 0), -1);
  int s = push_op(q, sum, ST_X_EXTF, ST_F32, push_arg(q, sum, 1), -1);
  e = push_op(q, sum, ST_X_MULF, ST_F32, e, s);
  n->out[0].yield = push_op(q, sum, ST_X_MULF, ST_F32, e, push_arg(q, sum, 2));
  n->out[0].combine = ST_X_ADDF;
  n->out[0].map = copy_map(q, old.out[0].map, rank - 1);
  /* users keep their operand: the result moves to the new op */
  sum->result[0] = op->result[0];
  sum->result[0]->def = sum;
}

static void rewrite_product(Quantize *q, StOp *op, const StProduct *p,
                            const StQuantParam *w) {
  Activation x =
      quantise_activation(q, op, op->operand[p->x], p->x_axis, w->group);
  sum_groups(q, op, p, w, &x, add_dot(q, op, p, w, &x));
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
  e.indices = ST_NEW_N(q->a, int, n + 1);
  memcpy(e.indices, indices, (size_t)n * sizeof *indices);
  return st_expr_push(q->m, &op->u.nest.body, e);
}

static int push_index(Quantize *q, StOp *op, int d) {
  StExpr e = {.kind = ST_X_INDEX,
              .dtype = ST_I64,
              .arg = {-1, -1, -1},
              .affine = st_affine_dim(q->a, d)};
  return st_expr_push(q->m, &op->u.nest.body, e);
}

/* code * scale in place of the extract `old`; its number in the new body. */
static int push_lookup(Quantize *q, StOp *op, const StExpr *old,
                       const int *moved, int d, int inner) {
  int n = old->nindices, scales = op->noperands - 1;
  int *at = ST_NEW_N(q->a, int, n + 1);
  for (int i = 0; i + 1 < n; i++)
    at[i] = moved[old->indices[i]];
  at[n - 1] = push_index(q, op, d);
  at[n] = push_index(q, op, inner);
  StDtype type = op->operand[old->operand]->type.dtype;
  int code = push_extract(q, op, type, old->operand, at, n + 1);
  int scale = push_extract(q, op, ST_F16, scales, at, n);
  code = push_op(q, op, ST_X_SITOFP, ST_F32, code, -1);
  scale = push_op(q, op, ST_X_EXTF, ST_F32, scale, -1);
  return push_op(q, op, ST_X_MULF, ST_F32, code, scale);
}

static void copy_body(Quantize *q, StOp *op, const StNest *old,
                      const StLookup *l, int inner) {
  int *moved = ST_NEW_N(q->a, int, old->body.n + 1);
  for (int i = 0; i < old->body.n; i++) {
    StExpr e = old->body.at[i];
    if (i == l->expr) {
      moved[i] = push_lookup(q, op, &e, moved, l->d, inner);
      continue;
    }
    for (int a = 0; a < 3; a++)
      e.arg[a] = e.arg[a] < 0 ? -1 : moved[e.arg[a]];
    int *indices = ST_NEW_N(q->a, int, e.nindices + 1);
    for (int a = 0; a < e.nindices; a++)
      indices[a] = moved[e.indices[a]];
    e.indices = indices;
    moved[i] = st_expr_push(q->m, &op->u.nest.body, e);
  }
  op->u.nest.out[0].yield = moved[old->out[0].yield];
}

/* The op over dim d as groups and elements; a view gives its shape back. */
static void rewrite_lookup(Quantize *q, StOp *op, const StLookup *l,
                           const StQuantParam *w) {
  const StNest *old = &op->u.nest;
  int n = op->noperands, inner = old->ndims,
      table = old->body.at[l->expr].operand;
  StValue **operand = ST_NEW_N(q->a, StValue *, n + 1);
  memcpy(operand, op->operand, (size_t)n * sizeof *operand);
  operand[table] = w->codes;
  operand[n] = w->scales;
  StDim *dim = ST_NEW_N(q->a, StDim, inner + 1);
  memcpy(dim, old->dim, (size_t)inner * sizeof *dim);
  dim[l->d].extent = st_sym_const(dim[l->d].extent.c / w->group);
  dim[inner] = (StDim){.extent = st_sym_const(w->group)};
  StOp *rows = add_generic(q, op, n + 1, operand, inner + 1, dim);
  memcpy(rows->u.nest.in, old->in, (size_t)n * sizeof *old->in);
  copy_body(q, rows, old, l, inner);
  const StType *t = &op->result[0]->type;
  int axis = 0;
  while (st_affine_single(&old->out[0].map[axis]) != l->d)
    axis++;
  rows->u.nest.out[0].map =
      split_map(q, old->out[0].map, t->rank, axis, l->d, inner);
  rows->result[0]->type = split_type(q, t, t->dtype, axis, w->group, true);
  StOp *view = add_op(q, ST_OP_VIEW, op, 1, rows->result);
  view->result[0] = op->result[0];
  view->result[0]->def = view;
}

/* ---- parameters
 * ------------------------------------------------------------------- */

/* Shape of the codes: the axis last, as groups and elements. */
static StType codes_type(Quantize *q, const StQuantParam *p, StDtype dtype,
                         bool elements) {
  const StType *t = &p->arg->result[0]->type;
  StType r = {.dtype = dtype, .shape = ST_NEW_N(q->a, StSym, t->rank + 2)};
  for (int i = 0; i < t->rank; i++)
    if (i != p->axis)
      r.shape[r.rank++] = t->shape[i];
  r.shape[r.rank++] = st_sym_const(t->shape[p->axis].c / p->group);
  if (elements)
    r.shape[r.rank++] = st_sym_const(p->group);
  return r;
}

static StValue *add_param(Quantize *q, const StOp *like, int arg,
                          const StType *type, const char *name) {
  q->m->arg.at[arg] = (StPort){.name = name,
                               .role = ST_ROLE_PARAM,
                               .dtype = type->dtype,
                               .rank = type->rank,
                               .shape = type->shape,
                               .cache = -1,
                               .axis = -1};
  StOp *op = add_op(q, ST_OP_ARG, like, 0, NULL);
  op->name = name;
  op->u.index = (StIndexList){1, ST_NEW(q->a, int)};
  op->u.index.index[0] = arg;
  op->result[0]->name = name;
  op->result[0]->type = *type;
  return op->result[0];
}

static void replace_param(Quantize *q, int arg, StQuantParam *p) {
  const char *name = q->m->arg.at[arg].name;
  const StType *t = &p->arg->result[0]->type;
  StType codes =
      codes_type(q, p, q->find.scheme.weight_bits == 4 ? ST_I4 : ST_I8, true);
  StType scales = codes_type(q, p, ST_F16, false);
  StPort none = {0};
  st_vec_push(q->a, &q->m->arg, none);
  int second = q->m->arg.n - 1;
  p->codes = add_param(q, p->arg, arg, &codes,
                       st_arena_printf(q->a, "%s.codes", name));
  p->scales = add_param(q, p->arg, second, &scales,
                        st_arena_printf(q->a, "%s.scales", name));
  if (!q->made)
    return;
  int64_t *shape = ST_NEW_N(q->a, int64_t, t->rank);
  for (int i = 0; i < t->rank; i++)
    shape[i] = t->shape[i].c;
  StQuantTensor made = {
      .source = arg,
      .codes = arg,
      .scales = second,
      .grid = {t->rank, shape, p->axis, p->group, q->find.scheme.weight_bits}};
  st_vec_push(q->a, q->made, made);
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
    st_vec_push(q->a, &q->out, op);
}

bool st_pass_quantize(StModule *m, const StPassContext *ctx) {
  if (!ctx->scheme.weight_bits)
    return true;
  Quantize q = {
      .find = {.m = m, .scheme = ctx->scheme, .scratch = st_arena_new()},
      .m = m,
      .a = m->arena,
      .made = ctx->quantised};
  st_quant_find(&q.find);
  int n = m->op.n;
  for (int i = 0; i < n; i++)
    rewrite(&q, m->op.at[i]);
  m->op.n = 0;
  for (int i = 0; i < q.out.n; i++)
    st_vec_push(m->arena, &m->op, q.out.at[i]);
  st_module_renumber(m);
  st_arena_free(q.find.scratch);
  return true;
}
