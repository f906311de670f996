/* Steps with state: a gather, caches of two layers, constants; the kernel with
 * the vendor's own headers; the host program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/num.h"
#include "emit/hls/hls.h"
#include "hls_fixture.h"
#include "hls_module.h"
#include "scratch.h"
#include "sim_module.h"

enum { CTX = 16, CHUNK = 4, WORDS = 10, WIDTH = 8, LAYERS = 2, TABLE = 5 };
enum { WAYS = 3 }; /* of the sum: more, as many, and fewer values than that */
enum { ARG_TOKENS, ARG_EMBEDDING, ARG_CACHE };

static const float scale[WIDTH] = {1, -2, 0.5f, 3, 1.25f, -1, 2, 0.75f};
static const float table[TABLE] = {10, 20, 30, 40, 50};

/* e[t, i] = embedding[tokens[t], i], by tokens of two elements. */
static StValue *make_gather(StModule *m) {
  StSym t = {0, 0, 1}, shape[2] = {st_sym_const(WORDS), st_sym_const(WIDTH)};
  StValue *tokens = hls_arg(m, ST_ROLE_TOKENS, ST_I64, 1, &t);
  StValue *words = hls_arg(m, ST_ROLE_PARAM, ST_F32, 2, shape);
  StLoop *loop = ST_NEW_N(m->arena, StLoop, 2);
  loop[0] = (StLoop){0, t, 1};
  loop[1] = (StLoop){1, st_sym_const(WIDTH / 2), 2};
  int64_t *elem = ST_NEW_N(m->arena, int64_t, 2);
  elem[0] = 1;
  elem[1] = 2;
  StSym *origin = ST_NEW_N(m->arena, StSym, 2);
  StItensor one = {1, elem, origin, 1, loop}, two = {2, elem, origin, 2, loop};
  StValue *index = hls_load(m, tokens, &one);
  StValue *e = hls_load(m, words, &two);
  StOp *load = e->def;
  StValue *operand[2] = {words, index};
  load->noperands = 2;
  load->operand = ST_NEW_N(m->arena, StValue *, 2);
  memcpy(load->operand, operand, sizeof operand);
  load->u.load.gather = 0;
  load->u.load.index_level = 1;
  shape[0] = t;
  e->type.shape = ST_NEW_N(m->arena, StSym, 2);
  memcpy(e->type.shape, shape, sizeof shape);
  return e;
}

/* rows[l, t, i] = e[t, i] * (l + 1), new rows of the caches. */
static void make_rows(StModule *m, StValue *e) {
  StOp *k = hls_kernel(m, "rows", 1, 1);
  int t = hls_dim(m, k, (StSym){0, 0, 1}, false, 1);
  int i = hls_dim(m, k, st_sym_const(WIDTH), false, 2);
  int l = hls_dim(m, k, st_sym_const(LAYERS), false, 1);
  hls_loop(m, k, t, (StSym){0, 0, 1}, 1);
  hls_loop(m, k, i, st_sym_const(WIDTH / 2), 2);
  hls_loop(m, k, l, st_sym_const(LAYERS), 1);
  int in[2] = {t, i}, out[3] = {l, t, i};
  hls_in(m, k, 0, e, 2, in);
  int x = hls_expr(m, k, ST_X_ARG, ST_F32, 0, -1, -1);
  int at = hls_expr(m, k, ST_X_INDEX, ST_I64, -1, -1, -1);
  k->u.nest.body.at[at].affine = st_affine_dim(m->arena, l);
  k->u.nest.body.at[at].affine.off = st_sym_const(1);
  int f = hls_expr(m, k, ST_X_SITOFP, ST_F32, at, -1, -1);
  int y = hls_expr(m, k, ST_X_MULF, ST_F32, x, f, -1);
  hls_out(m, k, 0, ST_F32, y, ST_X_ARG, 3, out);
  hls_finish(m, k);
  hls_store(m, ST_ROLE_CACHE_ROWS, k->result[0], ARG_CACHE);
}

/* s[t, i] = sum over l and p <= P of cache[l][p, i], 0 at P, by WAYS
 * accumulators. */
