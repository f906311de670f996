/* Kernels. Beats are staged: each input's elements are spread over the lanes of
 * the beat, a row of lanes for every beat. A flush runs the body over all rows
 * at once and takes each output through
 *   rows of lanes -> [red lane][beat][par lane] -> tree over red lanes
 *   -> accumulators -> tree over ways -> tokens
 * (doc/machine.md, "Kernel"); every arrow works on long arrays where the loops
 * allow it, in the order that the schedule fixes.
 */
#include "sim/value.h"

#include <string.h>

#include "analysis/port.h"
#include "interp/scalar.h"
#include "sim/dot.h"

enum { POINTS = 1024 }; /* lanes that a flush aims at */

typedef struct {
  int stream;
  StPortInfo port;
  int bytes;      /* of a slot */
  bool identity;  /* lane l takes element l */
  bool reads;     /* in the beats at hand */
  int64_t lo, hi; /* range of the guarded loop in this step */
  uint8_t *rows;  /* [batch][nlanes] slots; of a dot none */
  uint8_t *held;  /* the last row that was read; for a dot the last token */
} Input;

typedef struct {
  int stream;
  StPortInfo port;
  StDtype dtype;
  StScalarKind combine;
  int bytes;
  bool identity; /* what `column` says is 0, 1, 2, ... and fills a token */
  int *column;   /* [token] lane, after a reduction parallel lane, of an
                    element */
  int64_t lo, hi;
  const uint8_t *rows; /* [batch][nlanes] what the body yields */
  uint8_t *tree;       /* [red lanes][batch * par lanes]; of a dot one lane */
  uint8_t *acc;        /* accumulators: positions, ways, [par lanes] */
  int64_t nacc;        /* slots of acc */
} Output;

/* An expression of the body over all staged lanes. */
typedef struct {
  const StExpr *e;
  StDtype type0;   /* of its first argument */
  uint8_t *at;     /* [batch][nlanes] its values */
  int64_t *offset; /* INDEX: [nlanes] what the lanes add */
  const void *arg[3];
} Node;

/* Loops of one step as the accumulators see them: those of one trip left out,
 * neighbours of one kind merged. */
typedef struct {
  int64_t trip, index;
  bool reduces;
  bool inside; /* the outermost reduction loop: moves the accumulator */
} Fold;

struct StKernelRun {
  StArena *arena;
  const StProcess *process;
  const StNest *nest;
  StKernelInfo info;
  const StDot *dot; /* the kernel, if it is one; it has no rows of lanes */
  int nlanes;
  int64_t batch; /* beats that a flush computes at most */
  int64_t first; /* beat number of the first staged beat */
  int64_t staged;
  Input *in;   /* [process->nin] */
  Output *out; /* [process->nout] */
  int64_t P, T;
  Node *node;     /* [body.n] */
  int64_t *index; /* [nloops] of the beat at hand in fill_index */
  Fold *fold;     /* [nloops] */
  int nfolds;
  int64_t count;                   /* values that a fold has */
  int64_t position_step, way_step; /* slots between accumulators */
};

/* ---- making ------------------------------------------------------------- */

static bool is_identity(const StPortInfo *port) {
  for (int l = 0; l < port->nlanes; l++)
    if (port->lane_elem[l] != l)
      return false;
  return port->token == port->nlanes;
}

static void make_input(StKernelRun *r, Input *in, const StEnd *end) {
  const StOp *op = r->process->op;
  in->stream = end->stream;
  in->port = st_port_input(r->arena, op, end->port);
  in->bytes = st_slot_bytes(op->operand[end->port]->type.dtype);
  in->identity = is_identity(&in->port);
  if (!r->dot)
    in->rows =
        st_arena_alloc(r->arena, (size_t)(r->batch * r->nlanes * in->bytes));
  int held = in->port.token > r->nlanes ? in->port.token : r->nlanes;
  in->held = st_arena_alloc(r->arena, (size_t)(held * in->bytes));
}

