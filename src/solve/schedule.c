/* Earliest and latest times are the same problem, once with the beats and the
 * cycles counted backwards. */
#include "solve/schedule.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "solve/certificate.h"
#include "solve/lp.h"
#include "solve/problem.h"

#define NEVER INT64_MAX

struct StSchedule {
  StArena *arena;
  const StProcessNet *net;
  StSystem *system;
  int64_t *beats, *ii; /* [process] */
  StCurve *curve;      /* [process] */
};

StSchedule *st_schedule_new(StArena *a, const StProcessNet *net,
                            const int64_t *cap) {
  StSchedule *s = ST_NEW(a, StSchedule);
  s->arena = a;
  s->net = net;
  s->system = st_system_new(a, net, cap);
  s->beats = ST_NEW_N(a, int64_t, net->nprocesses);
  s->ii = ST_NEW_N(a, int64_t, net->nprocesses);
  s->curve = ST_NEW_N(a, StCurve, net->nprocesses);
  for (int i = 0; i < net->nprocesses; i++) {
    s->beats[i] = net->process[i].beats;
    s->ii[i] = net->process[i].ii;
  }
  return s;
}

int64_t st_schedule_at(const StSchedule *s, int process, int64_t beat) {
  return st_curve_at(&s->curve[process], beat);
}

/* ---- earliest and latest ------------------------------------------------ */

static void solve_forwards(StSchedule *s) {
  StProblem p = {s->net->nprocesses,  s->beats, s->ii, s->system->dependency,
                 s->system->first_in, true};
  st_problem_solve(s->arena, &p, s->curve);
}

bool st_schedule_earliest(StSchedule *s, int *stuck) {
  solve_forwards(s);
  for (int i = 0; i < s->net->nprocesses; i++)
    if (s->curve[i].beats < s->beats[i]) {
      *stuck = i;
      return false;
    }
  return true;
}

/* The pairs of d from the last to the first, both beats counted backwards. */
static StDependency reverse(const StSchedule *s, const StDependency *d) {
  return (StDependency){.from = d->to,
                        .to = d->from,
                        .count = d->count,
                        .lag = d->lag,
                        .early = st_box_reverse(&d->late, s->beats[d->to]),
                        .late = st_box_reverse(&d->early, s->beats[d->from]),
                        .early_first = d->late.size - d->late_first - d->count,
                        .late_first =
                            d->early.size - d->early_first - d->count};
}

/* All dependencies backwards, sorted by `to`. */
static StProblem reverse_problem(const StSchedule *s, StArena *a) {
  const StSystem *x = s->system;
  int n = s->net->nprocesses;
  StDependency *list = ST_NEW_N(a, StDependency, x->ndependencies);
  int *first_in = ST_NEW_N(a, int, n + 2);
  for (int i = 0; i < x->ndependencies; i++)
    first_in[x->dependency[i].from + 2]++;
  for (int i = 0; i < n; i++)
    first_in[i + 2] += first_in[i + 1];
  for (int i = 0; i < x->ndependencies; i++)
    list[first_in[x->dependency[i].from + 1]++] = reverse(s, &x->dependency[i]);
  return (StProblem){n, s->beats, s->ii, list, first_in, false};
}

/* Processes at which the data ends: stores, and fills of single windows, which
 * have room whenever the data comes. With two banks a fill must not drive the
 * drain of the window before. */
static bool is_sink(const StProcess *p) {
  return p->nout == 0 &&
         (p->kind != ST_PROC_FILL || p->op->u.converter.banks == 1);
}

/* Whether every beat pushes, or the process is to keep its times anyway. */
static bool is_settled(const StSchedule *s, const StProcess *p) {
  bool settled = is_sink(p) || p->kind == ST_PROC_DRAIN;
  for (int k = 0; k < p->nout; k++)
    settled |= p->out[k].tokens == s->beats[p->id];
  return settled;
}

/* Dependencies of process i on the times that all others have, as processes
 * n .. 2 n - 1, and of its own pushing beats on the times that they have. */
static void add_hurried(const StSchedule *s, int i, StDependency *list,
                        int *count) {
  const StSystem *x = s->system;
  const StProcess *p = &s->net->process[i];
  int n = s->net->nprocesses;
  for (int k = x->first_in[i]; k < x->first_in[i + 1]; k++) {
    list[*count] = x->dependency[k];
    list[(*count)++].from += n;
  }
  for (int k = 0; k < p->nout; k++) {
    const StBox *push = &x->push[p->out[k].stream];
    if (push->size)
      list[(*count)++] =
          (StDependency){n + i, i, *push, *push, 0, 0, push->size, 0};
  }
}

/* Beats that push nothing need not be late: they would only leave their tokens
 * waiting. They move to where the times of all other beats let them. */
