/* Where the tokens of loads and stores lie. */
#include "emit/hls/plan.h"

#include "emit/hls/text.h"
#include "ir/itensor.h"

typedef struct {
  const StItensor *order;
  const int64_t *stride; /* [rank] elements */
  int layer_dim, gather; /* -1: none */
  int64_t layer;         /* elements from one argument to the next */
  StSym base;
} Transfer;

static int64_t elements_of(const StModule *m, const StPort *port) {
  int64_t n = 1;
  for (int i = 0; i < port->rank; i++)
    n *= st_hls_allocated(m, port->shape[i]);
  return n;
}

static Transfer load_transfer(const StHlsPlan *p, const StOp *op, int part) {
  const StOp *from = op->operand[part]->def;
  Transfer t = {.order = op->result[part]->type.order, .gather = -1};
  if (op->kind == ST_OP_BUNDLE) {
    t.stride = op->u.bundle.part[part].stride;
    t.layer_dim = op->u.bundle.part[part].layer_dim;
  } else {
    t.stride = op->u.load.stride;
    t.layer_dim = op->u.load.layer_dim;
    t.gather = op->u.load.gather;
  }
  if (from->kind == ST_OP_ARG) {
    t.layer = elements_of(p->m, &p->m->arg.at[from->u.index.index[0]]);
  } else if (from->u.constant.splat) {
    t.stride = ST_NEW_N(p->a, int64_t, t.order->rank + 1);
    t.layer = 1;
  } else {
    t.layer = from->u.constant.bytes /
              st_dtype_bytes(op->result[part]->type.dtype) / from->u.constant.n;
  }
  return t;
}

/* New rows of a cache follow those that are there: P times what lies inside
 * the dim of the context. */
static Transfer store_transfer(const StHlsPlan *p, const StOp *op) {
  const StStore *s = &op->u.store;
  const StPort *port = &p->m->ret.at[s->index.index[0]];
  Transfer t = {.order = op->operand[0]->type.order,
                .stride = s->stride,
                .layer_dim = s->layer_dim,
                .gather = -1};
  if (port->role == ST_ROLE_CACHE_ROWS) {
    port = &p->m->arg.at[port->cache];
    t.base.p = 1;
    for (int i = port->axis + 1; i < port->rank; i++)
      t.base.p *= st_hls_allocated(p->m, port->shape[i]);
  }
  t.layer = elements_of(p->m, port);
  return t;
}

static void set_offsets(const Transfer *t, StHlsAddress *r) {
  int64_t n = st_itensor_token(t->order);
  for (int64_t i = 0; i < n; i++) {
    int64_t rest = i;
    for (int d = t->order->rank; d-- > 0;) {
      r->offset[i] += rest % t->order->elem[d] * t->stride[d];
      rest /= t->order->elem[d];
    }
  }
}

/* Tokens can be read as words of n elements if they are aligned runs. */
static bool is_aligned(const Transfer *t, const StHlsAddress *r, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (r->offset[i] != i)
      return false;
  for (int l = 0; l < t->order->nloops; l++)
    if (r->step[l] % n != 0)
      return false;
  return t->layer % n == 0 && r->base.c % n == 0 && r->base.p % n == 0 &&
         r->base.t % n == 0 && r->gather % n == 0;
}

static void to_words(const Transfer *t, StHlsAddress *r, int64_t n) {
  for (int l = 0; l < t->order->nloops; l++)
    r->step[l] /= n;
  r->base = (StSym){r->base.c / n, r->base.p / n, r->base.t / n};
  r->gather /= n;
  r->word = (int)n;
}

StHlsAddress st_hls_address(const StHlsPlan *p, const StOp *op, int part) {
  bool load = op->kind != ST_OP_STORE;
  Transfer t = load ? load_transfer(p, op, part) : store_transfer(p, op);
  int64_t n = st_itensor_token(t.order);
  StHlsAddress r = {.base = t.base, .word = 1};
  r.step = ST_NEW_N(p->a, int64_t, t.order->nloops + 1);
  r.offset = ST_NEW_N(p->a, int64_t, n);
  for (int d = 0; d < t.order->rank; d++) {
    int64_t stride = d == t.layer_dim ? t.layer : t.stride[d];
    if (d != t.gather)
      r.base = st_sym_add(r.base, st_sym_scale(t.order->origin[d], stride));
  }
  for (int l = 0; l < t.order->nloops; l++) {
    int d = t.order->loop[l].dim;
    if (d >= 0 && d != t.gather)
      r.step[l] =
          t.order->loop[l].step * (d == t.layer_dim ? t.layer : t.stride[d]);
  }
  if (t.gather >= 0)
    r.gather = t.stride[t.gather];
  set_offsets(&t, &r);
  bool outside = !load || op->operand[part]->def->kind == ST_OP_ARG;
  if (outside && n > 1 && is_aligned(&t, &r, n))
    to_words(&t, &r, n);
  return r;
}
