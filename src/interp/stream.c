/* Stream level modules on whole tensors. Ops are ordered so that operands come
 * first; ops on a cycle (a repeat) form a block that is run once for each
 * iteration of their outermost loop, which is the iteration of the repeat.
 *
 * A kernel takes its beats in the order of its loops, many at once; its lanes
 * are kept as [reduction lane][beat][parallel lane], so that a level of the
 * tree over the reduction lanes combines neighbouring arrays. */
#include "interp/stream.h"

#include <string.h>

#include "analysis/port.h"
#include "interp/nest.h"
#include "interp/scalar.h"
#include "ir/itensor.h"

typedef struct {
  StOp **op;
  int n;
  bool cycle;
  int64_t trip; /* iterations of a cycle */
} Block;

struct StStreamInterp {
  const StModule *m;
  StArena *a;
  StDiag *diag;
  StDense *value;   /* [value id] room for the largest extents */
  int64_t **extent; /* [value id] of this step */
  ST_VEC(Block) block;
  int64_t P, T;
  StMemoryImage *image;
};

/* ---- order ------------------------------------------------------------- */

typedef struct { /* Tarjan's strongly connected components */
  StStreamInterp *s;
  int *index, *low;
  bool *on;
  int next;
  ST_VEC(StOp *) stack;
} Order;

static bool is_run(const StOp *op) {
  return op->kind != ST_OP_ARG && op->kind != ST_OP_CONST;
}

/* An operand that reads what an earlier iteration made. */
static bool is_back(const StOp *op, int k) {
  if (op->kind != ST_OP_KERNEL || op->operand[k]->type.rank == 0)
    return false;
  const StAffine *layer = &op->u.nest.in[k].map[0];
  return st_affine_single(layer) == 0 && st_sym_is_const(layer->off) &&
         layer->off.c < 0;
}

/* Ops of a block in an order in which all operands but those from earlier
 * iterations come first; false if there is none. */
static bool sort_block(StArena *a, Block *b, const bool *inside) {
  ST_VEC(StOp *) out = {0};
  bool *done = ST_NEW_N(a, bool, b->n);
  for (int left = b->n; left > 0;) {
    int before = left;
    for (int i = 0; i < b->n; i++) {
      bool ready = !done[i];
      for (int k = 0; ready && k < b->op[i]->noperands; k++) {
        const StOp *def = b->op[i]->operand[k]->def;
        if (!inside[def->id] || is_back(b->op[i], k))
          continue;
        for (int j = 0; j < b->n; j++)
          ready &= b->op[j] != def || done[j];
      }
      if (!ready)
        continue;
      done[i] = true;
      left--;
      st_vec_push(a, &out, b->op[i]);
    }
    if (left == before)
      return false;
  }
  memcpy(b->op, out.at, (size_t)b->n * sizeof *b->op);
  return true;
}

/* Kernels of a block have its iteration as dim 0 and outermost loop; its
 * number of iterations, or 0. */
static int64_t trip_of(const Block *b) {
  int64_t trip = 0;
  for (int i = 0; i < b->n; i++) {
    if (b->op[i]->kind != ST_OP_KERNEL)
      continue;
    const StNest *n = &b->op[i]->u.nest;
    if (!n->nloops || n->loop[0].dim != 0 || n->loop[0].step != 1 ||
        !st_sym_is_const(n->loop[0].trip) ||
        (trip > 0 && n->loop[0].trip.c != trip))
      return 0;
    trip = n->loop[0].trip.c;
  }
  return trip;
}

static void visit(Order *o, StOp *op) {
  StArena *a = o->s->a;
  o->index[op->id] = o->low[op->id] = ++o->next;
  o->on[op->id] = true;
  st_vec_push(a, &o->stack, op);
  for (int k = 0; k < op->noperands; k++) {
    StOp *def = op->operand[k]->def;
    if (!is_run(def))
      continue;
    if (!o->index[def->id])
      visit(o, def);
    if (o->on[def->id] && o->low[def->id] < o->low[op->id])
      o->low[op->id] = o->low[def->id];
  }
  if (o->low[op->id] != o->index[op->id])
    return;
  Block b = {0};
  ST_VEC(StOp *) ops = {0};
  bool *inside = ST_NEW_N(a, bool, o->s->m->next_op + 1);
  StOp *top;
  do {
    top = o->stack.at[--o->stack.n];
    o->on[top->id] = false;
    inside[top->id] = true;
    st_vec_push(a, &ops, top);
  } while (top != op);
  b.op = ops.at;
  b.n = ops.n;
  b.cycle = b.n > 1;
  for (int k = 0; k < op->noperands; k++)
    b.cycle |= op->operand[k]->def == op;
  if (b.cycle && sort_block(a, &b, inside))
    b.trip = trip_of(&b);
  st_vec_push(a, &o->s->block, b);
}

