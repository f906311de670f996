/* Invariants of modules. Each check names the op, what does not hold, and the
 * pass after which it was found. */
#include "ir/ir.h"

#include <stdarg.h>
#include <string.h>

#include "analysis/port.h"
#include "base/str.h"
#include "ir/itensor.h"

typedef struct {
  const StModule *m;
  const char *after;
  StDiag *diag;
  StArena *scratch;
  bool ok;
  int *users;   /* [value id] operands that are the value */
  bool *before; /* [value id] defined by an earlier op */
} Verify;

static void fail(Verify *v, const StOp *op, const char *fmt, ...) {
  char what[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(what, sizeof what, fmt, args);
  va_end(args);
  st_error(v->diag, op->loc, "after %s: %s #%d%s%s: %s", v->after,
           st_op_name(op->kind), op->id, op->name ? " " : "",
           op->name ? op->name : "", what);
  v->ok = false;
}

/* ---- bodies ---------------------------------------------------------------------- */

typedef enum { LEAF, SAME, CMP, SEL, CVT } Rule;

static Rule rule_of(StScalarKind k) {
  static const unsigned char rules[] = {
#define X(e, name, args, kind, summary) kind,
#include "ir/scalar.def"
#undef X
  };
  return (Rule)rules[k];
}

static bool is_valid_leaf(const StOp *op, const StExpr *e, int at) {
  const StNest *n = &op->u.nest;
  if (e->kind == ST_X_ARG || e->kind == ST_X_EXTRACT) {
    if (e->operand < 0 || e->operand >= op->noperands ||
        op->operand[e->operand]->type.dtype != e->dtype)
      return false;
    bool table = !n->in[e->operand].map;
    if (table != (e->kind == ST_X_EXTRACT))
      return false;
  }
  if (e->kind == ST_X_EXTRACT) {
    if (e->nindices != op->operand[e->operand]->type.rank)
      return false;
    for (int i = 0; i < e->nindices; i++)
      if (e->indices[i] < 0 || e->indices[i] >= at ||
          n->body.at[e->indices[i]].dtype != ST_I64)
        return false;
  }
  if (e->kind == ST_X_INDEX) {
    if (e->dtype != ST_I64)
      return false;
    for (int i = 0; i < e->affine.n; i++)
      if (e->affine.term[i].dim < 0 || e->affine.term[i].dim >= n->ndims)
        return false;
  }
  return true;
}

static bool is_valid_expr(const StOp *op, const StExpr *e, int at) {
  const StBody *b = &op->u.nest.body;
  int args = st_scalar_args(e->kind);
  for (int k = 0; k < args; k++)
    if (e->arg[k] < 0 || e->arg[k] >= at)
      return false;
  StDtype t[3] = {0};
  for (int k = 0; k < args; k++)
    t[k] = b->at[e->arg[k]].dtype;
  switch (rule_of(e->kind)) {
  case LEAF:
    return is_valid_leaf(op, e, at);
  case SAME:
    return t[0] == e->dtype && (args < 2 || t[1] == e->dtype);
  case CMP:
    return e->dtype == ST_I1 && t[0] == t[1] &&
           st_dtype_is_float(t[0]) == (e->kind == ST_X_CMPF);
  case SEL:
    return t[0] == ST_I1 && t[1] == e->dtype && t[2] == e->dtype;
  case CVT:
    return true;
  }
  return false;
}

/* ---- nests ------------------------------------------------------------------------ */

static bool in_range(const Verify *v, StSym lo, StSym hi) {
  StSym gap = st_sym_add(hi, st_sym_scale(lo, -1));
  return st_sym_min(gap, v->m->ctx, v->m->chunk) >= 0;
}

/* Element positions of one map entry lie inside the tensor. */
static void check_access(Verify *v, const StOp *op, const StAffine *e,
                         StSym extent, const StGuard *g) {
  const StNest *n = &op->u.nest;
  StSym lo = e->off, hi = e->off;
  for (int i = 0; i < e->n; i++) {
    int d = e->term[i].dim;
    if (d < 0 || d >= n->ndims) {
      fail(v, op, "a map uses a dim that does not exist");
      return;
    }
    StSym first = st_sym_const(0), last = n->dim[d].extent;
    if (g->dim == d) {
      first = g->lo;
      last = g->hi;
    }
    last = st_sym_add(last, st_sym_const(-1));
    bool up = e->term[i].coef > 0;
    lo = st_sym_add(lo, st_sym_scale(up ? first : last, e->term[i].coef));
    hi = st_sym_add(hi, st_sym_scale(up ? last : first, e->term[i].coef));
  }
  /* a guard that is empty for some P accesses nothing */
  bool may_be_empty =
      g->dim >= 0 && !in_range(v, st_sym_add(g->lo, st_sym_const(1)), g->hi);
  if ((!may_be_empty && !in_range(v, st_sym_const(0), lo)) ||
      !in_range(v, st_sym_add(hi, st_sym_const(1)), extent))
    fail(v, op, "an access leaves its tensor");
}

static void check_guard(Verify *v, const StOp *op, const StGuard *g) {
  const StNest *n = &op->u.nest;
  if (g->dim < 0)
    return;
  if (g->dim >= n->ndims) {
    fail(v, op, "a guard on a dim that does not exist");
    return;
  }
  if (!in_range(v, g->hi, n->dim[g->dim].extent))
    fail(v, op, "a guard that ends outside its dim");
}

static void check_output(Verify *v, const StOp *op, int r, bool reduces) {
  const StNest *n = &op->u.nest;
  const StOutput *o = &n->out[r];
  bool *used = ST_NEW_N(v->scratch, bool, n->ndims + 1);
  if (o->yield < 0 || o->yield >= n->body.n ||
      n->body.at[o->yield].dtype != op->result[r]->type.dtype)
    fail(v, op, "result %d is not of its body's type", r);
  if (reduces != (o->combine != ST_X_ARG))
    fail(v, op, "a result is combined if and only if there is a reduction");
  for (int i = 0; i < op->result[r]->type.rank; i++)
    for (int k = 0; k < o->map[i].n; k++) {
      int d = o->map[i].term[k].dim;
      if (d < 0 || d >= n->ndims || n->dim[d].reduction || used[d]) {
        fail(v, op, "a result's map uses a reduction dim, or a dim twice");
        return;
      }
      used[d] = true;
    }
}

static bool check_nest(Verify *v, const StOp *op) {
  const StNest *n = &op->u.nest;
  bool reduces = false, before = v->ok;
  v->ok = true;
  for (int d = 0; d < n->ndims; d++)
    reduces |= n->dim[d].reduction;
  for (int i = 0; i < n->body.n; i++)
    if (!is_valid_expr(op, &n->body.at[i], i))
      fail(v, op, "expression %d (%s) is not well formed", i,
           st_scalar_name(n->body.at[i].kind));
  for (int k = 0; k < op->noperands; k++) {
    check_guard(v, op, &n->in[k].guard);
    for (int i = 0; n->in[k].map && i < op->operand[k]->type.rank; i++)
      check_access(v, op, &n->in[k].map[i], op->operand[k]->type.shape[i],
                   &n->in[k].guard);
  }
  for (int r = 0; r < op->nresults; r++) {
    check_guard(v, op, &n->out[r].guard);
    check_output(v, op, r, reduces);
    for (int i = 0; i < op->result[r]->type.rank; i++)
      check_access(v, op, &n->out[r].map[i], op->result[r]->type.shape[i],
                   &n->out[r].guard);
  }
  bool ok = v->ok;
  v->ok &= before;
  return ok;
}

/* Loops and lanes of every dim multiply to its extent, coarse before fine. */
static bool check_schedule(Verify *v, const StOp *op) {
  const StNest *n = &op->u.nest;
  for (int i = 0; i < n->nloops; i++)
    if (n->loop[i].dim < 0 || n->loop[i].dim >= n->ndims)
      return fail(v, op, "a loop over a dim that does not exist"), false;
  for (int i = 0; i < n->nlanes; i++)
    if (n->lane[i].dim < 0 || n->lane[i].dim >= n->ndims ||
        n->lane[i].size < 1)
      return fail(v, op, "a lane of a dim that does not exist"), false;
  for (int d = 0; d < n->ndims; d++) {
    int64_t step = 1;
    int lanes = 0;
    for (int i = 0; i < n->nlanes; i++)
      if (n->lane[i].dim == d) {
        step *= n->lane[i].size;
        lanes++;
      }
    StSym extent = st_sym_const(step);
    bool inner = true; /* all finer loops have constant trips */
    for (int i = n->nloops; i-- > 0;) {
      if (n->loop[i].dim != d)
        continue;
      if (!inner || n->loop[i].step != extent.c)
        return fail(v, op, "the loops of dim %d do not nest", d), false;
      inner = st_sym_is_const(n->loop[i].trip);
      extent = st_sym_scale(n->loop[i].trip, extent.c);
    }
    if (lanes > 1 || !st_sym_eq(extent, n->dim[d].extent))
      return fail(v, op, "loops and lanes do not cover dim %d", d), false;
  }
  return true;
}

/* One loop of single steps; an input's guard is not inside its last loop. */
static void check_kernel_guard(Verify *v, const StOp *op, const StGuard *g,
                               int level) {
  const StNest *n = &op->u.nest;
  int loops = 0, at = -1;
  for (int i = 0; i < n->nloops; i++)
    if (n->loop[i].dim == g->dim) {
      loops++;
      at = i;
    }
  if (loops != 1 || n->loop[at].step != 1 || at >= level)
    fail(v, op, "a guarded dim is not one loop of single steps around its "
                "port");
}

static void check_kernel(Verify *v, const StOp *op) {
  const StNest *n = &op->u.nest;
  if (!check_nest(v, op) || !check_schedule(v, op))
    return;
  for (int k = 0; k < op->noperands; k++) {
    const StValue *s = op->operand[k];
    if (!s->type.order) {
      fail(v, op, "operand %d is no stream", k);
      continue;
    }
    StPortInfo p = st_port_input(v->scratch, op, k);
    if (n->in[k].guard.dim >= 0)
      check_kernel_guard(v, op, &n->in[k].guard, p.level);
    if (!st_itensor_same(v->scratch, &p.order, s->type.order))
      fail(v, op, "operand %d arrives in another order than it is read", k);
  }
  for (int r = 0; r < op->nresults; r++) {
    const StValue *s = op->result[r];
    if (!s->type.order) {
      fail(v, op, "result %d is no stream", r);
      continue;
    }
    StPortInfo p = st_port_output(v->scratch, op, r);
    if (n->out[r].guard.dim >= 0)
      check_kernel_guard(v, op, &n->out[r].guard, p.level);
    if (!st_itensor_same(v->scratch, &p.order, s->type.order))
      fail(v, op, "result %d has another order than it is written in", r);
  }
}

/* ---- other ops ---------------------------------------------------------------------- */

static void check_converter(Verify *v, const StOp *op) {
  const StConverter *c = &op->u.converter;
  if (c->shared < 0 || c->shared > c->fill.nloops ||
      c->shared > c->drain.nloops || c->banks < 1 || c->banks > 2) {
    fail(v, op, "shared loops or banks are out of range");
    return;
  }
  for (int i = 0; i < c->shared; i++)
    if (c->fill.loop[i].dim != c->drain.loop[i].dim ||
        c->fill.loop[i].step != c->drain.loop[i].step ||
        !st_sym_eq(c->fill.loop[i].trip, c->drain.loop[i].trip))
      fail(v, op, "the shared loops of fill and drain differ");
  if (!st_itensor_is_once(&c->fill))
    fail(v, op, "fill visits a token twice");
  if (!op->operand[0]->type.order || !op->result[0]->type.order)
    fail(v, op, "a converter joins streams");
  else if (!st_itensor_same(v->scratch, &c->fill, op->operand[0]->type.order) ||
           !st_itensor_same(v->scratch, &c->drain, op->result[0]->type.order))
    fail(v, op, "fill or drain is not the order of its stream");
  int64_t window = 1;
  for (int d = 0; d < c->fill.rank; d++)
    window *= c->extent[d];
  if (window != c->window)
    fail(v, op, "the window is not the product of its extents");
}

static void check_list(Verify *v, const StOp *op, const StIndexList *l,
                       int most) {
  int64_t trip = op->scope && op->scope <= v->m->repeat.n
                     ? v->m->repeat.at[op->scope - 1].trip
                     : l->n;
  if (l->n < 1 || (l->n != 1 && l->n != trip))
    fail(v, op, "one position, or one for each iteration of the block");
  for (int i = 0; i < l->n; i++)
    if (l->index[i] < 0 || l->index[i] >= most)
      fail(v, op, "position %d is out of range", l->index[i]);
}

static void check_const(Verify *v, const StOp *op) {
  const StConst *c = &op->u.constant;
  const StType *t = &op->result[0]->type;
  int64_t n = (int64_t)st_dtype_bytes(t->dtype);
  int first = t->rank && c->n > 1 && !op->scope ? 1 : 0;
  for (int i = first; i < t->rank && !c->splat; i++)
    n *= st_sym_max(t->shape[i], v->m->ctx, v->m->chunk);
  if (n * c->n != c->bytes)
    fail(v, op, "the data has %lld bytes where the type needs %lld",
         (long long)c->bytes, (long long)(n * c->n));
}

static void check_fork(Verify *v, const StOp *op) {
  for (int r = 0; r < op->nresults; r++)
    if (!op->operand[0]->type.order || !op->result[r]->type.order ||
        !st_itensor_same(v->scratch, op->operand[0]->type.order,
                         op->result[r]->type.order))
      fail(v, op, "copy %d is not like the stream", r);
}

static void check_load(Verify *v, const StOp *op) {
  const StLoad *l = &op->u.load;
  const StOpKind def = op->operand[0]->def->kind;
  if (def != ST_OP_ARG && def != ST_OP_CONST)
    fail(v, op, "what is loaded is neither argument nor constant");
  if ((l->gather >= 0) != (op->noperands == 2) ||
      l->gather >= op->result[0]->type.rank ||
      l->layer_dim >= op->result[0]->type.rank)
    fail(v, op, "gather or layer is out of range");
}

static void check_op(Verify *v, const StOp *op) {
  const StOp *d;
  switch (op->kind) {
  case ST_OP_ARG:
    check_list(v, op, &op->u.index, v->m->arg.n);
    break;
  case ST_OP_RESULT:
    check_list(v, op, &op->u.index, v->m->ret.n);
    break;
  case ST_OP_CONST:
    check_const(v, op);
    break;
  case ST_OP_GENERIC:
    check_nest(v, op);
    break;
  case ST_OP_KERNEL:
    check_kernel(v, op);
    break;
  case ST_OP_CONVERTER:
    check_converter(v, op);
    break;
  case ST_OP_FORK:
    check_fork(v, op);
    break;
  case ST_OP_LOAD:
    check_load(v, op);
    break;
  case ST_OP_STORE:
    check_list(v, op, &op->u.store.index, v->m->ret.n);
    break;
  case ST_OP_CARRY:
    d = op->operand[1]->def;
    if (op->scope == 0 || d->scope != op->scope)
      fail(v, op, "what is carried is not made in the same block");
    break;
  case ST_OP_VIEW:
  case ST_OP_SLICE:
  case ST_OP_CONCAT:
  case ST_OP_COUNT:
    break;
  }
}

/* ---- the module ----------------------------------------------------------------------- */

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
  return (in < 0 || op->noperands == in) && (out < 0 || op->nresults == out);
}

