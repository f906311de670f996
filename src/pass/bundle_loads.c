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
 * are taken out, in the order of the ops, which is the order in which their
 * data is consumed: what one layer reads is a period that comes again for each
 * layer, what is read once follows. Loads of one product (codes and scales)
 * share their frames, and a small one comes along with a large one.
 * The rest is dealt to the channels that are left, as many as its time needs.
 * If channels of their own are no slower the loads stay as they are. */
#include "pass/pass.h"

#include <math.h>
#include <string.h>

#include "ir/itensor.h"
#include "pass/channels.h"
#include "target/timing.h"

enum {
  SHARE = 64,      /* a load is bundled from 1 / SHARE of the traffic on */
  MOST_SLOTS = 64, /* beats in a frame */
  MOST_GRID = 840  /* multiple of all slots of a section */
};

/* Loads whose tokens come in the same frames. */
typedef struct {
  int first, n;     /* loads */
  int64_t times;    /* periods: iterations of the outermost loop, or 1 */
  int64_t common;   /* greatest common divisor of the tokens in a period */
  int64_t *divisor; /* of it, ascending */
  int ndivisors;
  int64_t bits; /* of all tokens in a period */
  int64_t most; /* tokens in a period of the load that has most */
  int64_t frames[MOST_SLOTS + 1]; /* [slots] fewest in a period; 0: none fit */
  int64_t start, slots;           /* beats into the period, and in a frame */
} Segment;

/* Segments that have the same periods. */
typedef struct {
  int first, end; /* segments */
  int64_t times;
  int64_t base, period; /* of the plan at hand */
} Section;

typedef struct {
  StModule *module;
  const StTarget *target;
  StArena *arena;
  StOp **load; /* in order of the ops */
  int nloads;
  bool *is_large;    /* [op id] bundled for its own traffic */
  bool *is_bundled;  /* [op id] */
  const StOp **user; /* [value id] the consumer of a stream */
  ST_VEC(Segment) segment;
  ST_VEC(Section) section;
} Bundler;

/* ---- which loads -------------------------------------------------------- */

static bool is_parameter(const StModule *m, const StOp *op) {
  int tensor = op->kind == ST_OP_LOAD ? st_channels_tensor(m, op) : -1;
  return tensor >= 0 && m->arg.at[tensor].role == ST_ROLE_PARAM;
}

static int64_t token_bits(const StOp *load) {
  return st_type_token_bits(&load->result[0]->type);
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
  bool ok = token_bits(op) <=
            MOST_SLOTS * bits_a_cycle(b->target, least_channels(b->target));
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

/* A small load that is used together with a large one. */
static bool joins(const Bundler *b, const StOp *load) {
  const StModule *m = b->module;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    if (b->is_large[op->id] && are_used_together(b, load, op))
      return true;
  }
  return false;
}

static void find_loads(Bundler *b) {
  StModule *m = b->module;
  int64_t all = 0;
  for (int i = 0; i < m->op.n; i++)
    if (is_parameter(m, m->op.at[i]))
      all += st_channels_bits(m, m->op.at[i]);
  b->is_large = ST_NEW_N(b->arena, bool, m->next_op + 1);
  b->load = ST_NEW_N(b->arena, StOp *, m->op.n + 1);
  b->is_bundled = ST_NEW_N(b->arena, bool, m->next_op + 1);
  b->user = ST_NEW_N(b->arena, const StOp *, m->next_value + 1);
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    for (int k = 0; k < op->noperands; k++)
      b->user[op->operand[k]->id] = op;
    b->is_large[op->id] =
        is_candidate(b, op) && st_channels_bits(m, op) >= all / SHARE;
  }
  for (int i = 0; i < m->op.n; i++) {
    StOp *op = m->op.at[i];
    if (!is_candidate(b, op) || !(b->is_large[op->id] || joins(b, op)))
      continue;
    b->load[b->nloads++] = op;
    b->is_bundled[op->id] = true;
  }
}

/* ---- segments ----------------------------------------------------------- */

/* Iterations of a layer that is the outermost loop; else 1. */
static int64_t periods_of(const StOp *load) {
  const StItensor *o = load->result[0]->type.order;
  int layer = load->u.load.layer_dim;
  bool outermost = o->nloops > 0 && layer >= 0 && o->loop[0].dim == layer;
  return outermost ? o->loop[0].trip.c : 1;
}

