/* The text form: print, parse, print gives the same bytes for random modules;
 * errors have places; no text makes the parser or the verifier fail other than
 * with a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "interp_module.h"
#include "ir/ir.h"
#include "ir_text.h"
#include "sim_graph.h"
#include "sim_module.h"
#include "size_module.h"

enum { MODULES = 300, DAMAGES = 240000, MOST_TEXT = 1 << 14 };

static uint32_t rnd(uint64_t *seed, uint32_t below) {
  return graph_random(seed, below);
}

static bool flip(uint64_t *seed) { return rnd(seed, 2) == 0; }

/* ---- round trips ------------------------------------------------------ */

static void print(StStr *s, const StModule *m) {
  st_str_init(s);
  st_module_print(s, m);
}

static void round_trip(const StModule *m) {
  StDiag *diag = st_diag_new(NULL);
  StStr first, second;
  print(&first, m);
  StModule *again = st_module_parse("m.st", first.data, first.len, diag);
  if (!again)
    fail_msg("%s%s", st_diag_text(diag), first.data);
  print(&second, again);
  if (strcmp(first.data, second.data) != 0)
    fail_msg("%s----\n%s", first.data, second.data);
  st_module_free(again);
  st_str_free(&first);
  st_str_free(&second);
  st_diag_free(diag);
}

static void round_trip_valid(StModule *m) {
  StDiag *diag = st_diag_new(NULL);
  StStr s;
  if (!st_module_verify(m, "the test", diag)) {
    print(&s, m);
    fail_msg("%s%s", st_diag_text(diag), s.data);
  }
  round_trip(m);
  print(&s, m);
  StModule *again = st_module_parse("m.st", s.data, s.len, diag);
  assert_true(st_module_verify(again, "reading", diag));
  st_module_free(again);
  st_str_free(&s);
  st_diag_free(diag);
}

static void test_valid(void **state) {
  (void)state;
  StDiag *diag = st_diag_new(NULL);
  for (uint64_t i = 0; i < MODULES; i++) {
    uint64_t seed = i;
    InterpShape shape = {.ops = 3 + (int)(i % 9),
                         .symbols = i % 2,
                         .repeat = i % 3 == 1,
                         .layers = i % 3 == 2};
    StModule *m = interp_random_module(i, shape);
    round_trip_valid(m);
    st_module_free(m);
    SizeShape streams = {
        .ops = 2 + (int)(i % 7), .symbols = i % 2, .repeat = i % 3 == 0};
    m = size_random_module(&seed, streams, diag);
    assert_non_null(m);
    round_trip_valid(m);
    st_module_free(m);
    m = st_module_new("kernel");
    module_random_kernel(m, &seed, 1 + (int)(i % 3), true);
    module_decide(m, 3, 2);
    round_trip_valid(m);
    st_module_free(m);
  }
  st_diag_free(diag);
}

/* ---- modules of anything ---------------------------------------------- */

/* Bytes 1 .. 255, quotes and backslashes often. */
static const char *any_string(StArena *a, uint64_t *seed) {
  size_t n = rnd(seed, 9);
  char *s = st_arena_alloc(a, n + 1);
  for (size_t i = 0; i < n; i++)
    s[i] = flip(seed) ? "\"\\\n/ %"[rnd(seed, 6)] : (char)(1 + rnd(seed, 255));
  return s;
}

static const char *any_name(StArena *a, uint64_t *seed) {
  return flip(seed) ? NULL : any_string(a, seed);
}

static int64_t any_int(uint64_t *seed) {
  int64_t x = rnd(seed, 12);
  if (rnd(seed, 8) == 0)
    x = (int64_t)1 << rnd(seed, 49);
  return flip(seed) ? x : -x;
}

static StSym any_sym(uint64_t *seed) {
  StSym s = {any_int(seed), 0, 0};
  if (flip(seed))
    s.p = any_int(seed);
  if (flip(seed))
    s.t = any_int(seed);
  return s;
}

static StSym *any_syms(StArena *a, uint64_t *seed, int n) {
  StSym *s = ST_NEW_N(a, StSym, n + 1);
  for (int i = 0; i < n; i++)
    s[i] = any_sym(seed);
  return s;
}

