/* convert: the cheapest buffer between two orders of one tensor.
 *
 *   in   [4]x2 -> d1, [2]x4 -> d0          4x2 tiles of an 8x8 tensor
 *   want [4]x2 -> d1, [2] again, [2]x4 -> d0
 * shares the loop over d1: a window of 8x2, two banks. See doc/converters.md.
 */
#include "pass/convert.h"

#include <string.h>

#include "ir/itensor.h"

/* Loops of an order being consumed from the outside; `at` may be split. */
typedef struct {
  StLoop *loop;
  int n, at;
} Side;

static Side side_of(StArena *a, const StItensor *o) {
  /* splitting adds at most one loop for each loop of the other side */
  Side s = {.loop = ST_NEW_N(a, StLoop, 2 * o->nloops + 64), .n = o->nloops};
  memcpy(s.loop, o->loop, (size_t)o->nloops * sizeof *s.loop);
  return s;
}

/* Split loop `at` of s into (trip / inner) x inner. */
static void split_loop(Side *s, int64_t inner) {
  StLoop *l = &s->loop[s->at];
  memmove(l + 1, l, (size_t)(s->n - s->at) * sizeof *l);
  s->n++;
  l[0].trip = st_sym_const(l[1].trip.c / inner);
  l[0].step = l[1].step * inner;
  l[1].trip = st_sym_const(inner);
}

/* Make the loops at both sides equal if one splits to the other. */
static bool match(Side *x, Side *y) {
  const StLoop *a = &x->loop[x->at], *b = &y->loop[y->at];
  if (a->dim != b->dim || a->dim < 0)
    return false;
  if (st_sym_eq(a->trip, b->trip) && a->step == b->step)
    return true;
  if (!st_sym_is_const(a->trip) || !st_sym_is_const(b->trip) ||
      a->trip.c * a->step != b->trip.c * b->step)
    return false;
  if (a->step < b->step && b->step % a->step == 0) {
    split_loop(x, b->step / a->step);
    return true;
  }
  if (b->step < a->step && a->step % b->step == 0) {
    split_loop(y, a->step / b->step);
    return true;
  }
  return false;
}

/* True if `want` visits all of data dim d of `in`. */
static bool same_range(const StItensor *in, const StItensor *want, int d) {
  if (!st_sym_eq(in->origin[d], want->origin[d]))
    return false;
  return st_sym_eq(st_itensor_extent(in, d, 0), st_itensor_extent(want, d, 0));
}

static StItensor with_loops(StArena *a, const StItensor *o, const Side *s) {
  StItensor r = *o;
  r.nloops = s->n;
  r.loop = ST_NEW_N(a, StLoop, s->n + 1);
  memcpy(r.loop, s->loop, (size_t)s->n * sizeof *s->loop);
  return r;
}

static void size_window(const StModule *m, StConverter *c) {
  c->window = 1;
  for (int d = 0; d < c->fill.rank; d++) {
    int64_t e =
        st_sym_max(st_itensor_extent(&c->fill, d, c->shared), m->ctx, m->chunk);
    c->extent[d] = e;
    c->window *= e;
  }
}

/* The outermost loop of v is the iteration of a repeat: each needs what the one
 * before made, so that its windows never overlap. */
static bool in_repeat(const StValue *v) {
  const StOp *op = v->def;
  while (op->kind == ST_OP_FORK || op->kind == ST_OP_CONVERTER)
    op = op->operand[0]->def;
  return op->kind == ST_OP_KERNEL && op->u.nest.nloops &&
         op->u.nest.dim[op->u.nest.loop[0].dim].iteration;
}

StConversion st_conversion(StArena *a, const StItensor *in,
                           const StItensor *want) {
  Side x = side_of(a, in), y = side_of(a, want);
  while (x.at < x.n && y.at < y.n && y.loop[y.at].dim >= 0 &&
         same_range(in, want, y.loop[y.at].dim) && match(&x, &y)) {
    x.at++;
    y.at++;
  }
  StConversion c = {.fill = with_loops(a, in, &x),
                    .drain = with_loops(a, want, &y),
                    .shared = x.at};
  StItensor f = st_itensor_elements(a, &c.fill, c.shared);
  StItensor d = st_itensor_elements(a, &c.drain, c.shared);
  bool whole = true;
  for (int i = 0; i < f.rank; i++)
    whole &= same_range(in, want, i);
  c.flow = whole && st_itensor_same(a, &f, &d);
  return c;
}

StOp *st_converter_new(StModule *m, StValue *in, const StItensor *want) {
  StOp *op = st_op_new(m, ST_OP_CONVERTER, in->def->loc, 1, &in, 1);
  op->name = in->def->name;
  StConverter *c = &op->u.converter;
  StConversion x = st_conversion(m->arena, in->type.order, want);
  bool again = false; /* windows after the first of the same shared loops */
  for (int i = 0; i < x.shared; i++)
    again |= (i > 0 || !in_repeat(in)) &&
             st_sym_max(x.drain.loop[i].trip, m->ctx, m->chunk) > 1;
  c->shared = x.shared;
  c->fill = x.fill;
  c->drain = x.drain;
  c->banks = again ? 2 : 1;
  c->flow = x.flow;
  size_window(m, c);
  StType *t = &op->result[0]->type;
  *t = in->type;
  t->order = ST_NEW(m->arena, StItensor);
  *t->order = *want;
  return op;
}