/* ---- tensors ----------------------------------------------------------- */

static void place(StStreamInterp *s, const StValue *v) {
  int64_t n = st_type_max_elements(s->m, &v->type);
  int64_t *extent = ST_NEW_N(s->a, int64_t, v->type.rank + 1);
  s->extent[v->id] = extent;
  s->value[v->id] =
      (StDense){v->type.dtype, v->type.rank, extent,
                st_arena_alloc_n(s->a, (size_t)(n + 1),
                                 (size_t)st_slot_bytes(v->type.dtype))};
}

static void bind_extents(StStreamInterp *s) {
  for (int i = 0; i < s->block.n; i++)
    for (int k = 0; k < s->block.at[i].n; k++) {
      const StOp *op = s->block.at[i].op[k];
      for (int r = 0; r < op->nresults; r++) {
        const StType *t = &op->result[r]->type;
        for (int d = 0; d < t->rank; d++)
          s->extent[op->result[r]->id][d] =
              st_sym_eval(t->shape[d], s->P, s->T);
      }
    }
}

/* ---- kernels ----------------------------------------------------------- */

enum { POINTS = 256 }; /* lanes of all beats taken at once, about */

typedef struct {
  const StOp *op;
  const StNest *n;
  StKernelInfo info;
  StNestEval *eval;
  int64_t *trip, *index; /* [nloops] */
  int64_t **beat_dim;    /* [ndims][beats] what the loops give */
  int64_t **lane_dim;    /* [ndims][lanes] what a lane adds; reduction lanes
                            outermost */
  int most, beats;       /* room for beats; taken */
  int64_t *position;     /* [beats] of the accumulators of its parallel lanes */
  int64_t way_size;      /* accumulators of one way; way after way */
  int64_t count;         /* values that a fold has */
  bool *first, *last;    /* [beats] the first of a way, the last of a fold */
  char **acc;            /* [results] */
  char *tree;            /* values of the reduction lanes */
} Kernel;

static StNestEval *make_eval(StStreamInterp *s, StArena *a, const StOp *op,
                             int64_t layer, int points) {
  const StDense **port =
      ST_NEW_N(a, const StDense *, op->noperands + op->nresults + 1);
  for (int k = 0; k < op->noperands; k++)
    port[k] = &s->value[op->operand[k]->id];
  for (int r = 0; r < op->nresults; r++)
    port[op->noperands + r] = &s->value[op->result[r]->id];
  return st_nest_new(a, op, port, port + op->noperands, s->P, s->T, layer,
                     ST_NEW_N(a, bool, op->u.nest.ndims + 1), points, s->diag);
}

static void make_lanes(Kernel *k, StArena *a, int lanes) {
  k->lane_dim = ST_NEW_N(a, int64_t *, k->n->ndims + 1);
  k->beat_dim = ST_NEW_N(a, int64_t *, k->n->ndims + 1);
  for (int d = 0; d < k->n->ndims; d++) {
    k->lane_dim[d] = ST_NEW_N(a, int64_t, lanes);
    k->beat_dim[d] = ST_NEW_N(a, int64_t, k->most);
  }
  for (int i = 0; i < lanes; i++) {
    int rest = i;
    int to =
        k->info.red_of_lane[i] * k->info.par_lanes + k->info.par_of_lane[i];
    for (int l = k->n->nlanes; l-- > 0;) {
      k->lane_dim[k->n->lane[l].dim][to] = rest % k->n->lane[l].size;
      rest /= k->n->lane[l].size;
    }
  }
}

