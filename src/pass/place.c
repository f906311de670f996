/* place: a die for every op and every FIFO, and which products are of LUTs.
 *
 *   %9 = kernel ...  group 1         %9 = kernel ...  group 1 die 2
 *
 * Loads, stores and bundles lie on the memory's die. A FIFO lies where it is
 * read; one that holds much of what comes from memory may lie anywhere. Within
 * the budgets of all dies, wires between dies are few: ops are merged to some
 * tens of groups along the widest streams, which a mixed integer program
 * (place_milp.c) divides, beginning with what annealing found; then ops are
 * moved one by one. Where a die lacks multipliers, products are made of LUTs
 * there. */
#include "pass/place.h"

#include <math.h>
#include <string.h>

#include "ir/itensor.h"
#include "pass/pass.h"

enum { GROUPS = 24 };
/* FIFOs of memory that take more of a die than this are placed on their own. */
static const double large_fifo = 0.005;

typedef struct {
  StModule *module;
  const StTarget *target;
  StPlaceGraph graph;
  int *node_of_op;    /* [op id]; -1: nowhere */
  int *node_of_value; /* [value id] its FIFO's; -1 */
} Placer;

/* ---- the graph ---------------------------------------------------------- */

static bool is_mover(const StOp *op) {
  return op->kind == ST_OP_LOAD || op->kind == ST_OP_BUNDLE ||
         op->kind == ST_OP_STORE;
}

static bool is_placed(const StOp *op) {
  return op->kind == ST_OP_KERNEL || op->kind == ST_OP_CONVERTER ||
         op->kind == ST_OP_FORK || is_mover(op);
}

static StCost fifo_cost(const Placer *p, const StValue *v) {
  return st_target_fifo_cost(p->target, v->memory,
                             st_type_token_bits(&v->type), v->depth);
}

static int add_node(Placer *p, StCost cost, bool fixed, bool alone) {
  StPlaceGraph *g = &p->graph;
  g->cost[g->n] = cost;
  g->fixed[g->n] = fixed ? p->target->memory_die : -1;
  g->alone[g->n] = alone;
  return g->n++;
}

static void add_ops(Placer *p) {
  for (int i = 0; i < p->module->op.n; i++) {
    StOp *op = p->module->op.at[i];
    p->node_of_op[op->id] = -1;
    if (!is_placed(op))
      continue;
    int64_t products = 0;
    if (op->kind == ST_OP_KERNEL) {
      op->u.nest.soft = 0;
      products = st_target_dot_lanes(op);
    }
    StCost cost = st_target_op_cost(p->target, p->module, op);
    int node = add_node(p, cost, is_mover(op), false);
    p->node_of_op[op->id] = node;
    p->graph.products[node] = (double)products;
  }
}

static void add_edge(Placer *p, int from, int to, double wires, int part) {
  StPlaceEdge e = {from, to, wires, part};
  st_vec_push(p->graph.arena, &p->graph.edge, e);
}

/* part: of a bundle, or -1 */
static void add_stream(Placer *p, const StOp *user, const StValue *v,
                       int part) {
  int from = p->node_of_op[v->def->id], to = p->node_of_op[user->id];
  StCost cost = fifo_cost(p, v);
  int node = to;
  if (is_mover(v->def) &&
      st_place_size(p->target, cost) > large_fifo) {
    node = add_node(p, cost, false, true);
    add_edge(p, node, to, st_dies_token_wires(v), -1);
  } else {
    p->graph.cost[to] = st_cost_add(p->graph.cost[to], cost);
  }
  p->node_of_value[v->id] = node;
  add_edge(p, from, node, st_dies_wires(v), part);
}

static void add_parts(Placer *p, const StOp *op, int first, int all) {
  for (int i = 0; i < op->nresults; i++)
    for (int k = 0; k < all; k++)
      p->graph.meet[(first + i) * all + k] =
          k < first || k >= first + op->nresults ||
          st_dies_meet(&op->u.bundle, i, k - first);
}

