/* compile, run, check, coverage, emit: thin commands over the library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "check/check.h"
#include "driver/build.h"
#include "driver/command.h"
#include "emit/hls/hls.h"
#include "emit/rtl/rtl.h"
#include "streamtensor/streamtensor.h"

#define COUNT(options) ((int)(sizeof options / sizeof *options))

static int usage(const char *what) {
  fprintf(stderr, "streamtensor: %s\n", what);
  return 2;
}

/* ---- compile ------------------------------------------------------------------- */

static void print_report(const StCompileReport *r, bool json) {
  if (!json) {
    fprintf(stderr, "compiled in %.2f s\n", r->seconds);
    return;
  }
  json_t *passes = json_array();
  for (int i = 0; i < r->npasses; i++)
    json_array_append_new(passes, json_pack("{s:s, s:f}", "name",
                                            r->pass[i].name, "seconds",
                                            r->pass[i].seconds));
  json_t *all =
      json_pack("{s:f, s:o}", "seconds", r->seconds, "passes", passes);
  json_dumpf(all, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
  printf("\n");
  json_decref(all);
}

int st_command_compile(int argc, char **argv) {
  const char *package, *factors = NULL, *chunk = NULL;
  bool json = false;
  int n;
  StCompileOptions o = {.target = "u55c", .quantisation = "f32"};
  const StOption options[] = {
      {"-o", &o.build, NULL, "directory of the build to write", "BUILD"},
      {"-t", &o.target, NULL, "target, a name or a file (default u55c)",
       "TARGET"},
      {"-q", &o.quantisation, NULL,
       "quantisation: f32 (default), w4a8, w8a8; with group and minimums: "
       "w4a8:32:min; by name: w4a8,lm_head.*=w8a8", "Q"},
      {"--kv", &o.kv, NULL,
       "caches: f32, f16 or int8 (default: int8 with -q w4a8 or w8a8)", "KV"},
      {"--factors", &factors, NULL,
       "on the times of products, attention, rows (default: the best found)",
       "W,C,R"},
      {"--chunk", &chunk, NULL,
       "most tokens of a step (default: the package's)", "T"},
      {"--json", NULL, &json, "print passes and times as JSON", NULL},
  };
  int used = st_options_parse(
      argc, argv, "compile PKG -o BUILD [-t TARGET] [-q Q] [options]",
      "Compile a package into an accelerator.", options, COUNT(options),
      &package, 1, 1, &n);
  if (used)
    return used == 1 ? 0 : used;
  if (!o.build)
    return usage("compile needs -o BUILD");
  o.package = package;
  o.progress = isatty(STDERR_FILENO) ? stderr : NULL;
  StDiag *diag = st_diag_new(stderr);
  StCompileReport r;
  bool ok = st_design_parse(factors, chunk, &o.design, diag) &&
            st_build_write(&o, &r, diag);
  st_diag_free(diag);
  if (ok)
    print_report(&r, json);
  return ok ? 0 : 1;
}

/* ---- run ------------------------------------------------------------------------- */

int st_command_run(int argc, char **argv) {
  const char *build, *in = NULL, *out = NULL, *device = "sim", *trace = NULL;
  bool json = false;
  int n;
  const StOption options[] = {
      {"--in", &in, NULL, "safetensors file with the inputs by name", "FILE"},
      {"--out", &out, NULL, "safetensors file for the results", "FILE"},
      {"--device", &device, NULL, "sim (default), interp, hls or rtl",
       "DEVICE"},
      {"--trace", &trace, NULL, "write what happens when, for Perfetto",
       "FILE"},
      {"--json", NULL, &json, "print cycles and bytes as JSON", NULL},
  };
  int used = st_options_parse(
      argc, argv, "run BUILD --in F.safetensors --out F.safetensors "
                  "[--device DEVICE] [--json]",
      "Run a compiled module once.", options, COUNT(options), &build, 1, 1,
      &n);
  if (used)
    return used == 1 ? 0 : used;
  if (!in || !out)
    return usage("run needs --in FILE and --out FILE");
  char error[4096];
  StSession *s = st_session_open(build, device, error, sizeof error);
  int status = s ? st_session_run(s, in, out, error, sizeof error) : 1;
  if (!status && trace)
    status = st_session_trace(s, trace, error, sizeof error);
  if (status)
    fputs(error, stderr);
  else if (json)
    printf("{\"cycles\": %lld, \"hbm_bytes\": %lld, \"clock_mhz\": %g}\n",
           (long long)st_session_cycles(s), (long long)st_session_bytes(s),
           st_session_clock_mhz(s));
  else
    fprintf(stderr, "wrote %s\n", out);
  st_session_close(s);
  return status;
}

/* ---- check ----------------------------------------------------------------------- */

int st_command_check(int argc, char **argv) {
  const char *build;
  int n, used = st_options_parse(
             argc, argv, "check BUILD",
             "Verify the certificate of a build: no FIFO overflows or "
             "starves, so\nnothing deadlocks at these depths.",
             NULL, 0, &build, 1, 1, &n);
  if (used)
    return used == 1 ? 0 : used;
  StDiag *diag = st_diag_new(stderr);
  StBuild *b = st_build_open(build, false, diag);
  StMap map;
  bool ok = b && st_build_file(b, "certificate.txt", &map, diag);
  if (ok) {
    ok = st_check(b->module, b->target, map.data, map.size, diag, stdout);
    st_map_close(&map);
  }
  st_build_close(b);
  st_diag_free(diag);
  return ok ? 0 : 1;
}

/* ---- emit --------------------------------------------------------------------------- */

/* A target without memory of its own has the parameters in the design. */
static bool emit_rtl(StBuild *b, const char *out, StDiag *diag) {
  if (b->target->memory.kind != ST_STORAGE_ONCHIP)
    return st_emit_rtl(b->module, b->target, NULL, out, diag);
  StBuild *whole = st_build_open(b->dir, true, diag);
  if (!whole)
    return false;
  int n = whole->module->arg.n;
  const void **data = ST_NEW_N(whole->arena, const void *, n + 1);
  for (int i = 0; whole->param && i < n; i++)
    if (whole->param[i].tensor)
      data[i] = whole->param[i].tensor->data;
  bool ok = st_emit_rtl(whole->module, whole->target,
                        whole->param ? data : NULL, out, diag);
  st_build_close(whole);
  return ok;
}

int st_command_emit(int argc, char **argv) {
  const char *rest[2], *out = NULL;
  int n;
  const StOption options[] = {
      {"-o", &out, NULL, "directory to write", "DIR"}};
  int used = st_options_parse(
      argc, argv, "emit (hls | rtl) BUILD -o DIR",
      "hls: the accelerator as Vitis HLS C++ with host program, link "
      "configuration\nand Makefile; make -C DIR csim compiles it here.\n"
      "rtl: the accelerator as SystemVerilog; make -C DIR sim compiles it with "
      "Verilator.",
      options, COUNT(options), rest, 2, 2, &n);
  if (used)
    return used == 1 ? 0 : used;
  bool rtl = !strcmp(rest[0], "rtl");
  if (!rtl && strcmp(rest[0], "hls") != 0)
    return usage("emit what? streamtensor emit (hls | rtl) BUILD -o DIR");
  if (!out)
    return usage("emit needs -o DIR");
  StDiag *diag = st_diag_new(stderr);
  StBuild *b = st_build_open(rest[1], false, diag);
  bool ok = b && (rtl ? emit_rtl(b, out, diag)
                      : st_emit_hls(b->module, b->target, out, diag));
  st_build_close(b);
  st_diag_free(diag);
  return ok ? 0 : 1;
}
