/* stream: generics become kernels joined by streams.
 *
 * Every operand that is stored becomes a load in the very order of its port;
 * every value that is computed becomes a stream, forked for its users. A user
 * that reads a part of a dim takes it through a filter (a kernel whose output
 * has a guard), one that reads in another order through a converter; users
 * with equal needs share both. Results become stores. */
#include "pass/pass.h"

#include <string.h>

#include "analysis/port.h"
#include "pass/convert.h"

typedef struct {
  StOp *user;
  int operand;
  StItensor order; /* what the port wants, in the coordinates of the value */
} Request;

typedef ST_VEC(Request) Requests;

typedef struct {
  StModule *m;
  const StPassContext *ctx;
  StArena *a;
  Requests *requests; /* [value id at the start] */
  int nvalues;
  ST_VEC(StOp *) out;
} Stream;

static bool is_stored(const StValue *v) {
  return v->def->kind == ST_OP_ARG || v->def->kind == ST_OP_CONST;
}

static void set_stream(StArena *a, StValue *v, StItensor order) {
  v->type.order = ST_NEW(a, StItensor);
  *v->type.order = order;
}

static void append(Stream *s, StOp *op) { st_vec_push(s->a, &s->out, op); }

static void request(Stream *s, StOp *user, int k, StItensor order) {
  Request r = {user, k, order};
  st_vec_push(s->a, &s->requests[user->operand[k]->id], r);
}

/* ---- stored operands --------------------------------------------------------- */

static int64_t *row_major(const StModule *m, const StType *t, int layer_dim) {
  int64_t *stride = ST_NEW_N(m->arena, int64_t, t->rank + 1), next = 1;
  for (int i = t->rank; i-- > 0;) {
    stride[i] = i == layer_dim ? 0 : next;
    if (i != layer_dim)
      next *= st_module_stored_extent(m, t->shape[i]);
  }
  return stride;
}

static int list_length(const StOp *op) {
  return op->kind == ST_OP_CONST ? op->u.constant.n : op->u.index.n;
}

/* A load of stored value v in the order of a port. */
static StValue *load(Stream *s, StValue *v, const StItensor *order) {
  StOp *op = st_op_new(s->m, ST_OP_LOAD, v->def->loc, 1, &v, 1);
  op->name = v->name ? v->name : v->def->name;
  int layer = list_length(v->def) > 1 ? 0 : -1;
  op->u.load = (StLoad){.gather = -1, .layer_dim = layer, .channel = -1,
                        .stride = row_major(s->m, &v->type, layer)};
  op->result[0]->type = v->type;
  set_stream(s->a, op->result[0], *order);
  append(s, op);
  return op->result[0];
}

/* ---- parts ---------------------------------------------------------------------- */

/* A data dim of stream v that `want` reads in part and that one loop of single
 * steps walks; -1: none. */
static int find_part(const StValue *v, const StItensor *want) {
  const StItensor *o = v->type.order;
  for (int d = 0; d < o->rank; d++) {
    int loops = 0, at = -1;
    for (int i = 0; i < o->nloops; i++)
      if (o->loop[i].dim == d) {
        loops++;
        at = i;
      }
    if (loops == 1 && o->loop[at].step == 1 && o->elem[d] == 1 &&
        !st_sym_eq(st_itensor_extent(want, d, 0), v->type.shape[d]))
      return d;
  }
  return -1;
}

/* Data dim 0 of stream v is the iteration of a repeat. */
static bool is_iteration(const StValue *v) {
  const StOp *op = v->def;
  while (op->kind == ST_OP_FORK)
    op = op->operand[0]->def;
  if (op->kind != ST_OP_KERNEL || v->type.rank == 0)
    return false;
  const StNest *n = &op->u.nest;
  int dim = st_affine_single(&n->out[0].map[0]);
  return dim >= 0 && n->dim[dim].iteration;
}