static int64_t tokens_of(const StOp *load) {
  return st_itensor_tokens(load->result[0]->type.order, 0, 0) /
         periods_of(load);
}

static int64_t common_divisor(int64_t x, int64_t y) {
  while (y) {
    int64_t rest = x % y;
    x = y;
    y = rest;
  }
  return x;
}

static void add_divisors(StArena *a, Segment *s) {
  int64_t n = 0, at = 0;
  for (int64_t d = 1; d * d <= s->common; d++)
    n += s->common % d == 0;
  s->divisor = ST_NEW_N(a, int64_t, 2 * n);
  for (int64_t d = 1; d * d <= s->common; d++)
    if (s->common % d == 0)
      s->divisor[at++] = d;
  for (int64_t i = n; i-- > 0;)
    if (s->divisor[i] * s->divisor[i] != s->common)
      s->divisor[at++] = s->common / s->divisor[i];
  s->ndivisors = (int)at;
}

/* The loads first .. first + n - 1 as a segment; false: not in any frame. */
static bool make_segment(const Bundler *b, int first, int n, Segment *s) {
  *s = (Segment){.first = first, .n = n};
  s->times = periods_of(b->load[first]);
  for (int i = first; i < first + n; i++) {
    int64_t tokens = tokens_of(b->load[i]);
    s->common = common_divisor(tokens, s->common);
    s->most = tokens > s->most ? tokens : s->most;
    s->bits += tokens * token_bits(b->load[i]);
  }
  int64_t room =
      MOST_SLOTS * bits_a_cycle(b->target, least_channels(b->target));
  return s->most / s->common <= MOST_SLOTS && s->bits / s->common <= room;
}

/* Load i is used together with one of the segment. */
static bool belongs(const Bundler *b, const Segment *s, int i) {
  bool used = false;
  for (int k = s->first; k < s->first + s->n; k++)
    used |= are_used_together(b, b->load[k], b->load[i]);
  return used && periods_of(b->load[i]) == s->times;
}

/* Small loads that cannot share the frames of a large one stay outside. */
static void drop_load(Bundler *b, int i) {
  b->is_bundled[b->load[i]->id] = false;
  b->nloads--;
  memmove(b->load + i, b->load + i + 1,
          (size_t)(b->nloads - i) * sizeof *b->load);
}

static void find_segments(Bundler *b) {
  for (int i = 0; i < b->nloads;) {
    Segment s, more;
    if (!b->is_large[b->load[i]->id]) {
      drop_load(b, i);
      continue;
    }
    make_segment(b, i, 1, &s);
    while (i + s.n < b->nloads && belongs(b, &s, i + s.n) &&
           make_segment(b, i, s.n + 1, &more))
      s = more;
    add_divisors(b->arena, &s);
    st_vec_push(b->arena, &b->segment, s);
    i += s.n;
  }
}

static void find_sections(Bundler *b) {
  for (int i = 0, end; i < b->segment.n; i = end) {
    Section s = {.first = i, .times = b->segment.at[i].times};
    for (end = i; end < b->segment.n; end++)
      if (b->segment.at[end].times != s.times)
        break;
    s.end = end;
    st_vec_push(b->arena, &b->section, s);
  }
}

/* ---- frames ------------------------------------------------------------- */

static int64_t ceil_div(int64_t x, int64_t y) { return (x + y - 1) / y; }

static int64_t align(int64_t x, int64_t by) { return ceil_div(x, by) * by; }

static void find_frames(Segment *s, int64_t bits) {
  for (int64_t slots = 1; slots <= MOST_SLOTS; slots++) {
    int64_t least = ceil_div(s->most, slots);
    int64_t room = ceil_div(s->bits, slots * bits);
    int i = 0;
    least = room > least ? room : least;
    while (i < s->ndivisors && s->divisor[i] < least)
      i++;
    s->frames[slots] = i < s->ndivisors ? s->divisor[i] : 0;
  }
}

/* The divisor of `grid` as slots with which the segment takes fewest beats; 0:
 * it does not fit. */
static int64_t best_slots(const Segment *s, int64_t grid) {
  int64_t best = 0;
  for (int64_t k = 1; k <= MOST_SLOTS; k++)
    if (grid % k == 0 && s->frames[k] &&
        (!best || s->frames[k] * k < s->frames[best] * best))
      best = k;
  return best;
}

