/* A design's C simulation, or its RTL under Verilator, as a device: built on
 * demand, then a child process that answers one step after another (doc/hls.md
 * has the protocol). Caches stay in the child.
 */
#ifndef ST_DEVICE_HLS_CLIENT_H
#define ST_DEVICE_HLS_CLIENT_H

#include "ir/ir.h"
#include "target/target.h"

typedef struct StHlsClient StHlsClient;

/* Where the content of a parameter lies: `bytes` dense bytes at `offset` of a
 * file (a safetensors file keeps tensors so). */
typedef struct {
  int arg;
  const char *path;
  int64_t offset, bytes;
} StHlsWeight;

/* One input of a step, dense in the shape of the step. */
typedef struct {
  int arg;
  const void *data;
  int64_t bytes;
} StHlsInput;

/* One result of a step; data is valid until the next step. */
typedef struct {
  int ret;
  const void *data;
  int64_t bytes;
} StHlsOutput;

/* Emits the module below cache_dir, in a directory named by what is emitted,
 * unless it is there, and compiles its simulation. Returns the directory, in
 * the arena; NULL after an error, with the end of the compiler's output. */
const char *st_hls_build(StArena *a, const StModule *m, const StTarget *t,
                         const char *cache_dir, StDiag *diag);
/* The same for the RTL, which Verilator compiles. */
const char *st_rtl_build(StArena *a, const StModule *m, const StTarget *t,
                         const char *cache_dir, StDiag *diag);
/* The same for what Yosys says of it: ST_RTL_STAT in the directory. */
const char *st_rtl_synth(StArena *a, const StModule *m, const StTarget *t,
                         const char *cache_dir, StDiag *diag);

/* Starts the simulation in `dir`; the weights are read before this returns.
 * NULL after an error. */
StHlsClient *st_hls_client_start(const char *dir, const StHlsWeight *weight,
                                 int nweights, StDiag *diag);

/* One step: every input that is neither a parameter nor a cache; *out and *nout
 * become all results but the rows of caches. False after an error (a deadlock
 * among them). */
bool st_hls_client_step(StHlsClient *c, int64_t P, int64_t T,
                        const StHlsInput *in, int nin, const StHlsOutput **out,
                        int *nout, StDiag *diag);
/* Cycles of the last step; -1: not told. */
int64_t st_hls_client_cycles(const StHlsClient *c);

void st_hls_client_stop(StHlsClient *c); /* NULL is fine */

#endif
