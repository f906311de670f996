/* Converters, forks, loads, bundles and stores. */
#include "ir/verify.h"

#include "ir/itensor.h"

/* ---- converters ------------------------------------------------------- */

/* What the loops of data dim d from `first` on visit, as an order of one dim:
 * the largest step outermost, the extent of the token innermost. */
static StItensor positions_of(StArena *a, const StItensor *o, int d,
                              int first) {
  StItensor r = {
      .rank = 1, .elem = ST_NEW(a, int64_t), .origin = ST_NEW(a, StSym)};
  r.loop = ST_NEW_N(a, StLoop, o->nloops + 1);
  r.elem[0] = 1;
  for (int i = first; i < o->nloops; i++) {
    if (o->loop[i].dim != d)
      continue;
    int at = r.nloops++;
    for (; at > 0 && r.loop[at - 1].step < o->loop[i].step; at--)
      r.loop[at] = r.loop[at - 1];
    r.loop[at] = (StLoop){0, o->loop[i].trip, o->loop[i].step};
  }
  r.loop[r.nloops++] = (StLoop){0, st_sym_const(o->elem[d]), 1};
  return st_itensor_canonical(a, &r);
}

/* Every position once: a step is no less than what is inside of it spans. */
static bool is_spread(const StVerify *v, const StItensor *sorted) {
  int64_t span = 1;
  for (int i = sorted->nloops; i-- > 0;) {
    const StLoop *l = &sorted->loop[i];
    if (l->step < span)
      return false;
    span += l->step * (st_sym_max(l->trip, v->m->ctx, v->m->chunk) - 1);
  }
  return true;
}

/* An interval: one loop of step 1, or one position. */
static bool is_interval(const StItensor *sorted) {
  return sorted->nloops == 0 ||
         (sorted->nloops == 1 && sorted->loop[0].step == 1);
}

static bool check_shared(StVerify *v, const StOp *op) {
  const StConverter *c = &op->u.converter;
  if (c->banks < 1 || c->banks > 2)
    return st_verify_fail(v, op, "1, or 2: one fills while one drains",
                          "the converter has %d banks", c->banks);
  if (c->shared < 0 || c->shared > c->fill.nloops ||
      c->shared > c->drain.nloops)
    return st_verify_fail(v, op, "at most as many as fill and drain have",
                          "%d shared loops", c->shared);
  for (int i = 0; i < c->shared; i++) {
    const StLoop *x = &c->fill.loop[i], *y = &c->drain.loop[i];
    if (x->dim != y->dim || x->step != y->step || !st_sym_eq(x->trip, y->trip))
      return st_verify_fail(v, op, "share only the loops before it",
                            "shared loop %d of fill and drain differs", i);
  }
  return true;
}

/* In each window drain reads what fill has written. */
static bool is_filled(const StVerify *v, const StConverter *c, int d) {
  StItensor fill = positions_of(v->scratch, &c->fill, d, c->shared);
  StSym first =
      st_sym_add(c->drain.origin[d], st_sym_scale(c->fill.origin[d], -1));
  if (is_interval(&fill)) {
    StSym end = st_sym_add(first, st_itensor_extent(&c->drain, d, c->shared));
    return st_verify_ge(v, first, (StSym){0}) &&
           st_verify_ge(v, st_itensor_extent(&c->fill, d, c->shared), end);
  }
  StItensor drain = positions_of(v->scratch, &c->drain, d, c->shared);
  return st_sym_eq(first, (StSym){0}) &&
         st_itensor_same(v->scratch, &fill, &drain);
}

static bool check_window(StVerify *v, const StOp *op) {
  const StConverter *c = &op->u.converter;
  int64_t window = 1;
  bool once = st_itensor_is_once(&c->fill);
  for (int d = 0; d < c->fill.rank; d++) {
    StItensor all = positions_of(v->scratch, &c->fill, d, 0);
    once &= is_spread(v, &all);
    if (!is_filled(v, c, d))
      return st_verify_fail(v, op, "share fewer loops, or drain less",
                            "drain reads what fill does not write in its "
                            "window, in data dim %d",
                            d);
    StSym extent = st_itensor_extent(&c->fill, d, c->shared);
    int64_t most = st_sym_max(extent, v->m->ctx, v->m->chunk);
    if (c->extent[d] != most || !st_verify_mul(&window, most))
      return st_verify_fail(v, op,
                            "the window's extents are those that the "
                            "loops inside the shared ones fill, at most",
                            "extent %lld of data dim %d should be %lld",
                            (long long)c->extent[d], d, (long long)most);
  }
  if (!once)
    return st_verify_fail(v, op, "only drain streams again",
                          "fill visits an element twice");
  if (c->window != window)
    return st_verify_fail(v, op, "it is the product of its extents",
                          "the window of %lld elements should have %lld",
                          (long long)c->window, (long long)window);
  return true;
}

