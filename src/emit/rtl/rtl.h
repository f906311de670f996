/* SystemVerilog of a stream level module whose depths are decided: the whole
 * accelerator, with the library's modules, and a program that runs it under
 * Verilator. doc/rtl.md describes the files.
 */
#ifndef ST_EMIT_RTL_RTL_H
#define ST_EMIT_RTL_RTL_H

#include "emit/hls/hls.h"

/* As st_hls_files: the files, in order of their names; NULL after located
 * errors. They depend on the module and the target only. */
const StHlsFile *st_rtl_files(StArena *a, const StModule *m, const StTarget *t,
                              int *n, StDiag *diag);

/* Writes them as the directory `dir`, all or nothing; what exists there is only
 * replaced if it is such a directory (or empty). data: [m->arg.n], parameters
 * dense at the module's shapes, which become memories of the chip if the target
 * has no others; NULL: they are left out. */
bool st_emit_rtl(const StModule *m, const StTarget *t, const void *const *data,
                 const char *dir, StDiag *diag);
bool st_rtl_write(const StHlsFile *file, int n, const char *dir, StDiag *diag);

/* The module of an op that moves tokens. */
const char *st_rtl_unit_name(StArena *a, const StOp *op);

/* A file that only directories of this kind have. */
#define ST_RTL_MARKER "accelerator.sv"

/* What `make synth` writes: Yosys' statistics of every module. */
#define ST_RTL_STAT "build/synth.stat"

/* The accelerator behind AXI. */
#define ST_RTL_AXI "axi_accelerator.sv"

#endif
