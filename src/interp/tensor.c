/* Tensor level modules, op by op on whole tensors.
 *
 * Ops are run in groups: the ops of a block (repeat) together, once for each
 * iteration; after expand-repeat, the ops of a cycle together, once for each
 * position of dim 0; every other op alone. A group runs when the groups that
 * it needs are done; cycles are found when none can. */
#include "interp/tensor.h"

#include <string.h>

#include "interp/nest.h"
#include "interp/scalar.h"

typedef struct {
  const StModule *m;
  const StTensorEnv *env;
  StArena *a; /* of this run */
  StArena *results;
  StDiag *diag;
  StDense *value;    /* [value id] */
  void **carried;    /* [op id] CARRY: what the last iteration made */
  int64_t iteration; /* of the block at hand */
  int *place;        /* [op id] position in the module */
  int *group;        /* [position] the first position of its group */
  bool *done;        /* [position of a group] */
  void **ret;
} Interp;

static bool refuse(const Interp *s, const StOp *op, const char *why) {
  st_error(s->diag, op->loc, "%s #%d%s%s: %s", st_op_name(op->kind), op->id,
           op->name ? " " : "", op->name ? op->name : "", why);
  return false;
}

static StDense *value_of(const Interp *s, const StValue *v) {
  return &s->value[v->id];
}

static size_t slot_bytes(const StDense *t) {
  return (size_t)st_slot_bytes(t->dtype);
}

/* ---- moving elements --------------------------------------------------- */

typedef struct { /* where a box of elements starts and how it goes on */
  char *at;
  const int64_t *stride; /* [rank] elements */
} Place;

/* The box from one place to the other; elements of `size` bytes. */
static void move(int rank, const int64_t *extent, size_t size, Place to,
                 Place from) {
  if (rank == 0) {
    memcpy(to.at, from.at, size);
    return;
  }
  if (rank == 1 && to.stride[0] == 1 && from.stride[0] == 1) {
    if (extent[0] > 0)
      memcpy(to.at, from.at, (size_t)extent[0] * size);
    return;
  }
  for (int64_t i = 0; i < extent[0]; i++)
    move(
        rank - 1, extent + 1, size,
        (Place){to.at + i * to.stride[0] * (int64_t)size, to.stride + 1},
        (Place){from.at + i * from.stride[0] * (int64_t)size, from.stride + 1});
}

static int64_t *row_major(StArena *a, int rank, const int64_t *extent) {
  int64_t *stride = ST_NEW_N(a, int64_t, rank + 1), n = 1;
  for (int d = rank; d-- > 0; n *= extent[d])
    stride[d] = n;
  return stride;
}

/* ---- arguments, constants, results ------------------------------------- */

static char *writable(const void *p) {
  union {
    const void *from;
    void *to;
  } cast = {p};
  return cast.to;
}

static int64_t port_elements(const Interp *s, const StPort *p) {
  int64_t n = 1;
  for (int d = 0; d < p->rank; d++)
    n *= st_sym_eval(p->shape[d], s->env->P, s->env->T);
  return n;
}

/* Slots for n elements of memory at p; those of f32 are the memory itself if
 * they can be. */
static void *slots_of(const Interp *s, StDtype t, const void *p, int64_t n) {
  if (t == ST_F32 && (uintptr_t)p % sizeof(float) == 0)
    return writable(p);
  void *slots = st_arena_alloc_n(s->a, (size_t)n, (size_t)st_slot_bytes(t));
  if (n > 0)
    st_slots_read(t, p, n, slots);
  return slots;
}

/* One for each iteration of the block, or outside of one for each position of
 * dim 0. */
static bool run_arg(Interp *s, const StOp *op) {
  const StIndexList *list = &op->u.index;
  StDense *v = value_of(s, op->result[0]);
  int64_t n = st_dense_elements(v);
  bool all = list->n > 1 && !op->scope;
  if (all)
    n /= list->n;
  size_t bytes = (size_t)n * slot_bytes(v);
  char *stack = all ? st_arena_alloc_n(s->a, (size_t)list->n, bytes) : NULL;
  for (int i = 0; i < list->n; i++) {
    if (!all && i != (list->n > 1 ? s->iteration : 0))
      continue;
    int arg = list->index[i];
    const StPort *port = &s->m->arg.at[arg];
    if (!s->env->arg[arg])
      return refuse(s, op, "the argument has no data");
    if (port->dtype != v->dtype || port_elements(s, port) != n)
      return refuse(s, op, "the type is not that of the argument");
    char *slots = slots_of(s, v->dtype, s->env->arg[arg], n);
    if (all && bytes)
      memcpy(stack + (size_t)i * bytes, slots, bytes);
    v->slots = all ? stack : slots;
  }
  return true;
}

