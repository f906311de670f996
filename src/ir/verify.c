/* Invariants of modules: the module, values and scopes, ops on tensors. The
 * other parts are in verify_*.c. Types are checked before all ops, ops only if
 * what they refer to is sound, so that no check meets what it cannot read. */
#include "ir/verify.h"

#include <stdarg.h>

#include "base/str.h"

bool st_verify_fail(StVerify *v, const StOp *op, const char *fix,
                    const char *fmt, ...) {
  StStr what;
  st_str_init(&what);
  va_list args;
  va_start(args, fmt);
  st_str_vprintf(&what, fmt, args);
  va_end(args);
  if (op)
    st_error(v->diag, op->loc, "after %s: %s #%d%s%s: %s", v->after,
             st_op_name(op->kind), op->id, op->name ? " " : "",
             op->name ? op->name : "", what.data);
  else
    st_error(v->diag, (StLoc){0}, "after %s: module %s: %s", v->after,
             v->m->name, what.data);
  st_note(v->diag, "%s", fix);
  st_str_free(&what);
  v->ok = false;
  return false;
}

/* ---- tables of ops.def ------------------------------------------------ */

typedef enum { TENSOR, STREAM, BOTH } Level;

static Level level_of(StOpKind k) {
  static const unsigned char level[] = {
#define X(e, name, lvl, operands, results, summary) lvl,
#include "ir/ops.def"
#undef X
  };
  return (Level)level[k];
}

static bool has_counts(const StOp *op) {
  static const signed char operands[] = {
#define X(e, name, level, in, out, summary) in,
#include "ir/ops.def"
#undef X
  };
  static const signed char results[] = {
#define X(e, name, level, in, out, summary) out,
#include "ir/ops.def"
#undef X
  };
  int in = operands[op->kind], out = results[op->kind];
  if (op->kind == ST_OP_LOAD && (op->noperands < 1 || op->noperands > 2))
    return false;
  if (op->kind == ST_OP_BUNDLE &&
      (op->noperands < 1 || op->noperands != op->nresults))
    return false;
  return (in < 0 || op->noperands == in) && (out < 0 || op->nresults == out);
}

/* ---- the header ------------------------------------------------------- */

static bool check_port(StVerify *v, const StPort *p, bool argument) {
  bool ok = p->rank >= 0 && p->rank <= ST_VERIFY_RANK && p->cache >= -1 &&
            p->cache < v->m->arg.n && p->axis >= -1 && p->axis < p->rank;
  for (int d = 0; ok && d < p->rank; d++)
    ok = st_verify_sym(v, p->shape[d]) &&
         st_verify_ge(v, p->shape[d], (StSym){0});
  if (!ok || st_verify_elements(v, p->rank, p->shape) < 0)
    return st_verify_fail(v, NULL,
                          "extents are not negative, and have P and T "
                          "only if the module has ctx and chunk; cache is an "
                          "argument or -1, axis a dim or -1",
                          "port '%s' is not well formed",
                          p->name ? p->name : "");
  if (!argument && p->role == ST_ROLE_CACHE_ROWS &&
      (p->cache < 0 || p->axis < 0))
    return st_verify_fail(v, NULL, "name the cache argument and the axis",
                          "rows '%s' extend no cache", p->name);
  return true;
}

static bool check_header(StVerify *v) {
  const StModule *m = v->m;
  if (m->ctx < 0 || m->chunk < 0 || m->ctx > INT32_MAX || m->chunk > m->ctx ||
      (m->ctx > 0) != (m->chunk > 0))
    return st_verify_fail(v, NULL, "1 <= chunk <= ctx < 2^31, or both 0",
                          "ctx %lld and chunk %lld", (long long)m->ctx,
                          (long long)m->chunk);
  for (int i = 0; i < m->repeat.n; i++)
    if (m->repeat.at[i].trip < 1 || m->repeat.at[i].trip > ST_VERIFY_LANES)
      return st_verify_fail(v, NULL, "a block runs 1 .. 65536 times",
                            "block %d runs %lld times", i,
                            (long long)m->repeat.at[i].trip);
  bool ok = true;
  for (int i = 0; i < m->arg.n; i++)
    ok = check_port(v, &m->arg.at[i], true) && ok;
  for (int i = 0; i < m->ret.n; i++)
    ok = check_port(v, &m->ret.at[i], false) && ok;
  return ok;
}

/* ---- values ----------------------------------------------------------- */

/* A use may come before its definition if it closes a cycle: the second
 * operand of carry, a guarded operand. */
static bool may_be_early(const StOp *op, int k) {
  if (op->kind == ST_OP_CARRY)
    return k == 1;
  return (op->kind == ST_OP_GENERIC || op->kind == ST_OP_KERNEL) &&
         op->u.nest.in[k].guard.dim >= 0;
}