static int64_t *any_ints(StArena *a, uint64_t *seed, int n) {
  int64_t *v = ST_NEW_N(a, int64_t, n + 1);
  for (int i = 0; i < n; i++)
    v[i] = any_int(seed);
  return v;
}

static StAffine any_affine(StArena *a, uint64_t *seed) {
  StAffine e = {.off = any_sym(seed), .term = ST_NEW_N(a, StTerm, 6)};
  for (int d = 0; d < 6; d++) {
    int64_t coef = any_int(seed);
    if (rnd(seed, 3) == 0 && coef)
      e.term[e.n++] = (StTerm){d, coef};
  }
  return e;
}

static StAffine *any_map(StArena *a, uint64_t *seed, int rank) {
  StAffine *map = ST_NEW_N(a, StAffine, rank + 1);
  for (int i = 0; i < rank; i++)
    map[i] = any_affine(a, seed);
  return map;
}

static StGuard any_guard(uint64_t *seed) {
  if (flip(seed))
    return (StGuard){.dim = -1};
  return (StGuard){(int)rnd(seed, 9), any_sym(seed), any_sym(seed)};
}

static StItensor any_order(StArena *a, uint64_t *seed, int rank) {
  StItensor o = {.rank = rank, .nloops = (int)rnd(seed, 5)};
  o.elem = any_ints(a, seed, rank);
  o.origin = any_syms(a, seed, rank);
  o.loop = ST_NEW_N(a, StLoop, o.nloops + 1);
  for (int i = 0; i < o.nloops; i++)
    o.loop[i] = (StLoop){(int)rnd(seed, (uint32_t)rank + 1) - 1, any_sym(seed),
                         any_int(seed)};
  return o;
}

static StType any_type(StArena *a, uint64_t *seed) {
  StType t = {.dtype = (StDtype)rnd(seed, ST_DTYPE_COUNT),
              .rank = (int)rnd(seed, 5)};
  t.shape = any_syms(a, seed, t.rank);
  if (flip(seed)) {
    t.order = ST_NEW(a, StItensor);
    *t.order = any_order(a, seed, t.rank);
  }
  return t;
}

static StIndexList any_list(StArena *a, uint64_t *seed) {
  StIndexList l = {.n = (int)rnd(seed, 4)};
  l.index = ST_NEW_N(a, int, l.n + 1);
  for (int i = 0; i < l.n; i++)
    l.index[i] = (int)rnd(seed, 99) - 1;
  return l;
}

static StExpr any_expr(StArena *a, uint64_t *seed) {
  StExpr e = {.kind = (StScalarKind)rnd(seed, ST_X_COUNT),
              .dtype = (StDtype)rnd(seed, ST_DTYPE_COUNT),
              .arg = {-1, -1, -1}};
  for (int k = 0; k < st_scalar_args(e.kind); k++)
    e.arg[k] = (int)rnd(seed, 9);
  e.operand = (int)rnd(seed, 4);
  e.bits = (uint64_t)rnd(seed, UINT32_MAX) << rnd(seed, 33);
  e.pred = (StPredicate)rnd(seed, ST_P_COUNT);
  e.affine = any_affine(a, seed);
  StIndexList l = any_list(a, seed);
  e.nindices = l.n;
  e.indices = l.index;
  return e;
}

