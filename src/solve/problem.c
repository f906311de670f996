/* Processes take turns, each until it needs a beat that is not known yet. Those
 * that come first in the design go first, so that what depends on them finds
 * all that can be known, and needs few turns (backwards, the last ones). A turn
 * goes in steps: the next beat at the earliest time, then as many more as
 * stay on a line from there. The line rises by ii a beat, or by what the
 * dependency that decided the first beat rises, if that is more: then the beats
 * that wait for its next items are as late as these. Along the line the other
 * dependencies are compared in closed form. */
#include "solve/problem.h"

static int64_t min_of(int64_t x, int64_t y) { return x < y ? x : y; }

/* Where a process is in one of its dependencies. */
typedef struct {
  const StDependency *d;
  int64_t m;              /* pairs that are behind */
  int64_t beat, early;    /* of the next pair */
  int64_t row, early_row; /* evenly spaced from there */
  int64_t step, early_step;
  int run; /* of the other curve, not after `early` */
  /* Of the step at hand. */
  bool known;  /* the other beat has its time: */
  int64_t n;   /* so many pairs ask for .. */
  StLine line; /* .. these times */
} Wait;

typedef struct {
  StArena *arena;
  const StProblem *problem;
  StCurve *curve;
  Wait *wait;                /* as problem->dependency */
  int *blocked_on;           /* [process] or -1 */
  uint64_t *ready;           /* bits: processes that may be able to go on */
  int *next_out, *first_out; /* dependencies by `from`: lists */
} Solver;

static void place(Wait *w) {
  const StDependency *d = w->d;
  if (w->m == d->count)
    return;
  w->beat = st_box_beat(&d->late, d->late_first + w->m);
  w->early = st_box_beat(&d->early, d->early_first + w->m);
  w->row = min_of(st_box_row(&d->late, d->late_first + w->m), d->count - w->m);
  w->early_row = st_box_row(&d->early, d->early_first + w->m);
}

static void pass_pairs(Wait *w, int64_t k) {
  w->m += k;
  w->row -= k;
  w->early_row -= k;
  w->beat += k * w->step;
  w->early += k * w->early_step;
  if (w->row <= 0 || w->early_row <= 0)
    place(w);
}

/* Passes the pairs whose early beat has no time: there are some. */
static void skip_never(Wait *w, const StCurve *early) {
  const StDependency *d = w->d;
  int64_t m = st_box_before(&d->early, early->never) - d->early_first;
  w->m = min_of(m, d->count);
  place(w);
}

/* What the next pairs ask for. */
static void look(const Solver *s, Wait *w) {
  const StCurve *c = &s->curve[w->d->from];
  w->known = w->early < c->beats;
  if (!w->known)
    return;
  while (st_curve_run_end(c, w->run) <= w->early)
    w->run++;
  const StRun *r = &c->run.at[w->run];
  StLine line = st_line_from(&r->line, w->early - r->beat);
  int64_t rest = st_curve_run_end(c, w->run) - w->early, n;
  w->line = st_line_sample(&line, w->early_step, rest, &n);
  w->line.t += w->d->lag;
  w->n = min_of(min_of(w->row, w->early_row), n);
}

/* Without a time so far: beats before the first that waits for something have
 * none. False: it is not known how many. */
static bool find_first(Solver *s, int p) {
  const StProblem *q = s->problem;
  StCurve *c = &s->curve[p];
  int64_t known = q->beats[p], unknown = INT64_MAX;
  for (int i = q->first_in[p]; i < q->first_in[p + 1]; i++) {
    Wait *w = &s->wait[i];
    const StCurve *early = &s->curve[w->d->from];
    if (w->m < w->d->count && w->early < early->never)
      skip_never(w, early);
    if (w->m == w->d->count)
      continue;
    if (w->early < s->curve[w->d->from].beats) {
      known = min_of(known, w->beat);
    } else if (w->beat < unknown) {
      unknown = w->beat;
      s->blocked_on[p] = w->d->from;
    }
  }
  c->beats = c->never = min_of(known, unknown);
  return unknown > known;
}

/* The line of the beats from one at t on that w, whose next pair asks for t,
 * and ii alone decide; at most *n beats. */
static StLine follow(const Wait *w, int64_t t, int64_t ii, int64_t *n) {
  const StLine *y = &w->line;
  StLine line = st_line_plain(t, ii);
  if (w->step > 1) { /* the beats between two pairs wait for ii */
    int64_t pairs = st_line_rest(y, w->n), jump = y->stride - ii * w->step;
    if (pairs > 1 && jump > 0) {
      line = (StLine){t, ii, w->step, 0, jump};
      *n = min_of(*n, pairs * w->step);
    }
  } else if (w->n > 1 && y->stride > ii) {
    line = *y;
    *n = min_of(*n, w->n);
  } else if (w->n > 1 && y->jump && !y->phase) { /* or those of a group */
    int64_t jump = y->jump + (y->stride - ii) * y->group;
    if (jump > 0) {
      line = (StLine){t, ii, y->group, 0, jump};
      *n = min_of(*n, w->n);
    }
  }
  return line;
}

/* The beats on the line from `beat` on, n at most, that wait for nothing later
 * in w. */
