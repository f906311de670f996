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
  uint16_t *scales;
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
      quantise_group(part, g->group, g->bits,
                     j->codes + r * extent + k * g->group,
                     j->scales + r * groups + k);
    }
  }
  return NULL;
}

void st_grid_quantise(const StGrid *g, const float *w, int8_t *codes,
                      uint16_t *scales) {
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