static void any_nest(StModule *m, uint64_t *seed, StOp *op) {
  StArena *a = m->arena;
  StNest *n = &op->u.nest;
  n->ndims = (int)rnd(seed, 4);
  n->dim = ST_NEW_N(a, StDim, n->ndims + 1);
  for (int d = 0; d < n->ndims; d++) {
    bool red = flip(seed);
    n->dim[d] =
        (StDim){any_sym(seed), red, !red && flip(seed), any_name(a, seed)};
  }
  n->in = ST_NEW_N(a, StInput, op->noperands + 1);
  n->out = ST_NEW_N(a, StOutput, op->nresults + 1);
  for (int k = 0; k < op->noperands; k++)
    n->in[k] = (StInput){
        rnd(seed, 4) ? any_map(a, seed, op->operand[k]->type.rank) : NULL,
        any_guard(seed)};
  for (uint32_t i = rnd(seed, 7); i > 0; i--)
    st_expr_push(m, &n->body, any_expr(a, seed));
  for (int r = 0; r < op->nresults; r++)
    n->out[r] =
        (StOutput){(int)rnd(seed, 9), (StScalarKind)rnd(seed, ST_X_COUNT),
                   any_map(a, seed, op->result[r]->type.rank), any_guard(seed)};
  n->nloops = (int)rnd(seed, 4);
  n->loop = ST_NEW_N(a, StLoop, n->nloops + 1);
  for (int i = 0; i < n->nloops; i++)
    n->loop[i] = (StLoop){(int)rnd(seed, 9), any_sym(seed), any_int(seed)};
  n->nlanes = (int)rnd(seed, 3);
  n->lane = ST_NEW_N(a, StLane, n->nlanes + 1);
  for (int i = 0; i < n->nlanes; i++)
    n->lane[i] = (StLane){(int)rnd(seed, 9), (int)rnd(seed, 99)};
  n->ways = (int)rnd(seed, 4);
}

static void any_bundle(StArena *a, uint64_t *seed, StOp *op) {
  StBundle *b = &op->u.bundle;
  *b = (StBundle){(int)rnd(seed, 4) - 1, (int)rnd(seed, 9), NULL};
  b->part = ST_NEW_N(a, StBundlePart, op->nresults + 1);
  for (int r = 0; r < op->nresults; r++)
    b->part[r] = (StBundlePart){
        (int)rnd(seed, 4) - 1, any_ints(a, seed, op->result[r]->type.rank),
        any_int(seed),         any_int(seed),
        any_int(seed),         any_int(seed),
        any_int(seed),         any_int(seed),
        any_int(seed)};
}

static void any_payload(StModule *m, uint64_t *seed, StOp *op) {
  StArena *a = m->arena;
  const StType *in = op->noperands ? &op->operand[0]->type : NULL;
  const StType *out = op->nresults ? &op->result[0]->type : NULL;
  StConverter *c = &op->u.converter;
  switch (op->kind) {
  case ST_OP_ARG:
  case ST_OP_RESULT:
    op->u.index = any_list(a, seed);
    break;
  case ST_OP_CONST:
    op->u.constant = (StConst){.n = 1 + (int)rnd(seed, 3),
                               .splat = flip(seed),
                               .bytes = rnd(seed, 40)};
    op->u.constant.data = any_ints(a, seed, 5);
    break;
  case ST_OP_GENERIC:
  case ST_OP_KERNEL:
    any_nest(m, seed, op);
    break;
  case ST_OP_SLICE:
    op->u.slice =
        (StSlice){any_syms(a, seed, in->rank), any_ints(a, seed, in->rank)};
    break;
  case ST_OP_CONCAT:
    op->u.axis = (int)rnd(seed, 4);
    break;
  case ST_OP_CONVERTER:
    op->result[0]->type.rank = in->rank;
    op->result[0]->type = *in;
    *c = (StConverter){.fill = any_order(a, seed, in->rank),
                       .drain = any_order(a, seed, in->rank),
                       .shared = (int)rnd(seed, 3),
                       .banks = (int)rnd(seed, 3),
                       .flow = flip(seed),
                       .window = any_int(seed),
                       .memory = (StMemory)rnd(seed, ST_MEM_COUNT)};
    for (int d = 0; d < in->rank; d++)
      c->extent[d] = any_int(seed);
    break;
  case ST_OP_LOAD:
    op->u.load = (StLoad){(int)rnd(seed, 4) - 1, (int)rnd(seed, 4),
                          (int)rnd(seed, 4) - 1, any_ints(a, seed, out->rank),
                          (int)rnd(seed, 4) - 1, (int)rnd(seed, 4)};
    break;
  case ST_OP_BUNDLE:
    any_bundle(a, seed, op);
    break;
  case ST_OP_STORE:
    op->u.store = (StStore){any_list(a, seed), (int)rnd(seed, 4) - 1,
                            any_ints(a, seed, in->rank), (int)rnd(seed, 4) - 1,
                            (int)rnd(seed, 4)};
    break;
  case ST_OP_VIEW:
  case ST_OP_CARRY:
  case ST_OP_FORK:
  case ST_OP_COUNT:
    break;
  }
}

