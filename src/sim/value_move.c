/* Loads, stores and converters: a cursor follows the loops and keeps an
 * address; the elements of a token lie at fixed offsets from it.
 */
#include "sim/value.h"

#include <string.h>

#include "interp/scalar.h"
#include "ir/itensor.h"

enum { LEAST_PIECE = 16 }; /* bytes worth a copy of their own */

/* Of one loop: iterations, the present one, and what an iteration adds to the
 * address and to the position in a list of tensors. */
typedef struct {
  int64_t trip, index, step, layer;
} Step;

/* A tensor in memory; a load only reads it. */
typedef struct {
  uint8_t *data;
  int64_t bytes;
} Tensor;

/* Position in a loop nest. */
typedef struct {
  int n;
  Step *loop; /* outermost first; of one step: neighbours that go on where the
                 inner one ends are one loop, those of one trip are left out */
  int64_t at, list;
} Cursor;

struct StMover {
  StArena *arena;
  const StProcess *process;
  int nloops; /* of the stream */
  const StLoop *order;
  int64_t *trip; /* [nloops]; bound, of a BUNDLE by st_mover_start */
  Step *loop;    /* [nloops] step and layer of the process's loops */
  Cursor cursor;
  StDtype dtype;
  int size, slot;        /* bytes of an element: at its address, in a token */
  bool plain;            /* both are the same */
  int64_t count;         /* elements in a token */
  const int64_t *offset; /* [count] of the elements, from the address */
  int64_t piece;         /* elements side by side: so many from every multiple
                            of it on; `count` if all are, 1 if copying them one
                            by one is as well */
  uint8_t *raw;          /* [count] elements on their way, unless plain */
  StTransfer transfer;   /* LOAD, STORE */
  int ntensors;          /* LOAD, STORE: of the list */
  Tensor *tensor;        /* [ntensors] */
  int64_t index, rows;   /* LOAD that gathers: the index held; how many rows
                            there are in this step */
  bool packs;      /* LOAD, BUNDLE: tokens are kept; codes of 4 bits packed */
  uint8_t *packed; /* all of a step, one after another; NULL before the first */
  const uint8_t *origin; /* what `packed` was made of */
  int64_t next;          /* bytes of `packed` already read in this step */
  int64_t *stride;       /* FILL: of the window */
  uint8_t *window;       /* FILL, DRAIN: the banks, one after another */
};

/* ---- cursors ------------------------------------------------------------ */

static void cursor_start(Cursor *c, int nloops, const int64_t *trip,
                         const Step *loop, int64_t at, int64_t list) {
  c->n = 0;
  c->at = at;
  c->list = list;
  for (int l = 0; l < nloops; l++) {
    Step s = {trip[l], 0, loop[l].step, loop[l].layer};
    Step *outer = c->n ? &c->loop[c->n - 1] : NULL;
    if (s.trip == 1)
      continue;
    if (outer && outer->step == s.step * s.trip &&
        outer->layer == s.layer * s.trip) {
      s.trip *= outer->trip;
      *outer = s;
    } else {
      c->loop[c->n++] = s;
    }
  }
}

/* Iterations of the innermost loop from here on, at most k, over one tensor of
 * the list. */
static int64_t cursor_row(const Cursor *c, int64_t k) {
  if (!c->n)
    return 1;
  const Step *s = &c->loop[c->n - 1];
  int64_t left = s->layer ? 1 : s->trip - s->index;
  return left < k ? left : k;
}

/* k iterations of the innermost loop on, k <= cursor_row. */
static void cursor_advance(Cursor *c, int64_t k) {
  for (int l = c->n - 1; l >= 0; l--, k = 1) {
    Step *s = &c->loop[l];
    s->index += k;
    c->at += s->step * k;
    c->list += s->layer * k;
    if (s->index < s->trip)
      return;
    c->at -= s->step * s->trip;
    c->list -= s->layer * s->trip;
    s->index = 0;
  }
}

/* ---- copying ------------------------------------------------------------ */

/* Elements of a token to offsets in memory. */
static void scatter_elements(void *to, const void *from, const int64_t *offset,
                             int64_t n, int size) {
  switch (size) {
  case 1:
    for (int64_t i = 0; i < n; i++)
      ((uint8_t *)to)[offset[i]] = ((const uint8_t *)from)[i];
    break;
  case 2:
    for (int64_t i = 0; i < n; i++)
      ((uint16_t *)to)[offset[i]] = ((const uint16_t *)from)[i];
    break;
  case 4:
    for (int64_t i = 0; i < n; i++)
      ((uint32_t *)to)[offset[i]] = ((const uint32_t *)from)[i];
    break;
  default:
    for (int64_t i = 0; i < n; i++)
      ((uint64_t *)to)[offset[i]] = ((const uint64_t *)from)[i];
  }
}

