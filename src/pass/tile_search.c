/* tile: how many lanes every op gets.
 *
 * First three factors on the times of kinds of ops are chosen from a grid; then
 * single ops and groups of them get more or fewer lanes (`haste`) as long as
 * the estimate of a workload sinks within the budget: what shortens the step
 * most for its logic first, paid, where there is no room, by what lengthens it
 * least. */
#include "pass/tile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Share of a target's budget that the kernels may take; the rest is for
 * buffers and movers. */
static const double kernels_share = 0.85;
/* The same of multipliers, which only kernels have. */
static const double multipliers_share = 0.99;

static StCost sum_cost(const StTile *t) {
  StCost sum = {0};
  for (int i = 0; i < t->m->op.n; i++)
    if (t->m->op.at[i]->kind == ST_OP_GENERIC)
      sum = st_cost_add(
          sum, st_target_nest_cost(t->ctx->target, t->m, t->m->op.at[i]));
  return sum;
}

static double kernels_part(const StTile *t) {
  return t->ctx->kernels > 0 ? t->ctx->kernels : 1;
}

/* Products of integers are made of LUTs where multipliers do not suffice. What
 * all kernels then take. */
static StCost soften(const StTile *t) {
  const StTarget *g = t->ctx->target;
  double have = multipliers_share * kernels_part(t) * g->budget * g->device.dsp;
  StCost sum = sum_cost(t);
  int64_t moved = st_target_soften(g, t->m, ST_OP_GENERIC, -1, sum.dsp - have);
  StCost more = st_cost_add(g->dot.soft, st_cost_scale(g->dot.product, -1));
  return st_cost_add(sum, st_cost_scale(more, (double)moved));
}

static bool fits(const StTile *t, const StCost *sum) {
  const StTarget *g = t->ctx->target;
  double share = kernels_share * kernels_part(t) * g->budget;
  return sum->lut <= share * g->device.lut && sum->ff <= share * g->device.ff &&
         sum->dsp <= g->budget * g->device.dsp &&
         sum->bram36 <= share * g->device.bram36;
}

/* What a schedule of all ops comes to. */
typedef struct {
  double score; /* st_tile_estimate */
  double price; /* LUTs, with those of products that found no multiplier */
  bool fits;
} Trial;

/* unless: what does not fit needs no score. */
static Trial try_now(StTile *t, bool unless) {
  StArena *scratch = t->scratch, *arena = t->arena;
  t->scratch = t->arena = st_arena_new();
  st_tile_schedule(t);
  StCost sum = soften(t);
  Trial x = {.price = sum.lut, .fits = fits(t, &sum)};
  x.score = x.fits || !unless ? st_tile_estimate(t) : INFINITY;
  st_arena_free(t->scratch);
  t->scratch = scratch;
  t->arena = arena;
  return x;
}

static void use_factors(StTile *t, const StTileSlack *s) {
  t->slack = *s;
  double *chosen = t->ctx->chosen;
  if (!chosen)
    return;
  chosen[0] = s->weights;
  chosen[1] = s->computed;
  chosen[2] = s->rows;
}

enum { STARTS = 2 };

/* Factors from which single ops are looked at, the best first. */
typedef struct {
  StTileSlack slack[STARTS];
  double score[STARTS];
  int n;
} Starts;

static void add_start(Starts *s, const StTileSlack *slack, double score) {
  int at = s->n < STARTS ? s->n++ : STARTS;
  for (; at > 0 && s->score[at - 1] > score; at--)
    if (at < STARTS) {
      s->slack[at] = s->slack[at - 1];
      s->score[at] = s->score[at - 1];
    }
  if (at == STARTS)
    return;
  s->slack[at] = *slack;
  s->score[at] = score;
}

/* The fastest of the combinations that fit, by the estimate; the slowest if
 * none fits. More time fits sooner, so that for each pair of the other factors
 * the least for products with weights is found by halving. */
