/* tile: contractions, S[batch, M, K] times F[batch, N, K].
 *
 * What arrives slowly is taken as it arrives: if it is a dim of the batch or of
 * K that S comes along, that is the outermost loop (input-major; all of N has
 * accumulators). Otherwise the loop that the users of the result want
 * outermost comes first (output-major; S is streamed again for each of its
 * iterations): they can begin while it goes on. F flows once either way, and
 * the tokens of a step are innermost, so that a weight is held over them.
 * Over the context (attention) the rows of S take turns instead, and F is
 * streamed again for each: what follows can begin after the first of them. */
#include <math.h>

#include "analysis/port.h"
#include "pass/tile.h"

static bool reads_dim(const StOp *op, int k, int dim) {
  for (int i = 0; i < op->operand[k]->type.rank; i++)
    if (op->u.nest.in[k].map &&
        st_affine_single(&op->u.nest.in[k].map[i]) == dim)
      return true;
  return false;
}

/* Of a step of one token. */
static double elements(const StTile *t, const StType *type) {
  double n = 1;
  for (int d = 0; d < type->rank; d++)
    n *= (double)st_sym_eval(type->shape[d], t->m->ctx, 1);
  return n;
}

/* The two operands with all reduction dims; S the smaller. */
static bool find_factors(const StTile *t, const StOp *op, StContraction *c) {
  const StNest *n = &op->u.nest;
  int pair[2], found = 0;
  for (int k = 0; k < op->noperands; k++) {
    bool all = true;
    for (int d = 0; d < n->ndims; d++)
      all &= !n->dim[d].reduction || reads_dim(op, k, d);
    if (all && found == 2)
      return false;
    if (all)
      pair[found++] = k;
  }
  if (found != 2 || !st_nest_reduces(n))
    return false;
  double size[2];
  for (int i = 0; i < 2; i++)
    size[i] = elements(t, &op->operand[pair[i]]->type);
  int f = size[1] >= size[0];
  c->f = pair[f];
  c->s = pair[1 - f];
  return true;
}

