/* Element types. */
#ifndef ST_BASE_DTYPE_H
#define ST_BASE_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
  ST_F32,
  ST_F16,
  ST_BF16,
  ST_F64, /* at import only */
  ST_I1,
  ST_I4,
  ST_I8,
  ST_I32,
  ST_I64
} StDtype;

#define ST_DTYPE_COUNT (ST_I64 + 1)

const char *st_dtype_name(StDtype t);                /* "f32", "i1" */
bool st_dtype_parse(const char *name, StDtype *out); /* the whole string */
int st_dtype_bits(StDtype t);                        /* i1: 1 */
/* Bytes of n elements in files and in memory: i1 takes a byte, i4 half of one
 * (rounded up to whole bytes at the end). */
int64_t st_dtype_bytes(StDtype t, int64_t n);
bool st_dtype_is_float(StDtype t);

/* Names in safetensors files ("F32", "BOOL"); NULL for i4, which they lack. */
const char *st_dtype_safetensors(StDtype t);
bool st_dtype_parse_safetensors(const char *name, StDtype *out);

#endif
