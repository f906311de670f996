/* factor-dims: no view survives.
 *
 * Every dim of every tensor and of every iteration space is a node. Dims that
 * an access identifies are unified; a view lines up the dims of its two sides
 * from the innermost outwards and splits a dim where the other side has a
 * boundary. A split belongs to the whole class, so that it reaches every op
 * that uses the dim. Afterwards each dim is the list of its leaves:
 *
 *   %1 = view %0 : tensor<Tx64> -> tensor<Tx8x8>        (gone)
 *   %2 = generic [t, n] (%0[t, n])            ->  [t, h, d] (%0[t, h, d])
 *
 * Slices become offsets in the map of an identity generic, concatenations a
 * generic with guarded operands; dims of extent 1 disappear. */
#include "pass/pass.h"

#include <string.h>

typedef struct {
  int parent;   /* union-find; itself: a root */
  StSym extent;
  bool split;   /* of a root: outer and inner hold the factors */
  int outer, inner;
} Node;

typedef ST_VEC(int) IntVec;

typedef struct {
  StModule *m;
  const StPassContext *ctx;
  StArena *scratch;
  ST_VEC(Node) node;
  int **value_dim; /* [value id][tensor dim] node */
  int **op_dim;    /* [op id][iteration dim] node */
  StValue **alias; /* [value id] replacement of a view's result */
} Factor;

/* ---- nodes ----------------------------------------------------------- */

static int new_node(Factor *f, StSym extent) {
  Node n = {.parent = f->node.n, .extent = extent};
  st_vec_push(f->scratch, &f->node, n);
  return f->node.n - 1;
}

static int root(Factor *f, int n) {
  while (f->node.at[n].parent != n) {
    f->node.at[n].parent = f->node.at[f->node.at[n].parent].parent;
    n = f->node.at[n].parent;
  }
  return n;
}

static bool is_one(StSym s) { return st_sym_eq(s, st_sym_const(1)); }

/* a / b where that is again an extent. */
static bool divide(StSym a, StSym b, StSym *q) {
  if (st_sym_is_const(b)) {
    if (b.c == 0 || a.c % b.c || a.p % b.c || a.t % b.c)
      return false;
    *q = (StSym){a.c / b.c, a.p / b.c, a.t / b.c};
    return true;
  }
  int64_t num = b.t ? a.t : a.p;
  int64_t den = b.t ? b.t : b.p;
  if (num % den || !st_sym_eq(st_sym_scale(b, num / den), a) || num == 0)
    return false;
  *q = st_sym_const(num / den);
  return true;
}

/* Split a root leaf into outer x inner. */
static void split(Factor *f, int n, StSym outer, StSym inner) {
  int o = new_node(f, outer), i = new_node(f, inner);
  Node *at = &f->node.at[n];
  at->split = true;
  at->outer = o;
  at->inner = i;
}

static void push_leaves(Factor *f, int n, IntVec *out) {
  n = root(f, n);
  Node at = f->node.at[n];
  if (!at.split) {
    if (!is_one(at.extent))
      st_vec_push(f->scratch, out, n);
    return;
  }
  push_leaves(f, at.outer, out);
  push_leaves(f, at.inner, out);
}

static int64_t gcd(int64_t a, int64_t b) {
  while (b) {
    int64_t r = a % b;
    a = b;
    b = r;
  }
  return a < 0 ? -a : a;
}

static bool refine(Factor *f, IntVec *a, IntVec *b);

static bool unify(Factor *f, int x, int y) {
  x = root(f, x);
  y = root(f, y);
  if (x == y)
    return true;
  if (!st_sym_eq(f->node.at[x].extent, f->node.at[y].extent))
    return false;
  if (f->node.at[x].split && f->node.at[y].split) {
    IntVec a = {0}, b = {0};
    push_leaves(f, x, &a);
    push_leaves(f, y, &b);
    if (!refine(f, &a, &b))
      return false;
    x = root(f, x);
    y = root(f, y);
    if (x == y)
      return true;
  }
  if (f->node.at[x].split)
    f->node.at[y].parent = x;
  else
    f->node.at[x].parent = y;
  return true;
}

/* Split leaf `n` so that its innermost factor is `inner`; the list's last
 * entry becomes the two factors. */
