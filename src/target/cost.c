/* Latencies and costs that follow from a target: operators, bodies, kernels,
 * memories and FIFOs. */
#include <math.h>

#include "analysis/port.h"
#include "base/diag.h"
#include "target/target.h"

StCost st_cost_add(StCost a, StCost b) {
  return (StCost){a.lut + b.lut, a.ff + b.ff, a.dsp + b.dsp,
                  a.bram36 + b.bram36, a.uram + b.uram};
}

StCost st_cost_scale(StCost a, double by) {
  return (StCost){a.lut * by, a.ff * by, a.dsp * by, a.bram36 * by,
                  a.uram * by};
}

/* ---- memory interface --------------------------------------------------- */

int64_t st_target_channel_bits(const StTarget *t) {
  if (t->memory.kind == ST_STORAGE_ONCHIP)
    return INT64_MAX;
  return (int64_t)floor(t->memory.gbps * 8e3 * t->memory.efficiency /
                        t->clock_mhz);
}

int st_target_memory_latency(const StTarget *t) {
  return (int)ceil(t->memory.latency_ns * t->clock_mhz / 1e3);
}

/* ---- operators ---------------------------------------------------------- */

StClass st_target_class(StDtype dtype) {
  int bits = st_dtype_bits(dtype);
  if (st_dtype_is_float(dtype))
    return bits <= 16 ? ST_CLASS_F16 : ST_CLASS_F32;
  return bits <= 8    ? ST_CLASS_I8
         : bits <= 16 ? ST_CLASS_I16
         : bits <= 32 ? ST_CLASS_I32
                      : ST_CLASS_I64;
}

const StOperator *st_target_operator(const StTarget *t, StScalarKind k,
                                     StDtype dtype) {
  StClass c = st_target_class(dtype);
  return &t->op[t->has_op[c][k] ? c : ST_CLASS_ANY][k];
}

int st_target_op_latency(const StTarget *t, StScalarKind k, StDtype dtype) {
  return st_target_operator(t, k, dtype)->latency;
}

/* Bits that the value of an integer expression can need: a product of sign
 * extended operands is no wider than both together. */
int st_target_expr_bits(const StBody *body, const StExpr *e) {
  int all = st_dtype_bits(e->dtype), need = all;
  if (e->kind == ST_X_EXTSI)
    need = st_target_expr_bits(body, &body->at[e->arg[0]]);
  else if (e->kind == ST_X_EXTUI) /* and a sign that is not set */
    need = st_target_expr_bits(body, &body->at[e->arg[0]]) + 1;
  else if (e->kind == ST_X_MULI)
    need = st_target_expr_bits(body, &body->at[e->arg[0]]) +
           st_target_expr_bits(body, &body->at[e->arg[1]]);
  return need < all ? need : all;
}

/* A multiplier is as wide as its operands. */
const StOperator *st_target_expr(const StTarget *t, const StBody *body,
                                 const StExpr *e) {
  bool compares = e->kind == ST_X_CMPF || e->kind == ST_X_CMPI;
  StDtype dtype = compares ? body->at[e->arg[0]].dtype : e->dtype;
  if (e->kind == ST_X_MULI) {
    int x = st_target_expr_bits(body, &body->at[e->arg[0]]);
    int y = st_target_expr_bits(body, &body->at[e->arg[1]]);
    int bits = x > y ? x : y;
    dtype = bits <= 8 ? ST_I8 : bits <= 16 ? ST_I16 : dtype;
  }
  return st_target_operator(t, e->kind, dtype);
}

/* The result is a sum of products of at most 8 by 8 bits. */
bool st_target_is_dot(const StBody *body, const StOutput *out) {
  const StExpr *e = &body->at[out->yield];
  return out->combine == ST_X_ADDI && e->kind == ST_X_MULI &&
         st_target_expr_bits(body, &body->at[e->arg[0]]) <= 8 &&
         st_target_expr_bits(body, &body->at[e->arg[1]]) <= 8;
}

/* Chains that the reduction lanes of a dot product make. */
static double count_chains(const StTarget *t, double lanes) {
  return ceil(lanes / t->dot.chain);
}

/* ---- kernels ------------------------------------------------------------ */

/* Product of the lanes of reduction dims or of parallel dims. */
static int64_t count_lanes(const StNest *nest, bool reduction) {
  int64_t n = 1;
  for (int i = 0; i < nest->nlanes; i++)
    if (nest->dim[nest->lane[i].dim].reduction == reduction)
      n *= nest->lane[i].size;
  return n;
}

