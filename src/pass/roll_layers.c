/* roll-layers: one block of hardware for repeated layers.
 *
 * 1. The ops that depend on the step's inputs, in order, get signatures:
 *    everything about an op but which parameters, constants and values it
 *    reads. A period p with L > 1 equal stretches is a candidate; the one that
 *    saves most ops is tried first.
 * 2. The stretches are compared operand by operand. What the same operand of
 *    all L stretches reads must be: the same op of the stretch itself; the
 *    same op of the stretch before (carried, the first stretch reads the
 *    initial value); the same value (invariant); L parameters or constants of
 *    one type (stacked); ops that depend on no input but are equal likewise
 *    (they join the block); or different values from outside (selected by a
 *    table). Constants inside bodies that differ become stacked constants.
 * 3. Stretch 0 becomes the block, the others go.
 *
 *   %a = mm %x, @w0    %r = carry %x, %b     } scope 1, trip 2
 *   %b = relu %a    -> %a = mm %r, @[w0, w1] }
 *   %c = mm %b, @w1    %b = relu %a          }
 *   %d = relu %c
 */
#include "pass/pass.h"

#include <string.h>

#include "base/hash.h"

typedef struct { /* the L values that one operand reads, and their new one */
  StValue **from;
  StValue *to;
} Stack;

typedef struct { /* L equal ops that become one */
  StOp **from;
  StOp *to;
  StValue **operand; /* of `to`, once the candidate is accepted */
} Group;

typedef struct {
  StModule *m;
  StArena *scratch;
  bool *live_in;     /* [value id] depends on an input of the step */
  uint64_t *sig;     /* [op id] */
  int *main_at;      /* [op id] position in `main`, or -1 */
  ST_VEC(StOp *) main;
  /* the candidate */
  int start, period, count;
  ST_VEC(Stack) stack;
  ST_VEC(StOp *) block; /* new order of the block */
  ST_VEC(StOp *) before;
  ST_VEC(Group) group;
  bool has_params, has_carry;
} Roll;

/* ---- signatures ------------------------------------------------------------ */

static uint64_t mix_sym(uint64_t h, StSym s) {
  h = st_hash_mix(h, (uint64_t)s.c);
  h = st_hash_mix(h, (uint64_t)s.p);
  return st_hash_mix(h, (uint64_t)s.t);
}

static uint64_t mix_affine(uint64_t h, const StAffine *e) {
  h = mix_sym(h, e->off);
  for (int i = 0; i < e->n; i++) {
    h = st_hash_mix(h, (uint64_t)e->term[i].dim);
    h = st_hash_mix(h, (uint64_t)e->term[i].coef);
  }
  return st_hash_mix(h, (uint64_t)e->n);
}

static uint64_t mix_type(uint64_t h, const StType *t) {
  h = st_hash_mix(h, (uint64_t)t->dtype);
  for (int i = 0; i < t->rank; i++)
    h = mix_sym(h, t->shape[i]);
  return st_hash_mix(h, (uint64_t)t->rank);
}

static uint64_t mix_guard(uint64_t h, const StGuard *g) {
  h = st_hash_mix(h, (uint64_t)(g->dim + 1));
  return g->dim < 0 ? h : mix_sym(mix_sym(h, g->lo), g->hi);
}

static uint64_t mix_body(uint64_t h, const StBody *b) {
  for (int i = 0; i < b->n; i++) {
    const StExpr *e = &b->at[i];
    h = st_hash_mix(h, (uint64_t)e->kind * 64 + (uint64_t)e->dtype);
    for (int k = 0; k < 3; k++)
      h = st_hash_mix(h, (uint64_t)(e->arg[k] + 1));
    h = st_hash_mix(h, (uint64_t)e->operand * 32 + (uint64_t)e->pred);
    if (e->kind == ST_X_INDEX) {
      StAffine x = e->affine;
      x.off.c = 0; /* may differ from layer to layer */
      h = mix_affine(h, &x);
    }
    for (int k = 0; k < e->nindices; k++)
      h = st_hash_mix(h, (uint64_t)e->indices[k]);
  }
  return h;
}

/* What a stretch is made of. */
static bool is_member(const StOp *op) {
  return op->kind == ST_OP_GENERIC || op->kind == ST_OP_VIEW;
}

