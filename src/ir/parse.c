/* The text form, read back (grammar in doc/ir.md): recursive descent, two
 * levels deep. Ids stay as they are in the text. */
#include "ir/text.h"

#include <string.h>

/* The values seen so far, by id; open addressing. */
typedef struct {
  StValue **at;
  int n, mask; /* entries, and room - 1 */
} Values;

typedef struct { /* what the text says about ranks, checked at the end */
  StOp *op;
  int *rank; /* [operands + results]; -1 nothing */
  StLoc loc;
} Ranks;

typedef struct {
  StText x;
  StModule *m;
  Values value;
  ST_VEC(Ranks) ranks;
} Parser;

/* ---- values ----------------------------------------------------------- */

static int slot_of(const Values *v, int id) {
  int i = (int)((unsigned)id * 2654435761u >> 8) & v->mask;
  while (v->at[i] && v->at[i]->id != id)
    i = (i + 1) & v->mask;
  return i;
}

static void grow_values(StArena *a, Values *v) {
  Values old = *v;
  v->mask = v->at ? 2 * v->mask + 1 : 63;
  v->at = ST_NEW_N(a, StValue *, v->mask + 1);
  for (int i = 0; old.at && i <= old.mask; i++)
    if (old.at[i])
      v->at[slot_of(v, old.at[i]->id)] = old.at[i];
}

/* The value of an id: made at its first mention. */
static StValue *value_of(Parser *p, int id) {
  StArena *a = p->m->arena;
  if (id < 0 || id >= p->m->next_value) {
    st_text_fail(&p->x, "value %d is beyond the header's number of values", id);
    id = 0;
  }
  if (!p->value.at || 2 * p->value.n >= p->value.mask)
    grow_values(a, &p->value);
  StValue **v = &p->value.at[slot_of(&p->value, id)];
  if (!*v) {
    *v = ST_NEW(a, StValue);
    (*v)->id = id;
    p->value.n++;
  }
  return *v;
}

static StValue **parse_values(Parser *p, int *n) {
  ST_VEC(StValue *) v = {0};
  while (!p->x.failed && st_text_accept(&p->x, "%")) {
    StValue *one = value_of(p, st_text_small(&p->x));
    st_vec_push(p->m->arena, &v, one);
    if (!st_text_accept(&p->x, ","))
      break;
  }
  *n = v.n;
  return v.at ? v.at : ST_NEW(p->m->arena, StValue *);
}

/* ---- names ------------------------------------------------------------ */

static const char *op_name(int i) { return st_op_name((StOpKind)i); }
static const char *scalar_name(int i) {
  return st_scalar_name((StScalarKind)i);
}
static const char *predicate_name(int i) {
  return st_predicate_name((StPredicate)i);
}
static const char *memory_name(int i) { return st_memory_name((StMemory)i); }
static const char *role_name(int i) { return st_role_name((StRole)i); }

static StScalarKind parse_scalar(StText *x) {
  return (StScalarKind)st_text_name(x, scalar_name, ST_X_COUNT,
                                    "a scalar operation such as addf");
}

static StMemory parse_memory(StText *x) {
  if (!st_text_accept(x, "memory"))
    return ST_MEM_AUTO;
  return (StMemory)st_text_name(x, memory_name, ST_MEM_COUNT,
                                "a kind of memory such as bram");
}

static const char *parse_optional_name(StText *x) {
  return st_text_accept(x, "name") ? st_text_string(x) : NULL;
}

static int parse_word_small(StText *x, const char *word) {
  st_text_expect(x, word);
  return st_text_small(x);
}

/* ---- nests ------------------------------------------------------------ */

static StGuard parse_guard(StText *x) {
  StGuard g = {.dim = -1};
  if (!st_text_accept(x, "guard"))
    return g;
  g.dim = st_text_dim(x);
  g.lo = st_text_sym(x);
  g.hi = st_text_sym(x);
  return g;
}