static bool check_flow(StVerify *v, const StOp *op) {
  const StConverter *c = &op->u.converter;
  if (!c->flow)
    return true;
  StItensor x = st_itensor_elements(v->scratch, &c->fill, c->shared);
  StItensor y = st_itensor_elements(v->scratch, &c->drain, c->shared);
  bool ok = st_itensor_same(v->scratch, &x, &y);
  for (int d = 0; d < c->fill.rank; d++)
    ok &= st_sym_eq(c->fill.origin[d], c->drain.origin[d]);
  return ok || st_verify_fail(v, op,
                              "drop 'flow': drain then waits for the "
                              "whole window",
                              "drain flows after fill, but does not read "
                              "elements in the order in which they arrive");
}

static void check_converter(StVerify *v, const StOp *op) {
  const StConverter *c = &op->u.converter;
  const StType *in = &op->operand[0]->type, *out = &op->result[0]->type;
  if (in->rank > (int)(sizeof c->extent / sizeof c->extent[0])) {
    st_verify_fail(v, op, "join dims that stay together",
                   "a converter of more than 8 dims");
    return;
  }
  if (!st_verify_same_shape(in, out)) {
    st_verify_fail(v, op, "a converter changes the order only",
                   "input and output are not of one tensor");
    return;
  }
  if (!st_verify_order(v, op, "fill", &c->fill, in->rank, in->shape) ||
      !st_verify_order(v, op, "drain", &c->drain, in->rank, in->shape) ||
      !check_shared(v, op) || !check_window(v, op) || !check_flow(v, op))
    return;
  if (!st_itensor_same(v->scratch, &c->fill, in->order))
    st_verify_fail(v, op, "fill is the order of the input, loops split",
                   "fill is another order than that of the input");
  if (!st_itensor_same(v->scratch, &c->drain, out->order))
    st_verify_fail(v, op, "drain is the order of the output, loops split",
                   "drain is another order than that of the output");
}

/* ---- forks ------------------------------------------------------------ */

/* A single copy may be of another shape if both stream their elements in
 * row-major order, or both with the dims that vary innermost. */
static bool is_reshape(StVerify *v, const StType *in, const StType *out) {
  int64_t w = st_itensor_token(in->order);
  if (in->dtype != out->dtype || w != st_itensor_token(out->order) ||
      (w > 1 && (!in->rank || !out->rank)) ||
      !st_verify_same_size(v, in->rank, in->shape, out->rank, out->shape, 1))
    return false;
  StArena *a = v->scratch;
  StItensor x = st_itensor_row_major(a, in, w);
  StItensor y = st_itensor_row_major(a, out, w);
  if (st_itensor_same(a, &x, in->order) && st_itensor_same(a, &y, out->order))
    return true;
  x = st_itensor_tokens_last(a, in, w);
  y = st_itensor_tokens_last(a, out, w);
  return st_itensor_is_reshape(in, out) && st_itensor_same(a, &x, in->order) &&
         st_itensor_same(a, &y, out->order);
}

static void check_fork(StVerify *v, const StOp *op) {
  const StType *in = &op->operand[0]->type;
  if (op->nresults < 1)
    st_verify_fail(v, op, "drop it", "a fork without copies");
  if (op->nresults == 1 && is_reshape(v, in, &op->result[0]->type))
    return;
  for (int r = 0; r < op->nresults; r++)
    if (!st_verify_same_shape(in, &op->result[r]->type) ||
        !st_itensor_same(v->scratch, in->order, op->result[r]->type.order))
      st_verify_fail(v, op,
                     "copies have the type of the stream; put a "
                     "converter behind one that needs another order",
                     "copy %d has another type than its stream", r);
}

/* ---- memory ----------------------------------------------------------- */

/* Elements that memory holds of one tensor: the context in full. */
static int64_t allocated(const StVerify *v, int rank, const StSym *shape) {
  int64_t n = 1;
  for (int d = 0; d < rank; d++) {
    StSym s = shape[d];
    int64_t e = s.p ? v->m->ctx * (s.p < ST_VERIFY_LANES ? s.p : 0) + s.c
                    : st_sym_max(s, v->m->ctx, v->m->chunk);
    if (!st_verify_mul(&n, e))
      return -1;
  }
  return n;
}

