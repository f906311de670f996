/* quantize: which products and parameters it takes. Found by structure: a
 * product is a generic that sums x * w over one dim, where w is a parameter, or
 * one that was only moved (transposed, or given dims of one position). */
#include "pass/quantize.h"

#include <string.h>

static bool is_zero(const StAffine *e) {
  return e->n == 0 && st_sym_eq(e->off, st_sym_const(0));
}

/* The dim that the access is, without an offset; -1: none. */
static int plain_dim(const StAffine *e) {
  return st_sym_eq(e->off, st_sym_const(0)) ? st_affine_single(e) : -1;
}

static bool is_plain(const StNest *n, int noperands, int nresults) {
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
         n->out[0].combine == ST_X_ARG && n->in[0].map && is_plain(n, 1, 1);
}

/* Data dim of the result that walks data dim `d` of the operand; -1: none, -2:
 * one position. */
static int moved_dim(const StOp *op, int d) {
  const StNest *n = &op->u.nest;
  const StAffine *e = &n->in[0].map[d];
  if (is_zero(e))
    return -2;
  int dim = plain_dim(e);
  if (dim < 0 || !st_sym_eq(n->dim[dim].extent, op->operand[0]->type.shape[d]))
    return -1;
  for (int i = 0; i < op->result[0]->type.rank; i++)
    if (plain_dim(&n->out[0].map[i]) == dim)
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

static const StOrigin *origin_of_arg(StQuantFind *f, StOp *op) {
  const StModule *m = f->m;
  if (op->u.index.n != 1 ||
      m->arg.at[op->u.index.index[0]].role != ST_ROLE_PARAM)
    return NULL;
  const StType *t = &op->result[0]->type;
  if (t->rank < 2 || t->dtype != ST_F32)
    return NULL;
  for (int i = 0; i < t->rank; i++)
    if (!st_sym_is_const(t->shape[i]))
      return NULL;
  StQuantParam *p = &f->param[op->u.index.index[0]];
  if (!p->arg)
    *p = (StQuantParam){.arg = op, .axis = -1};
  int *dim = ST_NEW_N(f->scratch, int, t->rank);
  for (int i = 0; i < t->rank; i++)
    dim[i] = i;
  StOrigin *o = ST_NEW(f->scratch, StOrigin);
  *o = (StOrigin){op, dim};
  return o;
}

/* Of the result of a move or view of a value with an origin; NULL: none. */
static const StOrigin *origin_of_moved(StQuantFind *f, const StOp *op) {
  const StOrigin *from = f->origin[op->operand[0]->id];
  int rank = from->arg->result[0]->type.rank;
  int *dim = ST_NEW_N(f->scratch, int, rank);
  for (int i = 0; i < rank; i++) {
    int d = from->dim[i] < 0         ? -2
            : op->kind == ST_OP_VIEW ? viewed_dim(op, from->dim[i])
                                     : moved_dim(op, from->dim[i]);
    if (d == -1)
      return NULL;
    dim[i] = d == -2 ? -1 : d;
  }
  StOrigin *o = ST_NEW(f->scratch, StOrigin);
  *o = (StOrigin){from->arg, dim};
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
  return found >= 0 && st_sym_is_const(n->dim[found].extent) ? found : -1;
}

/* The only data dim of operand x that nest dim k walks, all others being dims
 * or one position; -1: there is no such. */
static int axis_of(const StOp *op, int x, int k) {
  const StNest *n = &op->u.nest;
  int found = -1;
  for (int i = 0; i < op->operand[x]->type.rank; i++) {
    const StAffine *e = &n->in[x].map[i];
    int d = plain_dim(e);
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

/* Nest dims of the parameter's dims; NULL if one has none of its own. */
static const int *walk_of(StQuantFind *f, const StOp *op, int w) {
  const StOrigin *o = f->origin[op->operand[w]->id];
  const StNest *n = &op->u.nest;
  int rank = o->arg->result[0]->type.rank;
  int *walk = ST_NEW_N(f->scratch, int, rank);
  for (int i = 0; i < rank; i++) {
    walk[i] = -1;
    if (o->dim[i] < 0)
      continue;
    const StAffine *e = &n->in[w].map[o->dim[i]];
    if (is_zero(e) && is_one(op->operand[w]->type.shape[o->dim[i]]))
      continue;
    walk[i] = plain_dim(e);
    for (int j = 0; j < i; j++)
      if (walk[j] == walk[i])
        return NULL;
    if (walk[i] < 0)
      return NULL;
  }
  return walk;
}

/* Dim of the parameter that k walks; -1: none, it was repeated along k. */
static int param_axis(const StQuantFind *f, const StOp *op,
                      const StProduct *p) {
  int rank = f->origin[op->operand[p->w]->id]->arg->result[0]->type.rank;
  for (int i = 0; i < rank; i++)
    if (p->walk[i] == p->k)
      return i;
  return -1;
}

static StProduct *find_product(StQuantFind *f, const StOp *op) {
  const StNest *n = &op->u.nest;
  int pair[2];
  if (op->noperands != 2 || op->nresults != 1 ||
      n->out[0].combine != ST_X_ADDF || !is_plain(n, 2, 1) ||
      !multiplies(n, pair))
    return NULL;
  int k = only_reduction(n), w = f->origin[op->operand[pair[1]]->id] != NULL;
  if (k < 0 || !f->origin[op->operand[pair[w]]->id] ||
      f->origin[op->operand[pair[!w]]->id])
    return NULL;
  StProduct p = {.x = pair[!w], .w = pair[w], .k = k};
  p.x_axis = axis_of(op, p.x, k);
  if (p.x_axis < 0 || axis_of(op, p.w, k) < 0)
    return NULL;
  p.walk = walk_of(f, op, p.w);
  if (!p.walk || param_axis(f, op, &p) < 0)
    return NULL;
  StProduct *kept = ST_NEW(f->scratch, StProduct);
  *kept = p;
  return kept;
}

/* ---- lookups ----------------------------------------------------------------
 */

static bool uses_dim(const StAffine *e, int d) {
  for (int i = 0; i < e->n; i++)
    if (e->term[i].dim == d)
      return true;
  return false;
}

/* Nothing but the last index of the extract, and one dim of the result, uses
 * dim d. */
static bool is_alone(const StOp *op, const StExpr *extract, int d) {
  const StNest *n = &op->u.nest;
  for (int k = 0; k < op->noperands; k++)
    for (int i = 0; n->in[k].map && i < op->operand[k]->type.rank; i++)
      if (uses_dim(&n->in[k].map[i], d))
        return false;
  int last = extract->indices[extract->nindices - 1];
  for (int i = 0; i < n->body.n; i++)
    if (n->body.at[i].kind == ST_X_INDEX && i != last &&
        uses_dim(&n->body.at[i].affine, d))
      return false;
  for (int i = 0; i < n->body.n; i++)
    for (int a = 0; a < st_scalar_args(n->body.at[i].kind); a++)
      if (n->body.at[i].arg[a] == last)
        return false;
  for (int i = 0; i + 1 < extract->nindices; i++)
    if (extract->indices[i] == last)
      return false;
  int walks = 0;
  for (int i = 0; i < op->result[0]->type.rank; i++) {
    walks += plain_dim(&n->out[0].map[i]) == d;
    if (uses_dim(&n->out[0].map[i], d) && plain_dim(&n->out[0].map[i]) != d)
      return false;
  }
  return walks == 1;
}

static StLookup *find_lookup(StQuantFind *f, const StOp *op) {
  const StNest *n = &op->u.nest;
  StLookup *found = NULL;
  if (op->nresults != 1 || st_nest_reduces(n) || !is_plain(n, op->noperands, 1))
    return NULL;
  for (int i = 0; i < n->body.n; i++) {
    const StExpr *e = &n->body.at[i];
    if (e->kind != ST_X_EXTRACT || !f->origin[op->operand[e->operand]->id])
      continue;
    const StType *t = &op->operand[e->operand]->type;
    const StExpr *last = &n->body.at[e->indices[e->nindices - 1]];
    int d = last->kind == ST_X_INDEX ? plain_dim(&last->affine) : -1;
    if (found || d < 0 || op->operand[e->operand]->def->kind != ST_OP_ARG ||
        !st_sym_eq(n->dim[d].extent, t->shape[t->rank - 1]) ||
        !is_alone(op, e, d))
      return NULL;
    found = ST_NEW(f->scratch, StLookup);
    *found = (StLookup){i, d};
  }
  return found;
}

/* ---- all of it
 * ----------------------------------------------------------------- */

/* A use along `axis` of the parameter. */
static void count_good(StQuantFind *f, StQuantParam *p, int axis) {
  const StType *t = &p->arg->result[0]->type;
  if (p->axis < 0) {
    p->axis = axis;
    p->group = st_scheme_group(&f->scheme, t->shape[axis].c);
  }
  p->good += p->axis == axis && p->group > 0;
}

static void look_at_uses(StQuantFind *f, const StOp *op) {
  for (int k = 0; k < op->noperands; k++) {
    const StOrigin *o = f->origin[op->operand[k]->id];
    if (!o)
      continue;
    StQuantParam *p = &f->param[o->arg->u.index.index[0]];
    p->uses++;
    if (f->product[op->id]) {
      p->products++;
      count_good(f, p, param_axis(f, op, f->product[op->id]));
    } else if (f->lookup[op->id]) {
      count_good(f, p, p->arg->result[0]->type.rank - 1);
    }
  }
}

void st_quant_find(StQuantFind *f) {
  StModule *m = f->m;
  f->origin = ST_NEW_N(f->scratch, const StOrigin *, m->next_value + 1);
  f->product = ST_NEW_N(f->scratch, StProduct *, m->next_op + 1);
  f->lookup = ST_NEW_N(f->scratch, StLookup *, m->next_op + 1);
  f->param = ST_NEW_N(f->scratch, StQuantParam, m->arg.n + 1);
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    const StOrigin *o = NULL;
    if (op->kind == ST_OP_ARG)
      o = origin_of_arg(f, op);
    else if ((op->kind == ST_OP_VIEW || is_move(op)) &&
             f->origin[op->operand[0]->id])
      o = origin_of_moved(f, op);
    if (o) {
      f->origin[op->result[0]->id] = o;
      continue;
    }
    if (op->kind == ST_OP_GENERIC) {
      f->product[op->id] = find_product(f, op);
      if (!f->product[op->id])
        f->lookup[op->id] = find_lookup(f, op);
    }
    look_at_uses(f, op);
  }
}

int st_quant_takes(const StQuantFind *f, const StValue *v) {
  const StOrigin *o = f->origin[v->id];
  if (!o)
    return -1;
  int arg = o->arg->u.index.index[0];
  const StQuantParam *p = &f->param[arg];
  return p->products && p->uses == p->good ? arg : -1;
}
