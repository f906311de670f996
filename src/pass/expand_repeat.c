/* expand-repeat: the iteration of a block becomes a dim of its ops.
 *
 * Every generic of a block gets the block's iteration as dim 0, every value of
 * the block a leading data dim. `carry` becomes a generic with two guarded
 * operands, the second of which reads what the previous iteration made:
 *
 *   %c = carry %init, %next
 *   %c = generic [layer, t, n] (%init[t, n]        where 0 <= layer < 1,
 *                               %next[layer-1,t,n] where 1 <= layer < L)
 *
 * A use outside of the block reads position L - 1. Tables that are indexed by
 * data are split off as gathering loads (`split_gathers`). */
#include "pass/pass.h"

#include <string.h>

typedef struct {
  StModule *m;
  const StPassContext *ctx;
  StArena *a;
  ST_VEC(StOp *) out;
} Expand;

static int64_t trip_of(const StModule *m, int scope) {
  return m->repeat.at[scope - 1].trip;
}

static StAffine shift_dims(StArena *a, const StAffine *e) {
  StAffine r = {.off = e->off, .n = e->n,
                .term = ST_NEW_N(a, StTerm, e->n + 1)};
  for (int i = 0; i < e->n; i++)
    r.term[i] = (StTerm){e->term[i].dim + 1, e->term[i].coef};
  return r;
}

static StAffine *prefix_map(StArena *a, StAffine first, const StAffine *map,
                            int rank) {
  StAffine *r = ST_NEW_N(a, StAffine, rank + 2);
  r[0] = first;
  memcpy(r + 1, map, (size_t)rank * sizeof *r);
  return r;
}

static void prefix_shape(StArena *a, StType *t, int64_t trip) {
  StSym *s = ST_NEW_N(a, StSym, t->rank + 1);
  s[0] = st_sym_const(trip);
  memcpy(s + 1, t->shape, (size_t)t->rank * sizeof *s);
  t->shape = s;
  t->rank++;
}

/* Add the iteration as dim 0 of a generic (maps still without it). */
static void add_layer_dim(Expand *x, StOp *op) {
  StNest *n = &op->u.nest;
  StDim *dim = ST_NEW_N(x->a, StDim, n->ndims + 1);
  dim[0] = (StDim){.extent = st_sym_const(trip_of(x->m, op->scope)),
                   .iteration = true, .name = "layer"};
  memcpy(dim + 1, n->dim, (size_t)n->ndims * sizeof *dim);
  n->dim = dim;
  n->ndims++;
  for (int k = 0; k < op->noperands; k++) {
    if (n->in[k].guard.dim >= 0)
      n->in[k].guard.dim++;
    for (int i = 0; n->in[k].map && i < op->operand[k]->type.rank; i++)
      n->in[k].map[i] = shift_dims(x->a, &n->in[k].map[i]);
  }
  for (int r = 0; r < op->nresults; r++) {
    if (n->out[r].guard.dim >= 0)
      n->out[r].guard.dim++;
    for (int i = 0; i < op->result[r]->type.rank; i++)
      n->out[r].map[i] = shift_dims(x->a, &n->out[r].map[i]);
    n->out[r].map = prefix_map(x->a, st_affine_dim(x->a, 0), n->out[r].map,
                               op->result[r]->type.rank);
  }
  for (int i = 0; i < n->body.n; i++)
    if (n->body.at[i].kind == ST_X_INDEX)
      n->body.at[i].affine = shift_dims(x->a, &n->body.at[i].affine);
}

/* The position in a value's new leading dim that an operand of `user` reads. */
static StAffine position(Expand *x, const StOp *user, const StValue *v) {
  if (v->def->scope == user->scope)
    return st_affine_dim(x->a, 0);
  return st_affine_const(st_sym_const(trip_of(x->m, v->def->scope) - 1));
}