static void make_columns(StKernelRun *r, Output *out) {
  const StPortInfo *port = &out->port;
  out->column = ST_NEW_N(r->arena, int, port->token);
  for (int l = 0; l < port->nlanes; l++)
    if (port->lane_elem[l] >= 0)
      out->column[port->lane_elem[l]] =
          r->info.reduces ? r->info.par_of_lane[l] : l;
  out->identity =
      port->token == (r->info.reduces ? r->info.par_lanes : r->nlanes);
  for (int i = 0; i < port->token; i++)
    out->identity = out->identity && out->column[i] == i;
}

static void make_output(StKernelRun *r, Output *out, const StEnd *end) {
  const StOutput *o = &r->nest->out[end->port];
  out->stream = end->stream;
  out->port = st_port_output(r->arena, r->process->op, end->port);
  out->dtype = r->nest->body.at[o->yield].dtype;
  out->combine = o->combine;
  out->bytes = st_slot_bytes(out->dtype);
  out->rows = r->node[o->yield].at;
  make_columns(r, out);
  int64_t lanes = r->dot ? r->info.par_lanes : r->nlanes;
  if (r->info.reduces)
    out->tree =
        st_arena_alloc(r->arena, (size_t)(r->batch * lanes * out->bytes));
}

/* What the lanes add to an INDEX expression. */
static int64_t *lane_offsets(const StKernelRun *r, const StAffine *affine) {
  int64_t *offset = ST_NEW_N(r->arena, int64_t, r->nlanes);
  for (int l = 0; l < r->nlanes; l++)
    for (int rest = l, j = r->nest->nlanes - 1; j >= 0; j--) {
      const StLane *lane = &r->nest->lane[j];
      for (int t = 0; t < affine->n; t++)
        if (affine->term[t].dim == lane->dim)
          offset[l] += affine->term[t].coef * (rest % lane->size);
      rest /= lane->size;
    }
  return offset;
}

static uint8_t *input_rows(const StKernelRun *r, int operand) {
  for (int i = 0; i < r->process->nin; i++)
    if (r->process->in[i].port == operand)
      return r->in[i].rows;
  return NULL;
}

static void make_node(StKernelRun *r, int x) {
  const StExpr *e = &r->nest->body.at[x];
  Node *node = &r->node[x];
  int64_t points = r->batch * r->nlanes;
  int bytes = st_slot_bytes(e->dtype);
  node->e = e;
  if (e->kind == ST_X_ARG) {
    node->at = input_rows(r, e->operand);
    return;
  }
  if (e->kind == ST_X_EXTF) { /* the same floats */
    node->at = r->node[e->arg[0]].at;
    return;
  }
  node->at = st_arena_alloc(r->arena, (size_t)(points * bytes));
  if (e->kind == ST_X_INDEX) {
    node->offset = lane_offsets(r, &e->affine);
  } else if (e->kind == ST_X_CONST) {
    for (int64_t i = 0; i < points; i++)
      st_slots_read(e->dtype, &e->bits, 1, node->at + i * bytes);
  } else {
    node->type0 = r->nest->body.at[e->arg[0]].dtype;
    for (int i = 0; i < st_scalar_args(e->kind); i++)
      node->arg[i] = r->node[e->arg[i]].at;
  }
}

StKernelRun *st_kernel_run_new(StArena *a, const StProcess *p, StDiag *diag) {
  const StOp *op = p->op;
  StKernelRun *r = ST_NEW(a, StKernelRun);
  for (int i = 0; i < op->u.nest.body.n; i++)
    if (op->u.nest.body.at[i].kind == ST_X_EXTRACT) {
      st_error(diag, op->loc,
               "the simulator has no kernels that extract; "
               "make it a gathering load");
      return NULL;
    }
  r->arena = a;
  r->process = p;
  r->nest = &op->u.nest;
  r->info = st_kernel_info(a, op);
  r->dot = st_dot_find(a, op, &r->info);
  r->nlanes = r->info.red_lanes * r->info.par_lanes;
  r->batch = r->nlanes < POINTS ? POINTS / r->nlanes : 1;
  if (r->dot)
    r->batch = r->info.par_lanes < POINTS ? POINTS / r->info.par_lanes : 1;
  r->index = ST_NEW_N(a, int64_t, p->nloops);
  r->fold = ST_NEW_N(a, Fold, p->nloops);
  r->in = ST_NEW_N(a, Input, p->nin);
  r->out = ST_NEW_N(a, Output, p->nout);
  r->node = ST_NEW_N(a, Node, r->nest->body.n);
  for (int i = 0; i < p->nin; i++)
    make_input(r, &r->in[i], &p->in[i]);
  for (int i = 0; i < r->nest->body.n && !r->dot; i++)
    make_node(r, i);
  for (int i = 0; i < p->nout; i++)
    make_output(r, &r->out[i], &p->out[i]);
  return r;
}

