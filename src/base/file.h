/* Files and directories as transactions: a reader, also after a crash at any
 * moment, sees the old content or the new one, never a part. Every failure is
 * reported with the path and the system's reason.
 */
#ifndef ST_BASE_FILE_H
#define ST_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

/* A file mapped for reading. */
typedef struct {
  const char *data; /* size bytes; not NULL, also of an empty file */
  size_t size;
  void *base; /* NULL: nothing is mapped */
} StMap;

bool st_map_open(StMap *m, const char *path, StDiag *diag);
void st_map_close(StMap *m);

/* The content (also of a pipe) with a zero byte after its *len bytes; NULL
 * after an error. */
char *st_file_read(StArena *a, const char *path, size_t *len, StDiag *diag);

/* Writes `path` through a temporary file beside it: written, synced, renamed.
 * What is not a regular file (a device, a pipe) is written directly. */
bool st_file_write(const char *path, const void *data, size_t n, StDiag *diag);

/* The same, piece by piece. After the first failure, which is reported, put
 * and commit return false and report nothing more. */
typedef struct StWriter StWriter;
StWriter *st_writer_open(const char *path, StDiag *diag); /* NULL: error */
bool st_writer_put(StWriter *w, const void *data, size_t n);
bool st_writer_commit(StWriter *w); /* frees w in any case */
void st_writer_abort(StWriter *w);  /* frees w; `path` is as it was */

bool st_path_exists(const char *path);
bool st_path_is_dir(const char *path);
/* The part after the last '/'; points into path. */
const char *st_path_base(const char *path);
/* "dir/name", or name alone if it is absolute or dir is "" or "." */
char *st_path_join(StArena *a, const char *dir, const char *name);
/* mkdir -p of the directory. */
bool st_dir_make(const char *path, StDiag *diag);

/* A directory that appears at `path` all at once: it is filled under a
 * temporary name beside `path`, synced, and exchanged with what was there. */
typedef struct StDirTx StDirTx;

/* NULL after an error. What exists at `path` is only ever replaced if it is a
 * directory that is empty or has a file `marker` (which tells that it was made
 * by this program); parents of `path` are made. */
StDirTx *st_dirtx_begin(const char *path, const char *marker, StDiag *diag);
/* Where to write what will be path/name ("" for the directory itself); `name`
 * may have directories, which are made. Valid until commit or abort. */
const char *st_dirtx_path(StDirTx *tx, const char *name);
bool st_dirtx_commit(StDirTx *tx); /* frees tx in any case; false: as abort */
void st_dirtx_abort(StDirTx *tx);  /* frees tx; `path` is as it was */

#endif
