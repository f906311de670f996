/* The text form, read back: recursive descent over one buffer. The first error
 * ends the parse. Sizes are bounded by what the text itself contains. */
#include "ir/ir.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 24 }; /* ids, ranks, counts */

typedef struct {
  const char *file, *text;
  size_t n, at;
  StDiag *diag;
  StModule *m;
  bool failed;
  ST_VEC(StValue *) value; /* by printed id; NULL: not seen */
} Parser;

typedef ST_VEC(int64_t) Ints;
typedef ST_VEC(StSym) Syms;
typedef ST_VEC(StAffine) Affines;

/* ---- characters and words ---------------------------------------------------- */

static StLoc here(const Parser *p) {
  StLoc loc = {p->file, 1, 1};
  for (size_t i = 0; i < p->at && i < p->n; i++)
    if (p->text[i] == '\n') {
      loc.line++;
      loc.col = 1;
    } else {
      loc.col++;
    }
  return loc;
}

static void fail(Parser *p, const char *what) {
  if (!p->failed)
    st_error(p->diag, here(p), "%s", what);
  p->failed = true;
  p->at = p->n;
}

static void skip_space(Parser *p) {
  while (p->at < p->n) {
    char c = p->text[p->at];
    if (c == '/' && p->at + 1 < p->n && p->text[p->at + 1] == '/')
      while (p->at < p->n && p->text[p->at] != '\n')
        p->at++;
    else if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
      p->at++;
    else
      return;
  }
}

