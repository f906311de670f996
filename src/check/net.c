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
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    if (op->kind == ST_OP_KERNEL)
      add_kernel(&b, op);
    else if (op->kind == ST_OP_CONVERTER)
      add_converter(&b, op);
    else if (op->kind == ST_OP_LOAD)
      add_plain(&b, op, op->result[0]->type.order);
    else if (op->kind == ST_OP_STORE || op->kind == ST_OP_FORK)
      add_plain(&b, op, op->operand[0]->type.order);
  }
  *net = (StCheckNet){b.process.n, b.stream.n, b.process.at, b.stream.at};
  return is_decided(&b, diag);
}
