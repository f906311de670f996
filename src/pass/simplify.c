/* simplify: bodies and ops that need no hardware go away.
 *
 * In bodies: integer arithmetic on indices becomes an affine `index`; constants
 * fold; an `extract` whose indices are all affine becomes a plain operand; a
 * splat operand becomes a constant; unused expressions and operands go. Ops
 * that reach no result go. Runs to a fixed point per op, once per module. */
#include "pass/pass.h"

#include <string.h>

#include "base/num.h"

/* ---- expressions -------------------------------------------------------- */

static StExpr index_expr(StAffine e) {
  return (StExpr){.kind = ST_X_INDEX, .dtype = ST_I64, .arg = {-1, -1, -1},
                  .affine = e};
}

static StExpr const_expr(StDtype t, uint64_t bits) {
  return (StExpr){.kind = ST_X_CONST, .dtype = t, .arg = {-1, -1, -1},
                  .bits = bits};
}

static int64_t sign_extend(uint64_t bits, StDtype t) {
  int n = st_dtype_bits(t);
  return n >= 64 ? (int64_t)bits
                 : (int64_t)(bits << (64 - n)) >> (64 - n);
}

static uint64_t truncate_bits(int64_t v, StDtype t) {
  int n = st_dtype_bits(t);
  return n >= 64 ? (uint64_t)v : (uint64_t)v & ((UINT64_C(1) << n) - 1);
}

/* An i64 expression as affine form: an index or an i64 constant. */
static bool as_affine(const StExpr *e, StAffine *out) {
  if (e->kind == ST_X_INDEX) {
    *out = e->affine;
    return true;
  }
  if (e->kind == ST_X_CONST && e->dtype == ST_I64) {
    *out = st_affine_const(st_sym_const((int64_t)e->bits));
    return true;
  }
  return false;
}

static bool is_const_affine(const StAffine *e) {
  return e->n == 0 && e->off.p == 0 && e->off.t == 0;
}

/* addi, subi, muli on indices. */
static bool fold_affine(StModule *m, const StBody *b, StExpr *e) {
  StAffine x, y, r;
  if (e->dtype != ST_I64 || e->arg[1] < 0 ||
      !as_affine(&b->at[e->arg[0]], &x) || !as_affine(&b->at[e->arg[1]], &y))
    return false;
  if (e->kind == ST_X_ADDI)
    r = st_affine_add(m->arena, x, y);
  else if (e->kind == ST_X_SUBI)
    r = st_affine_add(m->arena, x, st_affine_scale(m->arena, y, -1));
  else if (e->kind == ST_X_MULI && is_const_affine(&y))
    r = st_affine_scale(m->arena, x, y.off.c);
  else if (e->kind == ST_X_MULI && is_const_affine(&x))
    r = st_affine_scale(m->arena, y, x.off.c);
  else
    return false;
  *e = is_const_affine(&r) ? const_expr(ST_I64, (uint64_t)r.off.c)
                           : index_expr(r);
  return true;
}

static bool compare(StPredicate p, int64_t a, int64_t b, bool *r) {
  switch ((int)p) {
  case ST_P_EQ:
    return *r = a == b, true;
  case ST_P_NE:
    return *r = a != b, true;
  case ST_P_SLT:
    return *r = a < b, true;
  case ST_P_SLE:
    return *r = a <= b, true;
  case ST_P_SGT:
    return *r = a > b, true;
  case ST_P_SGE:
    return *r = a >= b, true;
  default:
    return false;
  }
}

/* One operand, constant. */
static bool fold_convert(const StExpr *a, StExpr *e) {
  float f;
  int64_t v = sign_extend(a->bits, a->dtype);
  uint64_t bits = a->bits;
  switch ((int)e->kind) {
  case ST_X_EXTSI:
  case ST_X_TRUNCI:
    bits = truncate_bits(v, e->dtype);
    break;
  case ST_X_EXTUI:
    break;
  case ST_X_SITOFP:
    if (e->dtype != ST_F32)
      return false;
    f = st_num_from_i64(v);
    bits = 0;
    memcpy(&bits, &f, 4);
    break;
  case ST_X_NEGF:
    if (e->dtype != ST_F32)
      return false;
    bits = a->bits ^ UINT64_C(0x80000000);
    break;
  default:
    return false;
  }
  *e = const_expr(e->dtype, bits);
  return true;
}