static void parse_expr(Parser *p, StNest *n) {
  StText *x = &p->x;
  StExpr e = {.kind = parse_scalar(x), .arg = {-1, -1, -1}};
  e.dtype = st_text_dtype(x);
  if (e.kind == ST_X_CMPF || e.kind == ST_X_CMPI)
    e.pred = (StPredicate)st_text_name(x, predicate_name, ST_P_COUNT,
                                       "a comparison such as olt");
  if (e.kind == ST_X_ARG || e.kind == ST_X_EXTRACT)
    e.operand = st_text_small(x);
  if (e.kind == ST_X_CONST)
    e.bits = st_text_bits(x);
  if (e.kind == ST_X_INDEX)
    e.affine = st_text_affine(x);
  for (int k = 0; k < st_scalar_args(e.kind); k++)
    e.arg[k] = st_text_small(x);
  if (e.kind == ST_X_EXTRACT)
    e.indices = st_text_smalls(x, &e.nindices);
  st_expr_push(p->m, &n->body, e);
}

static void parse_dims(Parser *p, StNest *n) {
  ST_VEC(StDim) v = {0};
  StText *x = &p->x;
  while (!x->failed && st_text_accept(x, "dim")) {
    StDim d = {.reduction = st_text_accept(x, "red")};
    d.iteration = !d.reduction && st_text_accept(x, "iter");
    if (!d.reduction && !d.iteration)
      st_text_expect(x, "par");
    d.extent = st_text_sym(x);
    if (st_text_peek(x) == '"')
      d.name = st_text_string(x);
    st_vec_push(p->m->arena, &v, d);
  }
  n->dim = v.at ? v.at : ST_NEW(p->m->arena, StDim);
  n->ndims = v.n;
}

static void parse_schedule(Parser *p, StNest *n) {
  ST_VEC(StLoop) loops = {0};
  ST_VEC(StLane) lanes = {0};
  StText *x = &p->x;
  while (!x->failed && st_text_accept(x, "loop")) {
    StLoop l = {.dim = st_text_dim(x)};
    l.trip = st_text_sym(x);
    l.step = st_text_int(x);
    st_vec_push(p->m->arena, &loops, l);
  }
  while (!x->failed && st_text_accept(x, "lane")) {
    StLane l = {.dim = st_text_dim(x)};
    l.size = st_text_small(x);
    st_vec_push(p->m->arena, &lanes, l);
  }
  n->soft = st_text_accept(x, "soft") ? st_text_int(x) : 0;
  if (st_text_accept(x, "ways"))
    n->ways = st_text_small(x);
  n->loop = loops.at ? loops.at : ST_NEW(p->m->arena, StLoop);
  n->nloops = loops.n;
  n->lane = lanes.at ? lanes.at : ST_NEW(p->m->arena, StLane);
  n->nlanes = lanes.n;
}

/* Ranks are those of the lists: types come later. */
static StAffine *parse_map(StText *x, int *rank) {
  StAffines v = st_text_affines(x);
  *rank = v.n;
  return v.at;
}

static void parse_nest(Parser *p, StOp *op, int *ranks) {
  StNest *n = &op->u.nest;
  StText *x = &p->x;
  st_text_expect(x, "{");
  parse_dims(p, n);
  n->in = ST_NEW_N(p->m->arena, StInput, op->noperands + 1);
  for (int k = 0; k < op->noperands && !x->failed; k++) {
    st_text_expect(x, "in");
    if (!st_text_accept(x, "table"))
      n->in[k].map = parse_map(x, &ranks[k]);
    n->in[k].guard = parse_guard(x);
  }
  st_text_expect(x, "body");
  while (!x->failed && !st_text_next(x, "out") && !st_text_next(x, "loop") &&
         !st_text_next(x, "lane") && !st_text_next(x, "soft") &&
         !st_text_next(x, "ways") &&
         !st_text_next(x, "}"))
    parse_expr(p, n);
  n->out = ST_NEW_N(p->m->arena, StOutput, op->nresults + 1);
  for (int r = 0; r < op->nresults && !x->failed; r++) {
    st_text_expect(x, "out");
    n->out[r].yield = st_text_small(x);
    n->out[r].combine = parse_scalar(x);
    n->out[r].map = parse_map(x, &ranks[op->noperands + r]);
    n->out[r].guard = parse_guard(x);
  }
  parse_schedule(p, n);
  st_text_expect(x, "}");
}

