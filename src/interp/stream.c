/* Stream level modules on whole tensors. Ops are ordered so that operands come
 * first; ops on a cycle (a repeat) form a block that is run once for each
 * iteration of their outermost loop, which is the iteration of the repeat. */
#include "interp/stream.h"

#include <string.h>

#include "analysis/port.h"
#include "interp/scalar.h"
#include "ir/itensor.h"

typedef struct {
  StOp **op;
  int n;
  int64_t trip; /* 0: no cycle */
} Block;

struct StStreamInterp {
  const StModule *m;
  StArena *a;
  char **data; /* [value id] slots at the largest extents */
  int64_t **stride; /* [value id] */
  ST_VEC(Block) block;
  int64_t P, T;
  StMemoryImage *image;
};

/* ---- order ------------------------------------------------------------------------ */

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

/* An edge that a guarded operand closes may point backwards. */
static bool is_back(const StOp *op, int k) {
  if (op->kind != ST_OP_KERNEL)
    return false;
  const StGuard *g = &op->u.nest.in[k].guard;
  return g->dim >= 0 && g->lo.c > 0;
}

/* Ops of a block in an order that ignores back edges. */
static void sort_block(StArena *a, Block *b, const bool *inside) {
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
      return; /* caught by the caller: the order is short */
  }
  memcpy(b->op, out.at, (size_t)b->n * sizeof *b->op);
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
  for (int i = 0; i < b.n && b.n > 1; i++)
    if (b.op[i]->kind == ST_OP_KERNEL && b.op[i]->u.nest.nloops)
      b.trip = b.op[i]->u.nest.loop[0].trip.c > b.trip
                   ? b.op[i]->u.nest.loop[0].trip.c
                   : b.trip;
  if (b.n > 1)
    sort_block(a, &b, inside);
  st_vec_push(a, &o->s->block, b);
}

/* ---- tensors ------------------------------------------------------------------------- */

static void place(StStreamInterp *s, const StValue *v) {
  int64_t n = 1;
  s->stride[v->id] = ST_NEW_N(s->a, int64_t, v->type.rank + 1);
  for (int d = v->type.rank; d-- > 0;) {
    s->stride[v->id][d] = n;
    n *= st_sym_max(v->type.shape[d], s->m->ctx, s->m->chunk);
  }
  s->data[v->id] = st_arena_alloc(
      s->a, (size_t)(n + 1) * (size_t)st_slot_bytes(v->type.dtype));
}

/* The slot of stream v that a map selects at these dims. */
static char *element(const StStreamInterp *s, const StValue *v,
                     const StAffine *map, const int64_t *dim) {
  int64_t at = 0;
  for (int d = 0; d < v->type.rank; d++) {
    int64_t i = st_sym_eval(map[d].off, s->P, s->T);
    for (int t = 0; t < map[d].n; t++)
      i += map[d].term[t].coef * dim[map[d].term[t].dim];
    at += i * s->stride[v->id][d];
  }
  return s->data[v->id] + at * st_slot_bytes(v->type.dtype);
}

/* ---- kernels ---------------------------------------------------------------------------- */

typedef struct { /* one beat's place in the loops */
  int64_t *index; /* [nloops] */
  int64_t *trip;
  int64_t *dim; /* [ndims] value of every dim in the lane at hand */
} At;

static bool holds(const StStreamInterp *s, const StGuard *g,
                  const int64_t *dim) {
  return g->dim < 0 || (dim[g->dim] >= st_sym_eval(g->lo, s->P, s->T) &&
                        dim[g->dim] < st_sym_eval(g->hi, s->P, s->T));
}

