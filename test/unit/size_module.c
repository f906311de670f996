/* See size_module.h. */
#include "size_module.h"

#include <string.h>

#include "pass/pass.h"
#include "sim_graph.h"

static const StLoc nowhere = {0};

enum { MAX_RANK = 3, MAX_DIMS = 8 };

typedef struct {
  StModule *m;
  uint64_t *seed;
  SizeShape shape;
  StArena *a;
  ST_VEC(StValue *) pool; /* values of rank 1 .. 3 that may be used */
  int scope;
} Maker;

static int rnd(const Maker *k, int lo, int hi) { /* lo .. hi */
  return lo + (int)graph_random(k->seed, (uint32_t)(hi - lo + 1));
}

/* ---- tensor level ------------------------------------------------------- */

static StSym random_extent(const Maker *k) {
  static const int sizes[] = {1, 2, 3, 4, 6, 8, 12};
  if (k->shape.symbols && rnd(k, 0, 3) == 0)
    return (StSym){rnd(k, 0, 1), rnd(k, 0, 1), 1};
  return st_sym_const(sizes[rnd(k, 1, 6)]);
}

static StValue *add_arg(Maker *k, int rank, const StSym *shape) {
  StModule *m = k->m;
  StOp *op = st_op_new(m, ST_OP_ARG, nowhere, 0, NULL, 1);
  StPort port = {.name = st_arena_printf(k->a, "a%d", m->arg.n),
                 .role = ST_ROLE_INPUT,
                 .dtype = ST_F32,
                 .rank = rank,
                 .shape = ST_NEW_N(k->a, StSym, rank + 1),
                 .cache = -1,
                 .axis = -1};
  memcpy(port.shape, shape, (size_t)rank * sizeof *shape);
  op->scope = k->scope;
  int n = k->scope ? (int)m->repeat.at[k->scope - 1].trip : 1;
  op->u.index = (StIndexList){n, ST_NEW_N(k->a, int, n)};
  for (int i = 0; i < n; i++) {
    op->u.index.index[i] = m->arg.n;
    st_vec_push(k->a, &m->arg, port);
  }
  op->result[0]->type = st_type_tensor(k->a, ST_F32, rank, port.shape);
  st_op_append(m, op);
  return op->result[0];
}

static void add_result(Maker *k, StValue *v) {
  StModule *m = k->m;
  StOp *op = st_op_new(m, ST_OP_RESULT, nowhere, 1, &v, 0);
  StPort port = {.name = st_arena_printf(k->a, "r%d", m->ret.n),
                 .role = ST_ROLE_OUTPUT,
                 .dtype = ST_F32,
                 .rank = v->type.rank,
                 .shape = v->type.shape,
                 .cache = -1,
                 .axis = -1};
  op->u.index = (StIndexList){1, ST_NEW(k->a, int)};
  op->u.index.index[0] = m->ret.n;
  st_vec_push(k->a, &m->ret, port);
  st_op_append(m, op);
}

static StAffine *map_of(Maker *k, int n, const int *dims) {
  StAffine *map = ST_NEW_N(k->a, StAffine, n + 1);
  for (int i = 0; i < n; i++)
    map[i] = st_affine_dim(k->a, dims[i]);
  return map;
}