static Starts search_factors(StTile *t, double slack) {
  static const double weights[] = {0.6, 0.8, 1, 1.2, 1.4, 1.7, 2,   2.4,
                                   2.8, 3.4, 4, 6,   8,   32,  1e3, 1e6};
  static const double others[] = {0.25, 0.5, 1, 2, 16, 1e3, 1e6};
  enum {
    W = sizeof weights / sizeof *weights,
    N = sizeof others / sizeof *others
  };
  Starts starts = {.n = 0};
  for (int i = 0; i < N * N; i++) {
    t->slack = (StTileSlack){0, slack * others[i / N], slack * others[i % N]};
    StTileSlack best = t->slack;
    double least = INFINITY;
    for (int lo = -1, hi = W; hi - lo > 1;) {
      int mid = (lo + hi) / 2;
      t->slack.weights = slack * weights[mid];
      Trial x = try_now(t, true);
      *(x.fits ? &hi : &lo) = mid;
      if (x.score >= least)
        continue;
      least = x.score;
      best = t->slack;
    }
    if (least < INFINITY)
      add_start(&starts, &best, least);
  }
  if (!starts.n)
    starts = (Starts){{{slack * weights[W - 1], slack * others[N - 1],
                        slack * others[N - 1]}},
                      {INFINITY},
                      1};
  return starts;
}

/* ---- single ops --------------------------------------------------------- */

/* Ops that get other lanes together. */
typedef struct {
  const int *op; /* ids */
  int n;
  double by;          /* factor on their haste */
  double gain, price; /* of the score, in LUTs, when it was tried last */
  int order;
} Move;

typedef struct {
  StTile *t;
  Move *move;
  int n;
  Trial now;
  int64_t *left; /* trials that may still be made */
} Refiner;

static void apply(StTile *t, const Move *v) {
  for (int i = 0; i < v->n; i++)
    t->haste[v->op[i]] *= v->by;
}

static void undo(StTile *t, const Move *v) {
  for (int i = 0; i < v->n; i++)
    t->haste[v->op[i]] /= v->by;
}

static void add_moves(Refiner *r, const int *op, int n, bool products) {
  static const double by[] = {2, 0.5, 1.5, 0.75};
  for (int i = 0; i < (products ? 4 : 2); i++) {
    r->move[r->n] = (Move){op, n, by[i], .order = r->n};
    r->n++;
  }
}

/* Products with parameters before and at each op, along the longest path. */
static int *count_stages(const StTile *t) {
  const StModule *m = t->m;
  int *stage = ST_NEW_N(t->scratch, int, m->next_op + 1);
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    for (int k = 0; k < op->noperands; k++) {
      int before = stage[op->operand[k]->def->id];
      stage[op->id] = before > stage[op->id] ? before : stage[op->id];
    }
    stage[op->id] += op->kind == ST_OP_GENERIC && st_tile_is_product(t, op);
  }
  return stage;
}

/* Products, others that work along with products, and those on whole rows. */
static int sort_of(const StTile *t, const StOp *op) {
  if (st_tile_is_product(t, op))
    return 0;
  return st_tile_slow_dim(t, op) >= 0 ? 1 : 2;
}

/* Single ops, and those of one sort between the same products. */
static void find_moves(Refiner *r) {
  StTile *t = r->t;
  const StModule *m = t->m;
  st_tile_schedule(t);
  const int *stage = count_stages(t);
  int *key = ST_NEW_N(t->scratch, int, m->op.n + 1), most = 0;
  r->move = ST_NEW_N(t->scratch, Move, 8 * (m->op.n + 1));
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    if (op->kind != ST_OP_GENERIC)
      continue;
    int *id = ST_NEW(t->scratch, int);
    *id = op->id;
    int sort = sort_of(t, op);
    add_moves(r, id, 1, sort == 0);
    key[i] = 1 + sort + 3 * (st_tile_iterates(op) + 2 * stage[op->id]);
    most = key[i] > most ? key[i] : most;
  }
  for (int k = 1; k <= most; k++) {
    int *group = ST_NEW_N(t->scratch, int, m->op.n + 1), n = 0;
    for (int i = 0; i < m->op.n; i++)
      if (key[i] == k)
        group[n++] = m->op.at[i]->id;
    if (n > 1)
      add_moves(r, group, n, (k - 1) % 3 == 0);
  }
}

static Trial try_move(Refiner *r) {
  --*r->left;
  return try_now(r->t, false);
}

/* What a move would come to, by itself. */
static void measure(Refiner *r, Move *v) {
  apply(r->t, v);
  Trial x = try_move(r);
  undo(r->t, v);
  v->gain = r->now.score - x.score;
  v->price = x.price - r->now.price;
}

/* Cycles for a LUT: won by one that costs, lost by one that saves; what costs
 * nothing first. */
static double value_of(const Move *v) {
  bool costs = v->price > 0 || v->gain < 0;
  return costs ? v->gain / v->price : INFINITY;
}