/* n elements that lie side by side. */
static void read_piece(const StMover *m, uint8_t *to, const uint8_t *memory,
                       int64_t n) {
  if (m->plain)
    memcpy(to, memory, (size_t)(n * m->size));
  else
    st_slots_read(m->dtype, memory, n, to);
}

static void write_piece(const StMover *m, uint8_t *memory, const uint8_t *from,
                        int64_t n) {
  if (m->plain)
    memcpy(memory, from, (size_t)(n * m->size));
  else
    st_slots_write(m->dtype, from, n, memory);
}

static void read_token(const StMover *m, uint8_t *to, const uint8_t *memory) {
  if (m->piece > 1 || m->count == 1) {
    for (int64_t i = 0; i < m->count; i += m->piece)
      read_piece(m, to + i * m->slot, memory + m->offset[i] * m->size,
                 m->piece);
    return;
  }
  uint8_t *raw = m->plain ? to : m->raw;
  st_slots_pick(m->size, m->count, m->offset, memory, raw);
  if (!m->plain)
    st_slots_read(m->dtype, raw, m->count, to);
}

static void write_token(const StMover *m, uint8_t *memory,
                        const uint8_t *from) {
  if (m->piece > 1 || m->count == 1) {
    for (int64_t i = 0; i < m->count; i += m->piece)
      write_piece(m, memory + m->offset[i] * m->size, from + i * m->slot,
                  m->piece);
    return;
  }
  if (!m->plain)
    st_slots_write(m->dtype, from, m->count, m->raw);
  scatter_elements(memory, m->plain ? from : m->raw, m->offset, m->count,
                   m->size);
}

/* k tokens, whose addresses in memory are `step` elements apart. */
static void read_tokens(const StMover *m, uint8_t *to, const uint8_t *memory,
                        int64_t step, int64_t k) {
  if (m->piece == m->count && step == m->count) {
    read_piece(m, to, memory, m->count * k);
    return;
  }
  for (int64_t i = 0; i < k; i++)
    read_token(m, to + i * m->count * m->slot, memory + i * step * m->size);
}

static void write_tokens(const StMover *m, uint8_t *memory, const uint8_t *from,
                         int64_t step, int64_t k) {
  if (m->piece == m->count && step == m->count) {
    write_piece(m, memory, from, m->count * k);
    return;
  }
  for (int64_t i = 0; i < k; i++)
    write_token(m, memory + i * step * m->size, from + i * m->count * m->slot);
}

/* ---- kept tokens --------------------------------------------------------- */

/* Weights are read in every step, in an order whose jumps memory is slow at,
 * and most are not what tokens have: such are kept as tokens, in the order in
 * which a step reads them. Codes of 4 bits are two to a byte there, as a card
 * has them: byte i of a token has element i in its low and element i + half in
 * its high bits. */
static int64_t packed_bytes(const StMover *m) {
  return m->dtype == ST_I4 ? (m->count + 1) / 2 : m->count * m->slot;
}

static void pack_token(const StMover *m, uint8_t *to, const int8_t *code) {
  int64_t half = packed_bytes(m);
  for (int64_t i = 0; i < half; i++) {
    int high = half + i < m->count ? code[half + i] : 0;
    to[i] = (uint8_t)((code[i] & 15) | (high & 15) << 4);
  }
}

static void unpack_token(int64_t count, int8_t *restrict to,
                         const uint8_t *restrict from) {
  int64_t half = (count + 1) / 2, rest = count - half;
  for (int64_t i = 0; i < half; i++)
    to[i] = (int8_t)(((from[i] & 15) ^ 8) - 8);
  for (int64_t i = 0; i < rest; i++)
    to[half + i] = (int8_t)((from[i] >> 4 ^ 8) - 8);
}

/* ---- making ------------------------------------------------------------- */

/* What the loops from `first` inward advance: the address by stride, `list` by
 * dim `layer`; dim `skip` advances nothing. */
static void set_steps(StMover *m, const int64_t *stride, int first, int layer,
                      int skip) {
  for (int l = first; l < m->nloops; l++) {
    int d = m->order[l].dim;
    if (d < 0 || d == skip)
      continue;
    if (d == layer)
      m->loop[l].layer = m->order[l].step;
    else
      m->loop[l].step = m->order[l].step * stride[d];
  }
}

