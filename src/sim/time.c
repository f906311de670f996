/* A stream with depth D remembers, for each of its last tokens, when the beat
 * that pushed it was issued and when it was popped. A beat can push token m at
 * t only if
 *   t >= pop(m - D) + 1              (its slot is free)
 * and pop it at t only if
 *   t >= issue(m) + latency + LAT    (it has arrived).
 * A beat is issued at the maximum of these and issue(n - 1) + II. All are known
 * once the other processes have got far enough, in whatever order, so the
 * processes take turns: each runs until it lacks a token, a slot or a window,
 * and is woken by the process that provides it. If none can run and one has
 * beats left, the design is stuck.
 */
#include "sim/time_state.h"

#include <string.h>

/* Beats after which others get a turn: bounds how far a producer runs ahead
 * where FIFOs have no limit. */
enum { TURN = 1 << 15 };

StTimer *st_timer_new(StArena *a, const StProcessNet *net) {
  StTimer *tm = ST_NEW(a, StTimer);
  tm->arena = a;
  tm->net = net;
  tm->channel = ST_NEW_N(a, StTimeChannel, net->nstreams);
  tm->runner = ST_NEW_N(a, StTimeRunner, net->nprocesses);
  tm->queue = ST_NEW_N(a, int, net->nprocesses);
  for (int i = 0; i < net->nstreams; i++)
    tm->channel[i].mask = -1;
  for (int i = 0; i < net->nprocesses; i++) {
    const StProcess *p = &net->process[i];
    StTimeRunner *r = &tm->runner[i];
    r->walker = st_walker_new(a, p);
    r->mask = -1;
    r->in = ST_NEW_N(a, StTimeChannel *, p->nin);
    r->out = ST_NEW_N(a, StTimeChannel *, p->nout);
    for (int e = 0; e < p->nin; e++)
      r->in[e] = &tm->channel[p->in[e].stream];
    for (int e = 0; e < p->nout; e++)
      r->out[e] = &tm->channel[p->out[e].stream];
  }
  tm->periods = st_periods_new(tm);
  return tm;
}

int64_t st_timer_skipped(const StTimer *tm) { return st_periods_skipped(tm); }

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
static void grow_channel(StTimer *tm, StTimeChannel *c, int64_t n) {
  if (n <= c->mask + 1)
    return;
  int64_t size = power_of_two(n), mask = size - 1;
  int64_t *issue = ST_NEW_N(tm->arena, int64_t, size);
  int64_t *pop = ST_NEW_N(tm->arena, int64_t, size);
  for (int64_t m = c->freed; m < c->pushed; m++) {
    issue[m & mask] = c->issue[m & c->mask];
    pop[m & mask] = c->pop[m & c->mask];
  }
  c->issue = issue;
  c->pop = pop;
  c->mask = mask;
}

static void start_history(StTimer *tm, StTimeRunner *r, int64_t n) {
  if (n <= r->mask + 1)
    return;
  int64_t size = power_of_two(n);
  r->history = ST_NEW_N(tm->arena, int64_t, size);
  r->mask = size - 1;
}

/* Brings `most` up to date as far as the known times allow. A token whose count
 * cannot exceed `most` is passed without looking at what had left. */
void st_time_count_slots(const StTimer *tm, StTimeChannel *c) {
  const StTimeRunner *to = &tm->runner[c->consumer];
  int64_t next_pop = to->last + to->walker.process->ii; /* not before */
  if (c->most == c->depth)
    c->seen = c->pushed; /* no more can be found */
  while (c->seen < c->pushed) {
    int64_t used = c->seen - c->freed + 1;
    if (used > c->most) {
      int64_t at = c->issue[c->seen & c->mask];
      while (c->freed < c->popped && c->pop[c->freed & c->mask] < at)
        c->freed++;
      used = c->seen - c->freed + 1;
      if (used > c->most && c->freed == c->popped && c->freed < c->seen &&
          next_pop < at)
        return; /* the next pop may lie before `at`, or not */
      c->most = used > c->most ? used : c->most;
    }
    c->seen++;
  }
}

/* ---- one process -------------------------------------------------------- */

static void wake(StTimer *tm, int p) {
  StTimeRunner *r = &tm->runner[p];
  if (r->queued)
    return;
  r->queued = true;
  int n = tm->net->nprocesses, at = tm->head + tm->count++;
  tm->queue[at < n ? at : at - n] = p;
}

/* Converter, first fill beat of a window: the window `banks` before must be
 * drained. False: it is not; else *t is when it was, if that is later. */