static int tree_levels(int64_t lanes) {
  int levels = 0;
  for (; lanes > 1; lanes = (lanes + 1) / 2)
    levels++;
  return levels;
}

/* Cycles from the issue of the body until expression `root` is there. The body
 * is a DAG in order: one pass forwards, marked backwards to skip what `root`
 * does not use. */
static int path_latency(const StTarget *t, const StBody *body, int root) {
  StArena *scratch = st_arena_new();
  int *ready = ST_NEW_N(scratch, int, (size_t)body->n);
  for (int i = 0; i <= root; i++) {
    const StExpr *e = &body->at[i];
    int start = 0;
    int n = e->kind == ST_X_EXTRACT ? e->nindices : st_scalar_args(e->kind);
    for (int a = 0; a < n; a++) {
      int from = e->kind == ST_X_EXTRACT ? e->indices[a] : e->arg[a];
      start = ready[from] > start ? ready[from] : start;
    }
    ready[i] = start + st_target_expr(t, body, e)->latency;
  }
  int cycles = ready[root];
  st_arena_free(scratch);
  return cycles;
}

static bool has_reduction_loop(const StNest *nest) {
  for (int i = 0; i < nest->nloops; i++)
    if (nest->dim[nest->loop[i].dim].reduction)
      return true;
  return false;
}

int st_target_body_latency(const StTarget *t, const StOp *kernel) {
  const StNest *nest = &kernel->u.nest;
  int64_t lanes = count_lanes(nest, true);
  int latest = 0;
  for (int r = 0; r < kernel->nresults; r++) {
    const StOutput *out = &nest->out[r];
    bool dot = st_target_is_dot(&nest->body, out);
    int cycles = dot ? t->dot.latency
                     : path_latency(t, &nest->body, out->yield);
    int64_t values = dot ? (int64_t)count_chains(t, (double)lanes) : lanes;
    int levels = has_reduction_loop(nest) +
                 tree_levels(st_kernel_ways(kernel)) + tree_levels(values);
    if (out->combine != ST_X_ARG)
      cycles += levels * st_target_op_latency(t, out->combine,
                                              nest->body.at[out->yield].dtype);
    latest = cycles > latest ? cycles : latest;
  }
  latest += t->latency.issue;
  return latest > 1 ? latest : 1;
}

int st_target_latency(const StTarget *t, const StOp *op) {
  switch (op->kind) {
  case ST_OP_KERNEL:
    return st_target_body_latency(t, op);
  case ST_OP_CONVERTER:
    return t->latency.drain;
  case ST_OP_FORK:
    return t->latency.fork;
  case ST_OP_LOAD:
    if (op->operand[0]->memory == ST_MEM_ROM)
      return t->latency.load + t->latency.fifo[ST_MEM_ROM];
    return t->latency.load + st_target_memory_latency(t);
  case ST_OP_BUNDLE:
    return t->latency.load + st_target_memory_latency(t);
  case ST_OP_STORE:
    return t->latency.store + st_target_memory_latency(t);
  case ST_OP_ARG:
  case ST_OP_CONST:
  case ST_OP_GENERIC:
  case ST_OP_VIEW:
  case ST_OP_SLICE:
  case ST_OP_CONCAT:
  case ST_OP_CARRY:
  case ST_OP_RESULT:
  case ST_OP_COUNT:
    break;
  }
  return 0;
}

/* ---- memories ----------------------------------------------------------- */

double st_target_memory_bits(const StTarget *t) {
  return (36 * t->device.bram36 + 288 * t->device.uram) * 1024;
}

static double ceil_div(double a, double b) { return ceil(a / b); }

/* Blocks of 18 kbit, the best of their shapes for all words. */
static double bram18(double bits, double words) {
  static const double shape[][2] = {{36, 512}, {18, 1024}, {9, 2048}};
  double best = HUGE_VAL;
  for (size_t i = 0; i < sizeof shape / sizeof shape[0]; i++)
    best =
        fmin(best, ceil_div(bits, shape[i][0]) * ceil_div(words, shape[i][1]));
  return best;
}

static double uram288(double bits, double words) {
  return ceil_div(bits, 72) * ceil_div(words, 4096);
}