/* Addresses of all positions but those of `gather` stay below `size`. */
static void check_strides(StVerify *v, const StOp *op, const StType *t,
                          const int64_t *stride, int layer, int gather,
                          int layers, int64_t size) {
  int64_t last = 0;
  for (int d = 0; d < t->rank; d++) {
    int64_t reach = st_sym_max(t->shape[d], v->m->ctx, v->m->chunk) - 1;
    bool fits = stride[d] >= 0 && st_verify_mul(&reach, stride[d]);
    if (!fits || (d == layer && stride[d] != 0)) {
      st_verify_fail(v, op,
                     "a stride is that of the tensor in memory, 0 for "
                     "the dim that selects one of several",
                     "stride %lld of data dim %d is out of range",
                     (long long)stride[d], d);
      return;
    }
    last += d == gather || last > ST_VERIFY_MOST ? 0 : reach;
  }
  bool empty = st_verify_elements(v, t->rank, t->shape) == 0;
  if (!empty && last >= size)
    st_verify_fail(v, op,
                   "the largest position times stride, summed, is "
                   "inside of the tensor",
                   "addresses reach element %lld of a tensor of %lld",
                   (long long)last, (long long)size);
  if (layer < -1 || layer >= t->rank || (layer >= 0) != (layers > 1) ||
      (layer >= 0 && !st_verify_ge(v, st_sym_const(layers), t->shape[layer])))
    st_verify_fail(v, op,
                   "with several tensors one data dim of at most that "
                   "extent selects, else none does (-1)",
                   "data dim %d selects one of %d tensors", layer, layers);
}

/* What memory holds of what an ARG or CONST stands for; *n of them. */
static int64_t source_size(const StVerify *v, const StOp *def, int *n) {
  if (def->kind == ST_OP_ARG) {
    const StPort *p = &v->m->arg.at[def->u.index.index[0]];
    *n = def->u.index.n;
    return allocated(v, p->rank, p->shape);
  }
  const StType *t = &def->result[0]->type;
  *n = def->u.constant.n;
  int64_t size = allocated(v, t->rank, t->shape);
  return *n > 1 && !def->scope && size > 0 ? size / *n : size;
}

/* The index stream: one token for each beat that pops one. */
static void check_index(StVerify *v, const StOp *op) {
  const StLoad *l = &op->u.load;
  const StItensor *o = op->result[0]->type.order;
  const StType *t = &op->operand[1]->type;
  if (l->index_level < 0 || l->index_level > o->nloops || t->rank > 1) {
    st_verify_fail(v, op,
                   "it is the number of loops around the fetch of an "
                   "index of rank 0 or 1",
                   "index level %d is out of range", l->index_level);
    return;
  }
  if (o->elem[l->gather] != 1)
    st_verify_fail(v, op, "give the gathered dim no lanes",
                   "a token gathers %lld positions of data dim %d",
                   (long long)o->elem[l->gather], l->gather);
  StItensor want = {.rank = t->rank, .nloops = l->index_level};
  int64_t single = 1;
  want.elem = &single;
  want.origin = &o->origin[l->gather];
  want.loop = ST_NEW_N(v->scratch, StLoop, l->index_level + 1);
  for (int i = 0; i < o->nloops; i++) {
    if (i >= l->index_level && o->loop[i].dim == l->gather)
      st_verify_fail(v, op, "fetch an index inside all of the dim's loops",
                     "loop %d over the gathered dim is inside index level %d",
                     i, l->index_level);
    if (i >= l->index_level)
      continue;
    want.loop[i] = o->loop[i];
    if (t->rank == 0 || o->loop[i].dim != l->gather)
      want.loop[i].dim = -1;
  }
  if (!st_itensor_same(v->scratch, &want, t->order))
    st_verify_fail(v, op, "put a converter before it",
                   "the indices arrive in another order than they are used");
}

static void check_load(StVerify *v, const StOp *op) {
  const StLoad *l = &op->u.load;
  const StType *t = &op->result[0]->type;
  const StOp *def = op->operand[0]->def;
  bool index = op->noperands == 2;
  int n;
  if (def->kind != ST_OP_ARG && def->kind != ST_OP_CONST) {
    st_verify_fail(v, op, "load an argument or a constant",
                   "what is loaded is not in memory");
    return;
  }
  if (t->dtype != op->operand[0]->type.dtype ||
      (index && op->operand[1]->type.dtype != ST_I64))
    st_verify_fail(v, op,
                   "a load yields the type of its tensor; an index is "
                   "an i64",
                   "the types of tensor, index and result differ");
  if ((l->gather >= 0) != index || l->gather < -1 || l->gather >= t->rank ||
      (!v->streams && !index)) {
    st_verify_fail(v, op,
                   "name the data dim that the index is for; -1 without "
                   "one",
                   "it gathers along dim %d with %d operands", l->gather,
                   op->noperands);
    return;
  }
  if (index && v->streams)
    check_index(v, op);
  int64_t size = source_size(v, def, &n);
  check_strides(v, op, t, l->stride, l->layer_dim, l->gather, n, size);
  if (l->channel < -1 || l->channels < 0)
    st_verify_fail(v, op, "-1: not decided", "channel %d, %d channels",
                   l->channel, l->channels);
}

