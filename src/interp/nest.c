/* Bodies at many points: every expression is one operation on arrays.
 * Expressions that no uniform dim changes are evaluated once a placement.
 * Accesses are checked beforehand, over the whole box of the dims.
 *
 * For a generic the points are those of the parallel dims, in row-major
 * chunks; the reduction dims are uniform and advance between evaluations. */
#include "interp/nest.h"

#include <string.h>

#include "interp/scalar.h"

enum { CHUNK = 256 }; /* points of a generic at a time */

typedef struct { /* base + sum of weight[d] * dim d, at this P and T */
  int64_t base;
  int64_t *weight; /* [ndims] */
} Linear;

typedef struct { /* an operand or a result */
  const StDense *tensor;
  Linear at; /* element */
  int guard; /* dim, or -1 */
  int64_t lo, hi;
  int64_t *element; /* [points] without what the uniform dims add */
  bool dense;       /* element[i] = element[0] + i, all or none accessed */
} Port;

typedef struct {
  const StExpr *e;
  StDtype type0; /* of the first argument */
  bool varies;   /* with the uniform dims */
  void *own;     /* [points] */
  void *at;      /* what readers use: own, or the operand itself */
  Linear index;  /* INDEX */
} Step;

struct StNestEval {
  const StOp *op;
  const StNest *n;
  StArena *a;
  StDiag *diag;
  int64_t P, T;
  int64_t *first, *end; /* [ndims] range of each dim */
  const bool *uniform;  /* [ndims] */
  int64_t **dim;        /* [ndims] value at each point */
  int most, points;     /* room; of this placement */
  Port *in, *out;
  Step *step;
};

int64_t st_dense_elements(const StDense *t) {
  int64_t n = 1;
  for (int d = 0; d < t->rank; d++)
    n *= t->extent[d];
  return n;
}

/* ---- preparation ------------------------------------------------------- */

static void add_affine(const StNestEval *e, Linear *l, const StAffine *x,
                       int64_t by) {
  l->base += by * st_sym_eval(x->off, e->P, e->T);
  for (int t = 0; t < x->n; t++)
    l->weight[x->term[t].dim] += by * x->term[t].coef;
}

static Linear linear(const StNestEval *e) {
  return (Linear){0, ST_NEW_N(e->a, int64_t, e->n->ndims + 1)};
}

static bool refuse(const StNestEval *e, const char *what, int which,
                   const char *why) {
  const StOp *op = e->op;
  st_error(e->diag, op->loc, "%s #%d%s%s: %s %d %s", st_op_name(op->kind),
           op->id, op->name ? " " : "", op->name ? op->name : "", what, which,
           why);
  return false;
}

/* Every element that a map selects lies in its tensor. */
static bool is_inside(const StNestEval *e, const Port *p, const StAffine *map,
                      const char *what, int which) {
  for (int i = 0; i < p->tensor->rank; i++) {
    Linear l = linear(e);
    add_affine(e, &l, &map[i], 1);
    int64_t least = l.base, most = l.base;
    for (int d = 0; d < e->n->ndims; d++) {
      int64_t first = e->first[d], end = e->end[d];
      if (d == p->guard) {
        first = p->lo > first ? p->lo : first;
        end = p->hi < end ? p->hi : end;
      }
      if (first >= end)
        return true; /* no access at all */
      bool up = l.weight[d] > 0;
      least += l.weight[d] * (up ? first : end - 1);
      most += l.weight[d] * (up ? end - 1 : first);
    }
    if (least < 0 || most >= p->tensor->extent[i])
      return refuse(
          e, what, which,
          st_arena_printf(e->a,
                          "is accessed at %lld to %lld of dim %d, which has "
                          "%lld",
                          (long long)least, (long long)most, i,
                          (long long)p->tensor->extent[i]));
  }
  return true;
}

