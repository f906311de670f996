/* Ports of kernels against doc/machine.md: random kernels are run beat by beat,
 * every lane's element found from the maps, and compared with the tokens of the
 * port's order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/port.h"
#include "sim_graph.h"
#include "sim_module.h"

enum { DATA_DIMS = 6, MOST_LOOPS = 8, MOST_LANES = 256, KERNELS = 1500 };

typedef struct {
  int64_t at[DATA_DIMS];
} Element;

typedef struct { /* a step of a kernel */
  const StOp *op;
  int64_t P, T;
  int64_t index[MOST_LOOPS], trip[MOST_LOOPS];
} Step;

/* ---- the definition --------------------------------------------------- */

static Step step_new(const StOp *op, int64_t P, int64_t T) {
  Step s = {.op = op, .P = P, .T = T};
  for (int i = 0; i < op->u.nest.nloops; i++)
    s.trip[i] = st_sym_eval(op->u.nest.loop[i].trip, P, T);
  return s;
}

/* The next beat; false after the last. */
static bool advance(int64_t *index, const int64_t *trip, int n) {
  for (int i = n - 1; i >= 0; i--) {
    if (++index[i] < trip[i])
      return true;
    index[i] = 0;
  }
  return false;
}

static bool has_beats(const Step *s) {
  for (int i = 0; i < s->op->u.nest.nloops; i++)
    if (s->trip[i] < 1)
      return false;
  return true;
}

/* Index of each lane entry for lane number `lane`, the last one fastest. */
static void split_lane(const StNest *n, int lane, int *at) {
  for (int l = n->nlanes - 1; l >= 0; l--) {
    at[l] = lane % n->lane[l].size;
    lane /= n->lane[l].size;
  }
}

static int64_t dim_value(const Step *s, int dim, int lane) {
  const StNest *n = &s->op->u.nest;
  int at[MOST_LOOPS];
  int64_t v = 0;
  split_lane(n, lane, at);
  for (int i = 0; i < n->nloops; i++)
    if (n->loop[i].dim == dim)
      v += s->index[i] * n->loop[i].step;
  for (int l = 0; l < n->nlanes; l++)
    if (n->lane[l].dim == dim)
      v += at[l];
  return v;
}

static Element element_of(const Step *s, const StAffine *map, int rank,
                          int lane) {
  Element e = {{0}};
  for (int d = 0; d < rank; d++) {
    e.at[d] = st_sym_eval(map[d].off, s->P, s->T);
    for (int t = 0; t < map[d].n; t++)
      e.at[d] += map[d].term[t].coef * dim_value(s, map[d].term[t].dim, lane);
  }
  return e;
}

static bool in_guard(const Step *s, const StGuard *g) {
  if (g->dim < 0)
    return true;
  int64_t v = dim_value(s, g->dim, 0);
  return v >= st_sym_eval(g->lo, s->P, s->T) &&
         v < st_sym_eval(g->hi, s->P, s->T);
}

/* Innermost loop over a dim of the map or of the guard, plus 1. */
static int level_of(const StNest *n, const StAffine *map, int rank,
                    const StGuard *g) {
  int level = 0;
  for (int i = 0; i < n->nloops; i++) {
    bool over = n->loop[i].dim == g->dim;
    for (int d = 0; d < rank; d++)
      for (int t = 0; t < map[d].n; t++)
        over |= map[d].term[t].dim == n->loop[i].dim;
    if (over)
      level = i + 1;
  }
  return level;
}

/* ---- tokens of an order ----------------------------------------------- */

typedef struct {
  const StItensor *o;
  int64_t P, T;
  int64_t index[MOST_LOOPS], trip[MOST_LOOPS];
  bool left;
} Tokens;

static Tokens tokens_new(const StItensor *o, int64_t P, int64_t T) {
  Tokens k = {.o = o, .P = P, .T = T, .left = true};
  for (int i = 0; i < o->nloops; i++) {
    k.trip[i] = st_sym_eval(o->loop[i].trip, P, T);
    k.left &= k.trip[i] > 0;
  }
  return k;
}

