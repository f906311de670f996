/* Random tensor level modules for the tests of interpreters and passes, as the
 * importer makes them: generics with permuted and broadcast operands,
 * reductions, views, slices, concatenations, lookups, and layers, as a repeat
 * or by structure.
 *
 * Values are integers that binary32 holds exactly, whatever the order of a sum:
 * bodies clamp what they read. So every pass must keep every bit. */
#ifndef ST_TEST_INTERP_MODULE_H
#define ST_TEST_INTERP_MODULE_H

#include "device/memory.h"

typedef struct {
  int ops;      /* about */
  bool symbols; /* extents of P and T (ctx 12, chunk 4) */
  bool repeat;  /* some of the ops form a block */
  bool layers;  /* some of the ops are there two or three times */
} InterpShape;

/* The same module for the same seed and shape. */
StModule *interp_random_module(uint64_t seed, InterpShape shape);
/* Arguments that fit it: small integers; indices of its tables. Parameters are
 * in the arena. */
void interp_fill(StArena *a, StMemoryImage *image, uint64_t seed);

#endif
