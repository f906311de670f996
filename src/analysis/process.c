/* Conditions of an end: every loop of the process allows an interval of its
 * indices, [0, 1) for a loop that must be at 0, [trip - 1, trip) at the last
 * iteration, [lo, hi) under a guard. An interval of loop l is a condition on
 * the beat number modulo (trip * grain), grain being the beats of the loops
 * inside l. A single point of an outer loop and the interval of the next inner
 * one are one condition; so most ends have at most one.
 */
#include "analysis/process.h"

#include <string.h>

#include "analysis/port.h"
#include "ir/itensor.h"

/* ---- making the net ----------------------------------------------------- */

typedef struct {
  StArena *arena;
  const StModule *module;
  StProcessNet *net;
  ST_VEC(StProcess) process;
} Maker;

static StProcess *add_process(Maker *mk, StProcessKind kind, const StOp *op,
                              int nloops, const StLoop *loop) {
  StProcess p = {.id = mk->process.n,
                 .kind = kind,
                 .op = op,
                 .ii = op->ii > 0 ? op->ii : 1,
                 .latency = op->latency,
                 .nloops = nloops,
                 .loop = loop,
                 .partner = -1};
  p.trip = ST_NEW_N(mk->arena, int64_t, (size_t)nloops);
  st_vec_push(mk->arena, &mk->process, p);
  return &mk->process.at[p.id];
}

static StEnd make_end(Maker *mk, const StProcess *p, int port) {
  return (StEnd){.stream = -1,
                 .port = port,
                 .level = p->nloops,
                 .guard_loop = -1,
                 .cond = ST_NEW_N(mk->arena, StCond, (size_t)p->nloops)};
}

static void set_guard(StEnd *e, const StPortInfo *port) {
  e->guard_loop = port->guard_loop;
  e->lo = port->lo;
  e->hi = port->hi;
}

static void add_kernel(Maker *mk, const StOp *op) {
  const StNest *nest = &op->u.nest;
  StProcess *p = add_process(mk, ST_PROC_KERNEL, op, nest->nloops, nest->loop);
  StKernelInfo info = st_kernel_info(mk->arena, op);
  p->in = ST_NEW_N(mk->arena, StEnd, (size_t)op->noperands);
  p->out = ST_NEW_N(mk->arena, StEnd, (size_t)op->nresults);
  for (int k = 0; k < op->noperands; k++) {
    if (!op->operand[k]->type.order)
      continue; /* a table that the body extracts from */
    StPortInfo port = st_port_input(mk->arena, op, k);
    StEnd e = make_end(mk, p, k);
    e.level = port.level;
    set_guard(&e, &port);
    p->in[p->nin++] = e;
  }
  for (int k = 0; k < op->nresults; k++) {
    StPortInfo port = st_port_output(mk->arena, op, k);
    StEnd e = make_end(mk, p, k);
    e.last = info.is_red_loop;
    set_guard(&e, &port);
    p->out[p->nout++] = e;
  }
}

/* One end that moves a token in every beat. */
static void add_plain(Maker *mk, const StProcess *p, StEnd **ends, int *n,
                      int count) {
  *ends = ST_NEW_N(mk->arena, StEnd, (size_t)count);
  for (*n = 0; *n < count; ++*n)
    (*ends)[*n] = make_end(mk, p, *n);
}

static void add_transfer(Maker *mk, const StOp *op, StProcessKind kind) {
  bool load = kind == ST_PROC_LOAD;
  const StValue *v = load ? op->result[0] : op->operand[0];
  const StItensor *order = v->type.order;
  StProcess *p = add_process(mk, kind, op, order->nloops, order->loop);
  if (!load) {
    add_plain(mk, p, &p->in, &p->nin, 1);
    add_plain(mk, p, &p->out, &p->nout, op->nresults);
    return;
  }
  add_plain(mk, p, &p->out, &p->nout, 1);
  if (op->noperands < 2)
    return;
  p->in = ST_NEW(mk->arena, StEnd);
  p->nin = 1;
  p->in[0] = make_end(mk, p, 1);
  p->in[0].level = op->u.load.index_level;
}

static void add_bundle(Maker *mk, const StOp *op) {
  enum { CONDS = 3 }; /* sections, frames, slots */
  StProcess *p = add_process(mk, ST_PROC_BUNDLE, op, 0, NULL);
  add_plain(mk, p, &p->out, &p->nout, op->nresults);
  for (int k = 0; k < op->nresults; k++) {
    p->out[k].part = &op->u.bundle.part[k];
    p->out[k].cond = ST_NEW_N(mk->arena, StCond, CONDS);
  }
}

