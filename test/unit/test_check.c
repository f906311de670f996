/* The checker of certificates: its rules one by one, against the rules applied
 * beat by beat, and with text that is no certificate. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "check/check.h"
#include "pass/convert.h"
#include "pass/pass.h"
#include "sim_graph.h"
#include "sim_module.h"
#include "size_module.h"
#include "size_reference.h"

static const StTarget *load_target(StArena *a) {
  StDiag *diag = st_diag_new(stderr);
  const StTarget *t = st_target_load(a, "u55c", diag);
  assert_non_null(t);
  st_diag_free(diag);
  return t;
}

typedef struct {
  const char *text; /* after "certificate 1\n" */
  const char *want; /* in the message; NULL: accepted */
} Case;

static void check_cases(const StModule *m, const StTarget *t, const Case *c,
                        int n) {
  for (int i = 0; i < n; i++) {
    StDiag *diag = st_diag_new(NULL);
    char *text = st_arena_printf(m->arena, "certificate 1\n%s", c[i].text);
    bool ok = st_check(m, t, text, strlen(text), diag, NULL);
    if (ok != !c[i].want ||
        (c[i].want && !strstr(st_diag_text(diag), c[i].want)))
      fail_msg("case %d: %s", i, st_diag_text(diag));
    assert_int_equal(st_diag_errors(diag) > 0, !ok);
    st_diag_free(diag);
  }
}

/* Four tokens from a load to a store; latency 2 and 1 more for the FIFO, II 1,
 * depth 3. */
static StModule *chain(void) {
  StModule *m = st_module_new("chain");
  StSym four = st_sym_const(4);
  StItensor order = {1, ST_NEW(m->arena, int64_t), ST_NEW(m->arena, StSym), 1,
                     ST_NEW(m->arena, StLoop)};
  order.elem[0] = 1;
  order.loop[0] = (StLoop){0, four, 1};
  StValue *x = module_load(m, module_arg(m, ST_F32, 1, &four), &order);
  x->name = "x";
  module_store(m, x);
  module_decide(m, 3, 2);
  return m;
}

static void test_chain(void **state) {
  static const Case cases[] = {
      /* Tokens come at 3, 4, ..; the slot of the first is free at 4. */
      {"step 0 1\nprocess 0 0:3:1 2\nprocess 1 3:3:1 2\n", NULL},
      {"step 0 1\nprocess 0 0 1 1 2\nprocess 1 3 [1]2 2\n", NULL},
      {"step 0 1\nprocess 0 7:4:2\nprocess 1 10:4:2\n", NULL},
      {"step 0 1\nprocess 0 0:4:1\nprocess 1 3:4:1\n",
       "depth 3, the certificate needs 4"},
      {"step 0 1\nprocess 0 0:4:1\nprocess 1 3:4:1\n", "stream %1 \"x\" (load"},
      {"step 0 1\nprocess 0 0:4:1\nprocess 1 3:4:1\n", "set the depth to 4"},
      {"step 0 1\nprocess 0 0:3:1 2\nprocess 1 2:4:1\n",
       "token 0 is popped at cycle 2 but comes at 3"},
      {"step 0 1\nprocess 0 0:3:1 3\nprocess 1 3:4:1\n",
       "token 3 is popped at cycle 6 but comes at 8"},
      {"step 0 1\nprocess 0 0:2:1 0 4\nprocess 1 3:4:1\n", "less than II = 1"},
      {"step 0 1\nprocess 0 0:4:0\nprocess 1 3:4:1\n", "less than II = 1"},
      {"step 0 1\nprocess 0 0:3:1\nprocess 1 3:4:1\n",
       "3 beats in the certificate, 4 in the design"},
      {"step 0 1\nprocess 0 [0:3:1]9\nprocess 1 3:4:1\n", "27 beats"},
      {"step 0 1\nprocess 0\nprocess 1 3:4:1\n", "0 beats"},
      {"step 0 1\nprocess 0 0:3:1 2\n", "\"process 1\" and its times"},
      {"step 0 1\nprocess 1 0:3:1 2\nprocess 0 3:4:1\n", "\"process 0\""},
      {"step 0 2\nprocess 0 0:3:1 2\nprocess 1 3:4:1\n", "none of the design"},
      {"step 0\n", "\"step P T\""},
      {"", "P = 0, T = 1 is missing"},
      {"step 0 1\nprocess 0 0:x\nprocess 1 3:4:1\n", "a number is missing"},
      {"step 0 1\nprocess 0 0:0:1\nprocess 1 3:4:1\n", "gap:beats:stride"},
      {"step 0 1\nprocess 0 [0:2:1\nprocess 1 3:4:1\n", "end of a repeated"},
      {"step 0 1\nprocess 0 0:2:1 ]2\nprocess 1 3:4:1\n", "unexpected text"},
      {"step 0 1\nprocess 0 [0]0\nprocess 1 3:4:1\n", "repeated 0 times"},
      {"step 0 1\nprocess 0 [[[[[[[[[[[[[1]1]1]1]1]1]1]1]1]1]1]1]1]1\n",
       "too many repetitions"},
      {"step 0 1\nprocess 0 99999999999999999999\n", "too large"},
      {"step 0 1\nprocess 0 [[1:999999999:9]999999999]999999999\n",
       "too large"},
  };
  StArena *a = st_arena_new();
  StModule *m = chain();
  (void)state;
  check_cases(m, load_target(a), cases, sizeof cases / sizeof cases[0]);
  st_module_free(m);
  st_arena_free(a);
}

