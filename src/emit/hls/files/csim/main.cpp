// C simulation as a device: the accelerator's function runs a step.
#include <vector>

#include "call.h"
#include "design.h"
#include "serve.h"
#include "st_csim.h"

bool st_run_step(int32_t P, int32_t T, int64_t *, std::string *message) {
  std::vector<void *> pointer;
  for (int i = 0; i < st_npointers; ++i)
    pointer.push_back(st_memory_at(st_pointers[i].memory));
  st_call(pointer.data(), P, T);
  return st_csim_run(message);
}

int main(int argc, char **argv) { return st_serve(argc, argv); }
