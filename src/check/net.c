/* See net.h. */
#include "check/net.h"

#include <string.h>

#include "analysis/port.h"

typedef struct {
  StArena *arena;
  const StModule *module;
  const StTarget *target;
  int64_t P, T;
  StCheckNet *net;
  int *stream_of; /* [value id] */
  ST_VEC(StCheckProcess) process;
  ST_VEC(StCheckStream) stream;
} Builder;

/* Loops with the indices that an end allows: from <= index < to. */
typedef struct {
  int n;
  int64_t *trip, *from, *to;
} Space;

static int64_t eval(const Builder *b, StSym s) {
  return st_sym_eval(s, b->P, b->T);
}

static Space all_of(const Builder *b, int n, const StLoop *loop) {
  Space s = {n, ST_NEW_N(b->arena, int64_t, n), ST_NEW_N(b->arena, int64_t, n),
             ST_NEW_N(b->arena, int64_t, n)};
  for (int l = 0; l < n; l++) {
    int64_t trip = eval(b, loop[l].trip);
    s.trip[l] = s.to[l] = trip < 0 ? 0 : trip;
  }
  return s;
}

static int64_t volume(const Space *s, int first, int last) {
  int64_t n = 1;
  for (int l = first; l < last; l++)
    n *= s->trip[l];
  return n;
}

static void only_first(Space *s, int level) {
  for (int l = level; l < s->n; l++)
    s->to[l] = s->trip[l] < 1 ? s->trip[l] : 1;
}

static void only_within(Space *s, int l, int64_t lo, int64_t hi) {
  if (lo > s->from[l])
    s->from[l] = lo;
  if (hi < s->to[l])
    s->to[l] = hi;
}

/* Neighbouring loops whose beats are evenly spaced become one. */
static StCheckEnd end_of(const Builder *b, const Space *s) {
  StCheckEnd e = {.tokens = 1};
  e.dim = st_arena_alloc_n(b->arena, (size_t)s->n + 1, sizeof *e.dim);
  int64_t grain = volume(s, 0, s->n);
  if (!grain) {
    e.tokens = 0;
    return e;
  }
  for (int l = 0; l < s->n; l++) {
    int64_t count = s->to[l] - s->from[l];
    grain /= s->trip[l];
    e.tokens *= count > 0 ? count : 0;
    e.base += s->from[l] * grain;
    if (count <= 1)
      continue;
    if (e.n && e.dim[e.n - 1].stride == grain * count) {
      e.dim[e.n - 1].stride = grain;
      e.dim[e.n - 1].count *= count;
    } else {
      e.dim[e.n].stride = grain;
      e.dim[e.n++].count = count;
    }
  }
  return e;
}

static int add_process(Builder *b, const StOp *op, StCheckSide side,
                       const Space *s, int shared) {
  StCheckProcess p = {.op = op,
                      .side = side,
                      .ii = op->ii > 0 ? op->ii : 1,
                      .latency = op->latency,
                      .beats = volume(s, 0, s->n),
                      .windows = volume(s, 0, shared),
                      .window = volume(s, shared, s->n)};
  st_vec_push(b->arena, &b->process, p);
  return b->process.n - 1;
}

static StCheckStream *stream_of(Builder *b, const StValue *v) {
  if (b->stream_of[v->id] < 0) {
    StCheckStream x = {.value = v, .producer = -1, .consumer = -1};
    x.fifo_latency = st_target_fifo_latency(b->target, v->memory);
    b->stream_of[v->id] = b->stream.n;
    st_vec_push(b->arena, &b->stream, x);
  }
  return &b->stream.at[b->stream_of[v->id]];
}

static void pushes(Builder *b, int process, int result, const Space *s) {
  StCheckStream *x = stream_of(b, b->process.at[process].op->result[result]);
  x->producer = process;
  x->out = end_of(b, s);
}

static void pops(Builder *b, int process, int operand, const Space *s) {
  StCheckStream *x = stream_of(b, b->process.at[process].op->operand[operand]);
  ST_CHECK(x->consumer < 0, "a stream has two consumers");
  x->consumer = process;
  x->in = end_of(b, s);
}

static void guard(const Builder *b, Space *s, const StPortInfo *port) {
  if (port->guard_loop >= 0)
    only_within(s, port->guard_loop, eval(b, port->lo), eval(b, port->hi));
}

static void add_kernel(Builder *b, const StOp *op) {
  const StNest *nest = &op->u.nest;
  Space all = all_of(b, nest->nloops, nest->loop);
  int p = add_process(b, op, ST_SIDE_ONLY, &all, 0);
  for (int k = 0; k < op->noperands; k++) {
    if (!op->operand[k]->type.order)
      continue; /* a table */
    StPortInfo port = st_port_input(b->arena, op, k);
    Space s = all_of(b, nest->nloops, nest->loop);
    only_first(&s, port.level);
    guard(b, &s, &port);
    pops(b, p, k, &s);
  }
  for (int k = 0; k < op->nresults; k++) {
    StPortInfo port = st_port_output(b->arena, op, k);
    Space s = all_of(b, nest->nloops, nest->loop);
    for (int l = 0; l < s.n; l++)
      if (nest->dim[nest->loop[l].dim].reduction)
        only_within(&s, l, s.trip[l] - 1, s.trip[l]);
    guard(b, &s, &port);
    pushes(b, p, k, &s);
  }
}

static void add_converter(Builder *b, const StOp *op) {
  const StConverter *c = &op->u.converter;
  Space fill = all_of(b, c->fill.nloops, c->fill.loop);
  Space drain = all_of(b, c->drain.nloops, c->drain.loop);
  pops(b, add_process(b, op, ST_SIDE_FILL, &fill, c->shared), 0, &fill);
  pushes(b, add_process(b, op, ST_SIDE_DRAIN, &drain, c->shared), 0, &drain);
}