static void hurry(StSchedule *s) {
  int n = s->net->nprocesses, count = 0;
  StArena *a = st_arena_new();
  StDependency *list =
      ST_NEW_N(a, StDependency, s->system->ndependencies + s->net->nstreams);
  int *first_in = ST_NEW_N(a, int, 2 * n + 1);
  int64_t *beats = ST_NEW_N(a, int64_t, 2 * n);
  int64_t *ii = ST_NEW_N(a, int64_t, 2 * n);
  StCurve *curve = ST_NEW_N(a, StCurve, 2 * n);
  for (int i = 0; i < n; i++) {
    bool settled = is_settled(s, &s->net->process[i]);
    first_in[i] = count;
    beats[i] = beats[n + i] = s->beats[i];
    ii[i] = ii[n + i] = s->ii[i];
    curve[n + i] = s->curve[i];
    if (settled)
      curve[i] = s->curve[i];
    else
      add_hurried(s, i, list, &count);
  }
  for (int i = n; i <= 2 * n; i++)
    first_in[i] = count;
  StProblem p = {2 * n, beats, ii, list, first_in, true};
  st_problem_solve(s->arena, &p, curve);
  memcpy(s->curve, curve, (size_t)n * sizeof *curve);
  st_arena_free(a);
}

void st_schedule_latest(StSchedule *s) {
  const StProcessNet *net = s->net;
  StArena *a = st_arena_new();
  StProblem p = reverse_problem(s, a);
  StCurve *back = ST_NEW_N(a, StCurve, net->nprocesses);
  for (int i = 0; i < net->nprocesses; i++)
    if (is_sink(&net->process[i]))
      back[i] = st_curve_reverse(a, &s->curve[i]);
  st_problem_solve(a, &p, back);
  for (int i = 0; i < net->nprocesses; i++) {
    ST_CHECK(back[i].beats == s->beats[i], "latest times have no order");
    s->curve[i] = st_curve_reverse(s->arena, &back[i]);
  }
  st_arena_free(a);
  solve_forwards(s); /* beats that nothing waits for */
  hurry(s);
}

/* ---- moving processes --------------------------------------------------- */

/* Time at which the last beat is through. */
static int64_t completion(const StSchedule *s, const StProcess *p) {
  return p->beats ? st_curve_last(&s->curve[p->id]) + p->latency : 0;
}

/* Cycles by which the later beats could be moved forward. */
static int64_t find_slack(const StSchedule *s, const StDependency *d) {
  StStretch early =
      st_stretch_new(&s->curve[d->from], &d->early, d->early_first, d->count);
  StStretch late =
      st_stretch_new(&s->curve[d->to], &d->late, d->late_first, d->count);
  int64_t least = NEVER;
  while (early.n) {
    int64_t n = early.n < late.n ? early.n : late.n;
    int64_t x = st_line_least(&late.line, &early.line, &n);
    least = x < least ? x : least;
    st_stretch_advance(&early, n);
    st_stretch_advance(&late, n);
  }
  return least - d->lag;
}

typedef struct {
  double *cost;
  int64_t *lo, *hi;
  ST_VEC(StDifference) difference;
} Program;

/* A process moved by x changes what a stream holds by its bits a cycle. */
static void add_cost(const StSchedule *s, Program *lp, const StStream *x) {
  const StBox *push = &s->system->push[x->id];
  const StCurve *c = &s->curve[x->producer];
  if (!push->size)
    return;
  int64_t first = st_curve_at(c, st_box_beat(push, 0));
  int64_t last = st_curve_at(c, st_box_beat(push, push->size - 1));
  double rate = (double)push->size / (double)(last - first + 1);
  lp->cost[x->consumer] += rate * (double)x->bits;
  lp->cost[x->producer] -= rate * (double)x->bits;
}

static Program make_program(const StSchedule *s, StArena *a) {
  const StProcessNet *net = s->net;
  const StSystem *y = s->system;
  int64_t end = 0, stores = 0;
  Program lp = {ST_NEW_N(a, double, net->nprocesses),
                ST_NEW_N(a, int64_t, net->nprocesses),
                ST_NEW_N(a, int64_t, net->nprocesses),
                {0}};
  for (int i = 0; i < net->nprocesses; i++) {
    int64_t at = completion(s, &net->process[i]);
    end = at > end ? at : end;
    if (is_sink(&net->process[i]))
      stores = at > stores ? at : stores;
  }
  for (int i = 0; i < net->nprocesses; i++) {
    const StProcess *p = &net->process[i];
    if (!p->beats)
      continue;
    lp.lo[i] = -st_curve_at(&s->curve[i], 0);
    lp.hi[i] = (is_sink(p) ? stores : end) - completion(s, p);
  }
  for (int i = 0; i < y->ndependencies; i++) {
    const StDependency *d = &y->dependency[i];
    StDifference x = {d->from, d->to, -find_slack(s, d)};
    if (d->from != d->to)
      st_vec_push(a, &lp.difference, x);
  }
  for (int i = 0; i < net->nstreams; i++)
    add_cost(s, &lp, &net->stream[i]);
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
    for (int r = 0; r < s->curve[i].run.n; r++)
      s->curve[i].run.at[r].line.t += sign * by[i];
}

