/* factor-dims: ops over the leaves of their dims. */
#include "pass/factor.h"

#include <string.h>

typedef struct { /* an op's iteration dims after the split */
  int n;
  StFactorList *leaf; /* [old dim] */
  int *base;          /* [old dim] number of the first new dim */
} DimMap;

static const char crossed[] = "an offset that crosses a split";

static StFactorList leaves_of(StFactor *f, int node) {
  StFactorList v = {0};
  st_factor_leaves(f, node, &v);
  return v;
}

static StSym extent_at(StFactor *f, const StFactorList *leaf, int i) {
  return f->node.at[leaf->at[i]].extent;
}

static bool is_one(StSym s) { return st_sym_eq(s, st_sym_const(1)); }

static DimMap map_dims(StFactor *f, int ndims, const int *node) {
  DimMap d = {.leaf = ST_NEW_N(f->scratch, StFactorList, ndims + 1),
              .base = ST_NEW_N(f->scratch, int, ndims + 1)};
  for (int i = 0; i < ndims; i++) {
    d.base[i] = d.n;
    d.leaf[i] = leaves_of(f, node[i]);
    d.n += d.leaf[i].n;
  }
  return d;
}

/* Room for a map of v over its leaves. */
static StAffine *new_map(StFactor *f, const StValue *v) {
  int total = 0;
  for (int i = 0; i < v->type.rank; i++)
    total += leaves_of(f, f->value_dim[v->id][i]).n;
  return ST_NEW_N(f->m->arena, StAffine, total + 1);
}

/* ---- accesses -------------------------------------------------------------- */

/* The accesses `dim + off` (dim -1: constant) of one old tensor dim, as
 * accesses of its leaves; false if the offset does not fit the split. */
static bool split_access(StFactor *f, const DimMap *dims, int dim, StSym off,
                         const StFactorList *data, StAffine *out) {
  StArena *a = f->m->arena;
  StFactorList none = {0};
  const StFactorList *it = dim >= 0 ? &dims->leaf[dim] : &none;
  int i = it->n, j = data->n;
  int64_t inner = 1;
  while (i > 0 && j > 0 && it->at[i - 1] == data->at[j - 1]) {
    StSym e = extent_at(f, data, j - 1);
    i--, j--;
    out[j] = st_affine_dim(a, dims->base[dim] + i);
    inner = st_sym_is_const(e) && inner > 0 ? inner * e.c : 0;
  }
  StSym rest = st_sym_const(0);
  if (inner == 0 ? !st_sym_eq(off, rest)
                 : !st_factor_divide(off, st_sym_const(inner), &rest))
    return false;
  if (i == 1 && j >= 1) { /* one outer factor with an offset */
    out[j - 1] = st_affine_dim(a, dims->base[dim]);
    j--;
    StSym e = extent_at(f, data, j), q = rest;
    if (j > 0 && st_sym_is_const(rest) && st_sym_is_const(e)) {
      q = st_sym_const(rest.c % e.c);
      rest = st_sym_const(rest.c / e.c);
      if (q.c + extent_at(f, it, 0).c > e.c)
        return false;
    } else {
      rest = st_sym_const(0);
    }
    out[j].off = q;
  } else if (i > 0) {
    return false;
  }
  while (j > 1) { /* digits of the constant that is left */
    StSym e = extent_at(f, data, --j);
    if (!st_sym_is_const(rest) || !st_sym_is_const(e))
      return false;
    out[j] = st_affine_const(st_sym_const(rest.c % e.c));
    rest = st_sym_const(rest.c / e.c);
  }
  if (j == 1)
    out[0] = st_affine_const(rest);
  return true;
}

/* The map of one operand or result over the new dims; NULL: does not fit. */
static StAffine *rewrite_map(StFactor *f, const StOp *op, int port,
                             const DimMap *dims, const StValue *v,
                             const StAffine *map) {
  StAffine *out = new_map(f, v);
  for (int i = 0, at = 0; i < v->type.rank; i++) {
    StFactorList data = leaves_of(f, f->value_dim[v->id][i]);
    if (!split_access(f, dims, st_affine_single(&map[i]), map[i].off, &data,
                      out + at)) {
      st_factor_fail(f, op, port, crossed);
      return NULL;
    }
    at += data.n;
  }
  return out;
}