static void start_folds(StKernelRun *r) {
  const StProcess *p = r->process;
  bool inside = false;
  r->nfolds = 0;
  for (int l = 0; l < p->nloops; l++) {
    bool reduces = r->info.is_red_loop[l];
    if (p->trip[l] == 1)
      continue;
    inside |= reduces;
    Fold *outer = r->nfolds ? &r->fold[r->nfolds - 1] : NULL;
    if (outer && outer->reduces == reduces)
      outer->trip *= p->trip[l];
    else
      r->fold[r->nfolds++] = (Fold){p->trip[l], 0, reduces, inside};
  }
}

/* What follows what in a row of beats lies side by side: the ways of a position
 * or the positions of a way. Returns the slots that there are. */
static int64_t place_accumulators(StKernelRun *r) {
  bool ways = r->nfolds && r->fold[r->nfolds - 1].reduces;
  int64_t positions = 1;
  r->count = 1;
  for (int l = 0; l < r->nfolds; l++)
    if (r->fold[l].reduces)
      r->count *= r->fold[l].trip;
    else if (r->fold[l].inside)
      positions *= r->fold[l].trip;
  r->position_step = r->info.par_lanes * (ways ? r->info.ways : 1);
  r->way_step = r->info.par_lanes * (ways ? 1 : positions);
  return positions * r->info.ways * r->info.par_lanes;
}

void st_kernel_run_start(StKernelRun *r, int64_t P, int64_t T) {
  const StProcess *p = r->process;
  r->first = r->staged = 0;
  r->P = P;
  r->T = T;
  start_folds(r);
  int64_t n = place_accumulators(r);
  for (int i = 0; i < p->nin; i++) {
    r->in[i].lo = st_sym_eval(r->in[i].port.lo, P, T);
    r->in[i].hi = st_sym_eval(r->in[i].port.hi, P, T);
    memset(r->in[i].held, 0, (size_t)(r->nlanes * r->in[i].bytes));
  }
  for (int i = 0; i < p->nout; i++) {
    Output *o = &r->out[i];
    o->lo = st_sym_eval(o->port.lo, P, T);
    o->hi = st_sym_eval(o->port.hi, P, T);
    if (r->info.reduces && n > o->nacc) {
      o->nacc = 2 * n;
      o->acc = st_arena_alloc(r->arena, (size_t)(o->nacc * o->bytes));
    }
  }
}

/* STATEMENT(type) for slots of so many bytes. */
#define BY_SIZE(bytes, STATEMENT)                                              \
  switch (bytes) {                                                             \
  case 1:                                                                      \
    STATEMENT(uint8_t);                                                        \
    break;                                                                     \
  case 2:                                                                      \
    STATEMENT(uint16_t);                                                       \
    break;                                                                     \
  case 4:                                                                      \
    STATEMENT(uint32_t);                                                       \
    break;                                                                     \
  default:                                                                     \
    STATEMENT(uint64_t);                                                       \
  }

/* ---- inputs ------------------------------------------------------------- */

/* Beats from `beat` on, at most k, in which the port's guard keeps its state;
 * *active: whether it holds. */
