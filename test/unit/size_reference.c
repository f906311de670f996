/* See size_reference.h. In rounds over the processes that may go on, each as
 * far as its tokens and windows reach; latest times the same backwards. */
#include "size_reference.h"

#include <string.h>

#define NEVER INT64_MAX /* no beat needs it: as late as one likes */

struct SizeReference {
  StArena *arena;
  const StProcessNet *net;
  int64_t **issue; /* [process][beat] */
  int64_t *done;   /* [process] beats known, from the side at hand */
  bool *queued;
  int *queue;
  int head, count;
};

SizeReference *size_reference_new(StArena *a, const StProcessNet *net) {
  SizeReference *s = ST_NEW(a, SizeReference);
  s->arena = a;
  s->net = net;
  s->issue = ST_NEW_N(a, int64_t *, net->nprocesses);
  s->done = ST_NEW_N(a, int64_t, net->nprocesses);
  s->queued = ST_NEW_N(a, bool, net->nprocesses);
  s->queue = ST_NEW_N(a, int, net->nprocesses);
  for (int i = 0; i < net->nprocesses; i++)
    s->issue[i] = ST_NEW_N(a, int64_t, net->process[i].beats);
  return s;
}

/* ---- ends --------------------------------------------------------------- */

/* The beat that moves token m, 0 <= m < e->tokens. */
static int64_t end_beat(const StEnd *e, int64_t m) {
  for (int i = e->nconds - 1; i >= 0; i--) {
    const StCond *c = &e->cond[i];
    int64_t width = c->hi - c->lo;
    m = m / width * c->cycle + c->lo + m % width;
  }
  return m;
}

/* Tokens moved by the beats before beat b. */
static int64_t end_tokens(const StEnd *e, int64_t b) {
  for (int i = 0; i < e->nconds; i++) {
    const StCond *c = &e->cond[i];
    int64_t width = c->hi - c->lo, in = b % c->cycle - c->lo;
    in = in < 0 ? 0 : in > width ? width : in;
    b = b / c->cycle * width + in;
  }
  return b;
}

/* ---- taking turns ------------------------------------------------------- */

static void wake(SizeReference *s, int p) {
  int n = s->net->nprocesses, at = s->head + s->count;
  if (p < 0 || s->queued[p])
    return;
  s->queued[p] = true;
  s->queue[at < n ? at : at - n] = p;
  s->count++;
}

static void wake_neighbours(SizeReference *s, const StProcess *p) {
  for (int k = 0; k < p->nin; k++)
    wake(s, s->net->stream[p->in[k].stream].producer);
  for (int k = 0; k < p->nout; k++)
    wake(s, s->net->stream[p->out[k].stream].consumer);
  wake(s, p->partner);
}

/* Calls `advance` until no process can go on. */
static void take_turns(SizeReference *s,
                       bool (*advance)(SizeReference *, const StProcess *)) {
  const StProcessNet *net = s->net;
  s->head = s->count = 0;
  for (int i = 0; i < net->nprocesses; i++)
    wake(s, i);
  while (s->count) {
    const StProcess *p = &net->process[s->queue[s->head]];
    s->head = s->head + 1 < net->nprocesses ? s->head + 1 : 0;
    s->count--;
    s->queued[p->id] = false;
    if (advance(s, p))
      wake_neighbours(s, p);
  }
}

/* ---- what beats wait for ------------------------------------------------ */

static const StEnd *pusher(const StProcessNet *net, const StStream *x) {
  return &net->process[x->producer].out[x->out];
}

static const StEnd *popper(const StProcessNet *net, const StStream *x) {
  return &net->process[x->consumer].in[x->in];
}

static bool fires(const StEnd *e, int64_t b) {
  return end_tokens(e, b + 1) > end_tokens(e, b);
}

/* Issue of the pushing beat to the first cycle in which it can be popped. */
static int64_t lag(const StProcessNet *net, const StStream *x) {
  return net->process[x->producer].latency + x->fifo_latency;
}