/* ---- ops -------------------------------------------------------------- */

static void parse_const(StText *x, StConst *c) {
  c->n = parse_word_small(x, "of");
  c->splat = st_text_accept(x, "splat");
  c->data = st_text_hex(x, &c->bytes);
  if (c->n < 1)
    st_text_fail(x, "a constant holds at least one tensor");
}

static void parse_converter(StText *x, StConverter *c) {
  c->shared = parse_word_small(x, "shared");
  c->banks = parse_word_small(x, "banks");
  c->flow = st_text_accept(x, "flow");
  st_text_expect(x, "window");
  c->window = st_text_int(x);
  StInts extent = st_text_ints(x, -1);
  if (extent.n > (int)(sizeof c->extent / sizeof c->extent[0]))
    st_text_fail(x, "a converter has at most 8 dims");
  for (int i = 0; i < extent.n && !x->failed; i++)
    c->extent[i] = extent.at[i];
  c->memory = parse_memory(x);
  st_text_expect(x, "fill");
  c->fill = st_text_order(x, extent.n);
  st_text_expect(x, "drain");
  c->drain = st_text_order(x, extent.n);
}

static int64_t *parse_stride(StText *x, int *rank) {
  st_text_expect(x, "stride");
  StInts v = st_text_ints(x, -1);
  *rank = v.n;
  return v.at;
}

static void parse_slice(StText *x, StSlice *s, int *rank) {
  st_text_expect(x, "offset");
  StSyms offset = st_text_syms(x, -1);
  s->offset = offset.at;
  st_text_expect(x, "stride");
  s->stride = st_text_ints(x, offset.n).at;
  *rank = offset.n;
}

/* Of a load or store: 1 where it is not there. */
static int parse_channels(StText *x) {
  return st_text_accept(x, "channels") ? st_text_small(x) : 1;
}

static void parse_load(StText *x, StLoad *l, int *rank) {
  l->gather = parse_word_small(x, "gather");
  l->index_level = parse_word_small(x, "level");
  l->layer_dim = parse_word_small(x, "layer");
  l->stride = parse_stride(x, rank);
  l->channel = parse_word_small(x, "channel");
  l->channels = parse_channels(x);
}

static int64_t parse_word_int(StText *x, const char *word) {
  st_text_expect(x, word);
  return st_text_int(x);
}

/* ranks[]: of the results. */
static void parse_bundle(StText *x, StOp *op, int *ranks) {
  StBundle *b = &op->u.bundle;
  b->part = ST_NEW_N(x->arena, StBundlePart, op->nresults + 1);
  b->channel = parse_word_small(x, "channel");
  b->channels = parse_word_small(x, "channels");
  st_text_expect(x, "{");
  for (int r = 0; r < op->nresults && !x->failed; r++) {
    StBundlePart *p = &b->part[r];
    st_text_expect(x, "part");
    p->layer_dim = parse_word_small(x, "layer");
    p->stride = parse_stride(x, &ranks[r]);
    p->base = parse_word_int(x, "base");
    p->period = parse_word_int(x, "period");
    p->times = parse_word_int(x, "times");
    p->slots = parse_word_int(x, "slots");
    p->first = parse_word_int(x, "frames");
    p->last = st_text_int(x);
    p->per_frame = parse_word_int(x, "each");
  }
  st_text_expect(x, "}");
}

static void parse_store(StText *x, StStore *s, int *rank) {
  s->index.index = st_text_smalls(x, &s->index.n);
  s->layer_dim = parse_word_small(x, "layer");
  s->stride = parse_stride(x, rank);
  s->channel = parse_word_small(x, "channel");
  s->channels = parse_channels(x);
}

