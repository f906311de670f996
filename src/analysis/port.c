/* Ports of a kernel, from its schedule and its maps. */
#include "analysis/port.h"

#include <string.h>

/* Data dim of the port that iteration dim `dim` walks, or -1. */
static int data_dim(const StAffine *map, int rank, int dim) {
  for (int d = 0; d < rank; d++)
    if (st_affine_single(&map[d]) == dim)
      return d;
  return -1;
}

static bool is_reduction(const StNest *n, int loop) {
  return n->dim[n->loop[loop].dim].reduction;
}

/* The loops that advance the port; of an output not those of a reduction. */
static void fill_order(StArena *a, StPortInfo *p, const StNest *n,
                       const StAffine *map, int rank, bool output) {
  StItensor *o = &p->order;
  o->loop = ST_NEW_N(a, StLoop, p->level + 1);
  for (int i = 0; i < p->level; i++) {
    StLoop l = n->loop[i];
    if (output && is_reduction(n, i))
      continue;
    if (i == p->guard_loop)
      l.trip = st_sym_add(p->hi, st_sym_scale(p->lo, -1));
    l.dim = data_dim(map, rank, l.dim);
    if (output && l.dim < 0)
      continue; /* a guard leaves one iteration of it */
    if (l.dim < 0)
      l.step = 0;
    o->loop[o->nloops++] = l;
  }
}

static int lanes_total(const StNest *n) {
  int total = 1;
  for (int i = 0; i < n->nlanes; i++)
    total *= n->lane[i].size;
  return total;
}

/* Element of the token for every lane. */
static void fill_lanes(StArena *a, StPortInfo *p, const StNest *n,
                       const StAffine *map, int rank, bool output) {
  p->nlanes = lanes_total(n);
  p->lane_elem = ST_NEW_N(a, int, p->nlanes);
  p->token = 1;
  int64_t *stride = ST_NEW_N(a, int64_t, rank + 1);
  int *walks = ST_NEW_N(a, int, n->nlanes + 1);
  for (int l = 0; l < n->nlanes; l++)
    walks[l] = data_dim(map, rank, n->lane[l].dim);
  for (int d = rank; d-- > 0;) {
    stride[d] = p->token;
    p->token *= (int)p->order.elem[d];
  }
  for (int i = 0; i < p->nlanes; i++) {
    int rest = i;
    int64_t elem = 0;
    bool skip = false;
    for (int l = n->nlanes; l-- > 0;) {
      int at = rest % n->lane[l].size;
      rest /= n->lane[l].size;
      if (walks[l] >= 0)
        elem += at * stride[walks[l]];
      else if (output && n->dim[n->lane[l].dim].reduction && at)
        skip = true;
    }
    p->lane_elem[i] = skip ? -1 : (int)elem;
  }
}

/* All but the lanes. */
static StPortInfo outline(StArena *a, const StNest *n, const StAffine *map,
                          int rank, const StGuard *g, bool output) {
  StPortInfo p = {.guard_loop = -1};
  for (int i = 0; i < n->nloops; i++) {
    if (data_dim(map, rank, n->loop[i].dim) >= 0 ||
        (output && !is_reduction(n, i)))
      p.level = i + 1;
    if (g->dim >= 0 && n->loop[i].dim == g->dim) {
      p.guard_loop = i;
      p.level = i + 1 > p.level ? i + 1 : p.level;
    }
  }
  if (g->dim >= 0) {
    p.lo = g->lo;
    p.hi = g->hi;
  }
  StItensor *o = &p.order;
  o->rank = rank;
  o->elem = ST_NEW_N(a, int64_t, rank + 1);
  o->origin = ST_NEW_N(a, StSym, rank + 1);
  for (int d = 0; d < rank; d++) {
    int dim = st_affine_single(&map[d]);
    o->elem[d] = 1;
    o->origin[d] = map[d].off;
    if (g->dim >= 0 && dim == g->dim)
      o->origin[d] = st_sym_add(o->origin[d], g->lo);
    for (int l = 0; l < n->nlanes; l++)
      if (n->lane[l].dim == dim)
        o->elem[d] = n->lane[l].size;
  }
  fill_order(a, &p, n, map, rank, output);
  return p;
}