/* The value of every expression at one point, 8 bytes each. */
static void evaluate(const StStreamInterp *s, const StOp *op, const At *at,
                     char *slot) {
  const StNest *n = &op->u.nest;
  for (int x = 0; x < n->body.n; x++) {
    const StExpr *e = &n->body.at[x];
    char *to = slot + 8 * x;
    size_t bytes = (size_t)st_slot_bytes(e->dtype);
    if (e->kind == ST_X_ARG) {
      const StInput *in = &n->in[e->operand];
      memset(to, 0, 8);
      if (holds(s, &in->guard, at->dim))
        memcpy(to, element(s, op->operand[e->operand], in->map, at->dim),
               bytes);
    } else if (e->kind == ST_X_CONST) {
      st_slots_read(e->dtype, &e->bits, 1, to);
    } else if (e->kind == ST_X_INDEX) {
      int64_t v = st_sym_eval(e->affine.off, s->P, s->T);
      for (int t = 0; t < e->affine.n; t++)
        v += e->affine.term[t].coef * at->dim[e->affine.term[t].dim];
      memcpy(to, &v, 8);
    } else {
      const void *args[3] = {NULL, NULL, NULL};
      for (int k = 0; k < 3; k++)
        if (e->arg[k] >= 0)
          args[k] = slot + 8 * e->arg[k];
      st_scalar_apply(e, n->body.at[e->arg[0]].dtype, args, to);
    }
  }
}

/* Values of the dims for a lane (row-major over the lanes). */
static void set_dims(const StNest *n, At *at, int lane) {
  memset(at->dim, 0, (size_t)n->ndims * sizeof *at->dim);
  for (int i = 0; i < n->nloops; i++)
    at->dim[n->loop[i].dim] += at->index[i] * n->loop[i].step;
  for (int l = n->nlanes; l-- > 0;) {
    at->dim[n->lane[l].dim] += lane % n->lane[l].size;
    lane /= n->lane[l].size;
  }
}

static bool step_loops(const StNest *n, At *at, int first) {
  for (int i = n->nloops; i-- > first;) {
    if (++at->index[i] < at->trip[i])
      return true;
    at->index[i] = 0;
  }
  return false;
}

/* All reduction loops at 0 (first) or at their last iteration. */
static bool red_at(const StNest *n, const At *at, const StKernelInfo *k,
                   bool last) {
  for (int i = 0; i < n->nloops; i++)
    if (k->is_red_loop[i] && at->index[i] != (last ? at->trip[i] - 1 : 0))
      return false;
  return true;
}

/* Number of an accumulator: position of the parallel loops inside the
 * outermost reduction loop, then the parallel lane. */
static int64_t accumulator(const StNest *n, const At *at,
                           const StKernelInfo *k, int par) {
  int64_t i = 0;
  for (int l = k->outermost_red; l < n->nloops; l++)
    if (!k->is_red_loop[l])
      i = i * at->trip[l] + at->index[l];
  return i * k->par_lanes + par;
}

/* Neighbours pairwise, an odd last one carried up; 8 bytes a lane. */
static void fold_lanes(const StOutput *o, StDtype t, char *v, int n) {
  for (; n > 1; n = (n + 1) / 2) {
    for (int i = 0; i < n / 2; i++) {
      memmove(v + 8 * i, v + 16 * i, 8);
      st_slots_combine(o->combine, t, 1, v + 8 * i, v + 16 * i + 8);
    }
    if (n & 1)
      memmove(v + 8 * (n / 2), v + 8 * (n - 1), 8);
  }
}

static void write_result(StStreamInterp *s, const StOp *op, int r,
                         const At *at, const void *slot) {
  const StOutput *o = &op->u.nest.out[r];
  const StValue *v = op->result[r];
  if (holds(s, &o->guard, at->dim))
    memcpy(element(s, v, o->map, at->dim), slot,
           (size_t)st_slot_bytes(v->type.dtype));
}

typedef struct {
  StKernelInfo info;
  int lanes;
  char *slot; /* [body] of one lane */
  char *lane; /* [results][lanes] yields of a beat */
  char **acc; /* [results] */
} Kernel;

