/* The verifier: valid modules pass, and every invariant has a damage that it
 * finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"
#include "ir_text.h"

typedef struct {
  const char *from, *to; /* the first `from` of the text becomes `to` */
  const char *message;   /* part of what the verifier says */
} Damage;

static const Damage tensor_damages[] = {
    {"ctx 16 chunk 4", "ctx 3 chunk 4", "ctx 3 and chunk 4"},
    {"ctx 16 chunk 4", "ctx 0 chunk 0", "port 'x' is not well formed"},
    {"repeat 2", "repeat 0", "block 0 runs 0 times"},
    {"cache 2 axis 0 \"rows\"", "cache -1 axis 0 \"rows\"",
     "rows 'rows' extend no cache"},
    {"cache 2 axis 0 \"rows\"", "cache 3 axis 0 \"rows\"",
     "port 'rows' is not well formed"},
    {"f32 [3, 4] cache", "f32 [-3, 4] cache", "port 'w' is not well formed"},
    {"f32 [3, 4] cache", "f32 [1099511627776, 1099511627776] cache",
     "port 'w' is not well formed"},
    /* ids, operands, scopes */
    {"#14", "#13", "the op has no id of its own"},
    {"#14", "#20", "the op has no id of its own"},
    {"view #6 (%5)", "view #6 (%5, %5)", "2 operands and 1 results"},
    {"view #6 (%5)", "view #6 (%7)", "operand 0 (%7) is used before"},
    {"scope 1 of", "scope 2 of", "scope 2"},
    {"carry #9 (%0, %10)", "carry #9 (%0, %3)",
     "what is carried is not made in its block"},
    {"carry #9 (%0, %10)", "carry #9 (%3, %10)",
     "operand 0 is of another type"},
    {"name \"mm\"", "ii -1 latency 0", "ii, latency, group or die is negative"},
    {"tensor<f32 [T, 2, 2]>", "tensor<f32 [T, 2, 2]> depth 1",
     "result 0 has depth 1"},
    /* types */
    {"[T, 2, 2]", "[T-2, 2, 2]", "the extent of dim 0 of result 0"},
    {"[T, 2, 2]", "[1099511627776, 2, 1099511627776]",
     "result 0 has more than 2^60 elements"},
    {"[0] : tensor<f32 [T, 4]>", "[0] : tensor<f32 [T, 5]>",
     "port 'x' is declared otherwise"},
    {"[0] : tensor<f32 [T, 4]>", "[0] : tensor<f16 [T, 4]>",
     "port 'x' is declared otherwise"},
    {"[0] : tensor", "[3] : tensor", "position 3 of 3"},
    {"[0] : tensor", "[] : tensor", "0 positions in the step function"},
    {"result #12 (%3) [0]", "result #12 (%3) [1]",
     "port 'rows' is declared otherwise"},
    {"result #12 (%3) [0]", "result #12 (%3) [-1]", "position -1 of 3"},
    /* ops on tensors */
    {"[T, 2, 2]", "[T, 2, 3]", "the result has other elements"},
    {"offset [P, 0]", "offset [P+1, 0]",
     "the slice leaves its tensor at dim 0"},
    {"stride [1, 1] : tensor<f32 [T, 4]>", "stride [1, 2] : tensor<f32 [T, 4]>",
     "the slice leaves its tensor at dim 1"},
    {"stride [1, 1] : tensor<f32 [T, 4]>",
     "stride [1, -1] : tensor<f32 [T, 4]>",
     "the slice leaves its tensor at dim 1"},
    {"stride [1, 1] : tensor<f32 [T, 4]>", "stride [1, 1] : tensor<f16 [T, 4]>",
     "the result is of another type or rank"},
    {"axis 1", "axis 3", "axis 3 of 2 parts"},
    {"axis 1", "axis 0", "the parts do not make up the result"},
    {"axis 1 : tensor<f32 [T, 4, 2]>", "axis 1 : tensor<f32 [T, 5, 2]>",
     "the parts do not make up the result"},
    {"of 2 splat", "of 3 splat", "3 tensors"},
    {"of 2 splat", "of 2", "the data has 8 bytes where the type needs 32"},
    {"of 1 hex \"", "of 1 hex \"00",
     "the data has 17 bytes where the type needs 16"},
    /* bodies */
    {"mulf f32 0 1", "mulf f32 0 2", "expression 2 (mulf) uses an expression"},
    {"mulf f32 0 1", "mulf f64 0 1", "has another type than its arguments"},
    {"mulf f32 0 1", "muli f32 0 1", "(muli) is not for its type"},
    {"arg f32 1\n      mulf", "arg f32 2\n      mulf",
     "reads an operand that the op does not have"},
    {"arg f32 1\n      mulf", "arg f16 1\n      mulf",
     "has another type than the operand that it reads"},
    {"index i64 P\n", "index i32 P\n", "must be an i64"},
    {"cmpi i1 slt 2 3", "cmpi i1 olt 2 3", "(cmpi) is not for its type"},
    {"cmpi i1 slt 2 3", "cmpf i1 olt 2 3", "(cmpf) is not for its type"},
    {"cmpi i1 slt 2 3", "cmpi i8 slt 2 3", "compares two types"},
    {"select f32 4 0 1", "select f32 3 0 1", "does not choose by an i1"},
    {"extract f32 2 [2, 3]", "extract f32 2 [2]",
     "has not one index for each dim"},
    {"extract f32 2 [2, 3]", "extract f32 2 [2, 1]",
     "has an index that is no earlier i64"},
    {"extract f32 2 [2, 3]", "extract f32 2 [2, 7]",
     "has an index that is no earlier i64"},
    {"extract f32 2 [2, 3]", "extract f32 1 [3]",
     "reads a table as an element"},
    {"fptosi i32 7", "fptosi f32 7", "converts between types"},
    {"sitofp f32 8", "sitofp i8 8", "converts between types"},
    {"sitofp f32 8", "extf f32 8", "converts between types"},
    {"fptosi i32 7", "truncf f64 7", "converts between types"},
    {"fptosi i32 7", "extsi i32 7", "converts between types"},
    /* maps, guards, results */
    {"index i64 d1", "index i64 d2", "a map or index is no sum"},
    {"in [d1, d2]", "in [d1, d3]", "a map or index is no sum"},
    {"in [d1, d2]", "in [d1+1, d2]", "operand 1 leaves its tensor at dim 0"},
    {"in [d1, d2]", "in [d1, -1*d2]", "operand 1 leaves its tensor at dim 1"},
    {"in [d1, d2]", "in [281474976710656*d1, d2]", "operand 1 leaves its"},
    {"[d0-P, d1] guard d0 P P+T", "[d0-P, d1]", "operand 1 leaves its tensor"},
    {"guard d0 0 P\n", "guard d2 0 P\n", "a guard on dim 2, which does not"},
    {"guard d0 0 P\n", "guard d0 0 0\n", "the guard on dim 0 is empty"},
    {"guard d0 0 P\n", "guard d0 0 P+2*T\n", "the guard on dim 0 is empty or"},
    {"guard d0 0 P\n", "guard d0 P T\n", "the guard on dim 0 is empty or"},
    {"in table", "in table guard d0 0 1",
     "operand 2 is a table and has a guard"},
    {"out 2 addf [d0, d1]", "out 3 addf [d0, d1]",
     "result 0 is not of the type"},
    {"out 2 addf [d0, d1]", "out 2 subf [d0, d1]", "result 0 is combined by"},
    {"out 2 addf [d0, d1]", "out 2 addi [d0, d1]", "result 0 is combined by"},
    {"out 5 arg [d0", "out 5 addf [d0", "result 0 is combined by 'addf'"},
    {"out 2 addf [d0, d1]", "out 2 addf [d0, d2]",
     "result 0 leaves its tensor"},
    {"out 2 addf [d0, d1]", "out 2 addf [d0, 0]",
     "result 0 is written again for each of dim 1"},
    {"out 2 addf [d0, d1]", "out 2 addf [d0, d1] guard d2 0 1",
     "result 0 is guarded on a reduction dim"},
    {"dim par 3", "dim red 3", "result 0 uses dim 1, which is a reduction"},
    {"view #6 (%5)",
     "load #6 (%5) gather -1 level 0 layer -1 stride [4, 2, 1] channel -1",
     "what is loaded is not in memory"},
    {"dim red 4", "dim red T-3", "dim 2 is not well formed"},
    {"view #6", "fork #6", "it is of the stream level, others are not"},
};

