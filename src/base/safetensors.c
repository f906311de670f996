/* Reader of safetensors files, which trusts nothing in them. */
#include "base/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"

enum { PREFIX = 8, HEADER_LIMIT = 100 * 1000 * 1000 };

typedef struct {
  StTensor tensor;
  int64_t begin, end; /* of its data, after the header */
} Entry;

struct StSafetensors {
  StArena *arena;
  StDiag *diag;
  const char *path;
  StMap map;
  json_t *header;
  const char *data; /* after the header */
  int64_t size;     /* of data */
  int n;
  Entry *entry;           /* [n] in the order of the data */
  const StTensor **named; /* [n] sorted by name */
};

static StLoc at_file(const StSafetensors *s) {
  return (StLoc){.file = s->path};
}

int64_t st_shape_elements(int rank, const int64_t *shape) {
  int64_t n = 1;
  bool over = false;
  for (int i = 0; i < rank; i++) {
    if (shape[i] == 0)
      return 0;
    over |= shape[i] < 0 || __builtin_mul_overflow(n, shape[i], &n);
  }
  return over ? -1 : n;
}

const char *st_shape_text(StArena *a, int rank, const int64_t *shape) {
  StStr s;
  st_str_init(&s);
  for (int i = 0; i < rank; i++)
    st_str_printf(&s, "%s%" PRId64, i ? ", " : "", shape[i]);
  char *text = st_arena_printf(a, "[%s]", s.data);
  st_str_free(&s);
  return text;
}

/* ---- checking the header ---------------------------------------------- */

static bool bad_tensor(const StSafetensors *s, const char *name,
                       const char *what) {
  st_error(s->diag, at_file(s), "tensor '%s': %s", name, what);
  return false;
}

static bool parse_dtype(StSafetensors *s, const char *name, const json_t *v,
                        StDtype *out) {
  const char *text = json_string_value(v);
  if (!text)
    return bad_tensor(s, name, "\"dtype\" is missing or not a string");
  for (int t = 0; t < ST_DTYPE_COUNT; t++) {
    const char *known = st_dtype_file_name((StDtype)t);
    if (known && !strcmp(known, text)) {
      *out = (StDtype)t;
      return true;
    }
  }
  bad_tensor(
      s, name,
      st_arena_printf(s->arena, "element type %s is not supported", text));
  st_note(s->diag, "supported are F64, F32, F16, BF16, I64, I32, I16, I8 and "
                   "BOOL: convert the tensor, or leave it out");
  return false;
}

static bool parse_shape(StSafetensors *s, StTensor *t, const json_t *v) {
  size_t rank = json_array_size(v);
  if (!json_is_array(v))
    return bad_tensor(s, t->name, "\"shape\" is missing or not an array");
  if (rank > ST_TENSOR_MAX_RANK)
    return bad_tensor(s, t->name, "more than 16 dimensions");
  int64_t *shape = ST_NEW_N(s->arena, int64_t, rank);
  for (size_t i = 0; i < rank; i++) {
    const json_t *d = json_array_get(v, i);
    shape[i] = json_integer_value(d);
    if (!json_is_integer(d) || shape[i] < 0)
      return bad_tensor(s, t->name, "\"shape\" has something else than sizes");
  }
  t->rank = (int)rank;
  t->shape = shape;
  int64_t n = st_shape_elements(t->rank, shape);
  if (n < 0 ||
      __builtin_mul_overflow(n, (int64_t)st_dtype_bytes(t->dtype), &t->bytes))
    return bad_tensor(s, t->name, "\"shape\" is too large");
  return true;
}

static bool parse_offsets(StSafetensors *s, Entry *e, const json_t *v) {
  const json_t *begin = json_array_get(v, 0), *end = json_array_get(v, 1);
  const char *name = e->tensor.name;
  if (json_array_size(v) != 2 || !json_is_integer(begin) ||
      !json_is_integer(end))
    return bad_tensor(s, name, "\"data_offsets\" is not a pair of integers");
  e->begin = json_integer_value(begin);
  e->end = json_integer_value(end);
  const char *what = NULL;
  if (e->begin < 0 || e->end < e->begin)
    what = st_arena_printf(
        s->arena, "data_offsets [%" PRId64 ", %" PRId64 "] are not a range",
        e->begin, e->end);
  else if (e->end - e->begin != e->tensor.bytes)
    what = st_arena_printf(
        s->arena,
        "data_offsets give it %" PRId64 " bytes, but %s of shape %s takes "
        "%" PRId64,
        e->end - e->begin, st_dtype_name(e->tensor.dtype),
        st_shape_text(s->arena, e->tensor.rank, e->tensor.shape),
        e->tensor.bytes);
  else if (e->end > s->size)
    what =
        st_arena_printf(s->arena,
                        "its data ends at byte %" PRId64
                        ", but the file has only %" PRId64 ": it is truncated",
                        e->end, s->size);
  return !what || bad_tensor(s, name, what);
}

static bool parse_entry(StSafetensors *s, const char *name, const json_t *v,
                        Entry *e) {
  e->tensor.name = st_arena_strdup(s->arena, name);
  if (!json_is_object(v))
    return bad_tensor(s, name, "its entry is not an object");
  return parse_dtype(s, name, json_object_get(v, "dtype"), &e->tensor.dtype) &&
         parse_shape(s, &e->tensor, json_object_get(v, "shape")) &&
         parse_offsets(s, e, json_object_get(v, "data_offsets"));
}

