/* Element types. */
#include "base/dtype.h"

#include <string.h>

static const struct {
  const char *name;
  const char *file; /* in safetensors files */
  int bits;
} types[ST_DTYPE_COUNT] = {
    [ST_F32] = {"f32", "F32", 32},    [ST_F16] = {"f16", "F16", 16},
    [ST_BF16] = {"bf16", "BF16", 16}, [ST_F64] = {"f64", "F64", 64},
    [ST_I1] = {"i1", "BOOL", 1},      [ST_I4] = {"i4", NULL, 4},
    [ST_I8] = {"i8", "I8", 8},        [ST_I16] = {"i16", "I16", 16},
    [ST_I32] = {"i32", "I32", 32},    [ST_I64] = {"i64", "I64", 64},
};

static bool is_name(const char *known, const char *name, size_t n) {
  return known && strlen(known) == n && !memcmp(known, name, n);
}

const char *st_dtype_name(StDtype t) { return types[t].name; }

const char *st_dtype_file_name(StDtype t) { return types[t].file; }

bool st_dtype_parse(const char *name, size_t n, StDtype *out) {
  for (int i = 0; i < ST_DTYPE_COUNT; i++) {
    if (is_name(types[i].name, name, n) || is_name(types[i].file, name, n)) {
      *out = (StDtype)i;
      return true;
    }
  }
  return false;
}

int st_dtype_bits(StDtype t) { return types[t].bits; }

int st_dtype_bytes(StDtype t) { return (types[t].bits + 7) / 8; }

bool st_dtype_is_float(StDtype t) {
  return t == ST_F32 || t == ST_F16 || t == ST_BF16 || t == ST_F64;
}
