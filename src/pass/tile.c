/* tile: a schedule for every generic.
 *
 * Ops are visited in order; the order in which a value leaves its producer is
 * known when its users are scheduled, and they follow it where they can:
 *
 *   parallel, or reduction of one operand: the loops of the `lead`, the largest
 *     operand that is a stream;
 *   contraction of S[batch, M, K] and F[batch, N, K] (F the larger: weights, a
 *     cache): output-major (batch, N outer, K, N inner, M), S is streamed again
 *     for each outer N, F once; N inner keeps an adder's latency between two
 *     uses of an accumulator. With K a context: (batch, K, N, M), both stream
 *     in the order of K and no whole operand is buffered;
 *   anything else: natural order.
 * Lanes are taken from the innermost dims of constant extent, never from a
 * guarded dim or the iteration of a repeat, whose loop is the outermost. Every schedule is legal; the choice only costs time and memory
 * (`stream` converts where orders differ). */
#include "pass/pass.h"

#include <string.h>

#include "analysis/port.h"
#include "target/timing.h"

typedef struct {
  StModule *m;
  const StPassContext *ctx;
  StArena *scratch;
  const StItensor **order; /* [value id] of scheduled producers */
} Tile;

typedef struct {
  ST_VEC(StLoop) loop;
  ST_VEC(StLane) lane;
  bool *done; /* [ndims] has its loops */
} Plan;

static int64_t max_of(const Tile *t, StSym s) {
  return st_sym_max(s, t->m->ctx, t->m->chunk);
}

/* Extents that grow with T alone go innermost: a weight is held over them. */
static bool is_tokens(StSym s) { return s.p == 0 && s.t != 0; }

/* ---- loops and lanes ------------------------------------------------------ */

static bool is_guarded(const StOp *op, int dim) {
  const StNest *n = &op->u.nest;
  for (int k = 0; k < op->noperands; k++)
    if (n->in[k].guard.dim == dim)
      return true;
  for (int k = 0; k < op->nresults; k++)
    if (n->out[k].guard.dim == dim)
      return true;
  return false;
}

static int lane_of(const Plan *p, int dim) {
  for (int i = 0; i < p->lane.n; i++)
    if (p->lane.at[i].dim == dim)
      return p->lane.at[i].size;
  return 1;
}

/* Largest divisor of n that is at most `most`. */
static int64_t divisor(int64_t n, int64_t most) {
  for (int64_t d = most < n ? most : n; d > 1; d--)
    if (n % d == 0)
      return d;
  return 1;
}

/* Lanes from the listed dims, innermost (last) first, up to `want`. */
static void take_lanes(const Tile *t, const StOp *op, Plan *p, const int *dims,
                       int n, int want) {
  const StNest *nest = &op->u.nest;
  while (n > 0 && want > 1) {
    int d = dims[--n];
    StSym e = nest->dim[d].extent;
    if (!st_sym_is_const(e))
      continue;
    if (is_guarded(op, d) || nest->dim[d].iteration)
      return;
    int64_t size = divisor(e.c, want);
    if (size > 1) {
      StLane lane = {d, (int)size};
      st_vec_push(t->scratch, &p->lane, lane);
    }
    if (size != e.c)
      return;
    want /= (int)size;
  }
}

static void push_loop(const Tile *t, Plan *p, int dim, StSym trip,
                      int64_t step) {
  StLoop l = {.dim = dim, .trip = trip, .step = step};
  st_vec_push(t->scratch, &p->loop, l);
}

/* The whole dim (but for its lanes) as one loop. */
static void whole_loop(const Tile *t, const StOp *op, Plan *p, int dim) {
  StSym e = op->u.nest.dim[dim].extent;
  int size = lane_of(p, dim);
  if (size > 1)
    e = st_sym_const(e.c / size);
  push_loop(t, p, dim, e, size);
  p->done[dim] = true;
}

/* A guarded dim that the lead lacks goes where a row-major order has it, so
 * that the loops of the guarded operand lie inside. */
static void place_guarded(const Tile *t, const StOp *op, Plan *p) {
  const StNest *n = &op->u.nest;
  for (int d = 0; d < n->ndims; d++) {
    if (p->done[d] || !is_guarded(op, d) || p->loop.n == 0)
      continue;
    whole_loop(t, op, p, d);
    StLoop l = p->loop.at[p->loop.n - 1];
    int at = 0;
    while (at < p->loop.n - 1 && p->loop.at[at].dim < d)
      at++;
    for (int i = p->loop.n - 1; i > at; i--)
      p->loop.at[i] = p->loop.at[i - 1];
    p->loop.at[at] = l;
  }
}

