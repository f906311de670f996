/* Ports of a kernel: what its schedule and its maps make of each operand and
 * result (doc/machine.md, "Kernel"). One place for all that execute or emit
 * kernels: simulator, interpreter, emitters, FIFO sizing. */
#ifndef ST_ANALYSIS_PORT_H
#define ST_ANALYSIS_PORT_H

#include "ir/ir.h"
#include "ir/itensor.h"

typedef struct {
  int level;       /* 1 + the innermost loop that advances the port or is its
                      guard's, 0: none. An input is fetched in beats whose
                      loops from `level` inward are all at 0; an output leaves
                      in beats whose reduction loops are all at the last
                      iteration */
  int guard_loop;  /* loop of the guarded dim; -1: no guard */
  StSym lo, hi;    /* its range: lo <= index < hi (the loop has step 1) */
  int token;       /* elements in a token */
  int nlanes;      /* product of the kernel's lanes */
  int *lane_elem;  /* [nlanes] element of the token that a lane reads or
                      writes; outputs: -1 for reduction lanes other than 0 */
  StItensor order; /* the order of the stream at this port, guard included */
} StPortInfo;

/* Port of operand or result `k` of kernel `op`, in the arena. */
StPortInfo st_port_input(StArena *a, const StOp *op, int k);
StPortInfo st_port_output(StArena *a, const StOp *op, int k);
/* The order of it alone, which does not take time for every lane. */
StItensor st_port_input_order(StArena *a, const StOp *op, int k);
StItensor st_port_output_order(StArena *a, const StOp *op, int k);

typedef struct {
  bool reduces;      /* has reduction dims */
  int outermost_red; /* loop; accumulators: positions of the parallel loops
                        inside it; nloops if there is none */
  int ways;          /* accumulators of a position, at least 1 */
  int red_lanes;     /* product of the reduction lanes */
  int par_lanes;     /* product of the parallel lanes */
  int *par_of_lane;  /* [nlanes] index among the parallel lanes (row-major) */
  int *red_of_lane;  /* [nlanes] index among the reduction lanes (row-major) */
  bool *is_red_loop; /* [nloops] */
} StKernelInfo;

StKernelInfo st_kernel_info(StArena *a, const StOp *op);

/* Accumulators of a position, at least 1; beats of a kernel in a step;
 * accumulators (scalars, of all ways) at the largest extents; least number of
 * beats between two values that are folded into one position. */
int st_kernel_ways(const StOp *op);
int64_t st_kernel_beats(const StOp *op, int64_t P, int64_t T);
int64_t st_kernel_accumulators(const StModule *m, const StOp *op);
int64_t st_kernel_distance(const StModule *m, const StOp *op);

#endif
