/* Arenas, growable arrays, strings, hashes, element types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/dtype.h"
#include "base/hash.h"
#include "base/str.h"
#include "scratch.h"

static void test_alloc(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  unsigned char *kept[2000];
  for (int i = 0; i < 2000; i++) {
    size_t n = (size_t)(i * i % 977) + (i % 100 == 7 ? 100000 : 0);
    kept[i] = st_arena_alloc(a, n);
    assert_int_equal((uintptr_t)kept[i] % 16, 0);
    for (size_t k = 0; k < n; k++)
      assert_int_equal(kept[i][k], 0);
    memset(kept[i], i & 255, n);
  }
  for (int i = 0; i < 2000; i++) {
    size_t n = (size_t)(i * i % 977);
    for (size_t k = 0; k < n; k++)
      assert_int_equal(kept[i][k], i & 255); /* nobody else has it */
  }
  assert_ptr_not_equal(st_arena_alloc(a, 0), st_arena_alloc(a, 0));
  st_arena_free(a);
  st_arena_free(NULL);
}

static void test_text(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  assert_string_equal(st_arena_printf(a, "%d-%s", 42, "x"), "42-x");
  assert_string_equal(st_arena_strdup(a, ""), "");
  char *copy = st_arena_copy(a, "a\0b", 3);
  assert_memory_equal(copy, "a\0b", 4);
  char *large = st_arena_printf(a, "%9999d", 1);
  assert_int_equal(strlen(large), 9999);
  st_arena_free(a);
}

static void test_vec(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  ST_VEC(int) v = {0};
  for (int i = 0; i < 1000; i++)
    st_vec_push(a, &v, i * 3);
  assert_int_equal(v.n, 1000);
  for (int i = 0; i < 1000; i++)
    assert_int_equal(v.at[i], i * 3);
  st_arena_free(a);
}

static void ask_too_many(const void *arg) {
  st_arena_alloc_n(*(StArena *const *)arg, SIZE_MAX / 2, 16);
}

static void ask_too_much(const void *arg) {
  st_arena_alloc(*(StArena *const *)arg, SIZE_MAX - 4);
}

static void test_out_of_memory(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  assert_int_equal(scratch_child(ask_too_many, &a, "/dev/null"), 70);
  assert_int_equal(scratch_child(ask_too_much, &a, "/dev/null"), 70);
  st_arena_free(a);
}

static void test_str(void **state) {
  (void)state;
  StStr s;
  st_str_init(&s);
  assert_string_equal(s.data, "");
  for (int i = 0; i < 500; i++)
    st_str_printf(&s, "%d,", i);
  st_str_append(&s, "\0end", 4);
  st_str_append(&s, NULL, 0);
  assert_int_equal(s.len, 10 * 2 + 90 * 3 + 400 * 4 + 4);
  assert_memory_equal(s.data, "0,1,2,3,", 8);
  assert_string_equal(s.data + s.len - 3, "end");
  st_str_clear(&s);
  assert_int_equal(s.len, 0);
  assert_string_equal(s.data, "");
  st_str_printf(&s, "%s", "again");
  assert_string_equal(s.data, "again");
  st_str_free(&s);
}

static void test_hash(void **state) {
  (void)state;
  unsigned char data[64] = {0};
  uint64_t seen[65];
  for (size_t n = 0; n <= 64; n++) { /* zeros of every length differ */
    seen[n] = st_hash_bytes(data, n);
    for (size_t k = 0; k < n; k++)
      assert_true(seen[k] != seen[n]);
  }
  for (int bit = 0; bit < 512; bit++) { /* every bit counts */
    data[bit / 8] = (unsigned char)(1 << bit % 8);
    assert_true(st_hash_bytes(data, 64) != seen[64]);
    data[bit / 8] = 0;
  }
  assert_true(st_hash_mix(1, 2) != st_hash_mix(2, 1));
  /* The same on every machine. */
  assert_true(st_hash_bytes("streamtensor", 12) == 0xbcbfbfec065db3e8u);
}

static void test_dtype(void **state) {
  (void)state;
  static const int bits[] = {32, 16, 16, 64, 1, 4, 8, 16, 32, 64};
  for (int i = 0; i < ST_DTYPE_COUNT; i++) {
    StDtype t = (StDtype)i, back;
    const char *name = st_dtype_name(t), *file = st_dtype_file_name(t);
    assert_int_equal(st_dtype_bits(t), bits[i]);
    assert_int_equal(st_dtype_bytes(t), bits[i] < 8 ? 1 : bits[i] / 8);
    assert_int_equal(st_dtype_is_float(t), i < 4);
    assert_true(st_dtype_parse(name, strlen(name), &back) && back == t);
    assert_int_equal(file == NULL, t == ST_I4);
    if (file)
      assert_true(st_dtype_parse(file, strlen(file), &back) && back == t);
  }
  StDtype t;
  assert_false(st_dtype_parse("f32x", 4, &t));
  assert_true(st_dtype_parse("f32x", 3, &t) && t == ST_F32);
  assert_false(st_dtype_parse("", 0, &t));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_alloc),         cmocka_unit_test(test_text),
      cmocka_unit_test(test_vec),           cmocka_unit_test(test_str),
      cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_hash),
      cmocka_unit_test(test_dtype),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