/* A use may come before its definition if it closes a cycle: the second
 * operand of carry, a guarded operand, any stream. */
static bool may_be_early(const StOp *op, int k) {
  if (op->kind == ST_OP_CARRY)
    return k == 1;
  if (op->operand[k]->type.order)
    return true;
  return op->kind == ST_OP_GENERIC && op->u.nest.in[k].guard.dim >= 0;
}

static bool check_shape(Verify *v) {
  const StModule *m = v->m;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    if (!has_counts(op)) {
      fail(v, op, "wrong number of operands or results");
      return false;
    }
    for (int k = 0; k < op->noperands; k++) {
      int id = op->operand[k]->id;
      if (id < 0 || id >= m->next_value ||
          (!v->before[id] && !may_be_early(op, k))) {
        fail(v, op, "operand %d is used before it is defined", k);
        return false;
      }
      v->users[id]++;
    }
    for (int r = 0; r < op->nresults; r++) {
      int id = op->result[r]->id;
      if (id < 0 || id >= m->next_value || v->before[id]) {
        fail(v, op, "result %d has no number of its own", r);
        return false;
      }
      v->before[id] = true;
    }
  }
  return true;
}

bool st_module_verify(const StModule *m, const char *after, StDiag *diag) {
  Verify v = {.m = m, .after = after, .diag = diag, .ok = true,
              .scratch = st_arena_new()};
  v.users = ST_NEW_N(v.scratch, int, m->next_value + 1);
  v.before = ST_NEW_N(v.scratch, bool, m->next_value + 1);
  if (check_shape(&v))
    for (int i = 0; i < m->op.n; i++) {
      const StOp *op = m->op.at[i];
      check_op(&v, op);
      for (int r = 0; r < op->nresults; r++)
        if (op->result[r]->type.order && op->kind != ST_OP_LOAD &&
            v.users[op->result[r]->id] != 1)
          fail(&v, op, "stream %d has %d users instead of one", r,
               v.users[op->result[r]->id]);
    }
  st_arena_free(v.scratch);
  return v.ok;
}