static const Damage stream_damages[] = {
    {"store #9 (%8)", "store #9 (%9)", "stream 0 has 0 users instead of one"},
    {"depth 2, itensor", ", itensor",
     "a stream has no depth while others have"},
    {"tensor<f32 [6, 8]>", "tensor<f32 [6, 8]> die 1", "result 0 has die 1"},
    {"kernel #7 (%5, %6)", "kernel #7 (%5, %0)", "operand 1 is a tensor"},
    {"(%5, %6) name \"add\"", "(%5, %6) name \"add\" scope 1", "scope 1"},
    {"load #4 (%2)", "load #4 (%2, %2, %2)", "3 operands and 1 results"},
    {"itensor<i64 [T] by [1], [T]*[1], (d0)->(d0)> depth 2", "tensor<i64 [T]>",
     "result 0 is a tensor"},
    {"tensor<f32 [6, 8]>",
     "itensor<f32 [6, 8] by [1, 1], [6, 8]*[1, 1], (d0, d1)->(d0, d1)>",
     "result 0 is a stream"},
    /* orders */
    {"by [1, 2]", "by [1, 0]", "result 0 has a token of extent 0 at dim 1"},
    {"by [1, 2]", "by [1, 65537]", "result 0 has a token of extent 65537"},
    {"[T, 4]*[1, 2]", "[T, 0]*[1, 2]", "result 0 has a loop whose trip"},
    {"[T, 4]*[1, 2]", "[T-2, 4]*[1, 2]", "result 0 has a loop whose trip"},
    {"[T, 4]*[1, 2]", "[T, 4]*[1, 0]", "result 0 has a loop of step 0"},
    {"[T, 4]*[1, 2]", "[T, 4]*[1, -2]", "result 0 has a loop of step -2"},
    {"[3, 4, 2]*[2, 2, 1]", "[281474976710656, 4, 281474976710656]*[2, 2, 1]",
     "result 0 is longer than 2^60 elements"},
    {"[T, 4]*[1, 2]", "[T, 5]*[1, 2]", "result 0 leaves its tensor at dim 1"},
    {"(d0, d1)->(d0, d1)", "(d0, d1)->(d0-1, d1)",
     "result 0 leaves its tensor at dim 0"},
    /* schedules */
    {"loop d1 4 2", "loop d2 4 2", "loop 1 is not well formed"},
    {"loop d1 4 2", "loop d1 0 2", "loop 1 is not well formed"},
    {"loop d1 4 2", "loop d1 4 0", "loop 1 is not well formed"},
    {"loop d1 4 2", "loop d1 281474976710656 2\n loop d1 281474976710656 2",
     "it has more than 2^60 beats"},
    {"loop d1 4 2", "loop d1 4 1", "the loops of dim 1 do not nest"},
    {"loop d1 3 2", "loop d1 4 2", "loops and lanes do not cover dim 1"},
    {"loop d0 T 1", "loop d0 T 1\n loop d0 P 1", "the loops of dim 0 do not"},
    {"lane d1 2", "lane d1 -1", "lane entry 0 is not well formed"},
    {"lane d1 2", "lane d1 65537", "lane entry 0 is not well formed"},
    {"lane d1 2", "lane d1 1 lane d1 2", "dim 1 has 2 lane entries"},
    {"lane d1 2", "lane d1 2\n ways 2", "it has 2 ways"},
    {"ways 3", "ways -1", "it has -1 ways"},
    {"ways 3", "ways 16385", "it has 16385 ways"},
    /* ports of kernels */
    {"in [d0, d1]\n    in [d0, d1]", "in table\n    in [d0, d1]",
     "reads a table as an element"},
    {"in [d0, d1]\n    in [d0, d1]\n    body\n      arg f32 0\n",
     "in table\n    in [d0, d1]\n    body\n      arg f32 1\n",
     "operand 0 is a table"},
    {"    in [d0, d1]\n", "    in [d0, d0]\n",
     "the map of operand 0 at data dim 1"},
    {"    in [d0, d1]\n", "    in [d0, 2*d1-7]\n",
     "operand 0 leaves its tensor"},
    {"    in [d0, d1]\n", "    in [d0, -1*d1+7]\n",
     "the map of operand 0 at data dim 1"},
    {"    in [d0, d1]\n", "    in [d0, d1] guard d1 0 8\n",
     "the guard of operand 0 is on dim 1, which is split"},
    {"loop d0 T 1\n    loop d1 4 2", "loop d1 4 2\n    loop d0 T 1",
     "operand 0 is itensor<f32 [T, 8] by [1, 2], [T, 4]*[1, 2], (d0, d1)->(d0, "
     "d1)> where the schedule makes it itensor<f32 [T, 8] by [1, 2], [4, "
     "T]*[2, "
     "1], (d0, d1)->(d1, d0)>"},
    {"[3, 2, T]*[2, 1, 1]", "[2, 3, T]*[1, 2, 1]",
     "result 0 is itensor<f32 [T, 6] by [1, 1], [2, 3, T]"},
    /* converters */
    {"banks 1", "banks 3", "the converter has 3 banks"},
    {"shared 0", "shared 3", "3 shared loops"},
    {"shared 0", "shared 1", "shared loop 0 of fill and drain differs"},
    {"window 32 [4, 8]", "window 31 [4, 8]", "the window of 31 elements"},
    {"window 32 [4, 8]", "window 32 [8, 4]",
     "extent 8 of data dim 0 should be 4"},
    {"fill [1, 2], [T, 4]*[1, 2], (d0, d1)->(d0, d1)",
     "fill [1, 2], [T, 2, 4]*[1, 0, 2], (d0, d1, d2)->(d0, d2)",
     "fill visits an element twice"},
    {"fill [1, 2], [T, 4]*[1, 2], (d0, d1)->(d0, d1)",
     "fill [1, 2], [T, 2, 3]*[1, 4, 2], (d0, d1, d2)->(d0, d1+d2)",
     "fill leaves its tensor"},
    {"fill [1, 2], [T, 4]*[1, 2], (d0, d1)->(d0, d1)",
     "fill [1, 2], [T, 3]*[1, 2], (d0, d1)->(d0, d1)",
     "drain reads what fill does not write in its window, in data dim 1"},
    {"fill [1, 2], [T, 4]*[1, 2], (d0, d1)->(d0, d1)",
     "fill [1, 2], [4, T]*[2, 1], (d0, d1)->(d1, d0)",
     "fill is another order than that of the input"},
    {"drain [1, 2], [3, 4", "drain [1, 2], [2, 4",
     "drain is another order than that of the output"},
    {"banks 1 window", "banks 1 flow window", "drain flows after fill, but"},
    {"tensor<f32 [T, 8] by [1, 2], [3", "tensor<f16 [T, 8] by [1, 2], [3",
     "input and output are not of one tensor"},
    /* forks, memory */
    {"%8, %9 = fork #8 (%7) : itensor<f32 [T, 8] by [1, 2], [T, 4]*[1, 2]",
     "%8, %9 = fork #8 (%7) : itensor<f32 [T, 8] by [1, 1], [T, 8]*[1, 1]",
     "copy 0 has another type than its stream"},
    {"store #9 (%8)", "fork #9 (%8) store #19 (%8)", "a fork without copies"},
    {"load #6 (%0)", "load #6 (%5)", "operand 0 is a stream"},
    {"gather 0 level 1", "gather 2 level 1", "it gathers along dim 2 with 2"},
    {"gather 0 level 1", "gather -1 level 1", "it gathers along dim -1 with 2"},
    {"gather 0 level 1", "gather 0 level 0", "loop 0 over the gathered dim is"},
    {"gather 0 level 1", "gather 0 level 2", "the indices arrive in another"},
    {"gather 0 level 1", "gather 0 level 3", "index level 3 is out of range"},
    {"gather 0 level 1", "gather 1 level 1", "a token gathers 2 positions"},
    {"layer -1 stride [8, 1] channel 1", "layer 0 stride [0, 1] channel 1",
     "data dim 0 selects one of 1 tensors"},
    {"layer -1 stride [8, 1] channel 3", "layer -1 stride [9, 1] channel 3",
     "addresses reach element 52 of a tensor of 48"},
    {"layer -1 stride [8, 1] channel 3", "layer -1 stride [8, -1] channel 3",
     "stride -1 of data dim 1 is out of range"},
    {"channel 1 ", "channel -1 ", NULL},
    {"e\"\n", "e\"\n  argument param f16 [6, 8] cache -1 axis -1 \"h\"\n",
     NULL},
    {"[1, 2], [T, 4]*[1, 2], (d0, d1)->(d0, d1)>",
     "[1, 2], [T, 4]*[1, 2], [0, 1], [0, 0]>", NULL},
    {"return cache-rows f32 [T, 6]", "return cache-rows f16 [T, 6]",
     "result 'y' is of another type"},
    {"return output f32 [T, 8]", "return output f32 [T, 9]",
     "the stream has another number of elements than result 'z'"},
    {"stride [6, 1]", "stride [40, 1]",
     "addresses reach element 125 of a tensor of 96"},
    {"store #9 (%8) [1]", "store #9 (%8) [2]", "position 2 of 2"},
    {"%4 = load #4 (%2)", "%4 = load #4 (%0)", "the types of tensor, index"},
};