/* NULL after an error. */
static Kernel *make_kernel(StStreamInterp *s, StArena *a, const StOp *op,
                           int64_t layer) {
  Kernel *k = ST_NEW(a, Kernel);
  const StNest *n = &op->u.nest;
  *k = (Kernel){.op = op, .n = n, .info = st_kernel_info(a, op)};
  int lanes = k->info.par_lanes * k->info.red_lanes;
  k->most = lanes < POINTS ? POINTS / lanes : 1;
  k->eval = make_eval(s, a, op, layer, k->most * lanes);
  k->trip = ST_NEW_N(a, int64_t, n->nloops + 1);
  k->index = ST_NEW_N(a, int64_t, n->nloops + 1);
  k->way_size = k->info.par_lanes;
  k->count = 1;
  for (int i = 0; i < n->nloops; i++) {
    k->trip[i] = st_sym_eval(n->loop[i].trip, s->P, s->T);
    if (k->info.is_red_loop[i])
      k->count *= k->trip[i];
    else if (i > k->info.outermost_red)
      k->way_size *= k->trip[i];
  }
  make_lanes(k, a, lanes);
  k->position = ST_NEW_N(a, int64_t, k->most);
  k->first = ST_NEW_N(a, bool, k->most);
  k->last = ST_NEW_N(a, bool, k->most);
  k->acc = ST_NEW_N(a, char *, op->nresults + 1);
  for (int r = 0; r < op->nresults; r++)
    k->acc[r] =
        st_arena_alloc_n(a, (size_t)st_kernel_accumulators(s->m, op), 8);
  k->tree = st_arena_alloc_n(a, (size_t)(k->most * lanes), 8);
  return k->eval ? k : NULL;
}

/* What the loops make of the next beat. */
static void take_beat(Kernel *k) {
  int b = k->beats++;
  for (int d = 0; d < k->n->ndims; d++)
    k->beat_dim[d][b] = 0;
  int64_t at = 0, value = 0; /* of the fold */
  for (int i = 0; i < k->n->nloops; i++) {
    const StLoop *l = &k->n->loop[i];
    k->beat_dim[l->dim][b] += k->index[i] * l->step;
    if (k->info.is_red_loop[i])
      value = value * k->trip[i] + k->index[i];
    else if (i > k->info.outermost_red)
      at = at * k->trip[i] + k->index[i];
  }
  k->first[b] = value < k->info.ways;
  k->last[b] = value == k->count - 1;
  k->position[b] = value % k->info.ways * k->way_size + at * k->info.par_lanes;
}

static bool next_beat(Kernel *k, int outermost) {
  for (int i = k->n->nloops; i-- > outermost;) {
    if (++k->index[i] < k->trip[i])
      return true;
    k->index[i] = 0;
  }
  return false;
}

static void place_points(Kernel *k) {
  int par = k->info.par_lanes, red = k->info.red_lanes;
  for (int d = 0; d < k->n->ndims; d++) {
    int64_t *to = st_nest_dim(k->eval, d);
    for (int r = 0; r < red; r++)
      for (int b = 0; b < k->beats; b++)
        for (int i = 0; i < par; i++)
          *to++ = k->beat_dim[d][b] + k->lane_dim[d][r * par + i];
  }
  st_nest_place(k->eval, red * k->beats * par);
}

/* n rows of `width` values, `stride` bytes apart, into the first: neighbours
 * pairwise, an odd last one is carried up. */
static void fold_tree(const Kernel *k, int r, char *rows, int64_t n,
                      int64_t stride, int64_t width) {
  StDtype t = k->op->result[r]->type.dtype;
  size_t bytes = (size_t)(width * st_slot_bytes(t));
  for (; n > 1; n = (n + 1) / 2)
    for (int64_t i = 0; i < (n + 1) / 2; i++) {
      char *to = rows + stride * i;
      memmove(to, rows + stride * 2 * i, bytes);
      if (2 * i + 1 < n)
        st_slots_combine(k->n->out[r].combine, t, width, to,
                         rows + stride * (2 * i + 1));
    }
}

/* The reduction lanes of all beats at once. */
static const char *fold_lanes(Kernel *k, int r, StDtype t) {
  int64_t width = (int64_t)k->beats * k->info.par_lanes;
  size_t bytes = (size_t)width * (size_t)st_slot_bytes(t);
  const void *v = st_nest_value(k->eval, r);
  if (k->info.red_lanes == 1)
    return v;
  memcpy(k->tree, v, bytes * (size_t)k->info.red_lanes);
  fold_tree(k, r, k->tree, k->info.red_lanes, (int64_t)bytes, width);
  return k->tree;
}

/* Beats from b on whose accumulators lie side by side and are in the same
 * state. */
static int run_of(const Kernel *k, int b) {
  int n = 1;
  while (b + n < k->beats && k->first[b + n] == k->first[b] &&
         k->last[b + n] == k->last[b] &&
         k->position[b + n] == k->position[b] + n * k->info.par_lanes)
    n++;
  return n;
}

