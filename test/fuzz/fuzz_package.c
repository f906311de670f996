/* Packages without weights: model.json, a line "----", model.mlir. What is
 * imported verifies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "import/package.h"

static char directory[64];

static void remove_directory(void) {
  char path[128];
  snprintf(path, sizeof path, "%s/model.json", directory);
  unlink(path);
  snprintf(path, sizeof path, "%s/model.mlir", directory);
  unlink(path);
  rmdir(directory);
}

static void put(const char *name, const uint8_t *data, size_t n) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE *f = fopen(path, "wb");
  ST_CHECK(f, "cannot write %s", path);
  size_t put = fwrite(data, 1, n, f);
  ST_CHECK(fclose(f) == 0 && put == n, "cannot write %s", path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static const char line[] = "\n----\n";
  if (!directory[0]) {
    snprintf(directory, sizeof directory, "/tmp/st-fuzz-XXXXXX");
    ST_CHECK(mkdtemp(directory), "cannot make %s", directory);
    atexit(remove_directory);
  }
  const uint8_t *cut = memmem(data, n, line, strlen(line));
  size_t head = cut ? (size_t)(cut - data) : n;
  size_t from = cut ? head + strlen(line) : n;
  put("model.json", data, head);
  put("model.mlir", data + from, n - from);
  StDiag *diag = st_diag_new(NULL);
  StPackage *p = st_package_open(directory, diag);
  StModule *m = p ? st_import_linalg(&p->sig, p->text, diag) : NULL;
  ST_CHECK(m || st_diag_errors(diag), "refused without an error");
  ST_CHECK(!m || st_module_verify(m, "import", diag),
           "what was imported does not verify: %s", st_diag_text(diag));
  if (m)
    st_module_free(m);
  st_package_close(p);
  st_diag_free(diag);
  return 0;
}