/* A generic whose body multiplies its operands; results without values yet. */
static StOp *add_generic(Maker *k, int noperands, StValue *const *operand,
                         int nresults) {
  StOp *op =
      st_op_new(k->m, ST_OP_GENERIC, nowhere, noperands, operand, nresults);
  StNest *n = &op->u.nest;
  op->scope = k->scope;
  n->in = ST_NEW_N(k->a, StInput, noperands + 1);
  n->out = ST_NEW_N(k->a, StOutput, nresults + 1);
  n->dim = ST_NEW_N(k->a, StDim, MAX_DIMS);
  int value = 0;
  for (int i = 0; i < noperands; i++) {
    n->in[i].guard.dim = -1;
    st_expr_push(k->m, &n->body,
                 (StExpr){.kind = ST_X_ARG,
                          .dtype = ST_F32,
                          .arg = {-1, -1, -1},
                          .operand = i});
  }
  for (int i = 1; i < noperands; i++)
    value = st_expr_push(
        k->m, &n->body,
        (StExpr){.kind = ST_X_MULF, .dtype = ST_F32, .arg = {value, i, -1}});
  for (int i = 0; i < nresults; i++) {
    n->out[i].yield = value;
    n->out[i].guard.dim = -1;
    n->out[i].combine = ST_X_ARG;
  }
  st_op_append(k->m, op);
  return op;
}

static int add_dim(StNest *n, StSym extent, bool reduction) {
  n->dim[n->ndims] = (StDim){.extent = extent, .reduction = reduction};
  return n->ndims++;
}

/* Result r is indexed by the parallel dims. */
static void finish_result(Maker *k, StOp *op, int r) {
  StNest *n = &op->u.nest;
  StSym shape[MAX_DIMS];
  int dims[MAX_DIMS] = {0}, rank = 0;
  for (int d = 0; d < n->ndims; d++) {
    if (n->dim[d].reduction) {
      n->out[r].combine = ST_X_ADDF;
      continue;
    }
    dims[rank] = d;
    shape[rank++] = n->dim[d].extent;
  }
  n->out[r].map = map_of(k, rank, dims);
  op->result[r]->type = st_type_tensor(k->a, ST_F32, rank, shape);
  if (rank >= 1 && rank <= MAX_RANK)
    st_vec_push(k->a, &k->pool, op->result[r]);
}

static bool same_shape(const StValue *x, const StValue *y) {
  if (x->type.rank != y->type.rank)
    return false;
  for (int d = 0; d < x->type.rank; d++)
    if (!st_sym_eq(x->type.shape[d], y->type.shape[d]))
      return false;
  return true;
}

static StValue *pick(Maker *k) {
  int n = k->pool.n, late = rnd(k, 0, 1) ? n - 1 - rnd(k, 0, 2) : -1;
  return k->pool.at[late >= 0 ? late : rnd(k, 0, n - 1)];
}

/* Operands of one shape, all by the same dims; dim `reduced` (-1: none) is. */
static StOp *join(Maker *k, int n, StValue *const *operand, int reduced,
                  int nresults) {
  const StType *t = &operand[0]->type;
  StOp *op = add_generic(k, n, operand, nresults);
  int dims[MAX_RANK] = {0};
  for (int d = 0; d < t->rank; d++)
    dims[d] = add_dim(&op->u.nest, t->shape[d], d == reduced);
  for (int i = 0; i < n; i++)
    op->u.nest.in[i].map = map_of(k, t->rank, dims);
  for (int r = 0; r < nresults; r++)
    finish_result(k, op, r);
  return op;
}

static void add_join(Maker *k) {
  StValue *operand[3] = {pick(k)};
  int n = 1, rank = operand[0]->type.rank;
  for (int i = k->pool.n; i-- > 0 && n < 3;)
    if (same_shape(k->pool.at[i], operand[0]) && rnd(k, 0, 2))
      operand[n++] = k->pool.at[i];
  int reduced = rnd(k, 0, 2) || rank < 2 ? -1 : rnd(k, 0, rank - 1);
  join(k, n, operand, reduced, rnd(k, 0, 3) ? 1 : 2);
}