static StPortInfo input(StArena *a, const StOp *op, int k) {
  const StNest *n = &op->u.nest;
  return outline(a, n, n->in[k].map, op->operand[k]->type.rank, &n->in[k].guard,
                 false);
}

static StPortInfo output(StArena *a, const StOp *op, int k) {
  const StNest *n = &op->u.nest;
  return outline(a, n, n->out[k].map, op->result[k]->type.rank,
                 &n->out[k].guard, true);
}

StPortInfo st_port_input(StArena *a, const StOp *op, int k) {
  StPortInfo p = input(a, op, k);
  fill_lanes(a, &p, &op->u.nest, op->u.nest.in[k].map,
             op->operand[k]->type.rank, false);
  return p;
}

StPortInfo st_port_output(StArena *a, const StOp *op, int k) {
  StPortInfo p = output(a, op, k);
  fill_lanes(a, &p, &op->u.nest, op->u.nest.out[k].map,
             op->result[k]->type.rank, true);
  return p;
}

StItensor st_port_input_order(StArena *a, const StOp *op, int k) {
  return input(a, op, k).order;
}

StItensor st_port_output_order(StArena *a, const StOp *op, int k) {
  return output(a, op, k).order;
}

StKernelInfo st_kernel_info(StArena *a, const StOp *op) {
  const StNest *n = &op->u.nest;
  int total = lanes_total(n);
  StKernelInfo k = {.outermost_red = n->nloops,
                    .ways = st_kernel_ways(op),
                    .red_lanes = 1,
                    .par_lanes = 1,
                    .par_of_lane = ST_NEW_N(a, int, total),
                    .red_of_lane = ST_NEW_N(a, int, total),
                    .is_red_loop = ST_NEW_N(a, bool, n->nloops + 1)};
  for (int d = 0; d < n->ndims; d++)
    k.reduces |= n->dim[d].reduction;
  for (int i = n->nloops; i-- > 0;) {
    k.is_red_loop[i] = is_reduction(n, i);
    if (k.is_red_loop[i])
      k.outermost_red = i;
  }
  for (int l = 0; l < n->nlanes; l++)
    if (n->dim[n->lane[l].dim].reduction)
      k.red_lanes *= n->lane[l].size;
    else
      k.par_lanes *= n->lane[l].size;
  for (int i = 0; i < total; i++) {
    int rest = i, par = 1, red = 1;
    for (int l = n->nlanes; l-- > 0;) {
      int at = rest % n->lane[l].size;
      rest /= n->lane[l].size;
      bool r = n->dim[n->lane[l].dim].reduction;
      int *index = r ? k.red_of_lane : k.par_of_lane;
      int *weight = r ? &red : &par;
      index[i] += at * *weight;
      *weight *= n->lane[l].size;
    }
  }
  return k;
}

int64_t st_kernel_beats(const StOp *op, int64_t P, int64_t T) {
  int64_t n = 1;
  for (int i = 0; i < op->u.nest.nloops; i++)
    n *= st_sym_eval(op->u.nest.loop[i].trip, P, T);
  return n;
}

int st_kernel_ways(const StOp *op) {
  return op->u.nest.ways > 1 ? op->u.nest.ways : 1;
}

int64_t st_kernel_accumulators(const StModule *m, const StOp *op) {
  const StNest *n = &op->u.nest;
  int64_t count = st_kernel_ways(op);
  bool inside = false;
  for (int i = 0; i < n->nloops; i++) {
    inside |= is_reduction(n, i);
    if (inside && !is_reduction(n, i))
      count *= st_sym_max(n->loop[i].trip, m->ctx, m->chunk);
  }
  for (int l = 0; l < n->nlanes; l++)
    if (!n->dim[n->lane[l].dim].reduction)
      count *= n->lane[l].size;
  return count;
}

int64_t st_kernel_distance(const StModule *m, const StOp *op) {
  const StNest *n = &op->u.nest;
  int64_t distance = 1;
  for (int i = n->nloops; i-- > 0 && !is_reduction(n, i);)
    distance *= st_sym_min(n->loop[i].trip, m->ctx, m->chunk);
  return distance;
}