static bool fold_pair(const StExpr *a, const StExpr *b, StExpr *e) {
  bool r;
  int64_t x = sign_extend(a->bits, a->dtype), y = sign_extend(b->bits, b->dtype);
  switch ((int)e->kind) {
  case ST_X_CMPI:
    if (!compare(e->pred, x, y, &r))
      return false;
    *e = const_expr(ST_I1, r);
    return true;
  case ST_X_ANDI:
    *e = const_expr(e->dtype, a->bits & b->bits);
    return true;
  case ST_X_ORI:
    *e = const_expr(e->dtype, a->bits | b->bits);
    return true;
  case ST_X_ADDI:
    *e = const_expr(e->dtype, truncate_bits(x + y, e->dtype));
    return true;
  default:
    return false;
  }
}

/* x op neutral, and the like: the expression that e equals, or -1. */
static int fold_identity(const StBody *b, const StExpr *e) {
  const StExpr *x = e->arg[0] >= 0 ? &b->at[e->arg[0]] : NULL;
  const StExpr *y = e->arg[1] >= 0 ? &b->at[e->arg[1]] : NULL;
  uint64_t one = UINT64_C(0x3f800000);
  bool f32 = e->dtype == ST_F32;
  if (e->kind == ST_X_SELECT && x->kind == ST_X_CONST)
    return x->bits & 1 ? e->arg[1] : e->arg[2];
  if (e->kind == ST_X_SELECT && e->arg[1] == e->arg[2])
    return e->arg[1];
  if (e->kind == ST_X_ANDI && e->dtype == ST_I1) {
    if (x->kind == ST_X_CONST)
      return x->bits & 1 ? e->arg[1] : e->arg[0];
    if (y->kind == ST_X_CONST)
      return y->bits & 1 ? e->arg[0] : e->arg[1];
  }
  if ((e->kind == ST_X_MULF || e->kind == ST_X_DIVF) && f32 &&
      y->kind == ST_X_CONST && y->bits == one)
    return e->arg[0];
  if (e->kind == ST_X_MULF && f32 && x->kind == ST_X_CONST && x->bits == one)
    return e->arg[1];
  if ((e->kind == ST_X_EXTSI || e->kind == ST_X_EXTUI ||
       e->kind == ST_X_TRUNCI || e->kind == ST_X_EXTF ||
       e->kind == ST_X_TRUNCF) && x->dtype == e->dtype)
    return e->arg[0];
  return -1;
}

/* select(extent of d == 1, 0, d) is d: how a broadcast along a dim of unknown
 * extent is written. The index's position, or -1. */
static int fold_broadcast(const StNest *n, const StBody *b, const StExpr *e) {
  if (e->kind != ST_X_SELECT || e->dtype != ST_I64)
    return -1;
  const StExpr *is = &b->at[e->arg[0]], *zero = &b->at[e->arg[1]];
  const StExpr *index = &b->at[e->arg[2]];
  StAffine extent, one;
  if (is->kind != ST_X_CMPI || is->pred != ST_P_EQ ||
      zero->kind != ST_X_CONST || zero->bits != 0 ||
      index->kind != ST_X_INDEX || index->affine.n != 1 ||
      index->affine.term[0].coef != 1 ||
      !st_sym_eq(index->affine.off, st_sym_const(0)) ||
      !as_affine(&b->at[is->arg[0]], &extent) || extent.n != 0 ||
      !as_affine(&b->at[is->arg[1]], &one) || !is_const_affine(&one) ||
      one.off.c != 1)
    return -1;
  int d = index->affine.term[0].dim;
  return st_sym_eq(n->dim[d].extent, extent.off) ? e->arg[2] : -1;
}

/* ---- operands ------------------------------------------------------------ */

