/* Target files. */
#include "fuzz.h"
#include "target/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  StDiag *diag = st_diag_new(NULL);
  StArena *a = st_arena_new();
  bool ok = st_target_parse(a, "input", (const char *)data, n, diag) != NULL;
  ST_CHECK(ok == !st_diag_errors(diag), "an error and a target, or neither");
  st_arena_free(a);
  st_diag_free(diag);
  return 0;
}
