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
  return bits <= 8 ? ST_CLASS_I8 : bits <= 32 ? ST_CLASS_I32 : ST_CLASS_I64;
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
static int expr_bits(const StBody *body, const StExpr *e) {
  int all = st_dtype_bits(e->dtype), need = all;
  if (e->kind == ST_X_EXTSI)
    need = expr_bits(body, &body->at[e->arg[0]]);
  else if (e->kind == ST_X_MULI)
    need = expr_bits(body, &body->at[e->arg[0]]) +
           expr_bits(body, &body->at[e->arg[1]]);
  return need < all ? need : all;
}

/* A multiplier is as wide as its operands. */
static const StOperator *operator_of(const StTarget *t, const StBody *body,
                                     const StExpr *e) {
  bool compares = e->kind == ST_X_CMPF || e->kind == ST_X_CMPI;
  StDtype dtype = compares ? body->at[e->arg[0]].dtype : e->dtype;
  if (e->kind == ST_X_MULI &&
      expr_bits(body, &body->at[e->arg[0]]) <= st_dtype_bits(ST_I8) &&
      expr_bits(body, &body->at[e->arg[1]]) <= st_dtype_bits(ST_I8))
    dtype = ST_I8;
  return st_target_operator(t, e->kind, dtype);
}

/* An adder of `n` values of `bits` in a tree costs by its own width, halfway up
 * the tree. */
static StCost adder_cost(const StTarget *t, const StBody *body,
                         const StOutput *out, double n) {
  const StExpr *e = &body->at[out->yield];
  StCost one = st_target_operator(t, out->combine, e->dtype)->cost;
  if (out->combine != ST_X_ADDI)
    return one;
  double all = st_dtype_bits(e->dtype);
  double bits = expr_bits(body, e) + ceil(log2(n + 1) / 2);
  return st_cost_scale(one, fmin(bits, all) / all);
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
    ready[i] = start + operator_of(t, body, e)->latency;
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
  int levels = tree_levels(count_lanes(nest, true)) + has_reduction_loop(nest) +
               tree_levels(st_kernel_ways(kernel));
  int latest = 0;
  for (int r = 0; r < kernel->nresults; r++) {
    const StOutput *out = &nest->out[r];
    int cycles = path_latency(t, &nest->body, out->yield);
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

static StCost kernel_cost(const StTarget *t, const StModule *m,
                          const StOp *op) {
  const StNest *nest = &op->u.nest;
  double red = (double)count_lanes(nest, true);
  double par = (double)count_lanes(nest, false);
  bool accumulates = has_reduction_loop(nest);
  StCost sum = {0};
  for (int i = 0; i < nest->body.n; i++)
    sum =
        st_cost_add(sum, operator_of(t, &nest->body, &nest->body.at[i])->cost);
  sum = st_cost_scale(sum, red * par);
  for (int r = 0; r < op->nresults; r++) {
    const StOutput *out = &nest->out[r];
    StDtype dtype = nest->body.at[out->yield].dtype;
    if (out->combine == ST_X_ARG)
      continue;
    StCost one = adder_cost(t, &nest->body, out, red);
    double count = par * (red - 1 + accumulates + st_kernel_ways(op) - 1);
    sum = st_cost_add(sum, st_cost_scale(one, count));
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
    return kernel_cost(t, m, op);
  case ST_OP_CONVERTER:
    return converter_cost(t, op);
  case ST_OP_FORK:
    return (StCost){.lut = t->fifo.control_lut, .ff = t->fifo.control_ff};
  case ST_OP_LOAD:
  case ST_OP_STORE:
    return t->dma;
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
