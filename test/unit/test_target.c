/* Target files: the ones that ship, what follows from them, and what the reader
 * refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "target/target.h"

static const char *const shipped[] = {"u55c", "u280", "kv260", "ecp5-85f"};

static void test_shipped(void **state) {
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    StArena *a = st_arena_new();
    StDiag *diag = st_diag_new(stderr);
    const StTarget *t = st_target_load(a, shipped[i], diag);
    assert_non_null(t);
    assert_string_equal(t->name, shipped[i]);
    assert_int_equal(st_diag_errors(diag), 0);
    assert_true(st_target_fifo_latency(t, ST_MEM_AUTO) >= 1);
    st_diag_free(diag);
    st_arena_free(a);
  }
}

static void test_u55c(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  StDiag *diag = st_diag_new(stderr);
  const StTarget *t = st_target_load(a, "u55c", diag);
  assert_non_null(t);
  assert_int_equal(t->dies, 3);
  assert_true(t->device.lut == 1303680 && t->die[0].lut == 439680);
  assert_true(t->die[2].dsp == 3072 && t->die[1].bram36 == 672);
  assert_true(t->die_wires == 23040 && t->memory_die == 0);
  /* 14.375e9 * 8 * 0.924 / 250e6 = 425.04 */
  assert_int_equal(st_target_channel_bits(t), 425);
  assert_int_equal(st_target_memory_latency(t), 64);
  assert_int_equal(st_target_op_latency(t, ST_X_ADDF, ST_F32), 6);
  assert_int_equal(st_target_op_latency(t, ST_X_ADDF, ST_F16), 6);
  assert_int_equal(st_target_op_latency(t, ST_X_MULI, ST_I4), 2);
  assert_int_equal(st_target_op_latency(t, ST_X_SELECT, ST_I64), 1);
  assert_int_equal(st_target_op_latency(t, ST_X_ARG, ST_F32), 0);
  assert_int_equal(st_target_fifo_latency(t, ST_MEM_BRAM), 3);
  assert_int_equal(st_target_fifo_latency(t, ST_MEM_URAM), 4);
  st_diag_free(diag);
  st_arena_free(a);
}

static void test_memories(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  StDiag *diag = st_diag_new(stderr);
  const StTarget *t = st_target_load(a, "u55c", diag);
  assert_non_null(t);
  assert_int_equal(st_target_fifo_memory(t, 512, 2), ST_MEM_REG);
  assert_int_equal(st_target_fifo_memory(t, 512, 64), ST_MEM_SRL);
  assert_int_equal(st_target_fifo_memory(t, 32, 256), ST_MEM_LUTRAM);
  assert_int_equal(st_target_fifo_memory(t, 32, 512), ST_MEM_BRAM);
  assert_int_equal(st_target_fifo_memory(t, 72, 4096), ST_MEM_URAM);
  StCost c = st_target_memory_cost(t, ST_MEM_BRAM, 72, 512);
  assert_true(c.bram36 == 1 && c.lut == 0);
  c = st_target_memory_cost(t, ST_MEM_BRAM, 512, 512);
  assert_true(c.bram36 == 7.5);
  c = st_target_memory_cost(t, ST_MEM_BRAM, 8, 2048);
  assert_true(c.bram36 == 0.5);
  c = st_target_memory_cost(t, ST_MEM_URAM, 73, 4097);
  assert_true(c.uram == 4);
  c = st_target_memory_cost(t, ST_MEM_SRL, 32, 32);
  assert_true(c.lut == 32);
  c = st_target_memory_cost(t, ST_MEM_LUTRAM, 32, 32);
  assert_true(c.lut == 19); /* 32 * 32 / 56 */
  c = st_target_fifo_cost(t, ST_MEM_AUTO, 72, 4096);
  assert_true(c.uram == 1 && c.lut == t->fifo.control_lut);
  st_diag_free(diag);
  st_arena_free(a);
}

/* Messages of loading `name` or, if text, of parsing it; "" if all is well. */
static const char *messages(StArena *a, const char *name, const char *text) {
  StDiag *diag = st_diag_new(NULL);
  const StTarget *t =
      text ? st_target_parse(a, "x.toml", text, strlen(text), diag)
           : st_target_load(a, name, diag);
  assert_int_equal(t == NULL, st_diag_errors(diag) > 0);
  const char *out = st_arena_strdup(a, st_diag_text(diag));
  st_diag_free(diag);
  return out;
}