static const Damage repeat_damages[] = {
    {"guard d0 1 2\n    body", "guard d0 1 3\n    body",
     "the guard on dim 0 is"},
    {"[d0-1, d1] guard d0 1 2", "[0, d1]", "operand 1 (%6) is used before"},
    {"[d1] guard d0 1 2", "[d1]",
     "result 0 is written again for each of dim 0"},
    {"[d1] guard d0 1 2", "[d1] guard d0 0 2",
     "result 0 is written again for each of dim 0"},
    {"dim iter 2\n    dim par 4\n    in [d0, d1]",
     "dim par 2\n    dim iter 4\n    in [d0, d1]",
     "the iteration of a repeat is not outermost"},
    {"[1, 4] by [1, 1], [4]*[1], (d0)->(0, d0)",
     "[1, 4] by [1, 1], [1, 4]*[7, 1], (d0, d1)->(d0, d1)", NULL},
    {"[1, 4] by", "[P, 4] by", "the extent of dim 0 of result 0"},
};

/* Valid variants of converters. */
static const Damage variants[] = {
    /* flows: the drain's first pass is the fill */
    {"shared 0 banks 1 window 32 [4, 8] memory bram fill [1, 2], [T, 4]*[1, "
     "2], "
     "(d0, d1)->(d0, d1)",
     "shared 0 banks 1 flow window 32 [4, 8] fill [1, 2], [T, 2, 2]*[1, 4, 2], "
     "(d0, d1, d2)->(d0, d1+d2)",
     "drain flows after fill"},
    {"loop d0 T 1\n    loop d1 4 2", "loop d0 T 1\n    loop d1 2 4 loop d1 2 2",
     NULL},
};