static StValue *make_sum(StModule *m, StValue *cache) {
  StOp *k = hls_kernel(m, "sum", 1, 1);
  StSym more = {1, 1, 0};
  int t = hls_dim(m, k, (StSym){0, 0, 1}, false, 1);
  int l = hls_dim(m, k, st_sym_const(LAYERS), true, 1);
  int p = hls_dim(m, k, more, true, 1);
  int i = hls_dim(m, k, st_sym_const(WIDTH), false, 2);
  hls_loop(m, k, t, (StSym){0, 0, 1}, 1);
  hls_loop(m, k, l, st_sym_const(LAYERS), 1);
  hls_loop(m, k, p, more, 1);
  hls_loop(m, k, i, st_sym_const(WIDTH / 2), 2);
  int in[3] = {l, p, i}, out[2] = {t, i};
  hls_in(m, k, 0, cache, 3, in);
  k->u.nest.in[0].guard = (StGuard){p, st_sym_const(0), {0, 1, 0}};
  int x = hls_expr(m, k, ST_X_ARG, ST_F32, 0, -1, -1);
  hls_out(m, k, 0, ST_F32, x, ST_X_ADDF, 2, out);
  k->u.nest.ways = WAYS;
  hls_finish(m, k);
  return k->result[0];
}

/* y[t, i] = s[t, i] + e[t, i] * scale[i] + table[t], the last clamped. */
static void make_end(StModule *m, StValue *s, StValue *e) {
  StSym w = st_sym_const(WIDTH), n = st_sym_const(TABLE);
  StValue *factor = hls_const(m, ST_F32, 1, &w, scale, sizeof scale, false);
  StValue *values = hls_const(m, ST_F32, 1, &n, table, sizeof table, false);
  StOp *k = hls_kernel(m, "end", 4, 1);
  int t = hls_dim(m, k, (StSym){0, 0, 1}, false, 1);
  int i = hls_dim(m, k, w, false, 2);
  hls_loop(m, k, t, (StSym){0, 0, 1}, 1);
  hls_loop(m, k, i, st_sym_const(WIDTH / 2), 2);
  int both[2] = {t, i};
  hls_in(m, k, 0, s, 2, both);
  hls_in(m, k, 1, e, 2, both);
  hls_in(m, k, 2, factor, 1, &i);
  int x[3];
  for (int a = 0; a < 3; a++)
    x[a] = hls_expr(m, k, ST_X_ARG, ST_F32, a, -1, -1);
  int at = hls_expr(m, k, ST_X_INDEX, ST_I64, -1, -1, -1);
  k->u.nest.body.at[at].affine = st_affine_dim(m->arena, t);
  k->u.nest.body.at[at].affine.off = st_sym_const(TABLE - 2);
  int v = hls_expr(m, k, ST_X_EXTRACT, ST_F32, -1, -1, -1);
  k->u.nest.body.at[v].operand = 3;
  k->u.nest.body.at[v].nindices = 1;
  k->u.nest.body.at[v].indices = ST_NEW(m->arena, int);
  k->u.nest.body.at[v].indices[0] = at;
  int p = hls_expr(m, k, ST_X_MULF, ST_F32, x[1], x[2], -1);
  int q = hls_expr(m, k, ST_X_ADDF, ST_F32, x[0], p, -1);
  int y = hls_expr(m, k, ST_X_ADDF, ST_F32, q, v, -1);
  hls_out(m, k, 0, ST_F32, y, ST_X_ARG, 2, both);
  hls_finish(m, k);
  k->operand[3] = values; /* the body's own, no stream */
  hls_store(m, ST_ROLE_LOGITS, k->result[0], -1);
}

static StModule *make_model(void) {
  StModule *m = st_module_new("model");
  StValue *copy[2];
  StSym row[2] = {{0, 1, 0}, st_sym_const(WIDTH)};
  m->ctx = CTX;
  m->chunk = CHUNK;
  StValue *e = make_gather(m);
  StValue *cache = hls_layers(m, ST_ROLE_CACHE, ST_F32, LAYERS, 2, row);
  hls_fork(m, e, 2, copy);
  make_rows(m, copy[0]);
  make_end(m, make_sum(m, cache), copy[1]);
  module_decide(m, 4, 2);
  copy[1]->depth = 64;
  return m;
}

typedef struct {
  float row[CTX][WIDTH]; /* embeddings of the tokens so far */
} Model;