static int64_t guard_span(const StKernelRun *r, const StPortInfo *port,
                          int64_t lo, int64_t hi, int64_t beat, int64_t k,
                          bool *active) {
  *active = true;
  if (port->guard_loop < 0)
    return k;
  int64_t grain = 1, trip = r->process->trip[port->guard_loop];
  for (int l = port->guard_loop + 1; l < r->process->nloops; l++)
    grain *= r->process->trip[l];
  int64_t i = beat / grain % trip;
  *active = lo <= i && i < hi;
  int64_t until = *active ? hi : i < lo ? lo : trip;
  if (until > trip)
    until = trip;
  int64_t n = (until - i) * grain - beat % grain;
  return n < k ? n : k;
}

#define SPREAD(type)                                                           \
  do {                                                                         \
    type *t = to;                                                              \
    const type *f = from;                                                      \
    for (int64_t i = 0; i < k; i++, f += port->token)                          \
      for (int l = 0; l < port->nlanes; l++)                                   \
        *t++ = f[port->lane_elem[l]];                                          \
  } while (0)

/* Rows of lanes from k tokens. */
static void spread(void *to, const void *from, const StPortInfo *port,
                   int bytes, int64_t k) {
  BY_SIZE(bytes, SPREAD)
}

static void repeat_row(uint8_t *to, const uint8_t *row, size_t bytes,
                       int64_t k) {
  if (bytes == 4) {
    uint32_t x;
    memcpy(&x, row, 4);
    for (int64_t i = 0; i < k; i++)
      memcpy(to + 4 * i, &x, 4);
    return;
  }
  for (int64_t i = 0; i < k; i++, to += bytes)
    memcpy(to, row, bytes);
}

/* The rows of k beats in all of which a token is read, or in none. */
static void stage_input(StKernelRun *r, StValues *v, Input *in, int64_t beat,
                        int64_t k) {
  size_t row = (size_t)(r->nlanes * in->bytes);
  uint8_t *to = in->rows + (size_t)r->staged * row;
  if (in->reads) {
    const uint8_t *from = st_tokens_pop(v, in->stream, k);
    if (in->identity)
      memcpy(to, from, row * (size_t)k);
    else
      spread(to, from, &in->port, in->bytes, k);
    memcpy(in->held, to + (size_t)(k - 1) * row, row);
    return;
  }
  for (int64_t i = 0, n; i < k; i += n, to += (size_t)n * row) {
    bool active;
    n = guard_span(r, &in->port, in->lo, in->hi, beat + i, k - i, &active);
    if (active)
      repeat_row(to, in->held, row, n);
    else
      memset(to, 0, row * (size_t)n);
  }
}

static StDotTokens take_factor(StValues *v, Input *in, int64_t k) {
  if (!in->reads)
    return (StDotTokens){(const int8_t *)in->held, 0};
  const uint8_t *token = st_tokens_pop(v, in->stream, k);
  memcpy(in->held, token + (k - 1) * in->port.token, (size_t)in->port.token);
  return (StDotTokens){(const int8_t *)token, in->port.token};
}

/* The sums of k beats in which tokens are read alike. */
static void stage_dot(StKernelRun *r, StValues *v, int64_t k) {
  uint8_t *row = r->out[0].tree + r->staged * r->info.par_lanes * 4;
  StDotTokens factor[2];
  for (int i = 0; i < r->process->nin; i++)
    factor[r->process->in[i].port == r->dot->operand[1]] =
        take_factor(v, &r->in[i], k);
  st_dot_beats(r->dot, factor[0], factor[1], k, (int32_t *)row);
}

void st_kernel_run_beats(StKernelRun *r, StValues *v, const StWalker *at,
                         int64_t k) {
  for (int i = 0; i < r->process->nin; i++)
    r->in[i].reads = false;
  for (int i = 0; i < at->nin; i++)
    r->in[at->in[i]].reads = true;
  for (int64_t done = 0, n; done < k; done += n) {
    if (r->staged == r->batch)
      st_kernel_run_flush(r, v);
    n = r->batch - r->staged;
    n = n < k - done ? n : k - done;
    if (r->dot)
      stage_dot(r, v, n);
    else
      for (int i = 0; i < r->process->nin; i++)
        stage_input(r, v, &r->in[i], at->beat + done, n);
    r->staged += n;
  }
}