/* x[a..] by a stored y[b, a's last]: a contraction or an outer product. */
static void add_product(Maker *k) {
  StValue *x = pick(k);
  int rank = x->type.rank, dims[MAX_RANK];
  bool contract = rnd(k, 0, 2) > 0;
  StSym shape[2] = {random_extent(k), x->type.shape[rank - 1]};
  StValue *operand[2] = {x, add_arg(k, contract ? 2 : 1, shape)};
  StOp *op = add_generic(k, 2, operand, 1);
  for (int d = 0; d < rank; d++)
    dims[d] = add_dim(&op->u.nest, x->type.shape[d], contract && d == rank - 1);
  op->u.nest.in[0].map = map_of(k, rank, dims);
  dims[0] = add_dim(&op->u.nest, shape[0], false);
  dims[1] = rank - 1;
  op->u.nest.in[1].map = map_of(k, contract ? 2 : 1, dims);
  finish_result(k, op, 0);
}

/* A part of a constant dim. */
static void add_part(Maker *k) {
  StValue *x = pick(k);
  int rank = x->type.rank, dims[MAX_RANK], d = rnd(k, 0, rank - 1);
  if (!st_sym_is_const(x->type.shape[d]) || x->type.shape[d].c < 2)
    return;
  int extent = (int)x->type.shape[d].c, lo = rnd(k, 0, extent - 2);
  StOp *op = add_generic(k, 1, &x, 1);
  for (int i = 0; i < rank; i++)
    dims[i] = add_dim(&op->u.nest,
                      i == d ? st_sym_const(rnd(k, 1, extent - lo - 1))
                             : x->type.shape[i],
                      false);
  op->u.nest.in[0].map = map_of(k, rank, dims);
  op->u.nest.in[0].map[d].off = st_sym_const(lo);
  finish_result(k, op, 0);
}

static void add_source(Maker *k) {
  StSym shape[MAX_RANK];
  int rank = rnd(k, 1, MAX_RANK);
  for (int d = 0; d < rank; d++)
    shape[d] = random_extent(k);
  StValue *v = add_arg(k, rank, shape);
  join(k, 1, &v, -1, 1);
}

static void add_ops(Maker *k, int n) {
  for (int i = 0; i < n; i++) {
    int kind = rnd(k, 0, 9);
    if (kind == 0)
      add_source(k);
    else if (kind < 3)
      add_part(k);
    else if (kind < 6)
      add_product(k);
    else
      add_join(k);
  }
}

/* A block that carries one value: what it makes has the value's shape. */
static void add_block(Maker *k, int n) {
  StModule *m = k->m;
  st_vec_push(k->a, &m->repeat, (StRepeat){rnd(k, 2, 4)});
  StValue *init = pick(k);
  int outside = k->pool.n;
  k->scope = m->repeat.n;
  StValue *operand[2] = {init, init};
  StOp *carry = st_op_new(m, ST_OP_CARRY, nowhere, 2, operand, 1);
  carry->scope = k->scope;
  carry->result[0]->type = init->type;
  st_op_append(m, carry);
  st_vec_push(k->a, &k->pool, carry->result[0]);
  add_ops(k, n);
  /* What goes round: a chain from the carried value and what has its shape. */
  StValue *next = carry->result[0];
  for (int i = k->pool.n; i-- > outside;) {
    StValue *v = k->pool.at[i];
    if (!same_shape(v, init) || rnd(k, 0, 1))
      continue;
    StValue *both[2] = {next, v};
    next = join(k, 2, both, -1, 1)->result[0];
  }
  if (next == carry->result[0])
    next = join(k, 1, &next, -1, 1)->result[0];
  carry->operand[1] = next;
  k->scope = 0;
}

/* ---- schedules ---------------------------------------------------------- */

static bool is_guarded(const StOp *op, int dim) {
  const StNest *n = &op->u.nest;
  for (int i = 0; i < op->noperands; i++)
    if (n->in[i].guard.dim == dim)
      return true;
  return false;
}

/* Whether dim d of the nest is the iteration of a block. */
static bool is_layer(const StOp *op, int d) {
  const char *name = op->u.nest.dim[d].name;
  return name && !strcmp(name, "layer");
}

/* Loops in random order, the iteration of a block outermost; some dims split
 * into two loops, some with lanes. */
