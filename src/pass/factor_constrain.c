/* factor-dims: nodes and what ops say about them.
 *
 * Accesses over a whole dim, views, strides and the dims beside a
 * concatenation's axis come first. A part of a dim (a slice, an operand of a
 * concatenation) then shares the innermost factors of the whole, if either is
 * split at all. */
#include "pass/factor.h"

/* Dim `part` walks some elements of `whole`. */
typedef struct {
  int part, whole;
  int64_t tail; /* innermost elements that both may share */
  StFactorPlace at;
  bool done;
} Part;

typedef ST_VEC(Part) Parts;

/* ---- nodes ------------------------------------------------------------- */

static int new_node(StFactor *f, StSym extent) {
  StFactorNode n = {.parent = f->node.n, .extent = extent};
  st_vec_push(f->scratch, &f->node, n);
  return f->node.n - 1;
}

int st_factor_root(StFactor *f, int n) {
  while (f->node.at[n].parent != n) {
    f->node.at[n].parent = f->node.at[f->node.at[n].parent].parent;
    n = f->node.at[n].parent;
  }
  return n;
}

StSym st_factor_extent(StFactor *f, int n) {
  return f->node.at[st_factor_root(f, n)].extent;
}

static bool is_one(StSym s) { return st_sym_eq(s, st_sym_const(1)); }