static int by_place(const void *x, const void *y) {
  const Entry *a = x, *b = y;
  if (a->begin != b->begin)
    return a->begin < b->begin ? -1 : 1;
  if (a->end != b->end)
    return a->end < b->end ? -1 : 1;
  return strcmp(a->tensor.name, b->tensor.name);
}

static int by_name(const void *x, const void *y) {
  const StTensor *const *a = x, *const *b = y;
  return strcmp((*a)->name, (*b)->name);
}

/* The data is one tensor after another, without holes. */
static bool check_places(StSafetensors *s) {
  int64_t at = 0;
  for (int i = 0; i < s->n; i++) {
    const Entry *e = &s->entry[i];
    if (e->begin < at) {
      bad_tensor(s, e->tensor.name,
                 st_arena_printf(s->arena, "its data overlaps that of '%s'",
                                 s->entry[i - 1].tensor.name));
      return false;
    }
    if (e->begin > at) {
      bad_tensor(s, e->tensor.name,
                 st_arena_printf(s->arena,
                                 "%" PRId64 " unused bytes before its data",
                                 e->begin - at));
      return false;
    }
    at = e->end;
  }
  if (at == s->size)
    return true;
  st_error(s->diag, at_file(s),
           "%" PRId64 " bytes after the last tensor: the file is damaged",
           s->size - at);
  return false;
}

/* Data that is not where its type may be read is copied to where it is. */
static void place_data(StSafetensors *s, Entry *e) {
  const char *p = s->data + e->begin;
  StTensor *t = &e->tensor;
  if ((uintptr_t)p % (uintptr_t)st_dtype_bytes(t->dtype))
    p = memcpy(st_arena_alloc(s->arena, (size_t)t->bytes), p, (size_t)t->bytes);
  t->data = p;
}

static bool parse_header(StSafetensors *s) {
  size_t count = json_object_size(s->header);
  s->entry = ST_NEW_N(s->arena, Entry, count);
  bool ok = true;
  const char *name;
  json_t *v;
  json_object_foreach(s->header, name, v) {
    if (strcmp(name, "__metadata__"))
      ok &= parse_entry(s, name, v, &s->entry[s->n++]);
  }
  if (!ok)
    return false;
  qsort(s->entry, (size_t)s->n, sizeof *s->entry, by_place);
  if (!check_places(s))
    return false;
  s->named = ST_NEW_N(s->arena, const StTensor *, s->n);
  for (int i = 0; i < s->n; i++) {
    place_data(s, &s->entry[i]);
    s->named[i] = &s->entry[i].tensor;
  }
  qsort(s->named, (size_t)s->n, sizeof *s->named, by_name);
  return true;
}

/* ---- opening ---------------------------------------------------------- */

static bool bad_file(const StSafetensors *s, const char *what) {
  st_error(s->diag, at_file(s), "not a whole safetensors file: %s", what);
  return false;
}

static bool load_header(StSafetensors *s) {
  if (s->map.size < PREFIX)
    return bad_file(
        s, st_arena_printf(s->arena, "it has only %zu bytes", s->map.size));
  uint64_t len = 0;
  for (int i = PREFIX; i-- > 0;)
    len = len << 8 | (unsigned char)s->map.data[i];
  if (len > HEADER_LIMIT || len > s->map.size - PREFIX)
    return bad_file(s, st_arena_printf(s->arena,
                                       "its first bytes announce a header of "
                                       "%" PRIu64 " bytes, the file has %zu",
                                       len, s->map.size));
  json_error_t e;
  s->header =
      json_loadb(s->map.data + PREFIX, (size_t)len, JSON_REJECT_DUPLICATES, &e);
  if (!s->header)
    return bad_file(s, st_arena_printf(s->arena, "its header: %s (byte %d)",
                                       e.text, e.position));
  if (!json_is_object(s->header))
    return bad_file(s, "its header is not a JSON object");
  s->data = s->map.data + PREFIX + len;
  s->size = (int64_t)(s->map.size - PREFIX - (size_t)len);
  return true;
}

StSafetensors *st_safetensors_open(const char *path, StDiag *diag) {
  StArena *a = st_arena_new();
  StSafetensors *s = ST_NEW(a, StSafetensors);
  *s = (StSafetensors){.arena = a, .diag = diag};
  s->path = st_arena_strdup(a, path);
  if (st_map_open(&s->map, path, diag) && load_header(s) && parse_header(s))
    return s;
  st_safetensors_close(s);
  return NULL;
}

void st_safetensors_close(StSafetensors *s) {
  if (!s)
    return;
  json_decref(s->header);
  st_map_close(&s->map);
  st_arena_free(s->arena);
}

int st_safetensors_count(const StSafetensors *s) { return s->n; }

const StTensor *st_safetensors_at(const StSafetensors *s, int i) {
  ST_CHECK(i >= 0 && i < s->n, "tensor %d of %d", i, s->n);
  return &s->entry[i].tensor;
}

const StTensor *st_safetensors_find(const StSafetensors *s, const char *name) {
  int lo = 0, hi = s->n;
  while (lo < hi) {
    int mid = lo + (hi - lo) / 2;
    int c = strcmp(s->named[mid]->name, name);
    if (c == 0)
      return s->named[mid];
    if (c < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return NULL;
}

const char *st_safetensors_metadata(const StSafetensors *s, const char *key) {
  const json_t *m = json_object_get(s->header, "__metadata__");
  return json_string_value(json_object_get(m, key));
}

const char *st_safetensors_path(const StSafetensors *s) { return s->path; }

int64_t st_safetensors_offset(const StSafetensors *s, const StTensor *t) {
  return (const char *)t->data - s->map.data;
}