static char *edit(StArena *a, const char *text, const Damage *d) {
  const char *at = strstr(text, d->from);
  if (!at)
    fail_msg("the text has no '%s'", d->from);
  return st_arena_printf(a, "%.*s%s%s", (int)(at - text), text, d->to,
                         at + strlen(d->from));
}

static void check(const char *text, const Damage *d) {
  StArena *a = st_arena_new();
  StDiag *diag = st_diag_new(NULL);
  const char *damaged = d ? edit(a, text, d) : text;
  StModule *m = st_module_parse("m.st", damaged, strlen(damaged), diag);
  if (!m)
    fail_msg("'%s': %s", d ? d->to : "", st_diag_text(diag));
  bool ok = st_module_verify(m, "the test", diag);
  const char *said = st_diag_text(diag);
  if (!d || !d->message) {
    if (!ok)
      fail_msg("'%s': %s", d ? d->to : "", said);
  } else if (ok || !strstr(said, d->message)) {
    fail_msg("'%s': expected '%s', got: %s", d->to, d->message, said);
  } else {
    assert_non_null(strstr(said, "after the test: "));
    assert_non_null(strstr(said, "note: ")); /* what to do */
  }
  st_module_free(m);
  st_diag_free(diag);
  st_arena_free(a);
}

#define ALL(text, table)                                                       \
  do {                                                                         \
    check(text, NULL);                                                         \
    for (size_t i = 0; i < sizeof(table) / sizeof *(table); i++)               \
      check(text, &(table)[i]);                                                \
  } while (0)

