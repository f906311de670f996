/* Rounding to a grid. */
#include "quant/grid.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/num.h"

enum { THREADS = 2, PARTS = 8 };

int64_t st_grid_elements(const StGrid *g) {
  int64_t n = 1;
  for (int i = 0; i < g->rank; i++)
    n *= g->shape[i];
  return n;
}

/* Rows are what lies along the axis. */
typedef struct {
  const StGrid *grid;
  const float *w;
  int8_t *codes;
  uint16_t *scales, *mins;
  int64_t stride;      /* along the axis */
  int64_t first, last; /* rows */
} Job;

static float clamped_code(float x, float least, float most) {
  float q = rintf(x);
  q = q < least ? least : q;
  return q > most ? most : q;
}

/* Sum of squared errors at one scale, in eight parts that a compiler can keep
 * side by side. */
static float error_at(const float *w, int64_t n, float scale, float least,
                      float most) {
  float sum[PARTS] = {0}, all = 0, inverse = 1 / scale;
  for (int64_t i = 0; i < n; i += PARTS)
    for (int64_t j = 0; j < PARTS && i + j < n; j++) {
      float e =
          w[i + j] - clamped_code(w[i + j] * inverse, least, most) * scale;
      sum[j] += e * e;
    }
  for (int j = 0; j < PARTS; j++)
    all += sum[j];
  return all;
}

/* The element of the largest magnitude, with its sign. */
static float extreme(const float *w, int64_t n) {
  float best = 0;
  for (int64_t i = 0; i < n; i++)
    if (fabsf(w[i]) > fabsf(best))
      best = w[i];
  return best;
}

static float through_f16(float x, uint16_t *bits) {
  *bits = st_num_to_f16(x);
  return st_num_from_f16(*bits);
}

/* The extreme element becomes the lowest code, or something near it. */
static void quantise_group(const float *w, int64_t n, int bits, int8_t *codes,
                           uint16_t *scale) {
  static const float reach[] = {1.0F,    0.9375F, 0.875F,   0.8125F,
                                1.0625F, -0.875F, -0.9375F, -0.8125F};
  float least = (float)-(1 << (bits - 1)), most = -least - 1;
  float top = extreme(w, n), best = INFINITY, chosen = 0;
  *scale = 0;
  for (size_t i = 0; i < sizeof reach / sizeof *reach; i++) {
    uint16_t rounded;
    float s = through_f16(top / (least * reach[i]), &rounded);
    if (s == 0 || !isfinite(s))
      continue;
    float e = error_at(w, n, s, least, most);
    if (e >= best)
      continue;
    best = e;
    chosen = s;
    *scale = rounded;
  }
  float inverse = chosen == 0 ? 0 : 1 / chosen;
  for (int64_t i = 0; i < n; i++) {
    float q = clamped_code(w[i] * inverse, least, most);
    codes[i] = (int8_t)(q == q ? q : 0);
  }
}

/* Codes stand for code * scale + min. */
typedef struct {
  float scale, min;
} Line;

typedef struct {
  float least, most;
} Range;

/* Through numbers of 16 bits; false: they have none, or the scale is 0. */
static bool round_line(Line *l) {
  uint16_t bits;
  l->scale = through_f16(l->scale, &bits);
  l->min = through_f16(l->min, &bits);
  return l->scale != 0 && isfinite(l->scale) && isfinite(l->min);
}

/* The sum of squared errors; `fit` is the line of least error for the same
 * codes. */
static double line_error(const float *w, int64_t n, Line l, Range codes,
                         Line *fit) {
  double error = 0, q1 = 0, q2 = 0, w1 = 0, qw = 0;
  float inverse = 1 / l.scale;
  for (int64_t i = 0; i < n; i++) {
    float q = clamped_code((w[i] - l.min) * inverse, codes.least, codes.most);
    double e = w[i] - (q * l.scale + l.min);
    error += e * e;
    q1 += q;
    q2 += q * q;
    w1 += w[i];
    qw += q * w[i];
  }
  double d = (double)n * q2 - q1 * q1;
  double scale = d > 0 ? ((double)n * qw - q1 * w1) / d : l.scale;
  *fit = (Line){(float)scale, (float)((w1 - scale * q1) / (double)n)};
  return error;
}