/* ---- outputs ------------------------------------------------------------ */

#define COLLECT(type)                                                          \
  do {                                                                         \
    type *t = to;                                                              \
    const type *f = from;                                                      \
    for (int64_t i = 0; i < k; i++, f += width)                                \
      for (int e = 0; e < o->port.token; e++)                                  \
        *t++ = f[o->column[e]];                                                \
  } while (0)

/* k tokens from rows of `width` elements. */
static void collect(void *to, const void *from, const Output *o, int width,
                    int64_t k) {
  BY_SIZE(o->bytes, COLLECT)
}

/* Tokens of k beats from `beat` on, as far as the guard holds. */
static void emit(const StKernelRun *r, StValues *v, const Output *o,
                 const uint8_t *rows, int64_t beat, int64_t k) {
  int width = r->info.reduces ? r->info.par_lanes : r->nlanes;
  size_t row = (size_t)(width * o->bytes);
  for (int64_t i = 0, n; i < k; i += n) {
    bool active;
    n = guard_span(r, &o->port, o->lo, o->hi, beat + i, k - i, &active);
    if (!active)
      continue;
    uint8_t *to = st_tokens_room(v, o->stream, n);
    if (o->identity)
      memcpy(to, rows + (size_t)i * row, row * (size_t)n);
    else
      collect(to, rows + (size_t)i * row, o, width, n);
    st_tokens_push(v, o->stream, n);
  }
}

/* Combines `rows` rows of `size` slots into the first; `step` slots apart. */
static void fold_tree(const Output *o, uint8_t *row, int64_t rows, int64_t step,
                      int64_t size) {
  int64_t bytes = step * o->bytes;
  for (int64_t apart = 1; apart < rows; apart *= 2)
    for (int64_t j = 0; j + apart < rows; j += 2 * apart)
      st_slots_combine(o->combine, o->dtype, size, row + bytes * j,
                       row + bytes * (j + apart));
}

#define TRANSPOSE(type)                                                        \
  do {                                                                         \
    const type *f = (const type *)o->rows;                                     \
    for (int64_t i = 0; i < k; i++)                                            \
      for (int l = 0; l < r->nlanes; l++)                                      \
        ((type *)o->tree)[red[l] * k * par_lanes + i * par_lanes + par[l]] =   \
            *f++;                                                              \
  } while (0)

/* Combines the reduction lanes of k rows; the result, [k][par lanes]. */
static const uint8_t *reduce_lanes(const StKernelRun *r, const Output *o,
                                   int64_t k) {
  const int *red = r->info.red_of_lane, *par = r->info.par_of_lane;
  const int64_t par_lanes = r->info.par_lanes;
  if (r->dot)
    return o->tree;
  if (r->info.red_lanes == 1)
    return o->rows;
  BY_SIZE(o->bytes, TRANSPOSE)
  fold_tree(o, o->tree, r->info.red_lanes, k * par_lanes, k * par_lanes);
  return o->tree;
}

/* A row of beats: iterations of the innermost loop from one beat on. */
typedef struct {
  int64_t beats;
  int64_t value;    /* number in its fold of what the first beat gives */
  int64_t position; /* of the first beat */
} Row;

static Row next_row(const StKernelRun *r, int64_t k) {
  Row row = {.beats = 1};
  int inner = r->nfolds - 1;
  for (int l = 0; l <= inner; l++) {
    const Fold *f = &r->fold[l];
    if (f->reduces)
      row.value = row.value * f->trip + f->index;
    else if (f->inside)
      row.position = row.position * f->trip + f->index;
  }
  if (inner >= 0)
    row.beats = r->fold[inner].trip - r->fold[inner].index;
  row.beats = row.beats < k ? row.beats : k;
  return row;
}

static void seek_folds(StKernelRun *r, int64_t beat) {
  for (int l = r->nfolds - 1; l >= 0; l--) {
    r->fold[l].index = beat % r->fold[l].trip;
    beat /= r->fold[l].trip;
  }
}

