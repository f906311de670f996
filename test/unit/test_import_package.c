/* Packages: a good one is read; each way in which one can be wrong has its
 * message with a place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "import/package.h"
#include "scratch.h"

/* Lines that the cases below change. */
static const char good[] =
    "{\"format\": \"streamtensor-package\", \"version\": 1,\n"
    " \"kind\": \"causal-lm\",\n"
    " \"entry\": \"step\",\n"
    " \"symbols\": {\"T\": {\"min\": 1, \"max\": 4}},\n"
    " \"arguments\": [\n"
    "  {\"name\": \"w\", \"role\": \"param\", \"dtype\": \"f32\","
    " \"shape\": [2, 3]},\n"
    "  {\"name\": \"b\", \"role\": \"param\", \"dtype\": \"i1\","
    " \"shape\": []},\n"
    "  {\"name\": \"ids\", \"role\": \"tokens\", \"dtype\": \"i64\","
    " \"shape\": [1, \"T\"]},\n"
    "  {\"name\": \"pos\", \"role\": \"position\", \"dtype\": \"i64\","
    " \"shape\": []},\n"
    "  {\"name\": \"k\", \"role\": \"cache\", \"dtype\": \"f32\","
    " \"shape\": [1, 2, \"P\", 3]}],\n"
    " \"results\": [\n"
    "  {\"name\": \"y\", \"role\": \"logits\", \"dtype\": \"f32\","
    " \"shape\": [1, 9]},\n"
    "  {\"name\": \"rows\", \"role\": \"cache-rows\", \"dtype\": \"f32\","
    " \"shape\": [1, 2, \"T\", 3], \"argument\": 4, \"axis\": 2}],\n"
    " \"weights\": \"weights.safetensors\",\n"
    " \"vocab\": 9, \"bos\": 1, \"eos\": [2, 3],\n"
    " \"ctx\": 16, \"chunk\": 4,\n"
    " \"source\": {\"architecture\": \"Some\", \"layers\": 1}}\n";

typedef struct {
  StArena *a;
  const char *dir;
  StDiag *d;
} Fixture;

static const char *in(const Fixture *f, const char *name) {
  return st_path_join(f->a, f->dir, name);
}

static void write_text(const Fixture *f, const char *name, const char *text) {
  scratch_write(in(f, name), text, strlen(text));
}