/* The values whose ranks are the lengths of the payload's lists are there. */
static bool has_list_values(const StOp *op) {
  bool in = op->kind == ST_OP_SLICE || op->kind == ST_OP_STORE ||
            op->kind == ST_OP_CONVERTER;
  bool out = op->kind == ST_OP_LOAD || op->kind == ST_OP_CONVERTER;
  return (!in || op->noperands > 0) && (!out || op->nresults > 0);
}

/* ranks[]: of the operands, then of the results. */
static void parse_payload(Parser *p, StOp *op, int *ranks) {
  StText *x = &p->x;
  if (!has_list_values(op))
    st_text_fail(x, "a %s needs its operand and result", st_op_name(op->kind));
  switch (op->kind) {
  case ST_OP_ARG:
  case ST_OP_RESULT:
    op->u.index.index = st_text_smalls(x, &op->u.index.n);
    break;
  case ST_OP_CONST:
    parse_const(x, &op->u.constant);
    break;
  case ST_OP_GENERIC:
  case ST_OP_KERNEL:
    parse_nest(p, op, ranks);
    break;
  case ST_OP_SLICE:
    parse_slice(x, &op->u.slice, &ranks[0]);
    break;
  case ST_OP_CONCAT:
    op->u.axis = parse_word_small(x, "axis");
    break;
  case ST_OP_CONVERTER:
    parse_converter(x, &op->u.converter);
    ranks[0] = ranks[op->noperands] = op->u.converter.fill.rank;
    break;
  case ST_OP_LOAD:
    parse_load(x, &op->u.load, &ranks[op->noperands]);
    break;
  case ST_OP_BUNDLE:
    parse_bundle(x, op, &ranks[op->noperands]);
    break;
  case ST_OP_STORE:
    parse_store(x, &op->u.store, &ranks[0]);
    break;
  case ST_OP_VIEW:
  case ST_OP_CARRY:
  case ST_OP_FORK:
  case ST_OP_COUNT:
    break;
  }
}

static void parse_attributes(StText *x, StOp *op) {
  op->name = parse_optional_name(x);
  if (st_text_accept(x, "scope"))
    op->scope = st_text_small(x);
  if (st_text_accept(x, "ii")) {
    op->ii = st_text_small(x);
    op->latency = parse_word_small(x, "latency");
  }
  if (st_text_accept(x, "group")) {
    op->group = st_text_small(x);
    op->die = parse_word_small(x, "die");
  }
}

static void parse_results(Parser *p, StOp *op) {
  StText *x = &p->x;
  for (int r = 0; r < op->nresults && !x->failed; r++) {
    StValue *v = op->result[r];
    st_text_expect(x, r ? "," : ":");
    if (v->def)
      st_text_fail(x, "value %d is defined twice", v->id);
    v->def = op;
    v->result = r;
    v->type = st_text_type(x);
    if (st_text_accept(x, "depth"))
      v->depth = st_text_int(x);
    v->memory = parse_memory(x);
    if (st_text_accept(x, "die"))
      v->die = st_text_small(x);
    v->name = parse_optional_name(x);
  }
}

static StLoc parse_loc(StText *x) {
  StLoc loc = {0};
  if (!st_text_accept(x, "loc"))
    return loc;
  st_text_expect(x, "(");
  loc.file = st_text_string(x);
  loc.line = parse_word_small(x, ":");
  loc.col = parse_word_small(x, ":");
  st_text_expect(x, ")");
  return loc;
}

static void parse_op(Parser *p) {
  StText *x = &p->x;
  StArena *a = p->m->arena;
  StOp *op = ST_NEW(a, StOp);
  Ranks r = {.op = op, .loc = st_text_loc(x)};
  op->result = parse_values(p, &op->nresults);
  if (op->nresults)
    st_text_expect(x, "=");
  op->kind = (StOpKind)st_text_name(x, op_name, ST_OP_COUNT,
                                    "an operation such as generic");
  op->id = parse_word_small(x, "#");
  st_text_expect(x, "(");
  op->operand = parse_values(p, &op->noperands);
  st_text_expect(x, ")");
  if (x->failed)
    return;
  parse_attributes(x, op);
  r.rank = ST_NEW_N(a, int, op->noperands + op->nresults + 2);
  for (int i = 0; i < op->noperands + op->nresults + 2; i++)
    r.rank[i] = -1;
  parse_payload(p, op, r.rank);
  parse_results(p, op);
  op->loc = parse_loc(x);
  st_op_append(p->m, op);
  st_vec_push(a, &p->ranks, r);
}

