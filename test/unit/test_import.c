/* The importer: what each operation becomes, what is refused and with which
 * words, and that damaged text is an error and not a crash. Every module that
 * is imported here is verified and must survive printing and parsing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/str.h"
#include "import/coverage.h"

/* ---- importing a piece of text ------------------------------------------ */

static void write_temp(char path[64], const char *text, size_t n) {
  snprintf(path, 64, "%s/st_import_XXXXXX", P_tmpdir);
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, n), n);
  close(fd);
}

static void check_round_trip(const StModule *m) {
  StDiag *diag = st_diag_new(NULL);
  assert_true(st_module_verify(m, "import", diag));
  StStr first, second;
  st_str_init(&first);
  st_str_init(&second);
  st_module_print(&first, m);
  StModule *again = st_module_parse("text", first.data, first.len, diag);
  assert_non_null(again);
  st_module_print(&second, again);
  assert_string_equal(first.data, second.data);
  st_module_free(again);
  st_str_free(&first);
  st_str_free(&second);
  st_diag_free(diag);
}

static StModule *import_text(const char *text, const StSignature *sig,
                             StDiag *diag) {
  char path[64];
  write_temp(path, text, strlen(text));
  StModule *m = st_import_linalg(sig, path, diag);
  unlink(path);
  if (m)
    check_round_trip(m);
  return m;
}

static void add_shape(StStr *out, const StType *t) {
  char one[ST_SYM_TEXT];
  st_str_printf(out, "<");
  for (int i = 0; i < t->rank; i++)
    st_str_printf(out, "%s%s", i ? "x" : "", st_sym_print(one, t->shape[i]));
  st_str_printf(out, ">");
}

static void add_body(StStr *out, const StNest *n) {
  st_str_printf(out, "[");
  for (int i = 0; i < n->body.n; i++)
    st_str_printf(out, "%s%s", i ? " " : "",
                  st_scalar_name(n->body.at[i].kind));
  if (n->out[0].combine != ST_X_ARG)
    st_str_printf(out, "; %s", st_scalar_name(n->out[0].combine));
  st_str_printf(out, "]");
}

/* "arg arg generic[arg arg mulf; addf]<4x4> result" */
static void summarize(StStr *out, const StModule *m) {
  st_str_init(out);
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    st_str_printf(out, "%s%s", i ? " " : "",
                  op->kind == ST_OP_CONST && op->u.constant.splat
                      ? "splat"
                      : st_op_name(op->kind));
    if (op->kind == ST_OP_GENERIC)
      add_body(out, &op->u.nest);
    if (op->kind != ST_OP_ARG && op->kind != ST_OP_RESULT)
      add_shape(out, &op->result[0]->type);
  }
}

static void expect(const char *text, const char *want) {
  StDiag *diag = st_diag_new(stderr);
  StModule *m = import_text(text, NULL, diag);
  assert_non_null(m);
  assert_int_equal(st_diag_errors(diag), 0);
  StStr got;
  summarize(&got, m);
  assert_string_equal(got.data, want);
  st_str_free(&got);
  st_module_free(m);
  st_diag_free(diag);
}

/* One function from its arguments, result type and body. */
static void expect_body(const char *args, const char *type, const char *body,
                        const char *want) {
  StStr s;
  st_str_init(&s);
  st_str_printf(&s, "module {\n  func.func @main(%s) -> %s {\n%s  }\n}\n", args,
                type, body);
  expect(s.data, want);
  st_str_free(&s);
}

/* ---- the whole of a step ------------------------------------------------ */

static const StSym one = {1, 0, 0}, two = {2, 0, 0}, four = {4, 0, 0},
                   eight = {8, 0, 0}, sixteen = {16, 0, 0}, sym_p = {0, 1, 0},
                   sym_t = {0, 0, 1};

/* The signature of test/import/block.mlir. */
typedef struct {
  StSym shape[8][4];
  StPort port[8];
  StSignature sig;
} Block;

static void block_signature(Block *b) {
  static const int rank[] = {2, 1, 2, 2, 0, 4, 3, 4};
  const StSym shape[8][4] = {{sixteen, eight},
                             {eight},
                             {eight, eight},
                             {one, sym_t},
                             {{0}},
                             {one, two, sym_p, four},
                             {one, sym_t, eight},
                             {one, two, sym_t, four}};
  memcpy(b->shape, shape, sizeof shape);
  for (int i = 0; i < 8; i++)
    b->port[i] = (StPort){.name = "port",
                          .role = i == 4 ? ST_ROLE_POSITION : ST_ROLE_INPUT,
                          .dtype = i == 3 || i == 4 ? ST_I64 : ST_F32,
                          .rank = rank[i],
                          .shape = b->shape[i],
                          .cache = -1,
                          .axis = -1};
  b->sig = (StSignature){.name = "block",
                         .ctx = 64,
                         .chunk = 16,
                         .nargs = 6,
                         .nrets = 2,
                         .arg = b->port,
                         .ret = b->port + 6};
}