static int setup(void **state) {
  StArena *a = st_arena_new();
  Fixture *f = ST_NEW(a, Fixture);
  *f = (Fixture){a, scratch_make(a), st_diag_new(NULL)};
  static const int64_t shape[] = {2, 3};
  static const float w[6] = {1, 2, 3, 4, 5, 6};
  const StTensor t[] = {{"w", ST_F32, 2, shape, w, 24},
                        {"b", ST_I1, 0, NULL, "\1", 1},
                        {"unused", ST_F32, 0, NULL, w, 4}};
  write_text(f, "model.json", good);
  write_text(f, "model.mlir", "module {}\n");
  st_safetensors_write(in(f, "weights.safetensors"), t, 3, f->d);
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

/* `text` with `from` replaced by `to`. */
static const char *replaced(const Fixture *f, const char *text,
                            const char *from, const char *to) {
  const char *at = strstr(text, from);
  assert_non_null(at);
  return st_arena_printf(f->a, "%.*s%s%s", (int)(at - text), text, to,
                         at + strlen(from));
}

/* Opening fails, with this message. */
static void assert_fails(const Fixture *f, const char *message) {
  StDiag *d = st_diag_new(NULL);
  assert_null(st_package_open(f->dir, d));
  assert_true(st_diag_errors(d) > 0);
  if (!strstr(st_diag_text(d), message))
    fail_msg("no \"%s\" in: %s", message, st_diag_text(d));
  st_diag_free(d);
}

static void test_good(void **state) {
  Fixture *f = *state;
  StPackage *p = st_package_open(f->dir, f->d);
  assert_string_equal(st_diag_text(f->d), "");
  assert_non_null(p);
  const StSignature *s = &p->sig;
  assert_int_equal(p->kind, ST_PACKAGE_CAUSAL_LM);
  assert_string_equal(s->name, st_path_base(f->dir));
  assert_string_equal(s->entry, "step");
  assert_string_equal(p->text, in(f, "model.mlir"));
  assert_string_equal(p->source, "Some");
  assert_int_equal(p->vocab, 9);
  assert_int_equal(p->bos, 1);
  assert_int_equal(p->neos, 2);
  assert_int_equal(p->eos[1], 3);
  assert_true(s->ctx == 16 && s->chunk == 4);
  assert_true(s->nargs == 5 && s->nrets == 2);
  assert_string_equal(s->arg[2].name, "ids");
  assert_int_equal(s->arg[2].role, ST_ROLE_TOKENS);
  assert_int_equal(s->arg[2].dtype, ST_I64);
  assert_int_equal(s->arg[2].rank, 2);
  assert_true(st_sym_eq(s->arg[2].shape[1], (StSym){.t = 1}));
  assert_true(s->arg[4].axis == 2 && s->arg[4].cache == -1);
  assert_true(s->arg[3].axis == -1 && s->arg[3].rank == 0);
  assert_true(s->ret[1].cache == 4 && s->ret[1].axis == 2);
  assert_true(s->ret[0].cache == -1 && s->ret[0].axis == -1);
  assert_int_equal(((const float *)p->param[0]->data)[5], 6);
  assert_null(p->param[2]);
  assert_int_equal(st_package_arg(p, ST_ROLE_POSITION), 3);
  assert_int_equal(st_package_arg(p, ST_ROLE_INPUT), -1);
  assert_int_equal(st_package_ret(p, ST_ROLE_CACHE_ROWS), 1);
  assert_int_equal(st_package_ret(p, ST_ROLE_OUTPUT), -1);
  st_package_close(p);
  st_package_close(NULL);
}

static void test_variants(void **state) {
  Fixture *f = *state;
  const char *t = replaced(f, good, "\"argument\": 4", "\"argument\": \"k\"");
  t = replaced(f, t, "\"weights.safetensors\"", "null");
  t = replaced(f, t, "\"bos\": 1, \"eos\": [2, 3]",
               "\"bos\": null, \"eos\": [50256, 8, -1]");
  t = replaced(f, t, "\"source\"", "\"later\": {}, \"source\"");
  write_text(f, "model.json", t);
  StPackage *p = st_package_open(st_arena_printf(f->a, "%s/", f->dir), f->d);
  assert_string_equal(st_diag_text(f->d), "");
  assert_string_equal(p->sig.name, st_path_base(f->dir));
  assert_int_equal(p->sig.ret[1].cache, 4);
  assert_null(p->weights);
  assert_null(p->param[0]);
  assert_int_equal(p->bos, -1);
  assert_true(p->neos == 1 && p->eos[0] == 8);
  st_package_close(p);
  write_text(f, "model.json",
             replaced(f, good, "\"bos\": 1, \"eos\": [2, 3]",
                      "\"bos\": 50256, \"eos\": 5"));
  p = st_package_open(f->dir, f->d);
  assert_int_equal(p->bos, -1);
  assert_true(p->neos == 1 && p->eos[0] == 5);
  st_package_close(p);
}

static void test_module(void **state) {
  Fixture *f = *state;
  write_text(f, "model.json",
             "{\"format\": \"streamtensor-package\", \"version\": 1,"
             "\"kind\": \"module\", \"entry\": \"forward\","
             "\"arguments\": [{\"name\": \"x\", \"role\": \"input\","
             "\"dtype\": \"f32\", \"shape\": [4, 0]}], \"results\": ["
             "{\"name\": \"y\", \"role\": \"output\", \"dtype\": \"f32\","
             "\"shape\": [4]}], \"weights\": null, \"vocab\": null,"
             "\"ctx\": 0, \"chunk\": 0, \"symbols\": {}}");
  StPackage *p = st_package_open(f->dir, f->d);
  assert_string_equal(st_diag_text(f->d), "");
  assert_int_equal(p->kind, ST_PACKAGE_MODULE);
  assert_true(p->sig.ctx == 0 && p->sig.chunk == 0);
  assert_true(p->vocab == 0 && p->bos == -1 && p->neos == 0);
  assert_null(p->source);
  st_package_close(p);
}

static const struct {
  const char *from, *to, *message;
} wrongs[] = {
    {"streamtensor-package", "zip",
     "model.json:1:12: error: format: \"zip\" is not the format"},
    {"\"version\": 1", "\"version\": 2",
     "model.json:1:47: error: version: version 2 of packages is not known, "
     "only 1"},
    {"causal-lm", "gan", "2:10: error: kind: \"gan\" is neither"},
    {"\"entry\"", "\"e\"", "\"entry\" is missing"},
    {"\"max\": 4", "\"max\": 5",
     "4:19: error: symbols.T: its maximum is 5, but \"chunk\" is 4"},
    {"\"chunk\": 4", "\"chunk\": 17", "chunk: 17 is not from 1 to 16"},
    {"\"chunk\": 4", "\"chunk\": 0", "chunk: 0 is not from 1 to 16"},
    {"\"ctx\": 16,", "", "\"ctx\" is missing"},
    {"\"ctx\": 16", "\"ctx\": 1e3", "ctx: expected an integer"},
    {"\"arguments\"", "\"args\"", "\"arguments\" is missing"},
    {"\"role\": \"param\"", "\"role\": \"logits\"",
     "6:25: error: arguments[0].role: \"logits\" is not the role of an "
     "argument"},
    {"\"role\": \"logits\"", "\"role\": \"param\"",
     "results[0].role: \"param\" is not the role of a result"},
    {"\"i64\"", "\"int\"",
     "arguments[2].dtype: \"int\" is not an element type"},
    {"[1, \"T\"]", "[1, \"N\"]",
     "8:66: error: arguments[2].shape[1]: \"N\" is not an extent"},
    {"[1, \"T\"]", "[1, \"T+\"]", "\"T+\" is not an extent"},
    {"[1, \"T\"]", "[1, \"\"]", "\"\" is not an extent"},
    {"[1, \"T\"]", "[1, \"T-2\"]",
     "the extent \"T-2\" is negative or too large for some step"},
    {"[1, \"T\"]", "[-1, 2]", "shape[0]: -1 is not from 0"},
    {"[1, \"T\"]", "3", "shape: expected an array, not an integer"},
    {"[1, \"T\"]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
     "more than 16 dimensions"},
    {"\"name\": \"b\"", "\"name\": \"w\"",
     "7:3: error: arguments[1]: a second argument with the name \"w\""},
    {"\"name\": \"b\", ", "", "arguments[1]: \"name\" is missing"},
    {"\"role\": \"tokens\"", "\"role\": \"input\"",
     "arguments: 0 with the role tokens; a language model has one"},
    {"\"role\": \"logits\"", "\"role\": \"output\"",
     "results: 0 with the role logits"},
    {"[2, 3]}", "[2, \"T\"]}",
     "the shape [2, T] of a parameter must not depend on P and T"},
    {"\"argument\": 4", "\"argument\": 3",
     "13:95: error: results[1].argument: this is not an argument with the "
     "role cache"},
    {"\"argument\": 4", "\"argument\": \"q\"", "not an argument with"},
    {"\"argument\": 4", "\"argument\": 5", "5 is not from 0 to 4"},
    {"\"axis\": 2", "\"axis\": 4", "axis: 4 is not from 0 to 3"},
    {"\"axis\": 2", "\"axis\": 1",
     "rows f32 [1, 2, T, 3] do not extend the cache f32 [1, 2, P, 3] along "
     "dim 1"},
    {"\"T\", 3], \"arg", "\"T\", 4], \"arg",
     "rows f32 [1, 2, T, 4] do not extend"},
    {"\"cache-rows\"", "\"output\"",
     "arguments[4]: 0 results extend this cache; there must be one"},
    {"\"vocab\": 9, ", "", "\"vocab\" is missing"},
    {"[2, 3],\n \"ctx", "[\"x\"],\n \"ctx",
     "eos[0]: expected an integer, not a string"},
    {"\"weights.safetensors\"", "\"../w\"",
     "weights: \"../w\" is not a file of the package"},
    {"\"weights.safetensors\"", "\"other\"",
     "other: error: cannot open: No such file"},
    {"\"weights\": \"weights.safetensors\",", "", "\"weights\" is missing"},
    {"\"entry\": \"step\",", "\"entry\": \"step\"", "model.json:4:",
     /* the comma that is missing before */},
};

static void test_wrong(void **state) {
  Fixture *f = *state;
  for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
    write_text(f, "model.json",
               replaced(f, good, wrongs[i].from, wrongs[i].to));
    assert_fails(f, wrongs[i].message);
  }
}