/* Beats and frames of one output; *tokens that it pushes. */
static bool is_program(const StBundlePart *p, int64_t *tokens) {
  int64_t beats = p->times;
  *tokens = p->times;
  return p->slots > 0 && p->base >= 0 && p->base <= ST_VERIFY_NUMBER &&
         p->period > 0 && p->times > 0 && p->base % p->slots == 0 &&
         p->period % p->slots == 0 &&
         (p->times == 1 || p->base % p->period == 0) && p->first >= 0 &&
         p->first < p->last && p->last <= p->period / p->slots &&
         p->per_frame > 0 && p->per_frame <= p->slots &&
         st_verify_mul(&beats, p->period) && beats <= ST_VERIFY_NUMBER &&
         st_verify_mul(tokens, p->last - p->first) &&
         st_verify_mul(tokens, p->per_frame);
}

/* One section, or two that do not overlap; in one the same frames, or some that
 * do not overlap. */
static bool are_apart(const StBundlePart *x, const StBundlePart *y) {
  if (x->base == y->base && x->period == y->period && x->times == y->times)
    return x->slots == y->slots || x->last * x->slots <= y->first * y->slots ||
           y->last * y->slots <= x->first * x->slots;
  return x->base + x->times * x->period <= y->base ||
         y->base + y->times * y->period <= x->base;
}

static bool has_constant_order(const StItensor *o) {
  bool constant = true;
  for (int i = 0; i < o->nloops; i++)
    constant &= st_sym_is_const(o->loop[i].trip);
  return constant;
}

static void check_part(StVerify *v, const StOp *op, int r) {
  const StBundle *b = &op->u.bundle;
  const StBundlePart *p = &b->part[r];
  const StType *t = &op->result[r]->type;
  const StOp *def = op->operand[r]->def;
  int64_t tokens;
  int n;
  if (def->kind != ST_OP_ARG || t->dtype != op->operand[r]->type.dtype) {
    st_verify_fail(v, op, "it yields the type of an argument",
                   "part %d reads no argument of its type", r);
    return;
  }
  if (!is_program(p, &tokens)) {
    st_verify_fail(v, op,
                   "base and period are multiples of slots, base one of "
                   "period; frames lie in the period; 1 .. slots tokens each",
                   "the program of part %d is not well formed", r);
    return;
  }
  if (!has_constant_order(t->order) ||
      st_itensor_tokens(t->order, 0, 0) != tokens)
    st_verify_fail(v, op, "times * frames * each is the number of its tokens",
                   "part %d pushes %lld tokens, its order has others", r,
                   (long long)tokens);
  int64_t size = source_size(v, def, &n);
  check_strides(v, op, t, p->stride, p->layer_dim, -1, n, size);
  for (int k = 0; k < r; k++)
    if (!are_apart(&b->part[k], p))
      st_verify_fail(v, op, "give them one base, period, times and slots",
                     "parts %d and %d overlap in part", k, r);
}

static void check_bundle(StVerify *v, const StOp *op) {
  const StBundle *b = &op->u.bundle;
  if (b->channel < -1 || b->channels < 1) {
    st_verify_fail(v, op, "at least one; channel -1: not decided",
                   "channel %d, %d channels", b->channel, b->channels);
    return;
  }
  for (int r = 0; r < op->nresults && v->ok; r++)
    check_part(v, op, r);
}

static void check_store(StVerify *v, const StOp *op) {
  const StStore *s = &op->u.store;
  const StType *t = &op->operand[0]->type;
  const StPort *p = &v->m->ret.at[s->index.index[0]];
  if (p->dtype != t->dtype)
    st_verify_fail(v, op, "store a stream of the result's type",
                   "result '%s' is of another type", p->name);
  if (!st_verify_same_size(v, t->rank, t->shape, p->rank, p->shape, s->index.n))
    st_verify_fail(v, op, "store each element of the result once",
                   "the stream has another number of elements than result '%s'",
                   p->name);
  if (p->role == ST_ROLE_CACHE_ROWS) /* rows lie in the cache's memory */
    p = &v->m->arg.at[p->cache];
  check_strides(v, op, t, s->stride, s->layer_dim, -1, s->index.n,
                allocated(v, p->rank, p->shape));
  if (s->channel < -1 || s->channels < 0)
    st_verify_fail(v, op, "-1: not decided", "channel %d, %d channels",
                   s->channel, s->channels);
}

void st_verify_stream_op(StVerify *v, const StOp *op) {
  if (op->kind == ST_OP_CONVERTER)
    check_converter(v, op);
  else if (op->kind == ST_OP_FORK)
    check_fork(v, op);
  else if (op->kind == ST_OP_LOAD)
    check_load(v, op);
  else if (op->kind == ST_OP_BUNDLE)
    check_bundle(v, op);
  else
    check_store(v, op);
}