/* Windows of two elements, four of them, each streamed twice: two banks; the
 * buffer takes 2 cycles, tokens take 3. */
static void test_windows(void **state) {
  static const Case cases[] = {
      {"step 0 1\nprocess 0 0:8:1\nprocess 1 3:4:1 3 1 3 1\n"
       "process 2 5:16:1\nprocess 3 8:16:1\n",
       NULL},
      {"step 0 1\nprocess 0 0:8:1\nprocess 1 3:4:1 2 2 3 1\n"
       "process 2 5:16:1\nprocess 3 8:16:1\n",
       "/fill: beat 4 overwrites a window that is not drained"},
      {"step 0 1\nprocess 0 0:8:1\nprocess 1 3:4:1 3 1 2 2\n"
       "process 2 5:16:1\nprocess 3 8:16:1\n",
       "/fill: beat 6 overwrites"},
      {"step 0 1\nprocess 0 0:8:1\nprocess 1 3:4:1 3 1 3 1\n"
       "process 2 4 2:15:1\nprocess 3 8:16:1\n",
       "/drain: beat 0 reads a window that is not filled"},
      {"step 0 1\nprocess 0 0:8:1\nprocess 1 3 2 1 1 3 1 3 1\n"
       "process 2 5:16:1\nprocess 3 8:16:1\n",
       "/drain: beat 1 reads a window that is not filled"},
      {"step 0 1\nprocess 0 0:8:1\nprocess 1 3:4:1 3 1 3 5\n"
       "process 2 5:13:1 1 1 1\nprocess 3 8:16:1\n",
       "/drain: beat 13 reads a window that is not filled"},
  };
  StArena *a = st_arena_new();
  StModule *m = st_module_new("windows");
  StSym shape[2] = {st_sym_const(4), st_sym_const(2)};
  StLoop loop[3] = {
      {0, shape[0], 1}, {-1, st_sym_const(2), 0}, {1, shape[1], 1}};
  StItensor again = {2, ST_NEW_N(m->arena, int64_t, 2),
                     ST_NEW_N(m->arena, StSym, 2), 3,
                     ST_NEW_N(m->arena, StLoop, 3)};
  memcpy(again.loop, loop, sizeof loop);
  again.elem[0] = again.elem[1] = 1;
  StItensor once = again;
  once.nloops = 2;
  once.loop = ST_NEW_N(m->arena, StLoop, 2);
  once.loop[0] = loop[0];
  once.loop[1] = loop[2];
  StOp *c = st_converter_new(
      m, module_load(m, module_arg(m, ST_F32, 2, shape), &once), &again);
  st_op_append(m, c);
  module_store(m, c->result[0]);
  module_decide(m, 100, 2);
  (void)state;
  check_cases(m, load_target(a), cases, sizeof cases / sizeof cases[0]);
  st_module_free(m);
  st_arena_free(a);
}