/* Whole loops for the dims that have none: those before all others outermost,
 * the rest innermost, extents of T last. */
static void finish_loops(const Tile *t, const StOp *op, Plan *p) {
  const StNest *n = &op->u.nest;
  place_guarded(t, op, p);
  int first = n->ndims;
  for (int d = n->ndims; d-- > 0;)
    if (p->done[d])
      first = d;
  Plan front = {.lane = p->lane, .done = p->done};
  for (int d = 0; first < n->ndims && d < first; d++)
    if (!is_tokens(n->dim[d].extent))
      whole_loop(t, op, &front, d);
  for (int i = 0; i < p->loop.n; i++)
    st_vec_push(t->scratch, &front.loop, p->loop.at[i]);
  p->loop.at = front.loop.at;
  p->loop.n = front.loop.n;
  p->loop.cap = front.loop.cap;
  for (int pass = 0; pass < 2; pass++)
    for (int d = 0; d < n->ndims; d++)
      if (!p->done[d] && is_tokens(n->dim[d].extent) == (pass == 1))
        whole_loop(t, op, p, d);
}

/* As many accumulators as a beat every cycle needs. */
static void choose_ways(const Tile *t, StOp *op) {
  const StTarget *target = t->ctx->target;
  op->u.nest.ways = target ? st_timing_ways(t->m, target, op) : 1;
}

static void commit(const Tile *t, StOp *op, const Plan *p) {
  StNest *n = &op->u.nest;
  StArena *a = t->m->arena;
  n->loop = ST_NEW_N(a, StLoop, p->loop.n + 1);
  n->lane = ST_NEW_N(a, StLane, p->lane.n + 1);
  n->nloops = 0;
  for (int pass = 0; pass < 2; pass++) /* a repeat's iteration is outermost */
    for (int i = 0; i < p->loop.n; i++)
      if (n->dim[p->loop.at[i].dim].iteration == (pass == 0) &&
          (!st_sym_eq(p->loop.at[i].trip, st_sym_const(1)) ||
           is_guarded(op, p->loop.at[i].dim)))
        n->loop[n->nloops++] = p->loop.at[i];
  n->nlanes = p->lane.n;
  for (int i = 0; i < p->lane.n; i++) /* row-major over ascending dims */
    n->lane[i] = p->lane.at[i];
  for (int i = 1; i < n->nlanes; i++)
    for (int j = i; j > 0 && n->lane[j].dim < n->lane[j - 1].dim; j--) {
      StLane s = n->lane[j];
      n->lane[j] = n->lane[j - 1];
      n->lane[j - 1] = s;
    }
  choose_ways(t, op);
}

/* ---- natural order ---------------------------------------------------------- */

/* Dims in the order in which the largest stored operand has them in memory,
 * then the others as they are numbered. */
static int *memory_order(const Tile *t, const StOp *op) {
  const StNest *n = &op->u.nest;
  int *order = ST_NEW_N(t->scratch, int, n->ndims + 1), count = 0, best = -1;
  bool *seen = ST_NEW_N(t->scratch, bool, n->ndims + 1);
  int64_t most = 0;
  for (int k = 0; k < op->noperands; k++) {
    int64_t elements = st_type_max_elements(t->m, &op->operand[k]->type);
    if (elements > most) {
      most = elements;
      best = t->order[op->operand[k]->id] ? -1 : k;
    }
  }
  for (int i = 0; best >= 0 && i < op->operand[best]->type.rank; i++) {
    int d = st_affine_single(&n->in[best].map[i]);
    if (d >= 0 && !seen[d]) {
      seen[d] = true;
      order[count++] = d;
    }
  }
  for (int d = 0; d < n->ndims; d++)
    if (!seen[d])
      order[count++] = d;
  return order;
}

/* The parallel or the reduction dims of `order`, extents of T last. */
static void natural_dims(const StOp *op, const int *order, int *dims,
                         int *count, bool parallel) {
  const StNest *n = &op->u.nest;
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < n->ndims; i++) {
      int d = order[i];
      if (n->dim[d].reduction != parallel &&
          is_tokens(n->dim[d].extent) == (pass == 1))
        dims[(*count)++] = d;
    }
}

