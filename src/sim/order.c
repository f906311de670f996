/* As src/sim/time.c, with counts in place of times: a process runs as far as
 * tokens, slots and windows allow, then others get their turn. */
#include "sim/order.h"

enum { CHUNK = 1024 }; /* beats of one visit at most */

typedef struct {
  int64_t pushed, popped, depth;
  bool wake_producer, wake_consumer;
} Channel;

struct StOrder {
  const StProcessNet *net;
  Channel *channel; /* [nstreams] */
  StWalker *walker; /* [nprocesses] */
  bool *left_out;   /* [nprocesses] */
  bool *queued;     /* [nprocesses] */
  int *queue;       /* ring of processes that may be able to run */
  int head, count;
};

StOrder *st_order_new(StArena *a, const StProcessNet *net) {
  StOrder *o = ST_NEW(a, StOrder);
  o->net = net;
  o->channel = ST_NEW_N(a, Channel, net->nstreams);
  o->walker = ST_NEW_N(a, StWalker, net->nprocesses);
  o->left_out = ST_NEW_N(a, bool, net->nprocesses);
  o->queued = ST_NEW_N(a, bool, net->nprocesses);
  o->queue = ST_NEW_N(a, int, net->nprocesses);
  for (int i = 0; i < net->nprocesses; i++)
    o->walker[i] = st_walker_new(a, &net->process[i]);
  return o;
}

void st_order_leave_out(StOrder *o, int process) {
  o->left_out[process] = true;
}

static void wake(StOrder *o, int p) {
  if (o->queued[p])
    return;
  o->queued[p] = true;
  int n = o->net->nprocesses, at = o->head + o->count++;
  o->queue[at < n ? at : at - n] = p;
}

/* Fill beats that need no window to be drained first, from the next one on. */
static int64_t count_fill(const StOrder *o, const StProcess *p) {
  const StWalker *d = &o->walker[p->partner];
  int64_t drained = d->process->window ? d->window : p->windows;
  int64_t banks = p->op->u.converter.banks;
  if (d->run == 0)
    drained = p->windows;
  return (drained + banks) * p->window - o->walker[p->id].beat;
}

/* Drain beats of the present window whose elements are there, at most k. */
static int64_t count_drain(const StOrder *o, const StProcess *p, int64_t k) {
  const StWalker *f = &o->walker[p->partner];
  const StWalker *w = &o->walker[p->id];
  int64_t filled = f->beat - w->window * f->process->window;
  if (filled >= f->process->window)
    return k;
  int64_t n = 0;
  while (n < k && st_process_drain_need(o->net, p, w->at + n) <= filled)
    n++;
  return n;
}

/* How many beats of the run can go; marks what is missing if none can. */
static int64_t find_count(StOrder *o, const StProcess *p) {
  const StWalker *w = &o->walker[p->id];
  int64_t k = w->run < CHUNK ? w->run : CHUNK;
  for (int i = 0; i < w->nin; i++) {
    Channel *c = &o->channel[p->in[w->in[i]].stream];
    int64_t n = c->pushed - c->popped;
    k = n < k ? n : k;
    c->wake_consumer |= n <= 0;
  }
  for (int i = 0; i < w->nout; i++) {
    Channel *c = &o->channel[p->out[w->out[i]].stream];
    int64_t n = c->depth - (c->pushed - c->popped);
    k = n < k ? n : k;
    c->wake_producer |= n <= 0;
  }
  if (k > 0 && p->kind == ST_PROC_FILL) {
    int64_t n = count_fill(o, p);
    k = n < k ? n : k;
  }
  if (k > 0 && p->kind == ST_PROC_DRAIN)
    k = count_drain(o, p, k);
  return k;
}

static void record(StOrder *o, const StProcess *p, int64_t k) {
  const StWalker *w = &o->walker[p->id];
  for (int i = 0; i < w->nin; i++) {
    const StStream *s = &o->net->stream[p->in[w->in[i]].stream];
    Channel *c = &o->channel[s->id];
    c->popped += k;
    if (c->wake_producer)
      wake(o, s->producer);
    c->wake_producer = false;
  }
  for (int i = 0; i < w->nout; i++) {
    const StStream *s = &o->net->stream[p->out[w->out[i]].stream];
    Channel *c = &o->channel[s->id];
    c->pushed += k;
    if (c->wake_consumer)
      wake(o, s->consumer);
    c->wake_consumer = false;
  }
}

static void advance(StOrder *o, int id, StOrderVisit *visit, void *user) {
  const StProcess *p = &o->net->process[id];
  StWalker *w = &o->walker[id];
  int64_t first = w->beat;
  for (int64_t k; w->run && (k = find_count(o, p)) > 0;) {
    visit(user, w, k);
    record(o, p, k);
    st_walker_advance(w, k);
  }
  if (p->partner >= 0 && w->beat > first)
    wake(o, p->partner);
}

bool st_order_run(StOrder *o, const int64_t *depth, StOrderVisit *visit,
                  void *user) {
  int n = o->net->nprocesses;
  o->head = o->count = 0;
  for (int i = 0; i < o->net->nstreams; i++) {
    bool endless = o->left_out[o->net->stream[i].producer];
    o->channel[i] = (Channel){.depth = depth[i]};
    o->channel[i].pushed = endless ? INT64_MAX : 0;
  }
  for (int i = 0; i < n; i++) {
    if (o->left_out[i])
      continue;
    st_walker_start(&o->walker[i]);
    wake(o, i);
  }
  while (o->count) {
    int p = o->queue[o->head];
    o->head = o->head + 1 < n ? o->head + 1 : 0;
    o->count--;
    o->queued[p] = false;
    advance(o, p, visit, user);
  }
  for (int i = 0; i < n; i++)
    if (!o->left_out[i] && o->walker[i].run)
      return false;
  return true;
}
