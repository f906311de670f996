/* Bodies, maps and guards of generics and kernels. */
#include "ir/verify.h"

/* ---- bodies ----------------------------------------------------------- */

typedef enum { LEAF, SAME, CMP, SEL, CVT } Rule;

static Rule rule_of(StScalarKind k) {
  static const unsigned char rules[] = {
#define X(e, name, args, kind, summary) kind,
#include "ir/scalar.def"
#undef X
  };
  return (Rule)rules[k];
}

/* Of the operations whose result has its arguments' type, those on floats come
 * first in scalar.def. */
static bool is_float_op(StScalarKind k) { return k < ST_X_ADDI; }

static const char *check_leaf(const StOp *op, const StExpr *e, int at) {
  const StNest *n = &op->u.nest;
  if (e->kind == ST_X_ARG || e->kind == ST_X_EXTRACT) {
    if (e->operand < 0 || e->operand >= op->noperands)
      return "reads an operand that the op does not have";
    if (op->operand[e->operand]->type.dtype != e->dtype)
      return "has another type than the operand that it reads";
    if ((e->kind == ST_X_EXTRACT) != !n->in[e->operand].map)
      return "reads a table as an element, or an element as a table";
  }
  if (e->kind == ST_X_EXTRACT) {
    if (e->nindices != op->operand[e->operand]->type.rank)
      return "has not one index for each dim of its table";
    for (int i = 0; i < e->nindices; i++)
      if (e->indices[i] < 0 || e->indices[i] >= at ||
          n->body.at[e->indices[i]].dtype != ST_I64)
        return "has an index that is no earlier i64";
  }
  if (e->kind == ST_X_INDEX && e->dtype != ST_I64)
    return "is of the iteration and must be an i64";
  return NULL;
}

static const char *check_conversion(StScalarKind k, StDtype from, StDtype to) {
  bool f = st_dtype_is_float(from), t = st_dtype_is_float(to);
  int less = st_dtype_bits(to) - st_dtype_bits(from);
  bool ok = false;
  if (k == ST_X_SITOFP || k == ST_X_UITOFP)
    ok = !f && t;
  else if (k == ST_X_FPTOSI)
    ok = f && !t;
  else if (k == ST_X_EXTF || k == ST_X_TRUNCF)
    ok = f && t && (k == ST_X_EXTF ? less >= 0 : less <= 0);
  else
    ok = !f && !t && (k == ST_X_TRUNCI ? less <= 0 : less >= 0);
  return ok ? NULL : "converts between types that it is not for";
}

/* What is wrong with expression `at`; NULL: nothing. */
static const char *check_expr(const StOp *op, const StExpr *e, int at) {
  const StBody *b = &op->u.nest.body;
  int args = st_scalar_args(e->kind);
  StDtype t[3] = {ST_F32, ST_F32, ST_F32};
  for (int k = 0; k < args; k++) {
    if (e->arg[k] < 0 || e->arg[k] >= at)
      return "uses an expression that does not come before it";
    t[k] = b->at[e->arg[k]].dtype;
  }
  switch (rule_of(e->kind)) {
  case LEAF:
    return check_leaf(op, e, at);
  case SAME:
    if (t[0] != e->dtype || (args > 1 && t[1] != e->dtype))
      return "has another type than its arguments";
    return is_float_op(e->kind) == st_dtype_is_float(e->dtype)
               ? NULL
               : "is not for its type";
  case CMP:
    if (e->dtype != ST_I1 || t[0] != t[1])
      return "compares two types, or does not yield an i1";
    if (st_dtype_is_float(t[0]) != (e->kind == ST_X_CMPF) ||
        (e->pred < ST_P_EQ) != (e->kind == ST_X_CMPF))
      return "is not for its type";
    return NULL;
  case SEL:
    return t[0] == ST_I1 && t[1] == e->dtype && t[2] == e->dtype
               ? NULL
               : "does not choose by an i1 between two of its type";
  case CVT:
    return check_conversion(e->kind, t[0], e->dtype);
  }
  return NULL;
}