/* Parts of different bundles may always meet. */
static int *find_parts(Placer *p) {
  const StModule *m = p->module;
  int *first = ST_NEW_N(p->graph.arena, int, m->next_op + 1), n = 0;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    first[op->id] = op->kind == ST_OP_BUNDLE ? n : -1;
    n += op->kind == ST_OP_BUNDLE ? op->nresults : 0;
  }
  p->graph.nparts = n;
  p->graph.meet = ST_NEW_N(p->graph.arena, bool, n * n + 1);
  for (int i = 0; i < m->op.n; i++)
    if (first[m->op.at[i]->id] >= 0)
      add_parts(p, m->op.at[i], first[m->op.at[i]->id], n);
  return first;
}

static void make_graph(Placer *p) {
  const StModule *m = p->module;
  StPlaceGraph *g = &p->graph;
  int most = m->next_op + m->next_value + 1;
  g->cost = ST_NEW_N(g->arena, StCost, most);
  g->products = ST_NEW_N(g->arena, double, most);
  g->fixed = ST_NEW_N(g->arena, int, most);
  g->alone = ST_NEW_N(g->arena, bool, most);
  p->node_of_op = ST_NEW_N(g->arena, int, m->next_op + 1);
  p->node_of_value = ST_NEW_N(g->arena, int, m->next_value + 1);
  add_ops(p);
  const int *first = find_parts(p);
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    for (int k = 0; k < op->noperands; k++) {
      const StValue *v = op->operand[k];
      int part = first[v->def->id];
      if (v->type.order && p->node_of_op[v->def->id] >= 0)
        add_stream(p, op, v, part < 0 ? -1 : part + v->result);
    }
  }
}

/* ---- the result --------------------------------------------------------- */

static void set_dies(const Placer *p, const int *die) {
  for (int i = 0; i < p->module->op.n; i++) {
    StOp *op = p->module->op.at[i];
    if (!is_placed(op))
      continue;
    op->die = die[p->node_of_op[op->id]];
    for (int k = 0; k < op->noperands; k++)
      if (op->operand[k]->type.order)
        op->operand[k]->die = die[p->node_of_value[op->operand[k]->id]];
  }
}

static void make_soft(StModule *m, const StTarget *t) {
  StArena *scratch = st_arena_new();
  StCost *use = ST_NEW_N(scratch, StCost, t->dies);
  double *wires = ST_NEW_N(scratch, double, t->dies);
  st_dies_use(m, t, use, wires);
  for (int d = 0; d < t->dies; d++)
    st_target_soften(t, m, ST_OP_KERNEL, d,
                     use[d].dsp - t->budget * t->die[d].dsp);
  st_arena_free(scratch);
}

/* Better of a greedy placement and the program's, group by group, then op by
 * op. */
static int *choose(const StPlaceGraph *g) {
  int *group = ST_NEW_N(g->arena, int, g->n + 1);
  int *die = ST_NEW_N(g->arena, int, g->n + 1);
  const StPlaceGraph *c = st_place_coarsen(g, GROUPS, group);
  int *rough = ST_NEW_N(g->arena, int, c->n + 1);
  st_place_greedy(c, rough);
  st_place_anneal(c, rough);
  st_place_refine(c, rough);
  st_place_solve(c, rough);
  for (int i = 0; i < g->n; i++)
    die[i] = rough[group[i]];
  st_place_refine(g, die);
  return die;
}

bool st_pass_place(StModule *m, const StPassContext *ctx) {
  if (ctx->target->dies == 1)
    return true;
  Placer p = {.module = m, .target = ctx->target};
  p.graph.arena = st_arena_new();
  p.graph.target = ctx->target;
  make_graph(&p);
  set_dies(&p, choose(&p.graph));
  make_soft(m, ctx->target);
  st_arena_free(p.graph.arena);
  return true;
}
