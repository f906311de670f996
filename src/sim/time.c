/* A stream with depth D remembers, for each of its last tokens, when the beat
 * that pushed it was issued and when it was popped. Token m moves in by a beat
 * at t only if
 *   t >= pop(m - D) + 1              (its slot is free)
 * and out by one at t only if
 *   t >= issue(m) + latency + LAT    (it has arrived).
 * A beat is issued at the maximum of these and issue(n - 1) + II. All are known
 * once the other processes have got far enough, in whatever order, so the
 * processes take turns: each runs until it lacks a token, a slot or a window,
 * and is woken by the process that provides it. If none can run and one has
 * beats left, the design is stuck. Runs of beats over the same ends are done
 * end by end (find_lower_bounds, issue_beats, record_beats).
 */
#include "sim/time.h"

#include <string.h>

enum {
  CHUNK = 512, /* beats at a time */
  TURN = 64,   /* chunks after which others get a turn: bounds how far a
                  producer runs ahead where FIFOs have no limit */
};

typedef struct {
  int64_t depth; /* INT64_MAX: without limit */
  int64_t lag;   /* issue of the producer to arrival */
  int64_t pushed, popped;
  int64_t mask;   /* slots of the rings - 1 */
  int64_t *issue; /* ring: issue time of the pushing beat */
  int64_t *pop;   /* ring */
  int64_t seen;   /* tokens that `most` accounts for ... */
  int64_t freed;  /* ... of which so many had left before the last one */
  int64_t most;   /* largest number of slots in use */
  bool wake_producer, wake_consumer;
} Channel;

typedef struct {
  StWalker walker;
  int64_t last; /* issue time of the last beat */
  int64_t first;
  int64_t wait_input, wait_output;
  bool queued, wake_partner;
  /* FILL with flow: a ring of the issue time of every beat, else of the last
   * beat of every window. DRAIN: of the last beat of every window. */
  int64_t *history;
  int64_t mask;
} Runner;

struct StTimer {
  StArena *arena;
  const StProcessNet *net;
  Channel *channel;
  Runner *runner;
  int *queue; /* ring of processes that may be able to run */
  int head, count;
  StTimerHook *hook;
  void *user;
  int64_t *time;           /* [CHUNK] issue times of the beats at hand */
  int64_t *input, *output; /* [CHUNK] lower bounds of them */
};

StTimer *st_timer_new(StArena *a, const StProcessNet *net) {
  StTimer *tm = ST_NEW(a, StTimer);
  tm->arena = a;
  tm->net = net;
  tm->channel = ST_NEW_N(a, Channel, (size_t)net->nstreams);
  tm->runner = ST_NEW_N(a, Runner, (size_t)net->nprocesses);
  tm->queue = ST_NEW_N(a, int, (size_t)net->nprocesses);
  tm->time = ST_NEW_N(a, int64_t, CHUNK);
  tm->input = ST_NEW_N(a, int64_t, CHUNK);
  tm->output = ST_NEW_N(a, int64_t, CHUNK);
  for (int i = 0; i < net->nstreams; i++)
    tm->channel[i].mask = -1;
  for (int i = 0; i < net->nprocesses; i++) {
    tm->runner[i].walker = st_walker_new(a, &net->process[i]);
    tm->runner[i].mask = -1;
  }
  return tm;
}

void st_timer_set_hook(StTimer *tm, StTimerHook *hook, void *user) {
  tm->hook = hook;
  tm->user = user;
}

int64_t st_timer_beats(const StTimer *tm, int p) {
  return tm->runner[p].walker.beat;
}

/* ---- rings -------------------------------------------------------------- */

static int64_t power_of_two(int64_t n) {
  int64_t p = 4;
  while (p < n)
    p *= 2;
  return p;
}

/* Rings of at least n slots that keep tokens freed .. pushed. */
static void grow_channel(StTimer *tm, Channel *c, int64_t n) {
  if (n <= c->mask + 1)
    return;
  int64_t size = power_of_two(n), mask = size - 1;
  int64_t *issue = ST_NEW_N(tm->arena, int64_t, (size_t)size);
  int64_t *pop = ST_NEW_N(tm->arena, int64_t, (size_t)size);
  for (int64_t m = c->freed; m < c->pushed; m++) {
    issue[m & mask] = c->issue[m & c->mask];
    pop[m & mask] = c->pop[m & c->mask];
  }
  c->issue = issue;
  c->pop = pop;
  c->mask = mask;
}

