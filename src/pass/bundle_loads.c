/* bundle-loads: parameters that are read in full in every step, over most
 * memory channels at once.
 *
 *   %5 = load (%1) : ...           %5, %6, %7 = bundle (%1, %2, %3)
 *   %6 = load (%2) : ...             channels 24 {
 *   ...                                part ... slots 4 frames 0 96 each 3
 *   %7 = load (%3) : ...               part ... slots 4 frames 0 96 each 1
 *                                      part ... slots 5 frames 80 112 each 4
 *                                    } : ...
 *
 * A load alone has one channel. Those that make up the traffic of parameters
 * are taken out, with the small ones that are used together with them; what one
 * layer reads is a period that comes again for each layer, what is read once
 * follows. Which comes when is decided in bundle_program.c. What is left is
 * dealt to the channels that are left, as many as its time needs.
 * If channels of their own are no slower the loads stay as they are. */
#include "pass/pass.h"

#include <string.h>

#include "ir/itensor.h"
#include "pass/bundle_program.h"
#include "pass/channels.h"
#include "target/timing.h"

enum {
  SHARE = 64 /* a load is bundled from 1 / SHARE of the traffic on */
};

typedef struct {
  StModule *module;
  const StTarget *target;
  StArena *arena;
  StOp **load; /* in order of the ops */
  int nloads;
  bool *is_bundled;  /* [op id] */
  const StOp **user; /* [value id] the consumer of a stream */
  StBundleProgram program;
} Bundler;

/* ---- which loads -------------------------------------------------------- */

static bool is_parameter(const StModule *m, const StOp *op) {
  int tensor = op->kind == ST_OP_LOAD ? st_channels_tensor(m, op) : -1;
  return tensor >= 0 && m->arg.at[tensor].role == ST_ROLE_PARAM;
}

/* Fewest channels that a bundle has. */
static int least_channels(const StTarget *t) {
  int rest = t->memory.channels / 4;
  return t->memory.channels - (rest > 1 ? rest : 1);
}

static int64_t bits_a_cycle(const StTarget *t, int channels) {
  return channels * st_target_channel_bits(t);
}

static bool is_candidate(const Bundler *b, const StOp *op) {
  if (!is_parameter(b->module, op) || op->noperands > 1)
    return false;
  const StItensor *o = op->result[0]->type.order;
  bool ok =
      st_bundle_fits(op, bits_a_cycle(b->target, least_channels(b->target)));
  for (int i = 0; i < o->nloops; i++)
    ok &= st_sym_is_const(o->loop[i].trip) && o->loop[i].trip.c > 0;
  return ok;
}

static bool feeds(const StOp *from, const StOp *to) {
  for (int k = 0; k < to->noperands; k++)
    if (to->operand[k]->def == from)
      return true;
  return false;
}

/* The value of which a stream is a copy, perhaps in another order. */
static const StValue *origin_of(const StValue *v) {
  while (v->def->kind == ST_OP_FORK || v->def->kind == ST_OP_CONVERTER)
    v = v->def->operand[0];
  return v;
}

/* Both read the same value. */
static bool are_fed_alike(const StOp *x, const StOp *y) {
  for (int k = 0; k < x->noperands; k++)
    for (int l = 0; l < y->noperands; l++)
      if (origin_of(x->operand[k]) == origin_of(y->operand[l]))
        return true;
  return false;
}

/* Used by one kernel, by one and the next (codes and scales), or by two that
 * read the same value, which would wait for the later one. */
static bool are_used_together(const Bundler *b, const StOp *x, const StOp *y) {
  const StOp *p = b->user[x->result[0]->id], *q = b->user[y->result[0]->id];
  return p == q || feeds(p, q) || feeds(q, p) || are_fed_alike(p, q);
}

/* A small load that is used together with one that is bundled. */
static bool joins(const Bundler *b, const StOp *load) {
  const StModule *m = b->module;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    if (b->is_bundled[op->id] && are_used_together(b, load, op))
      return true;
  }
  return false;
}

static void add_small(Bundler *b) {
  const StModule *m = b->module;
  for (bool more = true; more;) {
    more = false;
    for (int i = 0; i < m->op.n; i++) {
      const StOp *op = m->op.at[i];
      if (b->is_bundled[op->id] || !is_candidate(b, op) || !joins(b, op))
        continue;
      b->is_bundled[op->id] = more = true;
    }
  }
}

static void find_loads(Bundler *b) {
  StModule *m = b->module;
  int64_t all = 0;
  for (int i = 0; i < m->op.n; i++)
    if (is_parameter(m, m->op.at[i]))
      all += st_channels_bits(m, m->op.at[i]);
  b->load = ST_NEW_N(b->arena, StOp *, m->op.n + 1);
  b->is_bundled = ST_NEW_N(b->arena, bool, m->next_op + 1);
  b->user = ST_NEW_N(b->arena, const StOp *, m->next_value + 1);
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    for (int k = 0; k < op->noperands; k++)
      b->user[op->operand[k]->id] = op;
    b->is_bundled[op->id] =
        is_candidate(b, op) && st_channels_bits(m, op) >= all / SHARE;
  }
  add_small(b);
  for (int i = 0; i < m->op.n; i++)
    if (b->is_bundled[m->op.at[i]->id])
      b->load[b->nloads++] = m->op.at[i];
}