static Line best_line(const float *w, int64_t n, Range codes) {
  static const float part[] = {1.0F, 0.9375F, 0.875F, 0.8125F, 0.75F};
  enum { FITS = 4 };
  float low = w[0], high = w[0];
  for (int64_t i = 1; i < n; i++) {
    low = w[i] < low ? w[i] : low;
    high = w[i] > high ? w[i] : high;
  }
  Line chosen = {0, low};
  if (!round_line(&(Line){1, low}))
    chosen.min = 0;
  double best = INFINITY;
  for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
    float scale = (high - low) * part[i] / (codes.most - codes.least);
    Line l = {scale,
              low + (high - low) * (1 - part[i]) / 2 - codes.least * scale};
    for (int f = 0; f < FITS && round_line(&l); f++) {
      Line fit;
      double e = line_error(w, n, l, codes, &fit);
      chosen = e < best ? l : chosen;
      best = e < best ? e : best;
      l = fit;
    }
  }
  return chosen;
}

/* Codes of 8 bits are signed, those of 4 are held as if they were. */
static void quantise_line(const float *w, int64_t n, int bits, int8_t *codes,
                          uint16_t *scale, uint16_t *min) {
  Range range = bits == 8 ? (Range){-128, 127} : (Range){0, 15};
  Line l = best_line(w, n, range);
  float inverse = l.scale == 0 ? 0 : 1 / l.scale;
  *scale = st_num_to_f16(l.scale);
  *min = st_num_to_f16(l.min);
  for (int64_t i = 0; i < n; i++) {
    float q = clamped_code((w[i] - l.min) * inverse, range.least, range.most);
    int code = (int)(q == q ? q : 0);
    codes[i] = (int8_t)(bits == 4 && code > 7 ? code - 16 : code);
  }
}

/* Offset of the first element of a row: its index, without the axis. */
static int64_t row_offset(const StGrid *g, int64_t row) {
  int64_t at = 0, stride = 1;
  for (int d = g->rank; d-- > 0; stride *= g->shape[d]) {
    if (d == g->axis)
      continue;
    at += row % g->shape[d] * stride;
    row /= g->shape[d];
  }
  return at;
}

static void *quantise_rows(void *arg) {
  const Job *j = arg;
  const StGrid *g = j->grid;
  int64_t extent = g->shape[g->axis], groups = extent / g->group;
  float part[1024];
  for (int64_t r = j->first; r < j->last; r++) {
    const float *from = j->w + row_offset(g, r);
    for (int64_t k = 0; k < groups; k++, from += g->group * j->stride) {
      for (int64_t i = 0; i < g->group; i++)
        part[i] = from[i * j->stride];
      int8_t *codes = j->codes + r * extent + k * g->group;
      int64_t at = r * groups + k;
      if (g->mins)
        quantise_line(part, g->group, g->bits, codes, &j->scales[at],
                      &j->mins[at]);
      else
        quantise_group(part, g->group, g->bits, codes, &j->scales[at]);
    }
  }
  return NULL;
}

void st_grid_quantise(const StGrid *g, const float *w, int8_t *codes,
                      uint16_t *scales, uint16_t *mins) {
  Job job[THREADS];
  pthread_t thread[THREADS];
  bool started[THREADS] = {false};
  int64_t rows = st_grid_elements(g) / g->shape[g->axis], stride = 1;
  for (int d = g->rank - 1; d > g->axis; d--)
    stride *= g->shape[d];
  for (int i = 0; i < THREADS; i++) {
    job[i] = (Job){g,
                   w,
                   codes,
                   scales,
                   mins,
                   stride,
                   rows * i / THREADS,
                   rows * (i + 1) / THREADS};
    started[i] =
        i > 0 && !pthread_create(&thread[i], NULL, quantise_rows, &job[i]);
  }
  for (int i = 0; i < THREADS; i++)
    if (!started[i])
      quantise_rows(&job[i]);
  for (int i = 0; i < THREADS; i++)
    if (started[i])
      pthread_join(thread[i], NULL);
}
