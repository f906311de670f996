/* factor-dims: no view survives that can be a relabelling.
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
 * generic with guarded operands; dims of extent 1 disappear. Where an op does
 * not fit, a view stays: it passes elements on in row-major order. */
#include "pass/factor.h"

#include <string.h>

typedef ST_VEC(StOp *) Ops;

bool st_factor_fail(StFactor *f, const StOp *op, int port, const char *what) {
  f->fail = (StFactorPlace){op, port, what};
  return false;
}

/* ---- strides that do not divide ------------------------------------------ */

static StSym *copy_shape(StArena *a, const StType *t) {
  StSym *shape = ST_NEW_N(a, StSym, t->rank + 1);
  memcpy(shape, t->shape, (size_t)t->rank * sizeof *shape);
  return shape;
}

/* `in` with `more` zeros at the end of dim d. */
static StValue *pad(StModule *m, Ops *out, StLoc loc, StValue *in, int d,
                    int64_t more) {
  StArena *a = m->arena;
  StType *t = &in->type;
  StSym *shape = copy_shape(a, t);
  shape[d] = st_sym_const(more);
  StOp *zero = st_op_new(m, ST_OP_CONST, loc, 0, NULL, 1);
  zero->result[0]->type = st_type_tensor(a, t->dtype, t->rank, shape);
  int bytes = st_dtype_bytes(t->dtype);
  zero->u.constant = (StConst){.n = 1, .splat = true, .bytes = bytes,
                               .data = st_arena_alloc(a, (size_t)bytes)};
  StValue *operand[2] = {in, zero->result[0]};
  StOp *cat = st_op_new(m, ST_OP_CONCAT, loc, 2, operand, 1);
  shape = copy_shape(a, t);
  shape[d] = st_sym_add(shape[d], st_sym_const(more));
  cat->result[0]->type = st_type_tensor(a, t->dtype, t->rank, shape);
  cat->u.axis = d;
  st_vec_push(a, out, zero);
  st_vec_push(a, out, cat);
  return cat->result[0];
}

/* Stride s in dim d of n positions: of the n * s elements from the offset on,
 * the first of each s. */
static void even_stride(StModule *m, Ops *out, StOp *op, int d) {
  StSlice *s = &op->u.slice;
  StValue *in = op->operand[0];
  int64_t step = s->stride[d], n = op->result[0]->type.shape[d].c;
  int64_t over = s->offset[d].c + n * step - in->type.shape[d].c;
  if (over > 0)
    in = pad(m, out, op->loc, in, d, over);
  StOp *part = st_op_new(m, ST_OP_SLICE, op->loc, 1, &in, 1);
  StSlice *p = &part->u.slice;
  p->offset = ST_NEW_N(m->arena, StSym, in->type.rank + 1);
  p->stride = ST_NEW_N(m->arena, int64_t, in->type.rank + 1);
  for (int i = 0; i < in->type.rank; i++)
    p->stride[i] = 1;
  p->offset[d] = s->offset[d];
  StSym *shape = copy_shape(m->arena, &in->type);
  shape[d] = st_sym_const(n * step);
  part->result[0]->type =
      st_type_tensor(m->arena, in->type.dtype, in->type.rank, shape);
  st_vec_push(m->arena, out, part);
  op->operand[0] = part->result[0];
  s->offset[d] = st_sym_const(0);
}

static bool is_even(const StOp *op, int d) {
  int64_t s = op->u.slice.stride[d];
  StSym e = op->operand[0]->type.shape[d], q;
  return s == 1 || st_sym_eq(op->result[0]->type.shape[d], st_sym_const(1)) ||
         (s > 1 && st_sym_is_const(op->u.slice.offset[d]) &&
          st_factor_divide(e, st_sym_const(s), &q));
}

