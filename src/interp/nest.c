/* Loop nests on whole tensors. The points of the parallel dims are taken in
 * chunks of lanes, row-major; for each point of the reduction dims the body is
 * evaluated for all lanes of the chunk, every expression as one operation on
 * arrays. Expressions that no reduction dim changes are evaluated once a
 * chunk. Accesses are checked beforehand, over the whole box of the dims. */
#include "interp/nest.h"

#include <string.h>

#include "interp/scalar.h"

enum { CHUNK = 256 };

typedef struct { /* base + sum of weight[d] * dim d, at this P and T */
  int64_t base;
  int64_t *weight; /* [ndims] */
} Linear;

typedef struct { /* an operand or a result */
  const StDense *tensor;
  Linear at; /* element */
  int guard; /* dim, or -1 */
  int64_t lo, hi;
  int64_t *lane; /* [CHUNK] element without what the reduction dims add */
  bool dense;    /* lane[i] = lane[0] + i, and all are accessed */
} Port;

typedef struct {
  const StExpr *e;
  StDtype type0; /* of the first argument */
  bool varies;   /* with the reduction dims */
  void *own;     /* [CHUNK] */
  void *at;      /* what readers use: own, or the operand itself */
  Linear index;  /* INDEX */
} Step;

typedef struct {
  const StOp *op;
  const StNest *n;
  StArena *a;
  StDiag *diag;
  int64_t P, T;
  int64_t *first, *end; /* [ndims] range of each dim */
  int64_t *dim;         /* [ndims] where the reduction dims are */
  int64_t **lane;       /* [ndims] parallel dims: their value in each lane */
  int lanes;            /* of this chunk */
  Port *in, *out;
  Step *step;
  void **acc; /* [results] slots of each lane */
} Run;

int64_t st_dense_elements(const StDense *t) {
  int64_t n = 1;
  for (int d = 0; d < t->rank; d++)
    n *= t->extent[d];
  return n;
}

/* ---- before the first point -------------------------------------------- */

static void add_affine(const Run *r, Linear *l, const StAffine *e, int64_t by) {
  l->base += by * st_sym_eval(e->off, r->P, r->T);
  for (int t = 0; t < e->n; t++)
    l->weight[e->term[t].dim] += by * e->term[t].coef;
}

static Linear linear(const Run *r) {
  return (Linear){0, ST_NEW_N(r->a, int64_t, r->n->ndims + 1)};
}