static bool check_results(StVerify *v, const StOp *op) {
  for (int r = 0; r < op->nresults; r++) {
    const StValue *x = op->result[r];
    if (x->id < 0 || x->id >= v->m->next_value || v->value[x->id])
      return st_verify_fail(v, op,
                            "ids are below the module's number of "
                            "values, each used once",
                            "result %d has the id %d", r, x->id);
    if (x->def != op || x->result != r)
      return st_verify_fail(v, op, "make results with st_op_new",
                            "result %d is that of another op", r);
    v->value[x->id] = x;
    if (!st_verify_type(v, op, r))
      return false;
    if (x->depth < 0 || x->depth > ST_VERIFY_NUMBER ||
        (x->depth && !x->type.order))
      return st_verify_fail(v, op, "streams have a depth, of at least 1",
                            "result %d has depth %lld", r, (long long)x->depth);
    if (x->die < 0 || (x->die && !x->type.order))
      return st_verify_fail(v, op, "the FIFO of a stream is on a die, from 0",
                            "result %d has die %d", r, x->die);
  }
  return true;
}

/* The ids of ops; counts; results. */
static bool check_ids(StVerify *v) {
  const StModule *m = v->m;
  bool *used = ST_NEW_N(v->scratch, bool, m->next_op + 1);
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    if (op->id < 0 || op->id >= m->next_op || used[op->id])
      return st_verify_fail(v, op,
                            "ids are below the module's number of ops, "
                            "each used once",
                            "the op has no id of its own");
    used[op->id] = true;
    if (!has_counts(op))
      return st_verify_fail(v, op, "see src/ir/ops.def",
                            "%d operands and %d results", op->noperands,
                            op->nresults);
    if (op->scope < 0 || op->scope > m->repeat.n ||
        (op->scope && level_of(op->kind) == STREAM && op->kind != ST_OP_LOAD))
      return st_verify_fail(v, op,
                            "0, or the number of a block, at the tensor "
                            "level",
                            "scope %d", op->scope);
    if (op->ii < 0 || op->latency < 0 || op->group < 0 || op->die < 0)
      return st_verify_fail(v, op, "0: not decided",
                            "ii, latency, group or die is negative");
    if (!check_results(v, op))
      return false;
  }
  return true;
}

/* Operands are values of the module, defined before unless they may be early.
 */
static bool check_operands(StVerify *v) {
  const StModule *m = v->m;
  bool *before = ST_NEW_N(v->scratch, bool, m->next_value + 1);
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    for (int k = 0; k < op->noperands; k++) {
      const StValue *x = op->operand[k];
      if (x->id < 0 || x->id >= m->next_value || v->value[x->id] != x)
        return st_verify_fail(v, op, "an op that is used stays in the module",
                              "operand %d (%%%d) is of no op of the module", k,
                              x->id);
      if (!before[x->id] && !may_be_early(op, k))
        return st_verify_fail(v, op,
                              "move the op behind those that it uses; "
                              "only what is carried and guarded operands of "
                              "later iterations may be defined later",
                              "operand %d (%%%d) is used before it is defined",
                              k, x->id);
      v->users[x->id]++;
    }
    for (int r = 0; r < op->nresults; r++)
      before[op->result[r]->id] = true;
  }
  return true;
}

/* `tile` gives the result an order while others are tensors. */
static bool is_ordered(const StOp *op) {
  return op->kind == ST_OP_LOAD || op->kind == ST_OP_VIEW;
}

/* Streams at the stream level, tensors before. */
static bool check_level(StVerify *v, const StOp *op) {
  const char *fix = "loads make streams of tensors and stores end them; at the "
                    "tensor level only a gather or a view has an order";
  Level level = level_of(op->kind);
  if (level == STREAM && !v->streams && op->kind != ST_OP_LOAD)
    return st_verify_fail(v, op, "turn all ops into kernels at once",
                          "it is of the stream level, others are not");
  for (int k = 0; k < op->noperands; k++) {
    const StValue *x = op->operand[k];
    bool stream = x->type.order != NULL;
    bool tensor = op->kind == ST_OP_BUNDLE || (op->kind == ST_OP_LOAD && !k);
    bool want = v->streams && !tensor;
    bool early = !v->streams && level == TENSOR && is_ordered(x->def);
    if (stream != want && !early)
      return st_verify_fail(v, op, fix, "operand %d is a %s", k,
                            stream ? "stream" : "tensor");
  }
  for (int r = 0; r < op->nresults; r++) {
    bool stream = op->result[r]->type.order != NULL;
    bool want = v->streams && level == STREAM;
    if (stream != want && (v->streams || !is_ordered(op)))
      return st_verify_fail(v, op, fix, "result %d is a %s", r,
                            stream ? "stream" : "tensor");
  }
  return true;
}

