/* Safetensors files: 8 bytes little-endian length of the header, the header
 * (JSON: name -> dtype, shape, data_offsets), the data. Opening checks all of
 * it: lengths, offsets, overlaps, holes, sizes against dtype and shape.
 */
#ifndef ST_BASE_SAFETENSORS_H
#define ST_BASE_SAFETENSORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/dtype.h"

enum { ST_TENSOR_MAX_RANK = 16 };

typedef struct {
  const char *name;
  StDtype dtype;
  int rank;
  const int64_t *shape; /* [rank] */
  const void *data;     /* little endian, aligned for the dtype */
  int64_t bytes;
} StTensor;

typedef struct StSafetensors StSafetensors;

/* NULL after errors. The file stays mapped until close. */
StSafetensors *st_safetensors_open(const char *path, StDiag *diag);
void st_safetensors_close(StSafetensors *s); /* NULL is fine */

int st_safetensors_count(const StSafetensors *s);
/* In the order of the data in the file. */
const StTensor *st_safetensors_at(const StSafetensors *s, int i);
/* NULL if there is none of that name. */
const StTensor *st_safetensors_find(const StSafetensors *s, const char *name);
/* A string of the file's "__metadata__"; NULL if absent. */
const char *st_safetensors_metadata(const StSafetensors *s, const char *key);
const char *st_safetensors_path(const StSafetensors *s);
/* Where the data of a tensor of this file begins, in bytes from the start. */
int64_t st_safetensors_offset(const StSafetensors *s, const StTensor *t);

/* Writes the tensors (of dtypes that the format has) as st_file_write does,
 * larger element types first so that all are aligned. Bytes must agree with
 * dtype and shape, names be different. */
bool st_safetensors_write(const char *path, const StTensor *tensors, int n,
                          StDiag *diag);

/* Product of a shape, -1 on overflow. */
int64_t st_shape_elements(int rank, const int64_t *shape);
/* "[2, 64]" */
const char *st_shape_text(StArena *a, int rank, const int64_t *shape);

#endif
