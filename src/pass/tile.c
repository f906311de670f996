/* tile: a schedule for every generic.
 *
 * Ops are visited in order; how a value leaves its producer is known when its
 * users are scheduled, and they follow it where they can:
 *
 *   parallel, or reduction of one operand: the loops of the `lead`, the largest
 *     operand that is a stream, in tokens no wider than its;
 *   contraction (tile_contract.c): input-major or output-major;
 *   anything else: natural order.
 *
 * Lanes are what an op needs to keep its time (tile_budget.c), from constant
 * dims, never from a guarded dim or the iteration of a repeat, whose loop is
 * the outermost. Of several factors on these times the fastest whose lanes fit
 * the target are taken. Every schedule is legal; the choice only costs time
 * and memory (`stream` converts where orders differ). */
#include "pass/tile.h"

#include <math.h>
#include <string.h>

#include "analysis/port.h"

/* Elements of a row of the context that are moved at once, at least. */
enum { ROW = 64 };

/* ---- natural order ----------------------------------------------------- */

/* Dims in the order in which the largest stored operand has them in memory,
 * then the others as they are numbered. */
static int *memory_order(const StTile *t, const StOp *op) {
  const StNest *n = &op->u.nest;
  int *order = ST_NEW_N(t->scratch, int, n->ndims + 1), count = 0, best = -1;
  bool *seen = ST_NEW_N(t->scratch, bool, n->ndims + 1);
  int64_t most = 0;
  for (int k = 0; k < op->noperands; k++) {
    int64_t elements = st_type_max_elements(t->m, &op->operand[k]->type);
    if (elements > most) {
      most = elements;
      best = t->flow[op->operand[k]->id].order ? -1 : k;
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
          st_tile_is_tokens(n->dim[d].extent) == (pass == 1))
        dims[(*count)++] = d;
    }
}

/* The first of the dims inside the context, if there are any: rows of several
 * heads at one position would have to be sorted by head again. */
static int inside_context(const StOp *op, const int *dims, int n) {
  int first = 0;
  for (int i = 0; i + 1 < n; i++)
    if (op->u.nest.dim[dims[i]].extent.p)
      first = i + 1;
  return first;
}

/* Moves the dim that a user walks inside the context behind it. */
static void follow_turns(const StTile *t, const StOp *op, int *dims, int n) {
  int inner = op->nresults ? t->flow[op->result[0]->id].inner : -1;
  int dim = inner < 0 ? -1 : st_affine_single(&op->u.nest.out[0].map[inner]);
  int last = inside_context(op, dims, n);
  for (int i = 0; dim >= 0 && i + 1 < last; i++)
    if (dims[i] == dim) {
      dims[i] = dims[i + 1];
      dims[i + 1] = dim;
    }
}

static void plan_natural(const StTile *t, const StOp *op, StTilePlan *p) {
  int *dims = ST_NEW_N(t->scratch, int, op->u.nest.ndims + 1), n = 0;
  const int *order = memory_order(t, op);
  natural_dims(op, order, dims, &n, true);
  int parallel = n;
  natural_dims(op, order, dims, &n, false);
  follow_turns(t, op, dims, parallel);
  int first = inside_context(op, dims, parallel);
  int64_t want = st_tile_want_lanes(t, op, NULL);
  if (first > 0 && !t->ctx->lanes && want < ROW) /* who uses it is as wide */
    want = ROW;
  st_tile_take_lanes(t, op, p, dims + first, parallel - first, want);
  for (int i = 0; i < n; i++)
    st_tile_whole_loop(t, op, p, dims[i]);
}

/* ---- following a stream ------------------------------------------------ */

/* The largest operand whose order is known; ties: the first. -1: none, or a
 * stored operand is larger (a cache: it is read as it lies in memory). */
