/* tile: how fast each op has to be.
 *
 * Time is measured by the memory: reading all weights of one iteration of a
 * block (or of what is outside of blocks) takes a while, of which products with
 * weights get half. Those that work at the same time (between two barriers)
 * have the same time; it goes by the square root of their weights, with which
 * a number of multipliers does all of them soonest. What streams along with a
 * contraction keeps its pace; what has to wait for whole rows (a norm) is on
 * the way of everything and gets much less time. Lanes follow from points and
 * time. */
#include <math.h>

#include "analysis/port.h"
#include "pass/tile.h"

enum {
  PHASES = 3,  /* contractions in a row that wait for each other */
  ROWS = 20,   /* ops on rows for one contraction's time */
  ONCE = 4,    /* times as long outside of blocks, where all is done once */
  CONTEXT = 8, /* the part of the context that is taken as usual */
  LEAST_PHASE = 32,
  LEAST_ROW = 4
};

static bool is_computed(const StValue *v) {
  return v->def->kind != ST_OP_ARG && v->def->kind != ST_OP_CONST;
}

/* ---- wants ------------------------------------------------------------- */

static int data_dim(const StOp *op, int k, int dim) {
  for (int i = 0; op->u.nest.in[k].map && i < op->operand[k]->type.rank; i++)
    if (st_affine_single(&op->u.nest.in[k].map[i]) == dim)
      return i;
  return -1;
}

static int first_const(const StOp *op, const int *dims, int n) {
  for (int i = 0; i < n; i++)
    if (st_sym_is_const(op->u.nest.dim[dims[i]].extent))
      return dims[i];
  return -1;
}

/* Nest dim that op wants its operands to come along; -1: none. */
static int wish(const StTile *t, const StOp *op) {
  StContraction c;
  if (st_tile_find_contraction(t, op, &c)) {
    int d = first_const(op, c.b, c.nb);
    return d < 0 && c.nk > 1 ? first_const(op, c.k, c.nk) : d;
  }
  for (int r = 0; r < op->nresults; r++) {
    int want = t->flow[op->result[r]->id].want;
    if (want >= 0)
      return st_affine_single(&op->u.nest.out[r].map[want]);
  }
  return -1;
}

void st_tile_find_wants(StTile *t) {
  for (int i = 0; i < t->m->next_value; i++)
    t->flow[i].want = t->flow[i].slow = t->flow[i].inner = -1;
  for (int i = t->m->op.n; i-- > 0;) {
    const StOp *op = t->m->op.at[i];
    StContraction c;
    int dim = op->kind == ST_OP_GENERIC ? wish(t, op) : -1;
    for (int k = 0; dim >= 0 && k < op->noperands; k++) {
      StTileFlow *f = &t->flow[op->operand[k]->id];
      if (is_computed(op->operand[k]) && f->want < 0)
        f->want = data_dim(op, k, dim);
    }
    dim = op->kind == ST_OP_GENERIC && st_tile_find_contraction(t, op, &c)
              ? st_tile_turns(op, &c)
              : -1;
    if (dim >= 0)
      t->flow[op->operand[c.f]->id].inner = data_dim(op, c.f, dim);
  }
}

/* ---- time -------------------------------------------------------------- */

static double memory_rate(const StTile *t) { /* bits a cycle */
  const StTarget *g = t->ctx->target;
  if (!g || g->memory.kind == ST_STORAGE_ONCHIP)
    return 4096;
  return (double)st_target_channel_bits(g) * g->memory.channels;
}

static double stored_bits(const StTile *t, const StOp *op) {
  double bits = 0;
  for (int k = 0; k < op->noperands; k++) {
    const StValue *v = op->operand[k];
    if (v->def->kind != ST_OP_ARG ||
        t->m->arg.at[v->def->u.index.index[0]].role != ST_ROLE_PARAM)
      continue;
    double n = st_dtype_bits(v->type.dtype);
    int first = v->def->u.index.n > 1; /* one of a list an iteration */
    for (int d = first; d < v->type.rank; d++)
      n *= (double)st_sym_max(v->type.shape[d], t->m->ctx, t->m->chunk);
    bits += n;
  }
  return bits;
}