/* A module without maxima has no symbols. */
static void test_no_symbols(void **state) {
  Fixture *f = *state;
  const char *t = replaced(f, good, "causal-lm", "module");
  t = replaced(f, t, "\"ctx\": 16, \"chunk\": 4,", "");
  write_text(f, "model.json", t);
  assert_fails(f, "\"T\" needs \"ctx\" and \"chunk\"");
}

static void test_missing_files(void **state) {
  Fixture *f = *state;
  StDiag *d = st_diag_new(NULL);
  assert_null(st_package_open(in(f, "no"), d));
  assert_string_equal(
      st_diag_text(d),
      st_arena_printf(f->a,
                      "%s: error: not a package: there is no such directory\n"
                      "note: `streamtensor export` makes packages\n",
                      in(f, "no")));
  st_diag_free(d);
  write_text(f, "model.mlir2", "");
  assert_int_equal(remove(in(f, "model.mlir")), 0);
  assert_fails(f, "model.mlir: error: the text of the model is missing");
  assert_int_equal(remove(in(f, "model.json")), 0);
  assert_fails(f, "not a package: it has no model.json");
}

static void test_weights(void **state) {
  Fixture *f = *state;
  static const int64_t shape[] = {3, 2};
  static const float w[6] = {0};
  const StTensor t[] = {{"w", ST_F32, 2, shape, w, 24},
                        {"b", ST_I8, 0, NULL, "\1", 1}};
  const char *path = in(f, "weights.safetensors");
  st_safetensors_write(path, t, 2, f->d);
  assert_fails(f, st_arena_printf(f->a,
                                  "%s: error: tensor 'w' is f32 [3, 2], but "
                                  "the model takes f32 [2, 3]\nnote: "
                                  "%s:6 declares it",
                                  path, in(f, "model.json")));
  assert_fails(f, "tensor 'b' is i8 [], but the model takes i1 []");
  st_safetensors_write(path, t, 1, f->d);
  assert_fails(f, "tensor 'b' (i1 []) is missing");
  scratch_write(path, "short", 5);
  assert_fails(f, "not a whole safetensors file");
}