/* A kernel that passes the positions lo .. lo + n - 1 of data dim d on. */
static StOp *filter(Stream *s, StValue *v, int d, StSym lo, StSym count) {
  StArena *a = s->a;
  const StItensor *o = v->type.order;
  StOp *op = st_op_new(s->m, ST_OP_KERNEL, v->def->loc, 1, &v, 1);
  op->name = v->def->name;
  StNest *n = &op->u.nest;
  n->ndims = n->nloops = 0;
  n->dim = ST_NEW_N(a, StDim, o->rank + 1);
  n->in = ST_NEW_N(a, StInput, 1);
  n->out = ST_NEW_N(a, StOutput, 1);
  n->loop = ST_NEW_N(a, StLoop, o->nloops + 1);
  n->lane = ST_NEW_N(a, StLane, o->rank + 1);
  n->in[0] = (StInput){ST_NEW_N(a, StAffine, o->rank + 1), {.dim = -1}};
  n->out[0] = (StOutput){.combine = ST_X_ARG,
                         .map = ST_NEW_N(a, StAffine, o->rank + 1)};
  n->ndims = o->rank;
  for (int i = 0; i < o->rank; i++) {
    n->dim[i].extent = v->type.shape[i];
    n->dim[i].iteration = i == 0 && is_iteration(v);
    n->in[0].map[i] = n->out[0].map[i] = st_affine_dim(a, i);
    if (o->elem[i] > 1)
      n->lane[n->nlanes++] = (StLane){i, (int)o->elem[i]};
  }
  n->out[0].map[d].off = st_sym_scale(lo, -1);
  n->out[0].guard = (StGuard){d, lo, st_sym_add(lo, count)};
  for (int i = 0; i < o->nloops; i++)
    n->loop[n->nloops++] = o->loop[i];
  StExpr e = {.kind = ST_X_ARG, .dtype = v->type.dtype, .arg = {-1, -1, -1}};
  n->out[0].yield = st_expr_push(s->m, &n->body, e);
  StType *t = &op->result[0]->type;
  *t = st_type_tensor(a, v->type.dtype, v->type.rank, v->type.shape);
  t->shape[d] = count;
  set_stream(a, op->result[0], st_port_output_order(a, op, 0));
  append(s, op);
  return op->result[0]->def;
}

/* The port reads the filtered value: its positions on d start at lo. */
static void move_origin(const Request *r, int d, StSym lo) {
  StSym back = st_sym_scale(lo, -1);
  r->order.origin[d] = st_sym_add(r->order.origin[d], back);
  if (r->user->kind != ST_OP_KERNEL && r->user->kind != ST_OP_GENERIC)
    return;
  StAffine *e = &r->user->u.nest.in[r->operand].map[d];
  e->off = st_sym_add(e->off, back);
}

/* ---- joining ---------------------------------------------------------------------- */

static bool same_request(StArena *a, const Request *x, const Request *y) {
  for (int d = 0; d < x->order.rank; d++)
    if (!st_sym_eq(x->order.origin[d], y->order.origin[d]))
      return false;
  return st_itensor_same(a, &x->order, &y->order);
}

static void connect(const Request *r, StValue *v) {
  r->user->operand[r->operand] = v;
}

/* v for each of the users: itself, or through a fork. */
static StValue **copies(Stream *s, StValue *v, int n) {
  StValue **copy = ST_NEW_N(s->a, StValue *, n);
  copy[0] = v;
  if (n == 1)
    return copy;
  StOp *op = st_op_new(s->m, ST_OP_FORK, v->def->loc, 1, &v, n);
  op->name = v->def->name;
  append(s, op);
  for (int i = 0; i < n; i++) {
    op->result[i]->type = v->type;
    copy[i] = op->result[i];
  }
  return copy;
}

static StValue *convert(Stream *s, StValue *v, const StItensor *order) {
  StOp *c = st_converter_new(s->m, v, order);
  append(s, c);
  return c->result[0];
}

/* One order that one or more ports want of v. What is streamed again has a
 * converter for each port: of a common one the port that is behind would need
 * all repetitions in its FIFO. */