static void add_converter(Maker *mk, const StOp *op) {
  const StConverter *c = &op->u.converter;
  StProcess *f =
      add_process(mk, ST_PROC_FILL, op, c->fill.nloops, c->fill.loop);
  f->shared = c->shared;
  f->partner = f->id + 1;
  add_plain(mk, f, &f->in, &f->nin, 1);
  StProcess *d =
      add_process(mk, ST_PROC_DRAIN, op, c->drain.nloops, c->drain.loop);
  d->shared = c->shared;
  d->partner = d->id - 1;
  add_plain(mk, d, &d->out, &d->nout, 1);
}

static void add_streams(Maker *mk, const int *fifo_latency) {
  StProcessNet *net = mk->net;
  ST_VEC(StStream) v = {0};
  for (int i = 0; i < net->nprocesses; i++) {
    StProcess *p = &net->process[i];
    for (int k = 0; k < p->nout; k++) {
      const StValue *value = p->op->result[p->out[k].port];
      StStream s = {.id = v.n,
                    .value = value,
                    .producer = i,
                    .out = k,
                    .consumer = -1,
                    .fifo_latency = fifo_latency[value->memory],
                    .depth = value->depth,
                    .elements = st_itensor_token(value->type.order)};
      s.bits = s.elements * st_dtype_bits(value->type.dtype);
      p->out[k].stream = s.id;
      net->stream_of_value[value->id] = s.id;
      st_vec_push(mk->arena, &v, s);
    }
  }
  for (int i = 0; i < net->nprocesses; i++) {
    StProcess *p = &net->process[i];
    for (int k = 0; k < p->nin; k++) {
      int s = net->stream_of_value[p->op->operand[p->in[k].port]->id];
      ST_CHECK(s >= 0 && v.at[s].consumer < 0,
               "a stream without producer or with two consumers");
      p->in[k].stream = s;
      v.at[s].consumer = i;
      v.at[s].in = k;
    }
  }
  for (int s = 0; s < v.n; s++)
    ST_CHECK(v.at[s].consumer >= 0, "a stream without consumer");
  net->nstreams = v.n;
  net->stream = v.at;
}

StProcessNet *st_process_net(StArena *a, const StModule *m,
                             const int *fifo_latency, int buffer_latency) {
  StProcessNet *net = ST_NEW(a, StProcessNet);
  Maker mk = {.arena = a, .module = m, .net = net};
  net->module = m;
  net->buffer_latency = buffer_latency;
  net->stream_of_value = ST_NEW_N(a, int, (size_t)m->next_value);
  for (int i = 0; i < m->next_value; i++)
    net->stream_of_value[i] = -1;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    if (op->kind == ST_OP_KERNEL)
      add_kernel(&mk, op);
    else if (op->kind == ST_OP_CONVERTER)
      add_converter(&mk, op);
    else if (op->kind == ST_OP_LOAD)
      add_transfer(&mk, op, ST_PROC_LOAD);
    else if (op->kind == ST_OP_BUNDLE)
      add_bundle(&mk, op);
    else if (op->kind == ST_OP_STORE)
      add_transfer(&mk, op, ST_PROC_STORE);
    else if (op->kind == ST_OP_FORK)
      add_transfer(&mk, op, ST_PROC_FORK);
  }
  net->nprocesses = mk.process.n;
  net->process = mk.process.at;
  add_streams(&mk, fifo_latency);
  return net;
}

/* ---- binding P and T ---------------------------------------------------- */

static int64_t clamp(int64_t x, int64_t lo, int64_t hi) {
  return x < lo ? lo : x > hi ? hi : x;
}

/* The indices of loop l in which the end may move a token. */
static void loop_interval(const StProcess *p, const StEnd *e, int l, int64_t P,
                          int64_t T, int64_t *from, int64_t *to) {
  int64_t trip = p->trip[l];
  *from = 0;
  *to = trip;
  if (l >= e->level)
    *to = trip < 1 ? trip : 1;
  if (e->last && e->last[l] && trip)
    *from = trip - 1;
  if (l == e->guard_loop) {
    int64_t lo = clamp(st_sym_eval(e->lo, P, T), 0, trip);
    int64_t hi = clamp(st_sym_eval(e->hi, P, T), 0, trip);
    *from = *from > lo ? *from : lo;
    *to = *to < hi ? *to : hi;
  }
  if (*from > *to)
    *from = *to;
}