static void test_block(void **state) {
  (void)state;
  Block b;
  block_signature(&b);
  StDiag *diag = st_diag_new(stderr);
  StModule *m = st_import_linalg(&b.sig, "test/import/block.mlir", diag);
  assert_non_null(m);
  assert_int_equal(strlen(st_diag_text(diag)), 0);
  check_round_trip(m);
  StStr got;
  summarize(&got, m);
  assert_string_equal(
      got.data,
      "arg arg arg arg arg generic[arg index extract]<1xTx8> "
      "generic[arg mulf; addf]<1xTx1> "
      "generic[arg arg arg const divf const addf rsqrt mulf mulf]<1xTx8> "
      "generic[arg]<8x8> view<Tx8> generic[arg arg mulf; addf]<Tx8> "
      "view<1xTx2x4> generic[arg]<1x2xTx4> concat<1x2xP+Tx4> view<2xP+Tx4> "
      "view<2xTx4> generic[arg]<2x4xP+T> generic[arg arg mulf; addf]<2xTxP+T> "
      "generic[arg index index cmpi const select]<2xTxP+T> "
      "generic[arg; maximumf]<2xTx1> generic[arg arg subf exp]<2xTxP+T> "
      "generic[arg arg mulf; addf]<2xTx4> view<1x2xTx4> generic[arg]<1xTx2x4> "
      "view<1xTx8> result result");
  st_str_free(&got);

  const StOp *embed = m->op.at[5], *mask = m->op.at[18];
  assert_ptr_equal(embed->operand[1]->def, m->op.at[0]);
  assert_null(embed->u.nest.in[1].map);
  assert_int_equal(embed->loc.line, 27);
  /* the position is P: index d1 + P */
  const StExpr *query = &mask->u.nest.body.at[2];
  assert_int_equal(query->affine.n, 1);
  assert_int_equal(query->affine.term[0].dim, 1);
  assert_true(st_sym_eq(query->affine.off, sym_p));
  /* a f64 constant, truncated */
  assert_int_equal(m->op.at[7]->u.nest.body.at[5].bits, 0x3727c5ac);
  assert_int_equal(m->arg.n, 6);
  assert_int_equal(m->ret.n, 2);
  assert_int_equal(m->op.at[4]->u.index.index[0], 5);
  st_module_free(m);
  st_diag_free(diag);
}

/* ---- reductions and maps ------------------------------------------------ */

#define MATMUL                                                                 \
  "%2 = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) "         \
  "outs(%1 : tensor<4x2xf32>) -> tensor<4x2xf32>\n"                            \
  "return %2 : tensor<4x2xf32>\n"

static void test_initial_values(void **state) {
  (void)state;
  expect_body("%a: tensor<4x8xf32>, %b: tensor<8x2xf32>", "tensor<4x2xf32>",
              "%c = arith.constant 0.0 : f32\n"
              "%0 = tensor.empty() : tensor<4x2xf32>\n"
              "%1 = linalg.fill ins(%c : f32) outs(%0 : tensor<4x2xf32>) -> "
              "tensor<4x2xf32>\n" MATMUL,
              "arg arg generic[arg arg mulf; addf]<4x2> result");
  expect_body("%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %1: tensor<4x2xf32>",
              "tensor<4x2xf32>", MATMUL,
              "arg arg arg generic[arg arg mulf; addf]<4x2> "
              "generic[arg arg addf]<4x2> result");
  expect_body("%a: tensor<4x8xf32>, %b: tensor<8x2xf32>", "tensor<4x2xf32>",
              "%1 = arith.constant dense<1.0> : tensor<4x2xf32>\n" MATMUL,
              "arg arg generic[arg arg mulf; addf]<4x2> "
              "generic[arg const addf]<4x2> result");
}

/* A reduction of one operand along dim 1. */
static void expect_reduction(const char *dtype, const char *init,
                             const char *step, const char *want) {
  StStr s, w;
  st_str_init(&s);
  st_str_init(&w);
  st_str_printf(
      &s,
      "func.func @main(%%a: tensor<4x8x%s>) -> tensor<4x%s> {\n"
      "%%i = arith.constant dense<%s> : tensor<4x%s>\n"
      "%%0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, "
      "affine_map<(i, j) -> (i)>], iterator_types = [\"parallel\", "
      "\"reduction\"]} ins(%%a : tensor<4x8x%s>) outs(%%i : tensor<4x%s>) {\n"
      "^bb0(%%in: %s, %%acc: %s):\n%s"
      "linalg.yield %%r : %s\n} -> tensor<4x%s>\n"
      "return %%0 : tensor<4x%s>\n}\n",
      dtype, dtype, init, dtype, dtype, dtype, dtype, dtype, step, dtype, dtype,
      dtype);
  st_str_printf(&w, "arg generic[%s]<4> result", want);
  expect(s.data, w.data);
  st_str_free(&s);
  st_str_free(&w);
}