static void any_op(StModule *m, uint64_t *seed, StValue **values, int *n) {
  StArena *a = m->arena;
  StOpKind k = (StOpKind)rnd(seed, ST_OP_COUNT);
  StValue *operand[3];
  bool one = k == ST_OP_SLICE || k == ST_OP_CONVERTER || k == ST_OP_STORE;
  bool made = k == ST_OP_LOAD || k == ST_OP_CONVERTER;
  int noperands = *n == 0 ? 0 : one ? 1 : (int)rnd(seed, 4);
  for (int i = 0; i < noperands; i++)
    operand[i] = values[rnd(seed, (uint32_t)*n)];
  if (*n == 0)
    k = ST_OP_ARG;
  StOp *op = st_op_new(m, k, (StLoc){0}, noperands, operand,
                       made || *n == 0 ? 1 : (int)rnd(seed, 3));
  for (int r = 0; r < op->nresults; r++) {
    StValue *v = op->result[r];
    v->type = any_type(a, seed);
    v->depth = flip(seed) ? 0 : rnd(seed, 99);
    v->memory = (StMemory)rnd(seed, ST_MEM_COUNT);
    v->die = (int)rnd(seed, 3);
    v->name = any_name(a, seed);
    values[(*n)++] = v;
  }
  any_payload(m, seed, op);
  op->name = any_name(a, seed);
  op->scope = (int)rnd(seed, 3);
  op->ii = (int)rnd(seed, 3);
  op->latency = (int)rnd(seed, 3);
  op->group = (int)rnd(seed, 3);
  op->die = (int)rnd(seed, 3);
  if (flip(seed))
    op->loc =
        (StLoc){any_string(a, seed), (int)rnd(seed, 99), (int)rnd(seed, 99)};
  if (rnd(seed, 9)) /* else the ids have a gap */
    st_op_append(m, op);
  else
    *n -= op->nresults;
}

static void any_ports(StModule *m, uint64_t *seed) {
  for (uint32_t i = rnd(seed, 6); i > 0; i--) {
    StPort p = {.name = any_string(m->arena, seed),
                .role = (StRole)rnd(seed, ST_ROLE_COUNT),
                .dtype = (StDtype)rnd(seed, ST_DTYPE_COUNT),
                .rank = (int)rnd(seed, 4),
                .cache = (int)rnd(seed, 4) - 1,
                .axis = (int)rnd(seed, 4) - 1};
    p.shape = any_syms(m->arena, seed, p.rank);
    if (flip(seed))
      st_vec_push(m->arena, &m->arg, p);
    else
      st_vec_push(m->arena, &m->ret, p);
  }
}

/* Well formed as a data structure, meaning nothing. */
static StModule *any_module(uint64_t *seed) {
  StModule *m = st_module_new("");
  m->name = any_string(m->arena, seed);
  m->ctx = any_int(seed);
  m->chunk = any_int(seed);
  m->target = any_name(m->arena, seed);
  any_ports(m, seed);
  for (uint32_t i = rnd(seed, 3); i > 0; i--) {
    StRepeat r = {any_int(seed)};
    st_vec_push(m->arena, &m->repeat, r);
  }
  StValue *values[64];
  int n = 0;
  for (int i = 0; i < 12; i++)
    any_op(m, seed, values, &n);
  return m;
}

static void test_any(void **state) {
  (void)state;
  uint64_t seed = 77;
  for (int i = 0; i < 10 * MODULES; i++) {
    StModule *m = any_module(&seed);
    round_trip(m);
    StDiag *diag = st_diag_new(NULL);
    st_module_verify(m, "the test", diag); /* says no, but says it */
    st_diag_free(diag);
    st_module_free(m);
  }
}

/* ---- damaged texts ---------------------------------------------------- */

