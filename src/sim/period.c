/* Layers, and rows of an output, take the same time again and again once a
 * design is in step. What a process does next depends on times only by maxima
 * with the time at which it could go next in any case, so the state of a run is
 *   - what is in the channels and windows,
 *   - of the times that others left there, those later than that, as
 *     differences from its last issue.
 * If that is as it was one iteration before, and all processes that moved are
 * later by the same number of cycles, then the next iteration does the same,
 * and so on, as long as the beats move tokens over the same ends
 * (st_process_repeats). Those iterations are skipped: numbers of beats and
 * tokens, and all times, move on by what one iteration adds. Nothing is
 * approximated.
 *
 * The order in which processes take turns has no influence on any time, so it
 * is no part of the state; it settles as the state does.
 */
#include <string.h>

#include "sim/time_state.h"

enum {
  REFERENCES = 4, /* processes whose iterations are looked at */
  LEAST_TRIP = 4, /* iterations worth a look */
  LEAST_PART = 16 /* ... as are those of this part of all beats */
};

/* What a run was like at a boundary of the reference. */
typedef struct {
  int process;
  bool valid;
  int64_t issued;              /* beats of all processes */
  int64_t *beat, *last, *wait; /* [nprocesses] */
  int64_t *pushed, *popped;    /* [nstreams] */
  ST_VEC(int64_t) state;
} Mark;

struct StPeriods {
  int n;
  Mark mark[REFERENCES], now;
  int64_t *weight; /* [nprocesses] beats of those with as many iterations */
  int64_t *turns;  /* [nprocesses] iterations that one can repeat, of those that
                      moved in the last one */
  int64_t *room;   /* a ring on its way */
  int64_t nroom;
  int64_t skipped;
};

/* ---- references --------------------------------------------------------- */

static void make_mark(StArena *a, Mark *m, const StProcessNet *net) {
  m->beat = ST_NEW_N(a, int64_t, net->nprocesses);
  m->last = ST_NEW_N(a, int64_t, net->nprocesses);
  m->wait = ST_NEW_N(a, int64_t, net->nprocesses);
  m->pushed = ST_NEW_N(a, int64_t, net->nstreams);
  m->popped = ST_NEW_N(a, int64_t, net->nstreams);
}

struct StPeriods *st_periods_new(StTimer *tm) {
  struct StPeriods *s = ST_NEW(tm->arena, struct StPeriods);
  for (int i = 0; i < REFERENCES; i++)
    make_mark(tm->arena, &s->mark[i], tm->net);
  make_mark(tm->arena, &s->now, tm->net);
  s->weight = ST_NEW_N(tm->arena, int64_t, tm->net->nprocesses);
  s->turns = ST_NEW_N(tm->arena, int64_t, tm->net->nprocesses);
  return s;
}

/* Iterations of the outermost loop that has more than one. */
static int64_t iterations(const StProcess *p) {
  for (int l = 0; l < p->nloops; l++)
    if (p->trip[l] != 1)
      return p->trip[l];
  return 1;
}

/* The process with the most beats of those with as many iterations; groups with
 * the most beats first. */
static void choose_references(StTimer *tm) {
  const StProcessNet *net = tm->net;
  struct StPeriods *s = tm->periods;
  int64_t all = 0;
  for (int i = 0; i < net->nprocesses; i++) {
    all += net->process[i].beats;
    int64_t trip = iterations(&net->process[i]);
    s->weight[i] = 0;
    for (int k = 0; k < net->nprocesses && trip >= LEAST_TRIP; k++)
      if (iterations(&net->process[k]) == trip)
        s->weight[i] += net->process[k].beats;
  }
  for (s->n = 0; s->n < REFERENCES; s->n++) {
    const StProcess *best = NULL;
    for (int i = 0; i < net->nprocesses; i++) {
      const StProcess *p = &net->process[i];
      if (s->weight[i] > (best ? s->weight[best->id] : 0) ||
          (best && s->weight[i] == s->weight[best->id] &&
           p->beats > best->beats))
        best = p;
    }
    if (!best || s->weight[best->id] < all / LEAST_PART)
      return;
    StTimeRunner *r = &tm->runner[best->id];
    r->grain = r->boundary = best->beats / iterations(best);
    s->mark[s->n].process = best->id;
    s->mark[s->n].valid = false;
    s->mark[s->n].issued = 0;
    for (int i = 0; i < net->nprocesses; i++)
      if (iterations(&net->process[i]) == iterations(best))
        s->weight[i] = 0;
  }
}