static void test_reductions(void **state) {
  (void)state;
  expect_reduction("f32", "0xFF800000", "%r = arith.maximumf %in, %acc : f32\n",
                   "arg; maximumf");
  expect_reduction("f32", "-3.40282347E+38",
                   "%r = arith.maxnumf %acc, %in : f32\n", "arg; maxnumf");
  expect_reduction("f32", "1.0", "%r = arith.mulf %acc, %in : f32\n",
                   "arg; mulf");
  expect_reduction("f32", "0xFF800000",
                   "%c = arith.cmpf ogt, %in, %acc : f32\n"
                   "%r = arith.select %c, %in, %acc : f32\n",
                   "arg; maxnumf");
  expect_reduction("f32", "0x7F800000",
                   "%c = arith.cmpf ugt, %in, %acc : f32\n"
                   "%r = arith.select %c, %acc, %in : f32\n",
                   "arg; minimumf");
  expect_reduction("i64", "0", "%r = arith.addi %acc, %in : i64\n",
                   "arg; addi");
  expect_reduction("i32", "2147483647", "%r = arith.minsi %acc, %in : i32\n",
                   "arg; minsi");
  expect_reduction("i64", "-9223372036854775808",
                   "%c = arith.cmpi slt, %acc, %in : i64\n"
                   "%r = arith.select %c, %in, %acc : i64\n",
                   "arg; maxsi");
  expect_reduction("i1", "true", "%r = arith.andi %acc, %in : i1\n",
                   "arg; andi");
  expect_reduction("f32", "0.0",
                   "%s = arith.mulf %in, %in : f32\n"
                   "%r = arith.addf %s, %acc : f32\n",
                   "arg mulf; addf");
}

/* MLIR 19 drops the maps of a named matmul in the generic form. */
static void test_matmul_maps(void **state) {
  (void)state;
  StDiag *diag = st_diag_new(stderr);
  StModule *m = st_import_linalg(NULL, "test/import/matmul_maps.mlir", diag);
  assert_non_null(m);
  const StNest *n = &m->op.at[2]->u.nest;
  assert_int_equal(st_affine_single(&n->in[1].map[0]), 1);
  assert_int_equal(st_affine_single(&n->in[1].map[1]), 2);
  assert_true(n->dim[2].reduction);
  st_module_free(m);
  st_diag_free(diag);
}

/* ---- shapes ------------------------------------------------------------- */

static void test_views(void **state) {
  (void)state;
  expect_body("%a: tensor<4x6xf32>", "tensor<2x2x6xf32>",
              "%0 = tensor.expand_shape %a [[0, 1], [2]] output_shape [2, 2, 6]"
              " : tensor<4x6xf32> into tensor<2x2x6xf32>\n"
              "return %0 : tensor<2x2x6xf32>\n",
              "arg view<2x2x6> result");
  expect_body("%a: tensor<4x6xf32>", "tensor<24xf32>",
              "%0 = tensor.collapse_shape %a [[0, 1]] : tensor<4x6xf32> into "
              "tensor<24xf32>\nreturn %0 : tensor<24xf32>\n",
              "arg view<24> result");
  expect_body("%a: tensor<4x6xf32>", "tensor<8x3xf32>",
              "%s = arith.constant dense<[8, 3]> : tensor<2xi64>\n"
              "%0 = tensor.reshape %a(%s) : (tensor<4x6xf32>, tensor<2xi64>) "
              "-> tensor<8x3xf32>\nreturn %0 : tensor<8x3xf32>\n",
              "arg view<8x3> result");
  expect_body("%a: tensor<4x6xf32>", "tensor<4x6xf32>",
              "%0 = tensor.cast %a : tensor<4x6xf32> to tensor<?x6xf32>\n"
              "%1 = tensor.cast %0 : tensor<?x6xf32> to tensor<4x6xf32>\n"
              "return %1 : tensor<4x6xf32>\n",
              "arg result");
}

