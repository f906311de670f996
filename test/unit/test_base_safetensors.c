/* Safetensors files: what is written is read back, and every kind of damage is
 * named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/safetensors.h"
#include "scratch.h"

typedef struct {
  StArena *a;
  const char *dir, *path;
  StDiag *d;
} Fixture;

static int setup(void **state) {
  StArena *a = st_arena_new();
  Fixture *f = ST_NEW(a, Fixture);
  *f = (Fixture){.a = a, .dir = scratch_make(a), .d = st_diag_new(NULL)};
  f->path = st_path_join(a, f->dir, "w.safetensors");
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Fixture *f = *state;
  scratch_remove(f->dir);
  st_diag_free(f->d);
  st_arena_free(f->a);
  return 0;
}

/* A file of a header and `data` bytes (their values count up). */
static void write_raw(const Fixture *f, const char *header, size_t data) {
  size_t n = strlen(header);
  unsigned char *file = st_arena_alloc(f->a, 8 + n + data);
  for (int i = 0; i < 8; i++)
    file[i] = (unsigned char)((uint64_t)n >> (8 * i));
  memcpy(file + 8, header, n);
  for (size_t i = 0; i < data; i++)
    file[8 + n + i] = (unsigned char)i;
  scratch_write(f->path, file, 8 + n + data);
}

/* The messages of opening the file; "" if it opens. */
static const char *open_text(const Fixture *f) {
  StDiag *d = st_diag_new(NULL);
  StSafetensors *s = st_safetensors_open(f->path, d);
  const char *text = st_arena_strdup(f->a, st_diag_text(d));
  assert_int_equal(s == NULL, st_diag_errors(d) > 0);
  if (!s)
    assert_memory_equal(text, f->path, strlen(f->path));
  st_safetensors_close(s);
  st_diag_free(d);
  return text;
}

static void test_round_trip(void **state) {
  Fixture *f = *state;
  static const int64_t shape[] = {2, 3}, none[] = {0, 5};
  static const float floats[] = {1, 2, 3, 4, 5, 6};
  static const int64_t longs[] = {INT64_MIN, -1, 7, 8, 9, 10};
  static const unsigned char bools[] = {1, 0, 1}, halves[] = {1, 2, 3, 4};
  const StTensor t[] = {
      {"bools", ST_I1, 1, &shape[1], bools, 3},
      {"a \"name\"\n\xc3\xa9", ST_F32, 2, shape, floats, 24},
      {"empty", ST_F16, 2, none, NULL, 0},
      {"longs", ST_I64, 2, shape, longs, 48},
      {"halves", ST_BF16, 1, shape, halves, 4},
      {"scalar", ST_F32, 0, NULL, floats, 4},
  };
  enum { N = sizeof t / sizeof *t };
  assert_true(st_safetensors_write(f->path, t, N, f->d));
  StSafetensors *s = st_safetensors_open(f->path, f->d);
  assert_non_null(s);
  assert_int_equal(st_safetensors_count(s), N);
  assert_string_equal(st_safetensors_path(s), f->path);
  for (int i = 0; i < N; i++) {
    const StTensor *r = st_safetensors_find(s, t[i].name);
    assert_non_null(r);
    assert_string_equal(r->name, t[i].name);
    assert_int_equal(r->dtype, t[i].dtype);
    assert_int_equal(r->rank, t[i].rank);
    assert_int_equal(r->bytes, t[i].bytes);
    for (int k = 0; k < r->rank; k++)
      assert_int_equal(r->shape[k], t[i].shape[k]);
    if (r->bytes)
      assert_memory_equal(r->data, t[i].data, (size_t)r->bytes);
    assert_int_equal((uintptr_t)r->data % (size_t)st_dtype_bytes(r->dtype), 0);
  }
  assert_string_equal(st_safetensors_at(s, 0)->name, "longs");
  assert_string_equal(st_safetensors_at(s, N - 1)->name, "bools");
  assert_null(st_safetensors_find(s, "none"));
  assert_null(st_safetensors_find(s, ""));
  assert_null(st_safetensors_metadata(s, "format"));
  st_safetensors_close(s);
  assert_int_equal(scratch_entries(f->dir), 1);
}

static void test_no_tensors(void **state) {
  Fixture *f = *state;
  assert_true(st_safetensors_write(f->path, NULL, 0, f->d));
  StSafetensors *s = st_safetensors_open(f->path, f->d);
  assert_non_null(s);
  assert_int_equal(st_safetensors_count(s), 0);
  assert_null(st_safetensors_find(s, "x"));
  st_safetensors_close(s);
  st_safetensors_close(NULL);
}

/* Other writers: metadata, any header length, data that is not aligned. */
static void test_unaligned(void **state) {
  Fixture *f = *state;
  for (int pad = 0; pad < 8; pad++) {
    char *header = st_arena_printf(
        f->a,
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"b\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]},"
        "\"x\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[1,17]}}%*s",
        pad, "");
    write_raw(f, header, 17);
    StSafetensors *s = st_safetensors_open(f->path, f->d);
    assert_non_null(s);
    assert_string_equal(st_safetensors_metadata(s, "format"), "pt");
    const StTensor *x = st_safetensors_find(s, "x");
    assert_int_equal((uintptr_t)x->data % 8, 0);
    for (unsigned char i = 0; i < 16; i++)
      assert_int_equal(((const unsigned char *)x->data)[i], i + 1);
    st_safetensors_close(s);
  }
}