/* Dense data is laid out at the largest extents. */
static bool run_const(Interp *s, const StOp *op) {
  const StConst *c = &op->u.constant;
  const StType *type = &op->result[0]->type;
  StDense *v = value_of(s, op->result[0]);
  bool all = c->n > 1 && !op->scope;
  int64_t n = st_dense_elements(v), each = all ? n / c->n : n;
  int64_t *most = ST_NEW_N(s->a, int64_t, v->rank + 1);
  bool whole = !c->splat;
  for (int d = 0; d < v->rank; d++) {
    most[d] = st_sym_max(type->shape[d], s->m->ctx, s->m->chunk);
    whole &= most[d] == v->extent[d];
  }
  int64_t held = c->bytes / st_dtype_bytes(v->dtype);
  char *slots = slots_of(s, v->dtype, c->data, held);
  char *from = slots;
  if (c->n > 1 && op->scope)
    from += (int64_t)slot_bytes(v) * (held / c->n) * s->iteration;
  v->slots = whole ? from : st_arena_alloc_n(s->a, (size_t)n, slot_bytes(v));
  if (whole)
    return true;
  if (!c->splat) {
    move(v->rank, v->extent, slot_bytes(v),
         (Place){v->slots, row_major(s->a, v->rank, v->extent)},
         (Place){from, row_major(s->a, v->rank, most)});
    return true;
  }
  for (int64_t i = 0; i < n; i++)
    memcpy((char *)v->slots + (size_t)i * slot_bytes(v),
           from + (all ? i / each : 0) * (int64_t)slot_bytes(v), slot_bytes(v));
  return true;
}

static bool run_result(Interp *s, const StOp *op) {
  const StIndexList *list = &op->u.index;
  const StDense *v = value_of(s, op->operand[0]);
  int64_t n = st_dense_elements(v);
  bool all = list->n > 1 && !op->scope;
  if (all)
    n /= list->n;
  for (int i = 0; i < list->n; i++) {
    if (!all && i != (list->n > 1 ? s->iteration : 0))
      continue;
    int ret = list->index[i];
    const StPort *port = &s->m->ret.at[ret];
    if (port->dtype != v->dtype || port_elements(s, port) != n)
      return refuse(s, op, "the type is not that of the result");
    s->ret[ret] = st_arena_alloc_n(s->results, (size_t)n,
                                   (size_t)st_dtype_bytes(v->dtype));
    st_slots_write(v->dtype,
                   (char *)v->slots +
                       (all ? (size_t)(i * n) * slot_bytes(v) : 0),
                   n, s->ret[ret]);
  }
  return true;
}

/* ---- the other ops ----------------------------------------------------- */

static bool run_view(Interp *s, const StOp *op) {
  const StDense *from = value_of(s, op->operand[0]);
  StDense *to = value_of(s, op->result[0]);
  to->slots = from->slots;
  if (st_dense_elements(from) != st_dense_elements(to))
    return refuse(s, op, "the number of elements changes");
  return true;
}

static bool run_slice(Interp *s, const StOp *op) {
  const StSlice *p = &op->u.slice;
  const StDense *from = value_of(s, op->operand[0]);
  StDense *to = value_of(s, op->result[0]);
  int64_t *stride = row_major(s->a, from->rank, from->extent), at = 0;
  if (to->rank != from->rank)
    return refuse(s, op, "the rank changes");
  for (int d = 0; d < to->rank; d++) {
    int64_t first = st_sym_eval(p->offset[d], s->env->P, s->env->T);
    int64_t last = first + (to->extent[d] - 1) * p->stride[d];
    if (to->extent[d] > 0 &&
        (first < 0 || last < 0 || first >= from->extent[d] ||
         last >= from->extent[d]))
      return refuse(s, op, "the part leaves the tensor");
    at += first * stride[d];
    stride[d] *= p->stride[d];
  }
  if (st_dense_elements(to) > 0)
    move(to->rank, to->extent, slot_bytes(to),
         (Place){to->slots, row_major(s->a, to->rank, to->extent)},
         (Place){(char *)from->slots + at * (int64_t)slot_bytes(to), stride});
  return true;
}

