/* See sim_graph.h. The model keeps loop counters and moves tokens in queues;
 * decisions of cycle t look only at what happened before t. */
#include "sim_graph.h"

#include <string.h>

uint32_t graph_random(uint64_t *seed, uint32_t below) {
  *seed = *seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*seed >> 33) % below;
}

/* ---- random nets -------------------------------------------------------- */

typedef struct {
  int process, end;
  int64_t tokens;
} Free;

typedef struct {
  StArena *a;
  uint64_t *seed;
  GraphShape shape;
  ST_VEC(StProcess) process;
  ST_VEC(StStream) stream;
} Graph;

static int rnd(Graph *g, int lo, int hi) { /* lo .. hi */
  return lo + (int)graph_random(g->seed, (uint32_t)(hi - lo + 1));
}

static int random_trip(Graph *g) {
  return g->shape.trip ? g->shape.trip : rnd(g, 1, 4);
}

static StProcess *add_process(Graph *g, StProcessKind kind, StOp *op,
                              int nloops, const int64_t *trip) {
  StLoop *loop = ST_NEW_N(g->a, StLoop, (size_t)nloops);
  for (int l = 0; l < nloops; l++)
    loop[l] = (StLoop){.dim = l, .trip = st_sym_const(trip[l]), .step = 1};
  StProcess p = {.id = g->process.n,
                 .kind = kind,
                 .op = op,
                 .nloops = nloops,
                 .loop = loop,
                 .partner = -1};
  p.ii = rnd(g, 0, 2) ? 1 : rnd(g, 2, 3);
  p.latency = rnd(g, 0, 7);
  p.trip = ST_NEW_N(g->a, int64_t, (size_t)nloops);
  st_vec_push(g->a, &g->process, p);
  return &g->process.at[p.id];
}

static StEnd *add_ends(Graph *g, const StProcess *p, int n) {
  StEnd *e = ST_NEW_N(g->a, StEnd, (size_t)n);
  for (int i = 0; i < n; i++) {
    e[i] = (StEnd){.stream = -1,
                   .port = i,
                   .level = p->nloops,
                   .guard_loop = -1,
                   .cond = ST_NEW_N(g->a, StCond, (size_t)p->nloops)};
  }
  return e;
}

static void randomise_end(Graph *g, const StProcess *p, StEnd *e, bool out) {
  if (out) {
    bool *last = ST_NEW_N(g->a, bool, (size_t)p->nloops);
    for (int l = 0; l < p->nloops; l++)
      last[l] = rnd(g, 0, 2) == 0;
    e->last = last;
  } else {
    e->level = rnd(g, 0, p->nloops);
  }
  if (p->nloops && !g->shape.trip && rnd(g, 0, 3) == 0) {
    e->guard_loop = rnd(g, 0, p->nloops - 1);
    int64_t trip = p->loop[e->guard_loop].trip.c;
    int lo = rnd(g, 0, (int)trip), hi = rnd(g, lo, (int)trip + 1);
    e->lo = st_sym_const(lo);
    e->hi = st_sym_const(hi);
  }
}

static void add_kernel(Graph *g) {
  int64_t trip[4];
  int nloops = rnd(g, 0, 4);
  for (int l = 0; l < nloops; l++)
    trip[l] = random_trip(g);
  StOp *op = ST_NEW(g->a, StOp);
  op->kind = ST_OP_KERNEL;
  StProcess *p = add_process(g, ST_PROC_KERNEL, op, nloops, trip);
  p->nin = rnd(g, 0, 3);
  p->nout = rnd(g, p->nin ? 0 : 1, 3);
  p->in = add_ends(g, p, p->nin);
  p->out = add_ends(g, p, p->nout);
  for (int i = 0; i < p->nin; i++)
    randomise_end(g, p, &p->in[i], false);
  for (int i = 0; i < p->nout; i++)
    randomise_end(g, p, &p->out[i], true);
}

static void add_converter(Graph *g) {
  int64_t fill[4], drain[4];
  int shared = rnd(g, 0, 2), f = shared + rnd(g, 0, 2),
      d = shared + rnd(g, 0, 2);
  for (int l = 0; l < f; l++)
    fill[l] = random_trip(g);
  for (int l = 0; l < d; l++)
    drain[l] = l < shared ? fill[l] : random_trip(g);
  StOp *op = ST_NEW(g->a, StOp);
  op->kind = ST_OP_CONVERTER;
  op->u.converter.shared = shared;
  op->u.converter.banks = rnd(g, 1, 2);
  op->u.converter.flow = rnd(g, 0, 1);
  StProcess *p = add_process(g, ST_PROC_FILL, op, f, fill);
  p->shared = shared;
  p->partner = p->id + 1;
  p->nin = 1;
  p->in = add_ends(g, p, 1);
  p = add_process(g, ST_PROC_DRAIN, op, d, drain);
  p->shared = shared;
  p->partner = p->id - 1;
  p->nout = 1;
  p->out = add_ends(g, p, 1);
}