static int find_lead(const StTile *t, const StOp *op) {
  int best = -1;
  int64_t most = 0;
  for (int k = 0; k < op->noperands; k++) {
    const StValue *v = op->operand[k];
    int64_t n = st_type_max_elements(t->m, &v->type);
    bool known = t->flow[v->id].order != NULL;
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
  if (dim < 0 || !st_sym_eq(n->dim[dim].extent, op->operand[k]->type.shape[d]))
    return -1;
  return dim;
}

/* Lanes from the elements of a token of the lead, the innermost first. */
static void follow_lanes(const StTile *t, const StOp *op, int k, StTilePlan *p,
                         int64_t want) {
  const StNest *n = &op->u.nest;
  const StItensor *o = t->flow[op->operand[k]->id].order;
  for (int d = o->rank; d-- > 0 && want > 1;) {
    int dim = st_affine_single(&n->in[k].map[d]);
    if (dim < 0 || o->elem[d] == 1 || st_tile_is_guarded(op, dim) ||
        !st_sym_is_const(n->dim[dim].extent) ||
        n->dim[dim].extent.c % o->elem[d])
      continue;
    int64_t size = o->elem[d] <= want ? o->elem[d] : 1;
    for (int64_t s = want; size == 1 && s > 1; s--)
      if (o->elem[d] % s == 0)
        size = s;
    if (size > 1) {
      StLane lane = {dim, (int)size};
      st_vec_push(t->scratch, &p->lane, lane);
    }
    want = size < o->elem[d] ? 1 : want / size;
  }
}

/* Elements of a token of the lead that are no lanes, one after another. */
static void inner_loops(const StTile *t, const StOp *op, int k, StTilePlan *p) {
  const StItensor *o = t->flow[op->operand[k]->id].order;
  for (int d = 0; d < o->rank; d++) {
    int dim = whole_dim(op, k, d);
    if (dim < 0 || p->done[dim] || st_tile_is_guarded(op, dim) ||
        op->u.nest.dim[dim].extent.c % o->elem[d])
      continue;
    int lane = st_tile_lane(p, dim);
    st_tile_push_loop(t, p, dim, st_sym_const(o->elem[d] / lane), lane);
    p->done[dim] = true;
  }
}

static void plan_follow(const StTile *t, const StOp *op, int k, StTilePlan *p) {
  const StNest *n = &op->u.nest;
  const StItensor *o = t->flow[op->operand[k]->id].order;
  int64_t want = st_tile_want_lanes(t, op, NULL);
  follow_lanes(t, op, k, p, want);
  bool *split = ST_NEW_N(t->scratch, bool, n->ndims + 1);
  for (int i = 0; i < o->nloops; i++) {
    const StLoop *l = &o->loop[i];
    int dim = l->dim < 0 ? -1 : st_affine_single(&n->in[k].map[l->dim]);
    if (dim < 0 || p->done[dim])
      continue;
    int64_t elem = o->elem[l->dim];
    if (whole_dim(op, k, l->dim) >= 0 && !st_tile_is_guarded(op, dim) &&
        elem % st_tile_lane(p, dim) == 0) {
      st_tile_push_loop(t, p, dim, l->trip, l->step);
      split[dim] = true;
    } else {
      st_tile_whole_loop(t, op, p, dim);
    }
  }
  for (int d = 0; d < n->ndims; d++) /* lanes take a whole token: complete */
    if (split[d])
      for (int j = 0; j < o->rank; j++)
        if (whole_dim(op, k, j) == d)
          p->done[d] = o->elem[j] == st_tile_lane(p, d);
  inner_loops(t, op, k, p);
  if (p->lane.n == 0) { /* a stream of single elements may still widen */
    int *dims = ST_NEW_N(t->scratch, int, n->ndims + 1), count = 0;
    for (int d = 0; d < n->ndims; d++)
      if (!p->done[d] && !n->dim[d].reduction)
        dims[count++] = d;
    int first = inside_context(op, dims, count);
    st_tile_take_lanes(t, op, p, dims + first, count - first, want);
  }
}

/* ---- one op ------------------------------------------------------------ */

/* A generic that closes a repeat reads a value that is defined later. */
static bool is_carry(const StTile *t, const StOp *op) {
  for (int k = 0; k < op->noperands; k++) {
    const StOp *def = op->operand[k]->def;
    if ((def->kind == ST_OP_GENERIC || def->kind == ST_OP_LOAD ||
         def->kind == ST_OP_VIEW) &&
        !t->flow[op->operand[k]->id].order)
      return true;
  }
  return false;
}

static void schedule(StTile *t, StOp *op) {
  op->u.nest.soft = 0;
  StTilePlan p = {.done = ST_NEW_N(t->scratch, bool, op->u.nest.ndims + 1)};
  StContraction c;
  int lead = find_lead(t, op);
  bool contracts = st_tile_find_contraction(t, op, &c);
  if (contracts)
    st_tile_plan_contraction(t, op, &c, &p);
  else if (lead >= 0 && !is_carry(t, op))
    plan_follow(t, op, lead, &p);
  else
    plan_natural(t, op, &p);
  st_tile_commit(t, op, &p);
  st_tile_set_flow(t, op, contracts ? &c : NULL);
}

static bool check_maps(const StTile *t, const StOp *op) {
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

/* Vectors of what is only moved. */
static int64_t wide(const StTile *t) {
  enum { WIDE = 8 };
  return t->ctx->lanes ? t->ctx->lanes : WIDE;
}

static void set_order(StTile *t, const StOp *op, const StItensor *o) {
  StTileFlow *f = &t->flow[op->result[0]->id];
  f->order = o;
  f->pace = t->row * t->slack.rows;
}

/* Rows of a gathered table one after another. */
static void schedule_gather(StTile *t, StOp *op) {
  StType *type = &op->result[0]->type;
  StArena *a = t->arena;
  StItensor *o = ST_NEW(a, StItensor);
  o->rank = type->rank;
  o->elem = ST_NEW_N(a, int64_t, o->rank + 1);
  o->origin = ST_NEW_N(a, StSym, o->rank + 1);
  o->loop = ST_NEW_N(a, StLoop, o->rank + 1);
  int64_t want = wide(t);
  for (int d = o->rank; d-- > 0;) {
    o->elem[d] = 1;
    if (d == op->u.load.gather || want <= 1 || !st_sym_is_const(type->shape[d]))
      continue;
    for (int64_t w = want; w > 1 && o->elem[d] == 1; w--)
      if (type->shape[d].c % w == 0)
        o->elem[d] = w;
    want = o->elem[d] == type->shape[d].c ? want / o->elem[d] : 1;
  }
  for (int d = 0; d < o->rank; d++) {
    StSym trip = type->shape[d];
    if (o->elem[d] > 1)
      trip = st_sym_const(trip.c / o->elem[d]);
    o->loop[o->nloops++] = (StLoop){d, trip, o->elem[d]};
  }
  type->order = o;
  set_order(t, op, o);
}

static StSym innermost(const StType *t) {
  return t->rank ? t->shape[t->rank - 1] : st_sym_const(1);
}

/* What is viewed comes with other loops outside of its tokens. */
static bool has_tokens_inside(const StTile *t, const StOp *op) {
  const StValue *v = op->operand[0];
  const StItensor *o = t->flow[v->id].order;
  if (!o || !st_itensor_is_reshape(&v->type, &op->result[0]->type))
    return false;
  int first = v->def->kind == ST_OP_GENERIC && st_tile_iterates(v->def);
  return o->nloops > first && o->loop[first].dim >= 0 &&
         st_sym_is_const(v->type.shape[o->loop[first].dim]);
}

/* Elements in row-major order, tokens innermost if they are so already, as wide
 * as both sides can have them. */
static void schedule_view(StTile *t, StOp *op) {
  StSym x = innermost(&op->operand[0]->type);
  StSym y = innermost(&op->result[0]->type);
  int64_t width = 1;
  if (st_sym_is_const(x) && st_sym_is_const(y))
    for (int64_t w = 2; w <= wide(t); w++)
      if (x.c % w == 0 && y.c % w == 0)
        width = w;
  StItensor *o = ST_NEW(t->arena, StItensor);
  *o = has_tokens_inside(t, op)
           ? st_itensor_tokens_last(t->arena, &op->result[0]->type, width)
           : st_itensor_row_major(t->arena, &op->result[0]->type, width);
  op->result[0]->type.order = o;
  set_order(t, op, o);
  st_tile_set_view_flow(t, op);
}

void st_tile_schedule(StTile *t) {
  t->tokens = 1;
  t->flow = ST_NEW_N(t->scratch, StTileFlow, t->m->next_value + 1);
  st_tile_find_wants(t);
  for (int i = 0; i < t->m->op.n; i++) {
    StOp *op = t->m->op.at[i];
    if (op->kind == ST_OP_LOAD)
      schedule_gather(t, op);
    else if (op->kind == ST_OP_VIEW)
      schedule_view(t, op);
    else if (op->kind == ST_OP_GENERIC)
      schedule(t, op);
  }
}

/* Levels and times, which all trials share. */
static void prepare(StTile *t) {
  t->slack = (StTileSlack){1, 1, 1};
  t->arena = t->scratch;
  t->level = ST_NEW_N(t->arena, int, t->m->next_op + 1);
  t->haste = ST_NEW_N(t->arena, double, t->m->next_op + 1);
  for (int i = 0; i < t->m->next_op; i++)
    t->haste[i] = 1;
  st_tile_set_budget(t);
  st_tile_schedule(t);
  st_tile_set_levels(t);
  st_tile_set_budget(t);
  t->arena = t->m->arena;
}

bool st_pass_tile(StModule *m, const StPassContext *ctx) {
  StTile t = {.m = m,
              .ctx = ctx,
              .scratch = st_arena_new(),
              .arena = m->arena,
              .tokens = 1};
  bool ok = true;
  for (int i = 0; i < m->op.n && ok; i++)
    if (m->op.at[i]->kind == ST_OP_GENERIC)
      ok = check_maps(&t, m->op.at[i]);
  if (ok) {
    prepare(&t);
    st_tile_search(&t);
  }
  st_arena_free(t.scratch);
  return ok;
}
