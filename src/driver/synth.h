/* What Yosys makes of a build's SystemVerilog, beside what the compiler
 * estimates: `report --synth`. */
#ifndef ST_DRIVER_SYNTH_H
#define ST_DRIVER_SYNTH_H

#include "driver/build.h"

typedef struct {
  const char *name; /* "kernel195"; what is no unit: "fifos", "total" */
  const StOp *op;   /* NULL: no unit */
  StCost estimate, found;
} StSynthRow;

/* A row for every kernel, converter, load, bundle and store, then one for FIFOs
 * (found: with forks and the control block) and one for all. In the build's
 * arena; NULL after an error. Yosys runs once for a design and target: it
 * writes into the build's directory. */
const StSynthRow *st_synth(const StBuild *b, int *n, StDiag *diag);

#endif
