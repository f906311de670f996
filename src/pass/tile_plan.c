/* tile: loops and lanes of one op. */
#include <string.h>

#include "pass/tile.h"
#include "target/timing.h"

/* Extents that grow with T alone go innermost: a weight is held over them. */
bool st_tile_is_tokens(StSym s) { return s.p == 0 && s.t != 0; }

bool st_tile_is_guarded(const StOp *op, int dim) {
  const StNest *n = &op->u.nest;
  for (int k = 0; k < op->noperands; k++)
    if (n->in[k].guard.dim == dim)
      return true;
  for (int k = 0; k < op->nresults; k++)
    if (n->out[k].guard.dim == dim)
      return true;
  return false;
}

int st_tile_lane(const StTilePlan *p, int dim) {
  for (int i = 0; i < p->lane.n; i++)
    if (p->lane.at[i].dim == dim)
      return p->lane.at[i].size;
  return 1;
}

/* ---- lanes ------------------------------------------------------------- */

/* A divisor of n near `want`: the least that is as large, unless that is more
 * than half as much again; then the largest below. */
static int64_t divisor_near(int64_t n, int64_t want) {
  int64_t above = n, below = 1;
  for (int64_t d = 1; d * d <= n; d++) {
    if (n % d)
      continue;
    const int64_t pair[] = {d, n / d};
    for (int i = 0; i < 2; i++) {
      if (pair[i] >= want && pair[i] < above)
        above = pair[i];
      if (pair[i] <= want && pair[i] > below)
        below = pair[i];
    }
  }
  return above >= want && 2 * above <= 3 * want ? above : below;
}

int64_t st_tile_take_lanes(const StTile *t, const StOp *op, StTilePlan *p,
                           const int *dims, int n, int64_t want) {
  const StNest *nest = &op->u.nest;
  while (n > 0 && want > 1) {
    int d = dims[--n];
    StSym e = nest->dim[d].extent;
    if (!st_sym_is_const(e))
      continue;
    if (st_tile_is_guarded(op, d) || nest->dim[d].iteration)
      return want;
    int64_t size = divisor_near(e.c, want);
    if (size > 1) {
      StLane lane = {d, (int)size};
      st_vec_push(t->scratch, &p->lane, lane);
    }
    want = (want + size - 1) / size;
    if (size != e.c)
      return want;
  }
  return want;
}

/* ---- loops ------------------------------------------------------------- */

void st_tile_push_loop(const StTile *t, StTilePlan *p, int dim, StSym trip,
                       int64_t step) {
  StLoop l = {.dim = dim, .trip = trip, .step = step};
  st_vec_push(t->scratch, &p->loop, l);
}

void st_tile_whole_loop(const StTile *t, const StOp *op, StTilePlan *p,
                        int dim) {
  StSym e = op->u.nest.dim[dim].extent;
  int size = st_tile_lane(p, dim);
  if (size > 1)
    e = st_sym_const(e.c / size);
  st_tile_push_loop(t, p, dim, e, size);
  p->done[dim] = true;
}

/* A guarded dim that the lead lacks goes where a row-major order has it, so
 * that the loops of the guarded operand lie inside. */
static void place_guarded(const StTile *t, const StOp *op, StTilePlan *p) {
  const StNest *n = &op->u.nest;
  for (int d = 0; d < n->ndims; d++) {
    if (p->done[d] || !st_tile_is_guarded(op, d) || p->loop.n == 0)
      continue;
    st_tile_whole_loop(t, op, p, d);
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
static void finish_loops(const StTile *t, const StOp *op, StTilePlan *p) {
  const StNest *n = &op->u.nest;
  place_guarded(t, op, p);
  int first = n->ndims;
  for (int d = n->ndims; d-- > 0;)
    if (p->done[d])
      first = d;
  StTilePlan front = {.lane = p->lane, .done = p->done};
  for (int d = 0; first < n->ndims && d < first; d++)
    if (!p->done[d] && !st_tile_is_tokens(n->dim[d].extent))
      st_tile_whole_loop(t, op, &front, d);
  for (int i = 0; i < p->loop.n; i++)
    st_vec_push(t->scratch, &front.loop, p->loop.at[i]);
  p->loop.at = front.loop.at;
  p->loop.n = front.loop.n;
  p->loop.cap = front.loop.cap;
  for (int pass = 0; pass < 2; pass++)
    for (int d = 0; d < n->ndims; d++)
      if (!p->done[d] && st_tile_is_tokens(n->dim[d].extent) == (pass == 1))
        st_tile_whole_loop(t, op, p, d);
}

/* A repeat's iteration is outermost; loops of one trip are left out. */
static void commit_loops(const StTile *t, StOp *op, const StTilePlan *p) {
  StNest *n = &op->u.nest;
  n->loop = ST_NEW_N(t->arena, StLoop, p->loop.n + 1);
  n->nloops = 0;
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < p->loop.n; i++) {
      const StLoop *l = &p->loop.at[i];
      bool iterates = n->dim[l->dim].iteration;
      if (iterates == (pass == 0) && (!st_sym_eq(l->trip, st_sym_const(1)) ||
                                      st_tile_is_guarded(op, l->dim)))
        n->loop[n->nloops++] = *l;
    }
}

/* Row-major over ascending dims. */
static void commit_lanes(const StTile *t, StOp *op, const StTilePlan *p) {
  StNest *n = &op->u.nest;
  n->lane = ST_NEW_N(t->arena, StLane, p->lane.n + 1);
  n->nlanes = p->lane.n;
  for (int i = 0; i < p->lane.n; i++)
    n->lane[i] = p->lane.at[i];
  for (int i = 1; i < n->nlanes; i++)
    for (int j = i; j > 0 && n->lane[j].dim < n->lane[j - 1].dim; j--) {
      StLane s = n->lane[j];
      n->lane[j] = n->lane[j - 1];
      n->lane[j - 1] = s;
    }
}

/* As many accumulators as a beat every cycle needs. */
static void choose_ways(const StTile *t, StOp *op) {
  const StTarget *target = t->ctx->target;
  op->u.nest.ways = target ? st_timing_ways(t->m, target, op) : 1;
}

void st_tile_commit(const StTile *t, StOp *op, StTilePlan *p) {
  finish_loops(t, op, p);
  commit_loops(t, op, p);
  commit_lanes(t, op, p);
  choose_ways(t, op);
}