static uint64_t view_signature(const StOp *op) {
  uint64_t h = st_hash_mix(0, (uint64_t)op->kind);
  h = mix_type(h, &op->operand[0]->type);
  return mix_type(h, &op->result[0]->type);
}

static uint64_t signature(const StModule *m, const StOp *op) {
  const StNest *n = &op->u.nest;
  uint64_t h = st_hash_mix(0, (uint64_t)op->noperands);
  if (op->kind == ST_OP_VIEW)
    return view_signature(op);
  for (int i = 0; i < n->ndims; i++)
    h = st_hash_mix(mix_sym(h, n->dim[i].extent), n->dim[i].reduction);
  for (int k = 0; k < op->noperands; k++) {
    const StOp *def = op->operand[k]->def;
    bool stored = def->kind == ST_OP_ARG || def->kind == ST_OP_CONST;
    h = st_hash_mix(h, stored ? (uint64_t)def->kind + 1 : 0);
    if (def->kind == ST_OP_ARG)
      h = st_hash_mix(h, (uint64_t)m->arg.at[def->u.index.index[0]].role);
    h = mix_type(h, &op->operand[k]->type);
    h = mix_guard(h, &n->in[k].guard);
    for (int i = 0; n->in[k].map && i < op->operand[k]->type.rank; i++)
      h = mix_affine(h, &n->in[k].map[i]);
  }
  for (int r = 0; r < op->nresults; r++) {
    h = mix_type(h, &op->result[r]->type);
    h = mix_guard(h, &n->out[r].guard);
    h = st_hash_mix(h, (uint64_t)n->out[r].yield * 128 +
                           (uint64_t)n->out[r].combine);
    for (int i = 0; i < op->result[r]->type.rank; i++)
      h = mix_affine(h, &n->out[r].map[i]);
  }
  return mix_body(h, &n->body);
}

static bool is_input(const StPort *p) {
  return p->role == ST_ROLE_INPUT || p->role == ST_ROLE_TOKENS;
}

static void number_main(Roll *r) {
  StModule *m = r->m;
  r->live_in = ST_NEW_N(r->scratch, bool, m->next_value + 1);
  r->sig = ST_NEW_N(r->scratch, uint64_t, m->next_op + 1);
  r->main_at = ST_NEW_N(r->scratch, int, m->next_op + 1);
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    r->main_at[op->id] = -1;
    bool live = op->kind == ST_OP_ARG && op->scope == 0 &&
                is_input(&m->arg.at[op->u.index.index[0]]);
    live |= op->scope != 0;
    for (int k = 0; k < op->noperands; k++)
      live |= r->live_in[op->operand[k]->id];
    for (int k = 0; k < op->nresults; k++)
      r->live_in[op->result[k]->id] = live;
    if (!is_member(op) || op->scope)
      continue;
    r->sig[op->id] = signature(m, op);
    if (live) {
      r->main_at[op->id] = r->main.n;
      st_vec_push(r->scratch, &r->main, op);
    }
  }
}

/* ---- comparing stretches ------------------------------------------------------ */

/* Position in the candidate's stretches: *stretch and *at; false: outside. */
static bool place(const Roll *r, const StValue *v, int *stretch, int *at) {
  const StOp *op = v->def;
  int i = is_member(op) ? r->main_at[op->id] : -1;
  i -= r->start;
  if (i < 0 || i >= r->period * r->count || r->main_at[op->id] < 0)
    return false;
  *stretch = i / r->period;
  *at = i % r->period;
  return true;
}

static StValue *known(const Roll *r, StValue *const *from) {
  for (int i = 0; i < r->stack.n; i++)
    if (!memcmp(r->stack.at[i].from, from,
                (size_t)r->count * sizeof *from))
      return r->stack.at[i].to;
  return NULL;
}

static StValue *remember(Roll *r, StValue **from, StValue *to) {
  Stack s = {from, to};
  st_vec_push(r->scratch, &r->stack, s);
  return to;
}

static bool same_type(const StType *a, const StType *b) {
  bool same = a->dtype == b->dtype && a->rank == b->rank;
  for (int i = 0; same && i < a->rank; i++)
    same = st_sym_eq(a->shape[i], b->shape[i]);
  return same;
}

