/* place: scores of placements, and placements without a solver. */
#include <math.h>
#include <string.h>

#include "pass/place.h"

enum { PASSES = 8 }; /* of refinement */

/* ---- scores ------------------------------------------------------------- */

static double excess(double need, double have) {
  if (have <= 0)
    return need > 0 ? 1e6 : 0;
  return need > have ? need / have - 1 : 0;
}

/* Products beyond a die's multipliers are made of LUTs. */
static StCost soften(const StTarget *t, StCost use, double products,
                     double multipliers) {
  double each = t->dot.product.dsp;
  if (each <= 0 || use.dsp <= multipliers)
    return use;
  double n = fmin(products, ceil((use.dsp - multipliers) / each));
  use.dsp -= n * each;
  use.lut += n * (t->dot.soft.lut - t->dot.product.lut);
  use.ff += n * (t->dot.soft.ff - t->dot.product.ff);
  return use;
}

static bool crosses(const StPlaceEdge *e, const int *die, int boundary) {
  return (die[e->from] <= boundary) != (die[e->to] <= boundary);
}

static double boundary_wires(const StPlaceGraph *g, const int *die,
                             int boundary, double *part) {
  double plain = 0, most = 0;
  for (int k = 0; k < g->nparts; k++)
    part[k] = 0;
  for (int i = 0; i < g->edge.n; i++) {
    const StPlaceEdge *e = &g->edge.at[i];
    if (crosses(e, die, boundary))
      *(e->part < 0 ? &plain : &part[e->part]) += e->wires;
  }
  for (int i = 0; i < g->nparts; i++) {
    double sum = 0;
    for (int k = 0; k < g->nparts; k++)
      sum += g->meet[i * g->nparts + k] ? part[k] : 0;
    most = fmax(most, sum);
  }
  return plain + most;
}

StPlaceScore st_place_score(const StPlaceGraph *g, const int *die) {
  const StTarget *t = g->target;
  StArena *scratch = st_arena_new();
  StCost *use = ST_NEW_N(scratch, StCost, t->dies);
  double *products = ST_NEW_N(scratch, double, t->dies);
  double *part = ST_NEW_N(scratch, double, g->nparts + 1);
  StPlaceScore s = {0};
  for (int i = 0; i < g->n; i++) {
    use[die[i]] = st_cost_add(use[die[i]], g->cost[i]);
    products[die[i]] += g->products[i];
  }
  for (int d = 0; d < t->dies; d++) {
    StCost have = st_cost_scale(t->die[d], t->budget);
    StCost need = soften(t, use[d], products[d], have.dsp);
    s.over += excess(need.lut, have.lut) + excess(need.ff, have.ff) +
              excess(need.dsp, have.dsp) + excess(need.bram36, have.bram36) +
              excess(need.uram, have.uram);
  }
  for (int b = 0; b + 1 < t->dies; b++) {
    double wires = boundary_wires(g, die, b, part);
    s.over += excess(wires, t->budget * t->die_wires);
    s.wires += wires;
  }
  st_arena_free(scratch);
  return s;
}

bool st_place_is_better(StPlaceScore a, StPlaceScore b) {
  const double same = 1e-9;
  if (fabs(a.over - b.over) > same)
    return a.over < b.over;
  return a.wires < b.wires - same;
}

double st_place_size(const StTarget *t, StCost c) {
  double most = 0;
  for (int d = 0; d < t->dies; d++) {
    const StCost *x = &t->die[d];
    const double share[] = {
        c.lut / x->lut, c.ff / x->ff, x->dsp > 0 ? c.dsp / x->dsp : 0,
        x->bram36 > 0 ? c.bram36 / x->bram36 : 0,
        x->uram > 0 ? c.uram / x->uram : 0};
    for (size_t i = 0; i < sizeof share / sizeof *share; i++)
      most = fmax(most, share[i]);
  }
  return most;
}

/* ---- merging ------------------------------------------------------------ */

/* Of a die: what is merged stays small enough to be packed. */
static const double largest_group = 0.12;

typedef struct {
  const StPlaceGraph *g;
  int *group; /* [n] the first node of its group */
  StCost *cost;
  bool *done; /* no one to merge with */
} Merge;