static StMover *mover_new(StArena *a, const StProcess *p, StDtype dtype,
                          const StItensor *order) {
  bool bundle = p->kind == ST_PROC_BUNDLE;
  StMover *m = ST_NEW(a, StMover);
  m->arena = a;
  m->process = p;
  m->nloops = order->nloops;
  m->order = order->loop;
  m->trip = bundle ? ST_NEW_N(a, int64_t, m->nloops) : p->trip;
  m->loop = ST_NEW_N(a, Step, m->nloops);
  m->cursor.loop = ST_NEW_N(a, Step, m->nloops);
  m->dtype = dtype;
  m->slot = st_slot_bytes(dtype);
  return m;
}

/* From the elements' offsets. */
static void set_piece(StMover *m) {
  int64_t n = 1;
  while (n < m->count && m->offset[n] == n)
    n++;
  for (int64_t i = 0; i < m->count; i++)
    if (m->count % n || m->offset[i] != m->offset[i - i % n] + i % n)
      n = 1;
  m->piece = n < m->count && n * m->size < LEAST_PIECE ? 1 : n;
}

/* Whether every step reads the same integers or halves of parameters, and each
 * once. */
static bool can_pack(const StModule *module, const StOp *op, int part,
                     const StTransfer *t) {
  const StOp *from = op->operand[part]->def;
  bool small = t->dtype == ST_I4 || t->dtype == ST_I8 || t->dtype == ST_F16;
  if (op->kind == ST_OP_STORE || !small || t->gather >= 0 ||
      from->kind != ST_OP_ARG)
    return false;
  const StItensor *o = t->order;
  for (int d = 0; d < o->rank; d++)
    if (!st_sym_is_const(o->origin[d]))
      return false;
  for (int l = 0; l < o->nloops; l++)
    if (!st_sym_is_const(o->loop[l].trip) || o->loop[l].dim < 0)
      return false;
  return module->arg.at[from->u.index.index[0]].role == ST_ROLE_PARAM;
}

StMover *st_mover_transfer(StArena *a, const StModule *module,
                           const StProcess *p, int part) {
  const StOp *op = p->op;
  StTransfer t = st_transfer_new(a, module, op, part);
  StMover *m = mover_new(a, p, t.dtype, t.order);
  m->transfer = t;
  m->size = (int)st_dtype_bytes(t.dtype);
  m->plain = m->size == m->slot && t.dtype != ST_I1 && t.dtype != ST_I4;
  m->count = t.token;
  m->offset = t.offset;
  m->raw = st_arena_alloc(a, (size_t)(m->count * m->size));
  if (p->kind == ST_PROC_STORE) {
    m->ntensors = op->u.store.index.n;
  } else {
    const StOp *from = op->operand[part]->def;
    bool constant = from->kind == ST_OP_CONST;
    m->ntensors = constant ? from->u.constant.n : from->u.index.n;
    if (constant && from->u.constant.splat) { /* one element for all */
      m->offset = ST_NEW_N(a, int64_t, m->count);
      m->transfer.stride = ST_NEW_N(a, int64_t, t.order->rank);
    }
  }
  set_piece(m);
  m->packs = can_pack(module, op, part, &t);
  set_steps(m, m->transfer.stride, 0, t.layer_dim, t.gather);
  m->tensor = ST_NEW_N(a, Tensor, m->ntensors);
  return m;
}

/* Offsets of a token's elements in the window. */
static void set_token(StArena *a, StMover *m, const StItensor *order,
                      const int64_t *stride) {
  int64_t *offset = ST_NEW_N(a, int64_t, st_itensor_token(order));
  m->count = st_itensor_token(order);
  m->offset = offset;
  for (int64_t i = 0; i < m->count; i++) {
    int64_t rest = i;
    for (int d = order->rank - 1; d >= 0; d--) {
      offset[i] += rest % order->elem[d] * stride[d];
      rest /= order->elem[d];
    }
  }
  set_piece(m);
}

/* The window is row-major over its extents and holds slots. */
StMover *st_mover_fill(StArena *a, const StProcess *p) {
  const StConverter *c = &p->op->u.converter;
  StMover *m = mover_new(a, p, p->op->result[0]->type.dtype, &c->fill);
  int64_t next = 1;
  m->size = m->slot;
  m->plain = true;
  m->stride = ST_NEW_N(a, int64_t, c->fill.rank);
  for (int d = c->fill.rank - 1; d >= 0; d--) {
    m->stride[d] = next;
    next *= c->extent[d];
  }
  set_token(a, m, &c->fill, m->stride);
  set_steps(m, m->stride, p->shared, -1, -1);
  m->window = st_arena_alloc(a, (size_t)(c->window * c->banks * m->size));
  return m;
}

