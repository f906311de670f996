/* Issue times of every beat, process by process. Earliest: in rounds over the
 * processes that may go on, each as far as its tokens and windows reach (Kahn's
 * order). Latest: the same backwards, from the last beats to the first. */
#include "solve/schedule.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "solve/beats.h"
#include "solve/curve.h"
#include "solve/lp.h"

#define NEVER INT64_MAX /* no beat needs it: as late as one likes */

struct StSchedule {
  StArena *arena;
  const StProcessNet *net;
  int64_t **issue; /* [process][beat] */
  int64_t *done;   /* [process] beats known, from the side at hand */
  bool *queued;
  int *queue;
  int head, count;
};

StSchedule *st_schedule_new(StArena *a, const StProcessNet *net) {
  StSchedule *s = ST_NEW(a, StSchedule);
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

/* ---- taking turns ------------------------------------------------------- */

static void wake(StSchedule *s, int p) {
  int n = s->net->nprocesses, at = s->head + s->count;
  if (p < 0 || s->queued[p])
    return;
  s->queued[p] = true;
  s->queue[at < n ? at : at - n] = p;
  s->count++;
}

static void wake_neighbours(StSchedule *s, const StProcess *p) {
  for (int k = 0; k < p->nin; k++)
    wake(s, s->net->stream[p->in[k].stream].producer);
  for (int k = 0; k < p->nout; k++)
    wake(s, s->net->stream[p->out[k].stream].consumer);
  wake(s, p->partner);
}

/* Calls `advance` until no process can go on. */
static void take_turns(StSchedule *s,
                       bool (*advance)(StSchedule *, const StProcess *)) {
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
  return st_end_tokens(e, b + 1) > st_end_tokens(e, b);
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
static bool find_earliest(const StSchedule *s, const StProcess *p, int64_t b,
                          int64_t *t) {
  const StProcessNet *net = s->net;
  *t = b ? s->issue[p->id][b - 1] + p->ii : 0;
  for (int k = 0; k < p->nin; k++) {
    const StStream *x = &net->stream[p->in[k].stream];
    if (!fires(&p->in[k], b))
      continue;
    int64_t m = st_end_tokens(&p->in[k], b);
    if (m >= pusher(net, x)->tokens)
      return false;
    int64_t from = st_end_beat(pusher(net, x), m);
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

static bool advance_earliest(StSchedule *s, const StProcess *p) {
  int64_t b = s->done[p->id], first = b;
  while (b < p->beats && find_earliest(s, p, b, &s->issue[p->id][b]))
    s->done[p->id] = ++b;
  return b > first;
}

bool st_schedule_earliest(StSchedule *s, int *stuck) {
  const StProcessNet *net = s->net;
  memset(s->done, 0, (size_t)net->nprocesses * sizeof *s->done);
  take_turns(s, advance_earliest);
  for (int i = 0; i < net->nprocesses; i++)
    if (s->done[i] < net->process[i].beats) {
      *stuck = i;
      return false;
    }
  return true;
}

/* ---- latest ------------------------------------------------------------- */

/* False: a beat that needs beat b is not known yet; `done` counts from the last
 * beat. */
static bool find_latest(const StSchedule *s, const StProcess *p, int64_t b,
                        int64_t *t) {
  const StProcessNet *net = s->net;
  *t = NEVER;
  if (b + 1 < p->beats && s->issue[p->id][b + 1] != NEVER)
    *t = s->issue[p->id][b + 1] - p->ii;
  for (int k = 0; k < p->nout; k++) {
    const StStream *x = &net->stream[p->out[k].stream];
    if (!fires(&p->out[k], b))
      continue;
    int64_t to = st_end_beat(popper(net, x), st_end_tokens(&p->out[k], b));
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

static bool advance_latest(StSchedule *s, const StProcess *p) {
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
  return p->nout == 0 && p->kind != ST_PROC_FILL;
}

void st_schedule_latest(StSchedule *s) {
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
}

/* ---- moving processes --------------------------------------------------- */

static int64_t completion(const StSchedule *s, const StProcess *p) {
  return p->beats ? s->issue[p->id][p->beats - 1] + p->latency : 0;
}

/* What stream x allows its consumer to be moved forward. */
static int64_t stream_slack(const StSchedule *s, const StStream *x) {
  const StEnd *out = pusher(s->net, x), *in = popper(s->net, x);
  int64_t least = NEVER;
  for (int64_t m = 0; m < out->tokens; m++) {
    int64_t d = s->issue[x->consumer][st_end_beat(in, m)] -
                s->issue[x->producer][st_end_beat(out, m)] - lag(s->net, x);
    least = d < least ? d : least;
  }
  return least;
}

/* The same of a converter for side p. */
static int64_t partner_slack(const StSchedule *s, const StProcess *p) {
  int64_t least = NEVER;
  for (int64_t b = 0; b < p->beats; b++) {
    int64_t from = partner_before(s->net, p, b);
    if (from < 0)
      continue;
    int64_t d = s->issue[p->id][b] - s->issue[p->partner][from] -
                partner_lag(s->net, p);
    least = d < least ? d : least;
  }
  return least;
}

typedef struct {
  double *cost;
  int64_t *lo, *hi;
  ST_VEC(StDifference) difference;
} Problem;

static void add_difference(StArena *a, Problem *lp, int from, int to,
                           int64_t slack) {
  StDifference d = {from, to, -slack};
  if (slack != NEVER && from != to)
    st_vec_push(a, &lp->difference, d);
}

/* A process moved by s: what streams hold changes by their bits a cycle. */
static void add_stream(const StSchedule *s, StArena *a, Problem *lp,
                       const StStream *x) {
  int64_t slack = stream_slack(s, x);
  if (slack == NEVER)
    return;
  add_difference(a, lp, x->producer, x->consumer, slack);
  const StEnd *out = pusher(s->net, x);
  const int64_t *t = s->issue[x->producer];
  int64_t first = t[st_end_beat(out, 0)];
  int64_t last = t[st_end_beat(out, out->tokens - 1)];
  double rate = (double)out->tokens / (double)(last - first + 1);
  lp->cost[x->consumer] += rate * (double)x->bits;
  lp->cost[x->producer] -= rate * (double)x->bits;
}

static Problem make_problem(const StSchedule *s, StArena *a) {
  const StProcessNet *net = s->net;
  Problem lp = {ST_NEW_N(a, double, net->nprocesses),
                ST_NEW_N(a, int64_t, net->nprocesses),
                ST_NEW_N(a, int64_t, net->nprocesses), {0}};
  int64_t end = 0;
  for (int i = 0; i < net->nprocesses; i++) {
    int64_t at = completion(s, &net->process[i]);
    end = at > end ? at : end;
  }
  int64_t stores = 0;
  for (int i = 0; i < net->nprocesses; i++)
    if (is_sink(&net->process[i])) {
      int64_t at = completion(s, &net->process[i]);
      stores = at > stores ? at : stores;
    }
  for (int i = 0; i < net->nprocesses; i++) {
    const StProcess *p = &net->process[i];
    lp.lo[i] = p->beats ? -s->issue[i][0] : 0;
    lp.hi[i] = p->beats ? (is_sink(p) ? stores : end) - completion(s, p) : 0;
    if (p->partner >= 0)
      add_difference(a, &lp, p->partner, i, partner_slack(s, p));
  }
  for (int i = 0; i < net->nstreams; i++)
    add_stream(s, a, &lp, &net->stream[i]);
  return lp;
}

static double total_bits(const StSchedule *s, int64_t *depth) {
  const StProcessNet *net = s->net;
  double bits = 0;
  memset(depth, 0, (size_t)net->nstreams * sizeof *depth);
  st_schedule_depths(s, depth);
  for (int i = 0; i < net->nstreams; i++)
    bits += (double)depth[i] * (double)net->stream[i].bits;
  return bits;
}

static void move(StSchedule *s, const int64_t *by, int64_t sign) {
  for (int i = 0; i < s->net->nprocesses; i++)
    for (int64_t b = 0; b < s->net->process[i].beats; b++)
      s->issue[i][b] += sign * by[i];
}

void st_schedule_balance(StSchedule *s) {
  const StProcessNet *net = s->net;
  StArena *a = st_arena_new();
  Problem lp = make_problem(s, a);
  int64_t *by = ST_NEW_N(a, int64_t, net->nprocesses);
  int64_t *depth = ST_NEW_N(a, int64_t, net->nstreams);
  if (st_lp_differences(a, net->nprocesses, lp.cost, lp.lo, lp.hi,
                        lp.difference.n, lp.difference.at, by)) {
    double before = total_bits(s, depth);
    move(s, by, 1);
    if (total_bits(s, depth) > before)
      move(s, by, -1);
  }
  st_arena_free(a);
}

/* ---- depths ------------------------------------------------------------- */

static int64_t slots_in_use(const StSchedule *s, const StStream *x) {
  const StEnd *out = pusher(s->net, x), *in = popper(s->net, x);
  int64_t freed = 0, most = 0;
  for (int64_t m = 0; m < out->tokens; m++) {
    int64_t at = s->issue[x->producer][st_end_beat(out, m)];
    while (freed < m && s->issue[x->consumer][st_end_beat(in, freed)] < at)
      freed++;
    most = m - freed + 1 > most ? m - freed + 1 : most;
  }
  return most;
}

void st_schedule_depths(const StSchedule *s, int64_t *depth) {
  for (int i = 0; i < s->net->nstreams; i++) {
    int64_t n = slots_in_use(s, &s->net->stream[i]);
    depth[i] = n > depth[i] ? n : depth[i];
  }
}

/* ---- certificate -------------------------------------------------------- */

void st_schedule_print(StStr *out, const StSchedule *s) {
  const StProcessNet *net = s->net;
  StArena *a = st_arena_new();
  StCurveWriter *w = st_curve_writer_new(a);
  st_str_printf(out, "step %" PRId64 " %" PRId64 "\n", net->P, net->T);
  for (int i = 0; i < net->nprocesses; i++) {
    const StProcess *p = &net->process[i];
    for (int64_t b = 0; b < p->beats; b++)
      st_curve_writer_add(w, s->issue[i][b], 1, 0);
    st_str_printf(out, "process %d", i);
    st_curve_writer_flush(w, out);
    st_str_append(out, "\n", 1);
  }
  st_arena_free(a);
}