static void add_cond(StEnd *e, int64_t cycle, int64_t lo, int64_t hi) {
  if (lo > 0 || hi < cycle)
    e->cond[e->nconds++] = (StCond){cycle, lo, hi};
}

/* The base is a multiple of the period if there is more than one, both are of
 * the slots: so every condition is one on the beat's number alone. */
static void bind_part(const StProcess *p, StEnd *e) {
  const StBundlePart *x = e->part;
  int64_t from = x->first * x->slots, to = x->last * x->slots;
  e->nconds = 0;
  if (x->times == 1) {
    add_cond(e, p->beats, x->base + from, x->base + to);
  } else {
    add_cond(e, p->beats, x->base, x->base + x->times * x->period);
    add_cond(e, x->period, from, to);
  }
  add_cond(e, x->slots, 0, x->per_frame);
  e->tokens = x->times * (x->last - x->first) * x->per_frame;
}

static void bind_end(const StProcess *p, StEnd *e, int64_t P, int64_t T) {
  e->nconds = 0;
  e->tokens = 1;
  int64_t grain = p->beats; /* beats of one iteration of the current loop */
  bool point = false;       /* the loop just outside left one index */
  for (int l = 0; l < p->nloops && p->beats; l++) {
    int64_t cycle = grain, from, to;
    if (p->trip[l] == 1 && e->guard_loop != l)
      continue;
    grain /= p->trip[l];
    loop_interval(p, e, l, P, T, &from, &to);
    e->tokens *= to - from;
    bool all = to - from == p->trip[l];
    if (!all && point) {
      StCond *c = &e->cond[e->nconds - 1];
      c->hi = c->lo + to * grain;
      c->lo += from * grain;
    } else if (!all) {
      e->cond[e->nconds++] = (StCond){cycle, from * grain, to * grain};
    }
    point = !all && to - from == 1;
  }
  if (!p->beats)
    e->tokens = 0;
}

void st_process_bind(StProcessNet *net, int64_t P, int64_t T) {
  net->P = P;
  net->T = T;
  for (int i = 0; i < net->nprocesses; i++) {
    StProcess *p = &net->process[i];
    p->beats = p->windows = 1;
    if (p->kind == ST_PROC_BUNDLE)
      p->beats = st_bundle_beats(p->op);
    for (int l = 0; l < p->nloops; l++) {
      int64_t trip = st_sym_eval(p->loop[l].trip, P, T);
      p->trip[l] = trip > 0 ? trip : 0;
      p->beats *= p->trip[l];
      if (l < p->shared)
        p->windows *= p->trip[l];
    }
    p->window = p->windows ? p->beats / p->windows : 0;
    for (int k = 0; k < p->nin; k++)
      bind_end(p, &p->in[k], P, T);
    for (int k = 0; k < p->nout; k++)
      if (p->out[k].part)
        bind_part(p, &p->out[k]);
      else
        bind_end(p, &p->out[k], P, T);
  }
}

int64_t st_process_drain_need(const StProcessNet *net, const StProcess *drain,
                              int64_t b) {
  const StConverter *c = &drain->op->u.converter;
  const StProcess *fill = &net->process[drain->partner];
  if (!c->flow)
    return fill->window;
  int64_t in = net->stream[fill->in[0].stream].elements;
  int64_t out = net->stream[drain->out[0].stream].elements;
  int64_t need = b + 1;
  if (in != out)
    need = in == 1 ? need * out : (need * out + in - 1) / in;
  return need < fill->window ? need : fill->window;
}

const char *st_process_name(StArena *a, const StProcess *p) {
  const char *side = p->kind == ST_PROC_FILL    ? "/fill"
                     : p->kind == ST_PROC_DRAIN ? "/drain"
                                                : "";
  if (p->op->name)
    return st_arena_printf(a, "%s%s", p->op->name, side);
  return st_arena_printf(a, "%s %d%s", st_op_name(p->op->kind), p->op->id,
                         side);
}

const char *st_stream_name(StArena *a, const StStream *s) {
  if (s->value->name)
    return st_arena_printf(a, "%%%d (%s)", s->value->id, s->value->name);
  return st_arena_printf(a, "%%%d", s->value->id);
}