void st_periods_start(StTimer *tm, bool wanted) {
  tm->periods->n = 0;
  tm->periods->skipped = 0;
  for (int i = 0; i < tm->net->nprocesses; i++)
    tm->runner[i].boundary = INT64_MAX;
  if (wanted)
    choose_references(tm);
}

int64_t st_periods_skipped(const StTimer *tm) { return tm->periods->skipped; }

/* ---- state -------------------------------------------------------------- */

/* Values of ring entries from .. to - 1 that are later than `floor`, as
 * differences from `base`; they ascend. */
static void note_ring(StTimer *tm, const int64_t *ring, int64_t mask,
                      int64_t from, int64_t to, int64_t floor, int64_t base) {
  Mark *m = &tm->periods->now;
  int64_t n = 0;
  for (int64_t i = to - 1; i >= from && ring[i & mask] > floor; i--, n++)
    st_vec_push(tm->arena, &m->state, ring[i & mask] - base);
  st_vec_push(tm->arena, &m->state, n);
}

/* All tokens were pushed, and no pop waits for any of them: then it does not
 * matter how many are left. */
static bool is_supply(const StTimer *tm, const StTimeChannel *c) {
  const StTimeRunner *to = &tm->runner[c->consumer];
  int64_t next_pop = to->last + to->walker.process->ii;
  return !tm->runner[c->producer].walker.run && c->pushed > c->popped &&
         c->issue[(c->pushed - 1) & c->mask] + c->lag <= next_pop;
}

static void note_channel(StTimer *tm, StTimeChannel *c) {
  Mark *m = &tm->periods->now;
  const StTimeRunner *from = &tm->runner[c->producer];
  const StTimeRunner *to = &tm->runner[c->consumer];
  st_time_count_slots(tm, c);
  if (is_supply(tm, c)) {
    st_vec_push(tm->arena, &m->state, -1);
    return;
  }
  int64_t next_push = from->last + from->walker.process->ii;
  int64_t next_pop = to->last + to->walker.process->ii;
  int64_t oldest = c->pushed > c->depth ? c->pushed - c->depth : 0;
  st_vec_push(tm->arena, &m->state, c->pushed - c->popped);
  note_ring(tm, c->issue, c->mask, c->popped, c->pushed, next_pop - c->lag,
            to->last);
  note_ring(tm, c->pop, c->mask, oldest, c->popped, next_push - 1, from->last);
  if (c->most == c->depth)
    return;
  /* What has left before the next push counts as gone. */
  while (c->seen == c->pushed && c->freed < c->popped &&
         c->pop[c->freed & c->mask] < next_push)
    c->freed++;
  st_vec_push(tm->arena, &m->state, c->pushed - c->seen);
  if (c->seen == c->pushed)
    return;
  note_ring(tm, c->issue, c->mask, c->seen, c->pushed, INT64_MIN, from->last);
  note_ring(tm, c->pop, c->mask, c->freed, c->popped, INT64_MIN, from->last);
}

