/* See interp_module.h. */
#include "interp_module.h"

#include <string.h>

#include "sim_graph.h"

static const StLoc nowhere = {0};

enum { MOST_RANK = 4, ROWS = 10, LEAST = -4, MOST = 4 };

typedef struct {
  StModule *m;
  StArena *a;
  uint64_t seed;
  InterpShape shape;
  ST_VEC(StValue *) pool; /* values of f32 that may be used */
  int scope;
  bool block; /* of a repeat or a layer: no lookups */
} Maker;

static int rnd(Maker *k, int lo, int hi) { /* lo .. hi */
  return lo + (int)graph_random(&k->seed, (uint32_t)(hi - lo + 1));
}

static bool is_const(StSym s, int64_t c) {
  return st_sym_eq(s, st_sym_const(c));
}

/* ---- arguments and results --------------------------------------------- */

static StValue *add_arg(Maker *k, StRole role, StDtype t, int rank,
                        const StSym *shape) {
  StModule *m = k->m;
  StOp *op = st_op_new(m, ST_OP_ARG, nowhere, 0, NULL, 1);
  int n = k->scope ? (int)m->repeat.at[k->scope - 1].trip : 1;
  op->scope = k->scope;
  op->result[0]->type = st_type_tensor(k->a, t, rank, shape);
  op->u.index = (StIndexList){n, ST_NEW_N(k->a, int, n)};
  for (int i = 0; i < n; i++) {
    StPort port = {.name = st_arena_printf(k->a, "a%d", m->arg.n),
                   .role = role,
                   .dtype = t,
                   .rank = rank,
                   .shape = op->result[0]->type.shape,
                   .cache = -1,
                   .axis = -1};
    op->u.index.index[i] = m->arg.n;
    st_vec_push(k->a, &m->arg, port);
  }
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

/* ---- generics ---------------------------------------------------------- */

static StOp *new_op(Maker *k, StOpKind kind, int n, StValue *const *operand,
                    StType type) {
  StOp *op = st_op_new(k->m, kind, nowhere, n, operand, 1);
  op->scope = k->scope;
  op->result[0]->type = type;
  st_op_append(k->m, op);
  return op;
}

static StValue *keep(Maker *k, StValue *v) {
  if (v->type.rank <= MOST_RANK)
    st_vec_push(k->a, &k->pool, v);
  return v;
}

static int expr(Maker *k, StNest *n, StScalarKind kind, StDtype t, int x, int y,
                int z) {
  return st_expr_push(k->m, &n->body,
                      (StExpr){.kind = kind, .dtype = t, .arg = {x, y, z}});
}

static int number(Maker *k, StNest *n, float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  StExpr e = {.kind = ST_X_CONST, .arg = {-1, -1, -1}, .bits = bits};
  return st_expr_push(k->m, &n->body, e);
}

static int clamped_arg(Maker *k, StNest *n, int operand) {
  StExpr e = {.kind = ST_X_ARG, .arg = {-1, -1, -1}, .operand = operand};
  int x = st_expr_push(k->m, &n->body, e);
  x = expr(k, n, ST_X_MAXIMUMF, ST_F32, x, number(k, n, LEAST), -1);
  return expr(k, n, ST_X_MINIMUMF, ST_F32, x, number(k, n, MOST), -1);
}

/* One or two operations on the arguments and, at times, an index. */
static int random_body(Maker *k, StNest *n, int noperands) {
  static const StScalarKind binary[] = {ST_X_ADDF, ST_X_SUBF, ST_X_MULF,
                                        ST_X_MAXIMUMF, ST_X_MINIMUMF};
  int value[8], count = 0;
  for (int i = 0; i < noperands; i++)
    value[count++] = clamped_arg(k, n, i);
  if (n->ndims && rnd(k, 0, 2) == 0) {
    StExpr e = {.kind = ST_X_INDEX, .dtype = ST_I64, .arg = {-1, -1, -1}};
    e.affine = st_affine_dim(k->a, rnd(k, 0, n->ndims - 1));
    if (k->shape.symbols && rnd(k, 0, 1))
      e.affine.off = (StSym){0, 1, 0};
    int x = st_expr_push(k->m, &n->body, e);
    value[count++] = expr(k, n, ST_X_SITOFP, ST_F32, x, -1, -1);
  }
  int last = value[count - 1];
  for (int i = rnd(k, 1, 2); i > 0; i--) {
    int x = value[rnd(k, 0, count - 1)], kind = rnd(k, 0, 6);
    if (kind < 5) {
      last = expr(k, n, binary[kind], ST_F32, last, x, -1);
    } else if (kind == 5) {
      last = expr(k, n, ST_X_NEGF, ST_F32, last, -1, -1);
    } else {
      StExpr e = {.kind = ST_X_CMPF,
                  .dtype = ST_I1,
                  .arg = {last, x, -1},
                  .pred = ST_P_OLT};
      int c = st_expr_push(k->m, &n->body, e);
      last = expr(k, n, ST_X_SELECT, ST_F32, c, x, number(k, n, 2));
    }
    value[count++] = last;
  }
  return last;
}

/* The dims of y are among those of the nest, of one position, or offset. */
static bool match(Maker *k, const StNest *n, const StValue *y, StAffine *map) {
  bool used[MOST_RANK] = {0};
  for (int i = 0; i < y->type.rank; i++) {
    int d = 0;
    while (d < n->ndims &&
           (used[d] || !st_sym_eq(n->dim[d].extent, y->type.shape[i])))
      d++;
    if (is_const(y->type.shape[i], 1)) {
      map[i] = st_affine_const(st_sym_const(0));
      continue;
    }
    if (d == n->ndims)
      return false;
    used[d] = true;
    map[i] = st_affine_dim(k->a, d);
  }
  return true;
}

static StValue *pick(Maker *k) {
  int n = k->pool.n;
  int late = n - 1 - rnd(k, 0, 2);
  return k->pool.at[late >= 0 && rnd(k, 0, 1) ? late : rnd(k, 0, n - 1)];
}

static void start_nest(Maker *k, StNest *n, int ndims, int noperands) {
  *n = (StNest){.ndims = ndims,
                .dim = ST_NEW_N(k->a, StDim, ndims + 1),
                .in = ST_NEW_N(k->a, StInput, noperands + 1),
                .out = ST_NEW(k->a, StOutput)};
  n->out->map = ST_NEW_N(k->a, StAffine, ndims + 1);
  n->out->guard.dim = -1;
  n->out->combine = ST_X_ARG;
  for (int i = 0; i < noperands; i++) {
    n->in[i].map = ST_NEW_N(k->a, StAffine, MOST_RANK);
    n->in[i].guard.dim = -1;
  }
}

/* The result has the parallel dims, in order. */
static StValue *end_nest(Maker *k, const StNest *n, int noperands,
                         StValue *const *operand) {
  StSym shape[MOST_RANK + 1];
  int rank = 0;
  for (int d = 0; d < n->ndims; d++)
    if (!n->dim[d].reduction) {
      n->out->map[rank] = st_affine_dim(k->a, d);
      shape[rank++] = n->dim[d].extent;
    }
  StOp *op = new_op(k, ST_OP_GENERIC, noperands, operand,
                    st_type_tensor(k->a, ST_F32, rank, shape));
  op->u.nest = *n;
  return keep(k, op->result[0]);
}

/* x by permuted dims with up to two others that fit; perhaps a reduction. */
static StValue *add_join(Maker *k, StValue *x) {
  static const StScalarKind fold[] = {ST_X_ADDF, ST_X_ADDF, ST_X_MAXIMUMF,
                                      ST_X_MINIMUMF};
  StValue *operand[3] = {x};
  StNest n;
  int rank = x->type.rank, count = 1;
  start_nest(k, &n, rank, 3);
  for (int i = 0; i < rank; i++) {
    int at = rnd(k, 0, i); /* a permutation, grown from the end */
    for (int j = i; j > at; j--)
      n.in[0].map[j] = n.in[0].map[j - 1];
    n.in[0].map[at] = st_affine_dim(k->a, i);
  }
  for (int i = 0; i < rank; i++)
    n.dim[n.in[0].map[i].term[0].dim].extent = x->type.shape[i];
  for (int tries = rnd(k, 0, 4); tries > 0 && count < 3; tries--) {
    operand[count] = pick(k);
    count += match(k, &n, operand[count], n.in[count].map);
  }
  int sum = rank > 0 && rnd(k, 0, 3) == 0 ? rnd(k, 0, rank - 1) : -1;
  if (sum >= 0 && !is_const(n.dim[sum].extent, 1)) {
    n.dim[sum].reduction = true;
    n.out->combine = fold[rnd(k, 0, 3)];
  }
  n.out->yield = random_body(k, &n, count);
  return end_nest(k, &n, count, operand);
}

/* Parameters have no symbols. */
static StValue *add_weight(Maker *k, const StSym *shape) {
  bool fixed = st_sym_is_const(shape[0]) && st_sym_is_const(shape[1]);
  return add_arg(k, fixed ? ST_ROLE_PARAM : ST_ROLE_INPUT, ST_F32, 2, shape);
}

/* x[.., i] times a new weight [j, i], summed over i; j < columns. */
static StValue *add_product(Maker *k, StValue *x, StSym columns) {
  int rank = x->type.rank;
  if (rank == 0 || rank == MOST_RANK || is_const(x->type.shape[rank - 1], 1))
    return x;
  StSym shape[2] = {columns, x->type.shape[rank - 1]};
  StValue *operand[2] = {x, add_weight(k, shape)};
  StNest n;
  start_nest(k, &n, rank + 1, 2);
  for (int d = 0; d < rank; d++) {
    int to = d == rank - 1 ? rank : d;
    n.dim[to].extent = x->type.shape[d];
    n.in[0].map[d] = st_affine_dim(k->a, to);
  }
  n.dim[rank - 1].extent = columns;
  n.dim[rank].reduction = true;
  n.in[1].map[0] = st_affine_dim(k->a, rank - 1);
  n.in[1].map[1] = st_affine_dim(k->a, rank);
  int a = clamped_arg(k, &n, 0), b = clamped_arg(k, &n, 1);
  n.out->yield = expr(k, &n, ST_X_MULF, ST_F32, a, b, -1);
  n.out->combine = ST_X_ADDF;
  return end_nest(k, &n, 2, operand);
}

static StSym random_columns(Maker *k) { return st_sym_const(rnd(k, 1, 6)); }

/* Rows of a table that indices choose. */
static StValue *add_lookup(Maker *k) {
  StSym rows = k->shape.symbols && rnd(k, 0, 1) ? (StSym){0, 0, 1}
                                                : st_sym_const(rnd(k, 2, 4));
  StSym shape[2] = {st_sym_const(ROWS), st_sym_const(rnd(k, 1, 6))};
  StValue *operand[2] = {add_weight(k, shape),
                         add_arg(k, ST_ROLE_INPUT, ST_I64, 1, &rows)};
  StNest n;
  start_nest(k, &n, 2, 2);
  n.dim[0].extent = rows;
  n.dim[1].extent = shape[1];
  n.in[0].map = NULL;
  n.in[1].map[0] = st_affine_dim(k->a, 0);
  StExpr at = {
      .kind = ST_X_ARG, .dtype = ST_I64, .arg = {-1, -1, -1}, .operand = 1};
  StExpr column = {.kind = ST_X_INDEX,
                   .dtype = ST_I64,
                   .arg = {-1, -1, -1},
                   .affine = st_affine_dim(k->a, 1)};
  StExpr element = {.kind = ST_X_EXTRACT,
                    .arg = {-1, -1, -1},
                    .nindices = 2,
                    .indices = ST_NEW_N(k->a, int, 2)};
  element.indices[0] = st_expr_push(k->m, &n.body, at);
  element.indices[1] = st_expr_push(k->m, &n.body, column);
  n.out->yield = st_expr_push(k->m, &n.body, element);
  return end_nest(k, &n, 2, operand);
}

/* ---- views, slices, concatenations ------------------------------------- */

static StValue *add_view(Maker *k, StValue *x) {
  StSym shape[MOST_RANK + 2];
  int rank = 0, kind = rnd(k, 0, 2), at = rnd(k, 0, x->type.rank - 1);
  for (int d = 0; d < x->type.rank; d++) {
    StSym s = x->type.shape[d];
    bool two = d == at && d + 1 < x->type.rank && st_sym_is_const(s) &&
               st_sym_is_const(x->type.shape[d + 1]);
    if (kind == 0 && two) { /* two dims become one */
      shape[rank++] = st_sym_const(s.c * x->type.shape[++d].c);
    } else if (kind == 1 && d == at && st_sym_is_const(s) && s.c % 2 == 0) {
      shape[rank++] = st_sym_const(rnd(k, 0, 1) ? 2 : s.c / 2);
      shape[rank] = st_sym_const(s.c / shape[rank - 1].c);
      rank++;
    } else {
      if (kind == 2 && d == at)
        shape[rank++] = st_sym_const(1);
      shape[rank++] = s;
    }
  }
  if (rank > MOST_RANK)
    return x;
  return keep(
      k, new_op(k, ST_OP_VIEW, 1, &x, st_type_tensor(k->a, ST_F32, rank, shape))
             ->result[0]);
}

static StValue *add_slice(Maker *k, StValue *x) {
  int rank = x->type.rank, at = rnd(k, 0, rank - 1);
  StType t = st_type_tensor(k->a, ST_F32, rank, x->type.shape);
  StSlice s = {ST_NEW_N(k->a, StSym, rank), ST_NEW_N(k->a, int64_t, rank)};
  for (int d = 0; d < rank; d++)
    s.stride[d] = 1;
  StSym e = t.shape[at];
  if (st_sym_is_const(e)) {
    int first = rnd(k, 0, (int)e.c - 1), step = rnd(k, 1, 2);
    s.offset[at] = st_sym_const(first);
    s.stride[at] = step;
    t.shape[at] = st_sym_const(rnd(k, 1, ((int)e.c - 1 - first) / step + 1));
  } else if (e.p) { /* what this step adds */
    s.offset[at] = (StSym){0, 1, 0};
    t.shape[at] = (StSym){e.c, 0, e.t};
  }
  StOp *op = new_op(k, ST_OP_SLICE, 1, &x, t);
  op->u.slice = s;
  return keep(k, op->result[0]);
}

static StValue *add_const(Maker *k, int rank, const StSym *shape) {
  float *data = ST_NEW(k->a, float);
  *data = (float)rnd(k, LEAST, MOST);
  StOp *op = new_op(k, ST_OP_CONST, 0, NULL,
                    st_type_tensor(k->a, ST_F32, rank, shape));
  op->u.constant = (StConst){.n = 1, .splat = true, .data = data, .bytes = 4};
  return op->result[0];
}

/* x behind rows of an argument, between constants, or next to itself. */
static StValue *add_concat(Maker *k, StValue *x) {
  int rank = x->type.rank, at = rnd(k, 0, rank - 1), n = 2;
  StSym whole[MOST_RANK], part[MOST_RANK], e = x->type.shape[at];
  memcpy(part, x->type.shape, (size_t)rank * sizeof *part);
  memcpy(whole, part, sizeof part);
  part[at] = st_sym_const(rnd(k, 1, 4));
  StValue *operand[3] = {x, x};
  int kind = rnd(k, 0, 2);
  if (!st_sym_is_const(e) && (e.p || e.c))
    return x;
  if (e.t || kind == 0) {
    part[at] = e.t ? (StSym){0, 1, 0} : part[at];
    operand[0] = add_arg(k, ST_ROLE_INPUT, ST_F32, rank, part);
  } else if (kind == 1) {
    operand[0] = add_const(k, rank, part);
    part[at] = st_sym_const(rnd(k, 1, 4));
    operand[2] = add_const(k, rank, part);
    n = 3;
  }
  whole[at] = st_sym_const(0);
  for (int i = 0; i < n; i++)
    whole[at] = st_sym_add(whole[at], operand[i]->type.shape[at]);
  StOp *op = new_op(k, ST_OP_CONCAT, n, operand,
                    st_type_tensor(k->a, ST_F32, rank, whole));
  op->u.axis = at;
  return keep(k, op->result[0]);
}

/* ---- modules ----------------------------------------------------------- */

static void add_source(Maker *k) {
  static const int sizes[] = {1, 2, 3, 4, 6, 8};
  StSym shape[3];
  int rank = rnd(k, 1, 3);
  for (int d = 0; d < rank; d++)
    shape[d] = st_sym_const(sizes[rnd(k, 0, 5)]);
  if (k->shape.symbols && rnd(k, 0, 2))
    shape[rnd(k, 0, rank - 1)] = (StSym){0, rnd(k, 0, 1), 1};
  keep(k, add_arg(k, ST_ROLE_INPUT, ST_F32, rank, shape));
}

static int64_t most_elements(const Maker *k, const StValue *v) {
  return st_type_max_elements(k->m, &v->type);
}

static StValue *add_op(Maker *k) {
  StValue *x = pick(k);
  int kind = rnd(k, 0, 12);
  bool small = most_elements(k, x) < 400;
  if (kind == 0 && !k->block)
    return add_lookup(k);
  if (kind < 3 && x->type.rank)
    return add_slice(k, x);
  if (kind < 5 && x->type.rank && x->type.rank < MOST_RANK)
    return add_view(k, x);
  if (kind < 7 && x->type.rank && small)
    return add_concat(k, x);
  if (kind < 9)
    return add_product(k, x, random_columns(k));
  return add_join(k, x);
}

static void add_ops(Maker *k, int n) {
  for (int i = 0; i < n; i++)
    if (rnd(k, 0, 6) == 0)
      add_source(k);
    else
      add_op(k);
}

/* Of x's shape: x with y and the values of the pool from `from` on that fit. */
static StValue *same_shape(Maker *k, StValue *x, StValue *y, int from) {
  StValue *r = x;
  int rank = x->type.rank;
  for (int i = k->pool.n; i >= from; i--) {
    StValue *operand[2] = {r, i == k->pool.n ? y : k->pool.at[i]};
    StNest n;
    start_nest(k, &n, rank, 2);
    for (int d = 0; d < rank; d++) {
      n.dim[d].extent = x->type.shape[d];
      n.in[0].map[d] = st_affine_dim(k->a, d);
    }
    int count = match(k, &n, operand[1], n.in[1].map) ? 2 : 1;
    if (operand[1] != y && (count == 1 || rnd(k, 0, 1)))
      continue;
    n.out->yield = random_body(k, &n, count);
    r = end_nest(k, &n, count, operand);
    if (rank <= MOST_RANK)
      k->pool.n--; /* end_nest has put it there */
  }
  return r;
}

/* A block that carries one value. */
static void add_block(Maker *k, int n) {
  StModule *m = k->m;
  StValue *init = pick(k);
  int outside = k->pool.n;
  st_vec_push(k->a, &m->repeat, (StRepeat){rnd(k, 2, 4)});
  k->scope = m->repeat.n;
  k->block = true;
  StValue *operand[2] = {init, init};
  StOp *carry = new_op(k, ST_OP_CARRY, 2, operand, init->type);
  StValue *x = keep(k, carry->result[0]);
  add_ops(k, n);
  carry->operand[1] = keep(k, same_shape(k, x, x, outside + 1));
  k->scope = 0;
  k->block = false;
}

/* Ops that are the same two or three times, with weights of their own, each
 * time on what the time before made. */
static void add_layers(Maker *k, int n) {
  StValue *x = pick(k);
  if (x->type.rank == 0 || x->type.rank == MOST_RANK)
    return;
  StSym columns = x->type.shape[x->type.rank - 1];
  if (!st_sym_is_const(columns))
    return;
  int times = rnd(k, 2, 3), outside = k->pool.n;
  uint64_t seed = k->seed;
  for (int i = 0; i < times; i++) {
    Maker inner = *k; /* whose pool is the layer's own */
    memset(&inner.pool, 0, sizeof inner.pool);
    inner.seed = seed;
    inner.block = true;
    keep(&inner, x);
    StValue *y = add_product(&inner, x, random_columns(&inner));
    for (int j = 0; j < n; j++)
      add_op(&inner);
    x = same_shape(&inner, x, add_product(&inner, y, columns), 1);
    k->seed = inner.seed;
  }
  k->pool.n = outside;
  keep(k, x);
}

StModule *interp_random_module(uint64_t seed, InterpShape shape) {
  StModule *m = st_module_new("random");
  Maker k = {
      .m = m, .a = m->arena, .seed = seed * 2654435761u + 1, .shape = shape};
  if (shape.symbols) {
    m->ctx = 12;
    m->chunk = 4;
  }
  add_source(&k);
  int part = rnd(&k, 1, shape.ops);
  add_ops(&k, part);
  if (shape.repeat)
    add_block(&k, rnd(&k, 1, shape.ops));
  if (shape.layers)
    add_layers(&k, rnd(&k, 1, shape.ops));
  add_ops(&k, shape.ops - part);
  for (int i = rnd(&k, 1, 3), at = k.pool.n; i > 0 && at > 0; i--) {
    at -= rnd(&k, 1, 2);
    if (at >= 0)
      add_result(&k, add_join(&k, k.pool.at[at]));
  }
  if (m->ret.n == 0)
    add_result(&k, add_join(&k, k.pool.at[k.pool.n - 1]));
  st_module_renumber(m);
  return m;
}

void interp_fill(StArena *a, StMemoryImage *image, uint64_t seed) {
  for (int i = 0; i < image->module->arg.n; i++) {
    StDtype t = image->module->arg.at[i].dtype;
    int64_t n = image->arg_bytes[i] / st_dtype_bytes(t);
    void *data = image->own[i];
    if (!data) {
      data = st_arena_alloc(a, (size_t)image->arg_bytes[i]);
      st_memory_bind(image, i, data);
    }
    for (int64_t e = 0; e < n; e++)
      if (t == ST_I64)
        ((int64_t *)data)[e] = graph_random(&seed, ROWS);
      else
        ((float *)data)[e] =
            (float)(int)graph_random(&seed, MOST - LEAST + 1) + LEAST;
  }
}