#define T(dtype, shape, offsets)                                               \
  "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
  const char *header;
  size_t data;
  const char *message;
} damages[] = {
    {"{\"x\":" T("F32", "[2]", "[0,8]") "}", 8, ""},
    {"", 0, "not a whole safetensors file: its header: "},
    {"{\"x\":", 0, "not a whole safetensors file: its header: "},
    {"[1]", 0, "its header is not a JSON object"},
    {"{\"x\":1}", 0, "tensor 'x': its entry is not an object"},
    {"{\"x\":{}}", 0, "tensor 'x': \"dtype\" is missing or not a string"},
    {"{\"x\":" T("F8_E4M3", "[1]", "[0,1]") "}", 1,
     "tensor 'x': element type F8_E4M3 is not supported\nnote: supported "
     "are F64, F32, F16, BF16, I64, I32, I16, I8 and BOOL"},
    {"{\"x\":{\"dtype\":\"F32\"}}", 0, "\"shape\" is missing"},
    {"{\"x\":" T("F32", "[-1]", "[0,4]") "}", 4, "something else than sizes"},
    {"{\"x\":" T("F32", "[1.5]", "[0,4]") "}", 4, "something else than sizes"},
    {"{\"x\":" T("I8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1,
     "more than 16 dimensions"},
    {"{\"x\":" T("F32", "[4294967296,4294967296]", "[0,4]") "}", 4,
     "\"shape\" is too large"},
    {"{\"x\":" T("F64", "[2305843009213693952]", "[0,4]") "}", 4,
     "\"shape\" is too large"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4,
     "\"data_offsets\" is not a pair of integers"},
    {"{\"x\":" T("F32", "[1]", "[0,4,8]") "}", 4, "is not a pair"},
    {"{\"x\":" T("F32", "[1]", "[0,\"4\"]") "}", 4, "is not a pair"},
    {"{\"x\":" T("F32", "[1]", "[-4,0]") "}", 4,
     "data_offsets [-4, 0] are not a range"},
    {"{\"x\":" T("F32", "[1]", "[4,0]") "}", 4,
     "data_offsets [4, 0] are not a range"},
    {"{\"x\":" T("F32", "[2,3]", "[0,20]") "}", 20,
     "tensor 'x': data_offsets give it 20 bytes, but f32 of shape [2, 3] "
     "takes 24"},
    {"{\"x\":" T("F32", "[2]", "[0,8]") "}", 7,
     "tensor 'x': its data ends at byte 8, but the file has only 7: it is "
     "truncated"},
    {"{\"x\":" T("F32", "[2]", "[0,8]") "}", 9,
     "1 bytes after the last tensor: the file is damaged"},
    {"{\"x\":" T("F32", "[2]", "[0,8]") ",\"y\":" T("I8", "[3]", "[7,10]") "}",
     10, "tensor 'y': its data overlaps that of 'x'"},
    {"{\"x\":" T("F32", "[2]", "[0,8]") ",\"y\":" T("F32", "[2]", "[0,8]") "}",
     8, "tensor 'y': its data overlaps that of 'x'"},
    {"{\"x\":" T("I8", "[2]", "[0,2]") ",\"y\":" T("I8", "[2]", "[3,5]") "}", 5,
     "tensor 'y': 1 unused bytes before its data"},
    {"{\"x\":" T("I8", "[2]", "[0,2]") ",\"x\":" T("I8", "[2]", "[2,4]") "}", 4,
     "its header: duplicate object key"},
};

static void test_damage(void **state) {
  Fixture *f = *state;
  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
    write_raw(f, damages[i].header, damages[i].data);
    const char *text = open_text(f);
    if (!*damages[i].message ? *text != 0 : !strstr(text, damages[i].message))
      fail_msg("%s:\nnot \"%s\" but: %s", damages[i].header, damages[i].message,
               text);
  }
}

static void test_damaged_length(void **state) {
  Fixture *f = *state;
  static const unsigned char huge[] = {255, 255, 255, 255, 255,
                                       255, 255, 255, '{', '}'};
  scratch_write(f->path, "abc", 3);
  assert_non_null(strstr(open_text(f), "it has only 3 bytes"));
  scratch_write(f->path, "", 0);
  assert_non_null(strstr(open_text(f), "it has only 0 bytes"));
  scratch_write(f->path, huge, sizeof huge);
  assert_non_null(strstr(open_text(f), "its first bytes announce a header of "
                                       "18446744073709551615 bytes, the file "
                                       "has 10"));
  scratch_write(f->path, "\3\0\0\0\0\0\0\0{}", 10);
  assert_non_null(strstr(open_text(f), "a header of 3 bytes, the file has 10"));
  scratch_remove(f->dir);
  assert_non_null(strstr(open_text(f), "cannot open: No such file"));
  f->dir = scratch_make(f->a);
}