static bool window_is_free(StTimer *tm, const StTimeRunner *r, int64_t *t) {
  const StProcess *p = r->walker.process;
  StTimeRunner *d = &tm->runner[p->partner];
  int64_t old = r->window - p->op->u.converter.banks;
  if (old < 0 || !d->walker.process->window)
    return true;
  if (d->window <= old) {
    d->wake_partner = true;
    return false;
  }
  int64_t free = d->history[old & d->mask] + 1;
  *t = free > *t ? free : *t;
  return true;
}

/* Converter, drain beat: *need fill beats of the window must be there. */
static bool window_is_there(StTimer *tm, const StTimeRunner *r, int64_t *need,
                            int64_t *t) {
  const StProcess *p = r->walker.process;
  StTimeRunner *f = &tm->runner[p->partner];
  int64_t size = f->walker.process->window;
  *need = st_process_drain_need(tm->net, p, r->at);
  if (f->walker.beat - r->window * size < *need) {
    f->wake_partner = true;
    return false;
  }
  int64_t at = f->every ? r->window * size + *need - 1 : r->window;
  int64_t there = f->history[at & f->mask] + tm->net->buffer_latency;
  *t = there > *t ? there : *t;
  return true;
}

/* Issues the next beat; false: it lacks something, which is marked. */
static inline bool issue_beat(StTimer *tm, StTimeRunner *r) {
  const StWalker *w = &r->walker;
  const StProcess *p = w->process;
  const int64_t start = r->last + p->ii;
  int64_t t = start, need = r->need;
  for (int e = 0; e < w->nin; e++) {
    StTimeChannel *c = r->in[w->in[e]];
    if (c->popped == c->pushed) {
      c->wake_consumer = true;
      return false;
    }
    int64_t arrives = c->issue[c->popped & c->mask] + c->lag;
    t = arrives > t ? arrives : t;
  }
  if (p->kind == ST_PROC_DRAIN && need < tm->net->process[p->partner].window &&
      !window_is_there(tm, r, &need, &t))
    return false;
  const int64_t arrived = t;
  for (int e = 0; e < w->nout; e++) {
    StTimeChannel *c = r->out[w->out[e]];
    if (c->pushed - c->popped >= c->depth) {
      c->wake_producer = true;
      return false;
    }
    if (c->depth == INT64_MAX) {
      grow_channel(tm, c, c->pushed + 1 - c->freed);
      continue;
    }
    int64_t left = c->pop[(c->pushed - c->depth) & c->mask];
    t = left >= t ? left + 1 : t;
  }
  if (p->kind == ST_PROC_FILL && !r->at && !window_is_free(tm, r, &t))
    return false;
  r->wait_input += arrived - start;
  r->last = t;
  r->need = need;
  for (int e = 0; e < w->nin; e++) {
    StTimeChannel *c = r->in[w->in[e]];
    c->pop[c->popped++ & c->mask] = t;
  }
  for (int e = 0; e < w->nout; e++) {
    StTimeChannel *c = r->out[w->out[e]];
    c->issue[c->pushed++ & c->mask] = t;
  }
  return true;
}

/* Of a converter's process that has issued beat number `beat`. */
static void record_window(StTimer *tm, StTimeRunner *r, int64_t beat) {
  const StProcess *p = r->walker.process;
  bool last = ++r->at == p->window;
  if (r->every)
    r->history[beat & r->mask] = r->last;
  else if (last)
    r->history[r->window & r->mask] = r->last;
  if (last) {
    r->at = r->need = 0;
    r->window++;
  }
  if (r->wake_partner && (last || r->every)) {
    r->wake_partner = false;
    wake(tm, p->partner);
  }
}

/* Counts slots and wakes whoever waited for what this process did. */
static void settle(StTimer *tm, StTimeRunner *r) {
  const StProcess *p = r->walker.process;
  for (int e = 0; e < p->nin; e++) {
    StTimeChannel *c = r->in[e];
    if (c->seen < c->pushed)
      st_time_count_slots(tm, c);
    if (c->wake_producer && c->pushed - c->popped < c->depth) {
      c->wake_producer = false;
      wake(tm, c->producer);
    }
  }
  for (int e = 0; e < p->nout; e++) {
    StTimeChannel *c = r->out[e];
    st_time_count_slots(tm, c);
    if (c->wake_consumer && c->pushed > c->popped) {
      c->wake_consumer = false;
      wake(tm, c->consumer);
    }
  }
}

