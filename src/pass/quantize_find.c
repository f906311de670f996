/* quantize: which products and parameters it takes: a factor that is a
 * parameter, or one that was only moved. */
#include "pass/quantize.h"

#include <string.h>

/* ---- origins --------------------------------------------------------------
 */

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
  return st_origin_root(f->scratch, op->result[0]);
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
    walks += st_plain_dim(&n->out[0].map[i]) == d;
    if (uses_dim(&n->out[0].map[i], d) && st_plain_dim(&n->out[0].map[i]) != d)
      return false;
  }
  return walks == 1;
}

static StLookup *find_lookup(StQuantFind *f, const StOp *op) {
  const StNest *n = &op->u.nest;
  StLookup *found = NULL;
  if (op->nresults != 1 || st_nest_reduces(n) ||
      !st_is_plain(n, op->noperands, 1))
    return NULL;
  for (int i = 0; i < n->body.n; i++) {
    const StExpr *e = &n->body.at[i];
    if (e->kind != ST_X_EXTRACT || !f->origin[op->operand[e->operand]->id])
      continue;
    const StType *t = &op->operand[e->operand]->type;
    const StExpr *last = &n->body.at[e->indices[e->nindices - 1]];
    int d = last->kind == ST_X_INDEX ? st_plain_dim(&last->affine) : -1;
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

/* The grid along the axis: the package's own, else the scheme's for its name;
 * none if that is floats. */
static void choose_grid(StQuantFind *f, StQuantParam *p, int axis) {
  const StType *t = &p->arg->result[0]->type;
  int arg = p->arg->u.index.index[0];
  const StGrid *own = f->own ? &f->own[arg] : &(StGrid){0};
  StScheme s = st_scheme_of(&f->scheme, f->m->arg.at[arg].name);
  p->axis = axis;
  p->own = s.weight_bits && own->bits && own->axis == axis;
  p->bits = p->own ? own->bits : s.weight_bits;
  p->mins = p->own ? own->mins : s.mins;
  p->group = p->own          ? own->group
             : s.weight_bits ? st_scheme_group(&s, t->shape[axis].c)
                             : 0;
}

/* A use along `axis` of the parameter. */
static void count_good(StQuantFind *f, StQuantParam *p, int axis) {
  if (p->axis < 0)
    choose_grid(f, p, axis);
  p->good += p->axis == axis && p->group > 0;
}

static void look_at_uses(StQuantFind *f, const StOp *op) {
  for (int k = 0; k < op->noperands; k++) {
    const StOrigin *o = f->origin[op->operand[k]->id];
    if (!o)
      continue;
    StQuantParam *p = &f->param[o->root->def->u.index.index[0]];
    p->uses++;
    if (f->product[op->id]) {
      p->products++;
      count_good(f, p, f->product[op->id]->axis);
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
    else if (op->noperands == 1 && f->origin[op->operand[0]->id])
      o = st_origin_moved(f->scratch, f->origin[op->operand[0]->id], op);
    if (o) {
      f->origin[op->result[0]->id] = o;
      continue;
    }
    if (op->kind == ST_OP_GENERIC) {
      f->product[op->id] = st_product_find(f->scratch, f->origin, op);
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
  int arg = o->root->def->u.index.index[0];
  const StQuantParam *p = &f->param[arg];
  return p->products && p->uses == p->good ? arg : -1;
}
