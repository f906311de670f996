/* Memory channels of what is loaded and stored alone. */
#ifndef ST_PASS_CHANNELS_H
#define ST_PASS_CHANNELS_H

#include "ir/ir.h"
#include "target/target.h"

/* Argument (or after all arguments result) whose memory an op moves; -1: none,
 * or a constant. A BUNDLE moves several: -1. */
int st_channels_tensor(const StModule *m, const StOp *op);
/* Bits that a load or store moves in a step, at the largest extents. */
int64_t st_channels_bits(const StModule *m, const StOp *op);

/* Deals the tensors to the channels first .. t->memory.channels - 1, by their
 * needs (st_timing_need). Every cache is spread over as many as its part of all
 * needs asks for, but one at least is left for the rest. These are dealt in the
 * order of their needs, the largest first, each to the channel with least so
 * far; ties go to the lowest number. All loads and stores of a tensor (a cache
 * is read and written) use its channels; one that is larger goes on in the
 * next. Ops in `without` ([op id], may be NULL) move nothing and get channel
 * -1. */
void st_channels_deal(StModule *m, const StTarget *t, int first,
                      const bool *without);

#endif