static void accumulate(Kernel *k, int r) {
  StDtype t = k->op->result[r]->type.dtype;
  int64_t bytes = st_slot_bytes(t);
  const char *v = fold_lanes(k, r, t);
  int par = k->info.par_lanes;
  for (int b = 0, n; b < k->beats; b += n) {
    n = run_of(k, b);
    char *acc = k->acc[r] + k->position[b] * bytes;
    const char *from = v + b * par * bytes;
    if (k->first[b])
      memcpy(acc, from, (size_t)(n * par * bytes));
    else
      st_slots_combine(k->n->out[r].combine, t, n * par, acc, from);
    if (!k->last[b])
      continue;
    int64_t used = k->count < k->info.ways ? k->count : k->info.ways;
    char *way = k->acc[r] + k->position[b] % k->way_size * bytes;
    fold_tree(k, r, way, used, k->way_size * bytes, n * par);
    st_nest_write(k->eval, r, b * par, n * par, way);
  }
}

static void run_beats(Kernel *k) {
  place_points(k);
  st_nest_evaluate(k->eval, false);
  for (int r = 0; r < k->op->nresults; r++)
    if (k->info.reduces)
      accumulate(k, r);
    else
      st_nest_write(k->eval, r, 0, k->beats * k->info.par_lanes,
                    st_nest_value(k->eval, r));
  k->beats = 0;
}

static bool run_kernel(StStreamInterp *s, const StOp *op, int64_t layer) {
  StArena *a = st_arena_new();
  Kernel *k = make_kernel(s, a, op, layer);
  bool more = k != NULL;
  for (int i = 0; more && i < op->u.nest.nloops; i++)
    more = k->trip[i] > 0;
  if (more && layer >= 0)
    k->index[0] = layer;
  while (more) {
    take_beat(k);
    more = next_beat(k, layer >= 0);
    if (k->beats == k->most || !more)
      run_beats(k);
  }
  st_arena_free(a);
  return k != NULL;
}

/* ---- the other ops ----------------------------------------------------- */

/* Every element of a tensor is copied; the layer alone if there is one. */
static void copy(StStreamInterp *s, const StValue *from, const StValue *to,
                 int64_t layer) {
  const StDense *t = &s->value[to->id];
  size_t bytes = (size_t)st_slot_bytes(t->dtype);
  int64_t n = st_dense_elements(t), first = 0;
  if (layer >= 0 && t->rank) {
    if (layer >= t->extent[0])
      return;
    n /= t->extent[0];
    first = layer * n;
  }
  memcpy((char *)t->slots + (size_t)first * bytes,
         (const char *)s->value[from->id].slots + (size_t)first * bytes,
         (size_t)n * bytes);
}

typedef struct { /* the tokens of a load or store, one after another */
  const StItensor *order;
  int64_t *trip, *loop; /* [nloops] */
  int64_t *stride;      /* [rank] of the dense tensor */
  int64_t *element;     /* [token] from the token's first element on */
  int64_t origin;
} Walk;

static Walk make_walk(StStreamInterp *s, StArena *a, const StItensor *o,
                      const StDense *t, int token) {
  Walk w = {.order = o,
            .trip = ST_NEW_N(a, int64_t, o->nloops + 1),
            .loop = ST_NEW_N(a, int64_t, o->nloops + 1),
            .stride = ST_NEW_N(a, int64_t, o->rank + 1),
            .element = ST_NEW_N(a, int64_t, token)};
  int64_t stride = 1;
  for (int d = o->rank; d-- > 0; stride *= t->extent[d]) {
    w.stride[d] = stride;
    w.origin += st_sym_eval(o->origin[d], s->P, s->T) * stride;
  }
  for (int i = 0; i < o->nloops; i++)
    w.trip[i] = st_sym_eval(o->loop[i].trip, s->P, s->T);
  for (int e = 0; e < token; e++) {
    int64_t rest = e;
    for (int d = o->rank; d-- > 0; rest /= o->elem[d])
      w.element[e] += rest % o->elem[d] * w.stride[d];
  }
  return w;
}

/* Element of the token's first element. */
static int64_t walk_at(const Walk *w) {
  int64_t at = w->origin;
  for (int i = 0; i < w->order->nloops; i++)
    if (w->order->loop[i].dim >= 0)
      at += w->loop[i] * w->order->loop[i].step *
            w->stride[w->order->loop[i].dim];
  return at;
}

static void walk_on(Walk *w) {
  for (int i = w->order->nloops; i-- > 0;) {
    if (++w->loop[i] < w->trip[i])
      return;
    w->loop[i] = 0;
  }
}

