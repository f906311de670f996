/* The files of a design that depend on its module. */
#ifndef ST_EMIT_HLS_TOP_H
#define ST_EMIT_HLS_TOP_H

#include "base/str.h"
#include "emit/hls/plan.h"

void st_hls_accelerator_h(StStr *out, const StHlsPlan *p);
void st_hls_accelerator_cpp(StStr *out, const StHlsPlan *p);
void st_hls_rom_h(StStr *out, const StHlsPlan *p);
void st_hls_rom_cpp(StStr *out, const StHlsPlan *p);
void st_hls_design_cpp(StStr *out, const StHlsPlan *p); /* memories, ports */
void st_hls_call_cpp(StStr *out, const StHlsPlan *p);   /* for csim */
void st_hls_link_cfg(StStr *out, const StHlsPlan *p);
void st_hls_design_mk(StStr *out, const StHlsPlan *p);

/* "const st_vec<float, 8> *" */
const char *st_hls_pointer_type(const StHlsPlan *p, const StHlsPort *port);

#endif