static bool split_last(Factor *f, IntVec *list, StSym inner) {
  int n = list->at[list->n - 1];
  StSym outer;
  if (!divide(f->node.at[n].extent, inner, &outer))
    return false;
  split(f, n, outer, inner);
  list->at[list->n - 1] = f->node.at[n].outer;
  st_vec_push(f->scratch, list, f->node.at[n].inner);
  return true;
}

/* The list with its tail replaced by present leaves (splits may have come). */
static void renew_last(Factor *f, IntVec *list) {
  if (list->n == 0)
    return;
  int n = list->at[--list->n];
  push_leaves(f, n, list);
}

/* Line up two lists of leaves of equal product from the innermost outwards. */
static bool refine(Factor *f, IntVec *a, IntVec *b) {
  for (;;) {
    renew_last(f, a);
    renew_last(f, b);
    if (a->n == 0 || b->n == 0)
      return a->n == b->n;
    int x = a->at[a->n - 1], y = b->at[b->n - 1];
    StSym ex = f->node.at[x].extent, ey = f->node.at[y].extent, q;
    if (x == y || st_sym_eq(ex, ey)) {
      if (!unify(f, x, y))
        return false;
      a->n--;
      b->n--;
    } else if (divide(ex, ey, &q)) {
      if (!split_last(f, a, ey))
        return false;
    } else if (divide(ey, ex, &q)) {
      if (!split_last(f, b, ex))
        return false;
    } else if (st_sym_is_const(ex) || st_sym_is_const(ey)) {
      int64_t gx = gcd(gcd(ex.c, ex.p), ex.t), gy = gcd(gcd(ey.c, ey.p), ey.t);
      int64_t g = gcd(gx, gy);
      if (g <= 1 || !split_last(f, a, st_sym_const(g)) ||
          !split_last(f, b, st_sym_const(g)))
        return false;
    } else {
      return false;
    }
  }
}

/* Make the innermost factor of n's class `inner` (a constant). */
static bool cut(Factor *f, int n, int64_t inner) {
  n = root(f, n);
  StSym e = f->node.at[n].extent;
  if (inner == 1 || (st_sym_is_const(e) && e.c == inner))
    return true;
  int probe = new_node(f, e);
  StSym outer;
  if (!divide(e, st_sym_const(inner), &outer))
    return false;
  split(f, probe, outer, st_sym_const(inner));
  return unify(f, n, probe);
}

/* ---- constraints ------------------------------------------------------ */

/* The leaves of `n` whose product is the constant g, innermost. */
static IntVec tail_leaves(Factor *f, int n, int64_t g) {
  IntVec all = {0}, tail = {0};
  push_leaves(f, n, &all);
  int first = all.n;
  for (; first > 0 && g > 1; first--)
    g /= f->node.at[all.at[first - 1]].extent.c;
  for (int i = first; i < all.n; i++)
    st_vec_push(f->scratch, &tail, all.at[i]);
  return tail;
}

/* `part` and `whole` share the factors inside g. */
static bool share_tail(Factor *f, int part, int whole, int64_t g) {
  if (g == 1)
    return true;
  if (!cut(f, part, g) || !cut(f, whole, g))
    return false;
  IntVec a = tail_leaves(f, part, g), b = tail_leaves(f, whole, g);
  return refine(f, &a, &b);
}

/* Dim `part` walks the elements offset.. of `whole`. */
static bool link_part(Factor *f, int part, int whole, StSym offset) {
  StSym n = f->node.at[root(f, part)].extent;
  StSym w = f->node.at[root(f, whole)].extent;
  if (st_sym_eq(n, w) && st_sym_eq(offset, st_sym_const(0)))
    return unify(f, part, whole);
  if (is_one(n) || !st_sym_is_const(n) || !st_sym_is_const(w) || !st_sym_is_const(offset))
    return true;
  return share_tail(f, part, whole, gcd(gcd(n.c, w.c), offset.c));
}

static bool fail(Factor *f, const StOp *op, const char *what) {
  st_error(f->ctx->diag, op->loc, "%s: %s", st_op_name(op->kind), what);
  st_note(f->ctx->diag, "factor-dims splits dims so that every reshape is a "
                        "relabelling; these extents have no common factors");
  return false;
}