/* One beat a token of `order`. */
static void add_plain(Builder *b, const StOp *op, const StItensor *order) {
  Space all = all_of(b, order->nloops, order->loop);
  int p = add_process(b, op, ST_SIDE_ONLY, &all, 0);
  for (int k = 0; k < op->nresults; k++)
    pushes(b, p, k, &all);
  if (op->kind != ST_OP_LOAD) {
    pops(b, p, 0, &all);
  } else if (op->noperands > 1) {
    only_first(&all, op->u.load.index_level);
    pops(b, p, 1, &all);
  }
}

/* The beats of an output of a bundle, outermost first: repetitions of the
 * period, frames, slots. */
static StCheckEnd end_of_part(const Builder *b, const StBundlePart *p) {
  const int64_t count[] = {p->times, p->last - p->first, p->per_frame};
  const int64_t stride[] = {p->period, p->slots, 1};
  StCheckEnd e = {.tokens = count[0] * count[1] * count[2],
                  .base = p->base + p->first * p->slots};
  e.dim = st_arena_alloc_n(b->arena, 3, sizeof *e.dim);
  for (int i = 0; i < 3; i++) {
    if (count[i] == 1)
      continue;
    e.dim[e.n].count = count[i];
    e.dim[e.n++].stride = stride[i];
  }
  return e;
}

/* Bits of all tokens of the frame in which part `of` begins. */
static double frame_bits(const StOp *op, int of) {
  const StBundlePart *x = &op->u.bundle.part[of];
  double sum = 0;
  for (int r = 0; r < op->nresults; r++) {
    const StBundlePart *p = &op->u.bundle.part[r];
    const StItensor *o = op->result[r]->type.order;
    double bits = st_dtype_bits(op->result[r]->type.dtype);
    for (int d = 0; d < o->rank; d++)
      bits *= (double)o->elem[d];
    if (p->base == x->base && p->first * p->slots <= x->first * x->slots &&
        x->first * x->slots < p->last * p->slots)
      sum += (double)p->per_frame * bits;
  }
  return sum;
}

/* No frame asks for more than the channels move. Frames in which no part
 * begins have no more than the one before. */
static bool check_rate(const Builder *b, const StOp *op, StDiag *diag) {
  const StBundle *x = &op->u.bundle;
  for (int r = 0; r < op->nresults; r++) {
    double bits = frame_bits(op, r);
    double most = (double)x->part[r].slots * x->channels *
                  (double)st_target_channel_bits(b->target);
    if (bits <= most)
      continue;
    st_error(diag, op->loc,
             "%s %d: a frame of part %d moves %.0f bits where %d channels "
             "move %.0f",
             st_op_name(op->kind), op->id, r, bits, x->channels, most);
    st_note(diag, "the design was changed by hand; compile again");
    return false;
  }
  return true;
}

static bool add_bundle(Builder *b, const StOp *op, StDiag *diag) {
  StCheckProcess p = {.op = op,
                      .side = ST_SIDE_ONLY,
                      .ii = op->ii > 0 ? op->ii : 1,
                      .latency = op->latency,
                      .windows = 1};
  for (int r = 0; r < op->nresults; r++) {
    const StBundlePart *part = &op->u.bundle.part[r];
    int64_t end = part->base + part->times * part->period;
    p.beats = end > p.beats ? end : p.beats;
    StCheckStream *x = stream_of(b, op->result[r]);
    x->producer = b->process.n;
    x->out = end_of_part(b, part);
  }
  p.window = p.beats;
  st_vec_push(b->arena, &b->process, p);
  return check_rate(b, op, diag);
}

static bool is_decided(const Builder *b, StDiag *diag) {
  bool ok = true;
  for (int i = 0; i < b->stream.n; i++) {
    const StCheckStream *x = &b->stream.at[i];
    StLoc loc = x->value->def->loc;
    ST_CHECK(x->producer >= 0 && x->consumer >= 0,
             "a stream lacks its producer or its consumer");
    if (x->value->depth >= 1 && x->value->memory != ST_MEM_AUTO)
      continue;
    st_error(diag, loc, "stream %%%d has no %s", x->value->id,
             x->value->depth < 1 ? "depth" : "memory");
    st_note(diag, "the pass size-fifos decides it; compile again");
    ok = false;
  }
  return ok;
}

bool st_check_net(StArena *a, const StModule *m, const StTarget *t, int64_t P,
                  int64_t T, StDiag *diag, StCheckNet *net) {
  Builder b = {
      .arena = a, .module = m, .target = t, .P = P, .T = T, .net = net};
  b.stream_of = ST_NEW_N(a, int, m->next_value);
  memset(b.stream_of, -1, (size_t)m->next_value * sizeof *b.stream_of);
  bool ok = true;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    if (op->kind == ST_OP_KERNEL)
      add_kernel(&b, op);
    else if (op->kind == ST_OP_CONVERTER)
      add_converter(&b, op);
    else if (op->kind == ST_OP_LOAD)
      add_plain(&b, op, op->result[0]->type.order);
    else if (op->kind == ST_OP_BUNDLE)
      ok = add_bundle(&b, op, diag) && ok;
    else if (op->kind == ST_OP_STORE || op->kind == ST_OP_FORK)
      add_plain(&b, op, op->operand[0]->type.order);
  }
  *net = (StCheckNet){b.process.n, b.stream.n, b.process.at, b.stream.at};
  return is_decided(&b, diag) && ok;
}