/* DRAIN beat b: the last fill beat that it needs, or -1. FILL beat b: the drain
 * beat that it needs, or -1. */
static int64_t partner_before(const StProcessNet *net, const StProcess *p,
                              int64_t b) {
  const StProcess *q = &net->process[p->partner];
  int64_t k = b / p->window;
  if (p->kind == ST_PROC_FILL)
    return b % p->window ? -1
                         : (k - p->op->u.converter.banks + 1) * q->window - 1;
  int64_t need = st_process_drain_need(net, p, b % p->window);
  return need ? k * q->window + need - 1 : -1;
}

/* The first beat of the other side of a converter that needs beat b, or -1. */
static int64_t partner_after(const StProcessNet *net, const StProcess *p,
                             int64_t b) {
  const StProcess *q = &net->process[p->partner];
  const StConverter *c = &p->op->u.converter;
  int64_t k = b / p->window, in = b % p->window;
  if (!q->window)
    return -1;
  if (p->kind == ST_PROC_DRAIN) {
    k += c->banks;
    return in + 1 < p->window || k >= q->windows ? -1 : k * q->window;
  }
  if (!c->flow)
    return k * q->window;
  int64_t first = in * net->stream[p->in[0].stream].elements /
                  net->stream[q->out[0].stream].elements;
  return first < q->window ? k * q->window + first : -1;
}

static int64_t partner_lag(const StProcessNet *net, const StProcess *p) {
  return p->kind == ST_PROC_DRAIN ? net->buffer_latency : 1;
}

/* ---- earliest ----------------------------------------------------------- */

/* False: something that beat b needs is not known yet. */
static bool find_earliest(const SizeReference *s, const StProcess *p, int64_t b,
                          int64_t *t) {
  const StProcessNet *net = s->net;
  *t = b ? s->issue[p->id][b - 1] + p->ii : 0;
  for (int k = 0; k < p->nin; k++) {
    const StStream *x = &net->stream[p->in[k].stream];
    if (!fires(&p->in[k], b))
      continue;
    int64_t m = end_tokens(&p->in[k], b);
    if (m >= pusher(net, x)->tokens)
      return false;
    int64_t from = end_beat(pusher(net, x), m);
    if (from >= s->done[x->producer])
      return false;
    int64_t at = s->issue[x->producer][from] + lag(net, x);
    *t = at > *t ? at : *t;
  }
  if (p->partner < 0)
    return true;
  int64_t from = partner_before(net, p, b);
  if (from < 0)
    return true;
  if (from >= s->done[p->partner])
    return false;
  int64_t at = s->issue[p->partner][from] + partner_lag(net, p);
  *t = at > *t ? at : *t;
  return true;
}

static bool advance_earliest(SizeReference *s, const StProcess *p) {
  int64_t b = s->done[p->id], first = b;
  while (b < p->beats && find_earliest(s, p, b, &s->issue[p->id][b]))
    s->done[p->id] = ++b;
  return b > first;
}

bool size_reference_earliest(SizeReference *s) {
  const StProcessNet *net = s->net;
  memset(s->done, 0, (size_t)net->nprocesses * sizeof *s->done);
  take_turns(s, advance_earliest);
  for (int i = 0; i < net->nprocesses; i++)
    if (s->done[i] < net->process[i].beats)
      return false;
  return true;
}

/* ---- latest ------------------------------------------------------------- */

/* False: a beat that needs beat b is not known yet; `done` counts from the last
 * beat. */