static bool run_concat(Interp *s, const StOp *op) {
  StDense *to = value_of(s, op->result[0]);
  int axis = op->u.axis;
  int64_t *stride = row_major(s->a, to->rank, to->extent), at = 0;
  if (axis < 0 || axis >= to->rank)
    return refuse(s, op, "there is no such axis");
  for (int k = 0; k < op->noperands; k++) {
    const StDense *from = value_of(s, op->operand[k]);
    bool fits = from->rank == to->rank;
    for (int d = 0; fits && d < to->rank; d++)
      fits = d == axis ? at + from->extent[d] <= to->extent[d]
                       : from->extent[d] == to->extent[d];
    if (!fits)
      return refuse(s, op, "the parts do not make up the tensor");
    move(
        from->rank, from->extent, slot_bytes(to),
        (Place){(char *)to->slots + at * stride[axis] * (int64_t)slot_bytes(to),
                stride},
        (Place){from->slots, row_major(s->a, from->rank, from->extent)});
    at += from->extent[axis];
  }
  return at == to->extent[axis] ||
         refuse(s, op, "the parts do not make up the tensor");
}

static bool run_carry(Interp *s, const StOp *op) {
  StDense *to = value_of(s, op->result[0]);
  const StDense *init = value_of(s, op->operand[0]);
  const StDense *next = value_of(s, op->operand[1]);
  size_t bytes = (size_t)st_dense_elements(to) * slot_bytes(to);
  if (st_dense_elements(init) != st_dense_elements(to) ||
      st_dense_elements(next) != st_dense_elements(to))
    return refuse(s, op, "what is carried changes its shape");
  if (bytes)
    memcpy(to->slots, s->iteration ? s->carried[op->id] : init->slots, bytes);
  return true;
}

/* A gathering load of expand-repeat: data dim 0 is the positions that the
 * indices give. Strides are those of the table as memory holds it. */
static bool run_gather(Interp *s, const StOp *op) {
  const StLoad *l = &op->u.load;
  const StValue *table = op->operand[0];
  const StDense *from = value_of(s, table);
  StDense *to = value_of(s, op->result[0]);
  if (l->gather < 0 || op->noperands != 2)
    return refuse(s, op, "only gathering loads are at the tensor level");
  const int64_t *index = value_of(s, op->operand[1])->slots;
  int64_t *most = ST_NEW_N(s->a, int64_t, from->rank + 1);
  for (int d = 0; d < from->rank; d++)
    most[d] = st_module_stored_extent(s->m, table->type.shape[d]);
  const int64_t *stride = row_major(s->a, from->rank, most);
  int64_t *own = row_major(s->a, from->rank, from->extent);
  int64_t *shape = row_major(s->a, to->rank, to->extent);
  int64_t n = st_dense_elements(to);
  int64_t rows = st_sym_eval(st_load_rows(s->m, op), s->env->P, s->env->T);
  size_t bytes = slot_bytes(to);
  for (int64_t i = 0; i < n; i++) {
    int64_t rest = 0, at = 0, x = 0;
    for (int d = 0; d < to->rank; d++) {
      int64_t here = i / shape[d] % to->extent[d];
      x = d == l->gather ? index[here] : x;
      rest += d == l->gather ? 0 : here * l->stride[d];
    }
    bool inside = x >= 0 && x < rows;
    rest += inside ? x * l->stride[l->gather] : 0;
    for (int d = 0; d < from->rank && inside; d++) {
      inside = rest / stride[d] < from->extent[d];
      at += rest / stride[d] * own[d];
      rest %= stride[d];
    }
    char *slot = (char *)to->slots + (size_t)i * bytes;
    if (inside)
      memcpy(slot, (char *)from->slots + (size_t)at * bytes, bytes);
    else
      memset(slot, 0, bytes);
  }
  return true;
}

