/* place: the mixed integer program. y[v][b] is 1 if node v lies beyond boundary
 * b; an edge crosses b where its ends differ; a die's nodes are those beyond
 * the boundary before it less those beyond the one after it. */
#include <math.h>
#include <string.h>

#include "pass/place.h"
#include "solve/lp.h"

enum {
  NODES = 100,       /* of the search tree */
  THOUSAND = 1000, /* wires are counted in thousands */
  OVER = 10000,    /* a design over its budgets by a part costs so much */
};
/* Wires may be more than the least by this share of them: single ops are moved
 * afterwards. */
static const double gap = 0.4;
/* Of budgets: the solver rounds, and products are whole. */
static const double most_of_budget = 0.9995;

typedef struct {
  const StPlaceGraph *g;
  StMilp milp;
  int boundaries;
  int over;  /* column: what budgets are exceeded by */
  int *soft; /* [dies] columns: products in LUTs */
  int *bus;  /* [boundaries] columns: wires of bundles */
  int *cut;  /* [edges * boundaries] columns */
} Program;

static int beyond(const Program *p, int node, int boundary) {
  return node * p->boundaries + boundary;
}

static void add_nodes(Program *p) {
  const StPlaceGraph *g = p->g;
  for (int i = 0; i < g->n; i++)
    for (int b = 0; b < p->boundaries; b++) {
      double lo = g->fixed[i] > b, hi = g->fixed[i] < 0 || g->fixed[i] > b;
      st_milp_column(&p->milp, 0, lo, hi, true);
    }
  for (int i = 0; i < g->n; i++)
    for (int b = 1; b < p->boundaries; b++) {
      st_milp_row(&p->milp, 0);
      st_milp_term(&p->milp, beyond(p, i, b), 1);
      st_milp_term(&p->milp, beyond(p, i, b - 1), -1);
    }
}

static void add_edges(Program *p) {
  const StPlaceGraph *g = p->g;
  p->cut = ST_NEW_N(p->milp.arena, int, g->edge.n * p->boundaries + 1);
  for (int i = 0; i < g->edge.n; i++)
    for (int b = 0; b < p->boundaries; b++) {
      const StPlaceEdge *e = &g->edge.at[i];
      double cost = e->part < 0 ? e->wires / THOUSAND : 0;
      int cut = st_milp_column(&p->milp, cost, 0, 1, false);
      p->cut[i * p->boundaries + b] = cut;
      for (int k = 0; k < 2; k++) {
        st_milp_row(&p->milp, 0);
        st_milp_term(&p->milp, beyond(p, e->from, b), k ? 1 : -1);
        st_milp_term(&p->milp, beyond(p, e->to, b), k ? -1 : 1);
        st_milp_term(&p->milp, cut, -1);
      }
    }
}

/* Wires of bundles are those of parts that work at the same time. */
static void add_wires(Program *p) {
  const StPlaceGraph *g = p->g;
  double most = most_of_budget * g->target->budget * g->target->die_wires /
                THOUSAND;
  for (int b = 0; b < p->boundaries; b++) {
    p->bus[b] = st_milp_column(&p->milp, 1, 0, INFINITY, false);
    for (int part = 0; part < g->nparts; part++) {
      st_milp_row(&p->milp, 0);
      st_milp_term(&p->milp, p->bus[b], -1);
      for (int i = 0; i < g->edge.n; i++) {
        const StPlaceEdge *e = &g->edge.at[i];
        if (e->part >= 0 && g->meet[part * g->nparts + e->part])
          st_milp_term(&p->milp, p->cut[i * p->boundaries + b],
                       e->wires / THOUSAND);
      }
    }
    st_milp_row(&p->milp, most);
    st_milp_term(&p->milp, p->bus[b], 1);
    st_milp_term(&p->milp, p->over, -fmax(most, 1));
    for (int i = 0; i < g->edge.n; i++)
      if (g->edge.at[i].part < 0)
        st_milp_term(&p->milp, p->cut[i * p->boundaries + b],
                     g->edge.at[i].wires / THOUSAND);
  }
}

