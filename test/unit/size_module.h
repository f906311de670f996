/* Random stream level modules for the tests of FIFO sizing: forks, joins, rate
 * changes, parts, converters, blocks that repeat. Made by the passes that make
 * them of models, from tensor level ops with schedules drawn at random. */
#ifndef ST_TEST_SIZE_MODULE_H
#define ST_TEST_SIZE_MODULE_H

#include "ir/ir.h"

typedef struct {
  int ops;      /* generics, about */
  bool symbols; /* extents of P and T (ctx 12, chunk 4) */
  bool repeat;  /* some of the ops form a block */
} SizeShape;

/* ii and latency are decided (small, at random); depths are not. */
StModule *size_random_module(uint64_t *seed, SizeShape shape, StDiag *diag);

#endif