static bool even_strides(StFactor *f) {
  StModule *m = f->m;
  Ops out = {0};
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    int rank = op->kind == ST_OP_SLICE ? op->result[0]->type.rank : 0;
    for (int d = 0; d < rank; d++) {
      if (is_even(op, d))
        continue;
      if (op->u.slice.stride[d] < 1 ||
          !st_sym_is_const(op->operand[0]->type.shape[d]) ||
          !st_sym_is_const(op->result[0]->type.shape[d]) ||
          !st_sym_is_const(op->u.slice.offset[d]))
        return st_factor_fail(f, op, ST_FACTOR_ALL,
                              "a stride in a dim that grows with P or T");
      even_stride(m, &out, op, d);
    }
    st_vec_push(m->arena, &out, op);
  }
  m->op.n = 0;
  for (int i = 0; i < out.n; i++)
    st_op_append(m, out.at[i]);
  return true;
}

/* ---- what does not fit ------------------------------------------------------ */

/* Make `op`, without operands, read what stored value v reads: elements lie in
 * row-major order if no extent grows. */
static bool alias_stored(StOp *op, const StValue *v) {
  while (v->def->kind == ST_OP_VIEW)
    v = v->def->operand[0];
  const StOp *def = v->def;
  if ((def->kind != ST_OP_ARG && def->kind != ST_OP_CONST) || def->scope)
    return false;
  for (int d = 0; d < v->type.rank; d++)
    if (!st_sym_is_const(v->type.shape[d]))
      return false;
  op->kind = def->kind;
  op->noperands = 0;
  op->name = def->name;
  op->result[0]->name = v->name;
  if (def->kind == ST_OP_ARG)
    op->u.index = def->u.index;
  else
    op->u.constant = def->u.constant;
  return true;
}

static void insert(StModule *m, int at, StOp *op) {
  st_op_append(m, op);
  for (int i = m->op.n - 1; i > at; i--)
    m->op.at[i] = m->op.at[i - 1];
  m->op.at[at] = op;
}

typedef struct {
  StArena *keep;
  Ops view; /* that line nothing up, or stored values read once more */
} Views;

/* Operand k of the op at `at` is read through a view of its own; false if that
 * was done before. */
static bool detach_operand(StModule *m, Views *views, int at, int k) {
  StOp *op = m->op.at[at];
  StValue *v = op->operand[k];
  for (int i = 0; i < views->view.n; i++)
    if (views->view.at[i] == v->def)
      return false;
  StOp *view = st_op_new(m, ST_OP_VIEW, op->loc, 1, &v, 1);
  view->result[0]->type = v->type;
  alias_stored(view, v);
  for (int i = 0; i < op->noperands; i++)
    if (op->operand[i] == v)
      op->operand[i] = view->result[0];
  st_vec_push(views->keep, &views->view, view);
  insert(m, at, view);
  return true;
}

/* Result r leaves through a view. */
static bool detach_result(StModule *m, Views *views, int at, int r) {
  StOp *op = m->op.at[at];
  StValue *v = op->result[r];
  for (int i = 0; i < views->view.n; i++)
    if (views->view.at[i]->noperands && views->view.at[i]->operand[0] == v)
      return false;
  StOp *view = st_op_new(m, ST_OP_VIEW, op->loc, 1, &v, 1);
  StValue *own = view->result[0];
  own->type = v->type;
  own->result = r;
  own->def = op;
  op->result[r] = own;
  v->result = 0;
  v->def = view;
  view->operand[0] = own;
  view->result[0] = v;
  st_vec_push(views->keep, &views->view, view);
  insert(m, at + 1, view);
  return true;
}

/* Put views where f->fail says; false if that was done before. */
static bool detach(StFactor *f, Views *views) {
  StModule *m = f->m;
  int at = 0, port = f->fail.port;
  while (m->op.at[at] != f->fail.op)
    at++;
  StOp *op = m->op.at[at];
  if (op->kind == ST_OP_VIEW) {
    if (!alias_stored(op, op->operand[0]))
      st_vec_push(views->keep, &views->view, op);
    return true;
  }
  if (port >= 0 && detach_operand(m, views, at, port))
    return true;
  if (port < 0 && port != ST_FACTOR_ALL &&
      detach_result(m, views, at, -1 - port))
    return true;
  bool any = false;
  for (int r = 0; r < op->nresults; r++)
    any |= detach_result(m, views, at, r);
  for (int k = 0; k < op->noperands; k++) {
    while (m->op.at[at] != op)
      at++;
    any |= detach_operand(m, views, at, k);
  }
  return any;
}