static void plan_natural(const Tile *t, const StOp *op, Plan *p) {
  int *dims = ST_NEW_N(t->scratch, int, op->u.nest.ndims + 1), n = 0;
  const int *order = memory_order(t, op);
  natural_dims(op, order, dims, &n, true);
  int parallel = n;
  natural_dims(op, order, dims, &n, false);
  take_lanes(t, op, p, dims, parallel, t->ctx->lanes);
  for (int i = 0; i < n; i++)
    whole_loop(t, op, p, dims[i]);
}

/* ---- following a stream ----------------------------------------------------- */

/* The largest operand whose order is known; ties: the first. -1: none, or a
 * stored operand is larger (a cache: it is read as it lies in memory). */
static int find_lead(const Tile *t, const StOp *op) {
  int best = -1;
  int64_t most = 0;
  for (int k = 0; k < op->noperands; k++) {
    const StValue *v = op->operand[k];
    int64_t n = st_type_max_elements(t->m, &v->type);
    bool known = t->order[v->id] != NULL;
    if (n > most || (n == most && known && best < 0)) {
      best = known ? k : -1;
      most = n;
    }
  }
  return best;
}

/* The dim that walks data dim `d` of operand k over its whole extent, or -1. */
static int whole_dim(const StOp *op, int k, int d) {
  const StNest *n = &op->u.nest;
  int dim = st_affine_single(&n->in[k].map[d]);
  if (dim < 0 || !st_sym_eq(n->dim[dim].extent,
                            op->operand[k]->type.shape[d]))
    return -1;
  return dim;
}

static void plan_follow(const Tile *t, const StOp *op, int k, Plan *p) {
  const StNest *n = &op->u.nest;
  const StItensor *o = t->order[op->operand[k]->id];
  for (int d = 0; d < o->rank; d++) {
    int dim = st_affine_single(&n->in[k].map[d]);
    if (dim < 0 || o->elem[d] == 1 || is_guarded(op, dim) ||
        !st_sym_is_const(n->dim[dim].extent) || n->dim[dim].extent.c % o->elem[d])
      continue;
    StLane lane = {dim, (int)o->elem[d]};
    st_vec_push(t->scratch, &p->lane, lane);
  }
  for (int i = 0; i < o->nloops; i++) {
    const StLoop *l = &o->loop[i];
    int dim = l->dim < 0 ? -1 : st_affine_single(&n->in[k].map[l->dim]);
    if (dim < 0)
      continue;
    if (whole_dim(op, k, l->dim) >= 0 && !is_guarded(op, dim) &&
        lane_of(p, dim) == o->elem[l->dim]) {
      push_loop(t, p, dim, l->trip, l->step);
      p->done[dim] = true;
    } else if (!p->done[dim]) {
      whole_loop(t, op, p, dim);
    }
  }
  if (p->lane.n == 0) { /* a stream of single elements may still widen */
    int *dims = ST_NEW_N(t->scratch, int, n->ndims + 1), count = 0;
    for (int d = 0; d < n->ndims; d++)
      if (!p->done[d] && !n->dim[d].reduction)
        dims[count++] = d;
    take_lanes(t, op, p, dims, count, t->ctx->lanes);
  }
}

/* ---- contractions ------------------------------------------------------------- */

typedef struct {
  int s, f; /* operands: S is streamed again, F flows once */
  int nb, nm, nn, nk;
  int *b, *m, *n, *k; /* dims, natural order, extents of T last */
} Contraction;

static bool reads_dim(const StOp *op, int k, int dim) {
  for (int i = 0; i < op->operand[k]->type.rank; i++)
    if (st_affine_single(&op->u.nest.in[k].map[i]) == dim)
      return true;
  return false;
}

/* Two operands that together cover the dims, each with all reduction dims, and
 * each without a dim of the other. */
static bool find_contraction(const Tile *t, const StOp *op, Contraction *c) {
  const StNest *n = &op->u.nest;
  int pair[2], found = 0;
  for (int k = 0; k < op->noperands; k++) {
    bool all = true;
    for (int d = 0; d < n->ndims; d++)
      all &= !n->dim[d].reduction || reads_dim(op, k, d);
    if (all && found < 2)
      pair[found++] = k;
    else if (all)
      return false;
  }
  if (found != 2)
    return false;
  int64_t size[2];
  for (int i = 0; i < 2; i++)
    size[i] = st_type_max_elements(t->m, &op->operand[pair[i]]->type);
  int f = size[1] >= size[0];
  c->f = pair[f];
  c->s = pair[1 - f];
  int **lists[] = {&c->b, &c->m, &c->n, &c->k};
  for (int i = 0; i < 4; i++)
    *lists[i] = ST_NEW_N(t->scratch, int, n->ndims + 1);
  for (int pass = 0; pass < 2; pass++)
    for (int d = 0; d < n->ndims; d++) {
      if (is_tokens(n->dim[d].extent) != (pass == 1))
        continue;
      bool in_s = reads_dim(op, c->s, d), in_f = reads_dim(op, c->f, d);
      if (n->dim[d].reduction)
        c->k[c->nk++] = d;
      else if (in_s && in_f)
        c->b[c->nb++] = d;
      else if (in_s)
        c->m[c->nm++] = d;
      else if (in_f)
        c->n[c->nn++] = d;
      else
        return false;
    }
  return c->nm > 0 || c->nn > 0;
}

