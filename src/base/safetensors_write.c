/* Writer of safetensors files. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/safetensors.h"

/* Order of the data: larger element types first, else as given. */
static const StTensor **in_file_order(StArena *a, const StTensor *t, int n) {
  const StTensor **order = ST_NEW_N(a, const StTensor *, n);
  int at = 0;
  for (int bytes = 8; bytes >= 1; bytes /= 2)
    for (int i = 0; i < n; i++)
      if (st_dtype_bytes(t[i].dtype) == bytes)
        order[at++] = &t[i];
  return order;
}

static void check_tensor(const StTensor *t) {
  ST_CHECK(st_dtype_file_name(t->dtype), "%s has no name in safetensors files",
           st_dtype_name(t->dtype));
  ST_CHECK(strcmp(t->name, "__metadata__"), "__metadata__ is not a tensor");
  int64_t n = st_shape_elements(t->rank, t->shape);
  ST_CHECK(n >= 0 && t->bytes == n * st_dtype_bytes(t->dtype),
           "'%s' has %" PRId64 " bytes, which its shape does not", t->name,
           t->bytes);
}

static char *header_text(const StTensor *const *t, int n) {
  json_t *all = json_object();
  int64_t at = 0;
  for (int i = 0; i < n; i++) {
    check_tensor(t[i]);
    ST_CHECK(!json_object_get(all, t[i]->name), "two tensors '%s'", t[i]->name);
    json_t *shape = json_array();
    for (int d = 0; d < t[i]->rank; d++)
      json_array_append_new(shape, json_integer(t[i]->shape[d]));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype",
                              st_dtype_file_name(t[i]->dtype), "shape", shape,
                              "data_offsets", (json_int_t)at,
                              (json_int_t)(at + t[i]->bytes));
    ST_CHECK(entry && json_object_set_new(all, t[i]->name, entry) == 0,
             "'%s' cannot be the name of a tensor", t[i]->name);
    at += t[i]->bytes;
  }
  char *text = json_dumps(all, JSON_COMPACT);
  json_decref(all);
  return text;
}

/* Length, header, spaces to a multiple of 8 bytes. */
static void put_header(StWriter *w, const char *text) {
  size_t len = strlen(text), padded = (len + 7) / 8 * 8;
  unsigned char prefix[8];
  for (int i = 0; i < 8; i++)
    prefix[i] = (unsigned char)(padded >> (8 * i));
  st_writer_put(w, prefix, sizeof prefix);
  st_writer_put(w, text, len);
  st_writer_put(w, "       ", padded - len);
}

bool st_safetensors_write(const char *path, const StTensor *tensors, int n,
                          StDiag *diag) {
  StWriter *w = st_writer_open(path, diag);
  if (!w)
    return false;
  StArena *a = st_arena_new();
  const StTensor **t = in_file_order(a, tensors, n);
  char *header = header_text(t, n);
  ST_CHECK(header, "the header of %s cannot be written", path);
  put_header(w, header);
  free(header);
  for (int i = 0; i < n; i++)
    st_writer_put(w, t[i]->data, (size_t)t[i]->bytes);
  st_arena_free(a);
  return st_writer_commit(w);
}