static bool make_port(StNestEval *e, Port *p, const StDense *t,
                      const StAffine *map, const StGuard *g, const char *what,
                      int which) {
  *p = (Port){.tensor = t, .guard = g->dim, .at = linear(e)};
  if (g->dim >= 0) {
    p->lo = st_sym_eval(g->lo, e->P, e->T);
    p->hi = st_sym_eval(g->hi, e->P, e->T);
  }
  if (!map)
    return true; /* a table */
  p->element = ST_NEW_N(e->a, int64_t, e->most);
  int64_t stride = 1;
  for (int i = t->rank; i-- > 0; stride *= t->extent[i])
    add_affine(e, &p->at, &map[i], stride);
  return is_inside(e, p, map, what, which);
}

static bool varies(const StNestEval *e, const Linear *l) {
  for (int d = 0; d < e->n->ndims; d++)
    if (e->uniform[d] && l->weight[d])
      return true;
  return false;
}

static void make_step(StNestEval *e, int at) {
  Step *s = &e->step[at];
  const StExpr *x = &e->n->body.at[at];
  *s = (Step){.e = x, .own = st_arena_alloc_n(e->a, (size_t)e->most, 8)};
  s->at = s->own;
  for (int k = 0; k < st_scalar_args(x->kind); k++)
    s->varies |= e->step[x->arg[k]].varies;
  if (st_scalar_args(x->kind) > 0)
    s->type0 = e->n->body.at[x->arg[0]].dtype;
  if (x->kind == ST_X_ARG) {
    const Port *p = &e->in[x->operand];
    s->varies = varies(e, &p->at) || (p->guard >= 0 && e->uniform[p->guard]);
  } else if (x->kind == ST_X_INDEX) {
    s->index = linear(e);
    add_affine(e, &s->index, &x->affine, 1);
    s->varies = varies(e, &s->index);
  } else if (x->kind == ST_X_EXTRACT) {
    for (int k = 0; k < x->nindices; k++)
      s->varies |= e->step[x->indices[k]].varies;
  } else if (x->kind == ST_X_CONST) {
    int bytes = st_slot_bytes(x->dtype);
    for (int i = 0; i < e->most; i++)
      st_slots_read(x->dtype, &x->bits, 1, (char *)s->own + i * bytes);
  }
}

static void set_ranges(StNestEval *e, int64_t layer) {
  int n = e->n->ndims;
  e->first = ST_NEW_N(e->a, int64_t, n + 1);
  e->end = ST_NEW_N(e->a, int64_t, n + 1);
  e->dim = ST_NEW_N(e->a, int64_t *, n + 1);
  for (int d = 0; d < n; d++) {
    e->end[d] = st_sym_eval(e->n->dim[d].extent, e->P, e->T);
    e->dim[d] = ST_NEW_N(e->a, int64_t, e->most);
  }
  if (layer >= 0) {
    e->first[0] = layer;
    e->end[0] = layer + 1;
  }
}

StNestEval *st_nest_new(StArena *a, const StOp *op, const StDense *const *in,
                        const StDense *const *out, int64_t P, int64_t T,
                        int64_t layer, const bool *uniform, int points,
                        StDiag *diag) {
  StNestEval *e = ST_NEW(a, StNestEval);
  const StNest *n = &op->u.nest;
  *e = (StNestEval){.op = op,
                    .n = n,
                    .a = a,
                    .diag = diag,
                    .P = P,
                    .T = T,
                    .uniform = uniform,
                    .most = points};
  set_ranges(e, layer);
  bool ok = true;
  e->in = ST_NEW_N(a, Port, op->noperands + 1);
  e->out = ST_NEW_N(a, Port, op->nresults + 1);
  for (int k = 0; k < op->noperands; k++)
    ok &= make_port(e, &e->in[k], in[k], n->in[k].map, &n->in[k].guard,
                    "operand", k);
  for (int k = 0; k < op->nresults; k++) {
    const StGuard *g = &n->out[k].guard;
    ok &= make_port(e, &e->out[k], out[k], n->out[k].map, g, "result", k);
    if (g->dim >= 0 && n->dim[g->dim].reduction)
      ok = refuse(e, "result", k, "is guarded on a reduction dim");
  }
  e->step = ST_NEW_N(a, Step, n->body.n + 1);
  for (int x = 0; ok && x < n->body.n; x++)
    make_step(e, x);
  return ok ? e : NULL;
}