static void test_tensor(void **state) {
  (void)state;
  ALL(ir_text_tensor, tensor_damages);
}

static void test_stream(void **state) {
  (void)state;
  ALL(ir_text_stream, stream_damages);
  ALL(ir_text_stream, variants);
}

static void test_repeat(void **state) {
  (void)state;
  ALL(ir_text_repeat, repeat_damages);
}

/* ---- converters with shared loops ------------------------------------- */

#define CONVERTER(shape, fill, attributes, drain)                              \
  "module \"c\" ctx 0 chunk 0 ops 4 values 3 {\n"                              \
  "  argument input f32 " shape " cache -1 axis -1 \"x\"\n"                    \
  "  return output f32 " shape " cache -1 axis -1 \"y\"\n"                     \
  "  %0 = arg #0 () [0] : tensor<f32 " shape ">\n"                             \
  "  %1 = load #1 (%0) gather -1 level 0 layer -1 stride [8, 1] channel -1 : " \
  "itensor<f32 " shape " by " fill ">\n"                                       \
  "  %2 = converter #2 (%1) " attributes " fill " fill " drain " drain         \
  " : itensor<f32 " shape " by " drain ">\n"                                   \
  "  store #3 (%2) [0] layer -1 stride [8, 1] channel -1\n}\n"

