/* Every rule of the HLS lint: a module or a text that breaks it is refused by
 * its name, what is emitted is accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "emit/hls/hls.h"
#include "emit/hls/lint.h"
#include "hls_fixture.h"
#include "hls_module.h"
#include "sim_module.h"

static const StSym width = {8, 0, 0};

/* out = in + in, through a kernel. */
static StModule *make(void) {
  StModule *m = st_module_new("lint");
  StOp *k = hls_kernel(m, "twice", 1, 1);
  int i = hls_dim(m, k, width, false, 1);
  hls_loop(m, k, i, width, 1);
  hls_in(m, k, 0, hls_arg(m, ST_ROLE_INPUT, ST_F32, 1, &width), 1, &i);
  int x = hls_expr(m, k, ST_X_ARG, ST_F32, 0, -1, -1);
  int y = hls_expr(m, k, ST_X_ADDF, ST_F32, x, x, -1);
  hls_out(m, k, 0, ST_F32, y, ST_X_ARG, 1, &i);
  hls_finish(m, k);
  hls_store(m, ST_ROLE_OUTPUT, k->result[0], -1);
  module_decide(m, 4, 2);
  return m;
}

static const char *said(Fixture *f, StDiag *diag, FILE *to, const char *log) {
  size_t n;
  st_diag_free(diag);
  fclose(to);
  return st_file_read(f->arena, log, &n, f->diag);
}

/* ---- modules
 * ----------------------------------------------------------------- */

static StOp *find(StModule *m, StOpKind kind) {
  for (int i = 0; i < m->op.n; i++)
    if (m->op.at[i]->kind == kind)
      return m->op.at[i];
  return NULL;
}

static void two_consumers(StModule *m) {
  StOp *k = find(m, ST_OP_KERNEL);
  hls_store(m, ST_ROLE_OUTPUT, k->result[0], -1);
}

static void no_depth(StModule *m) { find(m, ST_OP_LOAD)->result[0]->depth = 0; }

/* The load's index would be what the load gives. */
static void memory_in_a_cycle(StModule *m) {
  StOp *load = find(m, ST_OP_LOAD), *k = find(m, ST_OP_KERNEL);
  StValue *operand[2] = {load->operand[0], k->result[0]};
  load->noperands = 2;
  load->operand = ST_NEW_N(m->arena, StValue *, 2);
  memcpy(load->operand, operand, sizeof operand);
  m->op.n--; /* the store */
}

static void two_writers(StModule *m) {
  StOp *first = find(m, ST_OP_STORE);
  StValue *copy[2], *v = first->operand[0];
  hls_fork(m, v, 2, copy);
  first->operand[0] = copy[0];
  hls_store(m, ST_ROLE_OUTPUT, copy[1], -1);
  m->op.at[m->op.n - 1]->u.store.index.index[0] = first->u.store.index.index[0];
  module_decide(m, 4, 2);
}

static void wide_floats(StModule *m) {
  find(m, ST_OP_LOAD)->result[0]->type.dtype = ST_F64;
}

static void tensor_level(StModule *m) {
  st_op_append(m, st_op_new(m, ST_OP_GENERIC, (StLoc){0}, 0, NULL, 0));
}

static void cache_in_two_channels(StModule *m) {
  StOp *load = find(m, ST_OP_LOAD), *store = find(m, ST_OP_STORE);
  m->arg.at[0].role = ST_ROLE_CACHE;
  m->arg.at[0].axis = 0;
  m->ret.at[0].role = ST_ROLE_CACHE_ROWS;
  m->ret.at[0].cache = 0;
  load->u.load.channel = 1;
  store->u.store.channel = 2;
}

static void modules_that_break_a_rule(void **state) {
  static const struct {
    void (*change)(StModule *m);
    const char *message;
  } cases[] = {
      {two_consumers, "HLS-1: stream"},
      {memory_in_a_cycle, "HLS-2: load"},
      {no_depth, "HLS-3: stream"},
      {two_writers, "HLS-4: result r0 is written by two stores"},
      {cache_in_two_channels, "HLS-4: cache a0 is in the channels 1 and 2"},
      {wide_floats, "HLS-11: load"},
      {tensor_level, "HLS-11: generic"},
  };
  Fixture *f = *state;
  const char *log = st_arena_printf(f->arena, "%s/log", f->dir);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    FILE *to = fopen(log, "w");
    StDiag *diag = st_diag_new(to);
    StModule *m = make();
    assert_true(st_hls_lint(m, diag));
    cases[i].change(m);
    assert_false(st_hls_lint(m, diag));
    const char *dir = st_arena_printf(f->arena, "%s/none", f->dir);
    assert_false(st_emit_hls(m, f->target, dir, diag));
    assert_false(st_path_exists(dir));
    const char *text = said(f, diag, to, log);
    if (!strstr(text, cases[i].message))
      fail_msg("expected %s in: %s", cases[i].message, text);
    st_module_free(m);
  }
}

/* ---- texts
 * -------------------------------------------------------------------- */