static void list_loops(const Tile *t, const StOp *op, Plan *p, const int *dims,
                       int n) {
  for (int i = 0; i < n; i++)
    whole_loop(t, op, p, dims[i]);
}

/* Beats that must lie between two uses of an accumulator. */
static int64_t interleave(const Tile *t, const StOp *op) {
  const StOutput *o = &op->u.nest.out[0];
  StDtype type = op->result[0]->type.dtype;
  return t->ctx->target ? st_target_op_latency(t->ctx->target, o->combine, type)
                        : 8;
}

/* N as outer and inner loops around K. */
static void plan_output_major(const Tile *t, const StOp *op,
                              const Contraction *c, Plan *p) {
  const StNest *n = &op->u.nest;
  int64_t trips = 1, inner = 1, need = interleave(t, op);
  for (int i = 0; i < c->nk; i++)
    trips *= max_of(t, n->dim[c->k[i]].extent) / lane_of(p, c->k[i]);
  int at = c->nn;
  Plan in = {.lane = p->lane, .done = p->done};
  int split = -1;
  int64_t part = 1;
  while (trips > 1 && at > 0 && inner < need) {
    int d = c->n[at - 1];
    if (!st_sym_is_const(n->dim[d].extent))
      break;
    int64_t trip = n->dim[d].extent.c / lane_of(p, d);
    at--;
    if (inner * trip < need || is_guarded(op, d)) {
      inner *= trip;
      continue;
    }
    for (part = 1; part < trip && (trip % part || inner * part < need);)
      part++;
    if (part < trip)
      split = d;
    break;
  }
  list_loops(t, op, p, c->n, at);
  if (split >= 0) {
    int size = lane_of(p, split);
    int64_t trip = n->dim[split].extent.c / size / part;
    push_loop(t, p, split, st_sym_const(trip), size * part);
    push_loop(t, &in, split, st_sym_const(part), size);
    p->done[split] = true;
    list_loops(t, op, &in, c->n + at + 1, c->nn - at - 1);
  } else {
    list_loops(t, op, &in, c->n + at, c->nn - at);
  }
  list_loops(t, op, p, c->k, c->nk);
  for (int i = 0; i < in.loop.n; i++)
    st_vec_push(t->scratch, &p->loop, in.loop.at[i]);
  list_loops(t, op, p, c->m, c->nm);
}

static bool has_context(const StOp *op, const int *dims, int n) {
  for (int i = 0; i < n; i++)
    if (!st_sym_is_const(op->u.nest.dim[dims[i]].extent))
      return true;
  return false;
}

static void plan_contraction(const Tile *t, const StOp *op,
                             const Contraction *c, Plan *p) {
  take_lanes(t, op, p, c->n, c->nn, t->ctx->lanes);
  bool context = has_context(op, c->k, c->nk);
  if (!context)
    take_lanes(t, op, p, c->k, c->nk, t->ctx->lanes);
  /* an iteration of a block that only F has comes before the batch */
  int lead = 0;
  while (lead < c->nn && c->nb > 0 && c->n[lead] < c->b[0])
    lead++;
  Contraction rest = *c;
  rest.n += lead;
  rest.nn -= lead;
  list_loops(t, op, p, c->n, lead);
  list_loops(t, op, p, c->b, c->nb);
  if (context) {
    list_loops(t, op, p, rest.k, rest.nk);
    list_loops(t, op, p, rest.n, rest.nn);
    list_loops(t, op, p, rest.m, rest.nm);
  } else {
    plan_output_major(t, op, &rest, p);
  }
}

/* ---- the pass ------------------------------------------------------------------ */

