/* Processes take turns, each until it needs a beat that is not known yet. A
 * turn goes in steps: the next beat at the earliest time t0, then as many more
 * as stay on a line through it. The line rises by ii a beat, or by what the
 * dependency that decided t0 rises, if that is more and holds for every beat.
 * Along a line the other dependencies are compared end by end, since both sides
 * are evenly spaced for a while. */
#include "solve/curve.h"

#include <string.h>

static int64_t min_of(int64_t x, int64_t y) { return x < y ? x : y; }

/* ---- curves ------------------------------------------------------------- */

static int64_t run_end(const StCurve *c, int r) {
  return r + 1 < c->run.n ? c->run.at[r + 1].beat : c->beats;
}

int64_t st_curve_last(const StCurve *c) {
  const StRun *r = &c->run.at[c->run.n - 1];
  return r->t + (c->beats - 1 - r->beat) * r->stride;
}

static int find_run(const StCurve *c, int64_t beat) {
  int lo = 0, hi = c->run.n - 1;
  while (lo < hi) {
    int mid = lo + (hi - lo + 1) / 2;
    if (c->run.at[mid].beat <= beat)
      lo = mid;
    else
      hi = mid - 1;
  }
  return lo;
}

int64_t st_curve_at(const StCurve *c, int64_t beat) {
  const StRun *r = &c->run.at[find_run(c, beat)];
  return r->t + (beat - r->beat) * r->stride;
}

/* n beats at t, t + stride, ... */
static void append(StArena *a, StCurve *c, int64_t t, int64_t stride,
                   int64_t n) {
  StRun *last = c->run.n ? &c->run.at[c->run.n - 1] : NULL;
  int64_t length = last ? c->beats - last->beat : 0;
  int64_t gap = last ? t - st_curve_last(c) : 0;
  if (length == 1 && (n == 1 || gap == stride)) {
    last->stride = gap;
  } else if (length > 1 && gap == last->stride && (n == 1 || stride == gap)) {
    ; /* goes on */
  } else {
    StRun r = {c->beats, t, n > 1 ? stride : 0};
    st_vec_push(a, &c->run, r);
  }
  c->beats += n;
}

StCurve st_curve_reverse(StArena *a, const StCurve *c) {
  StCurve r = {0};
  for (int i = c->run.n; i-- > 0;) {
    const StRun *x = &c->run.at[i];
    int64_t n = run_end(c, i) - x->beat;
    append(a, &r, -(x->t + (n - 1) * x->stride), x->stride, n);
  }
  return r;
}

StCurve st_curve_prefix(StArena *a, const StCurve *c, int64_t n) {
  StCurve r = {0};
  for (int i = 0; i < c->run.n && c->run.at[i].beat < n; i++) {
    const StRun *x = &c->run.at[i];
    append(a, &r, x->t, x->stride, min_of(n, run_end(c, i)) - x->beat);
  }
  return r;
}

/* ---- stretches ---------------------------------------------------------- */

/* Beats of the box from the m-th on that are evenly spaced. */
static int64_t row_rest(const StBox *x, int64_t m) {
  int64_t row = x->dim[x->n - 1].count;
  return x->n == 1 ? row - m : row - m % row;
}

static void find_stretch(StStretch *s) {
  if (s->m == s->end) {
    s->n = 0;
    return;
  }
  int64_t step = s->box->dim[s->box->n - 1].stride;
  int64_t beat = st_box_beat(s->box, s->m);
  while (run_end(s->curve, s->run) <= beat)
    s->run++;
  const StRun *r = &s->curve->run.at[s->run];
  int64_t in_run = (run_end(s->curve, s->run) - 1 - beat) / step + 1;
  int64_t in_row = min_of(row_rest(s->box, s->m), s->end - s->m);
  s->n = min_of(in_run, in_row);
  s->t = r->t + (beat - r->beat) * r->stride;
  s->stride = step * r->stride;
}

StStretch st_stretch_new(const StCurve *c, const StBox *box, int64_t first,
                         int64_t count) {
  StStretch s = {.curve = c, .box = box, .m = first, .end = first + count};
  if (count > 0)
    s.run = find_run(c, st_box_beat(box, first));
  find_stretch(&s);
  return s;
}

void st_stretch_advance(StStretch *s, int64_t k) {
  s->m += k;
  s->n -= k;
  s->t += k * s->stride;
  if (!s->n)
    find_stretch(s);
}

/* ---- solving ------------------------------------------------------------ */

/* Where a process is in one of its dependencies. */
typedef struct {
  const StDependency *d;
  int64_t m;              /* pairs that are behind */
  int64_t beat, early;    /* of the next pair */
  int64_t row, early_row; /* evenly spaced from there */
  int64_t step, early_step;
  int run; /* of the other curve, not after `early` */
  /* Of the step at hand. */
  bool known;           /* the other beat has its time: */
  int64_t n, t, stride; /* these pairs ask for t, t + stride, ... */
} Wait;

