/* The C++ function of each kind of process. */
#ifndef ST_EMIT_HLS_PROCESS_H
#define ST_EMIT_HLS_PROCESS_H

#include "base/str.h"
#include "emit/hls/plan.h"

/* Sets body, uses_p and uses_t. */
void st_hls_process_write(const StHlsPlan *plan, StHlsProcess *p);
/* Its comment and definition, after that. */
void st_hls_process_define(StStr *out, const StHlsPlan *plan,
                           const StHlsProcess *p);

/* Bodies: streams are in0, in1, .. (by operand) and out0, .. (by result),
 * pointers have the names of the ports. */
void st_hls_kernel(StStr *out, const StHlsPlan *plan, const StHlsProcess *p);
void st_hls_load(StStr *out, const StHlsPlan *plan, const StHlsProcess *p);
void st_hls_bundle(StStr *out, const StHlsPlan *plan, const StHlsProcess *p);
void st_hls_store(StStr *out, const StHlsPlan *plan, const StHlsProcess *p);
void st_hls_fork(StStr *out, const StHlsPlan *plan, const StHlsProcess *p);
void st_hls_converter(StStr *out, const StHlsPlan *plan, const StHlsProcess *p);

/* Style of a pipeline: free running (it never stalls, so that tokens leave
 * although none arrive) where no memory is touched. */
const char *st_hls_style(const StHlsProcess *p);
/* impl= of BIND_STORAGE, "" for what the tool should choose. */
const char *st_hls_storage(StMemory m);

#endif
