/* II and latency of every stream level op; doc/machine.md has the rules. */
#include "target/timing.h"

#include <math.h>

#include "analysis/port.h"
#include "ir/itensor.h"
#include "target/dies.h"

/* a >= 1; b may be as large as INT64_MAX. */
static int64_t ceil_div(int64_t a, int64_t b) { return (a - 1) / b + 1; }

/* Cycles that an accumulator needs if it is used in every beat. */
static int64_t fold_ii(const StModule *m, const StTarget *t, const StOp *op) {
  const StNest *nest = &op->u.nest;
  bool accumulates = false;
  for (int i = 0; i < nest->nloops; i++) {
    int64_t most = st_sym_max(nest->loop[i].trip, m->ctx, m->chunk);
    accumulates |= nest->dim[nest->loop[i].dim].reduction && most > 1;
  }
  int latency = 1;
  for (int r = 0; r < op->nresults && accumulates; r++) {
    const StOutput *out = &nest->out[r];
    if (out->combine == ST_X_ARG)
      continue;
    int l =
        st_target_op_latency(t, out->combine, nest->body.at[out->yield].dtype);
    latency = l > latency ? l : latency;
  }
  int64_t distance = st_kernel_distance(m, op);
  return ceil_div(latency, distance > 1 ? distance : 1);
}

int st_timing_ways(const StModule *m, const StTarget *t, const StOp *op) {
  return (int)fold_ii(m, t, op);
}

/* ---- transfers ---------------------------------------------------------- */

/* A load or store of memory. */
typedef struct {
  int channel, channels; /* the first, -1: none; how many */
  double token, need;    /* bits of a token; st_timing_need */
} Transfer;

static bool is_constant(const StItensor *o) {
  bool constant = true;
  for (int i = 0; i < o->nloops; i++)
    constant &= st_sym_is_const(o->loop[i].trip);
  return constant;
}

/* The part of a step's time that a transfer has: what nothing can begin without
 * (inputs, rows of tables) has little, what comes out at the end some, what
 * layers read and write while others work, and what is read whole, all. */
static double window_of(const StModule *m, const StOp *op) {
  const double begin = 1.0 / 64, end = 1.0 / 8;
  if (op->kind == ST_OP_STORE)
    return m->ret.at[op->u.store.index.index[0]].cache >= 0 ? 1 : end;
  const StOp *def = op->operand[0]->def;
  if (def->kind != ST_OP_ARG)
    return 1;
  StRole role = m->arg.at[def->u.index.index[0]].role;
  bool runs_ahead =
      role == ST_ROLE_PARAM && op->noperands == 1 &&
      (op->u.load.layer_dim >= 0 || is_constant(op->result[0]->type.order));
  return role == ST_ROLE_CACHE || runs_ahead ? 1 : begin;
}

double st_timing_need(const StModule *m, const StOp *op) {
  bool load = op->kind == ST_OP_LOAD;
  const StType *type = load ? &op->result[0]->type : &op->operand[0]->type;
  double tokens = (double)st_itensor_tokens(type->order, m->ctx / 4, 1);
  return fmax(tokens, 1) * (double)st_type_token_bits(type) / window_of(m, op);
}

static Transfer transfer_of(const StModule *m, const StOp *op) {
  Transfer x = {.channel = -1, .channels = 1};
  bool load = op->kind == ST_OP_LOAD;
  if ((!load && op->kind != ST_OP_STORE) ||
      (load && op->operand[0]->memory == ST_MEM_ROM))
    return x;
  int channels = load ? op->u.load.channels : op->u.store.channels;
  x.channel = load ? op->u.load.channel : op->u.store.channel;
  x.channels = channels > 1 ? channels : 1;
  x.token = (double)st_type_token_bits(load ? &op->result[0]->type
                                            : &op->operand[0]->type);
  x.need = st_timing_need(m, op);
  return x;
}

static bool meet(const Transfer *x, const Transfer *y) {
  return x->channel >= 0 && y->channel >= 0 &&
         x->channel < y->channel + y->channels &&
         y->channel < x->channel + x->channels;
}

/* Share of its channels that a transfer has for good: by its need, but everyone
 * has at least a 64th of what all would have. */
static double share_of(const StModule *m, const Transfer *x) {
  enum { LEAST = 64 };
  double sum = 0, all = 0;
  for (int i = 0; i < m->op.n; i++) {
    Transfer y = transfer_of(m, m->op.at[i]);
    sum += meet(x, &y) ? y.need : 0;
  }
  if (sum <= 0)
    return 1;
  for (int i = 0; i < m->op.n; i++) {
    Transfer y = transfer_of(m, m->op.at[i]);
    if (meet(x, &y))
      all += fmax(y.need, sum / LEAST);
  }
  return fmax(x->need, sum / LEAST) / all;
}

static int transfer_ii(const StModule *m, const StTarget *t, const StOp *op) {
  Transfer x = transfer_of(m, op);
  if (x.token <= 0 || t->memory.kind == ST_STORAGE_ONCHIP)
    return 1;
  double rate = (double)st_target_channel_bits(t) * x.channels;
  double share = x.channel < 0 ? 1 : share_of(m, &x);
  return (int)fmax(1, ceil(x.token / rate / share * (1 - 1e-12)));
}

int st_timing_ii(const StModule *m, const StTarget *t, const StOp *op) {
  if (op->kind == ST_OP_KERNEL)
    return (int)ceil_div(fold_ii(m, t, op), st_kernel_ways(op));
  if (op->kind == ST_OP_LOAD || op->kind == ST_OP_STORE)
    return transfer_ii(m, t, op);
  return 1;
}

bool st_timing_bundle_fits(const StTarget *t, const StOp *op) {
  const StBundle *b = &op->u.bundle;
  double a_beat = (double)b->channels * (double)st_target_channel_bits(t);
  for (int i = 0; i < op->nresults; i++) {
    const StBundlePart *x = &b->part[i];
    double bits = 0; /* of the first frame of part i */
    for (int k = 0; k < op->nresults; k++)
      if (st_dies_meet(b, i, k))
        bits += (double)b->part[k].per_frame *
                (double)st_type_token_bits(&op->result[k]->type);
    if (bits > (double)x->slots * a_beat)
      return false;
  }
  return true;
}

void st_pass_timing(StModule *m, const StTarget *t) {
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    if (op->kind != ST_OP_KERNEL && op->kind != ST_OP_CONVERTER &&
        op->kind != ST_OP_FORK && op->kind != ST_OP_LOAD &&
        op->kind != ST_OP_BUNDLE && op->kind != ST_OP_STORE)
      continue;
    op->ii = st_timing_ii(m, t, op);
    op->latency = st_target_latency(t, op);
  }
}