static const char *const words[] = {"-1",
                                    "0",
                                    "1",
                                    "16777216",
                                    "281474976710656",
                                    "99999999999999999999",
                                    "P",
                                    "T-1",
                                    "2*P",
                                    "d0",
                                    "d9",
                                    "%0",
                                    "%11",
                                    "#3",
                                    "\"",
                                    "\\",
                                    "[",
                                    "]",
                                    "{",
                                    "}",
                                    "in table",
                                    "guard d0 0 1",
                                    "shared 1",
                                    "flow",
                                    "tensor<f32 []>",
                                    "store",
                                    "load",
                                    "kernel",
                                    "converter",
                                    "hex \"",
                                    "scope 1",
                                    "// ",
                                    "\n",
                                    "f16",
                                    "i64",
                                    "addi",
                                    "index",
                                    "red",
                                    "iter",
                                    "lane d1 2",
                                    "loop d0 T 1",
                                    "depth 0"};

/* Replace bytes from .. to of the text. */
static void splice(char *text, size_t *n, size_t from, size_t to,
                   const char *with, size_t len) {
  if (*n - (to - from) + len >= MOST_TEXT)
    return;
  memmove(text + from + len, text + to, *n - to);
  memcpy(text + from, with, len);
  *n += len - (to - from);
}

/* The word or number at a place: its end. */
static size_t word_end(const char *text, size_t n, size_t at) {
  while (at < n && strchr(" ,[]()<>\n", text[at]) == NULL)
    at++;
  return at;
}

/* Another number in the place of the next one. */
static void renumber(char *text, size_t *n, size_t at, uint64_t *seed) {
  static const char *const large[] = {"16777216", "65537", "2147483648",
                                      "281474976710656"};
  while (at < *n && strchr("0123456789", text[at]) == NULL)
    at++;
  size_t end = at;
  while (end < *n && strchr("0123456789", text[end]) != NULL)
    end++;
  char number[32];
  snprintf(number, sizeof number, "%d", (int)rnd(seed, 14) - 1);
  const char *with = rnd(seed, 6) ? number : large[rnd(seed, 4)];
  splice(text, n, at, end, with, strlen(with));
}

static void damage(char *text, size_t *n, uint64_t *seed) {
  if (*n < 2)
    return;
  size_t at = rnd(seed, (uint32_t)*n), other = rnd(seed, (uint32_t)*n);
  size_t end = word_end(text, *n, at), end2 = word_end(text, *n, other);
  const char *w = words[rnd(seed, sizeof words / sizeof *words)];
  char copy[64];
  size_t len = end2 - other < sizeof copy ? end2 - other : sizeof copy;
  memcpy(copy, text + other, len);
  switch (rnd(seed, 12)) {
  case 0:
    text[at] = (char)rnd(seed, 256);
    break;
  case 1:
    text[at] = (char)(text[at] ^ 1 << rnd(seed, 7));
    break;
  case 2: /* a known word */
    splice(text, n, at, flip(seed) ? end : at, w, strlen(w));
    break;
  case 3: /* a word from elsewhere */
    splice(text, n, at, end, copy, len);
    break;
  case 4: /* a piece goes */
    end = at + rnd(seed, 40);
    splice(text, n, at, end < *n ? end : *n, "", 0);
    break;
  case 5: /* the end goes */
    if (rnd(seed, 8) == 0)
      *n = at;
    break;
  default:
    renumber(text, n, at, seed);
    break;
  }
}

/* Parse, verify, print: any text gives a message or a module that lives. */
static int try(const char *text, size_t n) {
  StDiag *diag = st_diag_new(NULL);
  int ok = 0;
  char *exact = NULL;
  StArena *a = st_arena_new();
  exact = st_arena_copy(a, text, n);
  StModule *m = st_module_parse("m.st", exact, n, diag);
  if (m) {
    ok = 1 + st_module_verify(m, "the test", diag);
    round_trip(m);
  }
  assert_int_equal(ok<2, st_diag_errors(diag)> 0);
  st_module_free(m);
  st_diag_free(diag);
  st_arena_free(a);
  return ok;
}

static void test_damaged(void **state) {
  (void)state;
  static const char *const texts[] = {ir_text_tensor, ir_text_stream,
                                      ir_text_repeat};
  static char text[MOST_TEXT];
  uint64_t seed = 2024;
  int count[3] = {0};
  for (int i = 0; i < DAMAGES; i++) {
    const char *from = texts[i % 3];
    size_t n = strlen(from);
    memcpy(text, from, n);
    for (uint32_t k = 1 + rnd(&seed, 2); k > 0; k--)
      damage(text, &n, &seed);
    count[try(text, n)]++;
  }
  print_message("%d not read, %d refused, %d valid\n", count[0], count[1],
                count[2]);
  assert_true(count[0] > DAMAGES / 10); /* is not read */
  assert_true(count[1] > DAMAGES / 10); /* is read, and refused */
  assert_true(count[2] > DAMAGES / 50); /* is valid */
}

