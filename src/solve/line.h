/* Times in closed form: evenly spaced, or in equal groups that are. */
#ifndef ST_SOLVE_LINE_H
#define ST_SOLVE_LINE_H

#include <stdbool.h>
#include <stdint.h>

/* Item j, from 0 on, is at t + stride * j + jump * floor((j + phase) / group):
 * the first group - phase items `stride` apart, then a gap larger by `jump`,
 * and so on after every `group` items. jump 0: a plain line. */
typedef struct {
  int64_t t, stride;
  int64_t group, phase, jump; /* group at least 1, 0 <= phase < group */
} StLine;

static inline StLine st_line_plain(int64_t t, int64_t stride) {
  return (StLine){t, stride, 1, 0, 0};
}

static inline int64_t st_line_at(const StLine *l, int64_t j) {
  int64_t t = l->t + l->stride * j;
  return l->jump ? t + l->jump * ((j + l->phase) / l->group) : t;
}

/* Items of the first group; all n of a plain line. */
static inline int64_t st_line_rest(const StLine *l, int64_t n) {
  int64_t rest = l->group - l->phase;
  return l->jump && rest < n ? rest : n;
}

/* The line of the items from j on. */
static inline StLine st_line_from(const StLine *l, int64_t j) {
  StLine r = *l;
  r.t += r.stride * j;
  if (!l->jump)
    return r;
  r.t += r.jump * ((j + l->phase) / l->group);
  r.phase = (j + l->phase) % l->group;
  return r;
}

/* st_line_sample and st_line_above where there are groups. */
StLine st_line_sample_groups(const StLine *l, int64_t step, int64_t n,
                             int64_t *count);
int64_t st_line_above_groups(const StLine *late, const StLine *early,
                             int64_t n);

/* The line of every step-th of n items; *count becomes how many of those it
 * holds for. */
static inline StLine st_line_sample(const StLine *l, int64_t step, int64_t n,
                                    int64_t *count) {
  StLine r = *l;
  if (step == 1) {
    *count = n;
    return r;
  }
  if (l->jump)
    return st_line_sample_groups(l, step, n, count);
  *count = (n + step - 1) / step;
  r.stride *= step;
  return r;
}

/* The line of n items in reverse at the negative times. */
StLine st_line_reverse(const StLine *l, int64_t n);
/* Whether the n items are also the continuation of l after `length` items. */
bool st_line_continues(const StLine *l, int64_t length, const StLine *next,
                       int64_t n);

/* The least of late - early over the first items, n at most; *n becomes how
 * many were looked at. */
int64_t st_line_least(const StLine *late, const StLine *early, int64_t *n);
/* With late at least early at the first item: a number of items, n at most, for
 * which that holds; less than n only if it fails later or is not known. */
static inline int64_t st_line_above(const StLine *late, const StLine *early,
                                    int64_t n) {
  int64_t change = early->stride - late->stride;
  if (late->jump || early->jump)
    return st_line_above_groups(late, early, n);
  if (change <= 0 || (n - 1) * change <= late->t - early->t)
    return n;
  return (late->t - early->t) / change + 1;
}

#endif