/* What wins, the best first, then what saves, the best last. */
static int by_value(const void *a, const void *b) {
  const Move *x = a, *y = b;
  bool xs = x->gain < 0, ys = y->gain < 0;
  double p = value_of(x), q = value_of(y);
  if (xs != ys)
    return xs - ys;
  return p != q ? (p > q ? -1 : 1) : x->order - y->order;
}

static bool is_better(const Trial *x, const Trial *than) {
  return x->fits &&
         (x->score < than->score * (1 - 1e-5) ||
          (x->score <= than->score && x->price < than->price * (1 - 1e-5)));
}

/* Makes the move if it still pays as when it was measured, giving up as much of
 * what is worth least as it needs. */
static void take(Refiner *r, const Move *v) {
  StTile *t = r->t;
  enum { MOST = 8 };
  const Move *given[MOST];
  int n = 0;
  apply(t, v);
  Trial x = try_move(r);
  double gain = r->now.score - x.score, price = x.price - r->now.price;
  bool stale = price > 0 && gain * v->price < 0.8 * v->gain * price;
  for (int i = stale ? 0 : r->n; !x.fits && i-- > 0 && n < MOST;) {
    const Move *w = &r->move[i];
    if (w->price >= 0 || w->gain * v->price <= v->gain * w->price)
      continue;
    apply(t, w);
    Trial y = try_move(r);
    if (y.score >= r->now.score || y.price >= x.price) {
      undo(t, w);
      continue;
    }
    given[n++] = w;
    x = y;
  }
  if (!stale && is_better(&x, &r->now)) {
    r->now = x;
    return;
  }
  while (n-- > 0)
    undo(t, given[n]);
  undo(t, v);
}

/* What does not change anything (no wider token comes, no divisor is near) is
 * not tried again. */
static void measure_all(Refiner *r) {
  int kept = 0;
  for (int i = 0; i < r->n && *r->left > 0; i++) {
    Move v = r->move[i];
    measure(r, &v);
    if (v.gain != 0 || v.price != 0)
      r->move[kept++] = v;
  }
  r->n = kept;
  qsort(r->move, (size_t)r->n, sizeof *r->move, by_value);
}

static void sweep(Refiner *r) {
  measure_all(r);
  for (int i = 0; i < r->n && *r->left > 0; i++) {
    const Move *v = &r->move[i];
    if (v->gain > 0 || (v->gain == 0 && v->price < 0))
      take(r, v);
  }
}

/* At most `sweeps`, until one wins less than a 1000th. The score. */
static double refine(StTile *t, int sweeps, int64_t *left) {
  Refiner r = {.t = t, .now = try_now(t, false), .left = left};
  find_moves(&r);
  for (int i = 0; i < sweeps && r.now.fits; i++) {
    double before = r.now.score;
    sweep(&r);
    if (r.now.score > before * (1 - 1.0 / 1000))
      break;
  }
  return r.now.score;
}

/* From each start a little, with lanes of the batch and without, from the best
 * of these on until nothing helps. */
static void refine_best(StTile *t, const Starts *starts) {
  enum { FEW = 2, MANY = 12, WORK = 1000000 };
  int64_t left = WORK / (t->m->op.n + 1); /* a trial looks at every op */
  size_t bytes = (size_t)t->m->next_op * sizeof *t->haste;
  double *best = ST_NEW_N(t->scratch, double, t->m->next_op + 1);
  double least = INFINITY;
  int chosen = 0;
  for (int i = 0; i < 2 * starts->n; i++) {
    t->slack = starts->slack[i / 2];
    t->batch_lanes = i % 2;
    for (int k = 0; k < t->m->next_op; k++)
      t->haste[k] = 1;
    double score = refine(t, FEW, &left);
    if (i > 0 && score >= least)
      continue;
    least = score;
    chosen = i;
    memcpy(best, t->haste, bytes);
  }
  memcpy(t->haste, best, bytes);
  t->batch_lanes = chosen % 2;
  use_factors(t, &starts->slack[chosen / 2]);
  refine(t, MANY, &left);
}

void st_tile_search(StTile *t) {
  const StPassContext *ctx = t->ctx;
  double slack = ctx->slack > 0 ? ctx->slack : 1;
  const double *f = ctx->factor;
  t->slack = (StTileSlack){slack, slack, slack};
  bool free = ctx->target && !ctx->lanes;
  if (free && f[0] > 0) {
    use_factors(t, &(StTileSlack){f[0], f[1], f[2]});
  } else if (free) {
    Starts starts = search_factors(t, slack);
    refine_best(t, &starts);
  }
  st_tile_schedule(t);
  if (free)
    soften(t);
}