static void test_not_decided(void **state) {
  StArena *a = st_arena_new();
  StModule *m = chain();
  const StTarget *t = load_target(a);
  static const Case depth[] = {{"step 0 1\n", "stream %1 has no depth"}};
  static const Case memory[] = {{"step 0 1\n", "stream %1 has no memory"}};
  (void)state;
  module_decide(m, 0, 2);
  check_cases(m, t, depth, 1);
  module_decide(m, 3, 2);
  for (int i = 0; i < m->op.n; i++)
    if (m->op.at[i]->kind == ST_OP_LOAD)
      m->op.at[i]->result[0]->memory = ST_MEM_AUTO;
  check_cases(m, t, memory, 1);
  st_module_free(m);
  st_arena_free(a);
}

/* ---- against the rules beat by beat ------------------------------------- */

/* Times of the items at *text into out, at most max; returns how many. */
static int64_t expand(const char **text, int64_t *last, int64_t *out,
                      int64_t max) {
  int64_t n = 0;
  for (;;) {
    char *end;
    while (**text == ' ')
      ++*text;
    if (**text == '[') {
      const char *start = ++*text;
      int64_t times = 1;
      for (int64_t i = 0; i < times && n <= max; i++) {
        *text = start;
        n += expand(text, last, out + (n < max ? n : max), max - n);
        assert_int_equal(**text, ']');
        times = strtoll(*text + 1, &end, 10);
        *text = end;
      }
      continue;
    }
    if (!isdigit((unsigned char)**text))
      return n;
    int64_t beats = 1, stride = 0;
    *last += strtoll(*text, &end, 10);
    if (*end == ':') {
      beats = strtoll(end + 1, &end, 10);
      stride = strtoll(end + 1, &end, 10);
    }
    *text = end;
    for (int64_t i = 0; i < beats; i++, n++) {
      *last += i ? stride : 0;
      if (n < max)
        out[n] = *last;
    }
  }
}

/* What the rules say about the certificate of one step, "step .." first. */
static bool is_valid(StArena *a, const StProcessNet *net, const char *text) {
  SizeReference *r = size_reference_new(a, net);
  text = strchr(text, '\n') + 1;
  for (int i = 0; i < net->nprocesses; i++) {
    int64_t last = 0, beats = net->process[i].beats;
    text += strcspn(text, " \n");                /* "process" */
    text += strspn(text, " 0123456789") ? 1 : 0; /* its number */
    text += strcspn(text, " \n");
    if (expand(&text, &last, size_reference_times(r, i), beats) != beats)
      return false;
    assert_int_equal(*text, '\n');
    text++;
  }
  return size_reference_valid(r);
}

/* A digit of the times, the text being "step .." and what follows. */
static size_t random_digit(uint64_t *seed, const char *text) {
  size_t from = strcspn(text, "\n"), n = strlen(text) - from;
  for (;;) {
    size_t at = from + graph_random(seed, (uint32_t)n), start = at;
    while (isdigit((unsigned char)text[start]))
      start--;
    if (start != at && text[start - 1] != 's') /* not "process 12" */
      return at;
  }
}

/* One number of the times becomes another. */
static void change_number(uint64_t *seed, char *text) {
  size_t at = random_digit(seed, text);
  int by = graph_random(seed, 2) ? 1 : 9;
  text[at] = (char)('0' + (text[at] - '0' + by) % 10);
}

static void test_changed_certificates(void **state) {
  StArena *a = st_arena_new();
  StDiag *diag = st_diag_new(stderr);
  const StTarget *t = load_target(a);
  int valid = 0, total = 0;
  (void)state;
  for (uint64_t n = 0; n < 60; n++) {
    uint64_t seed = n * 733 + 1;
    SizeShape shape = {.ops = 2 + (int)(n % 5), .repeat = n % 2 == 0};
    StModule *m = size_random_module(&seed, shape, diag);
    StStr text;
    st_str_init(&text);
    StPassContext ctx = {.target = t, .diag = diag, .certificate = &text};
    assert_true(st_pass_size_fifos(m, &ctx));
    StProcessNet *net =
        st_process_net(m->arena, m, t->latency.fifo, t->latency.buffer);
    st_process_bind(net, 0, 1);
    for (int i = 0; i < 100; i++) {
      char *changed = st_arena_copy(m->arena, text.data, text.len);
      char *step = strchr(changed, '\n') + 1;
      change_number(&seed, step);
      StDiag *quiet = st_diag_new(NULL);
      bool want = is_valid(m->arena, net, step);
      if (st_check(m, t, changed, text.len, quiet, NULL) != want)
        fail_msg("module %d, change %d: %s", (int)n, i, st_diag_text(quiet));
      st_diag_free(quiet);
      valid += want;
      total++;
    }
    st_str_free(&text);
    st_module_free(m);
  }
  assert_true(valid > total / 50);
  assert_true(valid < total / 2);
  st_diag_free(diag);
  st_arena_free(a);
}