static void connect(Graph *g, int producer, int out, int consumer, int in) {
  StStream s = {.id = g->stream.n,
                .producer = producer,
                .out = out,
                .consumer = consumer,
                .in = in};
  s.fifo_latency = rnd(g, 0, 1) ? 1 : rnd(g, 1, 4);
  s.depth = rnd(g, 1, g->shape.max_depth);
  s.elements = rnd(g, 1, 3);
  StValue *v = ST_NEW(g->a, StValue);
  v->id = s.id;
  v->depth = s.depth;
  s.value = v;
  g->process.at[producer].out[out].stream = s.id;
  g->process.at[consumer].in[in].stream = s.id;
  st_vec_push(g->a, &g->stream, s);
}

/* Joins ends with equal numbers of tokens, at random; what is left gets a
 * source or a sink of its own. */
static void connect_all(Graph *g) {
  int n = g->process.n;
  for (int c = 0; c < n; c++)
    for (int i = 0; i < g->process.at[c].nin; i++) {
      int64_t tokens = g->process.at[c].in[i].tokens;
      ST_VEC(Free) found = {0};
      for (int p = 0; p < n; p++) {
        const StProcess *q = &g->process.at[p];
        if (p >= c && !g->shape.feedback)
          continue;
        for (int o = 0; o < q->nout; o++)
          if (q->out[o].stream < 0 && q->out[o].tokens == tokens)
            st_vec_push(g->a, &found, ((Free){p, o, tokens}));
      }
      if (found.n && rnd(g, 0, 4)) {
        Free f = found.at[rnd(g, 0, found.n - 1)];
        connect(g, f.process, f.end, c, i);
        continue;
      }
      StOp *op = ST_NEW(g->a, StOp);
      op->kind = ST_OP_LOAD;
      StProcess *source = add_process(g, ST_PROC_LOAD, op, 1, &tokens);
      source->nout = 1;
      source->out = add_ends(g, source, 1);
      connect(g, source->id, 0, c, i);
    }
  for (int p = 0; p < n; p++)
    for (int o = 0; o < g->process.at[p].nout; o++) {
      if (g->process.at[p].out[o].stream >= 0)
        continue;
      StOp *op = ST_NEW(g->a, StOp);
      op->kind = ST_OP_STORE;
      int64_t tokens = g->process.at[p].out[o].tokens;
      StProcess *sink = add_process(g, ST_PROC_STORE, op, 1, &tokens);
      sink->nin = 1;
      sink->in = add_ends(g, sink, 1);
      connect(g, p, o, sink->id, 0);
    }
}

StProcessNet *graph_new(StArena *a, uint64_t *seed, GraphShape shape) {
  Graph g = {.a = a, .seed = seed, .shape = shape};
  StProcessNet *net = ST_NEW(a, StProcessNet);
  for (int i = 0; i < shape.nodes; i++) {
    if (rnd(&g, 0, 3))
      add_kernel(&g);
    else
      add_converter(&g);
  }
  net->nprocesses = g.process.n;
  net->process = g.process.at;
  st_process_bind(net, 0, 1); /* the numbers of tokens */
  connect_all(&g);
  net->nprocesses = g.process.n;
  net->process = g.process.at;
  net->nstreams = g.stream.n;
  net->stream = g.stream.at;
  net->buffer_latency = rnd(&g, 1, 3);
  st_process_bind(net, 0, 1);
  return net;
}

/* ---- cycle by cycle ----------------------------------------------------- */

typedef struct {
  int64_t *arrives;       /* [tokens] cycle from which it can be popped */
  int64_t pushed, popped; /* before this cycle */
  int64_t credit;
  int64_t used; /* slots in use at the start of this cycle */
} Queue;

typedef struct {
  int64_t index[8];
  int64_t issued;
  int64_t earliest;
  bool go;
} State;

typedef struct {
  const StProcessNet *net;
  const int64_t *depth;
  Queue *queue;
  State *state;
  Brute out;
} Machine;

static bool moves(const StProcess *p, const StEnd *e, const int64_t *index) {
  for (int l = 0; l < p->nloops; l++) {
    if (l >= e->level && index[l] != 0)
      return false;
    if (e->last && e->last[l] && index[l] != p->loop[l].trip.c - 1)
      return false;
    if (l == e->guard_loop && (index[l] < e->lo.c || index[l] >= e->hi.c))
      return false;
  }
  return true;
}

static int64_t loops_product(const StProcess *p, int from, int to) {
  int64_t n = 1;
  for (int l = from; l < to; l++)
    n *= p->loop[l].trip.c;
  return n;
}

static int64_t total_beats(const StProcess *p) {
  return loops_product(p, 0, p->nloops);
}