/* Position of the token along the data dim that a gather chooses. */
static int64_t gather_at(const StStreamInterp *s, const StOp *op,
                         const Walk *w) {
  int d = op->u.load.gather;
  int64_t at = 0;
  if (!op->operand[1]->type.rank)
    return 0;
  for (int i = 0; i < w->order->nloops; i++)
    if (w->order->loop[i].dim == d)
      at += w->loop[i] * w->order->loop[i].step;
  return at + st_sym_eval(w->order->origin[d], s->P, s->T);
}

/* A load, a store or an output of a bundle, token by token. */
static void transfer(StStreamInterp *s, const StOp *op, int part) {
  bool load = op->kind != ST_OP_STORE;
  const StValue *v = load ? op->result[part] : op->operand[0];
  StArena *a = st_arena_new();
  StTransfer t = st_transfer_new(a, s->m, op, part);
  Walk w = make_walk(s, a, v->type.order, &s->value[v->id], t.token);
  size_t bytes = (size_t)st_slot_bytes(v->type.dtype);
  char *slots = st_arena_alloc_n(a, (size_t)t.token, bytes);
  const int64_t *table =
      t.gather >= 0 ? s->value[op->operand[1]->id].slots : NULL;
  int64_t n = st_itensor_tokens(v->type.order, s->P, s->T);
  for (int64_t k = 0; k < n; k++, walk_on(&w)) {
    char *at = (char *)s->value[v->id].slots + walk_at(&w) * (int64_t)bytes;
    if (load)
      st_transfer_load(&t, s->image, w.loop,
                       table ? table[gather_at(s, op, &w)] : 0, s->P, s->T,
                       slots);
    for (int e = 0; e < t.token; e++) {
      char *in = at + w.element[e] * (int64_t)bytes;
      if (load)
        memcpy(in, slots + bytes * (size_t)e, bytes);
      else
        memcpy(slots + bytes * (size_t)e, in, bytes);
    }
    if (!load)
      st_transfer_store(&t, s->image, w.loop, s->P, s->T, slots);
  }
  st_arena_free(a);
}

static bool run_op(StStreamInterp *s, const StOp *op, int64_t layer) {
  if (op->kind == ST_OP_KERNEL)
    return run_kernel(s, op, layer);
  if (op->kind == ST_OP_LOAD || op->kind == ST_OP_STORE)
    transfer(s, op, 0);
  else if (op->kind == ST_OP_BUNDLE)
    for (int r = 0; r < op->nresults; r++)
      transfer(s, op, r);
  else
    for (int r = 0; r < op->nresults; r++)
      copy(s, op->operand[0], op->result[r], layer);
  return true;
}

/* ---- modules and steps ------------------------------------------------- */

StStreamInterp *st_stream_interp_new(StArena *a, const StModule *m,
                                     StDiag *diag) {
  StStreamInterp *s = ST_NEW(a, StStreamInterp);
  *s = (StStreamInterp){.m = m, .a = a, .diag = diag};
  s->value = ST_NEW_N(a, StDense, m->next_value + 1);
  s->extent = ST_NEW_N(a, int64_t *, m->next_value + 1);
  Order o = {.s = s,
             .index = ST_NEW_N(a, int, m->next_op + 1),
             .low = ST_NEW_N(a, int, m->next_op + 1),
             .on = ST_NEW_N(a, bool, m->next_op + 1)};
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    if (!is_run(op))
      continue;
    for (int r = 0; r < op->nresults; r++)
      place(s, op->result[r]);
    if (!o.index[op->id])
      visit(&o, op);
  }
  for (int i = 0; i < s->block.n; i++)
    if (s->block.at[i].cycle && s->block.at[i].trip == 0) {
      st_error(diag, s->block.at[i].op[0]->loc,
               "ops depend on each other other than through a repeat");
      return NULL;
    }
  return s;
}

bool st_stream_interp_step(StStreamInterp *s, StMemoryImage *image, int64_t P,
                           int64_t T) {
  s->image = image;
  s->P = P;
  s->T = T;
  bind_extents(s);
  for (int i = 0; i < s->block.n; i++) {
    const Block *b = &s->block.at[i];
    for (int64_t layer = 0; layer < b->trip || layer == 0; layer++)
      for (int k = 0; k < b->n; k++)
        if (!run_op(s, b->op[k], b->cycle ? layer : -1))
          return false;
  }
  return true;
}