static void expect(StArena *a, const char *text, const char *message) {
  const char *out = messages(a, NULL, text);
  if (!strstr(out, message))
    fail_msg("expected '%s' in '%s'", message, out);
}

static void test_unknown(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  const char *out = messages(a, "u55d", NULL);
  assert_non_null(strstr(out, "unknown target 'u55d'"));
  assert_non_null(strstr(out, "ecp5-85f, kv260, u280, u55c"));
  const char *env = getenv("STREAMTENSOR_TARGETS");
  env = env ? st_arena_strdup(a, env) : NULL;
  setenv("STREAMTENSOR_TARGETS", "/nowhere", 1);
  out = messages(a, "u55c", NULL);
  if (env)
    setenv("STREAMTENSOR_TARGETS", env, 1);
  else
    unsetenv("STREAMTENSOR_TARGETS");
  assert_non_null(strstr(out, "no target files in /nowhere"));
  out = messages(a, "no/such.toml", NULL);
  assert_non_null(strstr(out, "no/such.toml"));
  st_arena_free(a);
}

/* The text of u55c.toml with the line that begins with `key` replaced. */
static const char *edited(StArena *a, const char *key, const char *line) {
  StDiag *diag = st_diag_new(stderr);
  const StTarget *t = st_target_load(a, "u55c", diag);
  assert_non_null(t);
  size_t n;
  const char *text = st_file_read(a, t->path, &n, diag);
  st_diag_free(diag);
  char *copy = st_arena_printf(a, "\n%.*s", (int)n, text);
  char *at = strstr(copy, st_arena_printf(a, "\n%s", key));
  assert_non_null(at);
  char *rest = strchr(at + 1, '\n');
  return st_arena_printf(a, "%.*s\n%s%s", (int)(at - copy), copy, line, rest);
}

static void test_refused(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  static const struct {
    const char *key, *line, *message;
  } cases[] = {
      {"dies", "dies 3", "expected '=' after the key"},
      {"dies", "dies = three", "expected a number"},
      {"dies", "dies = 0x3", "expected a number"},
      {"dies", "dies = 3 4", "nothing may follow the value"},
      {"dies", "dies = 3.5", "'dies' must be a whole number"},
      {"dies", "dies = 0", "'dies' must lie between 1 and 64"},
      {"dies", "dies = \"3\"", "'dies' needs a number"},
      {"dies", "", "lacks 'dies'"},
      {"dies", "dies = 3\ndies = 3", "'dies' is set twice"},
      {"dies", "dies = 3\nlegs = 3", "a target has no key 'legs'"},
      {"name", "name = \"u55c", "the string has no closing quote"},
      {"name", "name = 55", "'name' needs a string"},
      {"[device]", "[device", "expected ']'"},
      {"[device]", "[]", "expected the name of a section"},
      {"[device]", "[device] 1", "nothing may follow a section's header"},
      {"dies", "dies = 2", "or a list of one for each of 2 dies"},
      {"lut =", "lut = [1, 2]", "or a list of one for each of 3 dies"},
      {"lut =", "lut = \"3\"", "or a list of one for each of 3 dies"},
      {"lut =", "lut = [-1, 2, 3]", "'lut' must not be negative"},
      {"lut =", "lut = 0", "'lut' must lie between 1 and 1e+09 in all"},
      {"memory_die", "memory_die = 3", "'memory_die' is 3 and there are 3"},
      {"lut =", "=", "expected 'key = value'"},
      {"kind", "kind = \"tape\"", "must be \"hbm\", \"ddr\" or \"onchip\""},
      {"kind", "kind = \"onchip\"", "\"onchip\" has 0 memory channels"},
      {"gbps", "gbps = 0.0001", "moves less than a bit a cycle"},
      {"addf", "addf = [6, 500, 760]", "needs [latency, LUT, FF, DSP]"},
      {"addf", "addf = [6, 500 760, 0]", "expected ',' or ']'"},
      {"addf", "addf = [6.5, 500, 760, 0]", "needs a whole latency"},
      {"addf", "addff = [6, 500, 760, 0]", "is no scalar operation"},
      {"addf", "", "no [op.*] section has the operator 'addf'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    expect(a, edited(a, cases[i].key, cases[i].line), cases[i].message);
  assert_string_equal(messages(a, NULL, edited(a, "dies", "dies = 3 # three")),
                      "");
  st_arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shipped),  cmocka_unit_test(test_u55c),
      cmocka_unit_test(test_memories), cmocka_unit_test(test_unknown),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