bool st_factor_divide(StSym a, StSym b, StSym *q) {
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
static void split(StFactor *f, int n, StSym outer, StSym inner) {
  int o = new_node(f, outer), i = new_node(f, inner);
  StFactorNode *at = &f->node.at[n];
  at->split = true;
  at->outer = o;
  at->inner = i;
}

void st_factor_leaves(StFactor *f, int n, StFactorList *out) {
  n = st_factor_root(f, n);
  StFactorNode at = f->node.at[n];
  if (!at.split) {
    if (!is_one(at.extent))
      st_vec_push(f->scratch, out, n);
    return;
  }
  st_factor_leaves(f, at.outer, out);
  st_factor_leaves(f, at.inner, out);
}

static int64_t gcd(int64_t a, int64_t b) {
  while (b) {
    int64_t r = a % b;
    a = b;
    b = r;
  }
  return a < 0 ? -a : a;
}

static bool refine(StFactor *f, StFactorList *a, StFactorList *b);

static bool unify(StFactor *f, int x, int y) {
  x = st_factor_root(f, x);
  y = st_factor_root(f, y);
  if (x == y)
    return true;
  if (!st_sym_eq(f->node.at[x].extent, f->node.at[y].extent))
    return false;
  if (f->node.at[x].split && f->node.at[y].split) {
    StFactorList a = {0}, b = {0};
    st_factor_leaves(f, x, &a);
    st_factor_leaves(f, y, &b);
    if (!refine(f, &a, &b))
      return false;
    x = st_factor_root(f, x);
    y = st_factor_root(f, y);
    if (x == y)
      return true;
  }
  if (f->node.at[x].split)
    f->node.at[y].parent = x;
  else
    f->node.at[x].parent = y;
  return true;
}

/* Split the last leaf so that its innermost factor is `inner`; the list's last
 * entry becomes the two factors. */
static bool split_last(StFactor *f, StFactorList *list, StSym inner) {
  int n = list->at[list->n - 1];
  StSym outer;
  if (!st_factor_divide(f->node.at[n].extent, inner, &outer))
    return false;
  split(f, n, outer, inner);
  list->at[list->n - 1] = f->node.at[n].outer;
  st_vec_push(f->scratch, list, f->node.at[n].inner);
  return true;
}

/* The list with its last entry replaced by its leaves: splits may have come. */
static void renew_last(StFactor *f, StFactorList *list) {
  if (list->n == 0)
    return;
  int n = list->at[--list->n];
  st_factor_leaves(f, n, list);
}

/* Line up two lists of leaves of equal product from the innermost outwards. */
static bool refine(StFactor *f, StFactorList *a, StFactorList *b) {
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
    } else if (st_factor_divide(ex, ey, &q)) {
      if (!split_last(f, a, ey))
        return false;
    } else if (st_factor_divide(ey, ex, &q)) {
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
static bool cut(StFactor *f, int n, int64_t inner) {
  n = st_factor_root(f, n);
  StSym e = f->node.at[n].extent, outer;
  if (inner == 1 || (st_sym_is_const(e) && e.c == inner))
    return true;
  int probe = new_node(f, e);
  if (!st_factor_divide(e, st_sym_const(inner), &outer))
    return false;
  split(f, probe, outer, st_sym_const(inner));
  return unify(f, n, probe);
}

/* ---- parts -------------------------------------------------------------- */

/* The leaves of `n` whose product is the constant g, innermost. */
static StFactorList tail_leaves(StFactor *f, int n, int64_t g) {
  StFactorList all = {0}, tail = {0};
  st_factor_leaves(f, n, &all);
  int first = all.n;
  for (; first > 0 && g > 1; first--)
    g /= f->node.at[all.at[first - 1]].extent.c;
  for (int i = first; i < all.n; i++)
    st_vec_push(f->scratch, &tail, all.at[i]);
  return tail;
}

/* `part` and `whole` share the factors inside g. */
static bool share_tail(StFactor *f, int part, int whole, int64_t g) {
  if (g == 1)
    return true;
  if (!cut(f, part, g) || !cut(f, whole, g))
    return false;
  StFactorList a = tail_leaves(f, part, g), b = tail_leaves(f, whole, g);
  return refine(f, &a, &b);
}

static bool is_split(StFactor *f, int n) {
  return f->node.at[st_factor_root(f, n)].split;
}

/* Until no split reaches another part. */
static bool share_parts(StFactor *f, Parts *parts) {
  for (bool again = true; again;) {
    again = false;
    for (int i = 0; i < parts->n; i++) {
      Part *p = &parts->at[i];
      if (p->done || (!is_split(f, p->part) && !is_split(f, p->whole)))
        continue;
      p->done = again = true;
      if (!share_tail(f, p->part, p->whole, p->tail))
        return st_factor_fail(f, p->at.op, p->at.port, p->at.what);
    }
  }
  return true;
}

/* `part` walks the elements offset.. of `whole`. */
static bool link_part(StFactor *f, Parts *parts, int part, int whole,
                      StSym offset, StFactorPlace at) {
  StSym n = st_factor_extent(f, part), w = st_factor_extent(f, whole);
  if (st_sym_eq(n, w) && st_sym_eq(offset, st_sym_const(0)))
    return unify(f, part, whole) ||
           st_factor_fail(f, at.op, at.port, at.what);
  if (is_one(n) || !st_sym_is_const(n) || !st_sym_is_const(w) ||
      !st_sym_is_const(offset))
    return true;
  Part p = {.part = part, .whole = whole, .at = at,
            .tail = gcd(gcd(n.c, w.c), offset.c)};
  st_vec_push(f->scratch, parts, p);
  return true;
}

/* ---- ops ------------------------------------------------------------------ */

static bool constrain_port(StFactor *f, Parts *parts, const StOp *op, int port,
                           const StValue *v, const StAffine *map) {
  const int *dims = f->op_dim[op->id];
  for (int i = 0; i < v->type.rank; i++) {
    int d = st_affine_single(&map[i]);
    if (d == -1)
      return st_factor_fail(f, op, ST_FACTOR_ALL,
                            "an access that is not one dim plus an offset");
    StFactorPlace at = {op, port, "dims that are split otherwise"};
    if (d >= 0 && !link_part(f, parts, dims[d], f->value_dim[v->id][i],
                             map[i].off, at))
      return false;
  }
  return true;
}

static bool constrain_nest(StFactor *f, Parts *parts, const StOp *op) {
  const StNest *n = &op->u.nest;
  for (int k = 0; k < op->noperands; k++)
    if (n->in[k].map && !constrain_port(f, parts, op, k, op->operand[k],
                                        n->in[k].map))
      return false;
  for (int r = 0; r < op->nresults; r++)
    if (!constrain_port(f, parts, op, -1 - r, op->result[r], n->out[r].map))
      return false;
  for (int x = 0; x < n->body.n; x++) {
    const StExpr *e = &n->body.at[x];
    if (e->kind != ST_X_EXTRACT)
      continue;
    const StValue *v = op->operand[e->operand];
    StFactorPlace at = {op, e->operand, "a table's dims"};
    for (int i = 0; i < e->nindices; i++) {
      const StExpr *index = &n->body.at[e->indices[i]];
      int d = index->kind == ST_X_INDEX ? st_affine_single(&index->affine) : -1;
      if (d >= 0 &&
          !link_part(f, parts, f->op_dim[op->id][d], f->value_dim[v->id][i],
                     index->affine.off, at))
        return false;
    }
  }
  return true;
}

static bool constrain_view(StFactor *f, const StOp *op) {
  StFactorList a = {0}, b = {0};
  const StValue *in = op->operand[0], *out = op->result[0];
  if (f->opaque[op->id])
    return true;
  for (int i = 0; i < in->type.rank; i++)
    st_factor_leaves(f, f->value_dim[in->id][i], &a);
  for (int i = 0; i < out->type.rank; i++)
    st_factor_leaves(f, f->value_dim[out->id][i], &b);
  return refine(f, &a, &b) ||
         st_factor_fail(f, op, 0, "shapes without a common split");
}

static bool constrain_slice(StFactor *f, Parts *parts, const StOp *op) {
  const StValue *in = op->operand[0], *out = op->result[0];
  for (int i = 0; i < in->type.rank; i++) {
    int part = f->value_dim[out->id][i], whole = f->value_dim[in->id][i];
    StSym off = op->u.slice.offset[i];
    int64_t s = op->u.slice.stride[i];
    if (s != 1 && !is_one(out->type.shape[i])) {
      if (!cut(f, whole, s))
        return st_factor_fail(f, op, 0, "a stride that crosses a split");
      StFactorNode w = f->node.at[st_factor_root(f, whole)];
      if (!w.split || !st_sym_eq(st_factor_extent(f, w.inner),
                                 st_sym_const(s)))
        return st_factor_fail(f, op, 0, "a stride that crosses a split");
      whole = w.outer;
      off = st_sym_const(off.c / s);
    }
    StFactorPlace at = {op, 0, "a slice that crosses a split"};
    if (!link_part(f, parts, part, whole, off, at))
      return false;
  }
  return true;
}

static bool constrain_concat(StFactor *f, Parts *parts, const StOp *op) {
  const StValue *out = op->result[0];
  int axis = op->u.axis;
  int64_t g = 0;
  bool symbolic = false;
  for (int k = 0; k < op->noperands; k++) {
    StSym n = op->operand[k]->type.shape[axis];
    symbolic |= !st_sym_is_const(n);
    g = gcd(g, n.c);
  }
  for (int k = 0; k < op->noperands; k++)
    for (int i = 0; i < out->type.rank; i++) {
      Part p = {.part = f->value_dim[op->operand[k]->id][i],
                .whole = f->value_dim[out->id][i], .tail = g,
                .at = {op, k, "a concatenation that crosses a split"}};
      if (i != axis && !unify(f, p.part, p.whole))
        return st_factor_fail(f, op, k, "operands that cannot be lined up");
      if (i == axis && !symbolic)
        st_vec_push(f->scratch, parts, p);
    }
  return true;
}

static bool constrain_carry(StFactor *f, const StOp *op) {
  const StValue *out = op->result[0];
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < out->type.rank; i++)
      if (!unify(f, f->value_dim[op->operand[k]->id][i],
                 f->value_dim[out->id][i]))
        return st_factor_fail(f, op, k, "the carried tensors differ");
  return true;
}

static bool constrain(StFactor *f, Parts *parts, const StOp *op) {
  switch (op->kind) {
  case ST_OP_GENERIC:
    return constrain_nest(f, parts, op);
  case ST_OP_VIEW:
    return constrain_view(f, op);
  case ST_OP_SLICE:
    return constrain_slice(f, parts, op);
  case ST_OP_CONCAT:
    return constrain_concat(f, parts, op);
  case ST_OP_CARRY:
    return constrain_carry(f, op);
  case ST_OP_ARG:
  case ST_OP_CONST:
  case ST_OP_RESULT:
  case ST_OP_KERNEL:
  case ST_OP_CONVERTER:
  case ST_OP_FORK:
  case ST_OP_LOAD:
  case ST_OP_BUNDLE:
  case ST_OP_STORE:
  case ST_OP_COUNT:
    break;
  }
  return true;
}

static void make_nodes(StFactor *f) {
  StModule *m = f->m;
  f->value_dim = ST_NEW_N(f->scratch, int *, m->next_value + 1);
  f->op_dim = ST_NEW_N(f->scratch, int *, m->next_op + 1);
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

bool st_factor_constrain(StFactor *f) {
  Parts parts = {0};
  make_nodes(f);
  for (int i = 0; i < f->m->op.n; i++)
    if (!constrain(f, &parts, f->m->op.at[i]))
      return false;
  return share_parts(f, &parts);
}