/* All errors are there, not the first only. */
static void test_many_errors(void **state) {
  Fixture *f = *state;
  write_raw(
      f,
      "{\"x\":" T("F32", "[2]", "[0,4]") ",\"y\":" T(
          "Q", "[2]", "[0,4]") ",\"z\":" T("I8", "[1]", "[0,1]") ",\"w\":0}",
      4);
  const char *text = open_text(f);
  assert_non_null(strstr(text, "'x'"));
  assert_non_null(strstr(text, "'y'"));
  assert_null(strstr(text, "'z'"));
  assert_non_null(strstr(text, "'w'"));
}

/* Truncated at every length, and with random bytes changed, a file opens or
 * has an error; tensors that are read are inside. */
static void test_fuzz(void **state) {
  Fixture *f = *state;
  static const char header[] =
      "{\"x\":" T("F32", "[2,2]", "[0,16]") ",\"y\":" T(
          "I8", "[3]", "[16,19]") ",\"__metadata__\":{\"k\":\"v\"}}";
  write_raw(f, header, 19);
  size_t n = 0;
  char *good = st_file_read(f->a, f->path, &n, f->d);
  for (size_t cut = 0; cut < n; cut++) {
    scratch_write(f->path, good, cut);
    assert_true(*open_text(f));
  }
  uint64_t seed = 1;
  int opened = 0;
  for (int round = 0; round < 4000; round++) {
    char *bad = st_arena_copy(f->a, good, n);
    for (int k = 0; k <= round % 3; k++) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      bad[(seed >> 33) % n] ^= (char)(1 << (seed >> 20) % 8);
    }
    scratch_write(f->path, bad, n);
    StDiag *d = st_diag_new(NULL);
    StSafetensors *s = st_safetensors_open(f->path, d);
    for (int i = 0; s && i < st_safetensors_count(s); i++) {
      const StTensor *t = st_safetensors_at(s, i);
      volatile unsigned char last = 0;
      for (int64_t b = 0; b < t->bytes; b++)
        last = ((const unsigned char *)t->data)[b];
      (void)last;
    }
    opened += s != NULL;
    st_safetensors_close(s);
    st_diag_free(d);
  }
  assert_true(opened > 100 && opened < 3900);
}

static void test_write_fails(void **state) {
  Fixture *f = *state;
  static const int64_t shape[] = {3};
  const StTensor t = {"x", ST_F32, 1, shape, "abcdefghijkl", 12};
  const char *full = scratch_full_device(f->dir);
  assert_false(st_safetensors_write(full, &t, 1, f->d));
  assert_non_null(strstr(st_diag_text(f->d), "No space left"));
  assert_false(st_safetensors_write("/nonexistent/x", &t, 1, f->d));
  assert_int_equal(st_diag_errors(f->d), 2);
}

static void write_wrong_size(const void *arg) {
  const Fixture *f = arg;
  static const int64_t shape[] = {3};
  const StTensor t = {"x", ST_F32, 1, shape, "abcdefghijkl", 11};
  st_safetensors_write(f->path, &t, 1, f->d);
}

static void write_twice(const void *arg) {
  const Fixture *f = arg;
  const StTensor t = {"x", ST_F32, 0, NULL, "abcd", 4}, both[] = {t, t};
  st_safetensors_write(f->path, both, 2, f->d);
}

static void write_i4(const void *arg) {
  const Fixture *f = arg;
  const StTensor t = {"x", ST_I4, 0, NULL, "a", 1};
  st_safetensors_write(f->path, &t, 1, f->d);
}

static void test_write_misuse(void **state) {
  Fixture *f = *state;
  assert_int_equal(scratch_child(write_wrong_size, f, "/dev/null"), 70);
  assert_int_equal(scratch_child(write_twice, f, "/dev/null"), 70);
  assert_int_equal(scratch_child(write_i4, f, "/dev/null"), 70);
}

static void test_shapes(void **state) {
  Fixture *f = *state;
  const int64_t s[] = {2, 3, 4}, zero[] = {INT64_MAX, 0, INT64_MAX};
  const int64_t huge[] = {INT64_MAX, 2};
  assert_int_equal(st_shape_elements(3, s), 24);
  assert_int_equal(st_shape_elements(0, NULL), 1);
  assert_int_equal(st_shape_elements(2, huge), -1);
  assert_int_equal(st_shape_elements(2, zero), 0);
  assert_string_equal(st_shape_text(f->a, 3, s), "[2, 3, 4]");
  assert_string_equal(st_shape_text(f->a, 0, NULL), "[]");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_round_trip), TEST(test_no_tensors),     TEST(test_unaligned),
      TEST(test_damage),     TEST(test_damaged_length), TEST(test_many_errors),
      TEST(test_fuzz),       TEST(test_write_fails),    TEST(test_write_misuse),
      TEST(test_shapes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