/* A fold may be taken in any order of the lanes. */
static bool may_combine(StScalarKind k, StDtype t) {
  bool on_floats = k == ST_X_ADDF || k == ST_X_MULF || k == ST_X_MAXIMUMF ||
                   k == ST_X_MINIMUMF || k == ST_X_MAXNUMF || k == ST_X_MINNUMF;
  bool on_integers = k == ST_X_ADDI || k == ST_X_MULI || k == ST_X_MAXSI ||
                     k == ST_X_MINSI || k == ST_X_ANDI || k == ST_X_ORI ||
                     k == ST_X_XORI;
  return st_dtype_is_float(t) ? on_floats : on_integers;
}

/* ---- maps and guards -------------------------------------------------- */

static bool check_affine(StVerify *v, const StOp *op, const StAffine *e) {
  const StNest *n = &op->u.nest;
  bool ok = st_verify_sym(v, e->off);
  for (int i = 0; i < e->n; i++) {
    const StTerm *t = &e->term[i];
    ok = ok && t->dim >= 0 && t->dim < n->ndims && t->coef != 0 &&
         t->coef <= ST_VERIFY_NUMBER && t->coef >= -ST_VERIFY_NUMBER &&
         (i == 0 || e->term[i - 1].dim < t->dim);
  }
  return ok || st_verify_fail(v, op,
                              "the terms are dims of the op, ascending, "
                              "each with a factor that is not 0",
                              "a map or index is no sum over its dims");
}

static bool check_guard(StVerify *v, const StOp *op, const StGuard *g) {
  const StNest *n = &op->u.nest;
  if (g->dim < 0)
    return true;
  if (g->dim >= n->ndims)
    return st_verify_fail(v, op, "guard a dim of the op",
                          "a guard on dim %d, which does not exist", g->dim);
  if (!st_verify_sym(v, g->lo) || !st_verify_sym(v, g->hi) ||
      !st_verify_ge(v, g->lo, (StSym){0}) || !st_verify_ge(v, g->hi, g->lo) ||
      !st_verify_ge(v, n->dim[g->dim].extent, g->hi) || st_sym_eq(g->lo, g->hi))
    return st_verify_fail(v, op,
                          "0 <= lo <= hi <= extent for all P and T; an "
                          "access that never takes place is dropped",
                          "the guard on dim %d is empty or leaves the dim",
                          g->dim);
  return true;
}

/* Least and most of one map entry, over the iterations in the guard. */
static bool range_of(const StNest *n, const StAffine *e, const StGuard *g,
                     StSym *lo, StSym *hi) {
  bool ok = true;
  *lo = *hi = e->off;
  for (int i = 0; i < e->n; i++) {
    int d = e->term[i].dim;
    int64_t k = e->term[i].coef;
    StSym first = st_sym_const(0), end = n->dim[d].extent;
    if (g->dim == d) {
      first = g->lo;
      end = g->hi;
    }
    StSym last = st_sym_add(end, st_sym_const(-1));
    ok = ok && st_verify_add(lo, k > 0 ? first : last, k) &&
         st_verify_add(hi, k > 0 ? last : first, k);
  }
  return ok;
}

/* Elements that a map reads or writes lie inside of the tensor. */
static bool check_access(StVerify *v, const StOp *op, const char *what, int k,
                         const StType *t, const StAffine *map,
                         const StGuard *g) {
  StSym one = st_sym_const(1);
  /* a guard that is empty for some P and T accesses nothing there */
  bool maybe = g->dim >= 0 && !st_verify_ge(v, g->hi, st_sym_add(g->lo, one));
  for (int d = 0; d < t->rank; d++) {
    StSym lo, hi;
    if (!check_affine(v, op, &map[d]))
      return false;
    if (!range_of(&op->u.nest, &map[d], g, &lo, &hi) ||
        (!maybe && !st_verify_ge(v, lo, (StSym){0})) ||
        !st_verify_ge(v, t->shape[d], st_sym_add(hi, one)))
      return st_verify_fail(v, op,
                            "its map must stay in 0 .. extent - 1; guard "
                            "the dim where it does not",
                            "%s %d leaves its tensor at dim %d", what, k, d);
  }
  return true;
}

/* ---- results ---------------------------------------------------------- */