static void test_slices(void **state) {
  (void)state;
  expect_body("%a: tensor<4x6xf32>", "tensor<6xf32>",
              "%0 = tensor.extract_slice %a[2, 0] [1, 6] [1, 1] : "
              "tensor<4x6xf32> to tensor<6xf32>\nreturn %0 : tensor<6xf32>\n",
              "arg slice<1x6> view<6> result");
  expect_body("%a: tensor<4x6xf32>", "tensor<1x3xf32>",
              "%0 = tensor.extract_slice %a[2, 1] [1, 3] [1, 2] : "
              "tensor<4x6xf32> to tensor<1x3xf32>\n"
              "return %0 : tensor<1x3xf32>\n",
              "arg slice<1x3> result");
  expect_body("%a: tensor<4x6xf32>, %b: tensor<2x6xf32>", "tensor<4x6xf32>",
              "%0 = tensor.insert_slice %b into %a[1, 0] [2, 6] [1, 1] : "
              "tensor<2x6xf32> into tensor<4x6xf32>\n"
              "return %0 : tensor<4x6xf32>\n",
              "arg arg slice<1x6> slice<1x6> concat<4x6> result");
  expect_body("%b: tensor<2x6xf32>, %c: tensor<1x6xf32>", "tensor<3x6xf32>",
              "%e = tensor.empty() : tensor<3x6xf32>\n"
              "%0 = tensor.insert_slice %b into %e[1, 0] [2, 6] [1, 1] : "
              "tensor<2x6xf32> into tensor<3x6xf32>\n"
              "%1 = tensor.insert_slice %c into %0[0, 0] [1, 6] [1, 1] : "
              "tensor<1x6xf32> into tensor<3x6xf32>\n"
              "return %1 : tensor<3x6xf32>\n",
              "arg arg concat<3x6> result");
  expect_body("%a: tensor<2x2xf32>", "tensor<3x4xf32>",
              "%c = arith.constant 0.0 : f32\n"
              "%0 = tensor.pad %a low[1, 0] high[0, 2] {\n"
              "^bb0(%i: index, %j: index):\ntensor.yield %c : f32\n"
              "} : tensor<2x2xf32> to tensor<3x4xf32>\n"
              "return %0 : tensor<3x4xf32>\n",
              "arg splat<1x4> splat<2x2> concat<2x4> concat<3x4> result");
  expect_body("%a: tensor<2x3xf32>, %b: tensor<2x1xf32>", "tensor<2x4xf32>",
              "%0 = tensor.concat dim(1) %a, %b : (tensor<2x3xf32>, "
              "tensor<2x1xf32>) -> tensor<2x4xf32>\n"
              "return %0 : tensor<2x4xf32>\n",
              "arg arg concat<2x4> result");
}

/* ---- constants ---------------------------------------------------------- */

static void expect_constant(const char *attr, const char *type, bool splat,
                            const void *bytes, size_t n) {
  char text[512];
  snprintf(text, sizeof text,
           "func.func @main() -> %s {\n%%0 = arith.constant %s : %s\n"
           "return %%0 : %s\n}\n",
           type, attr, type, type);
  StDiag *diag = st_diag_new(stderr);
  StModule *m = import_text(text, NULL, diag);
  assert_non_null(m);
  const StConst *c = &m->op.at[0]->u.constant;
  assert_int_equal(m->op.at[0]->kind, ST_OP_CONST);
  assert_int_equal(c->splat, splat);
  assert_int_equal(c->bytes, n);
  assert_memory_equal(c->data, bytes, n);
  st_module_free(m);
  st_diag_free(diag);
}

static void test_constants(void **state) {
  (void)state;
  const float f[] = {1, -2};
  const int64_t i[] = {3, -4};
  expect_constant("dense<[1.0, -2.0]>", "tensor<2xf32>", false, f, 8);
  expect_constant("dense<\"0x0000803F000000C0\">", "tensor<2xf32>", false, f,
                  8);
  expect_constant("dense<1.0>", "tensor<2xf32>", true, f, 4);
  expect_constant("dense<[3, -4]>", "tensor<2xi64>", false, i, 16);
  expect_constant("dense<[true, false, true]>", "tensor<3xi1>", false, "\1\0\1",
                  3);
  expect_constant("dense<1.5>", "tensor<2xbf16>", true, "\xc0\x3f", 2);
  expect_constant("dense<[1.5, 0.0]>", "tensor<2xf16>", false, "\0\x3e\0\0", 4);
}

static void test_resources(void **state) {
  (void)state;
  StDiag *diag = st_diag_new(stderr);
  StModule *m = st_import_linalg(NULL, "test/import/resource.mlir", diag);
  assert_non_null(m);
  check_round_trip(m);
  const float f[] = {1, 2, 3, 4};
  const StConst *c = &m->op.at[0]->u.constant;
  assert_int_equal(c->bytes, 16);
  assert_memory_equal(c->data, f, 16);
  assert_memory_equal(m->op.at[1]->u.constant.data, "\1\0", 2);
  st_module_free(m);
  st_diag_free(diag);
}

/* ---- scalars ------------------------------------------------------------ */