/* Beats of process p issued at `t` or before. */
static int64_t issued_by(const Machine *mc, int p, int64_t t) {
  int64_t n = 0;
  while (n < mc->state[p].issued && mc->out.issue[p][n] <= t)
    n++;
  return n;
}

static bool converter_allows(const Machine *mc, const StProcess *p, int64_t t) {
  const StConverter *c = &p->op->u.converter;
  const StProcess *q = &mc->net->process[p->partner];
  int64_t own = loops_product(p, p->shared, p->nloops);
  int64_t others = loops_product(q, q->shared, q->nloops);
  int64_t beat = mc->state[p->id].issued;
  int64_t k = beat / own, b = beat % own;
  if (p->kind == ST_PROC_FILL)
    return k < c->banks ||
           issued_by(mc, q->id, t - 1) >= (k - c->banks + 1) * others;
  int64_t need = others;
  if (c->flow) {
    int64_t in = mc->net->stream[q->in[0].stream].elements;
    int64_t out = mc->net->stream[p->out[0].stream].elements;
    need = 0;
    while (need < others && need * in < (b + 1) * out)
      need++;
  }
  return issued_by(mc, q->id, t - mc->net->buffer_latency) >= k * others + need;
}

static bool may_issue(const Machine *mc, const StProcess *p, int64_t t) {
  const State *s = &mc->state[p->id];
  if (s->issued == total_beats(p) || t < s->earliest)
    return false;
  for (int i = 0; i < p->nin; i++) {
    const Queue *q = &mc->queue[p->in[i].stream];
    if (moves(p, &p->in[i], s->index) &&
        (q->popped == q->pushed || q->arrives[q->popped] > t))
      return false;
  }
  for (int i = 0; i < p->nout; i++)
    if (moves(p, &p->out[i], s->index) &&
        mc->queue[p->out[i].stream].credit == 0)
      return false;
  return p->partner < 0 || converter_allows(mc, p, t);
}

static void issue(Machine *mc, const StProcess *p, int64_t t) {
  State *s = &mc->state[p->id];
  for (int i = 0; i < p->nin; i++) {
    Queue *q = &mc->queue[p->in[i].stream];
    if (moves(p, &p->in[i], s->index)) {
      q->popped++;
      q->credit++;
    }
  }
  for (int i = 0; i < p->nout; i++) {
    int id = p->out[i].stream;
    Queue *q = &mc->queue[id];
    if (!moves(p, &p->out[i], s->index))
      continue;
    q->arrives[q->pushed++] = t + p->latency + mc->net->stream[id].fifo_latency;
    q->credit--;
    if (q->used + 1 > mc->out.most[id])
      mc->out.most[id] = q->used + 1;
  }
  mc->out.issue[p->id][s->issued++] = t;
  s->earliest = t + p->ii;
  for (int l = p->nloops - 1; l >= 0; l--) {
    if (++s->index[l] < p->loop[l].trip.c)
      break;
    s->index[l] = 0;
  }
}

Brute brute_run(StArena *a, const StProcessNet *net, const int64_t *depth) {
  Machine mc = {.net = net, .depth = depth};
  mc.queue = ST_NEW_N(a, Queue, (size_t)net->nstreams);
  mc.state = ST_NEW_N(a, State, (size_t)net->nprocesses);
  mc.out.issue = ST_NEW_N(a, int64_t *, (size_t)net->nprocesses);
  mc.out.beats = ST_NEW_N(a, int64_t, (size_t)net->nprocesses);
  mc.out.most = ST_NEW_N(a, int64_t, (size_t)net->nstreams);
  for (int i = 0; i < net->nstreams; i++) {
    const StProcess *p = &net->process[net->stream[i].producer];
    mc.queue[i].arrives = ST_NEW_N(a, int64_t, (size_t)total_beats(p));
    mc.queue[i].credit = depth[i];
  }
  for (int i = 0; i < net->nprocesses; i++)
    mc.out.issue[i] =
        ST_NEW_N(a, int64_t, (size_t)total_beats(&net->process[i]));
  int64_t idle = 0;
  for (int64_t t = 0; idle < 64; t++) { /* longer than any latency */
    bool any = false;
    for (int i = 0; i < net->nstreams; i++)
      mc.queue[i].used = depth[i] - mc.queue[i].credit;
    for (int i = 0; i < net->nprocesses; i++)
      mc.state[i].go = may_issue(&mc, &net->process[i], t);
    for (int i = 0; i < net->nprocesses; i++)
      if (mc.state[i].go) {
        issue(&mc, &net->process[i], t);
        any = true;
        mc.out.cycles = t + 1;
      }
    idle = any ? 0 : idle + 1;
  }
  mc.out.done = true;
  for (int i = 0; i < net->nprocesses; i++) {
    mc.out.beats[i] = mc.state[i].issued;
    mc.out.done &= mc.state[i].issued == total_beats(&net->process[i]);
  }
  return mc.out;
}