static void serve(Stream *s, StValue *v, Requests group) {
  int d;
  while ((d = find_part(v, &group.at[0].order)) >= 0) {
    StSym lo = group.at[0].order.origin[d];
    v = filter(s, v, d, lo, st_itensor_extent(&group.at[0].order, d, 0))->result[0];
    for (int i = 0; i < group.n; i++)
      move_origin(&group.at[i], d, lo);
  }
  bool same = st_itensor_same(s->a, v->type.order, &group.at[0].order);
  bool again = !same && !st_itensor_is_once(&group.at[0].order);
  if (!same && !again)
    v = convert(s, v, &group.at[0].order);
  StValue **copy = copies(s, v, group.n);
  for (int i = 0; i < group.n; i++)
    connect(&group.at[i],
            again ? convert(s, copy[i], &group.at[i].order) : copy[i]);
}

/* Requests that want the same are served by one filter and, unless it streams
 * again, one converter. */
static void distribute(Stream *s, StValue *v, Requests *all) {
  ST_VEC(Requests) groups = {0};
  for (int i = 0; i < all->n; i++) {
    int g = 0;
    while (g < groups.n &&
           !same_request(s->a, &groups.at[g].at[0], &all->at[i]))
      g++;
    if (g == groups.n) {
      Requests empty = {0};
      st_vec_push(s->a, &groups, empty);
    }
    st_vec_push(s->a, &groups.at[g], all->at[i]);
  }
  if (groups.n == 0)
    return;
  StValue **copy = copies(s, v, groups.n);
  for (int g = 0; g < groups.n; g++)
    serve(s, copy[g], groups.at[g]);
}

/* ---- ops ------------------------------------------------------------------------------ */

/* Outputs without users go. */
static void drop_unused(Stream *s, StOp *op) {
  int kept = 0;
  for (int r = 0; r < op->nresults; r++) {
    if (s->requests[op->result[r]->id].n == 0)
      continue;
    op->result[kept] = op->result[r];
    op->result[kept]->result = kept;
    op->u.nest.out[kept++] = op->u.nest.out[r];
  }
  op->nresults = kept;
}

static void request_operands(Stream *s, StOp *op) {
  if (op->kind == ST_OP_VIEW && !is_stored(op->operand[0]))
    request(s, op, 0, st_itensor_reshaped(s->a, &op->operand[0]->type,
                                          &op->result[0]->type));
  if (op->kind == ST_OP_GENERIC)
    for (int k = 0; k < op->noperands; k++)
      if (!is_stored(op->operand[k]))
        request(s, op, k, st_port_input_order(s->a, op, k));
  if (op->kind == ST_OP_LOAD && op->noperands == 2) {
    const StItensor *o = op->result[0]->type.order;
    StItensor index = {.rank = op->operand[1]->type.rank};
    index.elem = ST_NEW_N(s->a, int64_t, 1);
    index.elem[0] = 1;
    index.origin = ST_NEW_N(s->a, StSym, 1);
    index.loop = ST_NEW_N(s->a, StLoop, o->nloops + 1);
    int level = 0;
    for (int i = 0; i < o->nloops; i++)
      if (o->loop[i].dim == op->u.load.gather)
        level = i + 1;
    for (int i = 0; i < level; i++) {
      index.loop[index.nloops] = o->loop[i];
      index.loop[index.nloops++].dim =
          o->loop[i].dim == op->u.load.gather && index.rank ? 0 : -1;
    }
    op->u.load.index_level = level;
    request(s, op, 1, index);
  }
}

static void make_kernel(Stream *s, StOp *op) {
  op->kind = ST_OP_KERNEL;
  drop_unused(s, op);
  for (int k = 0; k < op->noperands; k++)
    if (is_stored(op->operand[k])) {
      StItensor order = st_port_input_order(s->a, op, k);
      op->operand[k] = load(s, op->operand[k], &order);
    }
  append(s, op);
  for (int r = 0; r < op->nresults; r++) {
    set_stream(s->a, op->result[r], st_port_output_order(s->a, op, r));
    distribute(s, op->result[r], &s->requests[op->result[r]->id]);
  }
}

/* A stored value in row-major order: one that is returned as it is. */
static StValue *load_rows(Stream *s, StValue *v, int64_t width) {
  StItensor o = st_itensor_row_major(s->a, &v->type, width);
  return load(s, v, &o);
}

