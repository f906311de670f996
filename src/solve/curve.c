/* See curve.h. */
#include "solve/curve.h"

static int64_t min_of(int64_t x, int64_t y) { return x < y ? x : y; }

/* ---- curves ---------------------------------------------------------------
 */

int64_t st_curve_last(const StCurve *c) {
  const StRun *r = &c->run.at[c->run.n - 1];
  return st_line_at(&r->line, c->beats - 1 - r->beat);
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
  return st_line_at(&r->line, beat - r->beat);
}

/* Whether the last run goes on with the n beats; a run of one beat, or of one
 * group, may become what suits. */
static bool extend(StRun *r, int64_t length, const StLine *line, int64_t n) {
  StLine *last = &r->line;
  int64_t gap = line->t - st_line_at(last, length - 1);
  if (st_line_continues(last, length, line, n))
    return true;
  if (length == 1 && !line->jump && (n == 1 || gap == line->stride)) {
    *last = st_line_plain(last->t, gap);
    return true;
  }
  if (!last->jump && line->jump && !line->phase && length <= line->group &&
      (length == 1 || last->stride == line->stride) &&
      gap == line->stride + line->jump) {
    int64_t t = last->t;
    *last = *line;
    last->t = t;
    last->phase = line->group - length;
    return true;
  }
  return false;
}

void st_curve_append(StArena *a, StCurve *c, const StLine *line, int64_t n) {
  StRun *last = c->run.n ? &c->run.at[c->run.n - 1] : NULL;
  if (!last || !extend(last, c->beats - last->beat, line, n)) {
    StRun r = {c->beats, *line};
    st_vec_push(a, &c->run, r);
  }
  c->beats += n;
}

StCurve st_curve_reverse(StArena *a, const StCurve *c) {
  StCurve r = {0};
  for (int i = c->run.n; i-- > 0;) {
    int64_t n = st_curve_run_end(c, i) - c->run.at[i].beat;
    StLine line = st_line_reverse(&c->run.at[i].line, n);
    st_curve_append(a, &r, &line, n);
  }
  return r;
}

/* ---- stretches ------------------------------------------------------------
 */

static void find_stretch(StStretch *s) {
  if (s->m == s->end) {
    s->n = 0;
    return;
  }
  int64_t step = s->box->dim[s->box->n - 1].stride;
  int64_t beat = st_box_beat(s->box, s->m), in_run;
  while (st_curve_run_end(s->curve, s->run) <= beat)
    s->run++;
  const StRun *r = &s->curve->run.at[s->run];
  StLine line = st_line_from(&r->line, beat - r->beat);
  s->line = st_line_sample(&line, step,
                           st_curve_run_end(s->curve, s->run) - beat, &in_run);
  s->n = min_of(in_run, min_of(st_box_row(s->box, s->m), s->end - s->m));
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
  if (s->n)
    s->line = st_line_from(&s->line, k);
  else
    find_stretch(s);
}
