/* See bundle_module.h. */
#include "bundle_module.h"

#include <string.h>

#include "ir/itensor.h"
#include "sim_graph.h"

static bool is_simple(const StOp *op) {
  if (op->kind != ST_OP_LOAD || op->noperands > 1 ||
      op->operand[0]->def->kind != ST_OP_ARG)
    return false;
  const StItensor *o = op->result[0]->type.order;
  for (int i = 0; i < o->nloops; i++)
    if (!st_sym_is_const(o->loop[i].trip) || o->loop[i].trip.c < 1)
      return false;
  return true;
}

/* One of the divisors of x up to `most`. */
static int64_t divisor(uint64_t *seed, int64_t x, int64_t most) {
  int64_t found = 1;
  for (int64_t d = 2; d <= x && d <= most; d++)
    if (x % d == 0 && graph_random(seed, 2))
      found = d;
  return found;
}

static int64_t common(int64_t x, int64_t y) {
  return y ? common(y, x % y) : x;
}

/* The parts first .. end - 1 as a section that begins at `at` or later; where
 * it ends. All have frames of the same slots, or follow each other. */
static int64_t draw_section(StOp *op, int first, int end, int64_t at,
                            uint64_t *seed) {
  enum { ALL = 12 }; /* all slots that are drawn divide it */
  int64_t slots = 1 + graph_random(seed, 4), tokens = 0, beats = 0;
  bool mixed = graph_random(seed, 2);
  for (int i = first; i < end; i++)
    tokens = common(st_itensor_tokens(op->result[i]->type.order, 0, 0), tokens);
  int64_t times = divisor(seed, tokens, tokens);
  for (int i = first; i < end; i++) {
    StBundlePart *p = &op->u.bundle.part[i];
    int64_t n = st_itensor_tokens(op->result[i]->type.order, 0, 0) / times;
    p->times = times;
    p->slots = mixed ? 1 + graph_random(seed, 4) : slots;
    p->per_frame = divisor(seed, n, p->slots);
    p->first = (beats + p->slots - 1) / p->slots;
    if (!mixed && graph_random(seed, 2))
      p->first = graph_random(seed, (uint32_t)p->first + 1);
    p->last = p->first + n / p->per_frame;
    beats = p->last * p->slots > beats ? p->last * p->slots : beats;
  }
  int64_t by = mixed ? ALL : slots;
  int64_t period = ((beats + by - 1) / by + graph_random(seed, 2)) * by;
  int64_t grid = times > 1 ? period : by;
  at = (at + grid - 1) / grid * grid;
  for (int i = first; i < end; i++) {
    op->u.bundle.part[i].base = at;
    op->u.bundle.part[i].period = period;
  }
  return at + times * period;
}

static void draw_program(StOp *op, uint64_t *seed) {
  int64_t at = graph_random(seed, 9);
  for (int i = 0; i < op->nresults;) {
    int end = i + 1 + (int)graph_random(seed, 3);
    end = end < op->nresults ? end : op->nresults;
    at = draw_section(op, i, end, at, seed) + graph_random(seed, 5);
    i = end;
  }
}

static StOp *make_bundle(StModule *m, StOp **load, int n) {
  StArena *a = m->arena;
  StValue **operand = ST_NEW_N(a, StValue *, n + 1);
  for (int i = 0; i < n; i++)
    operand[i] = load[i]->operand[0];
  StOp *op = st_op_new(m, ST_OP_BUNDLE, (StLoc){0}, n, operand, n);
  op->ii = 1;
  op->latency = 3;
  op->u.bundle = (StBundle){.channel = 2, .channels = 24};
  op->u.bundle.part = ST_NEW_N(a, StBundlePart, n + 1);
  for (int i = 0; i < n; i++) {
    op->u.bundle.part[i].layer_dim = load[i]->u.load.layer_dim;
    op->u.bundle.part[i].stride = load[i]->u.load.stride;
    op->result[i]->type = load[i]->result[0]->type;
    st_value_replace(m, load[i]->result[0], op->result[i]);
  }
  return op;
}

StOp *bundle_random(StModule *m, uint64_t *seed) {
  StOp **old = ST_NEW_N(m->arena, StOp *, m->op.n + 1);
  StOp **load = ST_NEW_N(m->arena, StOp *, m->op.n + 1);
  int n = m->op.n, loads = 0;
  memcpy(old, m->op.at, (size_t)n * sizeof *old);
  for (int i = 0; i < n; i++)
    if (is_simple(old[i]))
      load[loads++] = old[i];
  if (!loads)
    return NULL;
  StOp *op = make_bundle(m, load, loads);
  draw_program(op, seed);
  m->op.n = 0;
  for (int i = 0; i < n; i++)
    if (old[i]->kind == ST_OP_ARG || old[i]->kind == ST_OP_CONST)
      st_op_append(m, old[i]);
  st_op_append(m, op);
  for (int i = 0; i < n; i++)
    if (old[i]->kind != ST_OP_ARG && old[i]->kind != ST_OP_CONST &&
        !is_simple(old[i]))
      st_op_append(m, old[i]);
  st_module_renumber(m);
  return op;
}