/* The value of a splat (or one-element) constant. */
static bool splat_of(const StValue *v, uint64_t *bits) {
  const StOp *op = v->def;
  if (op->kind != ST_OP_CONST || op->u.constant.n != 1)
    return false;
  int n = st_dtype_bits(v->type.dtype);
  int bytes = n < 8 ? 1 : n / 8;
  if (!op->u.constant.splat && op->u.constant.bytes != bytes)
    return false;
  *bits = 0;
  memcpy(bits, op->u.constant.data, (size_t)bytes);
  return true;
}

/* extract with affine indices -> an operand of its own. */
static bool plain_extract(StModule *m, StOp *op, const StBody *b, StExpr *e) {
  StNest *n = &op->u.nest;
  int rank = e->nindices;
  StAffine *map = ST_NEW_N(m->arena, StAffine, rank + 1);
  for (int i = 0; i < rank; i++)
    if (!as_affine(&b->at[e->indices[i]], &map[i]) || map[i].n > 1)
      return false;
  int k = op->noperands;
  StValue **operand = ST_NEW_N(m->arena, StValue *, k + 1);
  StInput *in = ST_NEW_N(m->arena, StInput, k + 1);
  memcpy(operand, op->operand, (size_t)k * sizeof *operand);
  memcpy(in, n->in, (size_t)k * sizeof *in);
  operand[k] = op->operand[e->operand];
  in[k] = (StInput){.map = map, .guard = {.dim = -1}};
  op->operand = operand;
  op->noperands++;
  n->in = in;
  *e = (StExpr){.kind = ST_X_ARG, .dtype = e->dtype, .arg = {-1, -1, -1},
                .operand = k};
  return true;
}

/* e in its simplest form at the end of `out`; its position. */
static int simplify_expr(StModule *m, StOp *op, StBody *out, StExpr e) {
  uint64_t bits;
  StAffine x;
  if (e.kind == ST_X_ARG && op->u.nest.in[e.operand].guard.dim < 0 &&
      splat_of(op->operand[e.operand], &bits))
    e = const_expr(e.dtype, bits);
  if (e.kind == ST_X_EXTRACT)
    plain_extract(m, op, out, &e);
  if (e.kind == ST_X_INDEX && is_const_affine(&e.affine))
    e = const_expr(ST_I64, (uint64_t)e.affine.off.c);
  if (e.arg[0] >= 0) {
    int same = fold_identity(out, &e);
    if (same < 0)
      same = fold_broadcast(&op->u.nest, out, &e);
    if (same >= 0)
      return same;
    const StExpr *a = &out->at[e.arg[0]];
    if (!fold_affine(m, out, &e)) {
      if (a->kind == ST_X_CONST && e.arg[1] < 0)
        fold_convert(a, &e);
      else if (a->kind == ST_X_CONST && e.arg[2] < 0 &&
               out->at[e.arg[1]].kind == ST_X_CONST)
        fold_pair(a, &out->at[e.arg[1]], &e);
    }
    if ((e.kind == ST_X_EXTSI) && e.dtype == ST_I64 && as_affine(a, &x))
      return e.arg[0];
  }
  for (int i = 0; i < out->n; i++) { /* common subexpressions */
    const StExpr *o = &out->at[i];
    if (o->kind == e.kind && o->dtype == e.dtype && o->pred == e.pred &&
        o->arg[0] == e.arg[0] && o->arg[1] == e.arg[1] &&
        o->arg[2] == e.arg[2] && o->operand == e.operand &&
        o->bits == e.bits && e.kind != ST_X_EXTRACT &&
        (e.kind != ST_X_INDEX || st_affine_eq(&o->affine, &e.affine)))
      return i;
  }
  return st_expr_push(m, out, e);
}

static void mark_used(const StBody *b, bool *used, int x) {
  used[x] = true;
  for (int i = x; i >= 0; i--) {
    if (!used[i])
      continue;
    const StExpr *e = &b->at[i];
    for (int k = 0; k < 3; k++)
      if (e->arg[k] >= 0)
        used[e->arg[k]] = true;
    for (int k = 0; k < e->nindices; k++)
      used[e->indices[k]] = true;
  }
}