static void start_history(StTimer *tm, Runner *r, int64_t n) {
  if (n <= r->mask + 1)
    return;
  int64_t size = power_of_two(n);
  r->history = ST_NEW_N(tm->arena, int64_t, (size_t)size);
  r->mask = size - 1;
}

/* Brings `most` up to date as far as the known times allow. A token whose count
 * cannot exceed `most` is passed without looking at what had left. */
static void count_slots(Channel *c) {
  while (c->seen < c->pushed) {
    int64_t used = c->seen - c->freed + 1;
    if (used > c->most) {
      int64_t at = c->issue[c->seen & c->mask];
      while (c->freed < c->popped && c->pop[c->freed & c->mask] < at)
        c->freed++;
      used = c->seen - c->freed + 1;
      if (used > c->most && c->freed == c->popped && c->freed < c->seen)
        return; /* the next pop may lie before `at`, or not */
      c->most = used > c->most ? used : c->most;
    }
    c->seen++;
  }
}

/* ---- one process -------------------------------------------------------- */

static void wake(StTimer *tm, int p) {
  Runner *r = &tm->runner[p];
  if (r->queued)
    return;
  r->queued = true;
  int n = tm->net->nprocesses, at = tm->head + tm->count++;
  tm->queue[at < n ? at : at - n] = p;
}

/* How many beats of the run have their tokens and slots; marks what is missing
 * if there are none. */
static int64_t find_count(StTimer *tm, Runner *r) {
  const StWalker *w = &r->walker;
  const StProcess *p = w->process;
  int64_t k = w->run < CHUNK ? w->run : CHUNK;
  for (int i = 0; i < w->nin; i++) {
    Channel *c = &tm->channel[p->in[w->in[i]].stream];
    int64_t n = c->pushed - c->popped;
    k = n < k ? n : k;
    if (!n)
      c->wake_consumer = true;
  }
  for (int i = 0; i < w->nout && k; i++) {
    Channel *c = &tm->channel[p->out[w->out[i]].stream];
    int64_t n = c->depth - (c->pushed - c->popped);
    k = n < k ? n : k;
    if (n <= 0)
      c->wake_producer = true;
    else if (c->depth == INT64_MAX)
      grow_channel(tm, c, c->pushed + k - c->freed);
  }
  return k;
}

/* Lower bounds from the tokens and the slots of k beats. */
static void find_lower_bounds(StTimer *tm, const Runner *r, int64_t k) {
  const StWalker *w = &r->walker;
  const StProcess *p = w->process;
  memset(tm->input, 0, (size_t)k * sizeof tm->input[0]);
  memset(tm->output, 0, (size_t)k * sizeof tm->output[0]);
  for (int e = 0; e < w->nin; e++) {
    const Channel *c = &tm->channel[p->in[w->in[e]].stream];
    for (int64_t i = 0; i < k; i++) {
      int64_t t = c->issue[(c->popped + i) & c->mask] + c->lag;
      tm->input[i] = t > tm->input[i] ? t : tm->input[i];
    }
  }
  for (int e = 0; e < w->nout; e++) {
    const Channel *c = &tm->channel[p->out[w->out[e]].stream];
    int64_t i = c->depth > c->pushed ? c->depth - c->pushed : 0;
    for (; i < k; i++) {
      int64_t t = c->pop[(c->pushed + i - c->depth) & c->mask] + 1;
      tm->output[i] = t > tm->output[i] ? t : tm->output[i];
    }
  }
}

/* Converter, fill: the window k - banks must be drained. Returns how many of
 * the k beats may go. */
static int64_t bound_fill(StTimer *tm, const Runner *r, int64_t k) {
  const StProcess *p = r->walker.process;
  Runner *d = &tm->runner[p->partner];
  if (r->walker.beat % p->window)
    return k;
  int64_t old = r->walker.beat / p->window - p->op->u.converter.banks;
  int64_t size = d->walker.process->window;
  if (old < 0 || !size)
    return k;
  if (d->walker.beat < (old + 1) * size) {
    d->wake_partner = true;
    return 0;
  }
  int64_t t = d->history[old & d->mask] + 1;
  tm->output[0] = t > tm->output[0] ? t : tm->output[0];
  return k;
}