static bool may_merge(const Merge *m, int i, int k) {
  const StPlaceGraph *g = m->g;
  return i != k && g->fixed[i] < 0 && g->fixed[k] < 0 && !g->alone[i] &&
         !g->alone[k] &&
         st_place_size(g->target, st_cost_add(m->cost[i], m->cost[k])) <=
             largest_group;
}

/* The group to which most wires lead; -1. */
static int best_partner(const Merge *m, int i, double *wires) {
  const StPlaceGraph *g = m->g;
  int best = -1;
  memset(wires, 0, (size_t)g->n * sizeof *wires);
  for (int k = 0; k < g->edge.n; k++) {
    int from = m->group[g->edge.at[k].from], to = m->group[g->edge.at[k].to];
    if ((from == i) != (to == i))
      wires[from == i ? to : from] += g->edge.at[k].wires;
  }
  for (int k = 0; k < g->n; k++)
    if (wires[k] > 0 && may_merge(m, i, k) &&
        (best < 0 || wires[k] > wires[best]))
      best = k;
  return best;
}

static int smallest_group(const Merge *m) {
  const StPlaceGraph *g = m->g;
  int best = -1;
  double least = INFINITY;
  for (int i = 0; i < g->n; i++) {
    if (m->group[i] != i || m->done[i] || g->fixed[i] >= 0 || g->alone[i])
      continue;
    double size = st_place_size(g->target, m->cost[i]);
    if (size < least) {
      least = size;
      best = i;
    }
  }
  return best;
}

static void merge(Merge *m, int i, int k) {
  int first = i < k ? i : k, other = i < k ? k : i;
  m->cost[first] = st_cost_add(m->cost[first], m->cost[other]);
  for (int j = 0; j < m->g->n; j++)
    if (m->group[j] == other)
      m->group[j] = first;
}

static StPlaceGraph *contract(const StPlaceGraph *g, const int *group) {
  StPlaceGraph *c = ST_NEW(g->arena, StPlaceGraph);
  *c = (StPlaceGraph){.arena = g->arena, .target = g->target,
                      .nparts = g->nparts, .meet = g->meet};
  for (int i = 0; i < g->n; i++)
    c->n = group[i] >= c->n ? group[i] + 1 : c->n;
  c->cost = ST_NEW_N(g->arena, StCost, c->n);
  c->products = ST_NEW_N(g->arena, double, c->n);
  c->fixed = ST_NEW_N(g->arena, int, c->n);
  c->alone = ST_NEW_N(g->arena, bool, c->n);
  for (int i = 0; i < g->n; i++) {
    int k = group[i];
    c->cost[k] = st_cost_add(c->cost[k], g->cost[i]);
    c->products[k] += g->products[i];
    c->fixed[k] = g->fixed[i];
    c->alone[k] = g->alone[i];
  }
  for (int i = 0; i < g->edge.n; i++) {
    StPlaceEdge e = g->edge.at[i];
    int from = group[e.from], to = group[e.to], at = 0;
    e.from = from < to ? from : to;
    e.to = from < to ? to : from;
    while (at < c->edge.n &&
           (c->edge.at[at].from != e.from || c->edge.at[at].to != e.to ||
            c->edge.at[at].part != e.part))
      at++;
    if (from != to && at < c->edge.n)
      c->edge.at[at].wires += e.wires;
    else if (from != to)
      st_vec_push(c->arena, &c->edge, e);
  }
  return c;
}

StPlaceGraph *st_place_coarsen(const StPlaceGraph *g, int most, int *group) {
  Merge m = {.g = g, .group = group};
  m.cost = ST_NEW_N(g->arena, StCost, g->n + 1);
  m.done = ST_NEW_N(g->arena, bool, g->n + 1);
  double *wires = ST_NEW_N(g->arena, double, g->n + 1);
  int count = g->n, first_fixed = -1;
  for (int i = 0; i < g->n; i++) { /* what is fixed is one: the memory's die */
    group[i] = i;
    m.cost[i] = g->cost[i];
    if (g->fixed[i] < 0)
      continue;
    if (first_fixed < 0)
      first_fixed = i;
    else
      count--;
    group[i] = first_fixed;
  }
  for (int i; count > most && (i = smallest_group(&m)) >= 0;) {
    int k = best_partner(&m, i, wires);
    if (k < 0) {
      m.done[i] = true;
      continue;
    }
    merge(&m, i, k);
    count--;
  }
  int *number = ST_NEW_N(g->arena, int, g->n + 1), n = 0;
  for (int i = 0; i < g->n; i++)
    if (group[i] == i)
      number[i] = n++;
  for (int i = 0; i < g->n; i++)
    group[i] = number[group[i]];
  return contract(g, group);
}