static void test_windows(void **state) {
  (void)state;
  /* the published example: tiles of 4x2, each column of them twice */
  static const char published[] =
      CONVERTER("[8, 8]", "[4, 2], [4, 2]*[2, 4], (d0, d1)->(d1, d0)",
                "shared 1 banks 2 window 16 [8, 2]",
                "[4, 2], [4, 2, 2]*[2, 0, 4], (d0, d1, d2)->(d2, d0)");
  static const Damage damages[] = {
      {"window 16 [8, 2]", "flow window 16 [8, 2]", NULL},
      {"shared 1 banks 2 window 16 [8, 2]", "shared 0 banks 1 window 64 [8, 8]",
       NULL},
      {"shared 1", "shared 2", "shared loop 1 of fill and drain differs"},
      {"shared 1", "shared 0", "extent 2 of data dim 1 should be 8"},
  };
  ALL(published, damages);
  /* the shared loop is the finer one: windows with holes, all drained */
  static const char holes[] =
      CONVERTER("[8, 8]", "[1, 8], [4, 2]*[1, 4], (d0, d1)->(d0+d1, 0)",
                "shared 1 banks 2 window 40 [5, 8]",
                "[1, 8], [4, 3, 2]*[1, 0, 4], (d0, d1, d2)->(d0+d2, 0)");
  static const Damage other[] = {
      {"drain [1, 8], [4, 3, 2]*[1, 0, 4]", "drain [1, 8], [4, 3, 2]*[1, 0, 2]",
       "drain reads what fill does not write"},
  };
  ALL(holes, other);
}

/* ---- lists of a block, and layers ------------------------------------- */