/* Converter, drain: enough of the window must be filled. */
static int64_t bound_drain(StTimer *tm, const Runner *r, int64_t k) {
  const StProcess *p = r->walker.process;
  Runner *f = &tm->runner[p->partner];
  bool flow = p->op->u.converter.flow;
  int64_t window = r->walker.beat / p->window;
  int64_t b = r->walker.beat % p->window, size = f->walker.process->window;
  int64_t filled = f->walker.beat - window * size, before = 0;
  if (b)
    before = st_process_drain_need(tm->net, p, b - 1);
  for (int64_t i = 0; i < k && before < size; i++) {
    int64_t need = st_process_drain_need(tm->net, p, b + i);
    if (need > filled) {
      f->wake_partner = i == 0;
      return i;
    }
    before = need;
    int64_t at = flow ? window * size + need - 1 : window;
    int64_t t = f->history[at & f->mask] + tm->net->buffer_latency;
    tm->input[i] = t > tm->input[i] ? t : tm->input[i];
  }
  return k;
}

/* Issue times of k beats. */
static void issue_beats(StTimer *tm, Runner *r, int64_t k) {
  const int64_t ii = r->walker.process->ii;
  int64_t t = r->last, waited = 0, total = 0;
  for (int64_t i = 0; i < k; i++) {
    int64_t start = t + ii;
    int64_t in = tm->input[i] > start ? tm->input[i] : start;
    t = tm->output[i] > in ? tm->output[i] : in;
    waited += in - start;
    total += t - start;
    tm->time[i] = t;
  }
  if (!r->walker.beat)
    r->first = tm->time[0];
  r->last = t;
  r->wait_input += waited;
  r->wait_output += total - waited;
}

static void record_history(StTimer *tm, Runner *r, int64_t k) {
  const StProcess *p = r->walker.process;
  int64_t end = r->walker.beat + k;
  if (p->kind == ST_PROC_FILL && p->op->u.converter.flow)
    for (int64_t i = 0; i < k; i++)
      r->history[(r->walker.beat + i) & r->mask] = tm->time[i];
  else if (end % p->window)
    return;
  else
    r->history[(end / p->window - 1) & r->mask] = tm->time[k - 1];
  if (r->wake_partner) {
    r->wake_partner = false;
    wake(tm, p->partner);
  }
}

static void record_beats(StTimer *tm, Runner *r, int64_t k) {
  const StWalker *w = &r->walker;
  const StProcess *p = w->process;
  for (int e = 0; e < w->nin; e++) {
    Channel *c = &tm->channel[p->in[w->in[e]].stream];
    for (int64_t i = 0; i < k; i++)
      c->pop[(c->popped + i) & c->mask] = tm->time[i];
    c->popped += k;
    count_slots(c);
    if (c->wake_producer) {
      c->wake_producer = false;
      wake(tm, tm->net->stream[p->in[w->in[e]].stream].producer);
    }
  }
  for (int e = 0; e < w->nout; e++) {
    Channel *c = &tm->channel[p->out[w->out[e]].stream];
    for (int64_t i = 0; i < k; i++)
      c->issue[(c->pushed + i) & c->mask] = tm->time[i];
    c->pushed += k;
    count_slots(c);
    if (c->wake_consumer) {
      c->wake_consumer = false;
      wake(tm, tm->net->stream[p->out[w->out[e]].stream].consumer);
    }
  }
  if (p->partner >= 0)
    record_history(tm, r, k);
}

/* Issues beats of process p until it lacks something or is at its end. */
static void advance(StTimer *tm, int p) {
  Runner *r = &tm->runner[p];
  StProcessKind kind = r->walker.process->kind;
  for (int chunk = 0; r->walker.run; chunk++) {
    if (chunk == TURN) {
      wake(tm, p);
      return;
    }
    int64_t k = find_count(tm, r);
    if (k <= 0)
      return;
    find_lower_bounds(tm, r, k);
    if (kind == ST_PROC_FILL)
      k = bound_fill(tm, r, k);
    else if (kind == ST_PROC_DRAIN)
      k = bound_drain(tm, r, k);
    if (!k)
      return;
    issue_beats(tm, r, k);
    record_beats(tm, r, k);
    if (tm->hook)
      tm->hook(tm->user, &r->walker, k, tm->time);
    st_walker_advance(&r->walker, k);
  }
}

/* ---- a step ------------------------------------------------------------- */