StCost st_target_memory_cost(const StTarget *t, StMemory mem, int64_t bits,
                             int64_t words) {
  double b = (double)bits, w = (double)words;
  if (mem == ST_MEM_AUTO)
    mem = st_target_fifo_memory(t, bits, words);
  switch (mem) {
  case ST_MEM_REG:
    return (StCost){.lut = b * (w > 1 ? w - 1 : 0), .ff = b * w};
  case ST_MEM_SRL:
    return (StCost){.lut = b * ceil_div(w, t->fifo.srl_bits), .ff = b};
  case ST_MEM_LUTRAM: {
    double rows = ceil_div(w, t->fifo.lutram_depth) * t->fifo.lutram_depth;
    return (StCost){.lut = ceil_div(b * rows, t->fifo.lutram_bits), .ff = b};
  }
  case ST_MEM_BRAM:
  case ST_MEM_ROM:
    return (StCost){.bram36 = bram18(b, w) / 2};
  case ST_MEM_URAM:
    return (StCost){.uram = uram288(b, w)};
  case ST_MEM_AUTO:
  case ST_MEM_HBM:
  case ST_MEM_COUNT:
    break;
  }
  return (StCost){0};
}

StMemory st_target_fifo_memory(const StTarget *t, int64_t bits, int64_t depth) {
  if (depth <= 2)
    return ST_MEM_REG;
  if (t->fifo.srl_bits && depth <= t->fifo.srl_depth)
    return ST_MEM_SRL;
  double total = (double)bits * (double)depth;
  if (total <= (double)t->fifo.lutram_max)
    return ST_MEM_LUTRAM;
  double urams = uram288((double)bits, (double)depth);
  if (t->device.uram > 0 && total >= t->fifo.uram_fill * urams * 72 * 4096)
    return ST_MEM_URAM;
  return ST_MEM_BRAM;
}

int st_target_fifo_latency(const StTarget *t, StMemory mem) {
  return t->latency.fifo[mem];
}

StCost st_target_fifo_cost(const StTarget *t, StMemory mem, int64_t bits,
                           int64_t depth) {
  StCost control = {.lut = t->fifo.control_lut, .ff = t->fifo.control_ff};
  return st_cost_add(control, st_target_memory_cost(t, mem, bits, depth));
}

/* ---- ops ---------------------------------------------------------------- */

int64_t st_target_dot_lanes(const StOp *op) {
  const StNest *nest = &op->u.nest;
  for (int r = 0; r < op->nresults; r++)
    if (st_target_is_dot(&nest->body, &nest->out[r]))
      return count_lanes(nest, true) * count_lanes(nest, false);
  return 0;
}

/* The op with most products in multipliers; NULL: none. */
static StOp *most_products(const StModule *m, StOpKind kind, int die) {
  StOp *best = NULL;
  int64_t most = 0;
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    if (op->kind != kind || (die >= 0 && op->die != die))
      continue;
    int64_t n = st_target_dot_lanes(op) - op->u.nest.soft;
    if (n > most) {
      most = n;
      best = op;
    }
  }
  return best;
}

int64_t st_target_soften(const StTarget *t, StModule *m, StOpKind kind,
                         int die, double over) {
  double each = t->dot.product.dsp;
  int64_t moved = 0;
  for (StOp *op; each > 0 && over > 0 && (op = most_products(m, kind, die));) {
    double left = (double)(st_target_dot_lanes(op) - op->u.nest.soft);
    double n = fmin(ceil(over / each), left);
    op->u.nest.soft += (int64_t)n;
    moved += (int64_t)n;
    over -= n * each;
  }
  return moved;
}

/* Copies of an expression: one for each position of the lanes it depends on. */
static double count_copies(const StNest *nest, const bool *depends) {
  double n = 1;
  for (int l = 0; l < nest->nlanes; l++)
    if (depends[l])
      n *= nest->lane[l].size;
  return n;
}

static void mark_affine(const StNest *nest, const StAffine *e, bool *depends) {
  for (int l = 0; l < nest->nlanes; l++)
    for (int i = 0; i < e->n; i++)
      depends[l] |= e->term[i].dim == nest->lane[l].dim;
}