static StOp *new_in_block(Roll *r, StOpKind kind, StLoc loc, int noperands,
                          StValue *const *operand, const StType *type) {
  StOp *op = st_op_new(r->m, kind, loc, noperands, operand, 1);
  op->result[0]->type = *type;
  op->scope = r->m->repeat.n + 1;
  return op;
}

static StValue *stack_args(Roll *r, StValue **from) {
  StOp *op = new_in_block(r, ST_OP_ARG, from[0]->def->loc, 0, NULL,
                          &from[0]->type);
  op->name = from[0]->def->name;
  op->result[0]->name = from[0]->name;
  op->u.index.n = r->count;
  op->u.index.index = ST_NEW_N(r->m->arena, int, r->count);
  for (int i = 0; i < r->count; i++)
    op->u.index.index[i] = from[i]->def->u.index.index[0];
  st_vec_push(r->scratch, &r->before, op);
  r->has_params = true;
  return op->result[0];
}

static int64_t element_bytes(StDtype t) {
  int bits = st_dtype_bits(t);
  return bits < 8 ? 1 : bits / 8;
}

static StValue *stack_bytes(Roll *r, StLoc loc, const StType *type,
                            const void *data, int64_t bytes, bool splat) {
  StOp *op = new_in_block(r, ST_OP_CONST, loc, 0, NULL, type);
  op->u.constant = (StConst){.n = r->count, .splat = splat, .data = data,
                             .bytes = bytes};
  st_vec_push(r->scratch, &r->before, op);
  return op->result[0];
}

static StValue *stack_consts(Roll *r, StValue **from) {
  const StConst *c0 = &from[0]->def->u.constant;
  bool splat = c0->splat;
  for (int i = 0; i < r->count; i++)
    if (from[i]->def->u.constant.splat != splat ||
        from[i]->def->u.constant.n != 1)
      return NULL;
  size_t each = splat ? (size_t)element_bytes(from[0]->type.dtype)
                      : (size_t)c0->bytes;
  char *data = st_arena_alloc(r->m->arena, each * (size_t)r->count);
  for (int i = 0; i < r->count; i++)
    memcpy(data + each * (size_t)i, from[i]->def->u.constant.data, each);
  return stack_bytes(r, from[0]->def->loc, &from[0]->type, data,
                     (int64_t)each * r->count, splat);
}

/* Values from outside that differ: a select by a stacked number. */
static StValue *select_values(Roll *r, StValue **from) {
  StValue **operand = ST_NEW_N(r->scratch, StValue *, r->count + 1);
  int64_t *which = ST_NEW_N(r->m->arena, int64_t, r->count);
  int n = 0;
  for (int i = 0; i < r->count; i++) {
    int k = 0;
    while (k < n && operand[k] != from[i])
      k++;
    operand[k] = from[i];
    n = k == n ? n + 1 : n;
    which[i] = k;
  }
  const StType *t = &from[0]->type;
  StArena *a = r->m->arena;
  StType scalar = st_type_tensor(a, ST_I64, 0, NULL);
  operand[n] = stack_bytes(r, from[0]->def->loc, &scalar, which,
                           8 * (int64_t)r->count, false);
  StOp *op = new_in_block(r, ST_OP_GENERIC, from[0]->def->loc, n + 1, operand,
                          t);
  StNest *q = &op->u.nest;
  q->ndims = t->rank;
  q->dim = ST_NEW_N(a, StDim, t->rank + 1);
  q->in = ST_NEW_N(a, StInput, n + 1);
  q->out = ST_NEW_N(a, StOutput, 1);
  for (int k = 0; k <= n; k++) {
    q->in[k] = (StInput){ST_NEW_N(a, StAffine, t->rank + 1), {.dim = -1}};
    for (int i = 0; k < n && i < t->rank; i++)
      q->in[k].map[i] = st_affine_dim(a, i);
    StExpr e = {.kind = ST_X_ARG, .dtype = k < n ? t->dtype : ST_I64,
                .arg = {-1, -1, -1}, .operand = k};
    st_expr_push(r->m, &q->body, e);
  }
  int value = n - 1;
  for (int k = n - 1; k-- > 0;) {
    StExpr c = {.kind = ST_X_CONST, .dtype = ST_I64, .arg = {-1, -1, -1},
                .bits = (uint64_t)k};
    StExpr eq = {.kind = ST_X_CMPI, .dtype = ST_I1, .pred = ST_P_EQ,
                 .arg = {n, st_expr_push(r->m, &q->body, c), -1}};
    StExpr sel = {.kind = ST_X_SELECT, .dtype = t->dtype,
                  .arg = {st_expr_push(r->m, &q->body, eq), k, value}};
    value = st_expr_push(r->m, &q->body, sel);
  }
  q->out[0] = (StOutput){.yield = value, .combine = ST_X_ARG,
                         .guard = {.dim = -1}};
  q->out[0].map = ST_NEW_N(a, StAffine, t->rank + 1);
  for (int i = 0; i < t->rank; i++) {
    q->dim[i].extent = t->shape[i];
    q->out[0].map[i] = st_affine_dim(a, i);
  }
  st_vec_push(r->scratch, &r->block, op);
  return op->result[0];
}

