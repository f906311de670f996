/* fuse-elementwise: parallel generics go into their users' bodies.
 *
 *   %1 = generic [t, n] (%0[t, n])  { y = f(x) }
 *   %2 = generic [t, n] (%1[t, n], %3[n]) { z = g(y, w) }
 * becomes
 *   %2 = generic [t, n] (%0[t, n], %3[n]) { z = g(f(x), w) }
 *
 * A producer is inlined if that computes nothing twice: it has one use and the
 * user visits each of its points once; or it only moves data or computes from
 * indices and constants, which is cheaper than a stream. Reductions are never
 * inlined; their operands' producers are (a prologue), under the same rule. */
#include "pass/pass.h"

#include <string.h>

typedef struct {
  StModule *m;
  int *uses;  /* [value id] operands that are the value */
} Fuse;

/* ---- what may be inlined ---------------------------------------------- */

/* Every dim of the nest appears as itself in the map. */
static bool covers_all_dims(const StNest *n, const StAffine *map, int rank) {
  int seen = 0;
  for (int i = 0; i < rank; i++)
    seen += map[i].n == 1;
  return seen == n->ndims;
}

static bool is_candidate(const StOp *p) {
  if (p->kind != ST_OP_GENERIC || p->nresults != 1)
    return false;
  const StNest *n = &p->u.nest;
  if (st_nest_reduces(n) || n->out[0].guard.dim >= 0 ||
      !covers_all_dims(n, n->out[0].map, p->result[0]->type.rank))
    return false;
  for (int i = 0; i < p->result[0]->type.rank; i++)
    if (st_affine_single(&n->out[0].map[i]) < 0 ||
        !st_sym_eq(n->out[0].map[i].off, st_sym_const(0)))
      return false;
  return true;
}

/* Cheaper to compute again than to stream: at most one operand, and nothing
 * but moves, comparisons and integer arithmetic on indices. */
static bool is_cheap(const StOp *p) {
  const StNest *n = &p->u.nest;
  bool arithmetic = false;
  for (int i = 0; i < n->body.n; i++)
    switch (n->body.at[i].kind) {
    case ST_X_ARG:
    case ST_X_CONST:
    case ST_X_INDEX:
      break;
    case ST_X_ADDI:
    case ST_X_SUBI:
    case ST_X_CMPI:
    case ST_X_ANDI:
    case ST_X_ORI:
    case ST_X_SELECT:
    case ST_X_EXTSI:
    case ST_X_EXTUI:
    case ST_X_TRUNCI:
      arithmetic = true;
      break;
    default:
      return false;
    }
  for (int k = 0; k < p->noperands; k++)
    if (n->in[k].guard.dim >= 0 || !n->in[k].map)
      return false;
  return p->noperands == 0 || (p->noperands == 1 && !arithmetic);
}

/* The result is the operand, unguarded. */
static bool is_move(const StOp *p) {
  const StNest *n = &p->u.nest;
  return p->noperands == 1 && n->in[0].map && n->in[0].guard.dim < 0 &&
         n->body.at[n->out[0].yield].kind == ST_X_ARG;
}

static bool visits_once(const StOp *user, int k, const StOp *p) {
  const StNest *n = &user->u.nest;
  const StAffine *map = n->in[k].map;
  const StType *t = &p->result[0]->type;
  if (!covers_all_dims(n, map, t->rank))
    return false;
  for (int i = 0; i < t->rank; i++)
    for (int j = 0; j < map[i].n; j++)
      if (!st_sym_eq(n->dim[map[i].term[j].dim].extent, t->shape[i]))
        return false;
  return true;
}

