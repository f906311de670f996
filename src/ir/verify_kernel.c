/* Schedules of kernels, and their ports against the types of their streams. */
#include "ir/verify.h"

#include "analysis/port.h"
#include "base/str.h"
#include "ir/itensor.h"

/* ---- the schedule ----------------------------------------------------- */

static bool check_loops(StVerify *v, const StOp *op) {
  const StNest *n = &op->u.nest;
  int64_t lanes = 1, beats = 1;
  for (int i = 0; i < n->nloops; i++) {
    const StLoop *l = &n->loop[i];
    if (l->dim < 0 || l->dim >= n->ndims || !st_verify_sym(v, l->trip) ||
        !st_verify_ge(v, l->trip, (StSym){0}) ||
        st_sym_eq(l->trip, (StSym){0}) || l->step < 1 ||
        l->step > ST_VERIFY_NUMBER)
      return st_verify_fail(v, op,
                            "a loop is over a dim of the op, of at least "
                            "one iteration and step",
                            "loop %d is not well formed", i);
    if (!st_verify_mul(&beats, st_sym_max(l->trip, v->m->ctx, v->m->chunk)))
      return st_verify_fail(v, op, "make the extents smaller",
                            "it has more than 2^60 beats");
  }
  for (int i = 0; i < n->nlanes; i++)
    if (n->lane[i].dim < 0 || n->lane[i].dim >= n->ndims ||
        n->lane[i].size < 1 || !st_verify_mul(&lanes, n->lane[i].size) ||
        lanes > ST_VERIFY_LANES)
      return st_verify_fail(v, op,
                            "lanes are of a dim of the op, at most 65536 "
                            "in all",
                            "lane entry %d is not well formed", i);
  if (n->soft < 0 || n->soft > lanes)
    return st_verify_fail(v, op, "at most one a lane",
                          "%lld products are soft", (long long)n->soft);
  return true;
}

static bool check_ways(StVerify *v, const StOp *op) {
  const StNest *n = &op->u.nest;
  bool loops = false;
  for (int i = 0; i < n->nloops; i++)
    loops |= n->dim[n->loop[i].dim].reduction;
  return (n->ways >= 0 && n->ways <= (loops ? ST_VERIFY_WAYS : 1)) ||
         st_verify_fail(v, op,
                        "a fold has 1 to 16384 accumulators a position, and 1 "
                        "without a loop over a reduction dim",
                        "it has %d ways", n->ways);
}

/* Loops of one dim nest from coarse to fine, each step the size of what is
 * inside; together they have the extent. A trip with P or T is the coarsest. */
static bool check_cover(StVerify *v, const StOp *op, int d) {
  const StNest *n = &op->u.nest;
  const char *fix = "the loops of a dim nest from coarse to fine, each step "
                    "the product of the trips and lanes inside, and the "
                    "product of all is the extent";
  StSym extent = st_sym_const(1);
  int entries = 0;
  for (int i = 0; i < n->nlanes; i++)
    if (n->lane[i].dim == d) {
      extent.c = n->lane[i].size;
      entries++;
    }
  if (entries > 1)
    return st_verify_fail(v, op, "give a dim at most one lane entry",
                          "dim %d has %d lane entries", d, entries);
  for (int i = n->nloops; i-- > 0;) {
    const StLoop *l = &n->loop[i];
    if (l->dim != d)
      continue;
    StSym all = {0};
    if (!st_sym_is_const(extent) || l->step != extent.c ||
        !st_verify_add(&all, l->trip, extent.c))
      return st_verify_fail(v, op, fix, "the loops of dim %d do not nest", d);
    extent = all;
  }
  if (!st_sym_eq(extent, n->dim[d].extent))
    return st_verify_fail(v, op, fix, "loops and lanes do not cover dim %d", d);
  return true;
}

/* The iteration of a repeat is outermost and has no lanes. */
static bool check_iteration(StVerify *v, const StOp *op) {
  const StNest *n = &op->u.nest;
  bool inside = false, ok = true;
  for (int i = 0; i < n->nloops; i++) {
    bool iteration = n->dim[n->loop[i].dim].iteration;
    ok &= !iteration || !inside;
    inside |= !iteration;
  }
  for (int i = 0; i < n->nlanes; i++)
    ok &= !n->dim[n->lane[i].dim].iteration;
  return ok || st_verify_fail(v, op,
                              "put its loop outside of all others, "
                              "without lanes",
                              "the iteration of a repeat is not outermost");
}

