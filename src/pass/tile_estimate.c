/* tile: how long a step of one token takes with the schedules at hand.
 *
 * Every value gets the cycles, from the beginning of an iteration, at which it
 * begins to leave its producer and at which all of it has. An op begins when
 * the first window of each operand is there, as the converter between the two
 * orders needs it (all of it, if it is streamed again); it is done after its
 * beats, and no sooner than a last window's beats after the last operand. What
 * it reduces in one go leaves at the end, what comes along a slow dim after the
 * first of its iterations. Parameters are always there; the memory's own time
 * is compared in the end. */
#include <math.h>

#include "analysis/port.h"
#include "pass/convert.h"
#include "pass/tile.h"

enum {
  LAYERS = 16, /* iterations of a block that are taken as usual: hardware does
                  not depend on how many there are */
  HOP = 4      /* cycles from one op to the next, but for its own latency */
};

typedef struct {
  double first, last;
} Span;

typedef struct {
  StTile *t;
  Span *span;                 /* [value id] */
  StConversion ***conversion; /* [op id][operand]; NULL for what is no op of
                                 a schedule */
} Estimate;

/* In how many parts the result of a reduction leaves: iterations of the loops
 * outside of it. */
static double parts_of(const StTile *t, const StOp *op) {
  const StNest *n = &op->u.nest;
  double parts = 1;
  for (int i = 0; i < n->nloops && !n->dim[n->loop[i].dim].reduction; i++)
    if (!n->dim[n->loop[i].dim].iteration)
      parts *= fmax(1, (double)st_tile_extent(t, n->loop[i].trip));
  return parts;
}

static bool iterates(const StOp *op) {
  return op->kind == ST_OP_GENERIC && st_tile_iterates(op);
}

/* The converters before an op; those that are not needed are NULL. */
static StConversion **find_conversions(const StTile *t, const StOp *op) {
  StArena *a = t->scratch;
  StConversion **c = ST_NEW_N(a, StConversion *, op->noperands + 1);
  for (int k = 0; k < op->noperands; k++) {
    const StItensor *order = t->flow[op->operand[k]->id].order;
    bool view = op->kind == ST_OP_VIEW;
    if (!order || (!view && !op->u.nest.in[k].map))
      continue;
    StItensor want = view ? st_itensor_reshaped(a, &op->operand[k]->type,
                                                &op->result[0]->type)
                          : st_port_input_order(a, op, k);
    StConversion x = st_conversion(a, order, &want);
    if (x.flow)
      continue;
    c[k] = ST_NEW(a, StConversion);
    *c[k] = x;
  }
  return c;
}

/* Its windows in an iteration, of which the first is needed to begin. */
static double windows_of(const StTile *t, const StConversion *c, bool block) {
  double n = 1;
  for (int i = block; c && i < c->shared; i++)
    n *= fmax(1, (double)st_tile_extent(t, c->drain.loop[i].trip));
  return c ? n : INFINITY;
}

/* What an op waits for: when it can begin, when all is there, and the largest
 * part of its work that waits for the last of it. */
typedef struct {
  double first, last, part;
} Inputs;

static void add_input(Inputs *in, const Span *x, double windows) {
  double part = 1 / windows;
  in->first = fmax(in->first, x->first + (x->last - x->first) * part);
  in->last = fmax(in->last, x->last);
  in->part = fmax(in->part, part);
}

static Inputs inputs_of(const Estimate *e, const StOp *op) {
  Inputs in = {0, 0, 0};
  bool block = iterates(op->kind == ST_OP_VIEW ? op->operand[0]->def : op);
  for (int k = 0; k < op->noperands; k++) {
    const StValue *v = op->operand[k];
    if (v->def->kind == ST_OP_GENERIC && iterates(v->def) != block)
      continue; /* of the stretch before */
    const StConversion *c = e->conversion[op->id][k];
    add_input(&in, &e->span[v->id], windows_of(e->t, c, block));
  }
  return in;
}

static Span span_of(const Estimate *e, const StOp *op) {
  const StTile *t = e->t;
  Inputs in = inputs_of(e, op);
  if (op->kind == ST_OP_VIEW)
    return (Span){in.first, in.last};
  Span out;
  double beats = st_tile_beats(t, op);
  double latency = HOP + st_target_body_latency(t->ctx->target, op);
  double until = st_nest_reduces(&op->u.nest) ? beats / parts_of(t, op) : 0;
  out.last = fmax(in.first + beats, in.last + beats * in.part) + latency;
  out.first = fmin(in.first + until + latency, out.last);
  if (until == beats)
    out.first = out.last;
  return out;
}

/* When the value that the next iteration begins with is there. */
static double end_of_block(const StTile *t, const Span *span) {
  double carried = 0, any = 0;
  for (int i = 0; i < t->m->op.n; i++) {
    const StOp *op = t->m->op.at[i];
    for (int k = 0; k < op->noperands; k++) {
      const StOp *def = op->operand[k]->def;
      bool inside = iterates(def);
      double last = inside ? span[op->operand[k]->id].last : 0;
      any = fmax(any, last);
      if (iterates(op) && op->id <= def->id)
        carried = fmax(carried, last);
    }
  }
  return carried > 0 ? carried : any;
}

/* Cycles of a step of `tokens` tokens. Behind the blocks weights come when they
 * are used: nothing is left to run ahead of. */
static double time_of_step(const Estimate *e, int tokens) {
  StTile *t = e->t;
  double rest = 0;
  t->tokens = tokens;
  for (int i = 0; i < t->m->op.n; i++) {
    const StOp *op = t->m->op.at[i];
    if (!e->conversion[op->id])
      continue;
    Span s = span_of(e, op);
    for (int r = 0; r < op->nresults; r++)
      e->span[op->result[r]->id] = s;
    if (op->kind != ST_OP_GENERIC || st_tile_iterates(op))
      continue;
    rest = fmax(rest, s.last);
    if (st_tile_is_product(t, op))
      rest = fmax(rest, inputs_of(e, op).first + t->memory_rest);
  }
  t->tokens = 1;
  double block = end_of_block(t, e->span);
  return LAYERS * fmax(block, t->memory_block) + rest;
}

double st_tile_estimate(StTile *t) {
  StArena *a = t->scratch;
  Estimate e = {.t = t,
                .span = ST_NEW_N(a, Span, t->m->next_value + 1),
                .conversion = ST_NEW_N(a, StConversion **, t->m->next_op + 1)};
  for (int i = 0; i < t->m->op.n; i++) {
    const StOp *op = t->m->op.at[i];
    if ((op->kind == ST_OP_GENERIC || op->kind == ST_OP_VIEW) && op->nresults)
      e.conversion[op->id] = find_conversions(t, op);
  }
  int chunk = t->m->chunk > 1 ? (int)t->m->chunk : 1;
  double one = time_of_step(&e, 1);
  return chunk > 1 ? one + time_of_step(&e, chunk) / chunk : one;
}
