/* Values of a step: what every beat computes, in any causal order.
 *
 * Tokens lie in queues as arrays of slots (interp/scalar.h). A kernel
 * collects beats until it has enough lanes for the body to run over arrays, or
 * until somebody needs a token that it owes.
 */
#ifndef ST_SIM_VALUE_H
#define ST_SIM_VALUE_H

#include "device/memory.h"
#include "sim/order.h"

typedef struct StValues StValues;

/* NULL after an error. Everything lives in the arena. */
StValues *st_values_new(StArena *a, const StProcessNet *net, StDiag *diag);
/* Whether tokens of process p can be computed when they are wanted: parameters
 * are, and st_values_beats is not to be called for such. */
bool st_values_on_demand(const StValues *v, int p);
/* Before a step of the bound net. */
void st_values_start(StValues *v, StMemoryImage *image);
/* An StOrderVisit; `user` is the StValues. */
void st_values_beats(void *user, const StWalker *at, int64_t k);
/* Room for k tokens at the end of a queue, to be written before the push. */
uint8_t *st_tokens_room(StValues *v, int stream, int64_t k);
void st_tokens_push(StValues *v, int stream, int64_t k);
/* The next k tokens, which leave the queue; valid until the next call for this
 * stream. Makes the producer compute them if they are owed. */
const uint8_t *st_tokens_pop(StValues *v, int stream, int64_t k);

/* ---- kernels (value_kernel.c) ------------------------------------------- */

typedef struct StKernelRun StKernelRun;

StKernelRun *st_kernel_run_new(StArena *a, const StProcess *p, StDiag *diag);
void st_kernel_run_start(StKernelRun *r, int64_t P, int64_t T);
/* Takes the inputs of k beats; computes when enough are there. */
void st_kernel_run_beats(StKernelRun *r, StValues *v, const StWalker *at,
                         int64_t k);
/* Computes all beats taken so far and pushes their tokens. */
void st_kernel_run_flush(StKernelRun *r, StValues *v);

/* ---- loads, stores, converters (value_move.c) --------------------------- */

typedef struct StMover StMover;

/* Of a load, a store or output `part` of a bundle (else 0). */
StMover *st_mover_transfer(StArena *a, const StModule *module,
                           const StProcess *p, int part);
StMover *st_mover_fill(StArena *a, const StProcess *p);
StMover *st_mover_drain(StArena *a, const StProcess *p, const StMover *fill);

/* Before each step. */
void st_mover_start(StMover *m, const StMemoryImage *image, int64_t P,
                    int64_t T);
void st_mover_start_converter(StMover *fill, StMover *drain, int64_t P,
                              int64_t T);

/* Whether nobody writes what a LOAD or a part of a BUNDLE reads. */
bool st_mover_is_constant(const StMover *m, const StModule *module);
/* k beats; `to` and `from` are k tokens. */
void st_mover_load_beats(StMover *m, uint8_t *to, int64_t k);
/* The tokens of k beats where they are kept; NULL, and no beat, if these have to
 * be loaded. */
const uint8_t *st_mover_kept_beats(StMover *m, int64_t k);
/* index: k indices, or NULL: the last one is held. What lies outside the tensor
 * is 0. */
void st_mover_gather_beats(StMover *m, uint8_t *to, const int64_t *index,
                           int64_t k);
void st_mover_store_beats(StMover *m, const uint8_t *from, int64_t k);
/* Of one window, with its number. */
void st_mover_fill_beats(StMover *m, const uint8_t *from, int64_t window,
                         int64_t k);
void st_mover_drain_beats(StMover *m, uint8_t *to, int64_t window, int64_t k);

#endif