/* A guard's dim is not split. */
static bool rewrite_guard(StFactor *f, const StOp *op, const DimMap *dims,
                          StGuard *g) {
  if (g->dim < 0)
    return true;
  if (dims->leaf[g->dim].n != 1)
    return st_factor_fail(f, op, ST_FACTOR_ALL, "a guarded dim that is split");
  g->dim = dims->base[g->dim];
  return true;
}

/* ---- bodies ------------------------------------------------------------------ */

/* An affine expression of old dims, over the new ones. */
static bool rewrite_affine(StFactor *f, const StOp *op, const DimMap *dims,
                           StAffine *e) {
  StArena *a = f->m->arena;
  StAffine out = st_affine_const(e->off);
  for (int k = 0; k < e->n; k++) {
    const StFactorList *leaf = &dims->leaf[e->term[k].dim];
    int64_t stride = e->term[k].coef;
    for (int i = leaf->n; i-- > 0;) {
      StAffine d = st_affine_dim(a, dims->base[e->term[k].dim] + i);
      StSym ext = extent_at(f, leaf, i);
      out = st_affine_add(a, out, st_affine_scale(a, d, stride));
      if (i > 0 && !st_sym_is_const(ext))
        return st_factor_fail(f, op, ST_FACTOR_ALL,
                              "an index of a dim that is split inside P or T");
      stride *= ext.c;
    }
  }
  *e = out;
  return true;
}

/* Indices of EXTRACT, one a new tensor dim. */
static bool rewrite_extract(StFactor *f, const StOp *op, const DimMap *dims,
                            StBody *out, const int *moved, StExpr *e) {
  const StValue *v = op->operand[e->operand];
  const StBody *old = &op->u.nest.body;
  StFactorList idx = {0};
  for (int i = 0; i < v->type.rank; i++) {
    StFactorList data = leaves_of(f, f->value_dim[v->id][i]);
    const StExpr *x = &old->at[e->indices[i]];
    int d = x->kind == ST_X_INDEX ? st_affine_single(&x->affine) : -1;
    if (d == -1) {
      if (data.n > 1)
        return st_factor_fail(f, op, e->operand,
                              "a data-dependent index of a dim that is split");
      if (data.n == 1)
        st_vec_push(f->m->arena, &idx, moved[e->indices[i]]);
      continue;
    }
    StAffine *at = ST_NEW_N(f->m->arena, StAffine, data.n + 1);
    if (!split_access(f, dims, d, x->affine.off, &data, at))
      return st_factor_fail(f, op, e->operand, crossed);
    for (int k = 0; k < data.n; k++) {
      StExpr n = {.kind = ST_X_INDEX, .dtype = ST_I64, .arg = {-1, -1, -1},
                  .affine = at[k]};
      st_vec_push(f->m->arena, &idx, st_expr_push(f->m, out, n));
    }
  }
  e->nindices = idx.n;
  e->indices = idx.at;
  return true;
}

static bool rewrite_body(StFactor *f, const StOp *op, const DimMap *dims,
                         StNest *to) {
  const StBody *old = &op->u.nest.body;
  int *moved = ST_NEW_N(f->scratch, int, old->n + 1);
  to->body = (StBody){0};
  for (int x = 0; x < old->n; x++) {
    StExpr e = old->at[x];
    for (int k = 0; k < 3; k++)
      e.arg[k] = e.arg[k] >= 0 ? moved[e.arg[k]] : -1;
    if (e.kind == ST_X_INDEX && !rewrite_affine(f, op, dims, &e.affine))
      return false;
    if (e.kind == ST_X_EXTRACT &&
        !rewrite_extract(f, op, dims, &to->body, moved, &e))
      return false;
    moved[x] = st_expr_push(f->m, &to->body, e);
  }
  for (int k = 0; k < op->nresults; k++)
    to->out[k].yield = moved[op->u.nest.out[k].yield];
  return true;
}

/* ---- generics ------------------------------------------------------------------ */

static StDim *split_dims(StFactor *f, const StOp *op, const DimMap *dims) {
  const StNest *n = &op->u.nest;
  StDim *dim = ST_NEW_N(f->m->arena, StDim, dims->n + 1);
  for (int i = 0; i < n->ndims; i++)
    for (int k = 0; k < dims->leaf[i].n; k++)
      dim[dims->base[i] + k] =
          (StDim){.extent = extent_at(f, &dims->leaf[i], k),
                  .reduction = n->dim[i].reduction,
                  .name = n->dim[i].name};
  return dim;
}

/* A reduction over one position is none. */
static void drop_combine(const StOp *op, StNest *n) {
  for (int k = 0; k < op->nresults && !st_nest_reduces(n); k++)
    n->out[k].combine = ST_X_ARG;
}

