/* Sizes and types. */
#include "ir/verify.h"

#include "ir/itensor.h"

/* ---- sizes ------------------------------------------------------------ */

static bool is_bounded(int64_t x, int64_t most) {
  return x <= most && x >= -most;
}

bool st_verify_sym(const StVerify *v, StSym s) {
  bool symbols = v->m->ctx > 0 && v->m->chunk > 0;
  return is_bounded(s.c, ST_VERIFY_NUMBER) &&
         is_bounded(s.p, ST_VERIFY_NUMBER) &&
         is_bounded(s.t, ST_VERIFY_NUMBER) && (symbols || st_sym_is_const(s));
}

bool st_verify_ge(const StVerify *v, StSym a, StSym b) {
  StSym gap = st_sym_add(a, st_sym_scale(b, -1));
  return st_sym_min(gap, v->m->ctx, v->m->chunk) >= 0;
}

bool st_verify_add(StSym *to, StSym s, int64_t by) {
  StSym r;
  if (__builtin_mul_overflow(s.c, by, &r.c) ||
      __builtin_mul_overflow(s.p, by, &r.p) ||
      __builtin_mul_overflow(s.t, by, &r.t) ||
      __builtin_add_overflow(to->c, r.c, &r.c) ||
      __builtin_add_overflow(to->p, r.p, &r.p) ||
      __builtin_add_overflow(to->t, r.t, &r.t))
    return false;
  *to = r;
  return is_bounded(r.c, ST_VERIFY_MOST) && is_bounded(r.p, ST_VERIFY_MOST) &&
         is_bounded(r.t, ST_VERIFY_MOST);
}

bool st_verify_mul(int64_t *to, int64_t by) {
  return by >= 0 && !__builtin_mul_overflow(*to, by, to) &&
         *to < ST_VERIFY_MOST;
}

int64_t st_verify_elements(const StVerify *v, int rank, const StSym *shape) {
  int64_t n = 1;
  for (int d = 0; d < rank; d++)
    if (!st_verify_mul(&n, st_sym_max(shape[d], v->m->ctx, v->m->chunk)))
      return -1;
  return n;
}

bool st_verify_same_size(const StVerify *v, int rank, const StSym *shape,
                         int rank2, const StSym *shape2, int64_t times) {
  int64_t ctx = v->m->ctx, chunk = v->m->chunk;
  const int64_t at[][2] = {{ctx ? ctx - chunk : 0, chunk}, {0, chunk ? 1 : 0}};
  for (int i = 0; i < 2; i++) {
    int64_t x = 1, y = times;
    bool fits = true;
    for (int d = 0; d < rank; d++)
      fits =
          fits && st_verify_mul(&x, st_sym_eval(shape[d], at[i][0], at[i][1]));
    for (int d = 0; d < rank2; d++)
      fits =
          fits && st_verify_mul(&y, st_sym_eval(shape2[d], at[i][0], at[i][1]));
    if (!fits || x != y)
      return false;
  }
  return true;
}

bool st_verify_same_shape(const StType *x, const StType *y) {
  if (x->rank != y->rank || x->dtype != y->dtype)
    return false;
  for (int d = 0; d < x->rank; d++)
    if (!st_sym_eq(x->shape[d], y->shape[d]))
      return false;
  return true;
}

/* ---- orders ----------------------------------------------------------- */

/* Each loop, and the product of all sizes, coefficients of P and T included:
 * merged loops do not overflow either. */
