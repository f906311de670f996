/* quantize: where values come from by moves alone, and products of them. Found
 * by structure: a product is a generic that sums x * w over one dim, where w is
 * a root, or one that was only moved (transposed, or given dims of one
 * position). */
#include "pass/quantize.h"

static bool is_zero(const StAffine *e) {
  return e->n == 0 && st_sym_eq(e->off, st_sym_const(0));
}

int st_plain_dim(const StAffine *e) {
  return st_sym_eq(e->off, st_sym_const(0)) ? st_affine_single(e) : -1;
}

bool st_is_plain(const StNest *n, int noperands, int nresults) {
  for (int k = 0; k < noperands; k++)
    if (n->in[k].guard.dim >= 0)
      return false;
  for (int k = 0; k < nresults; k++)
    if (n->out[k].guard.dim >= 0)
      return false;
  return true;
}

/* ---- origins --------------------------------------------------------------
 */

/* A generic that gives each element of its operand another place. */
static bool is_move(const StOp *op) {
  const StNest *n = &op->u.nest;
  return op->kind == ST_OP_GENERIC && op->noperands == 1 && op->nresults == 1 &&
         n->body.n == 1 && n->body.at[0].kind == ST_X_ARG &&
         n->out[0].combine == ST_X_ARG && n->in[0].map && st_is_plain(n, 1, 1);
}

/* Data dim of the result that walks data dim `d` of the operand; -1: none, -2:
 * one position. */
static int moved_dim(const StOp *op, int d) {
  const StNest *n = &op->u.nest;
  const StAffine *e = &n->in[0].map[d];
  if (is_zero(e))
    return -2;
  int dim = st_plain_dim(e);
  if (dim < 0 || !st_sym_eq(n->dim[dim].extent, op->operand[0]->type.shape[d]))
    return -1;
  for (int i = 0; i < op->result[0]->type.rank; i++)
    if (st_plain_dim(&n->out[0].map[i]) == dim)
      return i;
  return -1;
}

static bool is_one(StSym s) { return st_sym_eq(s, st_sym_const(1)); }

/* The same for a view that adds or drops dims of one position. */
static int viewed_dim(const StOp *op, int d) {
  const StType *from = &op->operand[0]->type, *to = &op->result[0]->type;
  if (is_one(from->shape[d]))
    return -2;
  int found = -1, i = 0, j = 0;
  while (true) {
    while (i < from->rank && is_one(from->shape[i]))
      i++;
    while (j < to->rank && is_one(to->shape[j]))
      j++;
    if (i == from->rank || j == to->rank)
      break;
    if (!st_sym_eq(from->shape[i], to->shape[j]))
      return -1;
    if (i == d)
      found = j;
    i++, j++;
  }
  return i == from->rank && j == to->rank ? found : -1;
}

const StOrigin *st_origin_root(StArena *a, StValue *v) {
  int *dim = ST_NEW_N(a, int, v->type.rank + 1);
  for (int i = 0; i < v->type.rank; i++)
    dim[i] = i;
  StOrigin *o = ST_NEW(a, StOrigin);
  *o = (StOrigin){v, dim};
  return o;
}

const StOrigin *st_origin_moved(StArena *a, const StOrigin *from,
                                const StOp *op) {
  if (op->kind != ST_OP_VIEW && !is_move(op))
    return NULL;
  int rank = from->root->type.rank;
  int *dim = ST_NEW_N(a, int, rank + 1);
  for (int i = 0; i < rank; i++) {
    int d = from->dim[i] < 0         ? -2
            : op->kind == ST_OP_VIEW ? viewed_dim(op, from->dim[i])
                                     : moved_dim(op, from->dim[i]);
    if (d == -1)
      return NULL;
    dim[i] = d == -2 ? -1 : d;
  }
  StOrigin *o = ST_NEW(a, StOrigin);
  *o = (StOrigin){from->root, dim};
  return o;
}

/* ---- products ---------------------------------------------------------------
 */

/* The operands of `arg * arg`, or false. */
static bool multiplies(const StNest *n, int operand[2]) {
  const StBody *b = &n->body;
  const StExpr *e = &b->at[n->out[0].yield];
  if (e->kind != ST_X_MULF || e->dtype != ST_F32)
    return false;
  for (int i = 0; i < 2; i++) {
    const StExpr *a = &b->at[e->arg[i]];
    if (a->kind != ST_X_ARG || !n->in[a->operand].map)
      return false;
    operand[i] = a->operand;
  }
  return operand[0] != operand[1];
}

static int only_reduction(const StNest *n) {
  int found = -1;
  for (int d = 0; d < n->ndims; d++)
    if (n->dim[d].reduction) {
      if (found >= 0)
        return -1;
      found = d;
    }
  return found;
}

/* The only data dim of operand x that nest dim k walks, all others being dims
 * or one position; -1: there is no such. */
static int axis_of(const StOp *op, int x, int k) {
  const StNest *n = &op->u.nest;
  int found = -1;
  for (int i = 0; i < op->operand[x]->type.rank; i++) {
    const StAffine *e = &n->in[x].map[i];
    int d = st_plain_dim(e);
    if (d < 0 && !is_zero(e))
      return -1;
    if (d >= 0 && !st_sym_eq(n->dim[d].extent, op->operand[x]->type.shape[i]))
      return -1;
    if (d == k && found >= 0)
      return -1;
    if (d == k)
      found = i;
  }
  return found;
}

/* Nest dims of the root's dims; NULL if one has none of its own. */
static const int *walk_of(StArena *a, const StOrigin *o, const StOp *op,
                          int w) {
  const StNest *n = &op->u.nest;
  int rank = o->root->type.rank;
  int *walk = ST_NEW_N(a, int, rank + 1);
  for (int i = 0; i < rank; i++) {
    walk[i] = -1;
    if (o->dim[i] < 0)
      continue;
    const StAffine *e = &n->in[w].map[o->dim[i]];
    if (is_zero(e) && is_one(op->operand[w]->type.shape[o->dim[i]]))
      continue;
    walk[i] = st_plain_dim(e);
    for (int j = 0; j < i; j++)
      if (walk[j] == walk[i])
        return NULL;
    if (walk[i] < 0)
      return NULL;
  }
  return walk;
}

StProduct *st_product_find(StArena *a, const StOrigin *const *origin,
                           const StOp *op) {
  const StNest *n = &op->u.nest;
  int pair[2];
  if (op->kind != ST_OP_GENERIC || op->noperands != 2 || op->nresults != 1 ||
      n->out[0].combine != ST_X_ADDF || !st_is_plain(n, 2, 1) ||
      !multiplies(n, pair))
    return NULL;
  int k = only_reduction(n), w = origin[op->operand[pair[1]]->id] != NULL;
  const StOrigin *o = origin[op->operand[pair[w]]->id];
  if (k < 0 || !o || origin[op->operand[pair[!w]]->id])
    return NULL;
  StProduct p = {.x = pair[!w], .w = pair[w], .k = k, .axis = -1};
  p.x_axis = axis_of(op, p.x, k);
  if (p.x_axis < 0 || axis_of(op, p.w, k) < 0)
    return NULL;
  p.walk = walk_of(a, o, op, p.w);
  for (int i = 0; p.walk && i < o->root->type.rank; i++)
    if (p.walk[i] == k)
      p.axis = i;
  if (p.axis < 0) /* none: it was repeated along k */
    return NULL;
  StProduct *kept = ST_NEW(a, StProduct);
  *kept = p;
  return kept;
}