/* ---- greedy ------------------------------------------------------------- */

/* Up to `fill` of each die's budget; the last die takes the rest. */
static void fill_dies(const StPlaceGraph *g, double fill, bool backwards,
                      int *die) {
  const StTarget *t = g->target;
  StCost used = {0};
  int d = 0;
  for (int k = 0; k < g->n; k++) {
    int i = backwards ? g->n - 1 - k : k;
    die[i] = g->fixed[i] >= 0 ? g->fixed[i] : d;
    if (g->fixed[i] >= 0)
      continue;
    used = st_cost_add(used, g->cost[i]);
    StCost scaled = st_cost_scale(used, 1 / (fill * t->budget));
    if (st_place_size(t, scaled) <= 1 || d + 1 == t->dies)
      continue;
    die[i] = ++d;
    used = g->cost[i];
  }
}

void st_place_greedy(const StPlaceGraph *g, int *die) {
  enum { FILLS = 12 };
  StPlaceScore least = {INFINITY, INFINITY};
  int *trial = ST_NEW_N(g->arena, int, g->n + 1);
  for (int i = 0; i < 2 * FILLS; i++) {
    fill_dies(g, 1 - 0.06 * (i % FILLS), i >= FILLS, trial);
    StPlaceScore s = st_place_score(g, trial);
    if (!st_place_is_better(s, least))
      continue;
    least = s;
    memcpy(die, trial, (size_t)g->n * sizeof *die);
  }
}

/* ---- refinement --------------------------------------------------------- */

static bool try_move(const StPlaceGraph *g, int *die, int i,
                     StPlaceScore *now) {
  int home = die[i], best = home;
  for (int d = 0; d < g->target->dies; d++) {
    die[i] = d;
    StPlaceScore s = st_place_score(g, die);
    if (d == home || !st_place_is_better(s, *now))
      continue;
    *now = s;
    best = d;
  }
  die[i] = best;
  return best != home;
}

void st_place_refine(const StPlaceGraph *g, int *die) {
  StPlaceScore now = st_place_score(g, die);
  bool moved = true;
  for (int pass = 0; pass < PASSES && moved; pass++) {
    moved = false;
    for (int i = 0; i < g->n; i++)
      if (g->fixed[i] < 0)
        moved |= try_move(g, die, i, &now);
  }
}

/* ---- annealing ---------------------------------------------------------- */

/* Knuth's generator (MMIX); the upper bits. */
static uint32_t next_random(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*state >> 33);
}

static double energy(const StPlaceGraph *g, StPlaceScore s) {
  return s.over + 1e-2 * s.wires / (g->target->dies * g->target->die_wires);
}

void st_place_anneal(const StPlaceGraph *g, int *die) {
  enum { STEPS = 20000 };
  const double hot = 0.3, cold = 1e-4;
  int *now = ST_NEW_N(g->arena, int, g->n + 1);
  memcpy(now, die, (size_t)g->n * sizeof *now);
  double at = energy(g, st_place_score(g, now)), least = at;
  uint64_t state = 1;
  for (int i = 0; i < STEPS; i++) {
    int x = (int)(next_random(&state) % (uint32_t)g->n);
    int y = (int)(next_random(&state) % (uint32_t)g->n);
    int of_x = now[x], of_y = now[y];
    bool swap = next_random(&state) % 2 && g->fixed[y] < 0;
    if (g->fixed[x] >= 0)
      continue;
    if (swap)
      now[y] = of_x;
    now[x] = swap ? of_y
                  : (int)(next_random(&state) % (uint32_t)g->target->dies);
    double then = energy(g, st_place_score(g, now));
    double heat = hot * pow(cold / hot, (double)i / STEPS);
    double luck = (next_random(&state) + 1.0) / 2147483649.0;
    if (then <= at || luck < exp((at - then) / heat)) {
      at = then;
    } else {
      now[x] = of_x;
      if (swap)
        now[y] = of_y;
    }
    if (at < least) {
      least = at;
      memcpy(die, now, (size_t)g->n * sizeof *die);
    }
  }
}