static void expect_scalar(const char *in, const char *out, const char *op,
                          const char *want) {
  StStr s, w;
  st_str_init(&s);
  st_str_init(&w);
  st_str_printf(
      &s,
      "#id = affine_map<(i) -> (i)>\n"
      "func.func @main(%%a: tensor<4x%s>, %%b: tensor<4x%s>) -> tensor<4x%s> "
      "{\n"
      "%%two = arith.constant 2 : i64\n%%d = arith.constant 0.1 : f64\n"
      "%%e = tensor.empty() : tensor<4x%s>\n"
      "%%0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = "
      "[\"parallel\"]} ins(%%a, %%b : tensor<4x%s>, tensor<4x%s>) outs(%%e : "
      "tensor<4x%s>) {\n^bb0(%%x: %s, %%y: %s, %%o: %s):\n%s\n"
      "linalg.yield %%r : %s\n} -> tensor<4x%s>\nreturn %%0 : "
      "tensor<4x%s>\n}\n",
      in, in, out, out, in, in, out, in, in, out, op, out, out, out);
  st_str_printf(&w, "%s generic[%s]<4> result",
                strncmp(want, "arg arg", 7) ? "arg" : "arg arg", want);
  expect(s.data, w.data);
  st_str_free(&s);
  st_str_free(&w);
}

static void test_scalars(void **state) {
  (void)state;
  static const char *const unary[][2] = {
      {"math.exp", "exp"},     {"math.log", "log"},
      {"math.sqrt", "sqrt"},   {"math.rsqrt", "rsqrt"},
      {"math.tanh", "tanh"},   {"math.erf", "erf"},
      {"math.sin", "sin"},     {"math.cos", "cos"},
      {"math.floor", "floor"}, {"math.ceil", "ceil"},
      {"math.absf", "absf"},   {"math.roundeven", "roundeven"},
      {"math.trunc", "trunc"}, {"arith.negf", "negf"}};
  for (size_t i = 0; i < sizeof unary / sizeof *unary; i++) {
    char op[64], want[32];
    snprintf(op, sizeof op, "%%r = %s %%x : f32", unary[i][0]);
    snprintf(want, sizeof want, "arg %s", unary[i][1]);
    expect_scalar("f32", "f32", op, want);
  }
  static const char *const binary[][3] = {
      {"f32", "arith.addf", "addf"},         {"f32", "arith.subf", "subf"},
      {"f32", "arith.mulf", "mulf"},         {"f32", "arith.divf", "divf"},
      {"f32", "arith.maximumf", "maximumf"}, {"f32", "math.powf", "powf"},
      {"i64", "arith.divsi", "divsi"},       {"i64", "arith.remsi", "remsi"},
      {"i32", "arith.addi", "addi"},         {"i32", "arith.xori", "xori"}};
  for (size_t i = 0; i < sizeof binary / sizeof *binary; i++) {
    char op[64], want[32];
    snprintf(op, sizeof op, "%%r = %s %%x, %%y : %s", binary[i][1],
             binary[i][0]);
    snprintf(want, sizeof want, "arg arg %s", binary[i][2]);
    expect_scalar(binary[i][0], binary[i][0], op, want);
  }
}

static void test_conversions(void **state) {
  (void)state;
  expect_scalar("f32", "i1", "%r = arith.cmpf olt, %x, %y : f32",
                "arg arg cmpf");
  expect_scalar("i64", "f32", "%r = arith.sitofp %x : i64 to f32",
                "arg sitofp");
  expect_scalar("i32", "i64",
                "%i = arith.index_cast %x : i32 to index\n"
                "%r = arith.index_cast %i : index to i64",
                "arg extsi");
  expect_scalar("i1", "f32", "%r = arith.uitofp %x : i1 to f32", "arg uitofp");
  expect_scalar("f32", "bf16", "%r = arith.truncf %x : f32 to bf16",
                "arg truncf");
  expect_scalar("f32", "f32",
                "%c = arith.truncf %d : f64 to f32\n"
                "%r = arith.addf %x, %c : f32",
                "arg const addf");
  expect_scalar("f32", "f32", "%r = math.fpowi %x, %two : f32, i64",
                "arg mulf");
  expect_scalar("i64", "i64",
                "%i = linalg.index 0 : index\n"
                "%j = arith.index_cast %i : index to i64\n"
                "%k = arith.muli %j, %two : i64\n"
                "%r = arith.addi %k, %x : i64",
                "arg index addi");
  expect_scalar("f32", "f32",
                "%i = linalg.index 0 : index\n"
                "%v = tensor.extract %b[%i] : tensor<4xf32>\n"
                "%r = arith.addf %x, %v : f32",
                "arg arg addf");
}

/* ---- refusals ----------------------------------------------------------- */

#define FN(args, ret, body)                                                    \
  "func.func @main(" args ") -> " ret " {\n" body "}\n"
#define ID1 "affine_map<(i) -> (i)>"