static bool may_inline(const Fuse *f, const StOp *user, int k) {
  const StOp *p = user->operand[k]->def;
  if (!user->u.nest.in[k].map || !is_candidate(p) || p == user)
    return false;
  if (p->scope != user->scope && !(p->scope == 0 && p->noperands == 0))
    return false;
  const StAffine *map = user->u.nest.in[k].map;
  for (int i = 0; i < p->result[0]->type.rank; i++)
    if (map[i].n > 1)
      return false;
  if (user->u.nest.in[k].guard.dim >= 0 && !is_move(p))
    return false; /* outside the guard the user reads 0, not f(0) */
  if (is_cheap(p))
    return true;
  return f->uses[p->result[0]->id] == 1 && visits_once(user, k, p);
}

/* ---- inlining ----------------------------------------------------------- */

/* The producer's dim i as an expression of the user's dims. */
static StAffine dim_at(const StOp *p, const StAffine *map, int dim) {
  const StNest *n = &p->u.nest;
  for (int i = 0; i < p->result[0]->type.rank; i++)
    if (st_affine_single(&n->out[0].map[i]) == dim)
      return map[i];
  return st_affine_const(st_sym_const(0));
}

static StAffine compose(StArena *a, const StOp *p, const StAffine *map,
                        const StAffine *e) {
  StAffine r = st_affine_const(e->off);
  for (int i = 0; i < e->n; i++)
    r = st_affine_add(a, r, st_affine_scale(a, dim_at(p, map, e->term[i].dim),
                                            e->term[i].coef));
  return r;
}

/* The guard of an operand of p, over the user's dims; false where the user
 * holds the dim at a constant outside the decidable. */
static bool compose_guard(const StOp *p, const StAffine *map, StGuard *g) {
  if (g->dim < 0)
    return true;
  StAffine at = dim_at(p, map, g->dim);
  if (st_affine_single(&at) < 0)
    return false;
  g->dim = at.term[0].dim;
  g->lo = st_sym_add(g->lo, st_sym_scale(at.off, -1));
  g->hi = st_sym_add(g->hi, st_sym_scale(at.off, -1));
  return true;
}

/* Operand of `user` for operand i of p; reuses an equal one. */
static int add_operand(StModule *m, StOp *user, StValue *v, StInput in) {
  StNest *n = &user->u.nest;
  for (int k = 0; k < user->noperands; k++) {
    bool same = user->operand[k] == v && n->in[k].map && in.map &&
                n->in[k].guard.dim == in.guard.dim;
    if (same && in.guard.dim >= 0)
      same = st_sym_eq(n->in[k].guard.lo, in.guard.lo) &&
             st_sym_eq(n->in[k].guard.hi, in.guard.hi);
    for (int i = 0; same && i < v->type.rank; i++)
      same = st_affine_eq(&n->in[k].map[i], &in.map[i]);
    if (same)
      return k;
  }
  int k = user->noperands++;
  StValue **operand = ST_NEW_N(m->arena, StValue *, k + 1);
  StInput *input = ST_NEW_N(m->arena, StInput, k + 1);
  memcpy(operand, user->operand, (size_t)k * sizeof *operand);
  memcpy(input, n->in, (size_t)k * sizeof *input);
  operand[k] = v;
  input[k] = in;
  user->operand = operand;
  n->in = input;
  return k;
}

static void drop_operand(StOp *op, int k) {
  StNest *n = &op->u.nest;
  for (int i = k; i + 1 < op->noperands; i++) {
    op->operand[i] = op->operand[i + 1];
    n->in[i] = n->in[i + 1];
  }
  op->noperands--;
  for (int x = 0; x < n->body.n; x++) {
    StExpr *e = &n->body.at[x];
    if ((e->kind == ST_X_ARG || e->kind == ST_X_EXTRACT) && e->operand > k)
      e->operand--;
  }
}