/* A view passes tokens on: a fork to one, whose tensor has another shape. */
static void make_view(Stream *s, StOp *op) {
  op->kind = ST_OP_FORK;
  if (is_stored(op->operand[0]))
    op->operand[0] = load_rows(s, op->operand[0],
                               st_itensor_token(op->result[0]->type.order));
  append(s, op);
  distribute(s, op->result[0], &s->requests[op->result[0]->id]);
}

static void make_store(Stream *s, StOp *op) {
  StIndexList index = op->u.index;
  StValue *v = op->operand[0];
  StOp *st = st_op_new(s->m, ST_OP_STORE, op->loc, 1, &v, 0);
  const StPort *port = &s->m->ret.at[index.index[0]];
  st->name = port->name;
  int layer = index.n > 1 ? 0 : -1;
  StType t = v->type;
  if (port->role == ST_ROLE_CACHE_ROWS) { /* rows lie in the cache's memory */
    const StPort *cache = &s->m->arg.at[port->cache];
    int64_t inner = 1;
    for (int i = port->axis + 1; i < cache->rank; i++)
      inner *= cache->shape[i].c;
    int axis = t.rank;
    for (int64_t left = inner; axis > 0 && left > 1; axis--)
      left /= t.shape[axis - 1].c;
    t.shape = ST_NEW_N(s->a, StSym, t.rank + 1);
    memcpy(t.shape, v->type.shape, (size_t)t.rank * sizeof *t.shape);
    if (axis > 0)
      t.shape[axis - 1] = st_sym_const(s->m->ctx);
  }
  st->u.store = (StStore){.index = index, .layer_dim = layer, .channel = -1,
                          .stride = row_major(s->m, &t, layer)};
  if (is_stored(v)) {
    st->operand[0] = load_rows(s, v, 1);
  } else {
    Request r = {st, 0, {0}};
    st_vec_push(s->a, &s->requests[v->id], r);
  }
  append(s, st);
}

/* Stores take their stream in the order in which it leaves its kernel. */
static void settle_stores(Stream *s) {
  for (int v = 0; v < s->nvalues; v++)
    for (int i = 0; i < s->requests[v].n; i++) {
      Request *r = &s->requests[v].at[i];
      if (r->user->kind != ST_OP_STORE)
        continue;
      StValue *value = r->user->operand[0];
      r->order = value->type.order
                     ? *value->type.order
                     : st_port_output_order(s->a, value->def, value->result);
      /* a copy: filters move the origin of a request */
      StSym *origin = ST_NEW_N(s->a, StSym, r->order.rank + 1);
      memcpy(origin, r->order.origin,
             (size_t)r->order.rank * sizeof *origin);
      r->order.origin = origin;
    }
}

bool st_pass_stream(StModule *m, const StPassContext *ctx) {
  Stream s = {.m = m, .ctx = ctx, .a = m->arena, .nvalues = m->next_value};
  s.requests = ST_NEW_N(m->arena, Requests, m->next_value + 1);
  int n = m->op.n;
  StOp **old = ST_NEW_N(m->arena, StOp *, n + 1);
  memcpy(old, m->op.at, (size_t)n * sizeof *old);
  for (int i = 0; i < n; i++) {
    request_operands(&s, old[i]);
    if (old[i]->kind == ST_OP_RESULT)
      make_store(&s, old[i]);
  }
  settle_stores(&s);
  StOp **stores = ST_NEW_N(m->arena, StOp *, s.out.n + 1);
  int nstores = s.out.n;
  memcpy(stores, s.out.at, (size_t)nstores * sizeof *stores);
  s.out.n = 0;
  for (int i = 0; i < n; i++) {
    StOp *op = old[i];
    if (op->kind == ST_OP_GENERIC) {
      make_kernel(&s, op);
    } else if (op->kind == ST_OP_VIEW) {
      make_view(&s, op);
    } else if (op->kind != ST_OP_RESULT) {
      append(&s, op);
      if (op->kind == ST_OP_LOAD)
        distribute(&s, op->result[0], &s.requests[op->result[0]->id]);
    }
  }
  for (int i = 0; i < nstores; i++)
    append(&s, stores[i]);
  m->op.n = 0;
  for (int i = 0; i < s.out.n; i++)
    st_vec_push(m->arena, &m->op, s.out.at[i]);
  st_module_renumber(m);
  return true;
}