static bool run_nest(Interp *s, const StOp *op, int64_t layer) {
  const StDense **port =
      ST_NEW_N(s->a, const StDense *, op->noperands + op->nresults + 1);
  for (int k = 0; k < op->noperands; k++)
    port[k] = value_of(s, op->operand[k]);
  for (int r = 0; r < op->nresults; r++)
    port[op->noperands + r] = value_of(s, op->result[r]);
  return st_nest_run(op, port, port + op->noperands, s->env->P, s->env->T,
                     layer, s->diag);
}

static bool run_op(Interp *s, const StOp *op) {
  switch (op->kind) {
  case ST_OP_ARG:
    return run_arg(s, op);
  case ST_OP_CONST:
    return run_const(s, op);
  case ST_OP_GENERIC:
    return run_nest(s, op, -1);
  case ST_OP_VIEW:
    return run_view(s, op);
  case ST_OP_SLICE:
    return run_slice(s, op);
  case ST_OP_CONCAT:
    return run_concat(s, op);
  case ST_OP_CARRY:
    return run_carry(s, op);
  case ST_OP_RESULT:
    return run_result(s, op);
  case ST_OP_LOAD:
    return run_gather(s, op);
  case ST_OP_KERNEL:
  case ST_OP_CONVERTER:
  case ST_OP_FORK:
  case ST_OP_BUNDLE:
  case ST_OP_STORE:
  case ST_OP_COUNT:
    break;
  }
  return refuse(s, op, "not an op of the tensor level");
}

/* ---- groups ------------------------------------------------------------ */

static bool run_block(Interp *s, int g) {
  int64_t trip = s->m->repeat.at[s->m->op.at[g]->scope - 1].trip;
  bool ok = true;
  for (s->iteration = 0; ok && s->iteration < trip; s->iteration++) {
    /* what was made is kept before anything of it changes */
    for (int i = g; i < s->m->op.n && s->iteration > 0; i++) {
      const StOp *op = s->m->op.at[i];
      if (s->group[i] != g || op->kind != ST_OP_CARRY)
        continue;
      const StDense *next = value_of(s, op->operand[1]);
      size_t bytes = (size_t)st_dense_elements(next) * slot_bytes(next);
      if (!s->carried[op->id])
        s->carried[op->id] = st_arena_alloc(s->a, bytes);
      if (bytes)
        memcpy(s->carried[op->id], next->slots, bytes);
    }
    for (int i = g; ok && i < s->m->op.n; i++)
      if (s->group[i] == g)
        ok = run_op(s, s->m->op.at[i]);
  }
  s->iteration = 0;
  return ok;
}

/* In a cycle, operand k of op reads this position of dim 0, or an earlier one
 * if the operand is computed later. */
static bool is_causal(const Interp *s, const StOp *op, int k) {
  const StOp *def = op->operand[k]->def;
  if (op->kind == ST_OP_VIEW)
    return s->place[def->id] < s->place[op->id];
  const StAffine *map = op->u.nest.in[k].map;
  if (s->group[s->place[def->id]] != s->group[s->place[op->id]])
    return true;
  bool later = s->place[def->id] >= s->place[op->id];
  return map && op->operand[k]->type.rank && st_affine_single(&map[0]) == 0 &&
         st_sym_is_const(map[0].off) && map[0].off.c <= (later ? -1 : 0);
}

static bool is_layered(const Interp *s, const StOp *op, StSym trip) {
  if (op->kind == ST_OP_VIEW)
    return op->operand[0]->type.rank && op->result[0]->type.rank &&
           st_sym_eq(op->operand[0]->type.shape[0], trip) &&
           st_sym_eq(op->result[0]->type.shape[0], trip) &&
           is_causal(s, op, 0);
  if (op->kind != ST_OP_GENERIC || op->u.nest.ndims == 0)
    return false;
  const StNest *n = &op->u.nest;
  bool ok = !n->dim[0].reduction && st_sym_eq(n->dim[0].extent, trip);
  for (int r = 0; ok && r < op->nresults; r++)
    ok = op->result[r]->type.rank > 0 &&
         st_affine_single(&n->out[r].map[0]) == 0 &&
         st_sym_eq(n->out[r].map[0].off, st_sym_const(0));
  for (int k = 0; ok && k < op->noperands; k++)
    ok = is_causal(s, op, k);
  return ok;
}