/* Indices of a table of the block: the iteration comes first. */
static void prefix_extracts(Expand *x, StOp *op, int operand, StAffine first) {
  StNest *n = &op->u.nest;
  StBody out = {0};
  int *moved = ST_NEW_N(x->a, int, n->body.n + 1);
  for (int i = 0; i < n->body.n; i++) {
    StExpr e = n->body.at[i];
    for (int k = 0; k < 3; k++)
      e.arg[k] = e.arg[k] >= 0 ? moved[e.arg[k]] : -1;
    if (e.kind == ST_X_EXTRACT) {
      bool here = e.operand == operand;
      int *idx = ST_NEW_N(x->a, int, e.nindices + 2);
      for (int k = 0; k < e.nindices; k++)
        idx[k + here] = moved[e.indices[k]];
      if (here) {
        StExpr p = {.kind = ST_X_INDEX, .dtype = ST_I64, .arg = {-1, -1, -1},
                    .affine = first};
        idx[0] = st_expr_push(x->m, &out, p);
        e.nindices++;
      }
      e.indices = idx;
    }
    moved[i] = st_expr_push(x->m, &out, e);
  }
  for (int r = 0; r < op->nresults; r++)
    n->out[r].yield = moved[n->out[r].yield];
  n->body = out;
}

static void expand_generic(Expand *x, StOp *op) {
  StNest *n = &op->u.nest;
  if (op->scope)
    add_layer_dim(x, op);
  for (int k = 0; k < op->noperands; k++) {
    const StValue *v = op->operand[k];
    if (!v->def->scope)
      continue;
    StAffine p = position(x, op, v);
    if (n->in[k].map)
      n->in[k].map = prefix_map(x->a, p, n->in[k].map, v->type.rank);
    else
      prefix_extracts(x, op, k, p);
  }
}

/* A parallel generic over the shape of `t` with `noperands` identity maps. */
static void start_copy(Expand *x, StOp *op, const StType *t) {
  StNest *n = &op->u.nest;
  memset(n, 0, sizeof *n);
  n->ndims = t->rank;
  n->dim = ST_NEW_N(x->a, StDim, t->rank + 1);
  n->in = ST_NEW_N(x->a, StInput, op->noperands);
  n->out = ST_NEW_N(x->a, StOutput, 1);
  n->out[0] = (StOutput){.combine = ST_X_ARG, .guard = {.dim = -1}};
  n->out[0].map = ST_NEW_N(x->a, StAffine, t->rank + 1);
  for (int i = 0; i < t->rank; i++) {
    n->dim[i].extent = t->shape[i];
    n->out[0].map[i] = st_affine_dim(x->a, i);
  }
  for (int k = 0; k < op->noperands; k++) {
    n->in[k].guard.dim = -1;
    n->in[k].map = ST_NEW_N(x->a, StAffine, t->rank + 1);
    for (int i = 0; i < t->rank; i++)
      n->in[k].map[i] = st_affine_dim(x->a, i);
    StExpr e = {.kind = ST_X_ARG, .dtype = t->dtype, .arg = {-1, -1, -1},
                .operand = k};
    n->out[0].yield = st_expr_push(x->m, &n->body, e);
  }
}