static void start(StTimer *tm, const int64_t *depth) {
  const StProcessNet *net = tm->net;
  for (int i = 0; i < net->nstreams; i++) {
    const StStream *s = &net->stream[i];
    Channel *c = &tm->channel[i];
    c->depth = depth[i] ? depth[i] : INT64_MAX;
    c->lag = net->process[s->producer].latency + s->fifo_latency;
    c->pushed = c->popped = c->seen = c->freed = c->most = 0;
    c->wake_producer = c->wake_consumer = false;
    int64_t tokens = net->process[s->producer].out[s->out].tokens;
    int64_t slots = c->depth < tokens ? c->depth : tokens;
    grow_channel(tm, c, depth[i] ? slots : 1);
  }
  tm->head = tm->count = 0;
  for (int i = 0; i < net->nprocesses; i++) {
    const StProcess *p = &net->process[i];
    Runner *r = &tm->runner[i];
    st_walker_start(&r->walker);
    r->last = -p->ii;
    r->first = -1;
    r->wait_input = r->wait_output = 0;
    r->queued = r->wake_partner = false;
    if (p->partner >= 0) {
      const StConverter *c = &p->op->u.converter;
      bool every = p->kind == ST_PROC_FILL && c->flow;
      start_history(tm, r, c->banks * (every ? p->window : 1));
    }
    wake(tm, i);
  }
}

bool st_timer_run(StTimer *tm, const int64_t *depth, StProcessStats *process,
                  StStreamStats *stream) {
  const StProcessNet *net = tm->net;
  bool done = true;
  start(tm, depth);
  while (tm->count) {
    int p = tm->queue[tm->head];
    tm->head = tm->head + 1 < net->nprocesses ? tm->head + 1 : 0;
    tm->count--;
    tm->runner[p].queued = false;
    advance(tm, p);
  }
  for (int i = 0; i < net->nprocesses; i++) {
    const Runner *r = &tm->runner[i];
    done = done && r->walker.beat == r->walker.process->beats;
    if (process)
      process[i] = (StProcessStats){.beats = r->walker.beat,
                                    .first = r->first,
                                    .last = r->walker.beat ? r->last : -1,
                                    .wait_input = r->wait_input,
                                    .wait_output = r->wait_output};
  }
  for (int i = 0; i < net->nstreams && stream; i++)
    stream[i] = (StStreamStats){tm->channel[i].pushed, tm->channel[i].most};
  return done;
}

/* ---- what is missing ---------------------------------------------------- */

static int converter_wait(const StTimer *tm, const StProcess *p, StWait *wait) {
  const Runner *r = &tm->runner[p->id], *other = &tm->runner[p->partner];
  int64_t window = r->walker.beat / p->window;
  const StProcess *q = other->walker.process;
  bool fill = p->kind == ST_PROC_FILL;
  int64_t need;
  if (fill)
    need = r->walker.beat % p->window
               ? 0
               : (window - p->op->u.converter.banks + 1) * q->window;
  else
    need = window * q->window +
           st_process_drain_need(tm->net, p, r->walker.beat % p->window);
  if (other->walker.beat >= need)
    return 0;
  *wait = (StWait){.kind = fill ? ST_WAIT_DRAIN : ST_WAIT_FILL,
                   .process = p->id,
                   .on = q->id,
                   .stream = -1};
  return 1;
}

int st_timer_waits(const StTimer *tm, int id, StWait *wait, int max) {
  const StWalker *w = &tm->runner[id].walker;
  const StProcess *p = w->process;
  int n = 0;
  if (!w->run)
    return 0;
  for (int e = 0; e < w->nin && n < max; e++) {
    int s = p->in[w->in[e]].stream;
    const Channel *c = &tm->channel[s];
    if (c->pushed == c->popped)
      wait[n++] = (StWait){ST_WAIT_EMPTY, id, tm->net->stream[s].producer, s, 0,
                           c->depth};
  }
  for (int e = 0; e < w->nout && n < max; e++) {
    int s = p->out[w->out[e]].stream;
    const Channel *c = &tm->channel[s];
    if (c->pushed - c->popped >= c->depth)
      wait[n++] = (StWait){
          ST_WAIT_FULL,          id,      tm->net->stream[s].consumer, s,
          c->pushed - c->popped, c->depth};
  }
  if (p->partner >= 0 && n < max)
    n += converter_wait(tm, p, &wait[n]);
  return n;
}
