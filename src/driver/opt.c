/* streamtensor opt: passes on a package or on the text form of a module. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "driver/command.h"
#include "driver/pipeline.h"
#include "import/package.h"

enum { MOST_NAMES = 64 };

/* "a,b" to names; false if one is no pass. */
static bool split_names(char *list, const char **names, int *n) {
  int passes;
  const StPass *pass = st_pipeline_passes(&passes);
  *n = 0;
  for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
    bool known = false;
    for (int i = 0; i < passes; i++)
      known |= !strcmp(pass[i].name, word);
    if (!known || *n == MOST_NAMES) {
      fprintf(stderr, "streamtensor: there is no pass '%s' "
                      "(see streamtensor opt --list-passes)\n", word);
      return false;
    }
    names[(*n)++] = word;
  }
  return true;
}

static StModule *read_input(const char *path, StPackage **package,
                            StDiag *diag) {
  if (st_path_is_dir(path)) {
    *package = st_package_open(path, diag);
    if (!*package)
      return NULL;
    return st_import_linalg(&(*package)->sig, (*package)->text, diag);
  }
  StMap map;
  if (!st_map_open(&map, path, diag))
    return NULL;
  StModule *m = st_module_parse(path, map.data, map.size, diag);
  st_map_close(&map);
  return m;
}

static void print_time(const StPassTime *t, int n) {
  for (int i = 0; i < n; i++)
    fprintf(stderr, "%-18s %8.1f ms\n", t[i].name, 1e3 * t[i].seconds);
}

static int list_passes(void) {
  int n;
  const StPass *p = st_pipeline_passes(&n);
  for (int i = 0; i < n; i++)
    printf("%-18s %s\n", p[i].name, p[i].summary);
  return 0;
}

int st_command_opt(int argc, char **argv) {
  const char *passes = NULL, *print = NULL, *stop = NULL, *target = "u55c";
  const char *lanes = "0", *scheme = "f32", *kv = NULL, *input = NULL;
  bool list = false, timing = false, check = false;
  const StOption options[] = {
      {"-p", &passes, NULL, "passes to run (default: all)", "A,B"},
      {"--print-after", &print, NULL, "print the module after this pass",
       "PASS"},
      {"--stop-after", &stop, NULL, "end with this pass", "PASS"},
      {"-t", &target, NULL, "target (default u55c)", "TARGET"},
      {"--lanes", &lanes, NULL, "elements of every vector (default: what is best)", "N"},
      {"-q", &scheme, NULL, "quantisation (default f32)", "Q"},
      {"--kv", &kv, NULL, "caches (default as in compile)", "KV"},
      {"--list-passes", NULL, &list, "print the pipeline", NULL},
      {"--time-passes", NULL, &timing, "print the time of each pass", NULL},
      {"--verify-each", NULL, &check,
       "check that the text form round-trips after each pass", NULL},
  };
  int n, used = st_options_parse(
             argc, argv, "opt [options] PKG_OR_FILE.st",
             "Run passes on a package or on a module's text and print the "
             "module.",
             options, sizeof options / sizeof *options, &input, 0, 1, &n);
  if (used)
    return used == 1 ? 0 : used;
  if (list)
    return list_passes();
  const char *names[MOST_NAMES];
  int nnames = 0;
  StArena *arena = st_arena_new();
  char *copy = passes ? st_arena_strdup(arena, passes) : NULL;
  if (!input || (copy && !split_names(copy, names, &nnames))) {
    if (!input)
      fprintf(stderr, "streamtensor: opt needs a package or a file\n");
    st_arena_free(arena);
    return 2;
  }
  StDiag *diag = st_diag_new(stderr);
  StPackage *package = NULL;
  StModule *m = read_input(input, &package, diag);
  StPassContext ctx = {.diag = diag,
                       .lanes = atoi(lanes),
                       .own = package ? package->grid : NULL};
  if (m && st_scheme_parse(scheme, &ctx.scheme, diag) &&
      st_kv_parse(kv, &ctx.scheme, &ctx.kv, diag))
    ctx.target = st_target_load(arena, target, diag);
  StPassTime times[MOST_NAMES];
  int ntimes = 0;
  StPipelineOptions o = {.stop_after = stop, .print_after = print,
                         .print_to = stdout, .round_trip = check};
  bool ok = ctx.target && st_pipeline_run(m, &ctx, copy ? names : NULL, nnames,
                                          &o, times, &ntimes);
  if (ok && !print) {
    StStr text;
    st_str_init(&text);
    st_module_print(&text, m);
    fwrite(text.data, 1, text.len, stdout);
    st_str_free(&text);
  }
  if (timing)
    print_time(times, ntimes);
  st_module_free(m);
  st_package_close(package);
  st_arena_free(arena);
  st_diag_free(diag);
  return ok ? 0 : 1;
}
