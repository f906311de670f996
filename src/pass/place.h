/* What the files of `place` share: a design as a graph of what lies on one die
 * and of the wires between. */
#ifndef ST_PASS_PLACE_H
#define ST_PASS_PLACE_H

#include "target/dies.h"

typedef struct {
  int from, to; /* nodes */
  double wires;
  int part; /* of a bundle; -1: none */
} StPlaceEdge;

typedef struct {
  StArena *arena;
  const StTarget *target;
  int n;            /* nodes, in the order of the ops */
  StCost *cost;     /* [n] all products in multipliers */
  double *products; /* [n] integer products, which LUTs can make as well */
  int *fixed;       /* [n] its die; -1: any */
  bool *alone;      /* [n] not to be merged with others */
  ST_VEC(StPlaceEdge) edge;
  int nparts;
  bool *meet; /* [nparts * nparts] they use wires at the same time */
} StPlaceGraph;

/* How bad a placement is: first what it takes beyond the budgets, as the sum of
 * shares of them, then the wires of all boundaries. */
typedef struct {
  double over, wires;
} StPlaceScore;

/* die: [n] */
StPlaceScore st_place_score(const StPlaceGraph *g, const int *die);
bool st_place_is_better(StPlaceScore a, StPlaceScore b);

/* What a node takes at most of a resource of the smallest die. */
double st_place_size(const StTarget *t, StCost c);

/* The graph with small nodes merged with those to which most wires lead, down
 * to `most` nodes; group[node] becomes its node there. */
StPlaceGraph *st_place_coarsen(const StPlaceGraph *g, int most, int *group);

/* Dies filled one after another in the order of the nodes, as full as is best
 * by the score. */
void st_place_greedy(const StPlaceGraph *g, int *die);
/* Nodes moved and swapped at random, with a fixed seed, by simulated annealing
 * (Kirkpatrick et al., 1983); never worse. */
void st_place_anneal(const StPlaceGraph *g, int *die);
/* Single nodes moved as long as the score gets better. */
void st_place_refine(const StPlaceGraph *g, int *die);
/* From the placement `die` on, by mixed integer programming; kept if that is no
 * better. */
void st_place_solve(const StPlaceGraph *g, int *die);

#endif