/* ---- evaluation -------------------------------------------------------- */

int64_t *st_nest_dim(StNestEval *e, int d) { return e->dim[d]; }

/* What the dims that are not uniform make of an expression. */
static void place(const StNestEval *e, const Linear *l, int64_t *to) {
  for (int i = 0; i < e->points; i++)
    to[i] = l->base;
  for (int d = 0; d < e->n->ndims; d++)
    if (!e->uniform[d] && l->weight[d])
      for (int i = 0; i < e->points; i++)
        to[i] += l->weight[d] * e->dim[d][i];
}

/* What the uniform dims add. */
static int64_t moved(const StNestEval *e, const Linear *l) {
  int64_t at = 0;
  for (int d = 0; d < e->n->ndims; d++)
    if (e->uniform[d])
      at += l->weight[d] * e->dim[d][0];
  return at;
}

static void place_port(const StNestEval *e, Port *p) {
  if (!p->element)
    return;
  place(e, &p->at, p->element);
  p->dense = p->guard < 0 || e->uniform[p->guard];
  for (int i = 1; i < e->points && p->dense; i++)
    p->dense = p->element[i] == p->element[0] + i;
}

void st_nest_place(StNestEval *e, int n) {
  e->points = n;
  for (int k = 0; k < e->op->noperands; k++)
    place_port(e, &e->in[k]);
  for (int k = 0; k < e->op->nresults; k++)
    place_port(e, &e->out[k]);
}

/* Whether point i accesses the port. */
static bool is_on(const StNestEval *e, const Port *p, int i) {
  if (p->guard < 0)
    return true;
  int64_t at = e->dim[p->guard][e->uniform[p->guard] ? 0 : i];
  return at >= p->lo && at < p->hi;
}

static void fetch(const StNestEval *e, Step *s) {
  const Port *p = &e->in[s->e->operand];
  int64_t bytes = st_slot_bytes(s->e->dtype);
  char *from = (char *)p->tensor->slots + moved(e, &p->at) * bytes;
  char *to = s->own;
  s->at = s->own;
  if (p->dense && is_on(e, p, 0)) {
    s->at = from + p->element[0] * bytes;
    return;
  }
  if (p->guard < 0) {
    st_slots_pick((int)bytes, e->points, p->element, from, to);
    return;
  }
  memset(to, 0, (size_t)(bytes * e->points));
  for (int i = 0; i < e->points; i++)
    if (is_on(e, p, i))
      st_slots_pick((int)bytes, 1, &p->element[i], from, to + i * bytes);
}

static void look_up(const StNestEval *e, Step *s) {
  const StDense *t = e->in[s->e->operand].tensor;
  size_t bytes = (size_t)st_slot_bytes(s->e->dtype);
  memset(s->own, 0, bytes * (size_t)e->points);
  for (int i = 0; i < e->points; i++) {
    int64_t at = 0;
    bool inside = true;
    for (int d = 0; d < t->rank && inside; d++) {
      int64_t x = ((const int64_t *)e->step[s->e->indices[d]].at)[i];
      inside = x >= 0 && x < t->extent[d];
      at = at * t->extent[d] + (inside ? x : 0);
    }
    if (inside)
      memcpy((char *)s->own + (size_t)i * bytes,
             (const char *)t->slots + (size_t)at * bytes, bytes);
  }
}

static void index_points(const StNestEval *e, const Step *s) {
  int64_t *to = s->own, at = moved(e, &s->index);
  place(e, &s->index, to);
  for (int i = 0; i < e->points; i++)
    to[i] += at;
}