static void expand_carry(Expand *x, StOp *op) {
  StType t = op->result[0]->type;
  int64_t trip = trip_of(x->m, op->scope);
  op->kind = ST_OP_GENERIC;
  start_copy(x, op, &t);
  StNest *n = &op->u.nest;
  add_layer_dim(x, op);
  if (op->operand[0]->def->scope)
    n->in[0].map = prefix_map(x->a, position(x, op, op->operand[0]),
                              n->in[0].map, t.rank);
  StAffine before = st_affine_dim(x->a, 0);
  before.off = st_sym_const(-1);
  n->in[1].map = prefix_map(x->a, before, n->in[1].map, t.rank);
  n->in[0].guard = (StGuard){0, st_sym_const(0), st_sym_const(1)};
  n->in[1].guard = (StGuard){0, st_sym_const(1), st_sym_const(trip)};
  StExpr layer = {.kind = ST_X_INDEX, .dtype = ST_I64, .arg = {-1, -1, -1},
                  .affine = st_affine_dim(x->a, 0)};
  StExpr one = {.kind = ST_X_CONST, .dtype = ST_I64, .arg = {-1, -1, -1},
                .bits = 1};
  int i = st_expr_push(x->m, &n->body, layer);
  int c = st_expr_push(x->m, &n->body, one);
  StExpr first = {.kind = ST_X_CMPI, .dtype = ST_I1, .arg = {i, c, -1},
                  .pred = ST_P_SLT};
  int cmp = st_expr_push(x->m, &n->body, first);
  StExpr sel = {.kind = ST_X_SELECT, .dtype = t.dtype, .arg = {cmp, 0, 1}};
  n->out[0].yield = st_expr_push(x->m, &n->body, sel);
}

/* A view of the block reads its operand in every iteration. */
static void repeat_operand(Expand *x, StOp *op) {
  StValue *v = op->operand[0];
  StOp *copy = st_op_new(x->m, ST_OP_GENERIC, op->loc, 1, &v, 1);
  copy->result[0]->type = v->type;
  copy->scope = op->scope;
  start_copy(x, copy, &v->type);
  add_layer_dim(x, copy);
  st_vec_push(x->a, &x->out, copy);
  op->operand[0] = copy->result[0];
}

/* result or view outside the block of a value of the block: a copy of the
 * last. */
static void take_last(Expand *x, StOp *op) {
  StValue *v = op->operand[0];
  if (op->kind == ST_OP_VIEW && op->scope && !v->def->scope)
    repeat_operand(x, op);
  if (op->scope || !v->def->scope)
    return;
  StOp *copy = st_op_new(x->m, ST_OP_GENERIC, op->loc, 1, &v, 1);
  copy->result[0]->type = v->type;
  start_copy(x, copy, &v->type);
  copy->u.nest.in[0].map = prefix_map(x->a, position(x, op, v),
                                      copy->u.nest.in[0].map, v->type.rank);
  st_vec_push(x->a, &x->out, copy);
  op->operand[0] = copy->result[0];
}

/* ---- gathers ------------------------------------------------------------- */

/* Dims and operands that expression `e` of the body depends on. */
static void depends(const StNest *n, const StOp *op, int e,
                    bool *dims, bool *exprs) {
  if (exprs[e])
    return;
  exprs[e] = true;
  const StExpr *x = &n->body.at[e];
  for (int k = 0; k < 3; k++)
    if (x->arg[k] >= 0)
      depends(n, op, x->arg[k], dims, exprs);
  for (int k = 0; k < x->affine.n && x->kind == ST_X_INDEX; k++)
    dims[x->affine.term[k].dim] = true;
  if (x->kind != ST_X_ARG)
    return;
  const StInput *in = &n->in[x->operand];
  for (int i = 0; i < op->operand[x->operand]->type.rank; i++)
    for (int k = 0; k < in->map[i].n; k++)
      dims[in->map[i].term[k].dim] = true;
}

static bool refuse_gather(Expand *x, const StOp *op, const char *why) {
  st_error(x->ctx->diag, op->loc, "table lookup: %s", why);
  st_note(x->ctx->diag, "a lookup needs a stored table (parameter, cache or "
                        "constant) and one index that depends on data along "
                        "one dim; write it as an embedding");
  return false;
}