/* ---- the pass ------------------------------------------------------------------ */

static void start(StFactor *f, const Views *views) {
  if (f->scratch)
    st_arena_free(f->scratch);
  f->scratch = st_arena_new();
  memset(&f->node, 0, sizeof f->node);
  f->opaque = ST_NEW_N(f->scratch, bool, f->m->next_op + 1);
  for (int i = 0; i < views->view.n; i++)
    f->opaque[views->view.at[i]->id] = true;
}

static bool fits(StFactor *f) {
  if (!st_factor_constrain(f))
    return false;
  for (int i = 0; i < f->m->op.n; i++)
    if (!st_factor_rewrite(f, f->m->op.at[i], false))
      return false;
  return true;
}

static StFactorList leaves_of(StFactor *f, const StValue *v) {
  StFactorList all = {0};
  for (int i = 0; i < v->type.rank; i++)
    st_factor_leaves(f, f->value_dim[v->id][i], &all);
  return all;
}

static void rewrite_type(StFactor *f, StValue *v) {
  StFactorList all = leaves_of(f, v);
  StSym *shape = ST_NEW_N(f->m->arena, StSym, all.n + 1);
  for (int i = 0; i < all.n; i++)
    shape[i] = f->node.at[all.at[i]].extent;
  v->type.rank = all.n;
  v->type.shape = shape;
}

/* Both sides have the same extents in the end. */
static bool is_relabelling(StFactor *f, const StOp *view) {
  StFactorList a = leaves_of(f, view->operand[0]);
  StFactorList b = leaves_of(f, view->result[0]);
  bool same = a.n == b.n;
  for (int i = 0; same && i < a.n; i++)
    same = st_sym_eq(f->node.at[a.at[i]].extent, f->node.at[b.at[i]].extent);
  return same;
}

static void commit(StFactor *f) {
  StModule *m = f->m;
  StValue **alias = ST_NEW_N(f->scratch, StValue *, m->next_value + 1);
  int n = m->op.n, kept = 0;
  for (int i = 0; i < n; i++)
    st_factor_rewrite(f, m->op.at[i], true);
  for (int i = 0; i < n; i++) {
    StOp *op = m->op.at[i];
    if (op->kind == ST_OP_VIEW && is_relabelling(f, op))
      alias[op->result[0]->id] = op->operand[0];
    else
      m->op.at[kept++] = op;
  }
  m->op.n = kept;
  for (int i = 0; i < kept; i++)
    for (int r = 0; r < m->op.at[i]->nresults; r++)
      rewrite_type(f, m->op.at[i]->result[r]);
  st_module_remap(m, alias);
}

static bool refuse(const StFactor *f) {
  st_error(f->ctx->diag, f->fail.op->loc, "%s: %s",
           st_op_name(f->fail.op->kind), f->fail.what);
  st_note(f->ctx->diag, "an access is one dim plus an offset after dims were "
                        "split for every reshape; write the operation on the "
                        "dims before they are merged");
  return false;
}

bool st_pass_factor_dims(StModule *m, const StPassContext *ctx) {
  StFactor f = {.m = m, .ctx = ctx};
  Views views = {.keep = st_arena_new()};
  bool ok = even_strides(&f);
  while (ok) {
    start(&f, &views);
    if (fits(&f))
      break;
    ok = detach(&f, &views);
  }
  if (ok)
    commit(&f);
  else
    refuse(&f);
  if (f.scratch)
    st_arena_free(f.scratch);
  st_arena_free(views.keep);
  st_module_renumber(m);
  return ok;
}
