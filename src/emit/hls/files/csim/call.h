// The emitted call.cpp.
#ifndef ST_CSIM_CALL_H
#define ST_CSIM_CALL_H

#include <stdint.h>

// The accelerator's top function; [st_npointers] of the memories.
void st_call(void *const *pointer, int32_t P, int32_t T);

#endif