static bool rewrite_nest(StFactor *f, StOp *op, bool commit) {
  StArena *a = f->m->arena;
  const StNest *n = &op->u.nest;
  DimMap dims = map_dims(f, n->ndims, f->op_dim[op->id]);
  StNest to = *n;
  to.ndims = dims.n;
  to.dim = split_dims(f, op, &dims);
  to.in = ST_NEW_N(a, StInput, op->noperands + 1);
  to.out = ST_NEW_N(a, StOutput, op->nresults + 1);
  for (int k = 0; k < op->noperands; k++) {
    to.in[k] = n->in[k];
    if (n->in[k].map)
      to.in[k].map = rewrite_map(f, op, k, &dims, op->operand[k],
                                 n->in[k].map);
    if (!rewrite_guard(f, op, &dims, &to.in[k].guard) ||
        (n->in[k].map && !to.in[k].map))
      return false;
  }
  for (int k = 0; k < op->nresults; k++) {
    to.out[k] = n->out[k];
    to.out[k].map = rewrite_map(f, op, -1 - k, &dims, op->result[k],
                                n->out[k].map);
    if (!to.out[k].map || !rewrite_guard(f, op, &dims, &to.out[k].guard))
      return false;
  }
  if (!rewrite_body(f, op, &dims, &to))
    return false;
  drop_combine(op, &to);
  if (commit)
    op->u.nest = to;
  return true;
}

/* Dims of a new parallel nest over the leaves of a value. */
static DimMap start_nest(StFactor *f, const StOp *op, const StValue *v,
                         StNest *n) {
  DimMap dims = map_dims(f, v->type.rank, f->value_dim[v->id]);
  StArena *a = f->m->arena;
  *n = (StNest){.ndims = dims.n};
  n->dim = ST_NEW_N(a, StDim, dims.n + 1);
  n->in = ST_NEW_N(a, StInput, op->noperands + 1);
  n->out = ST_NEW_N(a, StOutput, 1);
  n->out[0].combine = ST_X_ARG;
  n->out[0].guard.dim = -1;
  n->out[0].map = ST_NEW_N(a, StAffine, dims.n + 1);
  for (int i = 0; i < v->type.rank; i++)
    for (int k = 0; k < dims.leaf[i].n; k++) {
      int d = dims.base[i] + k;
      n->dim[d].extent = extent_at(f, &dims.leaf[i], k);
      n->out[0].map[d] = st_affine_dim(a, d);
    }
  return dims;
}

static StExpr argument(const StOp *op, int k) {
  return (StExpr){.kind = ST_X_ARG, .dtype = op->operand[k]->type.dtype,
                  .arg = {-1, -1, -1}, .operand = k};
}

static void become(StOp *op, const StNest *to) {
  op->kind = ST_OP_GENERIC;
  op->u.nest = *to;
}

/* ---- slices and concatenations --------------------------------------------------- */

/* slice -> identity generic whose map has offsets. */
static bool rewrite_slice(StFactor *f, StOp *op, bool commit) {
  const StSlice *s = &op->u.slice;
  const StValue *in = op->operand[0], *v = op->result[0];
  StNest to;
  DimMap dims = start_nest(f, op, v, &to);
  StAffine *map = new_map(f, in);
  for (int i = 0, at = 0; i < in->type.rank; i++) {
    StFactorList data = leaves_of(f, f->value_dim[in->id][i]);
    int n = data.n;
    StSym off = s->offset[i];
    if (s->stride[i] != 1 && !is_one(v->type.shape[i])) {
      StSym e = extent_at(f, &data, --data.n);
      if (!st_sym_eq(e, st_sym_const(s->stride[i])))
        return st_factor_fail(f, op, 0, "a stride that crosses a split");
      map[at + data.n] = st_affine_const(st_sym_const(off.c % e.c));
      off = st_sym_const(off.c / e.c);
    }
    if (!split_access(f, &dims, i, off, &data, map + at))
      return st_factor_fail(f, op, 0, "a slice that crosses a split");
    at += n;
  }
  to.in[0] = (StInput){.map = map, .guard = {.dim = -1}};
  to.out[0].yield = st_expr_push(f->m, &to.body, argument(op, 0));
  if (commit)
    become(op, &to);
  return true;
}

typedef struct { /* one operand's dim that is the axis, beside the result's */
  const StFactorList *it, *data;
  int base, tail; /* number of the first new dim; leaves that are equal */
  int64_t inner;  /* their product */
  StSym off, extent;
} Axis;