/* The first `from` of the text becomes `to`. */
static const char *replace(StArena *a, const char *text, const char *from,
                           const char *to) {
  const char *at = strstr(text, from);
  if (!at)
    fail_msg("the text lacks: %s", from);
  return st_arena_printf(a, "%.*s%s%s", (int)(at - text), text, to,
                         at + strlen(from));
}

static const char *accelerator(Fixture *f) {
  int n;
  const char *text = NULL;
  StModule *m = make();
  const StHlsFile *file = st_hls_files(f->arena, m, f->target, &n, f->diag);
  assert_non_null(file);
  for (int i = 0; i < n; i++)
    if (!strcmp(file[i].name, "accelerator.cpp"))
      text = file[i].data;
  st_module_free(m);
  return text;
}

static void texts_that_break_a_rule(void **state) {
  static const struct {
    const char *from, *to, *message;
  } cases[] = {
      {"ST_PROCESS(kernel_0_twice, s2, s0_twice)",
       "ST_PROCESS(kernel_0_twice, s2, s2)",
       "HLS-1: s2 has more than one producer or consumer"},
      {"  ST_PROCESS(store_3, s0_twice, m3);\n", "",
       "HLS-1: s0_twice has no consumer"},
      {"  ST_PROCESS(load_2, m2, s2);\n", "", "HLS-1: s2 has no producer"},
      {"ST_PROCESS(load_2, m2, s2)", "ST_PROCESS(load_2, m2, s9)",
       "HLS-1: s9 is not a stream"},
      {"variable=s2 depth=4", "variable=s2", "HLS-3: s2 has no depth"},
      {"  ST_PROCESS(load_2", "  if (T > 1)\n    ST_PROCESS(load_2",
       "HLS-5: if is in the dataflow region"},
      {"  ST_PROCESS(load_2", "  T = P;\n  ST_PROCESS(load_2",
       "HLS-5: T = P is no declaration and no call"},
      {"ST_PROCESS(load_2,", "ST_PROCESS(other,",
       "HLS-5: other is not a process"},
      {"  ST_PROCESS(load_2, m2, s2);\n  ST_PROCESS(kernel_0_twice, s2, "
       "s0_twice);\n",
       "  ST_PROCESS(kernel_0_twice, s2, s0_twice);\n  ST_PROCESS(load_2, m2, "
       "s2);\n",
       "HLS-6: s2 goes back"},
      {"ST_PROCESS(load_2, m2, s2)", "hls::task t(load_2, m2, s2)",
       "HLS-7: load_2 is a task with an argument that is no stream"},
      {"static void load_2", "static int load_2",
       "HLS-8: load_2 returns a value"},
      {"    out0.write(r0);", "    if (beat == 3) break;\n    out0.write(r0);",
       "leaves a loop in the middle"},
      {"bundle=m3", "bundle=m2", "HLS-9: m2 is the bundle of two"},
      {"PIPELINE II=1\n", "PIPELINE II=1 style=frp\n",
       "HLS-10: load_2 touches memory"},
      {"void accelerator(", "void other(", "HLS-5: accelerator"},
  };
  Fixture *f = *state;
  const char *log = st_arena_printf(f->arena, "%s/log", f->dir);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    FILE *to = fopen(log, "w");
    StDiag *diag = st_diag_new(to);
    const char *good = accelerator(f);
    assert_true(st_hls_lint_text("good.cpp", good, strlen(good), diag));
    const char *bad = replace(f->arena, good, cases[i].from, cases[i].to);
    assert_false(st_hls_lint_text("bad.cpp", bad, strlen(bad), diag));
    const char *text = said(f, diag, to, log);
    if (!strstr(text, cases[i].message) || strstr(text, "good.cpp"))
      fail_msg("expected %s in: %s", cases[i].message, text);
  }
}

static void every_rule_has_a_source(void **state) {
  (void)state;
  int n;
  const StHlsRule *rule = st_hls_rules(&n);
  assert_int_equal(n, 11);
  for (int i = 0; i < n; i++) {
    char id[16];
    snprintf(id, sizeof id, "HLS-%d", i + 1);
    assert_string_equal(rule[i].id, id);
    assert_true(strlen(rule[i].text) > 0 && strlen(rule[i].source) > 0);
  }
}

static void a_target_without_memory_is_refused(void **state) {
  Fixture *f = *state;
  const char *log = st_arena_printf(f->arena, "%s/log", f->dir);
  FILE *to = fopen(log, "w");
  StDiag *diag = st_diag_new(to);
  const StTarget *t =
      st_target_load(f->arena, "targets/ecp5-85f.toml", f->diag);
  const char *dir = st_arena_printf(f->arena, "%s/none", f->dir);
  StModule *m = make();
  assert_false(st_emit_hls(m, t, dir, diag));
  assert_non_null(strstr(said(f, diag, to, log), "choose a target with HBM"));
  st_module_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(modules_that_break_a_rule, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(texts_that_break_a_rule, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(a_target_without_memory_is_refused,
                                      set_up, tear_down),
      cmocka_unit_test(every_rule_has_a_source),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
