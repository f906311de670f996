/* What the FIFOs of a design are made of. */
#ifndef ST_PASS_FIFO_MEMORY_H
#define ST_PASS_FIFO_MEMORY_H

#include "analysis/process.h"
#include "target/target.h"

/* memory[stream]: what suits a FIFO of its depth (st_target_fifo_memory). Where
 * that asks for more block RAM than `part` of the target's budget has besides
 * `ops`, URAM takes FIFOs over, those first that free most block RAM for it;
 * ties: the lowest stream. Whether block RAM and URAM are within that part. */
bool st_fifo_memories(const StTarget *t, const StProcessNet *net, StCost ops,
                      double part, const int64_t *depth, StMemory *memory);

#endif
