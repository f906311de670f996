/* Element types. */
#ifndef ST_BASE_DTYPE_H
#define ST_BASE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  ST_F32,
  ST_F16,
  ST_BF16,
  ST_F64, /* at import only */
  ST_I1,
  ST_I4,
  ST_I8,
  ST_I16,
  ST_I32,
  ST_I64
} StDtype;

#define ST_DTYPE_COUNT (ST_I64 + 1)

const char *st_dtype_name(StDtype t); /* "f32", "i1" */
/* The name, as above or as in safetensors files, that the n bytes are. */
bool st_dtype_parse(const char *name, size_t n, StDtype *out);
int st_dtype_bits(StDtype t);  /* i1: 1 */
int st_dtype_bytes(StDtype t); /* of an element in memory: i1, i4: 1 */
bool st_dtype_is_float(StDtype t);

/* Its name in safetensors files ("F32", "BOOL"); NULL for i4, which they do
 * not have. */
const char *st_dtype_file_name(StDtype t);

#endif
