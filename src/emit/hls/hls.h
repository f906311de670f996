/* Vitis HLS C++ of a stream level module whose depths are decided: a directory
 * with the kernel, its link configuration, an XRT host program and a C
 * simulation that needs only a C++ compiler. doc/hls.md describes the files,
 * the rules that the code keeps to, and the protocol of the simulation.
 */
#ifndef ST_EMIT_HLS_HLS_H
#define ST_EMIT_HLS_HLS_H

#include "ir/ir.h"
#include "target/target.h"

typedef struct {
  const char *name; /* path inside the directory */
  const char *data;
  size_t size;
} StHlsFile;

/* The files of the design, in the arena, in order of their names; *n is their
 * number. They depend on the module and the target only. NULL after errors:
 * what the lint finds, or a target without a place for it. */
const StHlsFile *st_hls_files(StArena *a, const StModule *m, const StTarget *t,
                              int *n, StDiag *diag);

/* Writes them as the directory `dir`, all or nothing. What exists there is only
 * replaced if it is such a directory (or empty). */
bool st_emit_hls(const StModule *m, const StTarget *t, const char *dir,
                 StDiag *diag);
/* The same for files at hand. */
bool st_hls_write(const StHlsFile *file, int n, const char *dir, StDiag *diag);

/* With another marker. */
bool st_hls_write_as(const StHlsFile *file, int n, const char *dir,
                     const char *marker, StDiag *diag);

/* A file that only directories of this kind have. */
#define ST_HLS_MARKER "accelerator.cpp"

#endif