/* A generic that closes a repeat reads a value that is defined later. */
static bool is_carry(const Tile *t, const StOp *op) {
  for (int k = 0; k < op->noperands; k++) {
    const StOp *def = op->operand[k]->def;
    if ((def->kind == ST_OP_GENERIC || def->kind == ST_OP_LOAD ||
         def->kind == ST_OP_VIEW) &&
        !t->order[op->operand[k]->id])
      return true;
  }
  return false;
}

static void schedule(const Tile *t, StOp *op) {
  Plan p = {.done = ST_NEW_N(t->scratch, bool, op->u.nest.ndims + 1)};
  Contraction c = {0};
  int lead = find_lead(t, op);
  if (st_nest_reduces(&op->u.nest) && find_contraction(t, op, &c))
    plan_contraction(t, op, &c, &p);
  else if (lead >= 0 && !is_carry(t, op))
    plan_follow(t, op, lead, &p);
  else
    plan_natural(t, op, &p);
  finish_loops(t, op, &p);
  commit(t, op, &p);
}

static bool check_maps(const Tile *t, const StOp *op) {
  for (int k = 0; k < op->noperands; k++)
    for (int i = 0; i < op->operand[k]->type.rank; i++)
      if (st_affine_single(&op->u.nest.in[k].map[i]) == -1) {
        st_error(t->ctx->diag, op->loc,
                 "an access that is not one dim plus an offset (a strided or "
                 "overlapping window) cannot be streamed");
        st_note(t->ctx->diag, "write the operation as a sum of slices");
        return false;
      }
  return true;
}

/* Rows of a gathered table one after another. */
static void schedule_gather(const Tile *t, StOp *op) {
  StType *type = &op->result[0]->type;
  StArena *a = t->m->arena;
  StItensor *o = ST_NEW(a, StItensor);
  o->rank = type->rank;
  o->elem = ST_NEW_N(a, int64_t, o->rank + 1);
  o->origin = ST_NEW_N(a, StSym, o->rank + 1);
  o->loop = ST_NEW_N(a, StLoop, o->rank + 1);
  int want = t->ctx->lanes;
  for (int d = o->rank; d-- > 0;) {
    o->elem[d] = 1;
    if (d == op->u.load.gather || want <= 1 || !st_sym_is_const(type->shape[d]))
      continue;
    o->elem[d] = divisor(type->shape[d].c, want);
    want = o->elem[d] == type->shape[d].c ? want / (int)o->elem[d] : 1;
  }
  for (int d = 0; d < o->rank; d++) {
    StSym trip = type->shape[d];
    if (o->elem[d] > 1)
      trip = st_sym_const(trip.c / o->elem[d]);
    o->loop[o->nloops++] = (StLoop){d, trip, o->elem[d]};
  }
  type->order = o;
  t->order[op->result[0]->id] = o;
}

static StSym innermost(const StType *t) {
  return t->rank ? t->shape[t->rank - 1] : st_sym_const(1);
}

/* Elements in row-major order, as wide as both sides can have them. */
static void schedule_view(const Tile *t, StOp *op) {
  StSym x = innermost(&op->operand[0]->type);
  StSym y = innermost(&op->result[0]->type);
  int64_t width = 1;
  if (st_sym_is_const(x) && st_sym_is_const(y))
    for (int64_t w = 2; w <= t->ctx->lanes; w++)
      if (x.c % w == 0 && y.c % w == 0)
        width = w;
  StItensor *o = ST_NEW(t->m->arena, StItensor);
  *o = st_itensor_row_major(t->m->arena, &op->result[0]->type, width);
  op->result[0]->type.order = o;
  t->order[op->result[0]->id] = o;
}

bool st_pass_tile(StModule *m, const StPassContext *ctx) {
  Tile t = {.m = m, .ctx = ctx, .scratch = st_arena_new()};
  t.order = ST_NEW_N(m->arena, const StItensor *, m->next_value + 1);
  bool ok = true;
  for (int i = 0; i < m->op.n && ok; i++) {
    StOp *op = m->op.at[i];
    if (op->kind == ST_OP_LOAD)
      schedule_gather(&t, op);
    if (op->kind == ST_OP_VIEW)
      schedule_view(&t, op);
    if (op->kind != ST_OP_GENERIC)
      continue;
    ok = check_maps(&t, op);
    if (!ok)
      break;
    schedule(&t, op);
    for (int r = 0; r < op->nresults; r++) {
      StItensor *o = ST_NEW(m->arena, StItensor);
      *o = st_port_output(m->arena, op, r).order;
      *o = st_itensor_canonical(m->arena, o);
      t.order[op->result[r]->id] = o;
    }
  }
  st_arena_free(t.scratch);
  return ok;
}
