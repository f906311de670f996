/* The C interface of StreamTensor: compile a package, run a build.
 *
 * Functions that fail return NULL or a status other than 0 and put a message
 * (located, saying what to do) into `error`, of at most `size` bytes with the
 * zero byte; both may be 0. Status: 0, 1 the user's fault; a failure of the
 * system or of ours ends the process with 70. Handles are not shared between
 * threads without a lock of the caller's. */
#ifndef STREAMTENSOR_STREAMTENSOR_H
#define STREAMTENSOR_STREAMTENSOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Compile the package directory `package` for `target` (NULL: u55c) with
 * weights and activations as `quantisation` says (NULL: f32) and caches of the
 * type `kv` ("f32", "f16", "int8"; NULL: int8 if weights are integers, else
 * f32) into the directory `build`, which appears whole or not at all. */
int st_compile(const char *package, const char *build, const char *target,
               const char *quantisation, const char *kv, char *error,
               size_t size);

typedef struct StSession StSession;

/* A build on a device: "sim" (NULL), "interp", "hls", "rtl", or "timing": the
 * cycles of "sim" without values (results are zeros), for which no weights are
 * needed. */
StSession *st_session_open(const char *build, const char *device, char *error,
                           size_t size);
void st_session_close(StSession *s); /* NULL is fine */

/* Properties of a causal LM's build; 0 for other modules, -1 for none. */
int64_t st_session_vocab(const StSession *s);
int64_t st_session_context(const StSession *s);
int64_t st_session_chunk(const StSession *s);
int64_t st_session_bos(const StSession *s);
double st_session_clock_mhz(const StSession *s);
/* Peak of the target's memory, bytes a second. */
double st_session_memory_peak(const StSession *s);
/* The i-th token that ends a text; -1: there are no more. */
int64_t st_session_eos(const StSession *s, int i);

/* Forget the context. */
void st_session_reset(StSession *s);
/* Tokens in the context. */
int64_t st_session_position(const StSession *s);

/* One step of a causal LM: 1 <= n <= chunk tokens are appended to the context;
 * logits [vocab] receives those of the last one. */
int st_session_step(StSession *s, const int64_t *tokens, int n, float *logits,
                    char *error, size_t size);

/* Run any module once: inputs by name from the safetensors file `in`, results
 * into the safetensors file `out`. */
int st_session_run(StSession *s, const char *in, const char *out, char *error,
                   size_t size);

/* Of the last step: clock cycles, and bytes moved to and from the memory; -1
 * where the device does not tell. */
int64_t st_session_cycles(const StSession *s);
int64_t st_session_bytes(const StSession *s);

/* Writes what happens in the cycles of every step since the session was opened
 * or reset, or of the last run, to the file `path`: trace events in JSON, which
 * Perfetto (ui.perfetto.dev) opens. */
int st_session_trace(StSession *s, const char *path, char *error, size_t size);

#ifdef __cplusplus
}
#endif

#endif
