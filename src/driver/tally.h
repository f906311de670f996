/* Sums over a design: what it consists of and what it needs. */
#ifndef ST_DRIVER_TALLY_H
#define ST_DRIVER_TALLY_H

#include "target/target.h"

typedef struct {
  int kernels, streams, converters, loads, bundles, stores;
  int64_t fifo_bits;       /* depth times width of all streams */
  int64_t load_bits;       /* of these, prefetched from memory: no
                              intermediates */
  int64_t converter_bytes; /* all banks */
  /* Intermediate tensors: unfused, every tensor between two kernels lies in
   * memory at its largest extents (of one iteration of a repeat); fused, what
   * converters and the FIFOs between kernels hold. */
  int64_t unfused_bytes, fused_bytes;
  StCost used;
} StTally;

StTally st_tally(const StModule *m, const StTarget *t);

int64_t st_tally_converter_bytes(const StOp *converter);

#endif