static StOp *take_group(Roll *r, StOp **from);

static bool all_members(const Roll *r, StValue *const *v) {
  for (int i = 0; i < r->count; i++)
    if (!is_member(v[i]->def) || v[i]->def->kind != v[0]->def->kind ||
        v[i]->def->scope || v[i]->result != v[0]->result)
      return false;
  return true;
}

static bool all_kind(const Roll *r, StValue *const *v, StOpKind kind) {
  for (int i = 0; i < r->count; i++)
    if (v[i]->def->kind != kind || v[i]->def->scope ||
        v[i]->result != v[0]->result)
      return false;
  return true;
}

/* The initial value and what the stretch before made. */
static StValue *carry(Roll *r, StValue **v, int at, int result) {
  StValue *next = r->main.at[r->start + at]->result[result];
  StValue *operand[2] = {v[0], next};
  StOp *op = new_in_block(r, ST_OP_CARRY, v[0]->def->loc, 2, operand,
                          &v[0]->type);
  st_vec_push(r->scratch, &r->before, op);
  r->has_carry = true;
  return op->result[0];
}

/* Is v[i] op `at` of stretch i - back, for all i >= back? */
static bool follows(const Roll *r, StValue *const *v, int back, int *at) {
  for (int i = back; i < r->count; i++) {
    int stretch, k;
    if (!place(r, v[i], &stretch, &k) || stretch != i - back ||
        v[i]->result != v[back]->result || (i > back && k != *at))
      return false;
    *at = k;
  }
  return true;
}

/* What the block reads where stretch i reads v[i]; NULL: not the same. */
static StValue *merge(Roll *r, StValue **v) {
  StValue *to = known(r, v);
  if (to)
    return to;
  int at = 0, stretch;
  bool same = true, outside = true;
  for (int i = 0; i < r->count; i++) {
    same &= v[i] == v[0];
    outside &= !place(r, v[i], &stretch, &at);
    if (!same_type(&v[i]->type, &v[0]->type))
      return NULL;
  }
  if (follows(r, v, 0, &at))
    return v[0];
  if (same && outside)
    return v[0];
  if (!place(r, v[0], &stretch, &at) && follows(r, v, 1, &at))
    return remember(r, v, carry(r, v, at, v[1]->result));
  if (!outside)
    return NULL;
  if (all_kind(r, v, ST_OP_ARG))
    return remember(r, v, stack_args(r, v));
  if (all_kind(r, v, ST_OP_CONST) && (to = stack_consts(r, v)))
    return remember(r, v, to);
  if (all_members(r, v)) {
    StOp **group = ST_NEW_N(r->scratch, StOp *, r->count);
    bool equal = true, distinct = true;
    for (int i = 0; i < r->count; i++) {
      group[i] = v[i]->def;
      equal &= r->sig[group[i]->id] == r->sig[group[0]->id] &&
               !r->live_in[v[i]->id];
      for (int j = 0; j < i; j++)
        distinct &= group[j] != group[i];
    }
    StOp *op = equal && distinct ? take_group(r, group) : NULL;
    if (op)
      return remember(r, v, op->result[v[0]->result]);
  }
  return remember(r, v, select_values(r, v));
}