static void advance_folds(StKernelRun *r, int64_t k) {
  for (int l = r->nfolds - 1; l >= 0; l--, k = 1) {
    r->fold[l].index += k;
    if (r->fold[l].index < r->fold[l].trip)
      return;
    r->fold[l].index = 0;
  }
}

/* Folds the values of one row (`from`, [beats][par lanes]) and emits what is
 * complete. */
static void fold_row(const StKernelRun *r, StValues *v, const Output *o,
                     const Row *row, const uint8_t *from, int64_t beat) {
  bool same = r->fold[r->nfolds - 1].reduces; /* all into one position */
  int64_t ways = r->info.ways, used = r->count < ways ? r->count : ways;
  uint8_t *position = o->acc + row->position * r->position_step * o->bytes;
  for (int64_t i = 0, n; i < row->beats; i += n) {
    int64_t value = row->value + (same ? i : 0), way = value % ways;
    n = row->beats - i;
    if (same && n > ways - way)
      n = ways - way;
    int64_t slots = n * r->info.par_lanes, bytes = slots * o->bytes;
    uint8_t *acc = position + way * r->way_step * o->bytes;
    if (value < ways)
      memcpy(acc, from, (size_t)bytes);
    else
      st_slots_combine(o->combine, o->dtype, slots, acc, from);
    from += bytes;
    if (value + (same ? n : 1) < r->count)
      continue;
    int64_t done = same ? 1 : n;
    fold_tree(o, position, used, r->way_step, done * r->info.par_lanes);
    emit(r, v, o, position, beat + i + n - done, done);
  }
}

static void reduce_output(StKernelRun *r, StValues *v, const Output *o,
                          int64_t k) {
  const uint8_t *from = reduce_lanes(r, o, k);
  size_t size = (size_t)(r->info.par_lanes * o->bytes);
  bool loops = false;
  for (int l = 0; l < r->nfolds; l++)
    loops |= r->fold[l].reduces;
  if (!loops) {
    emit(r, v, o, from, r->first, k);
    return;
  }
  seek_folds(r, r->first);
  for (int64_t i = 0; i < k;) {
    Row row = next_row(r, k - i);
    fold_row(r, v, o, &row, from + (size_t)i * size, r->first + i);
    advance_folds(r, row.beats);
    i += row.beats;
  }
}

/* ---- flush -------------------------------------------------------------- */

/* Values of an INDEX expression in all staged beats and lanes. */
static void fill_index(StKernelRun *r, const Node *node) {
  const StProcess *p = r->process;
  const StAffine *affine = &node->e->affine;
  int64_t *to = (int64_t *)node->at, rest = r->first;
  int64_t start = st_sym_eval(affine->off, r->P, r->T);
  for (int l = p->nloops - 1; l >= 0; l--) {
    r->index[l] = rest % p->trip[l];
    rest /= p->trip[l];
  }
  for (int64_t i = 0; i < r->staged; i++) {
    int64_t value = start;
    for (int l = 0; l < p->nloops; l++)
      for (int t = 0; t < affine->n; t++)
        if (affine->term[t].dim == p->loop[l].dim)
          value += affine->term[t].coef * r->index[l] * p->loop[l].step;
    for (int l = 0; l < r->nlanes; l++)
      *to++ = value + node->offset[l];
    for (int l = p->nloops - 1; l >= 0; l--) {
      if (++r->index[l] < p->trip[l])
        break;
      r->index[l] = 0;
    }
  }
}

void st_kernel_run_flush(StKernelRun *r, StValues *v) {
  int64_t k = r->staged;
  if (!k)
    return;
  for (int i = 0; i < r->nest->body.n && !r->dot; i++) {
    const Node *node = &r->node[i];
    if (node->offset)
      fill_index(r, node);
    else if (node->arg[0])
      st_slots_apply(node->e, node->type0, k * r->nlanes, node->arg, node->at);
  }
  for (int i = 0; i < r->process->nout; i++) {
    const Output *o = &r->out[i];
    if (r->info.reduces)
      reduce_output(r, v, o, k);
    else
      emit(r, v, o, o->rows, r->first, k);
  }
  r->first += k;
  r->staged = 0;
}