/* Windows of a converter: what the drain may wait for, and the fill. */
static void note_windows(StTimer *tm, const StTimeRunner *f,
                         const StTimeRunner *d) {
  Mark *m = &tm->periods->now;
  int64_t filled = f->every ? f->walker.beat : f->window;
  int64_t kept = f->mask + 1 < filled ? f->mask + 1 : filled;
  int64_t next_fill = f->last + f->walker.process->ii;
  int64_t next_drain = d->last + d->walker.process->ii;
  note_ring(tm, f->history, f->mask, filled - kept, filled,
            next_drain - tm->net->buffer_latency, d->last);
  kept = d->mask + 1 < d->window ? d->mask + 1 : d->window;
  note_ring(tm, d->history, d->mask, d->window - kept, d->window, next_fill - 1,
            f->last);
  st_vec_push(tm->arena, &m->state, f->window - d->window);
  st_vec_push(tm->arena, &m->state, f->at);
  bool complete = d->need == f->walker.process->window;
  st_vec_push(tm->arena, &m->state, complete ? -1 : d->at);
  st_vec_push(tm->arena, &m->state, d->need);
}

static void note_all(StTimer *tm) {
  Mark *m = &tm->periods->now;
  m->state.n = 0;
  for (int i = 0; i < tm->net->nprocesses; i++) {
    const StTimeRunner *r = &tm->runner[i];
    m->beat[i] = r->walker.beat;
    m->last[i] = r->last;
    m->wait[i] = r->wait_input;
    if (r->walker.process->kind == ST_PROC_FILL)
      note_windows(tm, r, &tm->runner[r->walker.process->partner]);
  }
  for (int i = 0; i < tm->net->nstreams; i++) {
    note_channel(tm, &tm->channel[i]);
    m->pushed[i] = tm->channel[i].pushed;
    m->popped[i] = tm->channel[i].popped;
  }
}

/* ---- skipping ----------------------------------------------------------- */

/* Windows of a converter are repeated as wholes, or the beats within one. */
static int64_t count_in_window(const StTimeRunner *r, int64_t beats) {
  const StProcess *p = r->walker.process;
  if (p->partner < 0 || beats % p->window == 0)
    return INT64_MAX;
  return r->at < beats ? 0 : (p->window - 1 - r->at) / beats;
}

/* The tokens of a supply (is_supply) last for so many iterations. */
static int64_t count_supply(const StTimeChannel *c, int64_t pushed,
                            int64_t popped) {
  return pushed == popped ? INT64_MAX : (c->pushed - c->popped) / popped;
}

/* Iterations that the others can repeat beyond the end of process i, which ends
 * with the last of its own, each of `beats`. A load of one stream that waits
 * for slots alone is ahead of its consumer by a full channel: what that pops
 * then was pushed before, when it would have been in any case. */
static int64_t count_beyond(const StTimer *tm, const Mark *old, const Mark *now,
                            int i, int64_t beats) {
  const StProcess *p = &tm->net->process[i];
  if (p->kind != ST_PROC_LOAD || p->nin || p->nout != 1 ||
      now->beat[i] + tm->periods->turns[i] * beats != p->beats)
    return 0;
  int out = p->out[0].stream;
  const StTimeChannel *c = &tm->channel[out];
  int64_t popped = now->popped[out] - old->popped[out];
  return popped && c->most == c->depth ? (c->pushed - c->popped) / popped : 0;
}

/* Iterations that repeat the one from `old` to `now`; *cycles: of one. */
static int64_t count_repeats(StTimer *tm, const Mark *old, const Mark *now,
                             int64_t *cycles) {
  int64_t most = INT64_MAX, n;
  if (!old->valid || old->state.n != now->state.n ||
      memcmp(old->state.at, now->state.at,
             (size_t)now->state.n * sizeof now->state.at[0]) != 0)
    return 0;
  *cycles = now->last[now->process] - old->last[now->process];
  for (int i = 0; i < tm->net->nprocesses; i++) {
    int64_t beats = now->beat[i] - old->beat[i];
    if (!beats)
      continue;
    if (now->last[i] - old->last[i] != *cycles)
      return 0;
    n = count_in_window(&tm->runner[i], beats);
    most = n < most ? n : most;
    n = st_process_repeats(&tm->net->process[i], now->beat[i], beats);
    tm->periods->turns[i] = n;
    n += count_beyond(tm, old, now, i, beats);
    most = n < most ? n : most;
  }
  for (int i = 0; i < tm->net->nstreams; i++) {
    n = count_supply(&tm->channel[i], now->pushed[i] - old->pushed[i],
                     now->popped[i] - old->popped[i]);
    most = n < most ? n : most;
  }
  return most;
}