/* A copy of an op that may have users outside of the block. */
static StOp *clone(Roll *r, const StOp *op) {
  StOp *c = st_op_new(r->m, op->kind, op->loc, op->noperands, op->operand,
                      op->nresults);
  StNest *n = &c->u.nest;
  StArena *a = r->m->arena;
  c->name = op->name;
  for (int i = 0; i < op->nresults; i++)
    c->result[i]->type = op->result[i]->type;
  if (op->kind == ST_OP_VIEW)
    return c;
  *n = op->u.nest;
  n->in = ST_NEW_N(a, StInput, op->noperands + 1);
  memcpy(n->in, op->u.nest.in, (size_t)op->noperands * sizeof *n->in);
  n->out = ST_NEW_N(a, StOutput, op->nresults + 1);
  memcpy(n->out, op->u.nest.out, (size_t)op->nresults * sizeof *n->out);
  return c;
}

/* Merge the operands of L equal ops: the op of the block, or NULL. */
static StOp *take_group(Roll *r, StOp **from) {
  Group g = {.from = from};
  g.operand = ST_NEW_N(r->m->arena, StValue *, from[0]->noperands + 1);
  for (int k = 0; k < from[0]->noperands; k++) {
    StValue **v = ST_NEW_N(r->scratch, StValue *, r->count);
    for (int i = 0; i < r->count; i++)
      v[i] = from[i]->operand[k];
    g.operand[k] = merge(r, v);
    if (!g.operand[k])
      return NULL;
  }
  g.to = r->main_at[from[0]->id] >= 0 ? from[0] : clone(r, from[0]);
  st_vec_push(r->scratch, &r->group, g);
  st_vec_push(r->scratch, &r->block, g.to);
  return g.to;
}

/* ---- bodies --------------------------------------------------------------------- */

static int add_scalar(Roll *r, StOp *op, StDtype type, const void *data,
                      int64_t bytes) {
  StArena *a = r->m->arena;
  int k = op->noperands++;
  StValue **operand = ST_NEW_N(a, StValue *, k + 1);
  StInput *in = ST_NEW_N(a, StInput, k + 1);
  memcpy(operand, op->operand, (size_t)k * sizeof *operand);
  memcpy(in, op->u.nest.in, (size_t)k * sizeof *in);
  StType scalar = st_type_tensor(a, type, 0, NULL);
  operand[k] = stack_bytes(r, op->loc, &scalar, data, bytes, false);
  in[k] = (StInput){ST_NEW_N(a, StAffine, 1), {.dim = -1}};
  op->operand = operand;
  op->u.nest.in = in;
  return k;
}

/* The operand with the differing constants of expression x, or -1. */
static int lift_expr(Roll *r, const Group *g, int x) {
  const StExpr *e0 = &g->from[0]->u.nest.body.at[x];
  bool index = e0->kind == ST_X_INDEX, differs = false;
  if (!index && e0->kind != ST_X_CONST)
    return -1;
  int64_t each = index ? 8 : element_bytes(e0->dtype);
  char *data = st_arena_alloc(r->m->arena, (size_t)(each * r->count));
  for (int i = 0; i < r->count; i++) {
    const StExpr *e = &g->from[i]->u.nest.body.at[x];
    uint64_t bits = index ? (uint64_t)(e->affine.off.c - e0->affine.off.c)
                          : e->bits;
    differs |= bits != (index ? 0 : e0->bits);
    memcpy(data + each * i, &bits, (size_t)each);
  }
  return differs ? add_scalar(r, g->to, index ? ST_I64 : e0->dtype, data,
                              each * r->count)
                 : -1;
}

