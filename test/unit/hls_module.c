/* See hls_module.h. */
#include "hls_module.h"

#include <string.h>

#include "analysis/port.h"

static const StLoc nowhere = {0};

static StPort make_port(StModule *m, char letter, int k, StRole role, StDtype t,
                        int rank, const StSym *shape) {
  StPort p = {.name = st_arena_printf(m->arena, "%c%d", letter, k),
              .role = role,
              .dtype = t,
              .rank = rank,
              .cache = -1,
              .axis = -1};
  p.shape = ST_NEW_N(m->arena, StSym, rank + 1);
  if (rank)
    memcpy(p.shape, shape, (size_t)rank * sizeof *shape);
  if (role == ST_ROLE_CACHE)
    p.axis = 0;
  return p;
}

StValue *hls_layers(StModule *m, StRole role, StDtype t, int layers, int rank,
                    const StSym *shape) {
  StOp *op = st_op_new(m, ST_OP_ARG, nowhere, 0, NULL, 1);
  StSym full[5] = {st_sym_const(layers)};
  op->u.index = (StIndexList){layers, ST_NEW_N(m->arena, int, layers)};
  for (int i = 0; i < layers; i++) {
    op->u.index.index[i] = m->arg.n;
    StPort p = make_port(m, 'a', m->arg.n, role, t, rank, shape);
    st_vec_push(m->arena, &m->arg, p);
  }
  if (rank)
    memcpy(full + 1, shape, (size_t)rank * sizeof *shape);
  op->result[0]->type = layers > 1 ? st_type_tensor(m->arena, t, rank + 1, full)
                                   : st_type_tensor(m->arena, t, rank, shape);
  st_op_append(m, op);
  return op->result[0];
}

StValue *hls_arg(StModule *m, StRole role, StDtype t, int rank,
                 const StSym *shape) {
  return hls_layers(m, role, t, 1, rank, shape);
}

StValue *hls_const(StModule *m, StDtype t, int rank, const StSym *shape,
                   const void *data, int64_t bytes, bool splat) {
  StOp *op = st_op_new(m, ST_OP_CONST, nowhere, 0, NULL, 1);
  op->u.constant = (StConst){1, splat, data, bytes};
  op->result[0]->type = st_type_tensor(m->arena, t, rank, shape);
  st_op_append(m, op);
  return op->result[0];
}

/* ---- kernels ----------------------------------------------------------------
 */

StOp *hls_kernel(StModule *m, const char *name, int noperands, int nresults) {
  StValue *none[8] = {0};
  StOp *op = st_op_new(m, ST_OP_KERNEL, nowhere, noperands, none, nresults);
  op->name = name;
  StNest *n = &op->u.nest;
  n->dim = ST_NEW_N(m->arena, StDim, 8);
  n->loop = ST_NEW_N(m->arena, StLoop, 16);
  n->lane = ST_NEW_N(m->arena, StLane, 8);
  n->in = ST_NEW_N(m->arena, StInput, noperands + 1);
  n->out = ST_NEW_N(m->arena, StOutput, nresults + 1);
  for (int i = 0; i < noperands; i++)
    n->in[i].guard.dim = -1;
  for (int r = 0; r < nresults; r++)
    n->out[r].guard.dim = -1;
  return op;
}

int hls_dim(StModule *m, StOp *k, StSym extent, bool reduction, int lanes) {
  (void)m;
  StNest *n = &k->u.nest;
  n->dim[n->ndims] = (StDim){.extent = extent, .reduction = reduction};
  if (lanes > 1)
    n->lane[n->nlanes++] = (StLane){n->ndims, lanes};
  return n->ndims++;
}

void hls_loop(StModule *m, StOp *k, int dim, StSym trip, int64_t step) {
  (void)m;
  k->u.nest.loop[k->u.nest.nloops++] = (StLoop){dim, trip, step};
}

static StAffine *map_of(StModule *m, int rank, const int *dims) {
  StAffine *map = ST_NEW_N(m->arena, StAffine, rank + 1);
  for (int i = 0; i < rank; i++)
    map[i] = st_affine_dim(m->arena, dims[i]);
  return map;
}

void hls_in(StModule *m, StOp *k, int i, StValue *v, int rank,
            const int *dims) {
  k->operand[i] = v;
  k->u.nest.in[i].map = map_of(m, rank, dims);
}