bool st_tile_find_contraction(const StTile *t, const StOp *op,
                              StContraction *c) {
  const StNest *n = &op->u.nest;
  *c = (StContraction){0};
  if (!find_factors(t, op, c))
    return false;
  int **lists[] = {&c->b, &c->m, &c->n, &c->k};
  for (int i = 0; i < 4; i++)
    *lists[i] = ST_NEW_N(t->scratch, int, n->ndims + 1);
  for (int pass = 0; pass < 2; pass++)
    for (int d = 0; d < n->ndims; d++) {
      if (st_tile_is_tokens(n->dim[d].extent) != (pass == 1))
        continue;
      bool in_s = reads_dim(op, c->s, d), in_f = reads_dim(op, c->f, d);
      if (n->dim[d].iteration)
        continue; /* always outermost */
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

/* ---- loops ------------------------------------------------------------- */

static void list_loops(const StTile *t, const StOp *op, StTilePlan *p,
                       const int *dims, int n) {
  for (int i = 0; i < n; i++)
    if (!p->done[dims[i]])
      st_tile_whole_loop(t, op, p, dims[i]);
}

static bool has(const int *dims, int n, int d) {
  for (int i = 0; i < n; i++)
    if (dims[i] == d)
      return true;
  return false;
}

static bool has_context(const StOp *op, const int *dims, int n) {
  for (int i = 0; i < n; i++)
    if (!st_sym_is_const(op->u.nest.dim[dims[i]].extent))
      return true;
  return false;
}

/* Nest dim that walks the dim of the result that its users want outermost. */
static int wanted_dim(const StTile *t, const StOp *op) {
  int want = t->flow[op->result[0]->id].want;
  return want < 0 ? -1 : st_affine_single(&op->u.nest.out[0].map[want]);
}

/* Outermost loops of N, of trips that leave at least `inner` positions of N
 * inside: an accumulator is used again no sooner. */
static void outer_loops(const StTile *t, const StOp *op, const StContraction *c,
                        StTilePlan *p, int64_t inner) {
  int64_t held = 1;
  int at = c->nn;
  while (at > 0 && held < inner) {
    int d = c->n[--at];
    StSym e = op->u.nest.dim[d].extent;
    if (p->done[d] || !st_sym_is_const(e) || st_tile_is_guarded(op, d))
      continue;
    int64_t trip = e.c / st_tile_lane(p, d), part = 1;
    while (part < trip && (trip % part || held * part < inner))
      part++;
    if (part > 4 * inner) /* no divisor near: it gets several accumulators */
      for (part = inner; trip % part;)
        part--;
    held *= part;
    if (part == trip)
      continue;
    int size = st_tile_lane(p, d);
    list_loops(t, op, p, c->n, at);
    st_tile_push_loop(t, p, d, st_sym_const(trip / part), size * part);
    p->done[d] = part == 1;
    return;
  }
  list_loops(t, op, p, c->n, at);
}

/* The rest of a dim whose outer loop was pushed and that is not done. */
static void inner_loops(const StTile *t, const StOp *op, const StContraction *c,
                        StTilePlan *p) {
  for (int i = 0; i < c->nn; i++) {
    int d = c->n[i], size = st_tile_lane(p, d);
    if (p->done[d])
      continue;
    StSym trip = op->u.nest.dim[d].extent;
    for (int l = 0; l < p->loop.n; l++)
      if (p->loop.at[l].dim == d)
        trip = st_sym_const(p->loop.at[l].step);
    if (size > 1)
      trip = st_sym_const(trip.c / size);
    st_tile_push_loop(t, p, d, trip, size);
    p->done[d] = true;
  }
}

/* Beats that should lie between two uses of an accumulator: here, or where the
 * sums over a group are summed. */
static int64_t interleave(const StTile *t, const StOp *op,
                          const StContraction *c) {
  const StOutput *o = &op->u.nest.out[0];
  StDtype type = op->result[0]->type.dtype;
  if (!t->ctx->target)
    return 8;
  int own = st_target_op_latency(t->ctx->target, o->combine, type);
  int later =
      c->nb ? st_target_op_latency(t->ctx->target, ST_X_ADDF, ST_F32) : 1;
  return own > later ? own : later;
}

/* Dims of M that are no tokens come first; how many. */
static int rows_before_tokens(const StOp *op, const StContraction *c) {
  int n = 0;
  while (n < c->nm && !st_tile_is_tokens(op->u.nest.dim[c->m[n]].extent))
    n++;
  return n;
}

int st_tile_turns(const StOp *op, const StContraction *c) {
  bool context = has_context(op, c->k, c->nk) || has_context(op, c->n, c->nn);
  bool turns = context && c->nb > 1 && !rows_before_tokens(op, c);
  return turns ? c->b[c->nb - 1] : -1;
}

static void plan_loops(const StTile *t, const StOp *op, const StContraction *c,
                       StTilePlan *p) {
  int slow = st_tile_slow_dim(t, op), want = wanted_dim(t, op);
  bool input_major = has(c->b, c->nb, slow) || has(c->k, c->nk, slow);
  if (input_major)
    list_loops(t, op, p, &slow, 1);
  if (has_context(op, c->k, c->nk) || has_context(op, c->n, c->nn)) {
    /* the rest of the batch inside: sums over the context take turns */
    bool context = has_context(op, c->k, c->nk);
    int rows = rows_before_tokens(op, c);
    int outside = rows ? c->nb : input_major || c->nb < 2 ? 0 : c->nb - 1;
    list_loops(t, op, p, c->b, outside);
    list_loops(t, op, p, c->m, rows);
    list_loops(t, op, p, context ? c->k : c->n, context ? c->nk : c->nn);
    list_loops(t, op, p, c->b, c->nb);
    list_loops(t, op, p, context ? c->n : c->k, context ? c->nn : c->nk);
  } else if (input_major) {
    list_loops(t, op, p, c->b, c->nb);
    list_loops(t, op, p, c->k, c->nk);
    list_loops(t, op, p, c->n, c->nn);
  } else {
    if (has(c->n, c->nn, want) || has(c->b, c->nb, want))
      list_loops(t, op, p, &want, 1);
    else
      outer_loops(t, op, c, p, interleave(t, op, c));
    list_loops(t, op, p, c->b, c->nb);
    list_loops(t, op, p, c->k, c->nk);
    inner_loops(t, op, c, p);
  }
  list_loops(t, op, p, c->m, c->nm);
}

/* Lanes of further dims, to about `want` in all. */
static void take_more(const StTile *t, const StOp *op, StTilePlan *p,
                      const int *dims, int n, int64_t want) {
  int64_t taken = 1;
  for (int i = 0; i < p->lane.n; i++)
    taken *= p->lane.at[i].size;
  st_tile_take_lanes(t, op, p, dims, n, (2 * want + taken) / (2 * taken));
}

static bool has_lanes(const StTilePlan *p, const int *dims, int n) {
  for (int i = 0; i < n; i++)
    if (st_tile_lane(p, dims[i]) > 1)
      return true;
  return false;
}

/* Batch dims that lanes may take: none if the innermost comes slowly. */
static int batch_inside(const StTile *t, const StOp *op,
                        const StContraction *c) {
  int slow = st_tile_slow_dim(t, op);
  return has(c->b, c->nb, slow) && c->b[c->nb - 1] == slow ? 0 : c->nb;
}

/* Lanes that N and the innermost dim of the batch would have for `want`. */
static int64_t take_both(const StTile *t, const StOp *op,
                         const StContraction *c, int64_t batch, int64_t want) {
  StTilePlan p = {.done = NULL};
  int64_t lanes = batch;
  st_tile_take_lanes(t, op, &p, c->n, c->nn, (want + batch / 2) / batch);
  for (int i = 0; i < p.lane.n; i++)
    lanes *= p.lane.at[i].size;
  return lanes;
}

static double error_of(int64_t lanes, int64_t want) {
  return fabs(log((double)lanes / (double)want));
}

/* Lanes of the innermost dim of the batch with which N comes much nearer to
 * `want` than without: 1, or a divisor of its extent. */
static int64_t choose_batch(const StTile *t, const StOp *op,
                            const StContraction *c, int64_t want) {
  const double nearer = 0.1;
  int n = batch_inside(t, op, c);
  int d = n > 0 ? c->b[n - 1] : -1;
  if (d < 0 || !st_sym_is_const(op->u.nest.dim[d].extent) ||
      st_tile_is_guarded(op, d) || want < 2)
    return 1;
  int64_t best = 1, extent = op->u.nest.dim[d].extent.c;
  double least = error_of(take_both(t, op, c, 1, want), want) - nearer;
  for (int64_t b = 2; b <= want && b <= extent; b++) {
    double error =
        extent % b ? least : error_of(take_both(t, op, c, b, want), want);
    if (error >= least)
      continue;
    least = error;
    best = b;
  }
  return best;
}

/* Lanes: positions of K first (their sum is a tree), then of N, then rows that
 * share an element of F, then of the batch, or some of the batch before N if
 * that comes nearer to what is wanted (in blocks only if `batch_lanes`: results
 * of one group after another may be worth more). */
void st_tile_plan_contraction(const StTile *t, const StOp *op,
                              const StContraction *c, StTilePlan *p) {
  int64_t fixed = t->ctx->lanes;
  int64_t want = fixed ? fixed : st_tile_want_lanes(t, op, c);
  if (fixed) {
    st_tile_take_lanes(t, op, p, c->n, c->nn, fixed);
    if (!has_context(op, c->k, c->nk))
      st_tile_take_lanes(t, op, p, c->k, c->nk, fixed);
  } else {
    enum { TREE = 128 };
    int64_t sum = want < TREE ? want : TREE;
    int64_t left = st_tile_take_lanes(t, op, p, c->k, c->nk, sum);
    bool context = has_context(op, c->k, c->nk) || has_context(op, c->n, c->nn);
    if (left <= 1 && !context && c->nn && c->nb &&
        (t->batch_lanes || !st_tile_iterates(op))) {
      int64_t batch = choose_batch(t, op, c, want / sum);
      st_tile_take_lanes(t, op, p, c->b, c->nb, batch);
    }
    take_more(t, op, p, c->n, c->nn, want);
    take_more(t, op, p, c->m, c->nm, want);
    if (!has_lanes(p, c->b, c->nb))
      take_more(t, op, p, c->b, batch_inside(t, op, c), want);
  }
  plan_loops(t, op, c, p);
}
