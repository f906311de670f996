/* See sim_module.h. */
#include "sim_module.h"

#include "analysis/port.h"
#include "sim_graph.h"

static const StLoc nowhere = {0};

StValue *module_arg(StModule *m, StDtype dtype, int rank, const StSym *shape) {
  StOp *op = st_op_new(m, ST_OP_ARG, nowhere, 0, NULL, 1);
  StPort port = {.name = st_arena_printf(m->arena, "a%d", m->arg.n),
                 .role = ST_ROLE_INPUT,
                 .dtype = dtype,
                 .rank = rank,
                 .cache = -1,
                 .axis = -1};
  port.shape = ST_NEW_N(m->arena, StSym, rank);
  for (int d = 0; d < rank; d++)
    port.shape[d] = shape[d];
  op->u.index = (StIndexList){1, ST_NEW(m->arena, int)};
  op->u.index.index[0] = m->arg.n;
  st_vec_push(m->arena, &m->arg, port);
  op->result[0]->type = st_type_tensor(m->arena, dtype, rank, port.shape);
  st_op_append(m, op);
  return op->result[0];
}

static int64_t *row_major(StModule *m, const StType *t) {
  int64_t *stride = ST_NEW_N(m->arena, int64_t, t->rank + 1), next = 1;
  for (int d = t->rank - 1; d >= 0; d--) {
    stride[d] = next;
    next *= st_sym_max(t->shape[d], m->ctx, m->chunk);
  }
  return stride;
}

static void set_order(StModule *m, StValue *v, const StItensor *order) {
  v->type.order = ST_NEW(m->arena, StItensor);
  *v->type.order = *order;
}

StValue *module_load(StModule *m, StValue *tensor, const StItensor *order) {
  StOp *op = st_op_new(m, ST_OP_LOAD, nowhere, 1, &tensor, 1);
  op->u.load = (StLoad){.gather = -1,
                        .layer_dim = -1,
                        .channel = -1,
                        .stride = row_major(m, &tensor->type)};
  op->result[0]->type = tensor->type;
  set_order(m, op->result[0], order);
  st_op_append(m, op);
  return op->result[0];
}

void module_store(StModule *m, StValue *stream) {
  const StType *t = &stream->type;
  StOp *op = st_op_new(m, ST_OP_STORE, nowhere, 1, &stream, 0);
  StPort port = {.name = st_arena_printf(m->arena, "r%d", m->ret.n),
                 .role = ST_ROLE_OUTPUT,
                 .dtype = t->dtype,
                 .rank = t->rank,
                 .shape = t->shape,
                 .cache = -1,
                 .axis = -1};
  op->u.store =
      (StStore){.layer_dim = -1, .channel = -1, .stride = row_major(m, t)};
  op->u.store.index = (StIndexList){1, ST_NEW(m->arena, int)};
  op->u.store.index.index[0] = m->ret.n;
  st_vec_push(m->arena, &m->ret, port);
  st_op_append(m, op);
}

void module_decide(StModule *m, int64_t depth, int latency) {
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    op->ii = 1;
    op->latency = latency;
    for (int r = 0; r < op->nresults; r++)
      if (op->result[r]->type.order) {
        op->result[r]->depth = depth;
        op->result[r]->memory = ST_MEM_SRL;
      }
  }
}

/* ---- random kernels ----------------------------------------------------- */

enum { MAX_DIMS = 4 };

static int rnd(uint64_t *seed, int lo, int hi) {
  return lo + (int)graph_random(seed, (uint32_t)(hi - lo + 1));
}

/* Loops and lanes: each dim is split into up to two loops and a lane, the loops
 * in random order with a dim's outer loop outside its inner one. */
