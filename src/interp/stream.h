/* The interpreter of stream level modules: what a design computes, without
 * streams and without time. Every stream is the tensor that it carries; a
 * kernel reads it by its maps, in the order of its schedule, so that the bits
 * are those of the simulator while nothing of it is shared but the arithmetic
 * of one expression and the addresses of memory. */
#ifndef ST_INTERP_STREAM_H
#define ST_INTERP_STREAM_H

#include "device/memory.h"

typedef struct StStreamInterp StStreamInterp;

/* For a verified stream level module, in the arena. NULL after an error: ops
 * that depend on each other other than from one iteration of a repeat to the
 * next. */
StStreamInterp *st_stream_interp_new(StArena *a, const StModule *m,
                                     StDiag *diag);

/* One step of T tokens after P on the image. False after an error: an access
 * outside of a tensor. */
bool st_stream_interp_step(StStreamInterp *s, StMemoryImage *image, int64_t P,
                           int64_t T);

#endif