StMover *st_mover_drain(StArena *a, const StProcess *p, const StMover *fill) {
  StMover *m = mover_new(a, p, fill->dtype, &p->op->u.converter.drain);
  m->size = m->slot;
  m->plain = true;
  m->window = fill->window;
  set_token(a, m, &p->op->u.converter.drain, fill->stride);
  set_steps(m, fill->stride, p->shared, -1, -1);
  return m;
}

/* ---- a step ------------------------------------------------------------- */

/* Addresses stay inside `elements`. The loops' steps are not negative. */
static bool in_range(const StMover *m, int64_t at, int64_t elements) {
  if (!m->process->beats)
    return true;
  int64_t last = at + m->offset[m->count - 1];
  for (int l = 0; l < m->nloops; l++)
    last += (m->trip[l] - 1) * m->loop[l].step;
  return at >= 0 && last < elements;
}

/* Tensor number `i` of the list. */
static Tensor find_tensor(const StMover *m, const StMemoryImage *image, int i) {
  const StOp *op = m->process->op;
  union {
    const void *from;
    uint8_t *data;
  } p;
  if (op->kind == ST_OP_STORE) {
    int ret = op->u.store.index.index[i];
    const StPort *port = &image->module->ret.at[ret];
    if (port->role == ST_ROLE_CACHE_ROWS)
      return (Tensor){image->own[port->cache], image->arg_bytes[port->cache]};
    return (Tensor){image->ret[ret], image->ret_bytes[ret]};
  }
  const StOp *from = op->operand[m->transfer.operand]->def;
  if (from->kind == ST_OP_CONST) {
    int64_t bytes = from->u.constant.bytes / from->u.constant.n;
    p.from = (const uint8_t *)from->u.constant.data + bytes * i;
    return (Tensor){p.data, bytes};
  }
  int arg = from->u.index.index[i];
  ST_CHECK(image->arg[arg], "argument %d has no data", arg);
  p.from = image->arg[arg];
  return (Tensor){p.data, image->arg_bytes[arg]};
}

static void start_cursor(StMover *m, int64_t at, int64_t list) {
  cursor_start(&m->cursor, m->nloops, m->trip, m->loop, at, list);
}

static int64_t row_step(const StMover *m) {
  return m->cursor.n ? m->cursor.loop[m->cursor.n - 1].step : 0;
}

static uint8_t *element(const StMover *m) {
  return m->tensor[m->cursor.list].data + m->cursor.at * m->size;
}

/* Packs all tokens of a step; the cursor goes round once. */
static void pack(StMover *m) {
  int64_t tokens = 1, bytes = packed_bytes(m);
  int8_t *code = st_arena_alloc(m->arena, (size_t)(m->count * m->slot));
  for (int l = 0; l < m->nloops; l++)
    tokens *= m->trip[l];
  if (!m->packed)
    m->packed = st_arena_alloc(m->arena, (size_t)(tokens * bytes));
  for (int64_t i = 0; i < tokens; i++) {
    read_tokens(m, (uint8_t *)code, element(m), row_step(m), 1);
    if (m->dtype == ST_I4)
      pack_token(m, m->packed + i * bytes, code);
    else
      memcpy(m->packed + i * bytes, code, (size_t)bytes);
    cursor_advance(&m->cursor, 1);
  }
  m->origin = m->tensor[0].data;
}

void st_mover_start(StMover *m, const StMemoryImage *image, int64_t P,
                    int64_t T) {
  const StTransfer *t = &m->transfer;
  int64_t at = 0, list = 0;
  for (int d = 0; d < t->order->rank; d++) {
    int64_t origin = st_sym_eval(t->order->origin[d], P, T);
    if (d == t->append_dim)
      origin += P;
    if (d == t->layer_dim)
      list = origin;
    else if (d != t->gather)
      at += origin * t->stride[d];
  }
  m->rows = st_sym_eval(t->rows, P, T);
  for (int l = 0; m->process->kind == ST_PROC_BUNDLE && l < m->nloops; l++)
    m->trip[l] = st_sym_eval(m->order[l].trip, P, T);
  start_cursor(m, at, list);
  for (int i = 0; i < m->ntensors; i++) {
    m->tensor[i] = find_tensor(m, image, i);
    ST_CHECK(in_range(m, at, m->tensor[i].bytes / m->size),
             "a %s leaves its tensor", st_op_name(m->process->op->kind));
  }
  m->next = 0;
  if (m->packs && m->origin != m->tensor[0].data)
    pack(m);
}