static void reference(Model *s, const float *words, const int64_t *tokens,
                      int64_t P, int64_t T, float *y) {
  for (int64_t t = 0; t < T; t++)
    for (int i = 0; i < WIDTH; i++) {
      bool in = tokens[t] >= 0 && tokens[t] < WORDS;
      s->row[P + t][i] = in ? words[tokens[t] * WIDTH + i] : 0;
    }
  for (int64_t t = 0; t < T; t++)
    for (int i = 0; i < WIDTH; i++) {
      float way[WAYS] = {0}, e = s->row[P + t][i];
      int count = 0;
      for (int l = 0; l < LAYERS; l++)
        for (int64_t p = 0; p <= P; p++, count++) {
          float v = p < P ? st_num_mul(s->row[p][i], (float)(l + 1)) : 0;
          float *to = &way[count % WAYS];
          *to = count < WAYS ? v : st_num_add(*to, v);
        }
      float sum = st_num_tree(way, count < WAYS ? count : WAYS);
      int64_t at = t + TABLE - 2 < TABLE ? t + TABLE - 2 : TABLE - 1;
      y[t * WIDTH + i] =
          st_num_add(st_num_add(sum, st_num_mul(e, scale[i])), table[at]);
    }
}

static const int64_t prompt[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 11, -1, 0};
static const int sizes[] = {3, 1, 4, 1, 1, 2};

static const char *write_weights(Fixture *f, float **words) {
  uint64_t seed = 9;
  const char *path = st_arena_printf(f->arena, "%s/words", f->dir);
  *words = random_floats(f->arena, &seed, WORDS * WIDTH);
  float *padded = ST_NEW_N(f->arena, float, WORDS *WIDTH + 3);
  memcpy(padded + 3, *words, WORDS * WIDTH * sizeof *padded);
  scratch_write(path, padded, (WORDS * WIDTH + 3) * sizeof *padded);
  return path;
}

static void state_stays_in_the_simulation(void **state) {
  Fixture *f = *state;
  StModule *m = make_model();
  float *words;
  const char *path = write_weights(f, &words);
  StHlsWeight weight = {ARG_EMBEDDING, path, 12, WORDS * WIDTH * 4};
  for (int c = 0; c < 2; c++) {
    Model model;
    int64_t P = 0;
    StHlsClient *client = st_hls_client_start(
        build(f, m, c ? "clang++" : "g++"), &weight, 1, f->diag);
    assert_non_null(client);
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
      float y[CHUNK * WIDTH];
      const void *data[8] = {prompt + P}, *result[8];
      reference(&model, words, prompt + P, P, sizes[k], y);
      step(f, client, m, P, sizes[k], data, result);
      assert_bits(result[LAYERS], y, sizes[k] * WIDTH);
      P += sizes[k];
    }
    st_hls_client_stop(client);
  }
  st_module_free(m);
}

/* ---- the vendor's headers
 * -------------------------------------------------------- */

/* The kernel as the vendor's tool would simulate it: plain calls in order,
 * FIFOs without limit, its own integers. */
static void the_vendors_headers_give_the_same_bits(void **state) {
  Fixture *f = *state;
  StModule *m = make_model();
  float *words, y[CHUNK * WIDTH];
  StHlsWeight weight = {ARG_EMBEDDING, write_weights(f, &words), 12,
                        WORDS * WIDTH * 4};
  for (int c = 0; c < 2; c++) {
    Model model;
    const void *data[8] = {prompt}, *result[8];
    const char *dir = build_vendor(f, m, c ? "clang++" : "g++");
    StHlsClient *client = st_hls_client_start(dir, &weight, 1, f->diag);
    assert_non_null(client);
    reference(&model, words, prompt, 0, CHUNK, y);
    step(f, client, m, 0, CHUNK, data, result);
    assert_bits(result[LAYERS], y, CHUNK * WIDTH);
    st_hls_client_stop(client);
  }
  st_module_free(m);
}

/* ---- messages
 * ------------------------------------------------------------------- */

static const char *messages(Fixture *f, const char *log) {
  size_t n;
  return st_file_read(f->arena, log, &n, f->diag);
}