/* The declaration, with a grid of "w". */
static void write_grid(const Fixture *f, const char *grid) {
  write_text(f, "model.json",
             replaced(f, good, "\"shape\": [2, 3]}",
                      st_arena_printf(f->a, "\"shape\": [2, 3], \"grid\": %s}",
                                      grid)));
}

static void test_grids(void **state) {
  Fixture *f = *state;
  static const int64_t w_shape[] = {2, 3}, codes_shape[] = {2, 1, 3};
  static const float w[6] = {0};
  static const int16_t numbers[2] = {0};
  static const char grid[] =
      "{\"bits\": 4, \"group\": 3, \"axis\": 1, \"mins\": true}";
  const StTensor t[] = {{"w", ST_F32, 2, w_shape, w, 24},
                        {"b", ST_I1, 0, NULL, "\1", 1},
                        {"w.codes", ST_I8, 3, codes_shape, w, 6},
                        {"w.scales", ST_F16, 2, codes_shape, numbers, 4},
                        {"w.mins", ST_F16, 2, codes_shape, numbers, 4}};
  const char *path = in(f, "weights.safetensors");
  write_grid(f, grid);
  assert_fails(f, "tensor 'w.codes' (i8 [2, 1, 3]) is missing");
  st_safetensors_write(path, t, 4, f->d);
  assert_fails(f, "tensor 'w.mins' (f16 [2, 1]) is missing");
  st_safetensors_write(path, t, 5, f->d);
  StPackage *p = st_package_open(f->dir, f->d);
  assert_string_equal(st_diag_text(f->d), "");
  assert_true(p->grid[0].bits == 4 && p->grid[0].mins);
  assert_true(p->grid[0].rank == 2 && p->grid[0].shape[1] == 3);
  assert_true(p->grid[0].axis == 1 && p->grid[0].group == 3);
  assert_int_equal(p->grid[1].bits, 0);
  st_package_close(p);
  write_grid(f, replaced(f, grid, "4", "5"));
  assert_fails(f, "6:75: error: arguments[0].grid: codes have 4 or 8 bits, and "
                  "a group divides the 3 elements along its axis");
  write_grid(f, replaced(f, grid, "3", "2"));
  assert_fails(f, "a group divides the 3 elements");
  write_grid(f, replaced(f, grid, "\"axis\": 1", "\"axis\": 2"));
  assert_fails(f, "axis: 2 is not from 0 to 1");
  write_grid(f, replaced(f, grid, ", \"mins\": true", ""));
  assert_fails(f, "\"mins\" is missing");
  write_text(f, "model.json",
             replaced(f, good, "\"i64\"",
                      st_arena_printf(f->a, "\"i64\", \"grid\": %s", grid)));
  assert_fails(f, "arguments[2].grid: only parameters in f32 lie on a grid");
}

/* Damaged declarations are refused or read, and nothing else happens. */
static void test_fuzz(void **state) {
  Fixture *f = *state;
  size_t n = strlen(good);
  uint64_t seed = 7;
  for (int round = 0; round < 2000; round++) {
    char *bad = st_arena_strdup(f->a, good);
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    bad[(seed >> 33) % n] ^= (char)(1 << (seed >> 20) % 7);
    if (round % 4 == 0)
      bad[(seed >> 40) % n] = 0;
    write_text(f, "model.json", bad);
    StDiag *d = st_diag_new(NULL);
    StPackage *p = st_package_open(f->dir, d);
    assert_int_equal(p == NULL, st_diag_errors(d) > 0);
    st_package_close(p);
    st_diag_free(d);
  }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_good),    TEST(test_variants),   TEST(test_module),
      TEST(test_wrong),   TEST(test_no_symbols), TEST(test_missing_files),
      TEST(test_weights), TEST(test_grids),      TEST(test_fuzz),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
