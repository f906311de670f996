/* See line.h. The difference of two lines is a line again if one is plain or
 * their groups agree; else only their first groups are compared. */
#include "solve/line.h"

static int64_t min_of(int64_t x, int64_t y) { return x < y ? x : y; }

StLine st_line_sample_groups(const StLine *l, int64_t step, int64_t n,
                             int64_t *count) {
  StLine r = *l;
  r.stride *= step;
  *count = (n + step - 1) / step;
  if (step % l->group == 0)
    return st_line_plain(l->t, r.stride + l->jump * (step / l->group));
  if (l->group % step == 0) {
    r.group /= step;
    r.phase /= step;
    return r;
  }
  *count = (st_line_rest(l, n) + step - 1) / step;
  return st_line_plain(l->t, r.stride);
}

StLine st_line_reverse(const StLine *l, int64_t n) {
  StLine r = *l;
  r.t = -st_line_at(l, n - 1);
  if (l->jump)
    r.phase = l->group - 1 - (n - 1 + l->phase) % l->group;
  return r;
}

bool st_line_continues(const StLine *l, int64_t length, const StLine *next,
                       int64_t n) {
  StLine go = st_line_from(l, length);
  if (go.t != next->t)
    return false;
  if (n == 1)
    return true;
  if (go.stride != next->stride)
    return false;
  if (next->jump)
    return go.jump == next->jump && go.group == next->group &&
           go.phase == next->phase;
  return n <= st_line_rest(&go, n);
}

/* late - early, where that is a line; cuts n to where it is. */
static StLine difference(const StLine *late, const StLine *early, int64_t *n) {
  StLine d = *late;
  d.t -= early->t;
  d.stride -= early->stride;
  if (late->jump && early->jump) {
    if (late->group == early->group && late->phase == early->phase) {
      d.jump -= early->jump;
      return d;
    }
    *n = min_of(st_line_rest(late, *n), st_line_rest(early, *n));
    d.jump = 0;
  } else if (early->jump) {
    d.group = early->group;
    d.phase = early->phase;
    d.jump = -early->jump;
  }
  return d;
}

/* A line has its least value at an end of its first, its second or its last
 * groups. */
int64_t st_line_least(const StLine *late, const StLine *early, int64_t *n) {
  StLine d = difference(late, early, n);
  int64_t last = *n - 1, rest = st_line_rest(&d, *n);
  int64_t begin = last - (last + d.phase) % d.group; /* of the last group */
  int64_t at[] = {rest - 1, rest, rest + d.group - 1, begin - 1, begin, last};
  int64_t least = d.t;
  for (int i = 0; i < (int)(sizeof at / sizeof at[0]); i++)
    if (at[i] > 0 && at[i] <= last)
      least = min_of(least, st_line_at(&d, at[i]));
  return least;
}

int64_t st_line_above_groups(const StLine *late, const StLine *early,
                             int64_t n) {
  StLine d = difference(late, early, &n);
  int64_t rest = st_line_rest(&d, n);
  if (d.stride < 0 && d.t / -d.stride + 1 < rest)
    return d.t / -d.stride + 1;
  if (rest == n)
    return n;
  int64_t start = st_line_at(&d, rest);
  if (start < 0)
    return rest;
  if (d.stride < 0 && start / -d.stride + 1 < min_of(d.group, n - rest))
    return rest + start / -d.stride + 1;
  int64_t change = d.stride * d.group + d.jump; /* from group to group */
  if (change >= 0)
    return n;
  int64_t worst = start + (d.stride < 0 ? d.stride * (d.group - 1) : 0);
  if (worst < 0) /* its last item lies beyond n */
    return n;
  return min_of(n, rest + (worst / -change + 1) * d.group);
}