void st_nest_evaluate(StNestEval *e, bool again) {
  for (int x = 0; x < e->n->body.n; x++) {
    Step *s = &e->step[x];
    const void *args[3] = {NULL, NULL, NULL};
    if (again && !s->varies)
      continue;
    switch ((int)s->e->kind) {
    case ST_X_CONST:
      break;
    case ST_X_ARG:
      fetch(e, s);
      break;
    case ST_X_EXTRACT:
      look_up(e, s);
      break;
    case ST_X_INDEX:
      index_points(e, s);
      break;
    default:
      for (int k = 0; k < st_scalar_args(s->e->kind); k++)
        args[k] = e->step[s->e->arg[k]].at;
      st_slots_apply(s->e, s->type0, e->points, args, s->own);
    }
  }
}

const void *st_nest_value(const StNestEval *e, int r) {
  return e->step[e->n->out[r].yield].at;
}

void st_nest_write(const StNestEval *e, int r, int first, int n,
                   const void *slots) {
  const Port *p = &e->out[r];
  size_t bytes = (size_t)st_slot_bytes(p->tensor->dtype);
  char *to = p->tensor->slots;
  const char *from = slots;
  int run = p->dense ? n : 1; /* points that lie side by side */
  for (int i = 0; i < n; i += run)
    if (is_on(e, p, first + i))
      memcpy(to + (size_t)p->element[first + i] * bytes,
             from + (size_t)i * bytes, (size_t)run * bytes);
}

/* ---- generics ---------------------------------------------------------- */

/* The next position of the dims that are (not) reductions; false after the
 * last, when they are at the first again. */
static bool advance(const StNestEval *e, bool reduction, int64_t *at) {
  for (int d = e->n->ndims; d-- > 0;) {
    if (e->n->dim[d].reduction != reduction)
      continue;
    if (++at[d] < e->end[d])
      return true;
    at[d] = e->first[d];
  }
  return false;
}

/* All reduction dims at the points that are placed. */
static void fold_points(StNestEval *e, int64_t *at, void *const *acc) {
  bool again = false, more = true;
  for (; more; again = true) {
    for (int d = 0; d < e->n->ndims; d++)
      if (e->uniform[d])
        e->dim[d][0] = at[d];
    st_nest_evaluate(e, again);
    for (int r = 0; r < e->op->nresults; r++) {
      StDtype t = e->out[r].tensor->dtype;
      const void *v = st_nest_value(e, r);
      if (again)
        st_slots_combine(e->n->out[r].combine, t, e->points, acc[r], v);
      else
        memcpy(acc[r], v, (size_t)(e->points * st_slot_bytes(t)));
    }
    more = advance(e, true, at);
  }
  for (int r = 0; r < e->op->nresults; r++)
    st_nest_write(e, r, 0, e->points, acc[r]);
}

static void run_points(StNestEval *e) {
  int ndims = e->n->ndims;
  int64_t *at = ST_NEW_N(e->a, int64_t, ndims + 1);
  void **acc = ST_NEW_N(e->a, void *, e->op->nresults + 1);
  for (int r = 0; r < e->op->nresults; r++)
    acc[r] = st_arena_alloc(e->a, 8 * CHUNK);
  for (int d = 0; d < ndims; d++) {
    at[d] = e->first[d];
    if (e->first[d] >= e->end[d])
      return;
  }
  for (bool more = true; more;) {
    int n = 0;
    for (; more && n < CHUNK; n++) {
      for (int d = 0; d < ndims; d++)
        if (!e->uniform[d])
          e->dim[d][n] = at[d];
      more = advance(e, false, at);
    }
    st_nest_place(e, n);
    fold_points(e, at, acc);
  }
}

bool st_nest_run(const StOp *op, const StDense *const *in,
                 const StDense *const *out, int64_t P, int64_t T, int64_t layer,
                 StDiag *diag) {
  StArena *a = st_arena_new();
  bool *uniform = ST_NEW_N(a, bool, op->u.nest.ndims + 1);
  for (int d = 0; d < op->u.nest.ndims; d++)
    uniform[d] = op->u.nest.dim[d].reduction;
  StNestEval *e =
      st_nest_new(a, op, in, out, P, T, layer, uniform, CHUNK, diag);
  if (e)
    run_points(e);
  st_arena_free(a);
  return e != NULL;
}