/* ---- ports ------------------------------------------------------------ */

/* What a port can stream: dims and constants, no dim twice. */
static bool check_map(StVerify *v, const StOp *op, const char *what, int k,
                      const StAffine *map, int rank) {
  for (int i = 0; i < rank; i++) {
    int d = st_affine_single(&map[i]);
    bool ok = d != -1;
    for (int j = 0; d >= 0 && j < i; j++)
      ok &= st_affine_single(&map[j]) != d;
    if (!ok)
      return st_verify_fail(v, op,
                            "an entry of a kernel's map is a dim that no "
                            "other has, plus an offset, or an offset",
                            "the map of %s %d at data dim %d", what, k, i);
  }
  return true;
}

/* One loop of single steps, no lanes. */
static bool check_guard(StVerify *v, const StOp *op, const char *what, int k,
                        const StGuard *g) {
  const StNest *n = &op->u.nest;
  int loops = 0, single = 0;
  if (g->dim < 0)
    return true;
  for (int i = 0; i < n->nloops; i++)
    if (n->loop[i].dim == g->dim) {
      loops++;
      single += n->loop[i].step == 1;
    }
  for (int i = 0; i < n->nlanes; i++)
    loops += n->lane[i].dim == g->dim && n->lane[i].size > 1;
  if (loops == 1 && single == 1)
    return true;
  return st_verify_fail(v, op, "give the dim one loop of step 1 and no lanes",
                        "the guard of %s %d is on dim %d, which is split", what,
                        k, g->dim);
}

/* The order of a port is that of its stream's type. */
static bool check_stream(StVerify *v, const StOp *op, const char *what, int k,
                         const StType *t, const StItensor *port) {
  if (!st_verify_order(v, op, what, port, t->rank, t->shape))
    return false;
  if (st_itensor_same(v->scratch, port, t->order))
    return true;
  StType wanted = *t;
  StItensor order = st_itensor_canonical(v->scratch, port);
  wanted.order = &order;
  StStr have, want;
  st_str_init(&have);
  st_str_init(&want);
  st_type_print(&have, t);
  st_type_print(&want, &wanted);
  st_verify_fail(v, op,
                 "put a converter between, or give the stream the order "
                 "of the schedule",
                 "%s %d is %.400s where the schedule makes it %.400s", what, k,
                 have.data, want.data);
  st_str_free(&have);
  st_str_free(&want);
  return false;
}

static bool check_input(StVerify *v, const StOp *op, int k) {
  const StNest *n = &op->u.nest;
  const StType *t = &op->operand[k]->type;
  if (!n->in[k].map)
    return st_verify_fail(v, op, "look tables up by a load that gathers",
                          "operand %d is a table", k);
  if (!check_map(v, op, "operand", k, n->in[k].map, t->rank) ||
      !check_guard(v, op, "operand", k, &n->in[k].guard))
    return false;
  StPortInfo p = st_port_input(v->scratch, op, k);
  return check_stream(v, op, "operand", k, t, &p.order);
}

static bool check_output(StVerify *v, const StOp *op, int k) {
  const StNest *n = &op->u.nest;
  const StType *t = &op->result[k]->type;
  if (!check_map(v, op, "result", k, n->out[k].map, t->rank) ||
      !check_guard(v, op, "result", k, &n->out[k].guard))
    return false;
  StPortInfo p = st_port_output(v->scratch, op, k);
  return check_stream(v, op, "result", k, t, &p.order);
}

bool st_verify_kernel(StVerify *v, const StOp *op) {
  bool ok = st_verify_nest(v, op) && check_loops(v, op);
  for (int d = 0; ok && d < op->u.nest.ndims; d++)
    ok = check_cover(v, op, d);
  if (!ok || !check_ways(v, op) || !check_iteration(v, op))
    return false;
  for (int k = 0; k < op->noperands; k++)
    ok = check_input(v, op, k) && ok;
  for (int k = 0; k < op->nresults; k++)
    ok = check_output(v, op, k) && ok;
  return ok;
}