static bool check_loops(StVerify *v, const StOp *op, const char *what,
                        const StItensor *o) {
  int64_t all = 1;
  for (int d = 0; d < o->rank; d++)
    if (o->elem[d] < 1 || !st_verify_mul(&all, o->elem[d]) ||
        all > ST_VERIFY_LANES)
      return st_verify_fail(v, op,
                            "extents of a token are at least 1, and it "
                            "has at most 65536 elements",
                            "%s has a token of extent %lld at dim %d", what,
                            (long long)o->elem[d], d);
  for (int i = 0; i < o->nloops; i++) {
    const StLoop *l = &o->loop[i];
    if (l->dim < -1 || l->dim >= o->rank)
      return st_verify_fail(v, op, "a loop walks a dim of its tensor, or none",
                            "%s has a loop over data dim %d", what, l->dim);
    if (!st_verify_sym(v, l->trip) || !st_verify_ge(v, l->trip, (StSym){0}) ||
        st_sym_eq(l->trip, (StSym){0}))
      return st_verify_fail(v, op, "drop what never runs",
                            "%s has a loop whose trip may be negative or is 0",
                            what);
    if (l->dim >= 0 ? l->step < 1 || l->step > ST_VERIFY_NUMBER
                    : l->step < 0 || l->step > ST_VERIFY_NUMBER)
      return st_verify_fail(v, op, "a loop advances by at least one element",
                            "%s has a loop of step %lld", what,
                            (long long)l->step);
    StSym t = l->trip;
    int64_t weight = (t.c < 0 ? -t.c : t.c) + (t.p < 0 ? -t.p : t.p) +
                     (t.t < 0 ? -t.t : t.t);
    int64_t most = st_sym_max(t, v->m->ctx, v->m->chunk);
    bool fits = st_verify_mul(&all, most > weight ? most : weight);
    int64_t reach = all;
    if (!fits || !st_verify_mul(&reach, l->step + 1))
      return st_verify_fail(v, op, "make the extents smaller",
                            "%s is longer than 2^60 elements", what);
  }
  return true;
}

/* Every token lies in the tensor. */
static bool check_bounds(StVerify *v, const StOp *op, const char *what,
                         const StItensor *o, const StSym *shape) {
  for (int d = 0; d < o->rank; d++) {
    StSym end = st_sym_const(o->elem[d]);
    bool fits =
        st_verify_sym(v, o->origin[d]) && st_verify_add(&end, o->origin[d], 1);
    for (int i = 0; fits && i < o->nloops; i++)
      if (o->loop[i].dim == d)
        fits = st_verify_add(&end, o->loop[i].trip, o->loop[i].step) &&
               st_verify_add(&end, st_sym_const(-1), o->loop[i].step);
    if (!fits || !st_verify_ge(v, o->origin[d], (StSym){0}) ||
        !st_verify_ge(v, shape[d], end))
      return st_verify_fail(v, op,
                            "loops, origin and token of a data dim "
                            "together cover at most its extent",
                            "%s leaves its tensor at dim %d", what, d);
  }
  return true;
}

bool st_verify_order(StVerify *v, const StOp *op, const char *what,
                     const StItensor *o, int rank, const StSym *shape) {
  if (o->rank != rank)
    return st_verify_fail(v, op, "an order has the rank of its tensor",
                          "%s has %d dims of %d", what, o->rank, rank);
  return check_loops(v, op, what, o) && check_bounds(v, op, what, o, shape);
}

/* ---- types ------------------------------------------------------------ */

bool st_verify_type(StVerify *v, const StOp *op, int r) {
  const StType *t = &op->result[r]->type;
  char what[32];
  snprintf(what, sizeof what, "result %d", r);
  if (t->rank < 0 || t->rank > ST_VERIFY_RANK)
    return st_verify_fail(v, op, "tensors have at most 64 dims",
                          "%s has rank %d", what, t->rank);
  for (int d = 0; d < t->rank; d++)
    if (!st_verify_sym(v, t->shape[d]) ||
        !st_verify_ge(v, t->shape[d], (StSym){0}))
      return st_verify_fail(v, op,
                            "an extent is not negative for any P and T, "
                            "and has them only if the module has ctx and chunk",
                            "the extent of dim %d of %s", d, what);
  if (st_verify_elements(v, t->rank, t->shape) < 0)
    return st_verify_fail(v, op, "make the extents smaller",
                          "%s has more than 2^60 elements", what);
  return !t->order || st_verify_order(v, op, what, t->order, t->rank, t->shape);
}