/* The next token's elements in row-major order; how many. */
static int pop(Tokens *k, Element *token) {
  const StItensor *o = k->o;
  assert_true(k->left);
  Element first = {{0}};
  for (int d = 0; d < o->rank; d++)
    first.at[d] = st_sym_eval(o->origin[d], k->P, k->T);
  for (int i = 0; i < o->nloops; i++)
    if (o->loop[i].dim >= 0)
      first.at[o->loop[i].dim] += k->index[i] * o->loop[i].step;
  int64_t in[DATA_DIMS] = {0}, extent[DATA_DIMS];
  for (int d = 0; d < o->rank; d++)
    extent[d] = o->elem[d];
  int n = 0;
  do {
    assert_true(n < MOST_LANES);
    token[n] = first;
    for (int d = 0; d < o->rank; d++)
      token[n].at[d] += in[d];
    n++;
  } while (advance(in, extent, o->rank));
  k->left = advance(k->index, k->trip, o->nloops);
  return n;
}

/* ---- ports ------------------------------------------------------------ */

static void same_element(const Element *x, const Element *y) {
  for (int d = 0; d < DATA_DIMS; d++)
    assert_int_equal(x->at[d], y->at[d]);
}

static void check_input(StArena *a, const StOp *op, int k, int64_t P,
                        int64_t T) {
  const StNest *n = &op->u.nest;
  StPortInfo p = st_port_input(a, op, k);
  int rank = op->operand[k]->type.rank;
  assert_int_equal(p.level, level_of(n, n->in[k].map, rank, &n->in[k].guard));
  Step s = step_new(op, P, T);
  Tokens tokens = tokens_new(&p.order, P, T);
  static Element token[MOST_LANES];
  int held = 0;
  if (!has_beats(&s))
    return;
  do {
    if (!in_guard(&s, &n->in[k].guard))
      continue;
    bool fetch = true;
    for (int i = p.level; i < n->nloops; i++)
      fetch &= s.index[i] == 0;
    if (fetch)
      held = pop(&tokens, token);
    assert_int_equal(held, p.token);
    for (int lane = 0; lane < p.nlanes; lane++) {
      Element e = element_of(&s, n->in[k].map, rank, lane);
      assert_in_range(p.lane_elem[lane], 0, held - 1);
      same_element(&e, &token[p.lane_elem[lane]]);
    }
  } while (advance(s.index, s.trip, n->nloops));
  assert_false(tokens.left);
}

static bool is_last_of_fold(const Step *s) {
  const StNest *n = &s->op->u.nest;
  for (int i = 0; i < n->nloops; i++)
    if (n->dim[n->loop[i].dim].reduction && s->index[i] != s->trip[i] - 1)
      return false;
  return true;
}

static bool is_first_reduction_lane(const StNest *n, int lane) {
  int at[MOST_LOOPS];
  split_lane(n, lane, at);
  for (int l = 0; l < n->nlanes; l++)
    if (n->dim[n->lane[l].dim].reduction && at[l])
      return false;
  return true;
}

static void check_output(StArena *a, const StOp *op, int k, int64_t P,
                         int64_t T) {
  const StNest *n = &op->u.nest;
  StPortInfo p = st_port_output(a, op, k);
  int rank = op->result[k]->type.rank;
  Step s = step_new(op, P, T);
  Tokens tokens = tokens_new(&p.order, P, T);
  static Element token[MOST_LANES];
  if (!has_beats(&s))
    return;
  do {
    if (!is_last_of_fold(&s) || !in_guard(&s, &n->out[k].guard))
      continue;
    int size = pop(&tokens, token), written = 0;
    assert_int_equal(size, p.token);
    for (int lane = 0; lane < p.nlanes; lane++) {
      if (!is_first_reduction_lane(n, lane)) {
        assert_int_equal(p.lane_elem[lane], -1);
        continue;
      }
      Element e = element_of(&s, n->out[k].map, rank, lane);
      assert_in_range(p.lane_elem[lane], 0, size - 1);
      same_element(&e, &token[p.lane_elem[lane]]);
      written++;
    }
    assert_int_equal(written, size);
  } while (advance(s.index, s.trip, n->nloops));
  assert_false(tokens.left);
}

/* ---- accumulators ----------------------------------------------------- */