/* ---- walking ------------------------------------------------------------ */

/* Whether the condition holds in beat n, and until which beat that stays. */
static bool cond_state(const StCond *c, int64_t n, int64_t *until) {
  int64_t phase = n % c->cycle;
  if (c->lo == c->hi) {
    *until = INT64_MAX;
    return false;
  }
  bool holds = c->lo <= phase && phase < c->hi;
  int64_t next = holds ? c->hi : phase < c->lo ? c->lo : c->cycle + c->lo;
  *until = n + next - phase;
  return holds;
}

/* Of one end: as often as each condition repeats or stays as it is, or as one
 * of them keeps it silent. */
static int64_t end_repeats(const StEnd *e, int64_t beat, int64_t period) {
  int64_t most = INT64_MAX, silent = 0;
  for (int i = 0; i < e->nconds; i++) {
    int64_t until;
    bool holds = cond_state(&e->cond[i], beat - period, &until);
    int64_t n = until < beat ? 0 : (until - beat) / period;
    if (!holds && n > silent)
      silent = n;
    if (period % e->cond[i].cycle != 0)
      most = n < most ? n : most;
  }
  return most > silent ? most : silent;
}

int64_t st_process_repeats(const StProcess *p, int64_t beat, int64_t period) {
  int64_t most = (p->beats - beat) / period;
  for (int k = 0; k < p->nin + p->nout; k++) {
    const StEnd *e = k < p->nin ? &p->in[k] : &p->out[k - p->nin];
    int64_t n = end_repeats(e, beat, period);
    most = n < most ? n : most;
  }
  return most;
}

static void update_end(const StEnd *e, StWalkEnd *w, int64_t beat) {
  if (e->nconds == 1 && w->until == beat && beat) { /* no division */
    const StCond *c = &e->cond[0];
    int64_t width = c->hi - c->lo;
    w->fires = !w->fires;
    w->until += w->fires ? width : c->cycle - width;
    return;
  }
  int64_t on = INT64_MAX, off = beat;
  for (int i = 0; i < e->nconds; i++) {
    int64_t until;
    if (cond_state(&e->cond[i], beat, &until))
      on = until < on ? until : on;
    else
      off = until > off ? until : off;
  }
  w->fires = off == beat;
  w->until = w->fires ? on : off;
}

/* State of all ends at w->beat, which ends the run before it. */
static void find_run(StWalker *w) {
  const StProcess *p = w->process;
  int64_t end = p->beats;
  w->nin = w->nout = 0;
  if (w->beat == end) {
    w->run = 0;
    return;
  }
  if (w->at == p->window) {
    w->window++;
    w->at = 0;
  }
  end = w->beat + p->window - w->at;
  for (int k = 0; k < p->nin; k++) {
    StWalkEnd *e = &w->end[k];
    if (e->until <= w->beat)
      update_end(&p->in[k], e, w->beat);
    if (e->fires)
      w->in[w->nin++] = k;
    end = e->until < end ? e->until : end;
  }
  for (int k = 0; k < p->nout; k++) {
    StWalkEnd *e = &w->end[p->nin + k];
    if (e->until <= w->beat)
      update_end(&p->out[k], e, w->beat);
    if (e->fires)
      w->out[w->nout++] = k;
    end = e->until < end ? e->until : end;
  }
  w->run = end - w->beat;
}

StWalker st_walker_new(StArena *a, const StProcess *p) {
  StWalker w = {.process = p};
  w.end = ST_NEW_N(a, StWalkEnd, (size_t)(p->nin + p->nout));
  w.in = ST_NEW_N(a, int, (size_t)p->nin);
  w.out = ST_NEW_N(a, int, (size_t)p->nout);
  return w;
}

void st_walker_start(StWalker *w) {
  const StProcess *p = w->process;
  w->beat = w->window = w->at = 0;
  memset(w->end, 0, (size_t)(p->nin + p->nout) * sizeof w->end[0]);
  find_run(w);
}

void st_walker_advance(StWalker *w, int64_t k) {
  w->beat += k;
  w->at += k;
  w->run -= k;
  if (!w->run)
    find_run(w);
}

void st_walker_skip(StWalker *w, int64_t k) {
  const StProcess *p = w->process;
  w->beat += k;
  w->window = w->beat / p->window;
  w->at = w->beat % p->window;
  for (int e = 0; e < p->nin + p->nout; e++)
    w->end[e].until = 0;
  find_run(w);
}