/* The generic that computes the index of a lookup: dim `d` (or none) only. */
static StOp *index_op(Expand *x, const StOp *op, int index, int d) {
  const StNest *n = &op->u.nest;
  StOp *r = st_op_new(x->m, ST_OP_GENERIC, op->loc, op->noperands,
                      op->operand, 1);
  StSym shape = d >= 0 ? n->dim[d].extent : st_sym_const(1);
  r->result[0]->type = st_type_tensor(x->a, ST_I64, d >= 0, &shape);
  StNest *q = &r->u.nest;
  q->ndims = d >= 0;
  q->dim = ST_NEW_N(x->a, StDim, 1);
  if (d >= 0)
    q->dim[0] = (StDim){.extent = shape, .name = n->dim[d].name};
  q->in = ST_NEW_N(x->a, StInput, op->noperands + 1);
  for (int k = 0; k < op->noperands; k++) {
    q->in[k] = n->in[k];
    int rank = op->operand[k]->type.rank;
    if (!n->in[k].map)
      continue;
    q->in[k].map = ST_NEW_N(x->a, StAffine, rank + 1);
    for (int i = 0; i < rank; i++) {
      StAffine e = n->in[k].map[i];
      StAffine s = st_affine_const(e.off);
      if (e.n == 1 && e.term[0].dim == d) {
        s = st_affine_dim(x->a, 0);
        s.off = e.off;
      }
      q->in[k].map[i] = s;
    }
  }
  for (int i = 0; i <= index; i++) {
    StExpr e = n->body.at[i];
    if (e.kind == ST_X_INDEX) {
      StAffine s = st_affine_const(e.affine.off);
      for (int k = 0; k < e.affine.n; k++)
        if (e.affine.term[k].dim == d)
          s = st_affine_add(x->a, s,
                            st_affine_scale(x->a, st_affine_dim(x->a, 0),
                                            e.affine.term[k].coef));
      e.affine = s;
    }
    st_expr_push(x->m, &q->body, e);
  }
  q->out = ST_NEW_N(x->a, StOutput, 1);
  q->out[0] = (StOutput){.yield = index, .combine = ST_X_ARG,
                         .guard = {.dim = -1}};
  q->out[0].map = ST_NEW_N(x->a, StAffine, 1);
  if (d >= 0)
    q->out[0].map[0] = st_affine_dim(x->a, 0);
  return r;
}

/* Whether dim 0 of what the op defines selects one of several tensors. */
static bool is_list(const StOp *op) {
  return (op->kind == ST_OP_ARG ? op->u.index.n : op->u.constant.n) > 1;
}