/* Issues beats of process p until it lacks something or is at its end. */
static void advance(StTimer *tm, int id) {
  StTimeRunner *r = &tm->runner[id];
  StWalker *w = &r->walker;
  const bool converter = w->process->partner >= 0;
  int64_t beats = 0;
  bool able = true;
  while (able && w->run && beats < TURN && w->beat < r->boundary) {
    int64_t k = 0, most = r->boundary - w->beat;
    most = w->run < most ? w->run : most;
    while (k < most && (able = issue_beat(tm, r))) {
      int64_t beat = w->beat + k++;
      if (beat == 0)
        r->first = r->last;
      if (converter)
        record_window(tm, r, beat);
      if (tm->hook)
        tm->hook(tm->user, id, beat, r->last);
    }
    if (k)
      st_walker_advance(w, k);
    beats += k;
  }
  tm->issued += beats;
  if (able && w->run)
    wake(tm, id);
  settle(tm, r);
}

/* ---- a step ------------------------------------------------------------- */

static void start_channel(StTimer *tm, int i, int64_t depth) {
  const StStream *s = &tm->net->stream[i];
  const StProcess *p = &tm->net->process[s->producer];
  StTimeChannel *c = &tm->channel[i];
  int64_t most = p->out[s->out].tokens > 1 ? p->out[s->out].tokens : 1;
  c->producer = s->producer;
  c->consumer = s->consumer;
  c->lag = p->latency + s->fifo_latency;
  c->pushed = c->popped = c->seen = c->freed = c->most = 0;
  c->wake_producer = c->wake_consumer = false;
  c->depth = !depth ? INT64_MAX : depth < most ? depth : most;
  grow_channel(tm, c, depth ? c->depth : 1);
  /* Slots that no token has had yet are free from cycle 0 on. */
  for (int64_t n = 0; n <= c->mask; n++)
    c->pop[n] = -1;
}

static void start_runner(StTimer *tm, int i) {
  const StProcess *p = &tm->net->process[i];
  StTimeRunner *r = &tm->runner[i];
  st_walker_start(&r->walker);
  r->last = -p->ii;
  r->first = -1;
  r->wait_input = 0;
  r->queued = r->wake_partner = false;
  r->window = r->at = r->need = 0;
  if (p->partner >= 0) {
    const StConverter *c = &p->op->u.converter;
    r->every = p->kind == ST_PROC_FILL && c->flow;
    start_history(tm, r, c->banks * (r->every ? p->window : 1));
  }
}

bool st_timer_run(StTimer *tm, const int64_t *depth, StProcessStats *process,
                  StStreamStats *stream) {
  const StProcessNet *net = tm->net;
  bool done = true, limited = true;
  for (int i = 0; i < net->nstreams; i++) {
    start_channel(tm, i, depth[i]);
    limited = limited && depth[i];
  }
  tm->head = tm->count = 0;
  tm->issued = 0;
  for (int i = 0; i < net->nprocesses; i++) {
    start_runner(tm, i);
    wake(tm, i);
  }
  st_periods_start(tm, limited && !tm->hook);
  while (tm->count) {
    int p = tm->queue[tm->head];
    tm->head = tm->head + 1 < net->nprocesses ? tm->head + 1 : 0;
    tm->count--;
    tm->runner[p].queued = false;
    advance(tm, p);
    if (tm->runner[p].walker.beat == tm->runner[p].boundary)
      st_periods_look(tm, p);
  }
  for (int i = 0; i < net->nprocesses; i++) {
    const StTimeRunner *r = &tm->runner[i];
    int64_t beats = r->walker.beat;
    done = done && !r->walker.run;
    if (process)
      process[i] = (StProcessStats){
          .beats = beats,
          .first = r->first,
          .last = beats ? r->last : -1,
          .wait_input = r->wait_input,
          .wait_output =
              r->last - (beats - 1) * net->process[i].ii - r->wait_input};
  }
  for (int i = 0; i < net->nstreams && stream; i++)
    stream[i] = (StStreamStats){tm->channel[i].pushed, tm->channel[i].most};
  return done;
}

/* ---- what is missing ---------------------------------------------------- */

static int converter_wait(const StTimer *tm, const StProcess *p, StWait *wait) {
  const StTimeRunner *r = &tm->runner[p->id], *other = &tm->runner[p->partner];
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
    const StTimeChannel *c = &tm->channel[s];
    if (c->pushed == c->popped)
      wait[n++] = (StWait){ST_WAIT_EMPTY, id, tm->net->stream[s].producer, s, 0,
                           c->depth};
  }
  for (int e = 0; e < w->nout && n < max; e++) {
    int s = p->out[w->out[e]].stream;
    const StTimeChannel *c = &tm->channel[s];
    if (c->pushed - c->popped >= c->depth)
      wait[n++] = (StWait){
          ST_WAIT_FULL,          id,      tm->net->stream[s].consumer, s,
          c->pushed - c->popped, c->depth};
  }
  if (p->partner >= 0 && n < max)
    n += converter_wait(tm, p, &wait[n]);
  return n;
}