/* Drop what no yield uses, then operands that no expression uses. */
static void prune(StModule *m, StOp *op) {
  StNest *n = &op->u.nest;
  StArena *a = m->arena;
  bool *used = ST_NEW_N(a, bool, n->body.n + 1);
  int *moved = ST_NEW_N(a, int, n->body.n + 1);
  for (int r = 0; r < op->nresults; r++)
    mark_used(&n->body, used, n->out[r].yield);
  bool *live = ST_NEW_N(a, bool, op->noperands + 1);
  int *to = ST_NEW_N(a, int, op->noperands + 1);
  for (int x = 0; x < n->body.n; x++) {
    const StExpr *e = &n->body.at[x];
    if (used[x] && (e->kind == ST_X_ARG || e->kind == ST_X_EXTRACT))
      live[e->operand] = true;
  }
  int kept = 0;
  for (int k = 0; k < op->noperands; k++) {
    to[k] = kept;
    if (!live[k])
      continue;
    op->operand[kept] = op->operand[k];
    n->in[kept++] = n->in[k];
  }
  op->noperands = kept;
  StBody out = {0};
  for (int x = 0; x < n->body.n; x++) {
    if (!used[x])
      continue;
    StExpr e = n->body.at[x];
    for (int k = 0; k < 3; k++)
      e.arg[k] = e.arg[k] >= 0 ? moved[e.arg[k]] : -1;
    for (int k = 0; k < e.nindices; k++)
      e.indices[k] = moved[e.indices[k]];
    if (e.kind == ST_X_ARG || e.kind == ST_X_EXTRACT)
      e.operand = to[e.operand];
    moved[x] = st_expr_push(m, &out, e);
  }
  for (int r = 0; r < op->nresults; r++)
    n->out[r].yield = moved[n->out[r].yield];
  n->body = out;
}

static void simplify_nest(StModule *m, StOp *op) {
  StNest *n = &op->u.nest;
  StBody old = n->body, out = {0};
  int *moved = ST_NEW_N(m->arena, int, old.n + 1);
  for (int x = 0; x < old.n; x++) {
    StExpr e = old.at[x];
    for (int k = 0; k < 3; k++)
      e.arg[k] = e.arg[k] >= 0 ? moved[e.arg[k]] : -1;
    if (e.nindices) {
      int *idx = ST_NEW_N(m->arena, int, e.nindices);
      for (int k = 0; k < e.nindices; k++)
        idx[k] = moved[e.indices[k]];
      e.indices = idx;
    }
    moved[x] = simplify_expr(m, op, &out, e);
  }
  for (int r = 0; r < op->nresults; r++)
    n->out[r].yield = moved[n->out[r].yield];
  n->body = out;
  prune(m, op);
}

/* ---- the module ------------------------------------------------------------ */

void st_pass_drop_dead(StModule *m) {
  StArena *scratch = st_arena_new();
  bool *live = ST_NEW_N(scratch, bool, m->next_value + 1);
  bool changed = true;
  while (changed) { /* `carry` uses values that are defined later */
    changed = false;
    for (int i = m->op.n; i-- > 0;) {
      const StOp *op = m->op.at[i];
      bool needed = op->kind == ST_OP_RESULT || op->kind == ST_OP_STORE;
      for (int r = 0; r < op->nresults; r++)
        needed |= live[op->result[r]->id];
      if (!needed)
        continue;
      for (int k = 0; k < op->noperands; k++)
        if (!live[op->operand[k]->id])
          live[op->operand[k]->id] = changed = true;
    }
  }
  int kept = 0;
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    bool keep = op->nresults == 0;
    for (int r = 0; r < op->nresults; r++)
      keep |= live[op->result[r]->id];
    if (keep)
      m->op.at[kept++] = op;
  }
  m->op.n = kept;
  st_arena_free(scratch);
}

bool st_pass_simplify(StModule *m, const StPassContext *ctx) {
  (void)ctx;
  for (int i = 0; i < m->op.n; i++)
    if (m->op.at[i]->kind == ST_OP_GENERIC)
      simplify_nest(m, m->op.at[i]);
  st_pass_drop_dead(m);
  st_module_renumber(m);
  return true;
}