/* Segments one after another, their slots divisors of the grid; the period, or
 * INT64_MAX. */
static int64_t place_segments(Bundler *b, const Section *c, int64_t grid) {
  int64_t at = 0;
  for (int i = c->first; i < c->end; i++) {
    Segment *s = &b->segment.at[i];
    s->slots = best_slots(s, grid);
    if (!s->slots)
      return INT64_MAX;
    s->start = align(at, s->slots);
    at = s->start + s->frames[s->slots] * s->slots;
  }
  return align(at, grid);
}

/* The section from beat `at` on, as short as possible; where it ends. */
static int64_t place_section(Bundler *b, Section *c, int64_t at) {
  int64_t best = 1;
  c->period = INT64_MAX;
  for (int64_t grid = 1; grid <= MOST_GRID; grid++) {
    int64_t period = place_segments(b, c, grid);
    if (period >= c->period)
      continue;
    c->period = period;
    best = grid;
  }
  place_segments(b, c, best);
  c->base = align(at, c->times > 1 ? c->period : best);
  return c->base + c->times * c->period;
}

/* The bundle's program over so many channels; its beats. */
static int64_t place_all(Bundler *b, int channels) {
  int64_t at = 0;
  for (int i = 0; i < b->segment.n; i++)
    find_frames(&b->segment.at[i], bits_a_cycle(b->target, channels));
  for (int i = 0; i < b->section.n; i++)
    at = place_section(b, &b->section.at[i], at);
  return at;
}

/* ---- channels ----------------------------------------------------------- */

/* Cycles of a transfer in a step of one token with a quarter of the context
 * behind it. */
static int64_t time_of(const Bundler *b, const StOp *op) {
  const StValue *v =
      op->kind == ST_OP_LOAD ? op->result[0] : op->operand[0];
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

/* Cycles by which transfers that are not bundled exceed the bundle's. */
static double time_beyond(const Bundler *b, int64_t beats) {
  const StModule *m = b->module;
  double sum = 0;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    bool moves = op->kind == ST_OP_LOAD || op->kind == ST_OP_STORE;
    if (!moves || b->is_bundled[op->id])
      continue;
    int64_t time = time_of(b, op);
    sum += time > beats ? (double)(time - beats) : 0;
  }
  return sum;
}

/* Channels of the bundle: as many as make its time, and what others take beyond
 * that, least. 0: the loads are as fast on channels of their own. */
static int choose_channels(Bundler *b) {
  int most = b->target->memory.channels - 1, best = 0;
  double least = INFINITY;
  st_channels_deal(b->module, b->target, 0, NULL);
  int64_t alone = time_alone(b);
  for (int n = most; n >= least_channels(b->target); n--) {
    int64_t beats = place_all(b, n);
    st_channels_deal(b->module, b->target, n, b->is_bundled);
    double time = (double)beats + time_beyond(b, beats);
    if (beats >= alone || time >= least)
      continue;
    least = time;
    best = n;
  }
  return best;
}

/* ---- the op ------------------------------------------------------------- */

static void set_parts(const Bundler *b, StBundlePart *part) {
  for (int i = 0; i < b->section.n; i++) {
    const Section *c = &b->section.at[i];
    for (int k = c->first; k < c->end; k++) {
      const Segment *s = &b->segment.at[k];
      int64_t first = s->start / s->slots, frames = s->frames[s->slots];
      for (int l = s->first; l < s->first + s->n; l++) {
        const StLoad *load = &b->load[l]->u.load;
        part[l] = (StBundlePart){.layer_dim = load->layer_dim,
                                 .stride = load->stride,
                                 .base = c->base,
                                 .period = c->period,
                                 .times = c->times,
                                 .slots = s->slots,
                                 .first = first,
                                 .last = first + frames,
                                 .per_frame = tokens_of(b->load[l]) / frames};
      }
    }
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
  find_segments(&b);
  find_sections(&b);
  int channels = b.nloads ? choose_channels(&b) : 0;
  if (channels) {
    place_all(&b, channels);
    replace_loads(&b, make_bundle(&b, channels));
  }
  st_arena_free(b.arena);
  return true;
}