static void lift_constants(Roll *r, const Group *g) {
  StNest *n = &g->to->u.nest;
  StBody old = g->from[0]->u.nest.body, out = {0};
  int *moved = ST_NEW_N(r->scratch, int, old.n + 1);
  for (int x = 0; x < old.n; x++) {
    StExpr e = old.at[x];
    for (int k = 0; k < 3; k++)
      e.arg[k] = e.arg[k] >= 0 ? moved[e.arg[k]] : -1;
    int *idx = ST_NEW_N(r->m->arena, int, e.nindices + 1);
    for (int k = 0; k < e.nindices; k++)
      idx[k] = moved[e.indices[k]];
    e.indices = idx;
    int k = lift_expr(r, g, x);
    StExpr lifted = {.kind = ST_X_ARG, .dtype = e.dtype, .arg = {-1, -1, -1},
                     .operand = k};
    if (k < 0) {
      moved[x] = st_expr_push(r->m, &out, e);
    } else if (e.kind == ST_X_CONST) {
      moved[x] = st_expr_push(r->m, &out, lifted);
    } else {
      int base = st_expr_push(r->m, &out, e);
      StExpr sum = {.kind = ST_X_ADDI, .dtype = ST_I64,
                    .arg = {base, st_expr_push(r->m, &out, lifted), -1}};
      moved[x] = st_expr_push(r->m, &out, sum);
    }
  }
  for (int i = 0; i < g->to->nresults; i++)
    n->out[i].yield = moved[n->out[i].yield];
  n->body = out;
}

/* ---- accepting a candidate ----------------------------------------------------- */

/* result ops of the stretches: [at * most + result] -> L ops. False where some
 * but not all of the stretches return a value (other than the last alone). */
typedef struct {
  StOp **op; /* [count] */
  int at, result, seen;
} Returned;

typedef ST_VEC(Returned) ReturnedVec;

static void collect_results(Roll *r, ReturnedVec *out) {
  for (int i = 0; i < r->m->op.n; i++) {
    StOp *op = r->m->op.at[i];
    int stretch, at;
    if (op->kind != ST_OP_RESULT || !place(r, op->operand[0], &stretch, &at))
      continue;
    Returned *e = NULL;
    for (int k = 0; k < out->n && !e; k++)
      if (out->at[k].at == at &&
          out->at[k].result == op->operand[0]->result &&
          !out->at[k].op[stretch])
        e = &out->at[k];
    if (!e) {
      Returned n = {ST_NEW_N(r->scratch, StOp *, r->count), at,
                    op->operand[0]->result, 0};
      st_vec_push(r->scratch, out, n);
      e = &out->at[out->n - 1];
    }
    e->op[stretch] = op;
    e->seen++;
  }
}

/* Values of the stretches that are used outside come from the last one. */
static bool check_uses(const Roll *r, const ReturnedVec *results) {
  for (int k = 0; k < results->n; k++)
    if (results->at[k].seen != r->count &&
        !(results->at[k].seen == 1 && results->at[k].op[r->count - 1]))
      return false;
  for (int i = 0; i < r->m->op.n; i++) {
    const StOp *op = r->m->op.at[i];
    int stretch, at;
    if (op->kind == ST_OP_RESULT ||
        (op->nresults && place(r, op->result[0], &stretch, &at)))
      continue;
    for (int k = 0; k < op->noperands; k++)
      if (place(r, op->operand[k], &stretch, &at) && stretch != r->count - 1)
        return false;
  }
  return true;
}

static void return_list(Roll *r, const Returned *e) {
  StValue *v = r->main.at[r->start + e->at]->result[e->result];
  StOp *op = st_op_new(r->m, ST_OP_RESULT, e->op[0]->loc, 1, &v, 0);
  op->scope = r->m->repeat.n + 1;
  op->name = e->op[0]->name;
  op->u.index.n = r->count;
  op->u.index.index = ST_NEW_N(r->m->arena, int, r->count);
  for (int i = 0; i < r->count; i++) {
    op->u.index.index[i] = e->op[i]->u.index.index[0];
    e->op[i]->noperands = 0; /* dropped below */
  }
  st_vec_push(r->scratch, &r->block, op);
}

/* Users outside read the block's op instead of the last stretch's. */
static void redirect(Roll *r, StOp *op) {
  int stretch, at;
  for (int k = 0; k < op->noperands; k++)
    if (place(r, op->operand[k], &stretch, &at))
      op->operand[k] = r->main.at[r->start + at]->result[op->operand[k]->result];
}