static const struct {
  const char *text, *want;
} refused[] = {
    {"", "source must contain a single top-level operation"},
    {"module {\n}\n",
     "no function named main with a body (there are 0 others)"},
    {"module {\nfunc.func @a() { return }\nfunc.func @b() { return }\n}",
     "no function named main with a body (there are 2 others)"},
    {FN("%a: tensor<?xf32>", "tensor<?xf32>", "return %a : tensor<?xf32>\n"),
     "only a package (model.json) can say what its `?` extents are"},
    {FN("%a: memref<4xf32>", "tensor<4xf32>",
        "%0 = arith.constant dense<0.0> : tensor<4xf32>\n"
        "return %0 : tensor<4xf32>\n"),
     "argument 0 has the type memref<4xf32>"},
    {FN("%a: tensor<4xf64>", "tensor<4xf64>", "return %a : tensor<4xf64>\n"),
     "arg0 has the type tensor<4xf64>"},
    {FN("%a: tensor<4xf32>", "tensor<4xf32>",
        "%0 = tm_tensor.scatter {x} ins(%a) outs(%a) -> tensor<4xf32>\n"
        "%1 = \"foo.bar\"(%0) : (tensor<4xf32>) -> tensor<4xf32>\n"
        "return %1 : tensor<4xf32>\n"),
     "tm_tensor.scatter is not supported"},
    {FN("%a: tensor<4xf32>", "tensor<4xf32>",
        "%0 = \"foo.one\"(%a) : (tensor<4xf32>) -> tensor<4xf32>\n"
        "%1 = \"foo.two\"(%0) : (tensor<4xf32>) -> tensor<4xf32>\n"
        "return %1 : tensor<4xf32>\n"),
     "foo.two is not supported"},
    {FN("%a: tensor<4xf32>, %n: index", "tensor<4xf32>",
        "%c0 = arith.constant 0 : index\n%c1 = arith.constant 1 : index\n"
        "%0 = scf.for %i = %c0 to %n step %c1 iter_args(%x = %a) -> "
        "(tensor<4xf32>) {\n%y = math.exp %x : tensor<4xf32>\n"
        "scf.yield %y : tensor<4xf32>\n}\nreturn %0 : tensor<4xf32>\n"),
     "scf.for is not supported"},
    {FN("%a: tensor<4xf32>", "tensor<i64>",
        "%c = arith.constant dense<0> : tensor<i64>\n"
        "%m = arith.constant dense<0.0> : tensor<f32>\n"
        "%0:2 = linalg.generic {indexing_maps = [" ID1 ", affine_map<(i) -> "
        "()>, affine_map<(i) -> ()>], iterator_types = [\"reduction\"]} "
        "ins(%a : tensor<4xf32>) outs(%m, %c : tensor<f32>, tensor<i64>) {\n"
        "^bb0(%x: f32, %o: f32, %p: i64):\n%i = linalg.index 0 : index\n"
        "%j = arith.index_cast %i : index to i64\n"
        "%g = arith.cmpf ogt, %x, %o : f32\n"
        "%v = arith.maximumf %x, %o : f32\n"
        "%k = arith.select %g, %j, %p : i64\n"
        "linalg.yield %v, %k : f32, i64\n} -> (tensor<f32>, tensor<i64>)\n"
        "return %0#1 : tensor<i64>\n"),
     "a reduction that is not combine(acc, f(inputs))"},
    {FN("%a: tensor<1x1x8x8xf32>, %k: tensor<1x1x3x3xf32>",
        "tensor<1x1x3x3xf32>",
        "%e = arith.constant dense<0.0> : tensor<1x1x3x3xf32>\n"
        "%0 = linalg.conv_2d_nchw_fchw {strides = dense<2> : tensor<2xi64>} "
        "ins(%a, %k : tensor<1x1x8x8xf32>, tensor<1x1x3x3xf32>) outs(%e : "
        "tensor<1x1x3x3xf32>) -> tensor<1x1x3x3xf32>\n"
        "return %0 : tensor<1x1x3x3xf32>\n"),
     "linalg.conv_2d_nchw_fchw is not supported: an indexing map that adds or "
     "scales loops"},
    {FN("%a: tensor<8xf32>", "tensor<4xf32>",
        "%e = tensor.empty() : tensor<4xf32>\n"
        "%0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i floordiv "
        "2)>, " ID1 "], iterator_types = [\"parallel\"]} ins(%a : "
        "tensor<8xf32>) outs(%e : tensor<4xf32>) {\n^bb0(%x: f32, %o: f32):\n"
        "%r = math.exp %x : f32\nlinalg.yield %r : f32\n} -> tensor<4xf32>\n"
        "return %0 : tensor<4xf32>\n"),
     "mod, floordiv or ceildiv in an indexing map"},
    {FN("%a: tensor<4xf32>", "tensor<6xf32>",
        "%e = tensor.empty() : tensor<6xf32>\n"
        "%0 = tensor.insert_slice %a into %e[1] [4] [1] : tensor<4xf32> into "
        "tensor<6xf32>\nreturn %0 : tensor<6xf32>\n"),
     "elements that nothing defines"},
    {FN("%a: tensor<4xf32>", "tensor<4xf32>",
        "%f = arith.constant false\ncf.assert %f, \"no\"\n"
        "return %a : tensor<4xf32>\n"),
     "this assertion always fails"},
    {FN("%a: tensor<4xcomplex<f32>>", "tensor<4xcomplex<f32>>",
        "return %a : tensor<4xcomplex<f32>>\n"),
     "arg0 has the type tensor<4xcomplex<f32>>"},
    {FN("%a: tensor<4xf32>", "tensor<4xf32>",
        "%0 = math.atan %a : tensor<4xf32>\nreturn %0 : tensor<4xf32>\n"),
     "math.atan is not supported"},
    {FN("%a: tensor<2xi64>, %n: i64", "tensor<2xi64>",
        "%e = tensor.empty() : tensor<2xi64>\n"
        "%0 = linalg.generic {indexing_maps = [" ID1 ", " ID1 "], "
        "iterator_types = [\"parallel\"]} ins(%a : tensor<2xi64>) outs(%e : "
        "tensor<2xi64>) {\n^bb0(%x: i64, %o: i64):\n"
        "%r = arith.shli %x, %n : i64\nlinalg.yield %r : i64\n} -> "
        "tensor<2xi64>\nreturn %0 : tensor<2xi64>\n"),
     "a shift by a variable amount"},
    {FN("", "tensor<2xf32>",
        "%0 = arith.constant dense_resource<gone> : tensor<2xf32>\n"
        "return %0 : tensor<2xf32>\n"),
     "resource gone is missing or damaged"},
    {FN("%a: tensor<4x4xf32>", "tensor<4x4xf32>",
        "%0 = linalg.matmul indexing_maps = [#a, #b, #c] ins(%a, %a : "
        "tensor<4x4xf32>, tensor<4x4xf32>) outs(%a : tensor<4x4xf32>) -> "
        "tensor<4x4xf32>\nreturn %0 : tensor<4x4xf32>\n"),
     "cannot read a named matmul with its own indexing maps"},
    {FN("%a: tensor<4xf32>", "i64",
        "%c = arith.constant 1 : i64\nreturn %c : i64\n"),
     "result 0 is not a tensor"},
};