static bool run_cycle(Interp *s, int g) {
  const StOp *first = s->m->op.at[g];
  StSym trip = st_sym_const(0);
  if (first->kind == ST_OP_GENERIC && first->u.nest.ndims > 0)
    trip = first->u.nest.dim[0].extent;
  for (int i = g; i < s->m->op.n; i++)
    if (s->group[i] == g && !is_layered(s, s->m->op.at[i], trip))
      return refuse(s, s->m->op.at[i],
                    "depends on itself other than through an earlier "
                    "position of dim 0");
  int64_t n = st_sym_eval(trip, s->env->P, s->env->T);
  for (int64_t layer = 0; layer < n; layer++)
    for (int i = g; i < s->m->op.n; i++)
      if (s->group[i] == g && (s->m->op.at[i]->kind == ST_OP_VIEW
                                   ? !run_view(s, s->m->op.at[i])
                                   : !run_nest(s, s->m->op.at[i], layer)))
        return false;
  return true;
}

/* An operand that some later op, or the op itself, computes. */
static bool has_back_edge(const Interp *s, const StOp *op) {
  for (int k = 0; k < op->noperands; k++)
    if (s->place[op->operand[k]->def->id] >= s->place[op->id])
      return true;
  return false;
}

static bool run_group(Interp *s, int g) {
  const StOp *op = s->m->op.at[g];
  if (op->scope)
    return run_block(s, g);
  for (int i = g; i < s->m->op.n; i++)
    if (s->group[i] == g && has_back_edge(s, s->m->op.at[i]))
      return run_cycle(s, g);
  return run_op(s, op);
}

/* A group that g waits for, or -1. */
static int missing(const Interp *s, int g) {
  for (int i = g; i < s->m->op.n; i++) {
    const StOp *op = s->m->op.at[i];
    for (int k = 0; s->group[i] == g && k < op->noperands; k++) {
      int need = s->group[s->place[op->operand[k]->def->id]];
      if (need != g && !s->done[need])
        return need;
    }
  }
  return -1;
}

/* Groups that wait for each other become one, with the number of the first of
 * them. */
static bool join_cycle(Interp *s, int from) {
  int n = s->m->op.n, g = from;
  bool *seen = ST_NEW_N(s->a, bool, n), *in = ST_NEW_N(s->a, bool, n);
  for (; !seen[g]; g = missing(s, g))
    seen[g] = true;
  int least = g;
  for (; !in[g]; g = missing(s, g)) {
    in[g] = true;
    least = g < least ? g : least;
    if (s->m->op.at[g]->scope)
      return refuse(s, s->m->op.at[g], "the block depends on itself");
  }
  for (int i = 0; i < n; i++)
    if (in[s->group[i]])
      s->group[i] = least;
  return true;
}

static bool run_groups(Interp *s) {
  int n = s->m->op.n;
  for (;;) {
    bool progress = false;
    int stuck = -1;
    for (int g = 0; g < n; g++) {
      if (s->group[g] != g || s->done[g])
        continue;
      if (missing(s, g) >= 0) {
        stuck = stuck < 0 ? g : stuck;
        continue;
      }
      if (!run_group(s, g))
        return false;
      s->done[g] = progress = true;
    }
    if (stuck < 0)
      return true;
    if (!progress && !join_cycle(s, stuck))
      return false;
  }
}

/* ---- a run ------------------------------------------------------------- */

/* Extents, and storage for what is computed; a view is its operand. */
static bool place_value(Interp *s, const StValue *v) {
  StDense *t = value_of(s, v);
  int64_t *extent = ST_NEW_N(s->a, int64_t, v->type.rank + 1);
  *t = (StDense){v->type.dtype, v->type.rank, extent, NULL};
  for (int d = 0; d < t->rank; d++) {
    extent[d] = st_sym_eval(v->type.shape[d], s->env->P, s->env->T);
    if (extent[d] < 0)
      return refuse(s, v->def, "an extent is negative");
  }
  StOpKind k = v->def->kind;
  if (k != ST_OP_ARG && k != ST_OP_CONST && k != ST_OP_VIEW)
    t->slots =
        st_arena_alloc_n(s->a, (size_t)st_dense_elements(t), slot_bytes(t));
  return true;
}

