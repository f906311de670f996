/* The memory of a device: arguments, caches and results of the step function,
 * as loads and stores see it.
 *
 * Every tensor is dense and row-major at its largest extents (the context of a
 * cache is `ctx` rows). Parameters are not copied: they are wherever the
 * package's weights are mapped. */
#ifndef ST_DEVICE_MEMORY_H
#define ST_DEVICE_MEMORY_H

#include "ir/ir.h"

typedef struct StMemoryImage {
  const StModule *module;
  const void **arg; /* [module->arg.n]; parameters: NULL until bound */
  void **own;       /* [module->arg.n] what of it can be written, or NULL */
  void **ret; /* [module->ret.n]; NULL for cache rows, which go to `own` */
  int64_t *arg_bytes, *ret_bytes;
} StMemoryImage;

/* Caches, inputs and results are allocated, zeroed, in the arena. */
StMemoryImage *st_memory_new(StArena *a, const StModule *m);
/* Bytes of a port at its largest extents. */
int64_t st_memory_port_bytes(const StModule *m, const StPort *p);
/* `data` (at least the port's bytes) must outlive the image. */
void st_memory_bind(StMemoryImage *image, int arg, const void *data);
/* Forget what the caches hold. */
void st_memory_reset(StMemoryImage *image);

/* A load, store or output of a bundle, with what its addresses need. */
typedef struct {
  const StOp *op;
  const StItensor *order;
  int operand; /* that it reads (LOAD, BUNDLE) or stores */
  StDtype dtype;
  int token;       /* elements */
  int64_t *offset; /* [token] from the token's first element, in elements */
  bool dense;      /* offsets are 0, 1, 2, ... */
  const int64_t *stride;
  int gather, layer_dim;
  StSym rows;     /* LOAD that gathers: of the table, for an index */
  int append_dim; /* STORE of cache rows: data dim that starts at P; -1 */
} StTransfer;

/* part: output of a BUNDLE; else 0. */
StTransfer st_transfer_new(StArena *a, const StModule *m, const StOp *op,
                           int part);

/* The token at these loop indices, in slots (interp/scalar.h). index: what a
 * gather read, else ignored; a gather outside the table gives zeros. */
void st_transfer_load(const StTransfer *t, const StMemoryImage *image,
                      const int64_t *loop, int64_t index, int64_t P, int64_t T,
                      void *slots);
void st_transfer_store(const StTransfer *t, StMemoryImage *image,
                       const int64_t *loop, int64_t P, int64_t T,
                       const void *slots);

#endif