static bool constrain_access(Factor *f, const StOp *op, const int *dims,
                             const StAffine *e, int data) {
  int d = st_affine_single(e);
  if (d >= 0)
    return link_part(f, dims[d], data, e->off);
  if (d == -2)
    return true;
  return fail(f, op, "an access that is not one dim plus an offset");
}

static bool constrain_nest(Factor *f, const StOp *op) {
  const StNest *n = &op->u.nest;
  const int *dims = f->op_dim[op->id];
  for (int k = 0; k < op->noperands; k++) {
    const StValue *v = op->operand[k];
    if (!n->in[k].map)
      continue;
    for (int i = 0; i < v->type.rank; i++)
      if (!constrain_access(f, op, dims, &n->in[k].map[i],
                            f->value_dim[v->id][i]))
        return fail(f, op, "an operand's dims cannot be lined up");
  }
  for (int k = 0; k < op->nresults; k++) {
    const StValue *v = op->result[k];
    for (int i = 0; i < v->type.rank; i++)
      if (!constrain_access(f, op, dims, &n->out[k].map[i],
                            f->value_dim[v->id][i]))
        return fail(f, op, "a result's dims cannot be lined up");
  }
  for (int x = 0; x < n->body.n; x++) {
    const StExpr *e = &n->body.at[x];
    if (e->kind != ST_X_EXTRACT)
      continue;
    const StValue *v = op->operand[e->operand];
    for (int i = 0; i < e->nindices; i++) {
      const StExpr *at = &n->body.at[e->indices[i]];
      if (at->kind == ST_X_INDEX && st_affine_single(&at->affine) >= 0 &&
          !constrain_access(f, op, dims, &at->affine, f->value_dim[v->id][i]))
        return fail(f, op, "a table's dims cannot be lined up");
    }
  }
  return true;
}

static bool constrain_view(Factor *f, const StOp *op) {
  IntVec a = {0}, b = {0};
  const StValue *in = op->operand[0], *out = op->result[0];
  for (int i = 0; i < in->type.rank; i++)
    push_leaves(f, f->value_dim[in->id][i], &a);
  for (int i = 0; i < out->type.rank; i++)
    push_leaves(f, f->value_dim[out->id][i], &b);
  return refine(f, &a, &b) || fail(f, op, "shapes without a common split");
}

static bool constrain_slice(Factor *f, const StOp *op) {
  const StValue *in = op->operand[0], *out = op->result[0];
  for (int i = 0; i < in->type.rank; i++) {
    int part = f->value_dim[out->id][i], whole = f->value_dim[in->id][i];
    StSym off = op->u.slice.offset[i];
    int64_t s = op->u.slice.stride[i];
    if (s != 1 && !is_one(out->type.shape[i])) {
      StSym rows;
      if (!divide(in->type.shape[i], st_sym_const(s), &rows) || !st_sym_is_const(off))
        return fail(f, op, "a stride that does not divide its dim");
      if (!cut(f, whole, s))
        return fail(f, op, "a stride that crosses a split");
      Node w = f->node.at[root(f, whole)];
      if (!w.split || !st_sym_eq(f->node.at[root(f, w.inner)].extent,
                                 st_sym_const(s)))
        return fail(f, op, "a stride that crosses a split");
      whole = w.outer;
      off = st_sym_const(off.c / s);
    }
    if (!link_part(f, part, whole, off))
      return fail(f, op, "a slice that crosses a split");
  }
  return true;
}

static bool constrain_concat(Factor *f, const StOp *op) {
  const StValue *out = op->result[0];
  int64_t g = 0;
  bool symbolic = false;
  for (int k = 0; k < op->noperands; k++) {
    StSym n = op->operand[k]->type.shape[op->u.axis];
    symbolic |= !st_sym_is_const(n);
    g = gcd(g, n.c);
  }
  for (int k = 0; k < op->noperands; k++) {
    const StValue *in = op->operand[k];
    for (int i = 0; i < out->type.rank; i++) {
      int part = f->value_dim[in->id][i], whole = f->value_dim[out->id][i];
      bool ok = i != op->u.axis ? unify(f, part, whole)
                                : symbolic || share_tail(f, part, whole, g);
      if (!ok)
        return fail(f, op, "operands that cannot be lined up");
    }
  }
  return true;
}