/* Split one lookup off; the expression becomes the new operand's element. */
static bool split_gather(Expand *x, StOp *op, int at) {
  StNest *n = &op->u.nest;
  StExpr e = n->body.at[at];
  StValue *table = op->operand[e.operand];
  if (table->def->kind != ST_OP_ARG && table->def->kind != ST_OP_CONST)
    return refuse_gather(x, op, "the table is computed in the step");
  int data = -1, d = -1;
  bool *dims = ST_NEW_N(x->a, bool, n->ndims + 1);
  for (int i = 0; i < e.nindices; i++) {
    const StExpr *idx = &n->body.at[e.indices[i]];
    if (idx->kind == ST_X_INDEX && idx->affine.n <= 1)
      continue;
    if (idx->kind == ST_X_CONST)
      continue;
    if (data >= 0)
      return refuse_gather(x, op, "two indices depend on data");
    data = i;
    depends(n, op, e.indices[i], dims,
            ST_NEW_N(x->a, bool, n->body.n + 1));
  }
  for (int i = 0; i < n->ndims; i++)
    if (dims[i] && d >= 0)
      return refuse_gather(x, op, "the index depends on two dims");
    else if (dims[i])
      d = i;
  if (is_list(table->def) && d >= 0 &&
      (data == 0 || st_affine_single(&n->body.at[e.indices[0]].affine) == d))
    return refuse_gather(x, op, "the index depends on the layer");
  StOp *idx = index_op(x, op, e.indices[data], d);
  StValue *operands[] = {table, idx->result[0]};
  StOp *load = st_op_new(x->m, ST_OP_LOAD, op->loc, 2, operands, 1);
  load->name = table->def->name;
  int rank = table->type.rank;
  StSym *shape = ST_NEW_N(x->a, StSym, rank + 1);
  StAffine *map = ST_NEW_N(x->a, StAffine, rank + 1);
  load->u.load = (StLoad){.gather = 0, .index_level = 1, .layer_dim = -1,
                          .channel = -1,
                          .stride = ST_NEW_N(x->a, int64_t, rank + 1)};
  shape[0] = d >= 0 ? n->dim[d].extent : st_sym_const(1);
  map[0] = d >= 0 ? st_affine_dim(x->a, d)
                  : st_affine_const(st_sym_const(0));
  int64_t stride = 1;
  for (int i = rank, to = rank; i-- > 0;) {
    const StExpr *ix = &n->body.at[e.indices[i]];
    if (i == data) {
      load->u.load.stride[0] = stride;
    } else {
      shape[--to] = table->type.shape[i];
      load->u.load.stride[to] = stride;
      if (i == 0 && is_list(table->def)) {
        load->u.load.layer_dim = to;
        load->u.load.stride[to] = 0;
      }
      map[to] = ix->kind == ST_X_INDEX
                    ? ix->affine
                    : st_affine_const(st_sym_const((int64_t)ix->bits));
    }
    stride *= st_module_stored_extent(x->m, table->type.shape[i]);
  }
  load->result[0]->type = st_type_tensor(x->a, table->type.dtype, rank, shape);
  st_vec_push(x->a, &x->out, idx);
  st_vec_push(x->a, &x->out, load);
  int k = op->noperands;
  StValue **operand = ST_NEW_N(x->a, StValue *, k + 1);
  StInput *in = ST_NEW_N(x->a, StInput, k + 1);
  memcpy(operand, op->operand, (size_t)k * sizeof *operand);
  memcpy(in, n->in, (size_t)k * sizeof *in);
  operand[k] = load->result[0];
  in[k] = (StInput){.map = map, .guard = {.dim = -1}};
  op->operand = operand;
  op->noperands++;
  n->in = in;
  n->body.at[at] = (StExpr){.kind = ST_X_ARG, .dtype = e.dtype,
                            .arg = {-1, -1, -1}, .operand = k};
  return true;
}

static bool split_gathers(Expand *x, StOp *op) {
  for (int i = 0; i < op->u.nest.body.n; i++)
    if (op->u.nest.body.at[i].kind == ST_X_EXTRACT && !split_gather(x, op, i))
      return false;
  return true;
}

static void expand_op(Expand *x, StOp *op) {
  if (op->kind == ST_OP_GENERIC)
    expand_generic(x, op);
  else if (op->kind == ST_OP_CARRY)
    expand_carry(x, op);
  else if (op->kind == ST_OP_RESULT || op->kind == ST_OP_VIEW)
    take_last(x, op);
  st_vec_push(x->a, &x->out, op);
}

/* The new order becomes the module's. */
static void take_order(Expand *x) {
  x->m->op.n = 0;
  for (int i = 0; i < x->out.n; i++)
    st_vec_push(x->a, &x->m->op, x->out.at[i]);
  x->out.n = 0;
}

bool st_pass_expand_repeat(StModule *m, const StPassContext *ctx) {
  Expand x = {.m = m, .ctx = ctx, .a = m->arena};
  for (int i = 0; i < m->op.n; i++)
    expand_op(&x, m->op.at[i]);
  take_order(&x);
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    for (int r = 0; op->scope && r < op->nresults; r++)
      prefix_shape(m->arena, &op->result[r]->type, trip_of(m, op->scope));
    op->scope = 0;
  }
  m->repeat.n = 0;
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    if (op->kind == ST_OP_GENERIC && !split_gathers(&x, op))
      return false;
    st_vec_push(x.a, &x.out, op);
  }
  take_order(&x);
  return st_pass_simplify(m, ctx);
}