static void random_schedule(StModule *m, uint64_t *seed, StNest *n,
                            int guarded) {
  StLoop loop[2 * MAX_DIMS];
  int nloops = 0;
  n->lane = ST_NEW_N(m->arena, StLane, n->ndims);
  for (int d = 0; d < n->ndims; d++) {
    int lanes = d != guarded && rnd(seed, 0, 1) ? rnd(seed, 2, 3) : 1;
    int inner = d != guarded && rnd(seed, 0, 1) ? rnd(seed, 1, 3) : 1;
    int outer = rnd(seed, 1, 4);
    n->dim[d].extent = st_sym_const(lanes * inner * outer);
    if (lanes > 1)
      n->lane[n->nlanes++] = (StLane){d, lanes};
    loop[nloops++] = (StLoop){d, st_sym_const(outer), inner * lanes};
    if (inner > 1)
      loop[nloops++] = (StLoop){d, st_sym_const(inner), lanes};
  }
  n->loop = ST_NEW_N(m->arena, StLoop, nloops);
  for (; n->nloops < nloops; n->nloops++) {
    int pick;
    bool inner_first;
    do {
      pick = rnd(seed, 0, nloops - 1);
      inner_first = false;
      for (int i = 0; i < pick; i++)
        inner_first |= loop[i].dim == loop[pick].dim;
    } while (loop[pick].dim < 0 || inner_first);
    n->loop[n->nloops] = loop[pick];
    loop[pick].dim = -1;
  }
}

/* Some folds get several accumulators, maybe more than they have values. */
static void random_ways(uint64_t *seed, StNest *n) {
  for (int i = 0; i < n->nloops; i++)
    if (n->dim[n->loop[i].dim].reduction) {
      n->ways = rnd(seed, 0, 6);
      return;
    }
}

static int random_subset(uint64_t *seed, const StNest *n, bool parallel_only,
                         int *dims) {
  int count = 0;
  for (int d = 0; d < n->ndims; d++)
    if (parallel_only ? !n->dim[d].reduction : rnd(seed, 0, 2) > 0)
      dims[count++] = d;
  for (int i = count - 1; i > 0; i--) {
    int j = rnd(seed, 0, i), t = dims[i];
    dims[i] = dims[j];
    dims[j] = t;
  }
  return count;
}

static StAffine *map_of(StModule *m, int n, const int *dims) {
  StAffine *map = ST_NEW_N(m->arena, StAffine, n + 1);
  for (int i = 0; i < n; i++)
    map[i] = st_affine_dim(m->arena, dims[i]);
  return map;
}

static StType type_of(StModule *m, StDtype dtype, const StNest *n, int rank,
                      const int *dims) {
  StSym shape[MAX_DIMS];
  for (int i = 0; i < rank; i++)
    shape[i] = n->dim[dims[i]].extent;
  return st_type_tensor(m->arena, dtype, rank, shape);
}

static int push(StModule *m, StNest *n, StExpr e) {
  return st_expr_push(m, &n->body, e);
}

static void make_body(StModule *m, uint64_t *seed, StNest *n, int inputs,
                      bool reduces) {
  for (int i = 0; i < inputs; i++)
    push(m, n,
         (StExpr){.kind = ST_X_ARG,
                  .dtype = ST_F32,
                  .arg = {-1, -1, -1},
                  .operand = i});
  int value = 0;
  for (int i = 1; i < inputs; i++)
    value = push(
        m, n,
        (StExpr){.kind = ST_X_MULF, .dtype = ST_F32, .arg = {value, i, -1}});
  if (rnd(seed, 0, 1)) {
    StAffine at = st_affine_const(st_sym_const(rnd(seed, 0, 5)));
    for (int d = 0; d < n->ndims; d++)
      at = st_affine_add(m->arena, at,
                         st_affine_scale(m->arena, st_affine_dim(m->arena, d),
                                         rnd(seed, -2, 2)));
    int index = push(m, n,
                     (StExpr){.kind = ST_X_INDEX,
                              .dtype = ST_I64,
                              .arg = {-1, -1, -1},
                              .affine = at});
    index = push(
        m, n,
        (StExpr){.kind = ST_X_SITOFP, .dtype = ST_F32, .arg = {index, -1, -1}});
    value = push(m, n,
                 (StExpr){.kind = ST_X_ADDF,
                          .dtype = ST_F32,
                          .arg = {value, index, -1}});
  }
  n->out[0].yield = value;
  n->out[1].yield = 0;
  for (int r = 0; r < 2; r++)
    n->out[r].combine = reduces ? ST_X_ADDF : ST_X_ARG;
}