static void wrong_inputs_are_refused(void **state) {
  Fixture *f = *state;
  StModule *m = make_model();
  float *words;
  StHlsWeight weight = {ARG_EMBEDDING, write_weights(f, &words), 12,
                        WORDS * WIDTH * 4};
  const char *log = st_arena_printf(f->arena, "%s/log", f->dir);
  FILE *to = fopen(log, "w");
  StDiag *diag = st_diag_new(to);
  const char *dir = st_hls_build(f->arena, m, f->target, f->dir, diag);
  assert_non_null(dir);
  assert_string_equal(dir, st_hls_build(f->arena, m, f->target, f->dir, diag));
  StHlsClient *client = st_hls_client_start(dir, &weight, 1, diag);
  const StHlsOutput *out;
  int n;
  StHlsInput in = {ARG_TOKENS, prompt, 2 * 8}, none = {ARG_CACHE, prompt, 8};
  assert_false(st_hls_client_step(client, 0, 1, &in, 1, &out, &n, diag));
  assert_false(st_hls_client_step(client, 0, 2, &none, 1, &out, &n, diag));
  assert_false(st_hls_client_step(client, 0, 2, &in, 0, &out, &n, diag));
  assert_true(st_hls_client_step(client, 0, 2, &in, 1, &out, &n, diag));
  assert_false(st_hls_client_step(client, CTX, 2, &in, 1, &out, &n, diag));
  st_hls_client_stop(client);
  weight.bytes -= 4;
  assert_null(st_hls_client_start(dir, &weight, 1, diag));
  assert_null(st_hls_client_start(dir, &weight, 0, diag));
  st_diag_free(diag);
  fclose(to);
  const char *text = messages(f, log);
  assert_non_null(strstr(text, "a0 has 16 bytes, expected 8"));
  assert_non_null(strstr(text, "argument 2 does not come with a step"));
  assert_non_null(strstr(text, "0 inputs, expected 1"));
  assert_non_null(strstr(text, "ended"));
  st_module_free(m);
}

static void a_compiler_that_fails_is_quoted(void **state) {
  Fixture *f = *state;
  StModule *m = make_model();
  const char *log = st_arena_printf(f->arena, "%s/log", f->dir);
  FILE *to = fopen(log, "w");
  StDiag *diag = st_diag_new(to);
  setenv("CXXFLAGS", "--no-such-option", 1);
  assert_null(st_hls_build(f->arena, m, f->target, f->dir, diag));
  unsetenv("CXXFLAGS");
  st_diag_free(diag);
  fclose(to);
  assert_non_null(strstr(messages(f, log), "does not compile"));
  assert_non_null(strstr(messages(f, log), "no-such-option"));
  st_module_free(m);
}

/* ---- the directory
 * ---------------------------------------------------------------- */

static void the_bytes_depend_on_the_module_only(void **state) {
  Fixture *f = *state;
  int n[2];
  const StHlsFile *file[2];
  for (int i = 0; i < 2; i++) {
    StModule *m = make_model();
    file[i] = st_hls_files(f->arena, m, f->target, &n[i], f->diag);
    st_module_free(m);
  }
  assert_non_null(file[0]);
  assert_int_equal(n[0], n[1]);
  for (int i = 0; i < n[0]; i++) {
    assert_string_equal(file[0][i].name, file[1][i].name);
    assert_int_equal(file[0][i].size, file[1][i].size);
    assert_memory_equal(file[0][i].data, file[1][i].data, file[0][i].size);
  }
}

/* libxrt-dev has what the host program needs; without a card it says how it
 * is called. */
static void the_host_program_links(void **state) {
  Fixture *f = *state;
  const char *dir = st_arena_printf(f->arena, "%s/host", f->dir);
  StModule *m = make_model();
  assert_true(st_emit_hls(m, f->target, dir, f->diag));
  st_module_free(m);
  shell(f->arena, st_arena_printf(f->arena,
                                  "make -s -C '%s' host "
                                  "CXXFLAGS='-O0 -Wextra -Werror' && "
                                  "! '%s/build/host' 2>'%s/usage' && "
                                  "grep -q XCLBIN '%s/usage'",
                                  dir, dir, dir, dir));
  shell(f->arena, st_arena_printf(f->arena,
                                  "! make -C '%s' xclbin VPP=no-such-tool "
                                  "2>'%s/usage' && grep -q 'no-such-tool not "
                                  "found: install AMD Vitis' '%s/usage'",
                                  dir, dir, dir));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(state_stays_in_the_simulation, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(the_vendors_headers_give_the_same_bits,
                                      set_up, tear_down),
      cmocka_unit_test_setup_teardown(wrong_inputs_are_refused, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(a_compiler_that_fails_is_quoted, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(the_bytes_depend_on_the_module_only,
                                      set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_host_program_links, set_up,
                                      tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
