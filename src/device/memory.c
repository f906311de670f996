/* Memory of a device, and the addresses of loads and stores. */
#include "device/memory.h"

#include <string.h>

#include "interp/scalar.h"
#include "ir/itensor.h"

int64_t st_memory_port_bytes(const StModule *m, const StPort *p) {
  int64_t n = (int64_t)st_dtype_bytes(p->dtype);
  for (int i = 0; i < p->rank; i++)
    n *= st_module_stored_extent(m, p->shape[i]);
  return n;
}

StMemoryImage *st_memory_new(StArena *a, const StModule *m) {
  StMemoryImage *im = ST_NEW(a, StMemoryImage);
  im->module = m;
  im->arg = ST_NEW_N(a, const void *, m->arg.n + 1);
  im->own = ST_NEW_N(a, void *, m->arg.n + 1);
  im->ret = ST_NEW_N(a, void *, m->ret.n + 1);
  im->arg_bytes = ST_NEW_N(a, int64_t, m->arg.n + 1);
  im->ret_bytes = ST_NEW_N(a, int64_t, m->ret.n + 1);
  for (int i = 0; i < m->arg.n; i++) {
    im->arg_bytes[i] = st_memory_port_bytes(m, &m->arg.at[i]);
    if (m->arg.at[i].role == ST_ROLE_PARAM)
      continue;
    im->own[i] = st_arena_alloc(a, (size_t)im->arg_bytes[i]);
    im->arg[i] = im->own[i];
  }
  for (int i = 0; i < m->ret.n; i++) {
    im->ret_bytes[i] = st_memory_port_bytes(m, &m->ret.at[i]);
    if (m->ret.at[i].role != ST_ROLE_CACHE_ROWS)
      im->ret[i] = st_arena_alloc(a, (size_t)im->ret_bytes[i]);
  }
  return im;
}

void st_memory_bind(StMemoryImage *image, int arg, const void *data) {
  image->arg[arg] = data;
}

void st_memory_reset(StMemoryImage *image) {
  for (int i = 0; i < image->module->arg.n; i++)
    if (image->module->arg.at[i].role == ST_ROLE_CACHE)
      memset(image->own[i], 0, (size_t)image->arg_bytes[i]);
}

/* ---- transfers --------------------------------------------------------------- */

/* Data dim of a store that is the axis of the cache: the one whose extent is
 * the step's tokens. */
static int find_append(const StModule *m, const StOp *op, const StType *t) {
  if (op->kind != ST_OP_STORE)
    return -1;
  const StPort *p = &m->ret.at[op->u.store.index.index[0]];
  if (p->role != ST_ROLE_CACHE_ROWS)
    return -1;
  const StPort *cache = &m->arg.at[p->cache];
  int64_t inner = 1;
  for (int i = p->axis + 1; i < cache->rank; i++)
    inner *= cache->shape[i].c;
  for (int d = 0; d < t->rank; d++)
    if (t->shape[d].t && op->u.store.stride[d] == inner)
      return d;
  return -1;
}

StTransfer st_transfer_new(StArena *a, const StModule *m, const StOp *op,
                           int part) {
  const StType *type = op->kind == ST_OP_STORE ? &op->operand[0]->type
                                               : &op->result[part]->type;
  StTransfer t = {.op = op, .order = type->order, .operand = part,
                  .dtype = type->dtype, .gather = -1,
                  .append_dim = find_append(m, op, type)};
  if (op->kind == ST_OP_BUNDLE) {
    t.stride = op->u.bundle.part[part].stride;
    t.layer_dim = op->u.bundle.part[part].layer_dim;
  } else if (op->kind == ST_OP_LOAD) {
    t.stride = op->u.load.stride;
    t.layer_dim = op->u.load.layer_dim;
    t.gather = op->u.load.gather;
  } else {
    t.stride = op->u.store.stride;
    t.layer_dim = op->u.store.layer_dim;
  }
  t.rows = t.gather >= 0 ? st_load_rows(m, op) : st_sym_const(0);
  t.token = (int)st_itensor_token(t.order);
  t.offset = ST_NEW_N(a, int64_t, t.token);
  t.dense = true;
  for (int i = 0; i < t.token; i++) {
    int64_t rest = i;
    for (int d = t.order->rank; d-- > 0;) {
      t.offset[i] += rest % t.order->elem[d] * t.stride[d];
      rest /= t.order->elem[d];
    }
    t.dense &= t.offset[i] == i;
  }
  return t;
}

