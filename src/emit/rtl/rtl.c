/* The files of a design, made in memory and written in one transaction. */
#include "emit/rtl/rtl.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "emit/hls/top.h"
#include "emit/rtl/board.h"
#include "emit/rtl/files.h"
#include "emit/rtl/plan.h"

typedef ST_VEC(StHlsFile) Files;

static void add(StArena *a, Files *files, const char *name, const char *text) {
  StHlsFile f = {name, text, strlen(text)};
  st_vec_push(a, files, f);
}

static void add_assets(StArena *a, Files *files, const StHlsAsset *asset,
                       int n) {
  for (int i = 0; i < n; i++) {
    StHlsFile f = {asset[i].name, asset[i].begin,
                   (size_t)(asset[i].end - asset[i].begin)};
    st_vec_push(a, files, f);
  }
}

static void write_unit(StRtlPlan *p, StRtlUnit *u) {
  switch (u->process->kind) {
  case ST_PROC_KERNEL:
    st_rtl_kernel(p, u);
    break;
  case ST_PROC_LOAD:
    st_rtl_load(p, u);
    break;
  case ST_PROC_BUNDLE:
    st_rtl_bundle(p, u);
    break;
  case ST_PROC_STORE:
    st_rtl_store(p, u);
    break;
  case ST_PROC_FILL:
  case ST_PROC_DRAIN:
    st_rtl_converter(p, u);
    break;
  case ST_PROC_FORK:
    break;
  }
}

static const char *design_cpp(StRtlPlan *p) {
  StStr s;
  st_str_init(&s);
  st_hls_design_cpp(&s, p->layout);
  const char *text = st_arena_copy(p->a, s.data, s.len);
  st_str_free(&s);
  return text;
}

/* All sources, in an order in which a package comes before its users. */
static const char *file_list(StRtlPlan *p, const StHlsAsset *asset, int n) {
  StStr s;
  st_str_init(&s);
  st_str_printf(&s, "lib/st_num.sv\nlib/st_const.sv\n");
  for (int i = 0; i < n; i++)
    if (!strncmp(asset[i].name, "lib/", 4) &&
        strcmp(asset[i].name, "lib/st_num.sv") != 0 &&
        strcmp(asset[i].name, "lib/st_const.sv") != 0)
      st_str_printf(&s, "%s\n", asset[i].name);
  for (int i = 0; i < p->nunits; i++)
    if (p->unit[i].text)
      st_str_printf(&s, "units/%s.sv\n", p->unit[i].name);
  st_str_printf(&s, "%s\n%s\n", ST_RTL_MARKER, ST_RTL_AXI);
  const char *text = st_arena_copy(p->a, s.data, s.len);
  st_str_free(&s);
  return text;
}

/* Yosys over every module, each without what is inside its instances. */
static const char *synth_script(const StRtlPlan *p, const char *list) {
  StStr s;
  st_str_init(&s);
  st_str_printf(&s, "read_verilog -sv");
  char *files = st_arena_strdup(p->a, list), *rest;
  for (char *f = strtok_r(files, "\n", &rest); f;
       f = strtok_r(NULL, "\n", &rest))
    if (strcmp(f, ST_RTL_AXI) != 0)
      st_str_printf(&s, " %s", f);
  st_str_printf(&s,
                "\nhierarchy -check -top accelerator\n%s -top accelerator\n"
                "tee -q -o build/synth.part stat\n",
                p->t->synth);
  const char *text = st_arena_copy(p->a, s.data, s.len);
  st_str_free(&s);
  return text;
}

static int by_name(const void *x, const void *y) {
  return strcmp(((const StHlsFile *)x)->name, ((const StHlsFile *)y)->name);
}

/* What a small board needs besides; data: NULL, no contents of memories. */
static void add_board(StRtlPlan *p, const void *const *data, Files *files) {
  StArena *a = p->a;
  int assets;
  const StHlsAsset *asset = st_rtl_board_assets(&assets);
  add_assets(a, files, asset, assets);
  add(a, files, "board.sv", st_rtl_board(p));
  for (int i = 0; data && i < p->layout->port.n; i++) {
    const char *text = st_rtl_board_rom(p, i, data);
    if (text)
      add(a, files,
          st_arena_printf(a, "rom/%s.hex", p->layout->port.at[i].name), text);
  }
}

static const StHlsFile *all_files(StArena *a, const StModule *m,
                                  const StTarget *t, const void *const *data,
                                  int *n, StDiag *diag) {
  StRtlPlan *p = st_rtl_plan(a, m, t, diag);
  if (!p)
    return NULL;
  Files files = {0};
  int assets;
  const StHlsAsset *asset = st_rtl_assets(&assets);
  for (int i = 0; i < p->nunits; i++) {
    StRtlUnit *u = &p->unit[i];
    write_unit(p, u);
    if (u->text)
      add(a, &files, st_arena_printf(a, "units/%s.sv", u->name), u->text);
  }
  add(a, &files, ST_RTL_MARKER, st_rtl_top(p));
  add(a, &files, ST_RTL_AXI, st_rtl_axi(p));
  const char *list = file_list(p, asset, assets);
  add(a, &files, "files.f", list);
  add(a, &files, "synth.ys", synth_script(p, list));
  add(a, &files, "sim/design.cpp", design_cpp(p));
  add(a, &files, "sim/ports.cpp", st_rtl_ports_cpp(p));
  add(a, &files, "sim/axi_ports.cpp", st_rtl_axi_cpp(p));
  add_assets(a, &files, asset, assets);
  const char *lacks = st_rtl_board_lacks(p);
  if (!lacks)
    add_board(p, data, &files);
  else if (t->memory.kind == ST_STORAGE_ONCHIP)
    st_note(diag, "no board.sv: the design has %s", lacks);
  qsort(files.at, (size_t)files.n, sizeof *files.at, by_name);
  *n = files.n;
  return files.at;
}

const StHlsFile *st_rtl_files(StArena *a, const StModule *m, const StTarget *t,
                              int *n, StDiag *diag) {
  return all_files(a, m, t, NULL, n, diag);
}

bool st_rtl_write(const StHlsFile *file, int n, const char *dir, StDiag *diag) {
  return st_hls_write_as(file, n, dir, ST_RTL_MARKER, diag);
}

bool st_emit_rtl(const StModule *m, const StTarget *t, const void *const *data,
                 const char *dir, StDiag *diag) {
  int n;
  StArena *a = st_arena_new();
  const StHlsFile *file = all_files(a, m, t, data, &n, diag);
  bool ok = file && st_rtl_write(file, n, dir, diag);
  st_arena_free(a);
  return ok;
}