/* Operators of the body, but for the products of sums of products. */
static StCost body_cost(const StTarget *t, const StOp *op) {
  const StNest *nest = &op->u.nest;
  const StBody *body = &nest->body;
  StArena *scratch = st_arena_new();
  int n = nest->nlanes;
  bool *depends = ST_NEW_N(scratch, bool, body->n * n + 1);
  StCost sum = {0};
  for (int i = 0; i < body->n; i++) {
    const StExpr *e = &body->at[i];
    bool *mine = depends + i * n, product = false;
    if (e->kind == ST_X_INDEX)
      mark_affine(nest, &e->affine, mine);
    for (int d = 0; e->kind == ST_X_ARG && d < op->operand[e->operand]->type.rank;
         d++)
      mark_affine(nest, &nest->in[e->operand].map[d], mine);
    for (int a = 0; a < st_scalar_args(e->kind); a++)
      for (int l = 0; l < n; l++)
        mine[l] |= depends[e->arg[a] * n + l];
    for (int a = 0; a < e->nindices; a++)
      for (int l = 0; l < n; l++)
        mine[l] |= depends[e->indices[a] * n + l];
    for (int r = 0; r < op->nresults; r++)
      product |=
          nest->out[r].yield == i && st_target_is_dot(body, &nest->out[r]);
    if (!product)
      sum = st_cost_add(sum, st_cost_scale(st_target_expr(t, body, e)->cost,
                                           count_copies(nest, mine)));
  }
  st_arena_free(scratch);
  return sum;
}

StCost st_target_nest_cost(const StTarget *t, const StModule *m,
                           const StOp *op) {
  const StNest *nest = &op->u.nest;
  double red = (double)count_lanes(nest, true);
  double par = (double)count_lanes(nest, false);
  bool accumulates = has_reduction_loop(nest);
  StCost sum = body_cost(t, op);
  for (int r = 0; r < op->nresults; r++) {
    const StOutput *out = &nest->out[r];
    StDtype dtype = nest->body.at[out->yield].dtype;
    if (out->combine == ST_X_ARG)
      continue;
    bool dot = st_target_is_dot(&nest->body, out);
    StCost one = st_target_operator(t, out->combine, dtype)->cost;
    double values = dot ? count_chains(t, red) : red;
    double adders = values - 1 + accumulates + st_kernel_ways(op) - 1;
    sum = st_cost_add(sum, st_cost_scale(one, par * adders));
    if (dot) {
      double soft = (double)nest->soft;
      StCost made = st_cost_scale(t->dot.product, par * red - soft);
      sum = st_cost_add(sum, made);
      sum = st_cost_add(sum, st_cost_scale(t->dot.soft, soft));
    }
    if (accumulates) {
      int ways =
          st_kernel_ways(op); /* a memory for each: all are read at once */
      int64_t words = st_kernel_accumulators(m, op) / ((int64_t)par * ways);
      int64_t bits = (int64_t)par * st_dtype_bits(dtype);
      StCost way = st_target_memory_cost(t, ST_MEM_AUTO, bits, words);
      sum = st_cost_add(sum, st_cost_scale(way, ways));
    }
  }
  StCost loop = {.lut = t->fifo.control_lut, .ff = t->fifo.control_ff};
  return st_cost_add(sum, st_cost_scale(loop, nest->nloops));
}

static StCost converter_cost(const StTarget *t, const StOp *op) {
  const StConverter *c = &op->u.converter;
  int64_t in = st_itensor_token(&c->fill), out = st_itensor_token(&c->drain);
  int64_t width = in > out ? in : out;
  int64_t bits = width * st_dtype_bits(op->result[0]->type.dtype);
  StCost bank = st_target_memory_cost(t, c->memory, bits,
                                      (c->window + width - 1) / width);
  StCost loop = {.lut = t->fifo.control_lut, .ff = t->fifo.control_ff};
  return st_cost_add(st_cost_scale(bank, c->banks),
                     st_cost_scale(loop, c->fill.nloops + c->drain.nloops));
}

StCost st_target_op_cost(const StTarget *t, const StModule *m, const StOp *op) {
  switch (op->kind) {
  case ST_OP_KERNEL:
    return st_target_nest_cost(t, m, op);
  case ST_OP_CONVERTER:
    return converter_cost(t, op);
  case ST_OP_FORK:
    return (StCost){.lut = t->fifo.control_lut, .ff = t->fifo.control_ff};
  case ST_OP_LOAD:
  case ST_OP_STORE:
    return t->dma;
  case ST_OP_BUNDLE: /* an engine for each of its channels */
    return st_cost_scale(t->dma, op->u.bundle.channels);
  case ST_OP_ARG:
  case ST_OP_CONST:
  case ST_OP_GENERIC:
  case ST_OP_VIEW:
  case ST_OP_SLICE:
  case ST_OP_CONCAT:
  case ST_OP_CARRY:
  case ST_OP_RESULT:
  case ST_OP_COUNT:
    break;
  }
  return (StCost){0};
}