static bool constrain_carry(Factor *f, const StOp *op) {
  const StValue *out = op->result[0];
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < out->type.rank; i++)
      if (!unify(f, f->value_dim[op->operand[k]->id][i],
                 f->value_dim[out->id][i]))
        return fail(f, op, "the carried tensors differ");
  return true;
}

static bool constrain(Factor *f, const StOp *op) {
  switch (op->kind) {
  case ST_OP_GENERIC:
    return constrain_nest(f, op);
  case ST_OP_VIEW:
    return constrain_view(f, op);
  case ST_OP_SLICE:
    return constrain_slice(f, op);
  case ST_OP_CONCAT:
    return constrain_concat(f, op);
  case ST_OP_CARRY:
    return constrain_carry(f, op);
  case ST_OP_ARG:
  case ST_OP_CONST:
  case ST_OP_RESULT:
  case ST_OP_KERNEL:
  case ST_OP_CONVERTER:
  case ST_OP_FORK:
  case ST_OP_LOAD:
  case ST_OP_STORE:
  case ST_OP_COUNT:
    break;
  }
  return true;
}

/* ---- rewriting --------------------------------------------------------- */

typedef struct { /* an op's iteration dims after the split */
  int n;
  IntVec *leaf; /* [old dim] */
  int *base;    /* [old dim] number of the first new dim */
} DimMap;

static IntVec leaves_of(Factor *f, int node) {
  IntVec v = {0};
  push_leaves(f, node, &v);
  return v;
}

static StSym extent_of(Factor *f, int node) {
  return f->node.at[root(f, node)].extent;
}

static DimMap map_dims(Factor *f, int ndims, const int *node) {
  DimMap d = {.leaf = ST_NEW_N(f->scratch, IntVec, ndims + 1),
              .base = ST_NEW_N(f->scratch, int, ndims + 1)};
  for (int i = 0; i < ndims; i++) {
    d.base[i] = d.n;
    d.leaf[i] = leaves_of(f, node[i]);
    d.n += d.leaf[i].n;
  }
  return d;
}

/* The accesses `dim + off` (dim -1: constant) of one old tensor dim, as
 * accesses of its leaves; false if the offset does not fit the split. */
static bool split_access(Factor *f, const DimMap *dims, int dim, StSym off,
                         const IntVec *data, StAffine *out) {
  StArena *a = f->m->arena;
  IntVec none = {0};
  const IntVec *it = dim >= 0 ? &dims->leaf[dim] : &none;
  int i = it->n, j = data->n;
  int64_t inner = 1;
  while (i > 0 && j > 0 && it->at[i - 1] == data->at[j - 1]) {
    StSym e = f->node.at[data->at[j - 1]].extent;
    i--, j--;
    out[j] = st_affine_dim(a, dims->base[dim] + i);
    inner = st_sym_is_const(e) && inner > 0 ? inner * e.c : 0;
  }
  StSym rest = st_sym_const(0);
  if (inner == 0 ? !st_sym_eq(off, rest)
                 : !divide(off, st_sym_const(inner), &rest))
    return false;
  if (i == 1 && j >= 1) { /* one outer factor with an offset */
    out[j - 1] = st_affine_dim(a, dims->base[dim]);
    j--;
    StSym e = f->node.at[data->at[j]].extent, q = rest;
    if (j > 0 && st_sym_is_const(rest) && st_sym_is_const(e)) {
      q = st_sym_const(rest.c % e.c);
      rest = st_sym_const(rest.c / e.c);
      if (q.c + f->node.at[it->at[0]].extent.c > e.c)
        return false;
    } else {
      rest = st_sym_const(0);
    }
    out[j].off = q;
  } else if (i > 0) {
    return false;
  }
  while (j > 1) { /* digits of the constant that is left */
    StSym e = f->node.at[data->at[--j]].extent;
    if (!st_sym_is_const(rest) || !st_sym_is_const(e))
      return false;
    out[j] = st_affine_const(st_sym_const(rest.c % e.c));
    rest = st_sym_const(rest.c / e.c);
  }
  if (j == 1)
    out[0] = st_affine_const(rest);
  return true;
}

