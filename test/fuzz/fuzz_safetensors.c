/* Safetensors: all tensors lie in the file. */
#include "base/safetensors.h"
#include "fuzz.h"

static void touch(const StTensor *t) {
  const volatile unsigned char *data = t->data;
  for (int64_t i = 0; i < t->bytes; i++)
    (void)data[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  StDiag *diag = st_diag_new(NULL);
  StSafetensors *s = st_safetensors_open(fuzz_file(data, n), diag);
  ST_CHECK(!s == (st_diag_errors(diag) > 0), "an error and a file, or neither");
  for (int i = 0; s && i < st_safetensors_count(s); i++) {
    const StTensor *t = st_safetensors_at(s, i);
    ST_CHECK(st_safetensors_find(s, t->name) == t, "a tensor is not found");
    touch(t);
  }
  st_safetensors_close(s);
  st_diag_free(diag);
  return 0;
}