/* ---- what is no certificate --------------------------------------------- */

static void check_bytes(const StModule *m, const StTarget *t, const char *text,
                        size_t n) {
  StDiag *quiet = st_diag_new(NULL);
  bool ok = st_check(m, t, text, n, quiet, NULL);
  assert_int_equal(ok, st_diag_errors(quiet) == 0);
  st_diag_free(quiet);
}

static void test_garbage(void **state) {
  StArena *a = st_arena_new();
  const StTarget *t = load_target(a);
  StDiag *diag = st_diag_new(stderr);
  uint64_t seed = 5;
  SizeShape shape = {.ops = 4, .symbols = true, .repeat = true};
  StModule *m = size_random_module(&seed, shape, diag);
  StStr text;
  (void)state;
  st_str_init(&text);
  StPassContext ctx = {.target = t, .diag = diag, .certificate = &text};
  assert_true(st_pass_size_fifos(m, &ctx));
  assert_true(st_check(m, t, text.data, text.len, diag, NULL));
  check_bytes(m, t, NULL, 0);
  for (size_t n = 0; n < text.len && n < 2000; n++)
    check_bytes(m, t, text.data, n);
  static const char letters[] = "0123456789 []:\nstep process\xff-";
  for (int i = 0; i < 3000; i++) {
    char *changed = st_arena_copy(a, text.data, text.len);
    int changes = 1 + (int)graph_random(&seed, 4);
    for (int k = 0; k < changes; k++)
      changed[graph_random(&seed, (uint32_t)text.len)] =
          letters[graph_random(&seed, sizeof letters)];
    check_bytes(m, t, changed, text.len);
  }
  for (int i = 0; i < 500; i++) {
    char noise[300];
    size_t n = graph_random(&seed, sizeof noise);
    for (size_t k = 0; k < n; k++)
      noise[k] = letters[graph_random(&seed, sizeof letters)];
    memcpy(noise, "certificate 1\nstep 0 1\nprocess 0 ", n < 34 ? n : 34);
    check_bytes(m, t, noise, n);
  }
  st_str_free(&text);
  st_module_free(m);
  st_diag_free(diag);
  st_arena_free(a);
}

/* Without one of the steps at the ends nothing is proved for it. */
static void test_missing_step(void **state) {
  StArena *a = st_arena_new();
  const StTarget *t = load_target(a);
  StDiag *diag = st_diag_new(stderr);
  uint64_t seed = 5;
  SizeShape shape = {.ops = 3, .symbols = true};
  StModule *m = size_random_module(&seed, shape, diag);
  StStr text;
  (void)state;
  st_str_init(&text);
  StPassContext ctx = {.target = t, .diag = diag, .certificate = &text};
  assert_true(st_pass_size_fifos(m, &ctx));
  static const char *const required[] = {"step 0 1\n", "step 11 1\n",
                                         "step 0 4\n", "step 8 4\n"};
  for (int i = 0; i < 4; i++) {
    StDiag *quiet = st_diag_new(NULL);
    char *start = strstr(text.data, required[i]);
    assert_non_null(start);
    char *end = strstr(start + 1, "step ");
    end = end ? end : text.data + text.len;
    char *part =
        st_arena_printf(a, "%.*s%s", (int)(start - text.data), text.data, end);
    assert_false(st_check(m, t, part, strlen(part), quiet, NULL));
    assert_non_null(strstr(st_diag_text(quiet), "is missing"));
    st_diag_free(quiet);
  }
  st_str_free(&text);
  st_module_free(m);
  st_diag_free(diag);
  st_arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_chain),
      cmocka_unit_test(test_windows),
      cmocka_unit_test(test_not_decided),
      cmocka_unit_test(test_changed_certificates),
      cmocka_unit_test(test_garbage),
      cmocka_unit_test(test_missing_step),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