/* Fold the beat's lanes into the accumulators, and write what is complete. */
static void reduce(StStreamInterp *s, const StOp *op, At *at, Kernel *k,
                   int r) {
  const StNest *n = &op->u.nest;
  StDtype t = op->result[r]->type.dtype;
  char *v = ST_NEW_N(s->a, char, 8 * k->info.red_lanes);
  for (int par = 0; par < k->info.par_lanes; par++) {
    int first = -1;
    for (int l = 0; l < k->lanes; l++)
      if (k->info.par_of_lane[l] == par) {
        memcpy(v + 8 * k->info.red_of_lane[l],
               k->lane + 8 * (r * k->lanes + l), 8);
        first = first < 0 ? l : first;
      }
    fold_lanes(&n->out[r], t, v, k->info.red_lanes);
    char *acc = k->acc[r] + 8 * accumulator(n, at, &k->info, par);
    if (red_at(n, at, &k->info, false))
      memcpy(acc, v, 8);
    else
      st_slots_combine(n->out[r].combine, t, 1, acc, v);
    set_dims(n, at, first);
    if (red_at(n, at, &k->info, true))
      write_result(s, op, r, at, acc);
  }
}

static void run_kernel(StStreamInterp *s, const StOp *op, int64_t layer) {
  const StNest *n = &op->u.nest;
  StArena *keep = s->a;
  s->a = st_arena_new();
  At at = {ST_NEW_N(s->a, int64_t, n->nloops + 1),
           ST_NEW_N(s->a, int64_t, n->nloops + 1),
           ST_NEW_N(s->a, int64_t, n->ndims + 1)};
  Kernel k = {.info = st_kernel_info(s->a, op)};
  k.lanes = k.info.par_lanes * k.info.red_lanes;
  k.slot = st_arena_alloc(s->a, 8 * (size_t)(n->body.n + 1));
  k.lane = st_arena_alloc(s->a, 8 * (size_t)(k.lanes * op->nresults + 1));
  k.acc = ST_NEW_N(s->a, char *, op->nresults + 1);
  for (int r = 0; r < op->nresults; r++)
    k.acc[r] = st_arena_alloc(s->a, 8 * (size_t)st_kernel_accumulators(s->m,
                                                                       op));
  bool empty = false;
  for (int i = 0; i < n->nloops; i++) {
    at.trip[i] = st_sym_eval(n->loop[i].trip, s->P, s->T);
    empty |= at.trip[i] <= 0;
  }
  if (layer >= 0)
    at.index[0] = layer;
  do {
    for (int l = 0; l < k.lanes && !empty; l++) {
      set_dims(n, &at, l);
      evaluate(s, op, &at, k.slot);
      for (int r = 0; r < op->nresults; r++)
        if (k.info.reduces)
          memcpy(k.lane + 8 * (r * k.lanes + l), k.slot + 8 * n->out[r].yield,
                 8);
        else
          write_result(s, op, r, &at, k.slot + 8 * n->out[r].yield);
    }
    for (int r = 0; r < op->nresults && k.info.reduces && !empty; r++)
      reduce(s, op, &at, &k, r);
  } while (step_loops(n, &at, layer >= 0));
  st_arena_free(s->a);
  s->a = keep;
}

/* ---- the other ops -------------------------------------------------------------------------- */

/* Every element of a tensor is copied; the layer alone if there is one. */
static void copy(StStreamInterp *s, const StValue *from, const StValue *to,
                 int64_t layer) {
  size_t bytes = (size_t)st_slot_bytes(to->type.dtype);
  int64_t n = st_type_max_elements(s->m, &to->type), first = 0;
  if (layer >= 0 && to->type.rank) {
    if (layer >= to->type.shape[0].c)
      return;
    n = s->stride[to->id][0];
    first = layer * n;
  }
  memcpy(s->data[to->id] + (size_t)first * bytes,
         s->data[from->id] + (size_t)first * bytes, (size_t)n * bytes);
}

/* Position of element `e` of a token of order o at these loops. */
static int64_t offset_of(const StStreamInterp *s, const StItensor *o,
                         const int64_t *loop, int64_t e,
                         const int64_t *stride) {
  int64_t at = 0;
  for (int d = o->rank; d-- > 0;) {
    at += (st_sym_eval(o->origin[d], s->P, s->T) + e % o->elem[d]) * stride[d];
    e /= o->elem[d];
  }
  for (int i = 0; i < o->nloops; i++)
    if (o->loop[i].dim >= 0)
      at += loop[i] * o->loop[i].step * stride[o->loop[i].dim];
  return at;
}

