/* Emitting, compiling and running a module in a test of the HLS emitter. */
#ifndef ST_TEST_HLS_FIXTURE_H
#define ST_TEST_HLS_FIXTURE_H

#include "device/hls_client.h"

typedef struct {
  StArena *arena;
  StDiag *diag; /* to stderr */
  const StTarget *target;
  const char *dir; /* scratch */
} Fixture;

int set_up(void **state); /* of cmocka */
int tear_down(void **state);

/* Fails the test unless the command succeeds. */
void shell(StArena *a, const char *command);
/* Emits and compiles with warnings as errors; the directory. */
const char *build(Fixture *f, const StModule *m, const char *compiler);

/* The same against the vendor's open headers (of the package hls4ml), with
 * threads for tasks. */
const char *build_vendor(Fixture *f, const StModule *m, const char *compiler);

int64_t port_elements(const StPort *p, int64_t P, int64_t T);
/* One step; data[k] is argument k. Result r in result[r]. */
void step(Fixture *f, StHlsClient *c, const StModule *m, int64_t P, int64_t T,
          const void *const *data, const void **result);

/* Thousandths between -1 and 1. */
float *random_floats(StArena *a, uint64_t *seed, int64_t n);
/* Such numbers for every argument, at the largest extents. */
const void **random_arguments(StArena *a, uint64_t *seed, const StModule *m);
void assert_bits(const float *x, const float *y, int64_t n);

#endif