void st_schedule_balance(StSchedule *s) {
  const StProcessNet *net = s->net;
  StArena *a = st_arena_new();
  Program lp = make_program(s, a);
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

/* The tokens of a stream in their order: `used` slots before the next push. */
typedef struct {
  StStretch push, pop;
  int64_t used, most;
} Count;

/* ceil(x / y) for x > 0; a stride of 0 stands for a single token. */
static int64_t tokens_before(int64_t x, int64_t y) {
  return y ? (x + y - 1) / y : 1;
}

/* A batch of tokens: pushes and pops are evenly spaced and some pop lies before
 * the first push, or none before the last: then the slots in use rise or fall
 * throughout, and the most are at one end. */
static void count_batch(Count *c) {
  const StLine *push = &c->push.line, *pop = &c->pop.line;
  int64_t pops = st_line_rest(pop, c->pop.n);
  int64_t last = pop->t + (pops - 1) * pop->stride;
  if (last < push->t) { /* all of these are gone */
    c->used -= pops;
    st_stretch_advance(&c->pop, pops);
    return;
  }
  int64_t until = pop->t < push->t ? last : pop->t;
  int64_t k = push->stride ? (until - push->t) / push->stride + 1 : 1;
  int64_t pushes = st_line_rest(push, c->push.n);
  int64_t freed = 0, freed_first = 0;
  k = k < pushes ? k : pushes;
  if (pop->t < push->t) {
    int64_t gap = push->t - pop->t;
    freed_first = tokens_before(gap, pop->stride);
    freed = tokens_before(gap + (k - 1) * push->stride, pop->stride);
  }
  int64_t first = c->used + 1 - freed_first;
  c->used += k - freed;
  c->most = first > c->most ? first : c->most;
  c->most = c->used > c->most ? c->used : c->most;
  st_stretch_advance(&c->push, k);
  st_stretch_advance(&c->pop, freed);
}

/* Whether pushes and pops come in equal groups as long. */
static bool in_groups(const StLine *x, const StLine *y) {
  return x->jump && y->jump && x->group == y->group &&
         x->stride * x->group + x->jump == y->stride * y->group + y->jump;
}

/* Where both go on in equal groups, and after a group all is as it was before,
 * whole groups are passed. */
static void skip_groups(Count *c, const Count *before) {
  const StLine *push = &c->push.line, *pop = &c->pop.line;
  int64_t group = push->group;
  if (!in_groups(push, pop) || push->phase || c->used != before->used ||
      c->push.run != before->push.run || c->pop.run != before->pop.run ||
      c->push.m - before->push.m != group ||
      c->pop.m - before->pop.m != group || pop->phase != before->pop.line.phase)
    return;
  int64_t n = c->push.n < c->pop.n ? c->push.n : c->pop.n;
  int64_t skip = (n - 1) / group * group;
  st_stretch_advance(&c->push, skip);
  st_stretch_advance(&c->pop, skip);
}

static int64_t slots_in_use(const StSchedule *s, const StStream *x) {
  const StBox *out = &s->system->push[x->id], *in = &s->system->pop[x->id];
  Count c = {.push = st_stretch_new(&s->curve[x->producer], out, 0, out->size),
             .pop = st_stretch_new(&s->curve[x->consumer], in, 0, in->size)};
  Count before = c;
  while (c.push.n) {
    if (c.push.line.jump && !c.push.line.phase && c.push.m != before.push.m) {
      skip_groups(&c, &before);
      before = c;
    }
    count_batch(&c);
  }
  return c.most;
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
  st_str_printf(out, "step %" PRId64 " %" PRId64 "\n", net->P, net->T);
  for (int i = 0; i < net->nprocesses; i++) {
    const StCurve *c = &s->curve[i];
    StArena *a = st_arena_new();
    StTimesWriter *w = st_times_writer_new(a);
    for (int r = 0; r < c->run.n; r++) {
      const StRun *x = &c->run.at[r];
      st_times_writer_add(w, &x->line, st_curve_run_end(c, r) - x->beat);
    }
    st_str_printf(out, "process %d", i);
    st_times_writer_flush(w, out);
    st_str_append(out, "\n", 1);
    st_arena_free(a);
  }
}