static bool find_latest(const SizeReference *s, const StProcess *p, int64_t b,
                        int64_t *t) {
  const StProcessNet *net = s->net;
  *t = NEVER;
  if (b + 1 < p->beats && s->issue[p->id][b + 1] != NEVER)
    *t = s->issue[p->id][b + 1] - p->ii;
  for (int k = 0; k < p->nout; k++) {
    const StStream *x = &net->stream[p->out[k].stream];
    if (!fires(&p->out[k], b))
      continue;
    int64_t to = end_beat(popper(net, x), end_tokens(&p->out[k], b));
    if (net->process[x->consumer].beats - to > s->done[x->consumer])
      return false;
    int64_t at = s->issue[x->consumer][to];
    if (at != NEVER && at - lag(net, x) < *t)
      *t = at - lag(net, x);
  }
  int64_t to = p->partner < 0 ? -1 : partner_after(net, p, b);
  if (to < 0)
    return true;
  const StProcess *q = &net->process[p->partner];
  if (q->beats - to > s->done[q->id])
    return false;
  int64_t at = s->issue[q->id][to];
  if (at != NEVER && at - partner_lag(net, q) < *t)
    *t = at - partner_lag(net, q);
  return true;
}

static bool advance_latest(SizeReference *s, const StProcess *p) {
  int64_t first = s->done[p->id];
  while (s->done[p->id] < p->beats) {
    int64_t b = p->beats - 1 - s->done[p->id];
    if (!find_latest(s, p, b, &s->issue[p->id][b]))
      break;
    s->done[p->id]++;
  }
  return s->done[p->id] > first;
}

/* Processes at which the data ends. */
static bool is_sink(const StProcess *p) {
  return p->nout == 0 &&
         (p->kind != ST_PROC_FILL || p->op->u.converter.banks == 1);
}

static bool pushes(const StProcess *p, int64_t b) {
  bool any = false;
  for (int k = 0; k < p->nout; k++)
    any |= fires(&p->out[k], b);
  return any;
}

void size_reference_latest(SizeReference *s) {
  const StProcessNet *net = s->net;
  for (int i = 0; i < net->nprocesses; i++) {
    const StProcess *p = &net->process[i];
    s->done[i] = is_sink(p) ? p->beats : 0;
  }
  take_turns(s, advance_latest);
  for (int i = 0; i < net->nprocesses; i++) {
    const StProcess *p = &net->process[i];
    ST_CHECK(s->done[i] == p->beats, "latest times have no order");
    while (s->done[i] && s->issue[i][s->done[i] - 1] == NEVER)
      s->done[i]--;
  }
  take_turns(s, advance_earliest);
  for (int i = 0; i < net->nprocesses; i++)
    for (int64_t b = 0; b < net->process[i].beats; b++)
      if (!pushes(&net->process[i], b) && !is_sink(&net->process[i]))
        find_earliest(s, &net->process[i], b, &s->issue[i][b]);
}

int64_t size_reference_at(const SizeReference *s, int process, int64_t beat) {
  return s->issue[process][beat];
}

int64_t size_reference_depth(const SizeReference *s, int stream) {
  const StStream *x = &s->net->stream[stream];
  const StEnd *out = pusher(s->net, x), *in = popper(s->net, x);
  int64_t freed = 0, most = 0;
  for (int64_t m = 0; m < out->tokens; m++) {
    int64_t at = s->issue[x->producer][end_beat(out, m)];
    while (freed < m && s->issue[x->consumer][end_beat(in, freed)] < at)
      freed++;
    most = m - freed + 1 > most ? m - freed + 1 : most;
  }
  return most;
}

int64_t *size_reference_times(SizeReference *s, int process) {
  return s->issue[process];
}

bool size_reference_valid(SizeReference *s) {
  const StProcessNet *net = s->net;
  int64_t least;
  for (int i = 0; i < net->nprocesses; i++)
    s->done[i] = net->process[i].beats;
  for (int i = 0; i < net->nprocesses; i++)
    for (int64_t b = 0; b < net->process[i].beats; b++)
      if (!find_earliest(s, &net->process[i], b, &least) ||
          s->issue[i][b] < least)
        return false;
  for (int i = 0; i < net->nstreams; i++)
    if (size_reference_depth(s, i) > net->stream[i].depth)
      return false;
  return true;
}