/* Entry i becomes entry i + k, later by `cycles`. */
static void shift_ring(StTimer *tm, int64_t *ring, int64_t mask, int64_t k,
                       int64_t cycles) {
  struct StPeriods *s = tm->periods;
  if (s->nroom < mask + 1) {
    s->nroom = mask + 1;
    s->room = ST_NEW_N(tm->arena, int64_t, s->nroom);
  }
  for (int64_t i = 0; i <= mask; i++)
    s->room[(i + k) & mask] = ring[i] + cycles;
  memcpy(ring, s->room, (size_t)(mask + 1) * sizeof ring[0]);
}

/* Of an iteration: tokens pushed and popped, cycles. The producer repeats it
 * `turns` times, the consumer `times`. */
static void skip_channel(StTimer *tm, StTimeChannel *c, int64_t pushed,
                         int64_t popped, int64_t cycles, int64_t turns,
                         int64_t times) {
  popped *= times;
  pushed *= turns;
  c->popped += popped;
  if (!pushed)
    return;
  shift_ring(tm, c->issue, c->mask, pushed, turns * cycles);
  shift_ring(tm, c->pop, c->mask, popped, times * cycles);
  c->pushed += pushed;
  c->seen += pushed;
  c->freed += pushed;
}

static void skip_process(StTimer *tm, StTimeRunner *r, int64_t beats,
                         int64_t cycles) {
  const StProcess *p = r->walker.process;
  if (!beats)
    return;
  if (p->partner >= 0) {
    int64_t windows = (r->at + beats) / p->window;
    int64_t entries = r->every ? beats : windows;
    if (entries)
      shift_ring(tm, r->history, r->mask, entries, cycles);
    r->window += windows;
    r->at = (r->at + beats) % p->window;
  }
  r->last += cycles;
  st_walker_skip(&r->walker, beats);
  tm->periods->skipped += beats;
}

static int64_t turns_of(const StTimer *tm, int process, int64_t times) {
  int64_t turns = tm->periods->turns[process];
  return turns < times ? turns : times;
}

static void skip(StTimer *tm, const Mark *old, const Mark *now, int64_t times,
                 int64_t cycles) {
  for (int i = 0; i < tm->net->nprocesses; i++) {
    StTimeRunner *r = &tm->runner[i];
    int64_t n = turns_of(tm, i, times);
    r->wait_input += n * (now->wait[i] - old->wait[i]);
    skip_process(tm, r, n * (now->beat[i] - old->beat[i]), n * cycles);
    if (r->boundary != INT64_MAX)
      r->boundary = (r->walker.beat / r->grain + 1) * r->grain;
  }
  for (int i = 0; i < tm->net->nstreams; i++)
    skip_channel(tm, &tm->channel[i], now->pushed[i] - old->pushed[i],
                 now->popped[i] - old->popped[i], cycles,
                 turns_of(tm, tm->channel[i].producer, times), times);
}

void st_periods_look(StTimer *tm, int p) {
  struct StPeriods *s = tm->periods;
  int k = 0;
  int64_t cycles = 0;
  while (s->mark[k].process != p)
    k++;
  tm->runner[p].boundary += tm->runner[p].grain;
  if (4 * (tm->issued - s->mark[k].issued) < s->mark[k].state.n)
    return; /* a look takes as long as so many beats, about */
  s->now.process = p;
  s->now.issued = tm->issued;
  note_all(tm);
  int64_t times = count_repeats(tm, &s->mark[k], &s->now, &cycles);
  if (times > 0)
    skip(tm, &s->mark[k], &s->now, times, cycles);
  Mark old = s->mark[k];
  s->mark[k] = s->now;
  s->mark[k].valid = times <= 0;
  s->now = old;
}