/* Its outermost leaf tells the operands apart. */
static bool guard_axis(StFactor *f, const Axis *x, StInput *in,
                       StAffine *map) {
  StSym lo = x->off, n = x->extent;
  if (x->it->n - x->tail != 1 || x->data->n - x->tail > 1 ||
      (x->inner != 1 &&
       (!st_factor_divide(x->off, st_sym_const(x->inner), &lo) ||
        !st_factor_divide(x->extent, st_sym_const(x->inner), &n))))
    return false;
  in->guard = (StGuard){x->base, lo, st_sym_add(lo, n)};
  if (x->data->n > x->tail) {
    map[0] = st_affine_dim(f->m->arena, x->base);
    map[0].off = st_sym_scale(lo, -1);
  }
  return true;
}

/* The guard of operand k of a concat: the leaf of the axis that tells the
 * operands apart, and the range of operand k. */
static bool concat_operand(StFactor *f, const StOp *op, const DimMap *dims,
                           int k, StSym off, StInput *in) {
  const StValue *v = op->operand[k];
  in->map = new_map(f, v);
  for (int i = 0, at = 0; i < v->type.rank; i++) {
    StFactorList data = leaves_of(f, f->value_dim[v->id][i]);
    bool axis = i == op->u.axis;
    Axis x = {.it = &dims->leaf[i], .data = &data, .base = dims->base[i],
              .inner = 1, .off = off, .extent = v->type.shape[i]};
    while (x.tail < data.n && x.tail < x.it->n &&
           x.it->at[x.it->n - 1 - x.tail] == data.at[data.n - 1 - x.tail] &&
           (!axis || x.tail + 1 < x.it->n)) {
      x.tail++;
      in->map[at + data.n - x.tail] =
          st_affine_dim(f->m->arena, x.base + x.it->n - x.tail);
      x.inner *= extent_at(f, &data, data.n - x.tail).c;
    }
    if (axis ? !guard_axis(f, &x, in, in->map + at) : x.tail != data.n)
      return st_factor_fail(f, op, k, "a concatenation that crosses a split");
    at += data.n;
  }
  return true;
}

/* body: the operand in whose range the axis' index lies. */
static void concat_body(StFactor *f, const StOp *op, StNest *n) {
  StArena *a = f->m->arena;
  StExpr idx = {.kind = ST_X_INDEX, .dtype = ST_I64, .arg = {-1, -1, -1},
                .affine = st_affine_dim(a, n->in[0].guard.dim)};
  int value = -1, index = -1;
  for (int k = op->noperands; k-- > 0;) {
    int arg = st_expr_push(f->m, &n->body, argument(op, k));
    if (value < 0) {
      value = arg;
      index = st_expr_push(f->m, &n->body, idx);
      continue;
    }
    StExpr hi = {.kind = ST_X_INDEX, .dtype = ST_I64, .arg = {-1, -1, -1},
                 .affine = st_affine_const(n->in[k].guard.hi)};
    int bound = st_expr_push(f->m, &n->body, hi);
    StExpr cmp = {.kind = ST_X_CMPI, .dtype = ST_I1,
                  .arg = {index, bound, -1}, .pred = ST_P_SLT};
    int below = st_expr_push(f->m, &n->body, cmp);
    StExpr sel = {.kind = ST_X_SELECT, .dtype = op->result[0]->type.dtype,
                  .arg = {below, arg, value}};
    value = st_expr_push(f->m, &n->body, sel);
  }
  n->out[0].yield = value;
}

static bool rewrite_concat(StFactor *f, StOp *op, bool commit) {
  StNest to;
  DimMap dims = start_nest(f, op, op->result[0], &to);
  StSym off = st_sym_const(0);
  for (int k = 0; k < op->noperands; k++) {
    if (!concat_operand(f, op, &dims, k, off, &to.in[k]))
      return false;
    off = st_sym_add(off, op->operand[k]->type.shape[op->u.axis]);
  }
  concat_body(f, op, &to);
  if (commit)
    become(op, &to);
  return true;
}

bool st_factor_rewrite(StFactor *f, StOp *op, bool commit) {
  if (op->kind == ST_OP_GENERIC)
    return rewrite_nest(f, op, commit);
  if (op->kind == ST_OP_SLICE)
    return rewrite_slice(f, op, commit);
  if (op->kind == ST_OP_CONCAT)
    return rewrite_concat(f, op, commit);
  return true;
}