/* Address (elements) of the token's first element; *layer: which tensor. */
static int64_t address(const StTransfer *t, const int64_t *loop, int64_t index,
                       int64_t P, int64_t T, int64_t *layer) {
  const StItensor *o = t->order;
  int64_t at = 0;
  *layer = 0;
  for (int d = 0; d < o->rank; d++) {
    int64_t first = st_sym_eval(o->origin[d], P, T);
    if (d == t->append_dim)
      first += P;
    if (d == t->layer_dim)
      *layer += first;
    else if (d != t->gather)
      at += first * t->stride[d];
  }
  for (int i = 0; i < o->nloops; i++) {
    int d = o->loop[i].dim;
    if (d < 0)
      continue;
    int64_t move = loop[i] * o->loop[i].step;
    if (d == t->layer_dim)
      *layer += move;
    else if (d != t->gather)
      at += move * t->stride[d];
  }
  return t->gather >= 0 ? at + index * t->stride[t->gather] : at;
}

/* Where the tensor of a load is, and how many bytes it has. */
static const char *source(const StTransfer *t, const StMemoryImage *im,
                          int64_t layer, int64_t *bytes) {
  const StOp *def = t->op->operand[t->operand]->def;
  if (def->kind == ST_OP_CONST) {
    const StConst *c = &def->u.constant;
    *bytes = c->bytes / c->n;
    return (const char *)c->data + *bytes * layer;
  }
  int arg = def->u.index.index[def->u.index.n > 1 ? layer : 0];
  *bytes = im->arg_bytes[arg];
  ST_CHECK(im->arg[arg], "argument %d has no data", arg);
  return im->arg[arg];
}

void st_transfer_load(const StTransfer *t, const StMemoryImage *im,
                      const int64_t *loop, int64_t index, int64_t P, int64_t T,
                      void *slots) {
  int64_t layer, bytes;
  bool outside =
      t->gather >= 0 && (index < 0 || index >= st_sym_eval(t->rows, P, T));
  int64_t at = address(t, loop, outside ? 0 : index, P, T, &layer);
  const char *from = source(t, im, layer, &bytes);
  int64_t size = (int64_t)st_dtype_bytes(t->dtype);
  const StOp *def = t->op->operand[t->operand]->def;
  bool splat = def->kind == ST_OP_CONST && def->u.constant.splat;
  bool within = at >= 0 && (at + t->offset[t->token - 1] + 1) * size <= bytes;
  if (splat)
    at = 0;
  if (outside || (!splat && !within)) {
    ST_CHECK(t->gather >= 0, "a load leaves its tensor");
    memset(slots, 0, (size_t)t->token * (size_t)st_slot_bytes(t->dtype));
    return;
  }
  if (t->dense && !splat) {
    st_slots_read(t->dtype, from + at * size, t->token, slots);
    return;
  }
  int step = st_slot_bytes(t->dtype);
  for (int i = 0; i < t->token; i++)
    st_slots_read(t->dtype, from + (splat ? 0 : at + t->offset[i]) * size, 1,
                  (char *)slots + i * step);
}

void st_transfer_store(const StTransfer *t, StMemoryImage *im,
                       const int64_t *loop, int64_t P, int64_t T,
                       const void *slots) {
  int64_t layer;
  int64_t at = address(t, loop, 0, P, T, &layer);
  const StIndexList *list = &t->op->u.store.index;
  int ret = list->index[list->n > 1 ? layer : 0];
  const StPort *p = &im->module->ret.at[ret];
  bool rows = p->role == ST_ROLE_CACHE_ROWS;
  char *to = rows ? im->own[p->cache] : im->ret[ret];
  int64_t bytes = rows ? im->arg_bytes[p->cache] : im->ret_bytes[ret];
  int64_t size = (int64_t)st_dtype_bytes(t->dtype);
  int step = st_slot_bytes(t->dtype);
  for (int i = 0; i < t->token; i++) {
    int64_t e = at + t->offset[i];
    ST_CHECK(e >= 0 && (e + 1) * size <= bytes, "a store leaves its tensor");
    st_slots_write(t->dtype, (const char *)slots + i * step, 1, to + e * size);
  }
}