/* A load or a store, token by token. */
static void transfer(StStreamInterp *s, const StOp *op) {
  bool load = op->kind == ST_OP_LOAD;
  const StValue *v = load ? op->result[0] : op->operand[0];
  const StItensor *o = v->type.order;
  StArena *a = st_arena_new();
  StTransfer t = st_transfer_new(a, s->m, op);
  int64_t *loop = ST_NEW_N(a, int64_t, o->nloops + 1);
  size_t bytes = (size_t)st_slot_bytes(v->type.dtype);
  char *slots = st_arena_alloc(a, bytes * (size_t)t.token);
  int64_t n = st_itensor_tokens(o, s->P, s->T);
  for (int64_t k = 0; k < n; k++) {
    int64_t rest = k, index = 0;
    for (int i = o->nloops; i-- > 0;) {
      int64_t trip = st_sym_eval(o->loop[i].trip, s->P, s->T);
      loop[i] = rest % trip;
      rest /= trip;
    }
    if (load && op->noperands == 2) {
      int64_t at = 0;
      for (int i = 0; i < o->nloops; i++)
        if (o->loop[i].dim == op->u.load.gather &&
            op->operand[1]->type.rank)
          at += loop[i] * o->loop[i].step;
      memcpy(&index, s->data[op->operand[1]->id] + 8 * at, 8);
    }
    if (load)
      st_transfer_load(&t, s->image, loop, index, s->P, s->T, slots);
    for (int e = 0; e < t.token; e++) {
      char *at = s->data[v->id] +
                 (size_t)offset_of(s, o, loop, e, s->stride[v->id]) * bytes;
      if (load)
        memcpy(at, slots + bytes * (size_t)e, bytes);
      else
        memcpy(slots + bytes * (size_t)e, at, bytes);
    }
    if (!load)
      st_transfer_store(&t, s->image, loop, s->P, s->T, slots);
  }
  st_arena_free(a);
}

static void run_op(StStreamInterp *s, const StOp *op, int64_t layer) {
  if (op->kind == ST_OP_KERNEL)
    run_kernel(s, op, layer);
  else if (op->kind == ST_OP_LOAD || op->kind == ST_OP_STORE)
    transfer(s, op);
  else
    for (int r = 0; r < op->nresults; r++)
      copy(s, op->operand[0], op->result[r], layer);
}

StStreamInterp *st_stream_interp_new(StArena *a, const StModule *m,
                                     StDiag *diag) {
  StStreamInterp *s = ST_NEW(a, StStreamInterp);
  *s = (StStreamInterp){.m = m, .a = a};
  s->data = ST_NEW_N(a, char *, m->next_value + 1);
  s->stride = ST_NEW_N(a, int64_t *, m->next_value + 1);
  Order o = {.s = s, .index = ST_NEW_N(a, int, m->next_op + 1),
             .low = ST_NEW_N(a, int, m->next_op + 1),
             .on = ST_NEW_N(a, bool, m->next_op + 1)};
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    for (int r = 0; r < op->nresults; r++)
      if (is_run(op))
        place(s, op->result[r]);
    if (is_run(op) && !o.index[op->id])
      visit(&o, op);
  }
  for (int i = 0; i < s->block.n; i++)
    if (s->block.at[i].n > 1 && s->block.at[i].trip == 0) {
      st_error(diag, s->block.at[i].op[0]->loc,
               "ops depend on each other without a repeat");
      return NULL;
    }
  return s;
}

bool st_stream_interp_step(StStreamInterp *s, StMemoryImage *image, int64_t P,
                           int64_t T) {
  s->image = image;
  s->P = P;
  s->T = T;
  for (int i = 0; i < s->block.n; i++) {
    const Block *b = &s->block.at[i];
    for (int64_t layer = 0; layer < b->trip || layer == 0; layer++)
      for (int k = 0; k < b->n; k++)
        run_op(s, b->op[k], b->n > 1 ? layer : -1);
  }
  return true;
}