bool st_tile_is_product(const StTile *t, const StOp *op) {
  StContraction c;
  return stored_bits(t, op) > 0 && st_tile_find_contraction(t, op, &c);
}

bool st_tile_iterates(const StOp *op) {
  for (int d = 0; d < op->u.nest.ndims; d++)
    if (op->u.nest.dim[d].iteration)
      return true;
  return false;
}

/* The first dim that is neither an iteration nor tokens. */
static int first_dim(const StType *type, bool iterates) {
  int d = iterates;
  while (d < type->rank && st_tile_is_tokens(type->shape[d]))
    d++;
  return d;
}

void st_tile_set_view_flow(StTile *t, const StOp *op) {
  const StValue *from = op->operand[0], *to = op->result[0];
  const StTileFlow *x = &t->flow[from->id];
  StTileFlow *y = &t->flow[to->id];
  bool block = from->def->kind == ST_OP_GENERIC && st_tile_iterates(from->def);
  bool in_order = x->slow >= 0 && x->slow == first_dim(&from->type, block);
  y->slow = in_order ? first_dim(&to->type, block) : -1;
  y->level = x->level + (x->slow >= 0 && !in_order);
  y->pace = x->pace;
}

int st_tile_level(const StTile *t, const StOp *op) {
  int level = t->level[op->id];
  return level < ST_TILE_LEVELS ? level : ST_TILE_LEVELS - 1;
}

/* Bits of weights that are used at each level, in a block or outside. */
static void sum_weights(const StTile *t, double bits[2][ST_TILE_LEVELS]) {
  for (int i = 0; i < t->m->op.n; i++) {
    const StOp *op = t->m->op.at[i];
    if (op->kind == ST_OP_GENERIC)
      bits[st_tile_iterates(op)][st_tile_level(t, op)] += stored_bits(t, op);
  }
}

void st_tile_set_budget(StTile *t) {
  double bits[2][ST_TILE_LEVELS] = {{0}}, sum[2] = {0}, roots[2] = {0};
  sum_weights(t, bits);
  for (int block = 0; block < 2; block++)
    for (int level = 0; level < ST_TILE_LEVELS; level++) {
      sum[block] += bits[block][level];
      roots[block] += sqrt(bits[block][level]);
    }
  t->time = ST_NEW_N(t->arena, double, t->m->next_op + 1);
  for (int i = 0; i < t->m->op.n; i++) {
    const StOp *op = t->m->op.at[i];
    if (op->kind != ST_OP_GENERIC)
      continue;
    bool block = st_tile_iterates(op);
    double part =
        sqrt(bits[block][st_tile_level(t, op)]) / fmax(roots[block], 1);
    double time = sum[block] / memory_rate(t) / 2 * part;
    t->time[op->id] = fmax(time, LEAST_PHASE);
  }
  double cycles = (sum[1] > 0 ? sum[1] : sum[0]) / memory_rate(t);
  t->phase = fmax(cycles / PHASES, LEAST_PHASE);
  t->row = fmax(cycles / PHASES / ROWS, LEAST_ROW);
  t->memory_block = sum[1] / memory_rate(t);
  t->memory_rest = sum[0] / memory_rate(t);
}

int64_t st_tile_extent(const StTile *t, StSym x) {
  return st_sym_eval(x, t->m->ctx / CONTEXT, t->tokens);
}

double st_tile_points(const StTile *t, const StOp *op) {
  double n = 1;
  for (int d = 0; d < op->u.nest.ndims; d++) {
    const StDim *dim = &op->u.nest.dim[d];
    int64_t e = st_tile_extent(t, dim->extent);
    if (!dim->iteration)
      n *= (double)(e > 1 ? e : 1);
  }
  return n;
}

/* ---- flow -------------------------------------------------------------- */