static int64_t on_line(const Wait *w, int64_t beat, const StLine *line,
                       int64_t n) {
  int64_t off = w->beat - beat, pairs;
  if (off >= n)
    return n;
  if (!w->known)
    return off;
  StLine mine = st_line_from(line, off);
  mine = st_line_sample(&mine, w->step, n - off, &pairs);
  if (mine.t < w->line.t)
    return off;
  pairs = st_line_above(&mine, &w->line, min_of(pairs, w->n));
  if (pairs < w->row)
    return min_of(n, off + pairs * w->step);
  if (w->m + pairs == w->d->count)
    return n;
  int64_t next = st_box_beat(&w->d->late, w->d->late_first + w->m + pairs);
  return min_of(n, next - beat);
}

/* Time of the next beat. False: a beat that it needs is not known. */
static bool find_next(Solver *s, int p, int64_t *t) {
  const StProblem *q = s->problem;
  const StCurve *c = &s->curve[p];
  *t = q->from_zero ? 0 : INT64_MIN;
  if (c->run.n)
    *t = st_curve_last(c) + q->ii[p];
  for (int i = q->first_in[p]; i < q->first_in[p + 1]; i++) {
    Wait *w = &s->wait[i];
    const StCurve *early = &s->curve[w->d->from];
    if (w->m < w->d->count && w->early < early->never)
      skip_never(w, early);
    if (w->m == w->d->count)
      continue;
    look(s, w);
    if (w->beat > c->beats)
      continue;
    if (!w->known) {
      s->blocked_on[p] = w->d->from;
      return false;
    }
    *t = w->line.t > *t ? w->line.t : *t;
  }
  return true;
}

/* The beats of one line. False: a beat that is needed is not known. */
static bool step(Solver *s, int p) {
  const StProblem *q = s->problem;
  StCurve *c = &s->curve[p];
  Wait *first = &s->wait[q->first_in[p]], *end = &s->wait[q->first_in[p + 1]];
  int64_t beat = c->beats, n = q->beats[p] - beat, t;
  if (!find_next(s, p, &t))
    return false;
  StLine line = st_line_plain(t, q->ii[p]);
  for (Wait *w = first; w < end; w++) {
    if (w->m == w->d->count || w->beat > beat || w->line.t < t)
      continue;
    int64_t most = q->beats[p] - beat;
    StLine x = follow(w, t, q->ii[p], &most);
    int64_t both = min_of(n, most) - 1;
    if (st_line_at(&x, both) > st_line_at(&line, both)) {
      line = x;
      n = most;
    }
  }
  for (Wait *w = first; w < end; w++)
    if (w->m < w->d->count)
      n = on_line(w, beat, &line, n);
  st_curve_append(s->arena, c, &line, n);
  for (Wait *w = first; w < end; w++)
    if (w->m < w->d->count && w->beat < beat + n)
      pass_pairs(w, min_of((beat + n - 1 - w->beat) / w->step + 1, w->n));
  return true;
}

static void wake(Solver *s, int p) {
  s->ready[p / 64] |= (uint64_t)1 << p % 64;
}

/* The ready process that goes first; it is not ready any more. -1: none is. */
static int next_ready(Solver *s) {
  const bool forwards = s->problem->from_zero;
  int words = (s->problem->nprocesses + 63) / 64;
  for (int i = 0; i < words; i++) {
    int w = forwards ? i : words - 1 - i;
    uint64_t ready = s->ready[w];
    if (!ready)
      continue;
    int bit = forwards ? __builtin_ctzll(ready) : 63 - __builtin_clzll(ready);
    s->ready[w] &= ~((uint64_t)1 << bit);
    return 64 * w + bit;
  }
  return -1;
}

static void take_turn(Solver *s, int p) {
  const StProblem *q = s->problem;
  StCurve *c = &s->curve[p];
  int64_t before = c->beats;
  bool go = true;
  s->blocked_on[p] = -1;
  while (go && c->beats < q->beats[p])
    go = (q->from_zero || c->run.n || find_first(s, p)) &&
         (c->beats == q->beats[p] || step(s, p));
  for (int i = s->first_out[p]; i >= 0 && c->beats > before; i = s->next_out[i])
    if (s->blocked_on[q->dependency[i].to] == p)
      wake(s, q->dependency[i].to);
}

static Solver solver_new(StArena *a, const StProblem *p, StCurve *curve) {
  int n = p->nprocesses, all = p->first_in[n];
  Solver s = {.arena = a, .problem = p, .curve = curve};
  s.wait = ST_NEW_N(a, Wait, all);
  s.blocked_on = ST_NEW_N(a, int, n);
  s.ready = ST_NEW_N(a, uint64_t, n / 64 + 1);
  s.first_out = ST_NEW_N(a, int, n);
  s.next_out = ST_NEW_N(a, int, all);
  for (int i = 0; i < n; i++)
    s.blocked_on[i] = s.first_out[i] = -1;
  for (int i = 0; i < all; i++) {
    const StDependency *d = &p->dependency[i];
    Wait *w = &s.wait[i];
    w->d = d;
    w->step = d->late.dim[d->late.n - 1].stride;
    w->early_step = d->early.dim[d->early.n - 1].stride;
    w->m = st_box_before(&d->late, curve[d->to].beats) - d->late_first;
    w->m = w->m < 0 ? 0 : min_of(w->m, d->count);
    place(w);
    s.next_out[i] = s.first_out[d->from];
    s.first_out[d->from] = i;
  }
  return s;
}

void st_problem_solve(StArena *a, const StProblem *p, StCurve *curve) {
  StArena *scratch = st_arena_new();
  Solver s = solver_new(scratch, p, curve);
  s.arena = a;
  for (int i = 0; i < p->nprocesses; i++)
    wake(&s, i);
  for (int i; (i = next_ready(&s)) >= 0;)
    take_turn(&s, i);
  st_arena_free(scratch);
}