static void test_refusals(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    StDiag *diag = st_diag_new(NULL);
    StModule *m = import_text(refused[i].text, NULL, diag);
    if (m || !strstr(st_diag_text(diag), refused[i].want))
      fail_msg("case %zu: want \"%s\", got \"%s\"", i, refused[i].want,
               st_diag_text(diag));
    assert_true(st_diag_errors(diag) > 0);
    st_diag_free(diag);
  }
}

static void expect_signature_error(const Block *b, const char *want) {
  StDiag *diag = st_diag_new(NULL);
  assert_null(st_import_linalg(&b->sig, "test/import/block.mlir", diag));
  if (!strstr(st_diag_text(diag), want))
    fail_msg("want \"%s\", got \"%s\"", want, st_diag_text(diag));
  st_diag_free(diag);
}

/* A model.json that does not belong to the text. */
static void test_signatures(void **state) {
  (void)state;
  Block b;
  block_signature(&b);
  b.sig.nargs = 5;
  expect_signature_error(&b, "the function has 6 arguments and 2 results, "
                             "model.json has 5 and 2");
  block_signature(&b);
  b.sig.entry = "step";
  expect_signature_error(&b, "no function named step with a body");
  block_signature(&b);
  b.sig.entry = "main";
  b.port[0].dtype = ST_F16;
  expect_signature_error(&b, "argument `port` is f16 in model.json, but f32");
  block_signature(&b);
  b.shape[1][0] = sym_t;
  expect_signature_error(&b, "argument `port` is [T] in model.json, but "
                             "tensor<8xf32> in the text");
  block_signature(&b);
  b.shape[7][2] = sym_p;
  expect_signature_error(&b, "result `port` is [1 x 2 x P x 4] in model.json, "
                             "but [1 x 2 x T x 4] here");
  block_signature(&b);
  b.port[4].role = ST_ROLE_INPUT; /* then the mask depends on data: fine */
  StDiag *diag = st_diag_new(stderr);
  StModule *m = st_import_linalg(&b.sig, "test/import/block.mlir", diag);
  assert_non_null(m);
  st_module_free(m);
  st_diag_free(diag);
  StDiag *quiet = st_diag_new(NULL);
  assert_null(st_import_linalg(NULL, "test/import/absent.mlir", quiet));
  assert_int_equal(st_diag_errors(quiet), 1);
  st_diag_free(quiet);
}

/* ---- locations and coverage --------------------------------------------- */