void hls_out(StModule *m, StOp *k, int r, StDtype t, int yield,
             StScalarKind combine, int rank, const int *dims) {
  StSym shape[8];
  k->u.nest.out[r].map = map_of(m, rank, dims);
  k->u.nest.out[r].yield = yield;
  k->u.nest.out[r].combine = combine;
  for (int i = 0; i < rank; i++)
    shape[i] = k->u.nest.dim[dims[i]].extent;
  k->result[r]->type = st_type_tensor(m->arena, t, rank, shape);
}

int hls_expr(StModule *m, StOp *k, StScalarKind kind, StDtype t, int x, int y,
             int z) {
  StExpr e = {.kind = kind, .dtype = t, .arg = {x, y, z}};
  if (kind == ST_X_ARG) {
    e.operand = x;
    e.arg[0] = -1;
  }
  return st_expr_push(m, &k->u.nest.body, e);
}

static void set_order(StModule *m, StValue *v, StItensor order) {
  v->type.order = ST_NEW(m->arena, StItensor);
  *v->type.order = order;
}

void hls_finish(StModule *m, StOp *k) {
  for (int i = 0; i < k->noperands; i++)
    if (k->operand[i] && !k->operand[i]->type.order &&
        (k->operand[i]->def->kind == ST_OP_ARG ||
         k->operand[i]->def->kind == ST_OP_CONST)) {
      StItensor order = st_port_input(m->arena, k, i).order;
      k->operand[i] = hls_load(m, k->operand[i], &order);
    }
  for (int r = 0; r < k->nresults; r++)
    set_order(m, k->result[r], st_port_output(m->arena, k, r).order);
  st_op_append(m, k);
}

/* ---- movers
 * ------------------------------------------------------------------- */

static int64_t *row_major(StModule *m, const StType *t, int layer_dim,
                          int append_dim) {
  int64_t *stride = ST_NEW_N(m->arena, int64_t, t->rank + 1), next = 1;
  for (int d = t->rank; d-- > 0;) {
    stride[d] = d == layer_dim ? 0 : next;
    int64_t n = t->shape[d].p || d == append_dim
                    ? m->ctx
                    : st_sym_max(t->shape[d], m->ctx, m->chunk);
    if (d != layer_dim)
      next *= n;
  }
  return stride;
}

StValue *hls_load(StModule *m, StValue *tensor, const StItensor *order) {
  StOp *op = st_op_new(m, ST_OP_LOAD, nowhere, 1, &tensor, 1);
  const StOp *def = tensor->def;
  int layer = def->kind == ST_OP_ARG && def->u.index.n > 1 ? 0 : -1;
  op->u.load = (StLoad){.gather = -1, .layer_dim = layer, .channel = -1};
  op->u.load.stride = row_major(m, &tensor->type, layer, -1);
  op->result[0]->type = tensor->type;
  set_order(m, op->result[0], *order);
  st_op_append(m, op);
  return op->result[0];
}

void hls_store(StModule *m, StRole role, StValue *stream, int cache) {
  const StType *t = &stream->type;
  StOp *op = st_op_new(m, ST_OP_STORE, nowhere, 1, &stream, 0);
  int layers = 1;
  if (cache >= 0 && t->rank > m->arg.at[cache].rank)
    layers = (int)t->shape[0].c;
  int skip = layers > 1;
  op->u.store = (StStore){.layer_dim = layers > 1 ? 0 : -1, .channel = -1};
  op->u.store.stride =
      row_major(m, t, layers > 1 ? 0 : -1, cache >= 0 ? skip : -1);
  op->u.store.index = (StIndexList){layers, ST_NEW_N(m->arena, int, layers)};
  for (int i = 0; i < layers; i++) {
    StPort p = make_port(m, 'r', m->ret.n, role, t->dtype, t->rank - skip,
                         t->shape + skip);
    p.cache = cache >= 0 ? cache + i : -1;
    p.axis = cache >= 0 ? 0 : -1;
    op->u.store.index.index[i] = m->ret.n;
    st_vec_push(m->arena, &m->ret, p);
  }
  st_op_append(m, op);
}

void hls_fork(StModule *m, StValue *v, int n, StValue **copies) {
  StOp *op = st_op_new(m, ST_OP_FORK, nowhere, 1, &v, n);
  for (int i = 0; i < n; i++) {
    op->result[i]->type = v->type;
    copies[i] = op->result[i];
  }
  st_op_append(m, op);
}
