// What the programs around the accelerator (host.cpp, csim) need to know of a
// design; design.cpp is emitted with it.
#ifndef ST_DESIGN_H
#define ST_DESIGN_H

#include <stdint.h>

enum st_role {
  ST_FIXED,    // argument: from the manifest, once
  ST_INPUT,    // argument: comes with every step
  ST_TOKENS,   // the same: the tokens of the step
  ST_POSITION, // the same: where they are
  ST_CACHE,    // argument: stays in its memory
  ST_OUTPUT,   // result: goes back after every step
  ST_LOGITS,   // the same: the next token's logits
  ST_ROWS      // result: stays in the memory of a cache
};

struct st_extent { // c + p P + t T; `allocated`: in memory
  int64_t c, p, t, allocated;
};

struct st_port { // an argument or a result of the step function
  const char *name;
  st_role role;
  int element;     // bytes
  bool is_integer;
  int rank;
  const st_extent *shape;
};

// `count` arguments or results of `elements` elements one after another.
struct st_memory {
  int element; // bytes
  int64_t elements;
  int count;
  const int *arg; // [count] arguments that lie here, or null
  const int *ret; // [count] results that are read back from here, or null
};

// A pointer of the accelerator, in order.
struct st_pointer {
  const char *name;
  int memory;
  int channel; // of HBM or DDR, the first of several; -1 not decided
  bool writes;
};

extern const int st_nargs, st_nrets, st_nmemories, st_npointers;
extern const int64_t st_ctx, st_chunk; // 0: the sizes do not vary
extern const st_port st_args[], st_rets[];
extern const st_memory st_memories[];
extern const st_pointer st_pointers[];

inline bool st_is_input(st_role r) {
  return r == ST_INPUT || r == ST_TOKENS || r == ST_POSITION;
}
inline bool st_is_output(st_role r) {
  return r == ST_OUTPUT || r == ST_LOGITS;
}

#endif
