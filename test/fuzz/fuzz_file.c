/* Inputs as files in memory. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/diag.h"
#include "fuzz.h"

const char *fuzz_file(const uint8_t *data, size_t n) {
  static int file = -1;
  static char path[64];
  if (file < 0) {
    file = memfd_create("input", 0);
    ST_CHECK(file >= 0, "no file in memory");
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  }
  ST_CHECK(ftruncate(file, 0) == 0 && pwrite(file, data, n, 0) == (ssize_t)n,
           "a file in memory cannot be written");
  return path;
}

const char *fuzz_seed(const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", ST_FUZZ_SEEDS, name);
  return path;
}