static void test_layers(void **state) {
  (void)state;
  static const char text[] =
      "module \"l\" ctx 0 chunk 0 ops 3 values 2 {\n"
      "  argument param f32 [3, 4] cache -1 axis -1 \"a\"\n"
      "  argument param f32 [3, 4] cache -1 axis -1 \"b\"\n"
      "  return output f32 [3, 4] cache -1 axis -1 \"y\"\n"
      "  return output f32 [3, 4] cache -1 axis -1 \"z\"\n"
      "  %0 = arg #0 () [0, 1] : tensor<f32 [2, 3, 4]>\n"
      "  %1 = load #1 (%0) gather -1 level 0 layer 0 stride [0, 4, 1] channel 0"
      " : itensor<f32 [2, 3, 4] by [1, 1, 4], [2, 3]*[1, 1],"
      " (d0, d1)->(d0, d1, 0)>\n"
      "  store #2 (%1) [1, 0] layer 0 stride [0, 4, 1] channel 0\n}\n";
  static const Damage damages[] = {
      {"layer 0 stride [0, 4, 1]", "layer 0 stride [12, 4, 1]",
       "stride 12 of data dim 0 is out of range"},
      {"layer 0 stride [0, 4, 1]", "layer -1 stride [0, 4, 1]",
       "data dim -1 selects one of 2 tensors"},
      {"layer 0 stride [0, 4, 1]", "layer 1 stride [0, 0, 1]",
       "data dim 1 selects one of 2 tensors"},
      {"[1, 0] layer", "[1] layer",
       "the stream has another number of elements"},
      {"[0, 1] : tensor<f32 [2, 3, 4]>", "[0] : tensor<f32 [2, 3, 4]>",
       "port 'a' is declared otherwise"},
      {"channel 0 :", "channel -1 :", NULL},
      {"arg #0 () [0, 1]", "const #0 () of 2 splat hex \"0000000000000000\"",
       NULL},
      {"arg #0 () [0, 1]",
       "const #0 () of 3 splat hex \"000000000000000000000000\"",
       "addresses reach element 11 of a tensor of 8"},
  };
  ALL(text, damages);
}

/* ---- bundles ---------------------------------------------------------- */

static void test_bundles(void **state) {
  (void)state;
  static const char text[] =
      "module \"b\" ctx 8 chunk 2 ops 7 values 6 {\n"
      "  argument param f32 [3, 4] cache -1 axis -1 \"a\"\n"
      "  argument param f32 [3, 4] cache -1 axis -1 \"b\"\n"
      "  argument param f16 [6, 4] cache -1 axis -1 \"c\"\n"
      "  return output f32 [2, 3, 4] cache -1 axis -1 \"x\"\n"
      "  return output f16 [6, 4] cache -1 axis -1 \"y\"\n"
      "  %0 = arg #0 () [0, 1] : tensor<f32 [2, 3, 4]>\n"
      "  %1 = arg #1 () [2] : tensor<f16 [6, 4]>\n"
      "  %2, %3 = bundle #2 (%0, %1) channel 0 channels 4 {\n"
      "    part layer 0 stride [0, 4, 1] base 0 period 6 times 2 slots 3 frames 0 1"
      " each 3\n"
      "    part layer -1 stride [4, 1] base 12 period 12 times 1 slots 3 frames 1 4"
      " each 2\n"
      "  } : itensor<f32 [2, 3, 4] by [1, 1, 4], [2, 3]*[1, 1],"
      " (d0, d1)->(d0, d1, 0)>, itensor<f16 [6, 4] by [1, 4], [6]*[1],"
      " (d0)->(d0, 0)>\n"
      "  store #5 (%2) [0] layer -1 stride [12, 4, 1] channel 5\n"
      "  store #6 (%3) [1] layer -1 stride [4, 1] channel 5\n}\n";
  static const Damage damages[] = {
      {"channel 0 channels", "channel -1 channels", NULL},
      {"channels 4", "channels 0", "channel 0, 0 channels"},
      {"slots 3", "slots 0", "the program of part 0 is not well formed"},
      {"slots 3", "slots 4", "the program of part 0 is not well formed"},
      {"(%0, %1)", "(%0)", "1 operands and 2 results"},
      {"base 0", "base 3", "the program of part 0 is not well formed"},
      {"period 6", "period 0", "the program of part 0 is not well formed"},
      {"times 2", "times 0", "the program of part 0 is not well formed"},
      {"period 6 times 2", "period 281474976710655 times 281474976710655",
       "the program of part 0 is not well formed"},
      {"each 3", "each 4", "the program of part 0 is not well formed"},
      {"each 3", "each 2", "part 0 pushes 4 tokens"},
      {"frames 1 4", "frames 1 5", "the program of part 1 is not well formed"},
      {"frames 1 4", "frames 1 1", "the program of part 1 is not well formed"},
      {"slots 3 frames 1 4", "slots 3 frames 0 3", NULL},
      {"slots 3 frames 1 4", "slots 2 frames 0 3", NULL},
      {"base 12 period 12 times 1 slots 3 frames 1 4",
       "base 0 period 6 times 2 slots 2 frames 2 3", "pushes 4 tokens"},
      {"base 12 period 12 times 1 slots 3 frames 1 4 each 2",
       "base 0 period 6 times 2 slots 2 frames 0 3 each 1",
       "parts 0 and 1 overlap"},
      {"base 12 period 12", "base 6 period 12", "parts 0 and 1 overlap"},
      {"[6]*[1]", "[T]*[1]", "part 1 pushes 6 tokens, its order has others"},
      {"stride [4, 1] base", "stride [5, 1] base", "addresses reach element"},
      {"layer 0 stride [0, 4", "layer -1 stride [0, 4",
       "data dim -1 selects one of 2 tensors"},
      {"itensor<f16 [6, 4] by", "itensor<f32 [6, 4] by",
       "part 1 reads no argument of its type"},
  };
  ALL(text, damages);
}

