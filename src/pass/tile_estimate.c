/* tile: how long a step of one token takes with the schedules at hand.
 *
 * Every value gets the cycles, from the beginning of an iteration, at which it
 * begins to leave its producer and at which all of it has. An op begins when
 * its operands do, or, if it needs whole operands (a contraction that streams
 * one of them again), when they are there; it is done after its beats, and no
 * sooner than a last stretch of beats after the last operand. What it reduces
 * in one go leaves at the end, what comes along a slow dim after the first of
 * its iterations. Parameters are always there; the memory's own time is
 * compared in the end. */
#include <math.h>

#include "pass/tile.h"

enum {
  LAYERS = 16, /* iterations of a block that are taken as usual: hardware does
                  not depend on how many there are */
  HOP = 4,     /* cycles from one op to the next, but for its own latency */
  PREFILL = 16 /* a schedule that memory limits gains this part of a cycle by
                  being a cycle faster: many tokens at once are not limited */
};

typedef struct {
  double first, last;
} Span;

/* In how many parts a reduction takes its operands, if the outermost loop is one
 * of it, or gives its result, which are those of the loops outside of it. */
static double parts_of(const StTile *t, const StOp *op) {
  const StNest *n = &op->u.nest;
  double parts = 1;
  bool first = true;
  for (int i = 0; i < n->nloops; i++) {
    const StDim *dim = &n->dim[n->loop[i].dim];
    if (dim->iteration)
      continue;
    if (dim->reduction && !first)
      break;
    parts *= fmax(1, (double)st_tile_extent(t, n->loop[i].trip));
    if (dim->reduction)
      break;
    first = false;
  }
  return parts;
}

static Span inputs_of(const Span *span, const StOp *op) {
  Span in = {0, 0};
  for (int k = 0; k < op->noperands; k++) {
    const StOp *def = op->operand[k]->def;
    if (def->kind == ST_OP_GENERIC &&
        st_tile_iterates(def) != st_tile_iterates(op))
      continue; /* of the stretch before */
    const Span *x = &span[op->operand[k]->id];
    in.first = fmax(in.first, x->first);
    in.last = fmax(in.last, x->last);
  }
  return in;
}

static Span span_of(const StTile *t, const Span *span, const StOp *op) {
  StContraction c;
  Span in = inputs_of(span, op), out;
  double beats = st_tile_beats(t, op), part = beats / parts_of(t, op);
  double latency = HOP + st_target_body_latency(t->ctx->target, op);
  bool slow = st_tile_slow_dim(t, op) >= 0;
  bool whole = !slow && st_tile_find_contraction(t, op, &c);
  double start = whole ? in.last : in.first;
  bool leaves_in_parts = t->flow[op->result[0]->id].slow >= 0;
  bool at_once = !st_nest_reduces(&op->u.nest);
  double tail = slow && !at_once ? part : 0;
  out.last = fmax(start + beats, in.last + tail) + latency;
  out.first = at_once           ? start + latency
              : leaves_in_parts ? start + part + latency
                                : out.last;
  return out;
}

/* When the value that the next iteration begins with is there. */
static double end_of_block(const StTile *t, const Span *span) {
  double carried = 0, any = 0;
  for (int i = 0; i < t->m->op.n; i++) {
    const StOp *op = t->m->op.at[i];
    for (int k = 0; k < op->noperands; k++) {
      const StOp *def = op->operand[k]->def;
      bool inside = def->kind == ST_OP_GENERIC && st_tile_iterates(def);
      double last = inside ? span[op->operand[k]->id].last : 0;
      any = fmax(any, last);
      if (st_tile_iterates(op) && op->id <= def->id)
        carried = fmax(carried, last);
    }
  }
  return carried > 0 ? carried : any;
}

double st_tile_estimate(const StTile *t) {
  Span *span = ST_NEW_N(t->scratch, Span, t->m->next_value + 1);
  double rest = 0;
  for (int i = 0; i < t->m->op.n; i++) {
    const StOp *op = t->m->op.at[i];
    if (op->kind == ST_OP_VIEW)
      span[op->result[0]->id] = span[op->operand[0]->id];
    if (op->kind != ST_OP_GENERIC || op->nresults == 0)
      continue;
    Span s = span_of(t, span, op);
    for (int r = 0; r < op->nresults; r++)
      span[op->result[r]->id] = s;
    if (!st_tile_iterates(op))
      rest = fmax(rest, s.last);
  }
  double block = end_of_block(t, span);
  double limited = LAYERS * fmax(block, t->memory_block) +
                   fmax(rest, t->memory_rest);
  return limited + (LAYERS * block + rest) / PREFILL;
}