/* Copy p's body in front of the user's; ARG of operand k becomes its yield. */
static bool inline_operand(Fuse *f, StOp *user, int k) {
  StModule *m = f->m;
  const StOp *p = user->operand[k]->def;
  StNest *n = &user->u.nest;
  const StAffine *map = n->in[k].map;
  const StNest *pn = &p->u.nest;
  StGuard outer = n->in[k].guard;
  StInput *in = ST_NEW_N(m->arena, StInput, p->noperands + 1);
  for (int i = 0; i < p->noperands; i++) {
    int rank = p->operand[i]->type.rank;
    in[i].guard = pn->in[i].guard;
    if (!compose_guard(p, map, &in[i].guard))
      return false;
    if (in[i].guard.dim < 0)
      in[i].guard = outer;
    if (!pn->in[i].map)
      continue;
    in[i].map = ST_NEW_N(m->arena, StAffine, rank + 1);
    for (int d = 0; d < rank; d++)
      in[i].map[d] = compose(m->arena, p, map, &pn->in[i].map[d]);
  }
  int *operand = ST_NEW_N(m->arena, int, p->noperands + 1);
  for (int i = 0; i < p->noperands; i++)
    operand[i] = add_operand(m, user, p->operand[i], in[i]);
  StBody body = {0};
  int *moved = ST_NEW_N(m->arena, int, pn->body.n + 1);
  for (int x = 0; x < pn->body.n; x++) {
    StExpr e = pn->body.at[x];
    for (int i = 0; i < 3; i++)
      e.arg[i] = e.arg[i] >= 0 ? moved[e.arg[i]] : -1;
    if (e.kind == ST_X_ARG || e.kind == ST_X_EXTRACT)
      e.operand = operand[e.operand];
    if (e.kind == ST_X_INDEX)
      e.affine = compose(m->arena, p, map, &e.affine);
    if (e.kind == ST_X_EXTRACT) {
      int *idx = ST_NEW_N(m->arena, int, e.nindices + 1);
      for (int i = 0; i < e.nindices; i++)
        idx[i] = moved[e.indices[i]];
      e.indices = idx;
    }
    moved[x] = st_expr_push(m, &body, e);
  }
  int yield = moved[pn->out[0].yield];
  int *own = ST_NEW_N(m->arena, int, n->body.n + 1);
  for (int x = 0; x < n->body.n; x++) {
    StExpr e = n->body.at[x];
    if (e.kind == ST_X_ARG && e.operand == k) {
      own[x] = yield;
      continue;
    }
    for (int i = 0; i < 3; i++)
      e.arg[i] = e.arg[i] >= 0 ? own[e.arg[i]] : -1;
    if (e.kind == ST_X_EXTRACT) {
      int *idx = ST_NEW_N(m->arena, int, e.nindices + 1);
      for (int i = 0; i < e.nindices; i++)
        idx[i] = own[e.indices[i]];
      e.indices = idx;
    }
    own[x] = st_expr_push(m, &body, e);
  }
  for (int r = 0; r < user->nresults; r++)
    n->out[r].yield = own[n->out[r].yield];
  n->body = body;
  drop_operand(user, k);
  for (int i = 0; i < p->noperands; i++)
    f->uses[p->operand[i]->id]++;
  f->uses[p->result[0]->id]--;
  return true;
}

static bool is_extract_table(const StOp *op, int k) {
  return !op->u.nest.in[k].map;
}

static void fuse_into(Fuse *f, StOp *user) {
  for (int k = 0; k < user->noperands;)
    if (is_extract_table(user, k) || !may_inline(f, user, k) ||
        !inline_operand(f, user, k))
      k++;
    else
      k = 0;
}

bool st_pass_fuse_elementwise(StModule *m, const StPassContext *ctx) {
  Fuse f = {.m = m};
  StArena *scratch = st_arena_new();
  f.uses = ST_NEW_N(scratch, int, m->next_value + 1);
  for (int i = 0; i < m->op.n; i++)
    for (int k = 0; k < m->op.at[i]->noperands; k++)
      f.uses[m->op.at[i]->operand[k]->id]++;
  for (int i = 0; i < m->op.n; i++)
    if (m->op.at[i]->kind == ST_OP_GENERIC)
      fuse_into(&f, m->op.at[i]);
  st_arena_free(scratch);
  return st_pass_simplify(m, ctx);
}