static int highest_level(const StTile *t, const StOp *op) {
  int level = 0;
  for (int k = 0; k < op->noperands; k++) {
    const StTileFlow *f = &t->flow[op->operand[k]->id];
    if (f->order && f->level > level)
      level = f->level;
  }
  return level;
}

/* The operand that comes slowly and is behind as many barriers as any; -1. */
static int slow_operand(const StTile *t, const StOp *op) {
  int level = highest_level(t, op);
  for (int k = 0; k < op->noperands; k++) {
    const StTileFlow *f = &t->flow[op->operand[k]->id];
    if (f->order && f->level == level && f->slow >= 0 && op->u.nest.in[k].map)
      return k;
  }
  return -1;
}

int st_tile_slow_dim(const StTile *t, const StOp *op) {
  int k = slow_operand(t, op);
  if (k < 0)
    return -1;
  int slow = t->flow[op->operand[k]->id].slow;
  int d = st_affine_single(&op->u.nest.in[k].map[slow]);
  return d >= 0 && !op->u.nest.dim[d].iteration ? d : -1;
}

/* Cycles that op may take in one iteration. */
static double time_of(const StTile *t, const StOp *op, bool contraction) {
  double bits = stored_bits(t, op), row = t->row * t->slack.rows;
  if (!st_tile_iterates(op))
    row *= ONCE;
  if (contraction && bits > 0)
    return fmax(t->time[op->id] * t->slack.weights, bits / memory_rate(t));
  if (contraction)
    return t->phase * t->slack.computed;
  int k = slow_operand(t, op);
  return k >= 0 ? fmax(t->flow[op->operand[k]->id].pace, row) : row;
}

int64_t st_tile_want_lanes(const StTile *t, const StOp *op,
                           const StContraction *c) {
  if (t->ctx->lanes)
    return t->ctx->lanes;
  double lanes =
      t->haste[op->id] * st_tile_points(t, op) / time_of(t, op, c != NULL);
  return (int64_t)fmax(1, ceil(lanes * 0.999));
}

double st_tile_beats(const StTile *t, const StOp *op) {
  double n = st_tile_points(t, op);
  for (int i = 0; i < op->u.nest.nlanes; i++)
    n /= op->u.nest.lane[i].size;
  return n;
}

/* Dim of the outermost loop that is no iteration. */
static int outermost(const StOp *op) {
  const StNest *n = &op->u.nest;
  for (int i = 0; i < n->nloops; i++)
    if (!n->dim[n->loop[i].dim].iteration)
      return n->loop[i].dim;
  return -1;
}

void st_tile_set_flow(StTile *t, const StOp *op, const StContraction *c) {
  const StNest *n = &op->u.nest;
  int slow = st_tile_slow_dim(t, op), level = highest_level(t, op);
  bool barrier = slow < 0 && c == NULL && st_nest_reduces(n);
  if (c && slow < 0)
    slow = outermost(op);
  if (slow >= 0 && n->dim[slow].reduction) {
    slow = -1;
    barrier = true;
  }
  for (int r = 0; r < op->nresults; r++) {
    StTileFlow *f = &t->flow[op->result[r]->id];
    StItensor *o = ST_NEW(t->arena, StItensor);
    *o = st_port_output_order(t->arena, op, r);
    *o = st_itensor_canonical(t->arena, o);
    f->order = o;
    f->slow = -1;
    for (int i = 0; slow >= 0 && i < op->result[r]->type.rank; i++)
      if (st_affine_single(&n->out[r].map[i]) == slow)
        f->slow = i;
    f->level = level + (barrier || (c && f->slow < 0));
    f->pace = c || f->slow < 0 ? st_tile_beats(t, op)
                               : time_of(t, op, false) / t->haste[op->id];
  }
}

void st_tile_set_levels(StTile *t) {
  t->level = ST_NEW_N(t->arena, int, t->m->next_op + 1);
  for (int i = 0; i < t->m->op.n; i++)
    t->level[t->m->op.at[i]->id] = highest_level(t, t->m->op.at[i]);
}