/* Every value has a definition, and lists are as long as their tensors. */
static void check_ranks(Parser *p) {
  for (int i = 0; i < p->ranks.n; i++) {
    const Ranks *c = &p->ranks.at[i];
    const StOp *op = c->op;
    for (int k = 0; k < op->noperands + op->nresults; k++) {
      bool in = k < op->noperands;
      const StValue *v = in ? op->operand[k] : op->result[k - op->noperands];
      if (v->def && (c->rank[k] < 0 || c->rank[k] == v->type.rank))
        continue;
      if (!v->def)
        st_error(p->x.diag, c->loc, "value %d has no definition", v->id);
      else
        st_error(p->x.diag, c->loc,
                 "a list has %d entries where value %d has %d dims", c->rank[k],
                 v->id, v->type.rank);
      p->x.failed = true;
    }
  }
}

/* ---- the module ------------------------------------------------------- */

static void parse_port(Parser *p, bool argument) {
  StText *x = &p->x;
  StPort port = {0};
  port.role =
      (StRole)st_text_name(x, role_name, ST_ROLE_COUNT, "a role such as param");
  port.dtype = st_text_dtype(x);
  StSyms shape = st_text_syms(x, -1);
  port.rank = shape.n;
  port.shape = shape.at;
  port.cache = parse_word_small(x, "cache");
  port.axis = parse_word_small(x, "axis");
  port.name = st_text_string(x);
  if (argument)
    st_vec_push(p->m->arena, &p->m->arg, port);
  else
    st_vec_push(p->m->arena, &p->m->ret, port);
}

static void parse_header(Parser *p) {
  StText *x = &p->x;
  st_text_expect(x, "module");
  p->m->name = st_text_string(x);
  st_text_expect(x, "ctx");
  p->m->ctx = st_text_int(x);
  st_text_expect(x, "chunk");
  p->m->chunk = st_text_int(x);
  if (st_text_accept(x, "target"))
    p->m->target = st_text_string(x);
  p->m->next_op = parse_word_small(x, "ops");
  p->m->next_value = parse_word_small(x, "values");
  /* analyses have arrays of this length: not many times the text */
  int64_t most = 64 * (int64_t)x->n;
  if (p->m->next_op < 0 || p->m->next_value < 0 || p->m->next_op > most ||
      p->m->next_value > most)
    st_text_fail(x, "the text is too short for so many ops or values");
  st_text_expect(x, "{");
}

static void parse_module(Parser *p) {
  StText *x = &p->x;
  parse_header(p);
  while (!x->failed) {
    bool argument = st_text_accept(x, "argument");
    if (!argument && !st_text_accept(x, "return"))
      break;
    parse_port(p, argument);
  }
  while (!x->failed && st_text_accept(x, "repeat")) {
    StRepeat r = {st_text_int(x)};
    st_vec_push(p->m->arena, &p->m->repeat, r);
  }
  while (!x->failed && !st_text_accept(x, "}"))
    parse_op(p);
  if (st_text_peek(x))
    st_text_fail(x, "text after the end of the module");
  if (!x->failed)
    check_ranks(p);
}

StModule *st_module_parse(const char *file, const char *text, size_t n,
                          StDiag *diag) {
  Parser p = {.m = st_module_new("")};
  StArena *a = p.m->arena;
  p.x = (StText){.file = st_arena_strdup(a, file),
                 .text = text,
                 .n = n,
                 .arena = a,
                 .diag = diag,
                 .line = 1,
                 .col = 1};
  st_diag_add_source(diag, p.x.file, text, n);
  parse_module(&p);
  st_diag_add_source(diag, p.x.file, NULL, 0);
  if (!p.x.failed)
    return p.m;
  st_module_free(p.m);
  return NULL;
}