/* pre, stacks and carries, the block, post. */
static void reorder(Roll *r) {
  StModule *m = r->m;
  ST_VEC(StOp *) pre = {0}, post = {0};
  bool *after = ST_NEW_N(r->scratch, bool, m->next_value + 1);
  int stretch, at;
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    if (op->kind == ST_OP_RESULT && op->noperands == 0)
      continue;
    if (op->nresults && place(r, op->result[0], &stretch, &at))
      continue;
    bool late = false;
    for (int k = 0; k < op->noperands; k++)
      late |= place(r, op->operand[k], &stretch, &at) ||
              after[op->operand[k]->id];
    for (int k = 0; k < op->nresults; k++)
      after[op->result[k]->id] = late;
    redirect(r, op);
    if (late)
      st_vec_push(r->scratch, &post, op);
    else
      st_vec_push(r->scratch, &pre, op);
  }
  m->op.n = 0;
  for (int i = 0; i < pre.n; i++)
    st_op_append(m, pre.at[i]);
  for (int i = 0; i < r->before.n; i++)
    st_op_append(m, r->before.at[i]);
  for (int i = 0; i < r->block.n; i++)
    st_op_append(m, r->block.at[i]);
  for (int i = 0; i < post.n; i++)
    st_op_append(m, post.at[i]);
}

static void accept(Roll *r, const ReturnedVec *results) {
  for (int i = 0; i < r->group.n; i++) {
    Group *g = &r->group.at[i];
    g->to->operand = g->operand;
    g->to->scope = r->m->repeat.n + 1;
    if (g->to->kind == ST_OP_GENERIC)
      lift_constants(r, g);
  }
  for (int k = 0; k < results->n; k++)
    if (results->at[k].seen == r->count)
      return_list(r, &results->at[k]);
  reorder(r);
  StRepeat repeat = {r->count};
  st_vec_push(r->m->arena, &r->m->repeat, repeat);
}

static bool try_candidate(Roll *r, int start, int period, int count) {
  r->start = start;
  r->period = period;
  r->count = count;
  r->stack.n = r->block.n = r->before.n = r->group.n = 0;
  r->has_params = r->has_carry = false;
  for (int k = 0; k < period; k++) {
    StOp **from = ST_NEW_N(r->scratch, StOp *, count);
    for (int i = 0; i < count; i++)
      from[i] = r->main.at[start + i * period + k];
    if (!take_group(r, from))
      return false;
  }
  ReturnedVec results = {0};
  collect_results(r, &results);
  if (!r->has_params || !r->has_carry || !check_uses(r, &results))
    return false;
  accept(r, &results);
  return true;
}

/* ---- candidates ------------------------------------------------------------------ */

typedef struct {
  int start, length, period, count;
} Run;

/* The longest run of every period, best saving first. */
static int find_runs(const Roll *r, Run *run) {
  int n = 0;
  for (int p = 1; p <= r->main.n / 2; p++) {
    Run best = {.period = p};
    for (int i = 0, length = 0; i + p < r->main.n; i++) {
      bool same = r->sig[r->main.at[i]->id] == r->sig[r->main.at[i + p]->id];
      length = same ? length + 1 : 0;
      if (length > best.length) {
        best.length = length;
        best.start = i - length + 1;
      }
    }
    best.count = best.length / p + 1;
    if (best.count < 2)
      continue;
    int at = n++;
    while (at > 0 && (run[at - 1].count - 1) * run[at - 1].period <
                         (best.count - 1) * p) {
      run[at] = run[at - 1];
      at--;
    }
    run[at] = best;
  }
  return n;
}

static bool roll_once(StModule *m) {
  Roll r = {.m = m, .scratch = st_arena_new()};
  number_main(&r);
  Run *run = ST_NEW_N(r.scratch, Run, r.main.n + 1);
  int n = find_runs(&r, run);
  bool done = false;
  for (int i = 0; i < n && !done; i++) {
    int spare = run[i].length - (run[i].count - 1) * run[i].period;
    for (int o = 0; o <= spare && !done; o++)
      done = try_candidate(&r, run[i].start + o, run[i].period, run[i].count);
  }
  st_arena_free(r.scratch);
  return done;
}

bool st_pass_roll_layers(StModule *m, const StPassContext *ctx) {
  while (roll_once(m))
    if (!st_pass_simplify(m, ctx))
      return false;
  return true;
}