static void check_lanes(const StNest *n, const StKernelInfo *k, int nlanes) {
  bool seen[MOST_LANES] = {false};
  for (int lane = 0; lane < nlanes; lane++) {
    int at[MOST_LOOPS], par = 0, red = 0;
    split_lane(n, lane, at);
    for (int l = 0; l < n->nlanes; l++) {
      int *to = n->dim[n->lane[l].dim].reduction ? &red : &par;
      *to = *to * n->lane[l].size + at[l];
    }
    assert_int_equal(k->par_of_lane[lane], par);
    assert_int_equal(k->red_of_lane[lane], red);
    assert_false(seen[par * k->red_lanes + red]);
    seen[par * k->red_lanes + red] = true;
  }
  assert_int_equal(k->par_lanes * k->red_lanes, nlanes);
}

/* Number of an accumulator: the parallel loops inside the outermost reduction
 * loop. */
static int64_t accumulator(const Step *s, const StKernelInfo *k) {
  int64_t at = 0;
  for (int i = k->outermost_red; i < s->op->u.nest.nloops; i++)
    if (!k->is_red_loop[i])
      at = at * s->trip[i] + s->index[i];
  return at;
}

static void check_info(StArena *a, const StModule *m, const StOp *op) {
  const StNest *n = &op->u.nest;
  StKernelInfo k = st_kernel_info(a, op);
  Step s = step_new(op, 0, 0);
  int64_t beats = 0, most = 0, least = INT64_MAX;
  int64_t *last = ST_NEW_N(a, int64_t, 1 << 16);
  int lanes = 1, inner = -1;
  for (int l = 0; l < n->nlanes; l++)
    lanes *= n->lane[l].size;
  check_lanes(n, &k, lanes);
  for (int i = 0; i < n->nloops; i++) {
    assert_int_equal(k.is_red_loop[i], n->dim[n->loop[i].dim].reduction);
    if (k.is_red_loop[i])
      inner = i;
  }
  do {
    beats++;
    int64_t at = accumulator(&s, &k);
    assert_in_range(at, 0, (1 << 16) - 1);
    most = at + 1 > most ? at + 1 : most;
    bool first = true;
    for (int i = 0; i < n->nloops; i++)
      first &= !k.is_red_loop[i] || s.index[i] == 0;
    if (!first && beats - last[at] < least)
      least = beats - last[at];
    last[at] = beats;
  } while (advance(s.index, s.trip, n->nloops));
  assert_int_equal(st_kernel_beats(op, 0, 0), beats);
  assert_int_equal(k.ways, n->ways > 1 ? n->ways : 1);
  assert_int_equal(st_kernel_accumulators(m, op), most * k.ways * k.par_lanes);
  if (inner >= 0 && s.trip[inner] > 1)
    assert_int_equal(st_kernel_distance(m, op), least);
  else if (least < INT64_MAX)
    assert_true(st_kernel_distance(m, op) <= least);
}

static int rnd(uint64_t *seed, int n) {
  return (int)graph_random(seed, (uint32_t)n);
}

/* Offsets, dims at a constant place, and guards on dims that the operand does
 * not have. */
static void disturb(StModule *m, StOp *op, uint64_t *seed) {
  StNest *n = &op->u.nest;
  for (int k = 0; k < op->noperands + op->nresults; k++) {
    bool in = k < op->noperands;
    StValue *v = in ? op->operand[k] : op->result[k - op->noperands];
    StAffine **map = in ? &n->in[k].map : &n->out[k - op->noperands].map;
    for (int d = 0; d < v->type.rank; d++)
      (*map)[d].off = st_sym_const(rnd(seed, 3));
    if (rnd(seed, 2) == 0) {
      int at = rnd(seed, v->type.rank + 1);
      StAffine *wide = ST_NEW_N(m->arena, StAffine, v->type.rank + 1);
      memcpy(wide, *map, (size_t)at * sizeof *wide);
      memcpy(wide + at + 1, *map + at,
             (size_t)(v->type.rank - at) * sizeof *wide);
      wide[at] = st_affine_const(st_sym_const(rnd(seed, 4)));
      *map = wide;
      v->type.rank++;
    }
    int loop = n->nloops ? rnd(seed, n->nloops) : -1;
    if (in && loop >= 0 && n->in[k].guard.dim < 0 && rnd(seed, 3) == 0 &&
        n->loop[loop].step == 1 &&
        st_sym_eq(n->loop[loop].trip, n->dim[n->loop[loop].dim].extent)) {
      int64_t extent = n->loop[loop].trip.c, lo = rnd(seed, (int)extent);
      int64_t hi = lo + 1 + rnd(seed, (int)(extent - lo));
      n->in[k].guard =
          (StGuard){n->loop[loop].dim, st_sym_const(lo), st_sym_const(hi)};
    }
  }
}