/* Every element that a map selects lies in its tensor. */
static bool is_inside(const Run *r, const Port *p, const StAffine *map,
                      const char *what, int which) {
  for (int i = 0; i < p->tensor->rank; i++) {
    Linear l = linear(r);
    add_affine(r, &l, &map[i], 1);
    int64_t least = l.base, most = l.base;
    for (int d = 0; d < r->n->ndims; d++) {
      int64_t first = r->first[d], end = r->end[d];
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
    if (least >= 0 && most < p->tensor->extent[i])
      continue;
    st_error(r->diag, r->op->loc,
             "%s #%d%s%s: %s %d is accessed at %lld to %lld of dim %d, which "
             "has %lld",
             st_op_name(r->op->kind), r->op->id, r->op->name ? " " : "",
             r->op->name ? r->op->name : "", what, which, (long long)least,
             (long long)most, i, (long long)p->tensor->extent[i]);
    return false;
  }
  return true;
}

static bool make_port(Run *r, Port *p, const StDense *t, const StAffine *map,
                      const StGuard *g, const char *what, int which) {
  *p = (Port){.tensor = t, .guard = g->dim, .at = linear(r)};
  if (g->dim >= 0) {
    p->lo = st_sym_eval(g->lo, r->P, r->T);
    p->hi = st_sym_eval(g->hi, r->P, r->T);
  }
  p->lane = ST_NEW_N(r->a, int64_t, CHUNK);
  if (!map)
    return true; /* a table */
  int64_t stride = 1;
  for (int i = t->rank; i-- > 0; stride *= t->extent[i])
    add_affine(r, &p->at, &map[i], stride);
  return is_inside(r, p, map, what, which);
}

static bool varies(const Run *r, const Linear *l) {
  for (int d = 0; d < r->n->ndims; d++)
    if (r->n->dim[d].reduction && l->weight[d])
      return true;
  return false;
}

static void make_step(Run *r, int x) {
  Step *s = &r->step[x];
  const StExpr *e = &r->n->body.at[x];
  *s = (Step){.e = e, .own = st_arena_alloc(r->a, 8 * CHUNK)};
  s->at = s->own;
  for (int k = 0; k < st_scalar_args(e->kind); k++)
    s->varies |= r->step[e->arg[k]].varies;
  if (st_scalar_args(e->kind) > 0)
    s->type0 = r->n->body.at[e->arg[0]].dtype;
  if (e->kind == ST_X_ARG) {
    const Port *p = &r->in[e->operand];
    s->varies =
        varies(r, &p->at) || (p->guard >= 0 && r->n->dim[p->guard].reduction);
  } else if (e->kind == ST_X_INDEX) {
    s->index = linear(r);
    add_affine(r, &s->index, &e->affine, 1);
    s->varies = varies(r, &s->index);
  } else if (e->kind == ST_X_EXTRACT) {
    for (int k = 0; k < e->nindices; k++)
      s->varies |= r->step[e->indices[k]].varies;
  } else if (e->kind == ST_X_CONST) {
    int bytes = st_slot_bytes(e->dtype);
    for (int i = 0; i < CHUNK; i++)
      st_slots_read(e->dtype, &e->bits, 1, (char *)s->own + i * bytes);
  }
}

/* A fold is written when it is complete, wherever its dims are. */
static bool check_results(const Run *r) {
  for (int k = 0; k < r->op->nresults; k++) {
    int g = r->n->out[k].guard.dim;
    if (g < 0 || !r->n->dim[g].reduction)
      continue;
    st_error(r->diag, r->op->loc,
             "%s #%d: result %d is guarded on a "
             "reduction dim",
             st_op_name(r->op->kind), r->op->id, k);
    return false;
  }
  return true;
}

static bool prepare(Run *r, const StDense *const *in, const StDense *const *out,
                    int64_t layer) {
  const StNest *n = r->n;
  r->first = ST_NEW_N(r->a, int64_t, n->ndims + 1);
  r->end = ST_NEW_N(r->a, int64_t, n->ndims + 1);
  r->dim = ST_NEW_N(r->a, int64_t, n->ndims + 1);
  r->lane = ST_NEW_N(r->a, int64_t *, n->ndims + 1);
  for (int d = 0; d < n->ndims; d++) {
    r->end[d] = st_sym_eval(n->dim[d].extent, r->P, r->T);
    r->lane[d] = ST_NEW_N(r->a, int64_t, CHUNK);
  }
  if (layer >= 0) {
    r->first[0] = layer;
    r->end[0] = layer + 1;
  }
  bool ok = check_results(r);
  r->in = ST_NEW_N(r->a, Port, r->op->noperands + 1);
  r->out = ST_NEW_N(r->a, Port, r->op->nresults + 1);
  r->acc = ST_NEW_N(r->a, void *, r->op->nresults + 1);
  for (int k = 0; k < r->op->noperands; k++)
    ok &= make_port(r, &r->in[k], in[k], n->in[k].map, &n->in[k].guard,
                    "operand", k);
  for (int k = 0; k < r->op->nresults; k++) {
    ok &= make_port(r, &r->out[k], out[k], n->out[k].map, &n->out[k].guard,
                    "result", k);
    r->acc[k] = st_arena_alloc(r->a, 8 * CHUNK);
  }
  r->step = ST_NEW_N(r->a, Step, n->body.n + 1);
  for (int x = 0; ok && x < n->body.n; x++)
    make_step(r, x);
  return ok;
}

/* ---- a chunk ----------------------------------------------------------- */

static void place_port(const Run *r, Port *p) {
  for (int i = 0; i < r->lanes; i++)
    p->lane[i] = p->at.base;
  for (int d = 0; d < r->n->ndims; d++)
    if (!r->n->dim[d].reduction && p->at.weight[d])
      for (int i = 0; i < r->lanes; i++)
        p->lane[i] += p->at.weight[d] * r->lane[d][i];
  p->dense = p->guard < 0 || r->n->dim[p->guard].reduction;
  for (int i = 1; i < r->lanes && p->dense; i++)
    p->dense = p->lane[i] == p->lane[0] + i;
}

/* What the reduction dims add. */
static int64_t moved(const Run *r, const Linear *l) {
  int64_t at = 0;
  for (int d = 0; d < r->n->ndims; d++)
    if (r->n->dim[d].reduction)
      at += l->weight[d] * r->dim[d];
  return at;
}

/* Whether lane i accesses the port. */
static bool is_on(const Run *r, const Port *p, int i) {
  if (p->guard < 0)
    return true;
  bool red = r->n->dim[p->guard].reduction;
  int64_t at = red ? r->dim[p->guard] : r->lane[p->guard][i];
  return at >= p->lo && at < p->hi;
}

static void fetch(const Run *r, Step *s) {
  const Port *p = &r->in[s->e->operand];
  size_t bytes = (size_t)st_slot_bytes(s->e->dtype);
  char *from = p->tensor->slots;
  int64_t at = moved(r, &p->at);
  bool all = p->guard < 0;
  s->at = s->own;
  if (p->dense && is_on(r, p, 0)) {
    s->at = from + (size_t)(p->lane[0] + at) * bytes;
    return;
  }
  if (!all)
    memset(s->own, 0, bytes * (size_t)r->lanes);
  if (bytes == 4) {
    float *to = s->own;
    const float *f = p->tensor->slots;
    for (int i = 0; i < r->lanes; i++)
      if (all || is_on(r, p, i))
        to[i] = f[p->lane[i] + at];
  } else {
    int64_t *to = s->own;
    const int64_t *f = p->tensor->slots;
    for (int i = 0; i < r->lanes; i++)
      if (all || is_on(r, p, i))
        to[i] = f[p->lane[i] + at];
  }
}

static void look_up(const Run *r, Step *s) {
  const StDense *t = r->in[s->e->operand].tensor;
  size_t bytes = (size_t)st_slot_bytes(s->e->dtype);
  memset(s->own, 0, bytes * (size_t)r->lanes);
  for (int i = 0; i < r->lanes; i++) {
    int64_t at = 0;
    bool inside = true;
    for (int d = 0; d < t->rank && inside; d++) {
      int64_t x = ((const int64_t *)r->step[s->e->indices[d]].at)[i];
      inside = x >= 0 && x < t->extent[d];
      at = at * t->extent[d] + (inside ? x : 0);
    }
    if (inside)
      memcpy((char *)s->own + (size_t)i * bytes,
             (const char *)t->slots + (size_t)at * bytes, bytes);
  }
}

static void index_lanes(const Run *r, const Step *s) {
  int64_t *to = s->own, at = s->index.base + moved(r, &s->index);
  for (int i = 0; i < r->lanes; i++)
    to[i] = at;
  for (int d = 0; d < r->n->ndims; d++)
    if (!r->n->dim[d].reduction && s->index.weight[d])
      for (int i = 0; i < r->lanes; i++)
        to[i] += s->index.weight[d] * r->lane[d][i];
}

static void evaluate(Run *r, bool all) {
  for (int x = 0; x < r->n->body.n; x++) {
    Step *s = &r->step[x];
    const void *args[3] = {NULL, NULL, NULL};
    if (!all && !s->varies)
      continue;
    switch ((int)s->e->kind) {
    case ST_X_CONST:
      break;
    case ST_X_ARG:
      fetch(r, s);
      break;
    case ST_X_EXTRACT:
      look_up(r, s);
      break;
    case ST_X_INDEX:
      index_lanes(r, s);
      break;
    default:
      for (int k = 0; k < st_scalar_args(s->e->kind); k++)
        args[k] = r->step[s->e->arg[k]].at;
      st_slots_apply(s->e, s->type0, r->lanes, args, s->own);
    }
  }
}

static void take(Run *r, bool first) {
  for (int k = 0; k < r->op->nresults; k++) {
    const StOutput *o = &r->n->out[k];
    StDtype t = r->out[k].tensor->dtype;
    const void *v = r->step[o->yield].at;
    if (first)
      memcpy(r->acc[k], v, (size_t)(r->lanes * st_slot_bytes(t)));
    else
      st_slots_combine(o->combine, t, r->lanes, r->acc[k], v);
  }
}

static void write_results(const Run *r) {
  for (int k = 0; k < r->op->nresults; k++) {
    const Port *p = &r->out[k];
    size_t bytes = (size_t)st_slot_bytes(p->tensor->dtype);
    char *to = p->tensor->slots;
    const char *from = r->acc[k];
    int run = p->dense ? r->lanes : 1; /* lanes that lie side by side */
    for (int i = 0; i < r->lanes; i += run)
      if (is_on(r, p, i))
        memcpy(to + (size_t)p->lane[i] * bytes, from + (size_t)i * bytes,
               (size_t)run * bytes);
  }
}

/* The next point of the dims that are (not) reductions; false after the
 * last, when they are at the first again. */
static bool advance(const Run *r, bool reduction, int64_t *at) {
  for (int d = r->n->ndims; d-- > 0;) {
    if (r->n->dim[d].reduction != reduction)
      continue;
    if (++at[d] < r->end[d])
      return true;
    at[d] = r->first[d];
  }
  return false;
}

static void run_chunk(Run *r) {
  for (int k = 0; k < r->op->noperands; k++)
    if (r->n->in[k].map)
      place_port(r, &r->in[k]);
  for (int k = 0; k < r->op->nresults; k++)
    place_port(r, &r->out[k]);
  memcpy(r->dim, r->first, (size_t)r->n->ndims * sizeof *r->dim);
  bool first = true;
  do {
    evaluate(r, first);
    take(r, first);
    first = false;
  } while (advance(r, true, r->dim));
  write_results(r);
}

static void run_all(Run *r) {
  const StNest *n = r->n;
  int64_t *at = ST_NEW_N(r->a, int64_t, n->ndims + 1);
  for (int d = 0; d < n->ndims; d++) {
    at[d] = r->first[d];
    if (r->first[d] >= r->end[d])
      return;
  }
  bool more = true;
  while (more) {
    for (r->lanes = 0; more && r->lanes < CHUNK; r->lanes++) {
      for (int d = 0; d < n->ndims; d++)
        r->lane[d][r->lanes] = at[d];
      more = advance(r, false, at);
    }
    run_chunk(r);
  }
}

bool st_nest_run(const StOp *op, const StDense *const *in,
                 const StDense *const *out, int64_t P, int64_t T, int64_t layer,
                 StDiag *diag) {
  Run r = {.op = op,
           .n = &op->u.nest,
           .a = st_arena_new(),
           .diag = diag,
           .P = P,
           .T = T};
  bool ok = prepare(&r, in, out, layer);
  if (ok)
    run_all(&r);
  st_arena_free(r.a);
  return ok;
}