void st_mover_start_converter(StMover *fill, StMover *drain, int64_t P,
                              int64_t T) {
  const StConverter *c = &fill->process->op->u.converter;
  int64_t at = 0;
  for (int d = 0; d < c->fill.rank; d++)
    at += (st_sym_eval(c->drain.origin[d], P, T) -
           st_sym_eval(c->fill.origin[d], P, T)) *
          fill->stride[d];
  start_cursor(fill, 0, 0);
  start_cursor(drain, at, 0);
  ST_CHECK(in_range(fill, 0, c->window) && in_range(drain, at, c->window),
           "a converter reaches beyond its window");
}

bool st_mover_is_constant(const StMover *m, const StModule *module) {
  const StOp *from = m->process->op->operand[m->transfer.operand]->def;
  return from->kind == ST_OP_CONST ||
         module->arg.at[from->u.index.index[0]].role == ST_ROLE_PARAM;
}

const uint8_t *st_mover_kept_beats(StMover *m, int64_t k) {
  const uint8_t *at = m->packed + m->next;
  if (!m->packs || m->dtype == ST_I4)
    return NULL;
  m->next += k * packed_bytes(m);
  return at;
}

void st_mover_load_beats(StMover *m, uint8_t *to, int64_t k) {
  int64_t bytes = m->count * m->slot;
  const uint8_t *kept = st_mover_kept_beats(m, k);
  if (kept) {
    memcpy(to, kept, (size_t)(k * bytes));
    return;
  }
  if (m->packs) {
    for (int64_t i = 0; i < k; i++, m->next += packed_bytes(m))
      unpack_token(m->count, (int8_t *)to + i * bytes, m->packed + m->next);
    return;
  }
  for (int64_t i = 0, n; i < k; i += n) {
    n = cursor_row(&m->cursor, k - i);
    read_tokens(m, to + i * bytes, element(m), row_step(m), n);
    cursor_advance(&m->cursor, n);
  }
}

void st_mover_gather_beats(StMover *m, uint8_t *to, const int64_t *index,
                           int64_t k) {
  int64_t stride = m->transfer.stride[m->transfer.gather];
  int64_t bytes = m->count * m->slot;
  for (int64_t i = 0; i < k; i++, to += bytes) {
    if (index)
      m->index = index[i];
    const Tensor *t = &m->tensor[m->cursor.list];
    bool inside = m->index >= 0 && m->index < m->rows;
    int64_t at = m->cursor.at + (inside ? m->index * stride : 0);
    int64_t end = (at + m->offset[m->count - 1] + 1) * m->size;
    if (!inside || end > t->bytes)
      memset(to, 0, (size_t)bytes);
    else
      read_tokens(m, to, t->data + at * m->size, 0, 1);
    cursor_advance(&m->cursor, 1);
  }
}

void st_mover_store_beats(StMover *m, const uint8_t *from, int64_t k) {
  int64_t bytes = m->count * m->slot;
  for (int64_t i = 0, n; i < k; i += n) {
    n = cursor_row(&m->cursor, k - i);
    write_tokens(m, element(m), from + i * bytes, row_step(m), n);
    cursor_advance(&m->cursor, n);
  }
}

static uint8_t *bank_of(const StMover *m, int64_t window) {
  const StConverter *c = &m->process->op->u.converter;
  int64_t bank = c->banks == 1 ? 0 : window & 1;
  return m->window + bank * c->window * m->size;
}

void st_mover_fill_beats(StMover *m, const uint8_t *from, int64_t window,
                         int64_t k) {
  uint8_t *bank = bank_of(m, window);
  for (int64_t i = 0, n; i < k; i += n) {
    n = cursor_row(&m->cursor, k - i);
    write_tokens(m, bank + m->cursor.at * m->size,
                 from + i * m->count * m->slot, row_step(m), n);
    cursor_advance(&m->cursor, n);
  }
}

void st_mover_drain_beats(StMover *m, uint8_t *to, int64_t window, int64_t k) {
  const uint8_t *bank = bank_of(m, window);
  for (int64_t i = 0, n; i < k; i += n) {
    n = cursor_row(&m->cursor, k - i);
    read_tokens(m, to + i * m->count * m->slot, bank + m->cursor.at * m->size,
                row_step(m), n);
    cursor_advance(&m->cursor, n);
  }
}