/* The two inputs' product as i32, maybe the other way round. */
static void make_product(StModule *m, uint64_t *seed, StNest *n,
                         const StDtype *type) {
  int factor[2], swap = rnd(seed, 0, 1);
  for (int i = 0; i < 2; i++) {
    int x = push(m, n,
                 (StExpr){.kind = ST_X_ARG,
                          .dtype = type[i],
                          .arg = {-1, -1, -1},
                          .operand = i});
    StScalarKind widen = rnd(seed, 0, 2) ? ST_X_EXTSI : ST_X_EXTUI;
    factor[i ^ swap] = push(
        m, n, (StExpr){.kind = widen, .dtype = ST_I32, .arg = {x, -1, -1}});
  }
  n->out[0].yield = push(m, n,
                         (StExpr){.kind = ST_X_MULI,
                                  .dtype = ST_I32,
                                  .arg = {factor[0], factor[1], -1}});
  n->out[0].combine = ST_X_ADDI;
}

/* Result r: all parallel dims in some order, the guarded one maybe in part. */
static void add_result(StModule *m, uint64_t *seed, StOp *op, int r,
                       int guarded) {
  StNest *n = &op->u.nest;
  int dims[MAX_DIMS], rank = random_subset(seed, n, true, dims);
  n->out[r].map = map_of(m, rank, dims);
  n->out[r].guard = (StGuard){.dim = -1};
  if (guarded >= 0 && !n->dim[guarded].reduction && rnd(seed, 0, 1)) {
    int extent = (int)n->dim[guarded].extent.c, lo = rnd(seed, 0, extent - 1);
    n->out[r].guard = (StGuard){guarded, st_sym_const(lo),
                                st_sym_const(rnd(seed, lo + 1, extent))};
  }
  op->result[r]->type =
      type_of(m, n->body.at[n->out[r].yield].dtype, n, rank, dims);
}

/* Its operands: arguments of these types, indexed by subsets of the dims. */
static void random_operands(StModule *m, uint64_t *seed, StNest *n, int inputs,
                            const StDtype *type, int guarded,
                            StValue **operand) {
  n->in = ST_NEW_N(m->arena, StInput, inputs);
  for (int i = 0; i < inputs; i++) {
    int dims[MAX_DIMS], rank = random_subset(seed, n, false, dims);
    n->in[i].map = map_of(m, rank, dims);
    n->in[i].guard = (StGuard){.dim = -1};
    StType t = type_of(m, type[i], n, rank, dims);
    bool walks = false;
    for (int k = 0; k < rank; k++)
      walks |= dims[k] == guarded;
    if (walks && rnd(seed, 0, 1)) {
      int extent = (int)n->dim[guarded].extent.c;
      int lo = rnd(seed, 0, extent - 1);
      n->in[i].guard = (StGuard){guarded, st_sym_const(lo),
                                 st_sym_const(rnd(seed, lo + 1, extent))};
    }
    operand[i] = module_arg(m, type[i], t.rank, t.shape);
  }
}

/* With loads of its operands and stores of its results. */
static StOp *finish_kernel(StModule *m, uint64_t *seed, const StNest *n,
                           int inputs, StValue **operand, int results,
                           int guarded) {
  StOp *op = st_op_new(m, ST_OP_KERNEL, nowhere, inputs, operand, results);
  op->u.nest = *n;
  for (int r = 0; r < op->nresults; r++)
    add_result(m, seed, op, r, guarded);
  for (int i = 0; i < inputs; i++) {
    StItensor order = st_port_input(m->arena, op, i).order;
    op->operand[i] = module_load(m, operand[i], &order);
  }
  st_op_append(m, op);
  for (int r = 0; r < op->nresults; r++) {
    StItensor order = st_port_output(m->arena, op, r).order;
    set_order(m, op->result[r], &order);
    module_store(m, op->result[r]);
  }
  return op;
}