typedef struct {
  StArena *arena;
  const StProblem *problem;
  StCurve *curve;
  Wait *wait;      /* as problem->dependency */
  int *blocked_on; /* [process] or -1 */
  bool *queued;
  int *queue;
  int head, count;
  int *next_out, *first_out; /* dependencies by `from`: lists */
} Solver;

static void place(Wait *w) {
  const StDependency *d = w->d;
  if (w->m == d->count)
    return;
  w->beat = st_box_beat(&d->late, d->late_first + w->m);
  w->early = st_box_beat(&d->early, d->early_first + w->m);
  w->row = min_of(row_rest(&d->late, d->late_first + w->m), d->count - w->m);
  w->early_row = row_rest(&d->early, d->early_first + w->m);
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

/* Passes the pairs whose early beat has no time. */
static void skip_never(Wait *w, const StCurve *early) {
  const StDependency *d = w->d;
  if (w->m == d->count || w->early >= early->never)
    return;
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
  while (run_end(c, w->run) <= w->early)
    w->run++;
  const StRun *r = &c->run.at[w->run];
  int64_t in_run = (run_end(c, w->run) - 1 - w->early) / w->early_step + 1;
  w->n = min_of(min_of(w->row, w->early_row), in_run);
  w->t = r->t + (w->early - r->beat) * r->stride + w->d->lag;
  w->stride = w->early_step * r->stride;
}

/* Without a time so far: beats before the first that waits for something have
 * none. False: it is not known how many. */
static bool find_first(Solver *s, int p) {
  const StProblem *q = s->problem;
  StCurve *c = &s->curve[p];
  int64_t known = q->beats[p], unknown = INT64_MAX;
  for (int i = q->first_in[p]; i < q->first_in[p + 1]; i++) {
    Wait *w = &s->wait[i];
    skip_never(w, &s->curve[w->d->from]);
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

/* The beats from `beat` on, n at most, that lie on the line with `stride`
 * through t at `beat`, as far as w is concerned. */
static int64_t on_line(const Wait *w, int64_t beat, int64_t t, int64_t stride,
                       int64_t n) {
  int64_t off = w->beat - beat;
  if (off >= n)
    return n;
  if (!w->known)
    return off;
  int64_t slack = t + stride * off - w->t;
  int64_t change = stride * w->step - w->stride;
  if (slack < 0)
    return off;
  int64_t good = change < 0 ? slack / -change + 1 : w->n;
  if (good < w->n)
    return min_of(n, off + good * w->step);
  if (w->n < w->row)
    return min_of(n, off + w->n * w->step);
  if (w->m + w->n == w->d->count)
    return n;
  int64_t next = st_box_beat(&w->d->late, w->d->late_first + w->m + w->n);
  return min_of(n, next - beat);
}

/* The beats of one line. False: a beat that is needed is not known. */
static bool step(Solver *s, int p) {
  const StProblem *q = s->problem;
  StCurve *c = &s->curve[p];
  Wait *first = &s->wait[q->first_in[p]], *end = &s->wait[q->first_in[p + 1]];
  int64_t beat = c->beats, t = q->from_zero ? 0 : INT64_MIN;
  if (c->run.n)
    t = st_curve_last(c) + q->ii[p];
  for (Wait *w = first; w < end; w++) {
    skip_never(w, &s->curve[w->d->from]);
    if (w->m == w->d->count)
      continue;
    look(s, w);
    if (w->beat > beat)
      continue;
    if (!w->known) {
      s->blocked_on[p] = w->d->from;
      return false;
    }
    t = w->t > t ? w->t : t;
  }
  int64_t stride = q->ii[p], n = q->beats[p] - beat;
  for (Wait *w = first; w < end; w++)
    if (w->m < w->d->count && w->beat == beat && w->t == t && w->n > 1 &&
        w->step == 1 && w->stride > stride) {
      stride = w->stride;
      n = w->n;
    }
  for (Wait *w = first; w < end; w++)
    if (w->m < w->d->count)
      n = on_line(w, beat, t, stride, n);
  append(s->arena, c, t, stride, n);
  for (Wait *w = first; w < end; w++)
    if (w->m < w->d->count && w->beat < beat + n)
      pass_pairs(w, min_of((beat + n - 1 - w->beat) / w->step + 1, w->n));
  return true;
}

static void wake(Solver *s, int p) {
  int n = s->problem->nprocesses, at = s->head + s->count;
  if (s->queued[p])
    return;
  s->queued[p] = true;
  s->queue[at < n ? at : at - n] = p;
  s->count++;
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
  s.queued = ST_NEW_N(a, bool, n);
  s.queue = ST_NEW_N(a, int, n);
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
  while (s.count) {
    int i = s.queue[s.head];
    s.head = s.head + 1 < p->nprocesses ? s.head + 1 : 0;
    s.count--;
    s.queued[i] = false;
    take_turn(&s, i);
  }
  st_arena_free(scratch);
}
