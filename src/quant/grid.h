/* Weights on a grid: integer codes, and a scale for each group of consecutive
 * elements along one axis: w = code * scale, or with minimums
 * w = code * scale + min, where codes of 4 bits are unsigned (0 .. 15, each
 * held as its low 4 bits, sign extended). */
#ifndef ST_QUANT_GRID_H
#define ST_QUANT_GRID_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  int rank;
  const int64_t *shape; /* [rank] of the weights, row-major */
  int axis;             /* groups lie along this dim */
  int64_t group;        /* divides its extent */
  int bits;             /* 4 or 8: codes are -2^(bits-1) .. 2^(bits-1) - 1 */
  bool mins;
} StGrid;

int64_t st_grid_elements(const StGrid *g);

/* codes: one byte each, the dims of the weights with the axis moved last.
 * scales, mins (NULL without): f16 bits, the same with one for each group. Of a
 * few scales around the largest magnitude the one with the least squared error
 * is taken, the first of equals; with minimums, of a few parts of the range,
 * and of the lines that fit the codes which these give. So the result is a
 * function of the weights. NaN and infinite weights give code 0 or the largest.
 * Two threads. */
void st_grid_quantise(const StGrid *g, const float *w, int8_t *codes,
                      uint16_t *scales, uint16_t *mins);

#endif