static bool is_word(char c) {
  return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* True, and past it, if the text continues with these characters. */
static bool accept_prefix(Parser *p, const char *word) {
  skip_space(p);
  size_t n = strlen(word);
  if (p->n - p->at < n || memcmp(p->text + p->at, word, n))
    return false;
  p->at += n;
  return true;
}

/* The same for a whole word. */
static bool accept(Parser *p, const char *word) {
  skip_space(p);
  size_t n = strlen(word);
  if (p->n - p->at < n || memcmp(p->text + p->at, word, n))
    return false;
  if (is_word(word[n - 1]) && p->at + n < p->n &&
      is_word(p->text[p->at + n]))
    return false;
  p->at += n;
  return true;
}

static void expect(Parser *p, const char *word) {
  if (accept(p, word) || p->failed)
    return;
  char what[80];
  snprintf(what, sizeof what, "expected '%s'", word);
  fail(p, what);
}

static int64_t parse_int(Parser *p) {
  skip_space(p);
  bool minus = p->at < p->n && p->text[p->at] == '-';
  size_t i = p->at + minus;
  int64_t v = 0;
  size_t first = i;
  for (; i < p->n && isdigit((unsigned char)p->text[i]); i++) {
    if (v > INT64_MAX / 16) {
      fail(p, "the number is too large");
      return 0;
    }
    v = v * 10 + (p->text[i] - '0');
  }
  if (i == first) {
    fail(p, "expected a number");
    return 0;
  }
  p->at = i;
  return minus ? -v : v;
}

static int parse_small(Parser *p) {
  int64_t v = parse_int(p);
  if (v < -1 || v > MOST) {
    fail(p, "the number is out of range");
    return 0;
  }
  return (int)v;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint64_t parse_hex(Parser *p) {
  if (!accept_prefix(p, "0x"))
    fail(p, "expected a hexadecimal number");
  uint64_t v = 0;
  int n = 0;
  for (; p->at < p->n && hex_digit(p->text[p->at]) >= 0 && n < 17; n++)
    v = v << 4 | (uint64_t)hex_digit(p->text[p->at++]);
  if (n == 0 || n > 16)
    fail(p, "expected up to 16 hexadecimal digits");
  return v;
}

static char *parse_string(Parser *p) {
  expect(p, "\"");
  size_t end = p->at;
  while (end < p->n && p->text[end] != '"' && p->text[end] != '\n')
    end++;
  if (end >= p->n || p->text[end] != '"') {
    fail(p, "the string does not end");
    return st_arena_strdup(p->m->arena, "");
  }
  char *s = st_arena_alloc(p->m->arena, end - p->at + 1), *to = s;
  while (p->at < end) {
    char c = p->text[p->at++];
    if (c == '\\' && end - p->at >= 2) {
      int a = hex_digit(p->text[p->at]), b = hex_digit(p->text[p->at + 1]);
      if (a < 0 || b < 0 || a + b == 0) {
        fail(p, "an escape is a backslash and two hexadecimal digits");
        return s;
      }
      c = (char)(a << 4 | b);
      p->at += 2;
    }
    *to++ = c;
  }
  p->at++;
  return s;
}

/* One of `n` names; -1 after an error. */
static int parse_name(Parser *p, const char *(*name)(int), int n,
                      const char *what) {
  for (int i = 0; i < n; i++)
    if (accept(p, name(i)))
      return i;
  fail(p, what);
  return 0;
}

static const char *op_name(int i) { return st_op_name((StOpKind)i); }
static const char *scalar_name(int i) {
  return st_scalar_name((StScalarKind)i);
}
static const char *predicate_name(int i) {
  return st_predicate_name((StPredicate)i);
}
static const char *memory_name(int i) { return st_memory_name((StMemory)i); }
static const char *role_name(int i) { return st_role_name((StRole)i); }
static const char *dtype_name(int i) { return st_dtype_name((StDtype)i); }

static StDtype parse_dtype(Parser *p) {
  return (StDtype)parse_name(p, dtype_name, ST_DTYPE_COUNT,
                             "expected an element type");
}

/* ---- lists --------------------------------------------------------------------- */

static StSym parse_sym(Parser *p) {
  StSym s = {0};
  skip_space(p);
  size_t used = st_sym_parse(p->text + p->at, p->n - p->at, &s);
  if (!used)
    fail(p, "expected an extent such as 64, T or P+T");
  p->at += used;
  return s;
}

/* Calls `item` for each element of "[...]". */
static void parse_list(Parser *p, void (*item)(Parser *, void *), void *out) {
  expect(p, "[");
  if (accept(p, "]"))
    return;
  do
    item(p, out);
  while (!p->failed && accept(p, ","));
  expect(p, "]");
}

static void int_item(Parser *p, void *out) {
  Ints *v = out;
  st_vec_push(p->m->arena, v, parse_int(p));
}

static void sym_item(Parser *p, void *out) {
  Syms *v = out;
  st_vec_push(p->m->arena, v, parse_sym(p));
}

/* n integers, as int64_t. */
static int64_t *parse_ints(Parser *p, int n) {
  Ints v = {0};
  parse_list(p, int_item, &v);
  if (!p->failed && v.n != n)
    fail(p, "the list has another number of entries than it should");
  return p->failed ? ST_NEW_N(p->m->arena, int64_t, n + 1) : v.at;
}

static int *to_ints(Parser *p, const Ints *v) {
  int *r = ST_NEW_N(p->m->arena, int, v->n + 1);
  for (int i = 0; i < v->n; i++) {
    if (v->at[i] < -1 || v->at[i] > MOST)
      fail(p, "the number is out of range");
    else
      r[i] = (int)v->at[i];
  }
  return r;
}

static StSym *parse_syms(Parser *p, int n) {
  Syms v = {0};
  parse_list(p, sym_item, &v);
  if (!p->failed && v.n != n)
    fail(p, "the list has another number of entries than it should");
  return p->failed ? ST_NEW_N(p->m->arena, StSym, n + 1) : v.at;
}

static int parse_dim(Parser *p) {
  if (!accept_prefix(p, "d"))
    fail(p, "expected a dim such as d0");
  return parse_small(p);
}

/* A term of an affine expression: "2*d1", "d0"; false: an extent. */
static bool parse_term(Parser *p, StAffine *e) {
  size_t back = p->at;
  int64_t sign = 1, coef = 1;
  skip_space(p);
  if (p->at < p->n && (p->text[p->at] == '+' || p->text[p->at] == '-'))
    sign = p->text[p->at++] == '-' ? -1 : 1;
  if (p->at < p->n && isdigit((unsigned char)p->text[p->at])) {
    coef = parse_int(p);
    if (p->at >= p->n || p->text[p->at++] != '*')
      coef = 0;
  }
  if (!coef || p->at + 1 >= p->n || p->text[p->at] != 'd' ||
      !isdigit((unsigned char)p->text[p->at + 1])) {
    p->at = back;
    return false;
  }
  p->at++;
  StAffine t = st_affine_dim(p->m->arena, parse_small(p));
  *e = st_affine_add(p->m->arena, *e,
                     st_affine_scale(p->m->arena, t, sign * coef));
  return true;
}

static StAffine parse_affine(Parser *p) {
  StAffine e = {0};
  bool any = false;
  while (!p->failed && parse_term(p, &e))
    any = true;
  skip_space(p);
  char c = p->at < p->n ? p->text[p->at] : 0;
  if (any && c == '+')
    p->at++;
  if (!any || c == '+' || c == '-')
    e.off = parse_sym(p);
  return e;
}

static void affine_item(Parser *p, void *out) {
  Affines *v = out;
  st_vec_push(p->m->arena, v, parse_affine(p));
}

static StGuard parse_guard(Parser *p) {
  StGuard g = {.dim = -1};
  if (!accept(p, "guard"))
    return g;
  g.dim = parse_dim(p);
  g.lo = parse_sym(p);
  g.hi = parse_sym(p);
  return g;
}

/* ---- types ----------------------------------------------------------------------- */

static StItensor parse_order(Parser *p, int rank) {
  StItensor o = {.rank = rank};
  o.elem = parse_ints(p, rank);
  expect(p, ",");
  Syms trips = {0};
  parse_list(p, sym_item, &trips);
  expect(p, "*");
  int64_t *step = parse_ints(p, trips.n);
  expect(p, ",");
  int64_t *dim = parse_ints(p, trips.n);
  expect(p, ",");
  o.origin = parse_syms(p, rank);
  o.nloops = trips.n;
  o.loop = ST_NEW_N(p->m->arena, StLoop, trips.n + 1);
  for (int i = 0; i < trips.n && !p->failed; i++) {
    if (dim[i] < -1 || dim[i] >= rank)
      fail(p, "a loop of an order walks a dim that does not exist");
    o.loop[i] = (StLoop){(int)dim[i], trips.at[i], step[i]};
  }
  return o;
}

static void parse_type(Parser *p, StValue *v) {
  bool stream = accept(p, "itensor");
  if (!stream)
    expect(p, "tensor");
  expect(p, "<");
  v->type.dtype = parse_dtype(p);
  Syms shape = {0};
  parse_list(p, sym_item, &shape);
  v->type.rank = shape.n;
  v->type.shape = shape.at ? shape.at : ST_NEW(p->m->arena, StSym);
  if (stream) {
    expect(p, "by");
    v->type.order = ST_NEW(p->m->arena, StItensor);
    *v->type.order = parse_order(p, shape.n);
  }
  expect(p, ">");
  if (accept(p, "depth"))
    v->depth = parse_int(p);
  if (accept(p, "memory"))
    v->memory = (StMemory)parse_name(p, memory_name, ST_MEM_COUNT,
                                     "expected a kind of memory");
  if (accept(p, "name"))
    v->name = parse_string(p);
}

/* ---- ops --------------------------------------------------------------------------- */

/* The value of a printed id: made at its first mention. */
static StValue *value_of(Parser *p, int id) {
  if (id < 0 || id >= p->value.n) {
    fail(p, "the number of a value is out of range");
    return NULL;
  }
  if (!p->value.at[id]) {
    p->value.at[id] = ST_NEW(p->m->arena, StValue);
    p->value.at[id]->id = id;
  }
  return p->value.at[id];
}

static void value_items(Parser *p, StValue ***list, int *n) {
  ST_VEC(StValue *) v = {0};
  while (!p->failed && accept(p, "%")) {
    StValue *one = value_of(p, parse_small(p));
    st_vec_push(p->m->arena, &v, one);
    if (!accept(p, ","))
      break;
  }
  *list = v.at ? v.at : ST_NEW_N(p->m->arena, StValue *, 1);
  *n = v.n;
}

static void parse_expr(Parser *p, StNest *n) {
  StExpr e = {.arg = {-1, -1, -1}};
  e.kind = (StScalarKind)parse_name(p, scalar_name, ST_X_COUNT,
                                    "expected a scalar operation");
  e.dtype = parse_dtype(p);
  if (e.kind == ST_X_CMPF || e.kind == ST_X_CMPI)
    e.pred = (StPredicate)parse_name(p, predicate_name, ST_P_COUNT,
                                     "expected a comparison");
  if (e.kind == ST_X_ARG || e.kind == ST_X_EXTRACT)
    e.operand = parse_small(p);
  if (e.kind == ST_X_CONST)
    e.bits = parse_hex(p);
  if (e.kind == ST_X_INDEX)
    e.affine = parse_affine(p);
  for (int k = 0; k < st_scalar_args(e.kind); k++)
    e.arg[k] = parse_small(p);
  if (e.kind == ST_X_EXTRACT) {
    Ints idx = {0};
    parse_list(p, int_item, &idx);
    e.nindices = idx.n;
    e.indices = to_ints(p, &idx);
  }
  st_expr_push(p->m, &n->body, e);
}

static void parse_dims(Parser *p, StNest *n) {
  ST_VEC(StDim) dims = {0};
  while (!p->failed && accept(p, "dim")) {
    StDim d = {.reduction = accept(p, "red")};
    d.iteration = !d.reduction && accept(p, "iter");
    if (!d.reduction && !d.iteration)
      expect(p, "par");
    d.extent = parse_sym(p);
    skip_space(p);
    if (p->at < p->n && p->text[p->at] == '"')
      d.name = parse_string(p);
    st_vec_push(p->m->arena, &dims, d);
  }
  n->dim = dims.at ? dims.at : ST_NEW(p->m->arena, StDim);
  n->ndims = dims.n;
}

static void parse_schedule(Parser *p, StNest *n) {
  ST_VEC(StLoop) loops = {0};
  while (!p->failed && accept(p, "loop")) {
    StLoop l = {.dim = parse_dim(p)};
    l.trip = parse_sym(p);
    l.step = parse_int(p);
    st_vec_push(p->m->arena, &loops, l);
  }
  ST_VEC(StLane) lanes = {0};
  while (!p->failed && accept(p, "lane")) {
    StLane l = {.dim = parse_dim(p)};
    l.size = parse_small(p);
    st_vec_push(p->m->arena, &lanes, l);
  }
  n->loop = loops.at ? loops.at : ST_NEW(p->m->arena, StLoop);
  n->nloops = loops.n;
  n->lane = lanes.at ? lanes.at : ST_NEW(p->m->arena, StLane);
  n->nlanes = lanes.n;
}

/* Ranks are those of lists in the text: types may come later. */
static StAffine *parse_any_map(Parser *p, int *rank) {
  Affines v = {0};
  parse_list(p, affine_item, &v);
  *rank = v.n;
  return v.at ? v.at : ST_NEW(p->m->arena, StAffine);
}

static void parse_nest(Parser *p, StOp *op, int *ranks) {
  StNest *n = &op->u.nest;
  StArena *a = p->m->arena;
  expect(p, "{");
  parse_dims(p, n);
  n->in = ST_NEW_N(a, StInput, op->noperands + 1);
  for (int k = 0; k < op->noperands && !p->failed; k++) {
    expect(p, "in");
    if (accept(p, "table"))
      ranks[k] = -1;
    else
      n->in[k].map = parse_any_map(p, &ranks[k]);
    n->in[k].guard = parse_guard(p);
  }
  expect(p, "body");
  while (!p->failed && !accept(p, "out") && !accept(p, "loop")) {
    skip_space(p);
    if (p->at < p->n && p->text[p->at] == '}')
      break;
    parse_expr(p, n);
  }
  n->out = ST_NEW_N(a, StOutput, op->nresults + 1);
  for (int r = 0; r < op->nresults && !p->failed; r++) {
    if (r)
      expect(p, "out");
    n->out[r].yield = parse_small(p);
    n->out[r].combine = (StScalarKind)parse_name(
        p, scalar_name, ST_X_COUNT, "expected how a result is combined");
    n->out[r].map = parse_any_map(p, &ranks[op->noperands + r]);
    n->out[r].guard = parse_guard(p);
  }
  parse_schedule(p, n);
  expect(p, "}");
}

static void parse_const(Parser *p, StConst *c) {
  expect(p, "of");
  c->n = parse_small(p);
  c->splat = accept(p, "splat");
  expect(p, "hex");
  expect(p, "\"");
  size_t end = p->at;
  while (end < p->n && hex_digit(p->text[end]) >= 0)
    end++;
  size_t n = (end - p->at) / 2;
  unsigned char *data = st_arena_alloc(p->m->arena, n + 8);
  for (size_t i = 0; i < n; i++)
    data[i] = (unsigned char)(hex_digit(p->text[p->at + 2 * i]) << 4 |
                              hex_digit(p->text[p->at + 2 * i + 1]));
  p->at += 2 * n;
  c->data = data;
  c->bytes = (int64_t)n;
  expect(p, "\"");
  if (!p->failed && c->n < 1)
    fail(p, "a constant has at least one tensor");
}

static void parse_indices(Parser *p, StIndexList *l) {
  Ints v = {0};
  parse_list(p, int_item, &v);
  l->n = v.n;
  l->index = to_ints(p, &v);
}

static void parse_converter(Parser *p, StConverter *c) {
  expect(p, "shared");
  c->shared = parse_small(p);
  expect(p, "banks");
  c->banks = parse_small(p);
  c->flow = accept(p, "flow");
  expect(p, "window");
  c->window = parse_int(p);
  Ints extent = {0};
  parse_list(p, int_item, &extent);
  if (extent.n > 8)
    fail(p, "a converter has at most 8 dims");
  for (int i = 0; i < extent.n && i < 8; i++)
    c->extent[i] = extent.at[i];
  if (accept(p, "memory"))
    c->memory = (StMemory)parse_name(p, memory_name, ST_MEM_COUNT,
                                     "expected a kind of memory");
  expect(p, "fill");
  c->fill = parse_order(p, extent.n);
  expect(p, "drain");
  c->drain = parse_order(p, extent.n);
}

static void int_list(Parser *p, Ints *v) {
  v->n = 0;
  parse_list(p, int_item, v);
  if (!v->at)
    v->at = ST_NEW(p->m->arena, int64_t);
}

static void parse_attributes(Parser *p, StOp *op, int *ranks) {
  Ints v = {0};
  Syms s = {0};
  switch (op->kind) {
  case ST_OP_ARG:
  case ST_OP_RESULT:
    parse_indices(p, &op->u.index);
    break;
  case ST_OP_CONST:
    parse_const(p, &op->u.constant);
    break;
  case ST_OP_GENERIC:
  case ST_OP_KERNEL:
    parse_nest(p, op, ranks);
    break;
  case ST_OP_SLICE:
    expect(p, "offset");
    parse_list(p, sym_item, &s);
    op->u.slice.offset = s.at ? s.at : ST_NEW(p->m->arena, StSym);
    expect(p, "stride");
    int_list(p, &v);
    op->u.slice.stride = v.at;
    ranks[0] = s.n == v.n ? s.n : -2;
    break;
  case ST_OP_CONCAT:
    expect(p, "axis");
    op->u.axis = parse_small(p);
    break;
  case ST_OP_CONVERTER:
    parse_converter(p, &op->u.converter);
    break;
  case ST_OP_LOAD:
    expect(p, "gather");
    op->u.load.gather = parse_small(p);
    expect(p, "level");
    op->u.load.index_level = parse_small(p);
    expect(p, "layer");
    op->u.load.layer_dim = parse_small(p);
    expect(p, "stride");
    int_list(p, &v);
    op->u.load.stride = v.at;
    ranks[op->noperands] = v.n;
    expect(p, "channel");
    op->u.load.channel = parse_small(p);
    break;
  case ST_OP_STORE:
    parse_indices(p, &op->u.store.index);
    expect(p, "layer");
    op->u.store.layer_dim = parse_small(p);
    expect(p, "stride");
    int_list(p, &v);
    op->u.store.stride = v.at;
    ranks[0] = v.n;
    expect(p, "channel");
    op->u.store.channel = parse_small(p);
    break;
  case ST_OP_VIEW:
  case ST_OP_CARRY:
  case ST_OP_FORK:
  case ST_OP_COUNT:
    break;
  }
}

static void parse_common(Parser *p, StOp *op) {
  if (accept(p, "name"))
    op->name = parse_string(p);
  if (accept(p, "scope"))
    op->scope = parse_small(p);
  if (accept(p, "ii")) {
    op->ii = parse_small(p);
    expect(p, "latency");
    op->latency = parse_small(p);
  }
  if (accept(p, "group")) {
    op->group = parse_small(p);
    expect(p, "die");
    op->die = parse_small(p);
  }
}

typedef struct { /* what the text says about ranks, checked at the end */
  StOp *op;
  int *rank; /* [operands + results]; -1 no map, -2 lists disagree */
  StLoc loc;
} Ranks;

typedef ST_VEC(Ranks) RanksVec;

static void parse_op(Parser *p, RanksVec *checks) {
  StArena *a = p->m->arena;
  StOp *op = ST_NEW(a, StOp);
  StLoc at = here(p);
  value_items(p, &op->result, &op->nresults);
  if (op->nresults)
    expect(p, "=");
  op->kind = (StOpKind)parse_name(p, op_name, ST_OP_COUNT,
                                  "expected an operation");
  expect(p, "#");
  op->id = parse_small(p);
  expect(p, "(");
  value_items(p, &op->operand, &op->noperands);
  expect(p, ")");
  parse_common(p, op);
  int *ranks = ST_NEW_N(a, int, op->noperands + op->nresults + 2);
  for (int i = 0; i < op->noperands + op->nresults + 2; i++)
    ranks[i] = -1;
  parse_attributes(p, op, ranks);
  for (int r = 0; r < op->nresults && !p->failed; r++) {
    expect(p, r ? "," : ":");
    StValue *v = op->result[r];
    if (v->def) {
      fail(p, "the value is defined twice");
      return;
    }
    v->def = op;
    v->result = r;
    parse_type(p, v);
  }
  if (accept(p, "loc(")) {
    op->loc.file = parse_string(p);
    expect(p, ":");
    op->loc.line = parse_small(p);
    expect(p, ":");
    op->loc.col = parse_small(p);
    expect(p, ")");
  }
  st_op_append(p->m, op);
  Ranks r = {op, ranks, at};
  st_vec_push(a, checks, r);
}

/* Every value has a definition, and lists are as long as their tensors. */
static void check_ranks(Parser *p, const RanksVec *checks) {
  for (int i = 0; i < checks->n && !p->failed; i++) {
    const Ranks *c = &checks->at[i];
    const StOp *op = c->op;
    const char *what = NULL;
    for (int k = 0; k < op->noperands && !what; k++)
      if (!op->operand[k]->def)
        what = "an operand has no definition";
    for (int k = 0; k < op->noperands + op->nresults && !what; k++) {
      const StValue *v = k < op->noperands ? op->operand[k]
                                           : op->result[k - op->noperands];
      if (c->rank[k] == -2 || (c->rank[k] >= 0 && c->rank[k] != v->type.rank))
        what = "a list has another length than its tensor has dims";
    }
    if (op->kind == ST_OP_CONVERTER && !what &&
        (op->noperands != 1 || op->nresults != 1 ||
         op->u.converter.fill.rank != op->operand[0]->type.rank ||
         op->u.converter.drain.rank != op->result[0]->type.rank))
      what = "a converter's orders have another rank than its streams";
    if (what) {
      st_error(p->diag, c->loc, "%s", what);
      p->failed = true;
    }
  }
}

static void parse_port(Parser *p, bool argument) {
  StPort port = {0};
  port.role = (StRole)parse_name(p, role_name, ST_ROLE_COUNT,
                                 "expected a role");
  port.dtype = parse_dtype(p);
  Syms shape = {0};
  parse_list(p, sym_item, &shape);
  port.rank = shape.n;
  port.shape = shape.at ? shape.at : ST_NEW(p->m->arena, StSym);
  expect(p, "cache");
  port.cache = parse_small(p);
  expect(p, "axis");
  port.axis = parse_small(p);
  port.name = parse_string(p);
  if (argument)
    st_vec_push(p->m->arena, &p->m->arg, port);
  else
    st_vec_push(p->m->arena, &p->m->ret, port);
}

static void parse_header(Parser *p) {
  expect(p, "module");
  p->m->name = parse_string(p);
  expect(p, "ctx");
  p->m->ctx = parse_int(p);
  expect(p, "chunk");
  p->m->chunk = parse_int(p);
  if (accept(p, "target"))
    p->m->target = parse_string(p);
  expect(p, "ops");
  p->m->next_op = parse_small(p);
  expect(p, "values");
  p->m->next_value = parse_small(p);
  /* a value takes at least three bytes of text */
  if (!p->failed && (p->m->next_value < 0 || p->m->next_op < 0 ||
                     (size_t)p->m->next_value > p->n * 64))
    fail(p, "the text is too short for so many values");
  for (int i = 0; !p->failed && i < p->m->next_value; i++)
    st_vec_push(p->m->arena, &p->value, NULL);
  expect(p, "{");
}

StModule *st_module_parse(const char *file, const char *text, size_t n,
                          StDiag *diag) {
  Parser p = {.file = file, .text = text, .n = n, .diag = diag};
  p.m = st_module_new("");
  p.file = st_arena_strdup(p.m->arena, file);
  st_diag_add_source(diag, p.file, text, n);
  parse_header(&p);
  while (!p.failed) {
    if (accept(&p, "argument"))
      parse_port(&p, true);
    else if (accept(&p, "return"))
      parse_port(&p, false);
    else
      break;
  }
  while (!p.failed && accept(&p, "repeat")) {
    StRepeat r = {parse_int(&p)};
    st_vec_push(p.m->arena, &p.m->repeat, r);
  }
  RanksVec checks = {0};
  while (!p.failed && !accept(&p, "}"))
    parse_op(&p, &checks);
  skip_space(&p);
  if (!p.failed && p.at < p.n)
    fail(&p, "text after the end of the module");
  check_ranks(&p, &checks);
  st_diag_add_source(diag, p.file, NULL, 0);
  if (!p.failed)
    return p.m;
  st_module_free(p.m);
  return NULL;
}