/* Each stream has one consumer; depths are decided for all or for none. */
static void check_streams(StVerify *v) {
  int decided = 0, open = 0;
  const StOp *first = NULL;
  for (int i = 0; i < v->m->op.n; i++) {
    const StOp *op = v->m->op.at[i];
    for (int r = 0; r < op->nresults; r++) {
      const StValue *x = op->result[r];
      if (!x->type.order)
        continue;
      if (v->users[x->id] != 1)
        st_verify_fail(v, op, "copy it with a fork, or drop the result",
                       "stream %d has %d users instead of one", r,
                       v->users[x->id]);
      decided += x->depth > 0;
      open += x->depth == 0;
      if (x->depth == 0 && !first)
        first = op;
    }
  }
  if (decided && open)
    st_verify_fail(v, first, "every FIFO holds at least one token",
                   "a stream has no depth while others have");
}

/* ---- ops on tensors --------------------------------------------------- */

static bool check_list(StVerify *v, const StOp *op, const StIndexList *l,
                       int most) {
  int64_t trip = op->scope ? v->m->repeat.at[op->scope - 1].trip : l->n;
  if (l->n < 1 || (l->n != 1 && l->n != trip))
    return st_verify_fail(v, op,
                          "one position, or one for each iteration of "
                          "the block",
                          "%d positions in the step function", l->n);
  for (int i = 0; i < l->n; i++)
    if (l->index[i] < 0 || l->index[i] >= most)
      return st_verify_fail(v, op, "positions count from 0",
                            "position %d of %d", l->index[i], most);
  return true;
}

/* A tensor is what the ports of the list declare, together outside of a
 * block. */
static void check_ports(StVerify *v, const StOp *op, const StIndexList *l,
                        const StPort *ports, const StType *t) {
  for (int i = 0; i < l->n; i++) {
    const StPort *p = &ports[l->index[i]];
    if (p->dtype == t->dtype &&
        st_verify_same_size(v, t->rank, t->shape, p->rank, p->shape,
                            op->scope ? 1 : l->n))
      continue;
    st_verify_fail(v, op,
                   "the tensor has the port's type and number of "
                   "elements (of all ports of the list, outside of a block)",
                   "port '%s' is declared otherwise", p->name ? p->name : "");
    return;
  }
}

static void check_const(StVerify *v, const StOp *op) {
  const StConst *c = &op->u.constant;
  const StType *t = &op->result[0]->type;
  int64_t trip = op->scope ? v->m->repeat.at[op->scope - 1].trip : c->n;
  int64_t n = c->splat ? c->n : st_verify_elements(v, t->rank, t->shape);
  bool fits = c->n >= 1 && (c->n == 1 || c->n == trip) &&
              (c->splat || op->scope == 0 || st_verify_mul(&n, c->n)) &&
              st_verify_mul(&n, st_dtype_bytes(t->dtype));
  if (!fits)
    st_verify_fail(v, op, "one tensor, or one for each iteration of the block",
                   "%d tensors", c->n);
  else if (n != c->bytes)
    st_verify_fail(v, op,
                   "data is dense at the largest extents, or one element "
                   "for each splat",
                   "the data has %lld bytes where the type needs %lld",
                   (long long)c->bytes, (long long)n);
}

static void check_view(StVerify *v, const StOp *op) {
  const StType *x = &op->operand[0]->type, *y = &op->result[0]->type;
  if (x->dtype != y->dtype ||
      !st_verify_same_size(v, x->rank, x->shape, y->rank, y->shape, 1))
    st_verify_fail(v, op, "a view keeps element type and number of elements",
                   "the result has other elements than the operand");
}

static void check_slice(StVerify *v, const StOp *op) {
  const StSlice *s = &op->u.slice;
  const StType *x = &op->operand[0]->type, *y = &op->result[0]->type;
  if (x->dtype != y->dtype || x->rank != y->rank) {
    st_verify_fail(v, op, "a slice keeps element type and rank",
                   "the result is of another type or rank");
    return;
  }
  for (int d = 0; d < x->rank; d++) {
    int64_t step = s->stride[d];
    StSym first = s->offset[d], last = first, other;
    bool ok = st_verify_sym(v, first) && step <= ST_VERIFY_NUMBER &&
              step >= -ST_VERIFY_NUMBER &&
              st_verify_add(&last, y->shape[d], step) &&
              st_verify_add(&last, st_sym_const(-1), step);
    other = step < 0 ? first : last;
    first = step < 0 ? last : first;
    bool empty = st_sym_max(y->shape[d], v->m->ctx, v->m->chunk) == 0;
    bool never = !st_verify_ge(v, y->shape[d], st_sym_const(1));
    if (!ok || (!never && !st_verify_ge(v, first, (StSym){0})) ||
        (!empty &&
         !st_verify_ge(v, x->shape[d], st_sym_add(other, st_sym_const(1)))))
      st_verify_fail(v, op,
                     "offset and offset + stride * (extent - 1) lie in "
                     "the tensor",
                     "the slice leaves its tensor at dim %d", d);
  }
}

