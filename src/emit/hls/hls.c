/* The files of a design, made in memory and written in one transaction. */
#include "emit/hls/hls.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "emit/hls/files.h"
#include "emit/hls/lint.h"
#include "emit/hls/process.h"
#include "emit/hls/top.h"

typedef ST_VEC(StHlsFile) Files;

static void add_text(Files *files, const StHlsPlan *p, const char *name,
                     void (*write)(StStr *, const StHlsPlan *)) {
  StStr text;
  st_str_init(&text);
  write(&text, p);
  StHlsFile f = {name, st_arena_copy(p->a, text.data, text.len), text.len};
  st_vec_push(p->a, files, f);
  st_str_free(&text);
}

static int by_name(const void *x, const void *y) {
  return strcmp(((const StHlsFile *)x)->name, ((const StHlsFile *)y)->name);
}

static Files make(StHlsPlan *p) {
  Files files = {0};
  int n;
  const StHlsAsset *asset = st_hls_assets(&n);
  for (int i = 0; i < p->nprocesses; i++)
    st_hls_process_write(p, &p->process[i]);
  add_text(&files, p, "accelerator.cpp", st_hls_accelerator_cpp);
  add_text(&files, p, "accelerator.h", st_hls_accelerator_h);
  if (p->rom.n) {
    add_text(&files, p, "rom.cpp", st_hls_rom_cpp);
    add_text(&files, p, "rom.h", st_hls_rom_h);
  }
  add_text(&files, p, "design.cpp", st_hls_design_cpp);
  add_text(&files, p, "design.mk", st_hls_design_mk);
  add_text(&files, p, "csim/call.cpp", st_hls_call_cpp);
  add_text(&files, p, "link.cfg", st_hls_link_cfg);
  for (int i = 0; i < n; i++) {
    StHlsFile f = {asset[i].name, asset[i].begin,
                   (size_t)(asset[i].end - asset[i].begin)};
    st_vec_push(p->a, &files, f);
  }
  qsort(files.at, (size_t)files.n, sizeof *files.at, by_name);
  return files;
}

const StHlsFile *st_hls_files(StArena *a, const StModule *m, const StTarget *t,
                              int *n, StDiag *diag) {
  if (t->memory.kind == ST_STORAGE_ONCHIP) {
    st_error(diag, (StLoc){0},
             "target %s has no memory for an HLS kernel: "
             "choose a target with HBM or DDR",
             t->name);
    return NULL;
  }
  StHlsPlan *p = st_hls_plan(a, m, t, diag);
  if (!p)
    return NULL;
  Files files = make(p);
  *n = files.n;
  for (int i = 0; i < files.n; i++)
    if (!strcmp(files.at[i].name, ST_HLS_MARKER) &&
        !st_hls_lint_text(files.at[i].name, files.at[i].data, files.at[i].size,
                          diag))
      return NULL;
  return files.at;
}

bool st_hls_write(const StHlsFile *file, int n, const char *dir, StDiag *diag) {
  return st_hls_write_as(file, n, dir, ST_HLS_MARKER, diag);
}

bool st_hls_write_as(const StHlsFile *file, int n, const char *dir,
                     const char *marker, StDiag *diag) {
  StDirTx *tx = st_dirtx_begin(dir, marker, diag);
  if (!tx)
    return false;
  for (int i = 0; i < n; i++)
    if (!st_file_write(st_dirtx_path(tx, file[i].name), file[i].data,
                       file[i].size, diag)) {
      st_dirtx_abort(tx);
      return false;
    }
  return st_dirtx_commit(tx);
}

bool st_emit_hls(const StModule *m, const StTarget *t, const char *dir,
                 StDiag *diag) {
  int n;
  StArena *a = st_arena_new();
  const StHlsFile *file = st_hls_files(a, m, t, &n, diag);
  bool ok = file && st_hls_write(file, n, dir, diag);
  st_arena_free(a);
  return ok;
}