/* The map of one operand or result over the new dims. */
static bool rewrite_map(Factor *f, const StOp *op, const DimMap *dims,
                        const StValue *v, StAffine **map) {
  int total = 0;
  for (int i = 0; i < v->type.rank; i++)
    total += leaves_of(f, f->value_dim[v->id][i]).n;
  StAffine *out = ST_NEW_N(f->m->arena, StAffine, total + 1);
  for (int i = 0, at = 0; i < v->type.rank; i++) {
    IntVec data = leaves_of(f, f->value_dim[v->id][i]);
    int d = st_affine_single(&(*map)[i]);
    if (!split_access(f, dims, d, (*map)[i].off, &data, out + at))
      return fail(f, op, "an offset that crosses a split");
    at += data.n;
  }
  *map = out;
  return true;
}

/* An affine expression of old dims, over the new ones. */
static bool rewrite_affine(Factor *f, const StOp *op, const DimMap *dims,
                           StAffine *e) {
  StArena *a = f->m->arena;
  StAffine out = st_affine_const(e->off);
  for (int k = 0; k < e->n; k++) {
    const IntVec *leaf = &dims->leaf[e->term[k].dim];
    int64_t stride = e->term[k].coef;
    for (int i = leaf->n; i-- > 0;) {
      StAffine d = st_affine_dim(a, dims->base[e->term[k].dim] + i);
      StSym ext = f->node.at[leaf->at[i]].extent;
      out = st_affine_add(a, out, st_affine_scale(a, d, stride));
      if (i > 0 && !st_sym_is_const(ext))
        return fail(f, op, "an index of a dim that is split inside P or T");
      stride *= ext.c;
    }
  }
  *e = out;
  return true;
}