/* ---- what text cannot say --------------------------------------------- */

static void test_foreign_values(void **state) {
  (void)state;
  StDiag *diag = st_diag_new(NULL);
  size_t n = strlen(ir_text_tensor);
  StModule *m = st_module_parse("m.st", ir_text_tensor, n, diag);
  assert_non_null(m);
  StOp *view = m->op.at[6];
  StValue other = *view->operand[0];
  view->operand[0] = &other;
  assert_false(st_module_verify(m, "the test", diag));
  assert_non_null(strstr(st_diag_text(diag), "is of no op of the module"));
  view->operand[0] = m->op.at[5]->result[0];
  view->result[0]->def = m->op.at[5];
  assert_false(st_module_verify(m, "the test", diag));
  assert_non_null(strstr(st_diag_text(diag), "result 0 is that of another op"));
  view->result[0]->def = view;
  view->result[0]->id = 5;
  assert_false(st_module_verify(m, "the test", diag));
  assert_non_null(strstr(st_diag_text(diag), "result 0 has the id 5"));
  view->result[0]->id = 6;
  assert_true(st_module_verify(m, "the test", diag));
  view->result[0]->type.rank = 65;
  assert_false(st_module_verify(m, "the test", diag));
  assert_non_null(strstr(st_diag_text(diag), "result 0 has rank 65"));
  st_module_free(m);
  st_diag_free(diag);
}

/* The place and the name of the op. */
static void test_message(void **state) {
  (void)state;
  StDiag *diag = st_diag_new(NULL);
  StArena *a = st_arena_new();
  Damage d = {"out 2 addf [d0, d1]", "out 2 subf [d0, d1]", NULL};
  char *text = edit(a, ir_text_tensor, &d);
  StModule *m = st_module_parse("m.st", text, strlen(text), diag);
  assert_non_null(m);
  assert_false(st_module_verify(m, "tile", diag));
  static const char want[] =
      "model.py:9:1: error: after tile: generic #3 mm: result 0 is combined by "
      "'subf'\n"
      "note: addf mulf maximumf minimumf maxnumf minnumf addi muli maxsi minsi "
      "andi ori xori of its type combine\n";
  assert_string_equal(st_diag_text(diag), want);
  st_module_free(m);
  st_diag_free(diag);
  st_arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tensor),  cmocka_unit_test(test_stream),
      cmocka_unit_test(test_repeat),  cmocka_unit_test(test_windows),
      cmocka_unit_test(test_layers),
      cmocka_unit_test(test_bundles),  cmocka_unit_test(test_foreign_values),
      cmocka_unit_test(test_message),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