/* Every beginning of a text. */
static void test_truncated(void **state) {
  (void)state;
  size_t n = strlen(ir_text_stream);
  for (size_t i = 0; i + 2 < n; i++)
    assert_int_equal(try(ir_text_stream, i), 0);
  assert_int_equal(try(ir_text_stream, n), 2);
}

/* ---- errors ----------------------------------------------------------- */

typedef struct {
  const char *from, *to, *message;
} Damage;

static const Damage errors[] = {
    {"module", "modul", "m.st:1:1: error: expected 'module'"},
    {"ctx 16", "ctx x", "m.st:1:21: error: expected a number"},
    {"ctx 16", "ctx 281474976710657", "the number is beyond 2^48"},
    {"values 20", "values 2000000", "too short for so many ops or values"},
    {"values 20", "values 5", "value 5 is beyond the header's number"},
    {"ops 20", "ops -2", "the number is out of range"},
    {"argument input", "argument output_", "expected a role such as param"},
    {"f32 [T, 4] cache", "f33 [T, 4] cache",
     "m.st:2:18: error: expected an element type"},
    {"\"x\"", "\"x", "the string does not end on its line"},
    {"\"x\"", "\"\\0g\"", "an escape is a backslash and two"},
    {"\"x\"", "\"\\00\"", "an escape is a backslash and two"},
    {"%0 = arg", "%0 = args", "m.st:9:8: error: expected an operation"},
    {"%0 = arg", "%0 arg", "expected '='"},
    {"%1 = arg", "%0 = arg", "value 0 is defined twice"},
    {"(%5) : tensor", "(%19) : tensor", "value 19 has no definition"},
    {"mulf f32 0 1", "mulff f32 0 1", "expected a scalar operation"},
    {"slt 2 3", "lt 2 3", "expected a comparison such as olt"},
    {"in [d1, d2]", "in [e1, d2]", "expected an extent such as 64"},
    {"in [d1, d2]", "in [d2+d1, d2]", "terms are in the order of their dims"},
    {"in [d1, d2]", "in [d1+d1, d2]", "terms are in the order of their dims"},
    {"in [d1, d2]", "in [0*d1, d2]", "terms are in the order of their dims"},
    {"in [d1, d2]", "in [d1]", "a list has 1 entries where value 1 has 2 dims"},
    {"guard d0 0 P", "guard P 0 P", "expected a dim such as d0"},
    {"hex \"0000803f00000040\"", "hex \"0000803f0000004g\"",
     "expected pairs of hexadecimal"},
    {"hex \"0000803f00000040\"", "hex \"0000803f0000004\"",
     "expected pairs of hexadecimal"},
    {"of 2 splat", "of 0 splat", "a constant holds at least one tensor"},
    {"offset [P, 0] stride [1, 1]", "offset [P, 0] stride [1]",
     "the list has 1 entries where 2 belong"},
    {"offset [P, 0]", "offset [P", "expected ','"},
    {"[2]\n}", "[2]\n} x", "text after the end of the module"},
    {"[2]\n}", "[2]\n", "expected an operation such as generic"},
    {"slice #5 (%4)", "slice #5 ()", "a slice needs its operand and result"},
    {"dim par 3", "dim parallel 3", "expected 'par'"},
};