static void check_concat(StVerify *v, const StOp *op) {
  const StType *t = &op->result[0]->type;
  int axis = op->u.axis;
  StSym sum = {0};
  if (axis < 0 || axis >= t->rank || op->noperands < 1) {
    st_verify_fail(v, op, "the axis is a dim of the result",
                   "axis %d of %d parts", axis, op->noperands);
    return;
  }
  bool fits = true;
  for (int k = 0; k < op->noperands && fits; k++) {
    const StType *x = &op->operand[k]->type;
    fits = x->dtype == t->dtype && x->rank == t->rank;
    for (int d = 0; d < t->rank && fits; d++)
      fits = d == axis ? st_verify_add(&sum, x->shape[d], 1)
                       : st_sym_eq(x->shape[d], t->shape[d]);
  }
  if (!fits || !st_sym_eq(sum, t->shape[axis]))
    st_verify_fail(v, op,
                   "parts differ from the result in the extent of the "
                   "axis only, which adds up",
                   "the parts do not make up the result");
}

static void check_carry(StVerify *v, const StOp *op) {
  const StOp *next = op->operand[1]->def;
  const StType *t = &op->result[0]->type;
  if (op->scope == 0 || next->scope != op->scope)
    st_verify_fail(v, op, "carry what an op of the same block makes",
                   "what is carried is not made in its block");
  for (int k = 0; k < 2; k++)
    if (!st_verify_same_shape(&op->operand[k]->type, t))
      st_verify_fail(v, op,
                     "initial value, next value and result have one type",
                     "operand %d is of another type", k);
}

static void check_op(StVerify *v, const StOp *op) {
  if (!check_level(v, op))
    return;
  switch (op->kind) {
  case ST_OP_ARG:
    check_ports(v, op, &op->u.index, v->m->arg.at, &op->result[0]->type);
    break;
  case ST_OP_RESULT:
    check_ports(v, op, &op->u.index, v->m->ret.at, &op->operand[0]->type);
    break;
  case ST_OP_CONST:
    check_const(v, op);
    break;
  case ST_OP_GENERIC:
    st_verify_nest(v, op);
    break;
  case ST_OP_VIEW:
    check_view(v, op);
    break;
  case ST_OP_SLICE:
    check_slice(v, op);
    break;
  case ST_OP_CONCAT:
    check_concat(v, op);
    break;
  case ST_OP_CARRY:
    check_carry(v, op);
    break;
  case ST_OP_KERNEL:
    st_verify_kernel(v, op);
    break;
  case ST_OP_CONVERTER:
  case ST_OP_FORK:
  case ST_OP_LOAD:
  case ST_OP_BUNDLE:
  case ST_OP_STORE:
    st_verify_stream_op(v, op);
    break;
  case ST_OP_COUNT:
    break;
  }
}

/* Lists before all else: loads look at those of their tensors. */
static bool check_lists(StVerify *v) {
  bool ok = true;
  for (int i = 0; i < v->m->op.n; i++) {
    const StOp *op = v->m->op.at[i];
    if (op->kind == ST_OP_ARG)
      ok = check_list(v, op, &op->u.index, v->m->arg.n) && ok;
    if (op->kind == ST_OP_RESULT)
      ok = check_list(v, op, &op->u.index, v->m->ret.n) && ok;
    if (op->kind == ST_OP_STORE)
      ok = check_list(v, op, &op->u.store.index, v->m->ret.n) && ok;
  }
  return ok;
}

bool st_module_verify(const StModule *m, const char *after, StDiag *diag) {
  StVerify v = {.m = m,
                .after = after,
                .diag = diag,
                .ok = true,
                .scratch = st_arena_new()};
  v.value = ST_NEW_N(v.scratch, const StValue *, m->next_value + 1);
  v.users = ST_NEW_N(v.scratch, int, m->next_value + 1);
  v.streams = true;
  for (int i = 0; i < m->op.n; i++)
    v.streams &= level_of(m->op.at[i]->kind) != TENSOR;
  if (check_header(&v) && check_ids(&v) && check_operands(&v) &&
      check_lists(&v)) {
    for (int i = 0; i < m->op.n; i++)
      check_op(&v, m->op.at[i]);
    if (v.streams)
      check_streams(&v);
  }
  st_arena_free(v.scratch);
  return v.ok;
}