static void test_locations(void **state) {
  (void)state;
  StDiag *diag = st_diag_new(stderr);
  StModule *m = st_import_linalg(NULL, "test/import/locations.mlir", diag);
  assert_non_null(m);
  const StOp *op = m->op.at[1];
  assert_string_equal(op->loc.file, "model/block.py");
  assert_int_equal(op->loc.line, 12);
  st_module_free(m);
  st_diag_free(diag);
}

static const StCoverageRow *find_row(const StCoverage *c, const char *op) {
  for (int i = 0; i < c->row.n; i++)
    if (!strcmp(c->row.at[i].op, op))
      return &c->row.at[i];
  fail_msg("no row for %s", op);
  return NULL;
}

static void test_coverage(void **state) {
  (void)state;
  StArena *a = st_arena_new();
  StDiag *diag = st_diag_new(stderr);
  StCoverage *c = st_coverage(a, NULL, "test/import/unsupported.mlir", diag);
  assert_non_null(c);
  assert_int_equal(c->unsupported, 2);
  const StCoverageRow *scatter = find_row(c, "tm_tensor.scatter");
  assert_non_null(scatter->reason);
  assert_int_equal(scatter->count, 2);
  assert_int_equal(scatter->nplaces, 2);
  assert_string_equal(scatter->place[0].file, "model/cache.py");
  assert_int_equal(scatter->place[0].line, 40);
  assert_non_null(find_row(c, "scf.for")->reason);
  assert_null(find_row(c, "math.exp")->reason);
  assert_non_null(c->row.at[0].reason);
  StStr s;
  st_str_init(&s);
  st_coverage_print(&s, c);
  assert_non_null(strstr(s.data, "at model/cache.py:40"));
  s.len = 0;
  st_coverage_json(&s, c);
  json_t *j = json_loads(s.data, 0, NULL);
  assert_non_null(j);
  assert_true(json_is_false(json_object_get(j, "supported")));
  assert_int_equal(json_array_size(json_object_get(j, "ops")), c->row.n);
  json_decref(j);
  st_str_free(&s);
  st_diag_free(diag);
  st_arena_free(a);
}

static void test_coverage_of_a_step(void **state) {
  (void)state;
  Block b;
  block_signature(&b);
  StArena *a = st_arena_new();
  StDiag *diag = st_diag_new(stderr);
  StCoverage *c = st_coverage(a, &b.sig, "test/import/block.mlir", diag);
  assert_non_null(c);
  assert_int_equal(c->unsupported, 0);
  assert_int_equal(find_row(c, "linalg.generic")->count, 6);
  assert_int_equal(find_row(c, "linalg.batch_matmul")->count, 2);
  assert_int_equal(find_row(c, "arith.mulf")->count, 3);
  st_diag_free(diag);
  st_arena_free(a);
}

/* ---- damage ------------------------------------------------------------- */

static void try_damaged(const char *text, size_t n, const StSignature *sig) {
  char path[64];
  write_temp(path, text, n);
  StDiag *diag = st_diag_new(NULL);
  StModule *m = st_import_linalg(sig, path, diag);
  unlink(path);
  if (!m)
    assert_true(st_diag_errors(diag) > 0);
  else
    check_round_trip(m);
  st_module_free(m);
  st_diag_free(diag);
}

static void test_damage(void **state) {
  (void)state;
  Block b;
  block_signature(&b);
  StArena *a = st_arena_new();
  StDiag *diag = st_diag_new(stderr);
  size_t n = 0;
  char *text = st_file_read(a, "test/import/block.mlir", &n, diag);
  assert_non_null(text);
  uint32_t seed = 1;
  for (int i = 0; i < 150; i++) {
    char *copy = st_arena_copy(a, text, n);
    seed = seed * 1664525u + 1013904223u;
    copy[seed % n] ^= (char)(1 << (seed >> 29));
    try_damaged(copy, n, &b.sig);
  }
  for (size_t at = 0; at < n; at += n / 50)
    try_damaged(text, at, &b.sig);
  /* MLIR 19's parser crashes here. */
  char *p = strstr(text, "permutation = [1, 0]");
  assert_non_null(p);
  try_damaged(text, (size_t)(p - text) + 17, &b.sig);
  st_diag_free(diag);
  st_arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_block),
      cmocka_unit_test(test_initial_values),
      cmocka_unit_test(test_reductions),
      cmocka_unit_test(test_matmul_maps),
      cmocka_unit_test(test_views),
      cmocka_unit_test(test_slices),
      cmocka_unit_test(test_constants),
      cmocka_unit_test(test_resources),
      cmocka_unit_test(test_scalars),
      cmocka_unit_test(test_conversions),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_signatures),
      cmocka_unit_test(test_locations),
      cmocka_unit_test(test_coverage),
      cmocka_unit_test(test_coverage_of_a_step),
      cmocka_unit_test(test_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
