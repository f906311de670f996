/* Certificates of one design. */
#include <stdio.h>

#include "base/file.h"
#include "check/check.h"
#include "fuzz.h"

typedef struct {
  StArena *arena;
  StModule *module;
  const StTarget *target;
} Design;

static Design open_design(void) {
  Design d = {.arena = st_arena_new()};
  StDiag *diag = st_diag_new(stderr);
  StMap text;
  const char *path = fuzz_seed("ir/design.st");
  d.target = st_target_load(d.arena, "u55c", diag);
  if (st_map_open(&text, path, diag)) {
    d.module = st_module_parse(path, text.data, text.size, diag);
    st_map_close(&text);
  }
  ST_CHECK(d.target && d.module, "no design to check");
  st_diag_free(diag);
  return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static Design d;
  if (!d.module)
    d = open_design();
  StDiag *diag = st_diag_new(NULL);
  bool ok = st_check(d.module, d.target, (const char *)data, n, diag, NULL);
  ST_CHECK(ok == !st_diag_errors(diag), "accepted with an error, or refused "
                                        "without one");
  st_diag_free(diag);
  return 0;
}