static bool check_value(StVerify *v, const StOp *op, int r, bool reduces) {
  const StNest *n = &op->u.nest;
  const StOutput *o = &n->out[r];
  StDtype t = op->result[r]->type.dtype;
  if (o->yield < 0 || o->yield >= n->body.n || n->body.at[o->yield].dtype != t)
    return st_verify_fail(v, op, "yield an expression of the result's type",
                          "result %d is not of the type that its body yields",
                          r);
  if (reduces ? !may_combine(o->combine, t) : o->combine != ST_X_ARG)
    return st_verify_fail(
        v, op,
        reduces ? "addf mulf maximumf minimumf maxnumf minnumf addi "
                  "muli maxsi minsi andi ori xori of its type combine"
                : "without a reduction dim it is 'arg'",
        "result %d is combined by '%s'", r, st_scalar_name(o->combine));
  return true;
}

/* Every element is written at most once: by each parallel dim in one place, or
 * in one iteration of it. */
static bool check_written_once(StVerify *v, const StOp *op, int r) {
  const StNest *n = &op->u.nest;
  const StOutput *o = &n->out[r];
  bool *used = ST_NEW_N(v->scratch, bool, n->ndims + 1);
  for (int i = 0; i < op->result[r]->type.rank; i++)
    for (int k = 0; k < o->map[i].n; k++) {
      int d = o->map[i].term[k].dim;
      if (n->dim[d].reduction || used[d])
        return st_verify_fail(v, op,
                              "each parallel dim walks one dim of a "
                              "result, a reduction dim none",
                              "result %d uses dim %d, which is a reduction or "
                              "used already",
                              r, d);
      used[d] = true;
    }
  for (int d = 0; d < n->ndims; d++) {
    bool single =
        st_sym_eq(n->dim[d].extent, st_sym_const(1)) ||
        (o->guard.dim == d &&
         st_sym_eq(o->guard.hi, st_sym_add(o->guard.lo, st_sym_const(1))));
    if (!n->dim[d].reduction && !used[d] && !single)
      return st_verify_fail(v, op, "map the dim, or guard one iteration of it",
                            "result %d is written again for each of dim %d", r,
                            d);
  }
  if (o->guard.dim >= 0 && n->dim[o->guard.dim].reduction)
    return st_verify_fail(v, op, "guard a parallel dim",
                          "result %d is guarded on a reduction dim", r);
  return true;
}

/* ---- the nest --------------------------------------------------------- */

static bool check_dims(StVerify *v, const StOp *op) {
  const StNest *n = &op->u.nest;
  for (int d = 0; d < n->ndims; d++)
    if (!st_verify_sym(v, n->dim[d].extent) ||
        !st_verify_ge(v, n->dim[d].extent, (StSym){0}) ||
        (n->dim[d].iteration && n->dim[d].reduction))
      return st_verify_fail(v, op,
                            "an extent is not negative for any P and T; "
                            "the iteration of a repeat is parallel",
                            "dim %d is not well formed", d);
  return true;
}

static bool check_body(StVerify *v, const StOp *op) {
  const StBody *b = &op->u.nest.body;
  bool ok = true;
  for (int i = 0; i < b->n; i++) {
    if (b->at[i].kind == ST_X_INDEX && !check_affine(v, op, &b->at[i].affine))
      return false;
    const char *what = check_expr(op, &b->at[i], i);
    if (what)
      ok = st_verify_fail(v, op, "see src/ir/scalar.def for what it takes",
                          "expression %d (%s) %s", i,
                          st_scalar_name(b->at[i].kind), what);
  }
  return ok;
}

bool st_verify_nest(StVerify *v, const StOp *op) {
  const StNest *n = &op->u.nest;
  if (!check_dims(v, op) || !check_body(v, op))
    return false;
  bool reduces = false, ok = true;
  for (int d = 0; d < n->ndims; d++)
    reduces |= n->dim[d].reduction;
  for (int k = 0; k < op->noperands; k++) {
    const StGuard *g = &n->in[k].guard;
    if (!n->in[k].map && g->dim >= 0)
      ok = st_verify_fail(v, op, "select by the guard's range in the body",
                          "operand %d is a table and has a guard", k);
    else
      ok = check_guard(v, op, g) &&
           (!n->in[k].map ||
            check_access(v, op, "operand", k, &op->operand[k]->type,
                         n->in[k].map, g)) &&
           ok;
  }
  for (int r = 0; r < op->nresults; r++)
    ok = check_guard(v, op, &n->out[r].guard) &&
         check_access(v, op, "result", r, &op->result[r]->type, n->out[r].map,
                      &n->out[r].guard) &&
         check_value(v, op, r, reduces) && check_written_once(v, op, r) && ok;
  return ok;
}
