/* Hand-built stream level modules for the tests of the HLS emitter, from dims
 * and loops in a line of text. */
#ifndef ST_TEST_HLS_MODULE_H
#define ST_TEST_HLS_MODULE_H

#include "ir/ir.h"

/* An argument (of rank 0 .. 4) of a role; shape[i] in P, T and constants. */
StValue *hls_arg(StModule *m, StRole role, StDtype t, int rank,
                 const StSym *shape);
/* The layers' arguments as one tensor with the layer as dim 0. */
StValue *hls_layers(StModule *m, StRole role, StDtype t, int layers, int rank,
                    const StSym *shape);
StValue *hls_const(StModule *m, StDtype t, int rank, const StSym *shape,
                   const void *data, int64_t bytes, bool splat);

/* A kernel without operands and results yet. */
StOp *hls_kernel(StModule *m, const char *name, int noperands, int nresults);
/* A dim of the kernel with its lanes; without loops. */
int hls_dim(StModule *m, StOp *k, StSym extent, bool reduction, int lanes);
void hls_loop(StModule *m, StOp *k, int dim, StSym trip, int64_t step);
/* Maps: dims of the kernel, a data dim each. */
void hls_in(StModule *m, StOp *k, int i, StValue *v, int rank, const int *dims);
void hls_out(StModule *m, StOp *k, int r, StDtype t, int yield,
             StScalarKind combine, int rank, const int *dims);
int hls_expr(StModule *m, StOp *k, StScalarKind kind, StDtype t, int x, int y,
             int z);
/* The kernel with its ports: loads for operands in memory, orders of results.
 * A guard must be set before. */
void hls_finish(StModule *m, StOp *k);

/* Load of a tensor in an order. */
StValue *hls_load(StModule *m, StValue *tensor, const StItensor *order);
/* Result of the step function; cache: the argument that the rows extend along
 * its dim 0 (dim 1 of layers), else -1. */
void hls_store(StModule *m, StRole role, StValue *stream, int cache);
void hls_fork(StModule *m, StValue *v, int n, StValue **copies);

#endif