/* Adds to the last row `by` times the sum of need[node] over a die's nodes. */
static void add_sum(Program *p, int die, const double *need, double by) {
  const StPlaceGraph *g = p->g;
  for (int i = 0; i < g->n; i++) {
    if (need[i] == 0)
      continue;
    if (die > 0)
      st_milp_term(&p->milp, beyond(p, i, die - 1), by * need[i]);
    else
      p->milp.row.at[p->milp.row.n - 1].most -= by * need[i];
    if (die < p->boundaries)
      st_milp_term(&p->milp, beyond(p, i, die), -by * need[i]);
  }
}

/* A row for one resource of a die. need: [n]; soft: what a product in LUTs
 * changes. */
static void add_budget(Program *p, int die, const double *need, double soft,
                       double have) {
  double scale = have > 0 ? 1 / have : 1;
  st_milp_row(&p->milp, have > 0);
  add_sum(p, die, need, scale);
  if (soft != 0)
    st_milp_term(&p->milp, p->soft[die], soft * scale);
  st_milp_term(&p->milp, p->over, -1);
}

static void add_budgets(Program *p) {
  enum { RESOURCES = 5 };
  const StPlaceGraph *g = p->g;
  const StTarget *t = g->target;
  double *need = ST_NEW_N(p->milp.arena, double, RESOURCES * g->n + 1);
  for (int i = 0; i < g->n; i++) {
    const StCost *c = &g->cost[i];
    const double all[] = {c->lut, c->ff, c->dsp, c->bram36, c->uram};
    for (int r = 0; r < RESOURCES; r++)
      need[r * g->n + i] = all[r];
  }
  const double soft[] = {t->dot.soft.lut - t->dot.product.lut,
                         t->dot.soft.ff - t->dot.product.ff,
                         -t->dot.product.dsp, 0, 0};
  for (int d = 0; d < t->dies; d++) {
    StCost h = st_cost_scale(t->die[d], most_of_budget * t->budget);
    const double have[] = {h.lut, h.ff, h.dsp, h.bram36, h.uram};
    p->soft[d] = st_milp_column(&p->milp, 1e-6, 0, INFINITY, false);
    for (int r = 0; r < RESOURCES; r++)
      add_budget(p, d, need + r * g->n, soft[r], have[r]);
    st_milp_row(&p->milp, 0); /* no more than there are */
    st_milp_term(&p->milp, p->soft[d], 1);
    add_sum(p, d, g->products, -1);
  }
}

/* The columns of a placement; what follows from them is left to the solver. */
static double *start_from(const Program *p, const int *die) {
  double *x = ST_NEW_N(p->milp.arena, double, p->milp.column.n + 1);
  for (int i = 0; i < p->g->n; i++)
    for (int b = 0; b < p->boundaries; b++)
      x[beyond(p, i, b)] = die[i] > b;
  return x;
}

void st_place_solve(const StPlaceGraph *g, int *die) {
  StArena *scratch = st_arena_new();
  Program p = {.g = g, .milp = {.arena = scratch},
               .boundaries = g->target->dies - 1};
  p.soft = ST_NEW_N(scratch, int, g->target->dies);
  p.bus = ST_NEW_N(scratch, int, p.boundaries + 1);
  add_nodes(&p);
  p.over = st_milp_column(&p.milp, OVER, 0, INFINITY, false);
  add_edges(&p);
  add_wires(&p);
  add_budgets(&p);
  double *x = start_from(&p, die);
  int *got = ST_NEW_N(scratch, int, g->n + 1);
  if (st_milp_solve(&p.milp, NODES, gap, x)) {
    for (int i = 0; i < g->n; i++)
      for (int b = 0; b < p.boundaries; b++)
        got[i] += x[beyond(&p, i, b)] > 0.5;
    if (st_place_is_better(st_place_score(g, got), st_place_score(g, die)))
      memcpy(die, got, (size_t)g->n * sizeof *die);
  }
  st_arena_free(scratch);
}
