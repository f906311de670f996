/* coverage: what the importer says of each operation, and what the passes say
 * that need the whole module and no target. */
#include <stdio.h>

#include "base/file.h"
#include "base/str.h"
#include "driver/command.h"
#include "driver/pipeline.h"
#include "import/coverage.h"
#include "import/package.h"

static bool try_passes(StCoverage *c, StArena *a, const StSignature *sig,
                       const char *path, StDiag *diag) {
  StModule *m = st_import_linalg(sig, path, diag);
  if (!m)
    return false;
  StDiag *said = st_diag_new(NULL);
  StPassContext ctx = {.lanes = 1, .diag = said};
  StPipelineOptions o = {.stop_after = "tile"};
  if (!st_pipeline_run(m, &ctx, NULL, 0, &o, NULL, NULL))
    st_coverage_refuse(c, a, said);
  st_diag_free(said);
  st_module_free(m);
  return true;
}

static StCoverage *cover(StArena *a, const StSignature *sig, const char *path,
                         StDiag *diag) {
  StCoverage *c = st_coverage(a, sig, path, diag);
  if (c && c->unsupported == 0 && !try_passes(c, a, sig, path, diag))
    return NULL;
  return c;
}

int st_command_coverage(int argc, char **argv) {
  const char *input;
  bool json = false;
  int n;
  const StOption options[] = {
      {"--json", NULL, &json, "print the table as JSON", NULL}};
  int used = st_options_parse(
      argc, argv, "coverage PKG_OR_MLIR [--json]",
      "List every operation of a model with a verdict, how often and where it "
      "is.\nExit status 0 if all are supported.",
      options, 1, &input, 1, 1, &n);
  if (used)
    return used == 1 ? 0 : used;
  StDiag *diag = st_diag_new(stderr);
  StArena *a = st_arena_new();
  bool package = st_path_is_dir(input);
  StPackage *p = package ? st_package_open(input, diag) : NULL;
  StCoverage *c = NULL;
  if (p || !package)
    c = cover(a, p ? &p->sig : NULL, p ? p->text : input, diag);
  StStr text;
  st_str_init(&text);
  if (c && json)
    st_coverage_json(&text, c);
  else if (c)
    st_coverage_print(&text, c);
  fwrite(text.data, 1, text.len, stdout);
  bool ok = c && c->unsupported == 0;
  st_str_free(&text);
  st_package_close(p);
  st_arena_free(a);
  st_diag_free(diag);
  return ok ? 0 : 1;
}