static const Damage stream_errors[] = {
    {"memory srl", "memory dram", "expected a kind of memory such as bram"},
    {"(d0, d1)->(d0, d1)", "(d0)->(d0, d1)", "expected ','"},
    {"(d0, d1)->(d0, d1)", "(d1, d0)->(d0, d1)", "the loops are d0, d1, ..."},
    {"(d0, d1)->(d0, d1)", "(d0, d1)->(d0, d0)", "a loop that does not exist"},
    {"(d0, d1)->(d0, d1)", "(d0, d1)->(d0, d2)", "a loop that does not exist"},
    {"(d0, d1)->(d0, d1)", "(d0, d1)->(d0, 2*d1)",
     "a loop that does not exist"},
    {"(d0, d1)->(d0, d1)", "[0, 2], [0, 0]", "a loop walks a dim that does"},
    {"[T, 4]*[1, 2]", "[T, 4]*[1]", "the list has 1 entries where 2 belong"},
    {"window 32 [4, 8]", "window 32 [4, 8, 1]", "the list has 2 entries where"},
    {"window 32 [4, 8]", "window 32 [1, 1, 1, 1, 1, 1, 1, 4, 8]",
     "a converter has at most 8 dims"},
    {"gather 0", "gather -2", "the number is out of range (-1 .. 2^24)"},
};

static void check_error(const char *text, const Damage *d) {
  StArena *a = st_arena_new();
  StDiag *diag = st_diag_new(NULL);
  const char *at = strstr(text, d->from);
  if (!at)
    fail_msg("the text has no '%s'", d->from);
  char *bad = st_arena_printf(a, "%.*s%s%s", (int)(at - text), text, d->to,
                              at + strlen(d->from));
  StModule *m = st_module_parse("m.st", bad, strlen(bad), diag);
  if (m || !strstr(st_diag_text(diag), d->message))
    fail_msg("'%s': expected '%s', got: %s", d->to, d->message,
             st_diag_text(diag));
  st_diag_free(diag);
  st_arena_free(a);
}

static void test_errors(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
    check_error(ir_text_tensor, &errors[i]);
  for (size_t i = 0; i < sizeof stream_errors / sizeof *errors; i++)
    check_error(ir_text_stream, &stream_errors[i]);
}

/* ---- forms ------------------------------------------------------------ */

static void test_type(void **state) {
  (void)state;
  StSym shape[] = {{0, 0, 1}, {64, 0, 0}};
  int64_t elem[] = {1, 8};
  StSym origin[] = {{0, 1, 0}, {0, 0, 0}};
  StLoop loop[] = {{1, {8, 0, 0}, 8}, {-1, {2, 0, 0}, 0}, {0, {0, 0, 1}, 1}};
  StItensor o = {2, elem, origin, 3, loop};
  StType t = {ST_F32, 2, shape, &o};
  StStr s;
  st_str_init(&s);
  st_type_print(&s, &t);
  assert_string_equal(s.data, "itensor<f32 [T, 64] by [1, 8], [8, 2, T]*[8, 0, "
                              "1], (d0, d1, d2)->(d2+P, d0)>");
  st_str_clear(&s);
  t.order = NULL;
  st_type_print(&s, &t);
  assert_string_equal(s.data, "tensor<f32 [T, 64]>");
  st_str_free(&s);
}

/* Comments, spaces and the lists form of an order are read, not printed. */
static void test_loose(void **state) {
  (void)state;
  static const char text[] =
      "// head\nmodule\"m\"ctx 0 chunk 0 ops 9 values 9{//x\n"
      "%7=load#3(%2)gather -1 level 0 layer -1 stride[1]channel -1:"
      "itensor<f32[4]by[1],[4]*[1],[0],[0]> %2=arg#0()[0]:tensor<f32[4]>}";
  static const char want[] =
      "module \"m\" ctx 0 chunk 0 ops 9 values 9 {\n"
      "  %7 = load #3 (%2) gather -1 level 0 layer -1 stride [1] channel -1 : "
      "itensor<f32 [4] by [1], [4]*[1], (d0)->(d0)>\n"
      "  %2 = arg #0 () [0] : tensor<f32 [4]>\n}\n";
  StDiag *diag = st_diag_new(NULL);
  StModule *m = st_module_parse("m.st", text, strlen(text), diag);
  assert_non_null(m);
  StStr s;
  print(&s, m);
  assert_string_equal(s.data, want);
  st_str_free(&s);
  st_module_free(m);
  st_diag_free(diag);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_valid),   cmocka_unit_test(test_any),
      cmocka_unit_test(test_damaged), cmocka_unit_test(test_truncated),
      cmocka_unit_test(test_errors),  cmocka_unit_test(test_type),
      cmocka_unit_test(test_loose),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