/* Indices of EXTRACT, one a new tensor dim. */
static bool rewrite_extract(Factor *f, StOp *op, const DimMap *dims,
                            StBody *out, const int *moved, StExpr *e) {
  const StValue *v = op->operand[e->operand];
  const StBody *old = &op->u.nest.body;
  IntVec idx = {0};
  for (int i = 0; i < v->type.rank; i++) {
    IntVec data = leaves_of(f, f->value_dim[v->id][i]);
    const StExpr *x = &old->at[e->indices[i]];
    int d = x->kind == ST_X_INDEX ? st_affine_single(&x->affine) : -1;
    if (d == -1) {
      if (data.n > 1)
        return fail(f, op, "a data-dependent index of a dim that is split");
      if (data.n == 1)
        st_vec_push(f->m->arena, &idx, moved[e->indices[i]]);
      continue;
    }
    StAffine *at = ST_NEW_N(f->m->arena, StAffine, data.n + 1);
    if (!split_access(f, dims, d, x->affine.off, &data, at))
      return fail(f, op, "an index that crosses a split");
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

static bool rewrite_body(Factor *f, StOp *op, const DimMap *dims) {
  StNest *n = &op->u.nest;
  StBody out = {0};
  int *moved = ST_NEW_N(f->scratch, int, n->body.n + 1);
  for (int x = 0; x < n->body.n; x++) {
    StExpr e = n->body.at[x];
    for (int k = 0; k < 3; k++)
      e.arg[k] = e.arg[k] >= 0 ? moved[e.arg[k]] : -1;
    if (e.kind == ST_X_INDEX && !rewrite_affine(f, op, dims, &e.affine))
      return false;
    if (e.kind == ST_X_EXTRACT &&
        !rewrite_extract(f, op, dims, &out, moved, &e))
      return false;
    moved[x] = st_expr_push(f->m, &out, e);
  }
  for (int k = 0; k < op->nresults; k++)
    n->out[k].yield = moved[n->out[k].yield];
  n->body = out;
  return true;
}

static bool rewrite_nest(Factor *f, StOp *op) {
  StNest *n = &op->u.nest;
  DimMap dims = map_dims(f, n->ndims, f->op_dim[op->id]);
  StDim *dim = ST_NEW_N(f->m->arena, StDim, dims.n + 1);
  for (int i = 0; i < n->ndims; i++)
    for (int k = 0; k < dims.leaf[i].n; k++)
      dim[dims.base[i] + k] =
          (StDim){.extent = f->node.at[dims.leaf[i].at[k]].extent,
                  .reduction = n->dim[i].reduction,
                  .name = n->dim[i].name};
  for (int k = 0; k < op->noperands; k++)
    if (n->in[k].map &&
        !rewrite_map(f, op, &dims, op->operand[k], &n->in[k].map))
      return false;
  for (int k = 0; k < op->nresults; k++)
    if (!rewrite_map(f, op, &dims, op->result[k], &n->out[k].map))
      return false;
  if (!rewrite_body(f, op, &dims))
    return false;
  n->ndims = dims.n;
  n->dim = dim;
  bool reduces = false; /* a reduction over one position is none */
  for (int i = 0; i < dims.n; i++)
    reduces |= dim[i].reduction;
  for (int k = 0; k < op->nresults && !reduces; k++)
    n->out[k].combine = ST_X_ARG;
  return true;
}

/* Dims of a new parallel nest over the leaves of a value. */
static DimMap start_nest(Factor *f, StOp *op, const StValue *v) {
  DimMap dims = map_dims(f, v->type.rank, f->value_dim[v->id]);
  StNest *n = &op->u.nest;
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
      n->dim[d].extent = f->node.at[dims.leaf[i].at[k]].extent;
      n->out[0].map[d] = st_affine_dim(a, d);
    }
  return dims;
}

static StExpr argument(const StOp *op, int k) {
  return (StExpr){.kind = ST_X_ARG, .dtype = op->operand[k]->type.dtype,
                  .arg = {-1, -1, -1}, .operand = k};
}

/* slice -> identity generic whose map has offsets. */
static bool rewrite_slice(Factor *f, StOp *op) {
  StSlice s = op->u.slice;
  const StValue *in = op->operand[0], *v = op->result[0];
  op->kind = ST_OP_GENERIC;
  DimMap dims = start_nest(f, op, v);
  int total = 0;
  for (int i = 0; i < in->type.rank; i++)
    total += leaves_of(f, f->value_dim[in->id][i]).n;
  StAffine *map = ST_NEW_N(f->m->arena, StAffine, total + 1);
  for (int i = 0, at = 0; i < in->type.rank; i++) {
    IntVec data = leaves_of(f, f->value_dim[in->id][i]);
    int n = data.n;
    StSym off = s.offset[i];
    if (s.stride[i] != 1 && !is_one(v->type.shape[i])) {
      StSym e = extent_of(f, data.at[--data.n]);
      if (!st_sym_eq(e, st_sym_const(s.stride[i])))
        return fail(f, op, "a stride that crosses a split");
      map[at + data.n] = st_affine_const(st_sym_const(off.c % e.c));
      off = st_sym_const(off.c / e.c);
    }
    if (!split_access(f, &dims, i, off, &data, map + at))
      return fail(f, op, "a slice that crosses a split");
    at += n;
  }
  op->u.nest.in[0] = (StInput){.map = map, .guard = {.dim = -1}};
  op->u.nest.out[0].yield = st_expr_push(f->m, &op->u.nest.body,
                                         argument(op, 0));
  return true;
}

/* The guard of operand k of a concat: the leaf of the axis that tells the
 * operands apart, and the range of operand k. */
static bool concat_operand(Factor *f, const StOp *op, const DimMap *dims,
                           int axis, StSym off, StInput *in,
                           const StValue *v) {
  StArena *a = f->m->arena;
  int total = 0;
  for (int i = 0; i < v->type.rank; i++)
    total += leaves_of(f, f->value_dim[v->id][i]).n;
  in->map = ST_NEW_N(a, StAffine, total + 1);
  for (int i = 0, at = 0; i < v->type.rank; i++) {
    IntVec data = leaves_of(f, f->value_dim[v->id][i]);
    const IntVec *it = &dims->leaf[i];
    int tail = 0;
    int64_t inner = 1;
    while (tail < data.n && tail < it->n &&
           it->at[it->n - 1 - tail] == data.at[data.n - 1 - tail] &&
           (i != axis || tail + 1 < it->n)) {
      tail++;
      in->map[at + data.n - tail] =
          st_affine_dim(a, dims->base[i] + it->n - tail);
      inner *= extent_of(f, data.at[data.n - tail]).c;
    }
    if (i == axis) {
      StSym lo, n, e = v->type.shape[i];
      if (it->n - tail != 1 || data.n - tail > 1 ||
          (inner != 1 && (!divide(off, st_sym_const(inner), &lo) ||
                          !divide(e, st_sym_const(inner), &n))))
        return fail(f, op, "a concatenation that crosses a split");
      if (inner == 1)
        lo = off, n = e;
      in->guard = (StGuard){dims->base[i], lo, st_sym_add(lo, n)};
      if (data.n > tail) {
        in->map[at] = st_affine_dim(a, dims->base[i]);
        in->map[at].off = st_sym_scale(lo, -1);
      }
    } else if (tail != data.n) {
      return fail(f, op, "operands that cannot be lined up");
    }
    at += data.n;
  }
  return true;
}

/* body: the operand in whose range the axis' index lies. */
static void concat_body(Factor *f, StOp *op) {
  StNest *n = &op->u.nest;
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

static bool rewrite_concat(Factor *f, StOp *op) {
  int axis = op->u.axis;
  op->kind = ST_OP_GENERIC;
  DimMap dims = start_nest(f, op, op->result[0]);
  StSym off = st_sym_const(0);
  for (int k = 0; k < op->noperands; k++) {
    if (!concat_operand(f, op, &dims, axis, off, &op->u.nest.in[k],
                        op->operand[k]))
      return false;
    off = st_sym_add(off, op->operand[k]->type.shape[axis]);
  }
  concat_body(f, op);
  return true;
}

static bool rewrite(Factor *f, StOp *op) {
  if (op->kind == ST_OP_GENERIC)
    return rewrite_nest(f, op);
  if (op->kind == ST_OP_SLICE)
    return rewrite_slice(f, op);
  if (op->kind == ST_OP_CONCAT)
    return rewrite_concat(f, op);
  if (op->kind == ST_OP_VIEW)
    f->alias[op->result[0]->id] = op->operand[0];
  return true;
}

static void rewrite_type(Factor *f, StValue *v) {
  IntVec all = {0};
  for (int i = 0; i < v->type.rank; i++)
    push_leaves(f, f->value_dim[v->id][i], &all);
  StSym *shape = ST_NEW_N(f->m->arena, StSym, all.n + 1);
  for (int i = 0; i < all.n; i++)
    shape[i] = f->node.at[all.at[i]].extent;
  v->type.rank = all.n;
  v->type.shape = shape;
}

static void make_nodes(Factor *f) {
  StModule *m = f->m;
  f->value_dim = ST_NEW_N(f->scratch, int *, m->next_value + 1);
  f->op_dim = ST_NEW_N(f->scratch, int *, m->next_op + 1);
  f->alias = ST_NEW_N(f->scratch, StValue *, m->next_value + 1);
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    for (int r = 0; r < op->nresults; r++) {
      const StValue *v = op->result[r];
      int *d = ST_NEW_N(f->scratch, int, v->type.rank + 1);
      for (int k = 0; k < v->type.rank; k++)
        d[k] = new_node(f, v->type.shape[k]);
      f->value_dim[v->id] = d;
    }
    if (op->kind != ST_OP_GENERIC)
      continue;
    int *d = ST_NEW_N(f->scratch, int, op->u.nest.ndims + 1);
    for (int k = 0; k < op->u.nest.ndims; k++)
      d[k] = new_node(f, op->u.nest.dim[k].extent);
    f->op_dim[op->id] = d;
  }
}

bool st_pass_factor_dims(StModule *m, const StPassContext *ctx) {
  Factor f = {.m = m, .ctx = ctx, .scratch = st_arena_new()};
  make_nodes(&f);
  bool ok = true;
  for (int i = 0; i < m->op.n && ok; i++)
    ok = constrain(&f, m->op.at[i]);
  for (int i = 0; i < m->op.n && ok; i++)
    ok = rewrite(&f, m->op.at[i]);
  if (ok) {
    int kept = 0;
    for (int i = 0; i < m->op.n; i++) {
      StOp *op = m->op.at[i];
      for (int r = 0; r < op->nresults; r++)
        rewrite_type(&f, op->result[r]);
      if (op->kind != ST_OP_VIEW)
        m->op.at[kept++] = op;
    }
    m->op.n = kept;
    st_module_remap(m, f.alias);
  }
  st_arena_free(f.scratch);
  return ok;
}