static void test_random(void **state) {
  (void)state;
  uint64_t seed = 11;
  for (int i = 0; i < KERNELS; i++) {
    StModule *m = st_module_new("m");
    StOp *op = module_random_kernel(m, &seed, 1 + i % 3, true);
    if (i % 2)
      disturb(m, op, &seed);
    for (int k = 0; k < op->noperands; k++)
      check_input(m->arena, op, k, 0, 0);
    for (int k = 0; k < op->nresults; k++)
      check_output(m->arena, op, k, 0, 0);
    check_info(m->arena, m, op);
    st_module_free(m);
  }
}

/* ---- a kernel with a context ------------------------------------------ */

/* rows d0 < P + T: cached for d0 < P, new after; d1 < 4 in lanes of 2. */
static StOp *append_rows(StModule *m) {
  StArena *a = m->arena;
  StSym P = {0, 1, 0}, T = {0, 0, 1}, rows = st_sym_add(P, T);
  StSym shape[2] = {rows, st_sym_const(4)};
  StOp *arg = st_op_new(m, ST_OP_ARG, (StLoc){0}, 0, NULL, 1);
  arg->result[0]->type = st_type_tensor(a, ST_F32, 2, shape);
  StValue *operand[2] = {arg->result[0], arg->result[0]};
  StOp *op = st_op_new(m, ST_OP_KERNEL, (StLoc){0}, 2, operand, 1);
  StNest *n = &op->u.nest;
  op->result[0]->type = arg->result[0]->type;
  n->ndims = n->nloops = 2;
  n->nlanes = 1;
  n->dim = ST_NEW_N(a, StDim, 2);
  n->dim[0].extent = rows;
  n->dim[1].extent = st_sym_const(4);
  n->loop = ST_NEW_N(a, StLoop, 2);
  n->loop[0] = (StLoop){0, rows, 1};
  n->loop[1] = (StLoop){1, st_sym_const(2), 2};
  n->lane = ST_NEW(a, StLane);
  n->lane[0] = (StLane){1, 2};
  n->in = ST_NEW_N(a, StInput, 2);
  n->out = ST_NEW(a, StOutput);
  for (int k = 0; k < 3; k++) {
    StAffine *map = ST_NEW_N(a, StAffine, 2);
    map[0] = st_affine_dim(a, 0);
    map[1] = st_affine_dim(a, 1);
    if (k < 2)
      n->in[k].map = map;
    else
      n->out[0].map = map;
  }
  n->in[0].guard = (StGuard){0, {0}, P};
  n->in[1].guard = (StGuard){0, P, rows};
  n->in[1].map[0].off = st_sym_scale(P, -1);
  n->out[0].guard.dim = -1;
  return op;
}

static void test_context(void **state) {
  (void)state;
  StModule *m = st_module_new("m");
  m->ctx = 16;
  m->chunk = 4;
  StOp *op = append_rows(m);
  for (int64_t P = 0; P < 5; P++)
    for (int64_t T = 1; T < 4; T++) {
      check_input(m->arena, op, 0, P, T);
      check_input(m->arena, op, 1, P, T);
      check_output(m->arena, op, 0, P, T);
    }
  StPortInfo rows = st_port_input(m->arena, op, 1);
  assert_true(st_sym_eq(rows.order.origin[0], st_sym_const(0)));
  assert_true(st_sym_eq(rows.order.loop[0].trip, (StSym){0, 0, 1}));
  assert_int_equal(rows.guard_loop, 0);
  assert_true(st_sym_eq(rows.lo, (StSym){0, 1, 0}));
  assert_true(st_sym_eq(rows.hi, (StSym){0, 1, 1}));
  assert_int_equal(st_kernel_beats(op, 3, 2), 10);
  assert_int_equal(st_kernel_accumulators(m, op), 2);
  st_module_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random),
      cmocka_unit_test(test_context),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