/* ---- channels ----------------------------------------------------------- */

/* Cycles of a transfer in a step of one token with a quarter of the context
 * behind it. */
static int64_t time_of(const Bundler *b, const StOp *op) {
  const StValue *v = op->kind == ST_OP_LOAD ? op->result[0] : op->operand[0];
  return st_itensor_tokens(v->type.order, b->module->ctx / 4, 1) *
         st_timing_ii(b->module, b->target, op);
}

/* The longest of the loads alone. */
static int64_t time_alone(const Bundler *b) {
  int64_t most = 0;
  for (int i = 0; i < b->nloads; i++) {
    int64_t time = time_of(b, b->load[i]);
    most = time > most ? time : most;
  }
  return most;
}

/* The longest of the transfers that are not bundled. */
static int64_t time_of_others(const Bundler *b) {
  const StModule *m = b->module;
  int64_t most = 0;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    bool moves = op->kind == ST_OP_LOAD || op->kind == ST_OP_STORE;
    if (!moves || b->is_bundled[op->id])
      continue;
    int64_t time = time_of(b, op);
    most = time > most ? time : most;
  }
  return most;
}

/* Channels of the bundle: as many as make its time and that of others, which
 * they take at the same time, least. 0: the loads are as fast on channels of
 * their own. */
static int choose_channels(Bundler *b) {
  int most = b->target->memory.channels - 1, best = 0;
  int64_t least = INT64_MAX;
  st_channels_deal(b->module, b->target, 0, NULL);
  int64_t alone = time_alone(b);
  for (int n = most; n >= least_channels(b->target); n--) {
    int64_t beats = st_bundle_place(&b->program, bits_a_cycle(b->target, n));
    st_channels_deal(b->module, b->target, n, b->is_bundled);
    int64_t others = time_of_others(b);
    int64_t time = beats > others ? beats : others;
    if (beats >= alone || time >= least)
      continue;
    least = time;
    best = n;
  }
  return best;
}

/* ---- the op ------------------------------------------------------------- */

static void set_parts(const Bundler *b, StBundlePart *part) {
  for (int i = 0; i < b->nloads; i++) {
    const StLoad *load = &b->load[i]->u.load;
    part[i] = st_bundle_part(&b->program, i);
    part[i].layer_dim = load->layer_dim;
    part[i].stride = load->stride;
  }
}

static StOp *make_bundle(const Bundler *b, int channels) {
  StModule *m = b->module;
  StValue **operand = ST_NEW_N(b->arena, StValue *, b->nloads + 1);
  for (int i = 0; i < b->nloads; i++)
    operand[i] = b->load[i]->operand[0];
  StOp *op = st_op_new(m, ST_OP_BUNDLE, b->load[0]->loc, b->nloads, operand,
                       b->nloads);
  op->name = "parameters";
  op->group = b->load[0]->group;
  op->die = b->load[0]->die;
  op->u.bundle =
      (StBundle){.channel = -1,
                 .channels = channels,
                 .part = ST_NEW_N(m->arena, StBundlePart, b->nloads + 1)};
  set_parts(b, op->u.bundle.part);
  StValue **map = ST_NEW_N(b->arena, StValue *, m->next_value + 1);
  for (int i = 0; i < b->nloads; i++) {
    const StValue *old = b->load[i]->result[0];
    op->result[i]->type = old->type;
    op->result[i]->name = old->name ? old->name : b->load[i]->name;
    map[old->id] = op->result[i];
  }
  st_module_remap(m, map);
  return op;
}

/* What is in memory, then the bundle, then all others. */
static void replace_loads(Bundler *b, StOp *bundle) {
  StModule *m = b->module;
  StOp **old = ST_NEW_N(b->arena, StOp *, m->op.n + 1);
  int n = m->op.n;
  memcpy(old, m->op.at, (size_t)n * sizeof *old);
  m->op.n = 0;
  for (int i = 0; i < n; i++)
    if (old[i]->kind == ST_OP_ARG || old[i]->kind == ST_OP_CONST)
      st_op_append(m, old[i]);
  st_op_append(m, bundle);
  for (int i = 0; i < n; i++)
    if (old[i]->kind != ST_OP_ARG && old[i]->kind != ST_OP_CONST &&
        !b->is_bundled[old[i]->id])
      st_op_append(m, old[i]);
  st_module_renumber(m);
}

bool st_pass_bundle_loads(StModule *m, const StPassContext *ctx) {
  if (!ctx->target || ctx->target->memory.channels < 2)
    return true;
  Bundler b = {.module = m, .target = ctx->target, .arena = st_arena_new()};
  find_loads(&b);
  if (b.nloads)
    st_bundle_analyse(&b.program, b.arena, m, ctx->target, b.load, b.nloads);
  int channels = b.nloads ? choose_channels(&b) : 0;
  if (channels) {
    st_bundle_place(&b.program, bits_a_cycle(ctx->target, channels));
    replace_loads(&b, make_bundle(&b, channels));
  }
  st_arena_free(b.arena);
  return true;
}
