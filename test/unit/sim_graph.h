/* Random nets of processes for the tests of the simulator, and a model of
 * doc/machine.md that steps cycle by cycle, written apart from src/sim. */
#ifndef ST_TEST_SIM_GRAPH_H
#define ST_TEST_SIM_GRAPH_H

#include "analysis/process.h"

/* Small, seeded numbers, the same on every machine. */
uint32_t graph_random(uint64_t *seed, uint32_t below);

typedef struct {
  int nodes;     /* processes apart from sources and sinks; converters two */
  bool feedback; /* streams may lead backwards */
  int max_depth;
  int trip; /* of every loop, without guards: more ends fit together; 0:
               1 .. 4 */
} GraphShape;

/* A net without a module, bound; all its streams have as many tokens at both
 * ends. Depths lie between 1 and max_depth. */
StProcessNet *graph_new(StArena *a, uint64_t *seed, GraphShape shape);

typedef struct {
  bool done;
  int64_t cycles;  /* of the last issue + 1 */
  int64_t **issue; /* [process][beat] */
  int64_t *beats;  /* [process] issued */
  int64_t *most;   /* [stream] slots in use */
} Brute;

/* Steps every cycle until all is done or nothing can happen any more. */
Brute brute_run(StArena *a, const StProcessNet *net, const int64_t *depth);

#endif
