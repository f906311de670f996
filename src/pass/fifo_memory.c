/* See fifo_memory.h. */
#include "pass/fifo_memory.h"

static StCost cost_of(const StTarget *t, const StStream *x, int64_t depth,
                      StMemory memory) {
  return st_target_fifo_cost(t, memory, x->bits, depth);
}

/* The stream in block RAM that frees most of it for the URAM it would take;
 * -1: none whose URAM there is. */
static int best_move(const StTarget *t, const StProcessNet *net,
                     const int64_t *depth, const StMemory *memory,
                     double uram_left) {
  int best = -1;
  double most = 0;
  for (int i = 0; i < net->nstreams; i++) {
    if (memory[i] != ST_MEM_BRAM)
      continue;
    const StStream *x = &net->stream[i];
    double frees = cost_of(t, x, depth[i], ST_MEM_BRAM).bram36;
    double takes = cost_of(t, x, depth[i], ST_MEM_URAM).uram;
    if (takes > uram_left || frees <= most * takes)
      continue;
    most = frees / takes;
    best = i;
  }
  return best;
}

bool st_fifo_memories(const StTarget *t, const StProcessNet *net, StCost ops,
                      double part, const int64_t *depth, StMemory *memory) {
  double bram = ops.bram36, uram = ops.uram;
  double share = t->budget * part;
  double most_bram = share * t->device.bram36;
  double most_uram = share * t->device.uram;
  for (int i = 0; i < net->nstreams; i++) {
    memory[i] = st_target_fifo_memory(t, net->stream[i].bits, depth[i]);
    StCost c = cost_of(t, &net->stream[i], depth[i], memory[i]);
    bram += c.bram36;
    uram += c.uram;
  }
  while (bram > most_bram) {
    int i = best_move(t, net, depth, memory, most_uram - uram);
    if (i < 0)
      break;
    bram -= cost_of(t, &net->stream[i], depth[i], ST_MEM_BRAM).bram36;
    uram += cost_of(t, &net->stream[i], depth[i], ST_MEM_URAM).uram;
    memory[i] = ST_MEM_URAM;
  }
  return bram <= most_bram && uram <= most_uram;
}