void **st_tensor_run(StArena *a, const StTensorEnv *env, StDiag *diag) {
  const StModule *m = env->module;
  Interp s = {
      .m = m, .env = env, .a = st_arena_new(), .results = a, .diag = diag};
  s.value = ST_NEW_N(s.a, StDense, m->next_value + 1);
  s.carried = ST_NEW_N(s.a, void *, m->next_op + 1);
  s.place = ST_NEW_N(s.a, int, m->next_op + 1);
  s.group = ST_NEW_N(s.a, int, m->op.n + 1);
  s.done = ST_NEW_N(s.a, bool, m->op.n + 1);
  s.ret = ST_NEW_N(a, void *, m->ret.n + 1);
  int *block = ST_NEW_N(s.a, int, m->repeat.n + 1);
  bool ok = true;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    s.place[op->id] = s.group[i] = i;
    if (op->scope && !block[op->scope - 1])
      block[op->scope - 1] = i + 1;
    if (op->scope)
      s.group[i] = block[op->scope - 1] - 1;
    for (int r = 0; ok && r < op->nresults; r++)
      ok = place_value(&s, op->result[r]);
  }
  ok = ok && run_groups(&s);
  st_arena_free(s.a);
  return ok ? s.ret : NULL;
}

/* ---- on the memory of a device ----------------------------------------- */

/* Extents of a port in a step, and its strides in the image. */
static int64_t *port_layout(StArena *a, const StModule *m, const StPort *p,
                            int64_t P, int64_t T, int64_t **stride) {
  int64_t *extent = ST_NEW_N(a, int64_t, p->rank + 1);
  int64_t *held = ST_NEW_N(a, int64_t, p->rank + 1);
  for (int d = 0; d < p->rank; d++) {
    extent[d] = st_sym_eval(p->shape[d], P, T);
    held[d] = st_module_stored_extent(m, p->shape[d]);
  }
  *stride = row_major(a, p->rank, held);
  return extent;
}

static void put_result(StArena *a, StMemoryImage *image, int i, void *data,
                       int64_t P, int64_t T) {
  const StModule *m = image->module;
  const StPort *p = &m->ret.at[i];
  int64_t *stride, at = 0;
  int64_t *extent = port_layout(a, m, p, P, T, &stride);
  int64_t *dense = row_major(a, p->rank, extent);
  size_t size = (size_t)st_dtype_bytes(p->dtype);
  char *to = image->ret[i];
  if (p->role == ST_ROLE_CACHE_ROWS) {
    port_layout(a, m, &m->arg.at[p->cache], P, T, &stride);
    to = image->own[p->cache];
    at = P * stride[p->axis];
  }
  move(p->rank, extent, size, (Place){to + at * (int64_t)size, stride},
       (Place){data, dense});
}

bool st_tensor_step(StMemoryImage *image, const StModule *m, int64_t P,
                    int64_t T, StDiag *diag) {
  StArena *a = st_arena_new();
  const void **arg = ST_NEW_N(a, const void *, m->arg.n + 1);
  for (int i = 0; i < m->arg.n; i++) {
    const StPort *p = &m->arg.at[i];
    int64_t *stride, n = st_dtype_bytes(p->dtype);
    int64_t *extent = port_layout(a, m, p, P, T, &stride);
    arg[i] = image->arg[i];
    if (!arg[i] || p->role == ST_ROLE_PARAM)
      continue;
    for (int d = 0; d < p->rank; d++)
      n *= extent[d];
    char *dense = st_arena_alloc(a, (size_t)n);
    move(p->rank, extent, (size_t)st_dtype_bytes(p->dtype),
         (Place){dense, row_major(a, p->rank, extent)},
         (Place){writable(image->arg[i]), stride});
    arg[i] = dense;
  }
  StTensorEnv env = {m, arg, P, T};
  void **ret = st_tensor_run(a, &env, diag);
  for (int i = 0; ret && i < m->ret.n; i++)
    if (ret[i])
      put_result(a, image, i, ret[i], P, T);
  st_arena_free(a);
  return ret != NULL;
}