static void draw_schedule(Maker *k, StOp *op) {
  StNest *n = &op->u.nest;
  StLoop loop[2 * MAX_DIMS + 2];
  int nloops = 0, first = 0;
  n->lane = ST_NEW_N(k->a, StLane, n->ndims + 1);
  n->loop = ST_NEW_N(k->a, StLoop, 2 * n->ndims + 1);
  for (int d = 0; d < n->ndims; d++) {
    StSym e = n->dim[d].extent;
    int lanes = 1;
    bool fixed = !st_sym_is_const(e) || is_guarded(op, d) || is_layer(op, d);
    if (!fixed && n->nlanes == 0 && e.c % 2 == 0 && rnd(k, 0, 2) == 0) {
      lanes = 2;
      n->lane[n->nlanes++] = (StLane){d, lanes};
      e.c /= 2;
    }
    if (is_layer(op, d))
      n->loop[n->nloops++] = (StLoop){d, e, 1};
    else if (!fixed && e.c % 2 == 0 && e.c > 2 && rnd(k, 0, 2) == 0) {
      loop[nloops++] = (StLoop){d, st_sym_const(2), e.c / 2 * lanes};
      loop[nloops++] = (StLoop){d, st_sym_const(e.c / 2), lanes};
    } else if (is_guarded(op, d) || !st_sym_eq(e, st_sym_const(1))) {
      loop[nloops++] = (StLoop){d, e, lanes};
    }
  }
  bool shuffle = rnd(k, 0, 1);
  for (int left = nloops; left > 0; left--) {
    int at = first;
    while (loop[at].dim < 0)
      at++;
    if (shuffle)
      do {
        at = rnd(k, 0, nloops - 1);
        for (int i = 0; i < at; i++) /* a dim's outer loop first */
          if (loop[i].dim >= 0 && loop[i].dim == loop[at].dim)
            at = i;
      } while (loop[at].dim < 0);
    n->loop[n->nloops++] = loop[at];
    loop[at].dim = -1;
  }
  for (int i = 0; i < n->nloops; i++)
    if (n->dim[n->loop[i].dim].reduction)
      n->ways = 1 + n->loop[i].dim + 2 * (int)shuffle;
}

static void decide(Maker *k) {
  for (int i = 0; i < k->m->op.n; i++) {
    StOp *op = k->m->op.at[i];
    op->ii = rnd(k, 0, 3) ? 1 : rnd(k, 2, 5);
    op->latency = op->kind == ST_OP_KERNEL ? rnd(k, 1, 24) : rnd(k, 1, 4);
  }
}

StModule *size_random_module(uint64_t *seed, SizeShape shape, StDiag *diag) {
  StModule *m = st_module_new("random");
  Maker k = {.m = m, .seed = seed, .shape = shape, .a = m->arena};
  StPassContext ctx = {.lanes = 1, .diag = diag};
  if (shape.symbols) {
    m->ctx = 12;
    m->chunk = 4;
  }
  add_source(&k);
  int outside = rnd(&k, 0, shape.ops);
  add_ops(&k, outside);
  if (shape.repeat)
    add_block(&k, rnd(&k, 1, shape.ops));
  add_ops(&k, shape.ops - outside);
  int results = rnd(&k, 1, 3);
  for (int i = 0; i < results && i < k.pool.n; i++)
    add_result(&k, k.pool.at[k.pool.n - 1 - i]);
  st_module_renumber(m);
  bool ok = st_pass_expand_repeat(m, &ctx);
  for (int i = 0; i < m->op.n && ok; i++)
    if (m->op.at[i]->kind == ST_OP_GENERIC)
      draw_schedule(&k, m->op.at[i]);
  ok = ok && st_pass_stream(m, &ctx);
  if (!ok) {
    st_module_free(m);
    return NULL;
  }
  decide(&k);
  return m;
}