StOp *module_random_kernel(StModule *m, uint64_t *seed, int inputs,
                           bool guards) {
  static const StDtype type[4] = {ST_F32, ST_F32, ST_F32, ST_F32};
  StNest n = {.ndims = rnd(seed, 1, MAX_DIMS)};
  bool reduces = false;
  int guarded = guards ? rnd(seed, 0, n.ndims - 1) : -1;
  n.dim = ST_NEW_N(m->arena, StDim, n.ndims);
  for (int d = 0; d < n.ndims; d++)
    reduces |= n.dim[d].reduction = rnd(seed, 0, 2) == 0;
  random_schedule(m, seed, &n, guarded);
  random_ways(seed, &n);
  n.out = ST_NEW_N(m->arena, StOutput, 2);
  StValue *operand[4];
  random_operands(m, seed, &n, inputs, type, guarded, operand);
  make_body(m, seed, &n, inputs, reduces);
  return finish_kernel(m, seed, &n, inputs, operand, rnd(seed, 1, 2), guarded);
}

StOp *module_random_product(StModule *m, uint64_t *seed) {
  const StDtype type[2] = {rnd(seed, 0, 1) ? ST_I8 : ST_I4,
                           rnd(seed, 0, 1) ? ST_I8 : ST_I4};
  StNest n = {.ndims = rnd(seed, 1, MAX_DIMS)};
  n.dim = ST_NEW_N(m->arena, StDim, n.ndims);
  for (int d = 0; d < n.ndims; d++)
    n.dim[d].reduction = d == n.ndims - 1 || rnd(seed, 0, 3) == 0;
  random_schedule(m, seed, &n, -1);
  if (rnd(seed, 0, 1)) { /* many lanes of one reduction dim */
    StDim *dim = &n.dim[n.ndims - 1];
    int lanes = rnd(seed, 2, 90);
    dim->extent = st_sym_const(lanes * rnd(seed, 1, 2));
    n.nlanes -= n.nlanes && n.lane[n.nlanes - 1].dim == n.ndims - 1;
    n.lane[n.nlanes++] = (StLane){n.ndims - 1, lanes};
    for (int l = 0, first = 1; l < n.nloops; l++)
      if (n.loop[l].dim == n.ndims - 1) {
        int64_t trip = first ? dim->extent.c / lanes : 1;
        n.loop[l].trip = st_sym_const(trip);
        n.loop[l].step = lanes;
        first = 0;
      }
  }
  random_ways(seed, &n);
  n.out = ST_NEW(m->arena, StOutput);
  StValue *operand[2];
  random_operands(m, seed, &n, 2, type, -1, operand);
  make_product(m, seed, &n, type);
  return finish_kernel(m, seed, &n, 2, operand, 1, -1);
}

/* ---- random orders ------------------------------------------------------ */

StItensor module_random_order(StArena *a, uint64_t *seed, int rank,
                              const int64_t *shape, bool again) {
  StItensor o = {.rank = rank,
                 .elem = ST_NEW_N(a, int64_t, rank + 1),
                 .origin = ST_NEW_N(a, StSym, rank + 1),
                 .loop = ST_NEW_N(a, StLoop, 3 * rank + 2)};
  StLoop loop[16];
  int n = 0;
  for (int d = 0; d < rank; d++) {
    int64_t left = shape[d], step = 1;
    o.elem[d] = 1;
    for (int part = 0; left > 1; part++) {
      int64_t f = rnd(seed, 1, (int)left);
      while (left % f)
        f--;
      f = part == 2 ? left : f;
      if (part == 0)
        o.elem[d] = f;
      else if (f > 1)
        loop[n++] = (StLoop){d, st_sym_const(f), step};
      step *= f;
      left /= f;
    }
  }
  if (again)
    loop[n++] = (StLoop){-1, st_sym_const(rnd(seed, 2, 3)), 0};
  for (; n > 0; n--) {
    int pick = rnd(seed, 0, n - 1);
    o.loop[o.nloops++] = loop[pick];
    loop[pick] = loop[n - 1];
  }
  return o;
}
