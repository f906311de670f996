/* See bundle_program.h. */
#include "pass/bundle_program.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/process.h"
#include "ir/itensor.h"
#include "solve/schedule.h"
#include "solve/system.h"

#define NEVER INT64_MAX

enum { MOST_GRID = 840 }; /* multiple of the slots of all phases of a section */

/* ---- items -------------------------------------------------------------- */

/* Iterations of a layer that is the outermost loop; else 1. */
static int64_t periods_of(const StOp *load) {
  const StItensor *o = load->result[0]->type.order;
  int layer = load->u.load.layer_dim;
  bool outermost = o->nloops > 0 && layer >= 0 && o->loop[0].dim == layer;
  return outermost ? o->loop[0].trip.c : 1;
}

static void find_divisors(StArena *a, StBundleItem *x) {
  int64_t n = 0;
  for (int64_t d = 1; d * d <= x->tokens; d++)
    n += x->tokens % d == 0;
  x->divisor = ST_NEW_N(a, int64_t, 2 * n + 1);
  for (int64_t d = 1; d * d <= x->tokens; d++)
    if (x->tokens % d == 0)
      x->divisor[x->ndivisors++] = d;
  for (int64_t i = n; i-- > 0;)
    if (x->divisor[i] * x->divisor[i] != x->tokens)
      x->divisor[x->ndivisors++] = x->tokens / x->divisor[i];
}

static StBundleItem make_item(StArena *a, const StOp *load) {
  StBundleItem x = {.load = load, .times = periods_of(load)};
  const StType *type = &load->result[0]->type;
  x.tokens = st_itensor_tokens(type->order, 0, 0) / x.times;
  x.bits = st_type_token_bits(type);
  find_divisors(a, &x);
  return x;
}

bool st_bundle_fits(const StOp *load, int64_t bits) {
  return st_type_token_bits(&load->result[0]->type) <= ST_BUNDLE_SLOTS * bits;
}

/* ---- when they are used --------------------------------------------------- */

static void set_latencies(const StBundleProgram *p, StProcessNet *net) {
  for (int i = 0; i < net->nprocesses; i++)
    net->process[i].latency = st_target_latency(p->target, net->process[i].op);
}

/* The period in the middle, of the first consumer of the load. */
static void find_window(const StBundleProgram *p, const StProcessNet *net,
                        const StSchedule *s, StBundleItem *x) {
  const StStream *stream =
      &net->stream[net->stream_of_value[x->load->result[0]->id]];
  const StProcess *user = &net->process[stream->consumer];
  StBox pop = st_box_of_end(p->arena, user, &user->in[stream->in]);
  int64_t first = x->times / 2 * x->tokens;
  int64_t last = first + x->tokens - 1;
  x->from = (double)st_schedule_at(s, user->id, st_box_beat(&pop, first));
  x->to = (double)st_schedule_at(s, user->id, st_box_beat(&pop, last)) + 1;
}

static void find_windows(StBundleProgram *p) {
  const StTarget *t = p->target;
  StArena *scratch = st_arena_new();
  StProcessNet *net =
      st_process_net(scratch, p->module, t->latency.fifo, t->latency.buffer);
  int stuck;
  set_latencies(p, net);
  st_process_bind(net, p->module->ctx / 4, 1);
  StSchedule *s = st_schedule_new(scratch, net, NULL);
  if (st_schedule_earliest(s, &stuck)) /* else size-fifos reports it */
    for (int i = 0; i < p->nitems; i++)
      find_window(p, net, s, &p->item[i]);
  st_arena_free(scratch);
}

/* ---- phases --------------------------------------------------------------- */

/* By the middle of the time in which they are used. */
static bool comes_before(const StBundleItem *x, const StBundleItem *y) {
  return x->from + x->to < y->from + y->to;
}

/* The items first .. end - 1 of the order by time; items that are used at once
 * in the order in which they are given. */
static void sort_items(StBundleProgram *p, int first, int end) {
  for (int i = first + 1; i < end; i++)
    for (int j = i; j > first && comes_before(&p->item[p->order[j]],
                                              &p->item[p->order[j - 1]]);
         j--) {
      int swap = p->order[j];
      p->order[j] = p->order[j - 1];
      p->order[j - 1] = swap;
    }
}

/* Whether more than half of the time in which x is used lies in from .. to, or
 * the other way round. */
static bool is_during(const StBundleItem *x, double from, double to) {
  double lo = x->from > from ? x->from : from;
  double hi = x->to < to ? x->to : to;
  double own = x->to - x->from, all = to - from;
  return 2 * (hi - lo) > (own < all ? own : all);
}

static void find_phases(StBundleProgram *p, int first, int end) {
  for (int i = first, next; i < end; i = next) {
    double from = p->item[p->order[i]].from, to = p->item[p->order[i]].to;
    for (next = i + 1; next < end; next++) {
      const StBundleItem *x = &p->item[p->order[next]];
      if (!is_during(x, from, to))
        break;
      from = x->from < from ? x->from : from;
      to = x->to > to ? x->to : to;
    }
    StBundlePhase phase = {.first = i, .end = next};
    st_vec_push(p->arena, &p->phase, phase);
  }
}

/* Neighbours with as many periods are a section. */
static void find_sections(StBundleProgram *p) {
  p->phase.n = p->section.n = 0;
  for (int i = 0, end; i < p->nitems; i = end) {
    StBundleSection s = {.first = p->phase.n, .times = p->item[i].times};
    for (end = i; end < p->nitems && p->item[end].times == s.times; end++)
      p->order[end] = end;
    sort_items(p, i, end);
    find_phases(p, i, end);
    s.end = p->phase.n;
    st_vec_push(p->arena, &p->section, s);
  }
}

void st_bundle_analyse(StBundleProgram *p, StArena *a, const StModule *m,
                       const StTarget *t, StOp *const *load, int n) {
  *p = (StBundleProgram){.arena = a, .module = m, .target = t, .nitems = n};
  p->item = ST_NEW_N(a, StBundleItem, n + 1);
  p->order = ST_NEW_N(a, int, n + 1);
  for (int i = 0; i < n; i++)
    p->item[i] = make_item(a, load[i]);
  find_windows(p);
}

/* ---- frames ---------------------------------------------------------------- */

static int64_t align(int64_t x, int64_t by) { return (x + by - 1) / by * by; }

/* The largest number of frames up to `most` into which the tokens divide. */
static int64_t frames_within(const StBundleItem *x, int64_t most) {
  int lo = 0, hi = x->ndivisors;
  while (hi - lo > 1) {
    int mid = (lo + hi) / 2;
    *(x->divisor[mid] <= most ? &lo : &hi) = mid;
  }
  return x->divisor[lo];
}

/* Whether the items of a phase fit so many frames. */
static bool phase_fits(const StBundleProgram *p, const StBundlePhase *f,
                       int64_t frames, int64_t slots, int64_t bits) {
  double sum = 0;
  for (int i = f->first; i < f->end; i++) {
    const StBundleItem *x = &p->item[p->order[i]];
    int64_t each = x->tokens / frames_within(x, frames);
    if (each > slots)
      return false;
    sum += (double)each * (double)x->bits;
  }
  return sum <= (double)slots * (double)bits;
}

/* Fewest frames of so many slots; they are those of one of the items. */
static int64_t fewest_frames(const StBundleProgram *p, const StBundlePhase *f,
                             int64_t slots, int64_t bits) {
  int64_t best = NEVER;
  for (int i = f->first; i < f->end; i++) {
    const StBundleItem *x = &p->item[p->order[i]];
    for (int d = 0; d < x->ndivisors && x->divisor[d] < best; d++)
      if (x->tokens / x->divisor[d] <= slots &&
          phase_fits(p, f, x->divisor[d], slots, bits))
        best = x->divisor[d];
  }
  return best;
}

static void find_frames(StBundleProgram *p, const StBundleSection *s,
                        int64_t bits) {
  for (int i = s->first; i < s->end; i++)
    for (int64_t slots = 1; slots <= ST_BUNDLE_SLOTS; slots++)
      p->phase.at[i].fewest[slots] =
          fewest_frames(p, &p->phase.at[i], slots, bits);
}

/* The divisor of `grid` as slots with which the phase takes fewest beats; 0: it
 * does not fit. */
static int64_t best_slots(const StBundlePhase *f, int64_t grid) {
  int64_t best = 0;
  for (int64_t k = 1; k <= ST_BUNDLE_SLOTS; k++)
    if (grid % k == 0 && f->fewest[k] != NEVER &&
        (!best || f->fewest[k] * k < f->fewest[best] * best))
      best = k;
  return best;
}

/* The phases of a section one after another, their slots divisors of the grid;
 * the period. */
static int64_t place_phases(StBundleProgram *p, const StBundleSection *s,
                            int64_t grid) {
  int64_t at = 0;
  for (int i = s->first; i < s->end; i++) {
    StBundlePhase *f = &p->phase.at[i];
    f->slots = best_slots(f, grid);
    if (!f->slots)
      return NEVER;
    f->start = align(at, f->slots);
    at = f->start + f->fewest[f->slots] * f->slots;
  }
  return align(at, grid);
}

static void place_items(StBundleProgram *p, const StBundleSection *s) {
  for (int i = s->first; i < s->end; i++) {
    const StBundlePhase *f = &p->phase.at[i];
    for (int k = f->first; k < f->end; k++) {
      StBundleItem *x = &p->item[p->order[k]];
      int64_t frames = frames_within(x, f->fewest[f->slots]);
      x->slots = f->slots;
      x->first = f->start / f->slots;
      x->last = x->first + frames;
      x->each = x->tokens / frames;
    }
  }
}

/* The section from beat `at` on, as short as possible; where it ends. */
static int64_t place_section(StBundleProgram *p, StBundleSection *s, int64_t at,
                             int64_t bits) {
  int64_t best = 1;
  find_frames(p, s, bits);
  s->period = NEVER;
  for (int64_t grid = 1; grid <= MOST_GRID; grid++) {
    int64_t period = place_phases(p, s, grid);
    if (period >= s->period)
      continue;
    s->period = period;
    best = grid;
  }
  if (s->period == NEVER)
    return NEVER;
  place_phases(p, s, best);
  place_items(p, s);
  s->base = align(at, s->times > 1 ? s->period : best);
  return s->base + s->times * s->period;
}

/* ---- phases that are too narrow --------------------------------------------- */

/* Phases i and i + 1 become one; the phases of later sections move up. */
static void merge_phases(StBundleProgram *p, int i) {
  p->phase.at[i].end = p->phase.at[i + 1].end;
  p->phase.n--;
  for (int k = i + 1; k < p->phase.n; k++)
    p->phase.at[k] = p->phase.at[k + 1];
  for (int k = 0; k < p->section.n; k++) {
    p->section.at[k].first -= p->section.at[k].first > i;
    p->section.at[k].end -= p->section.at[k].end > i;
  }
}

/* A copy of the program in which phases i and i + 1 are one. */
static StBundleProgram merged(const StBundleProgram *p, StArena *a, int i) {
  StBundleProgram copy = *p;
  copy.phase.at = ST_NEW_N(a, StBundlePhase, p->phase.n);
  copy.section.at = ST_NEW_N(a, StBundleSection, p->section.n);
  memcpy(copy.phase.at, p->phase.at, (size_t)p->phase.n * sizeof *p->phase.at);
  memcpy(copy.section.at, p->section.at,
         (size_t)p->section.n * sizeof *p->section.at);
  merge_phases(&copy, i);
  return copy;
}

/* Bits that have come before they are used if all items of a phase come evenly
 * while it is used. */
static double early_bits(const StBundleProgram *p, const StBundlePhase *f) {
  const StBundleItem *x = &p->item[p->order[f->first]];
  double from = x->from, to = x->to, sum = 0;
  for (int i = f->first; i < f->end; i++) {
    x = &p->item[p->order[i]];
    from = x->from < from ? x->from : from;
    to = x->to > to ? x->to : to;
  }
  for (int i = f->first; i < f->end && to > from; i++) {
    x = &p->item[p->order[i]];
    sum += (double)x->tokens * (double)x->bits * (x->from - from) / (to - from);
  }
  return sum;
}

/* Whether FIFOs can hold that: they may have an eighth of the chip's memory. */
static bool is_roomy(const StBundleProgram *p, const StBundleSection *s) {
  double sum = 0, have = st_target_memory_bits(p->target) / 8;
  for (int i = s->first; i < s->end; i++)
    sum += early_bits(p, &p->phase.at[i]);
  return sum <= have;
}

/* The phase of section k that, as one with the next, makes the period
 * shortest; -1: none is worth it. */
static int best_merge(const StBundleProgram *p, int k, int64_t bits) {
  const double worth = 0.99;
  int64_t least = (int64_t)(worth * (double)p->section.at[k].period);
  int best = -1;
  for (int i = p->section.at[k].first; i + 1 < p->section.at[k].end; i++) {
    StArena *scratch = st_arena_new();
    StBundleProgram copy = merged(p, scratch, i);
    place_section(&copy, &copy.section.at[k], 0, bits);
    if (copy.section.at[k].period < least &&
        is_roomy(&copy, &copy.section.at[k])) {
      least = copy.section.at[k].period;
      best = i;
    }
    st_arena_free(scratch);
  }
  return best;
}

/* A kernel takes a token a beat, so that narrow ones alone leave memory idle:
 * they get company, as far as it is worth the FIFOs for what comes early. */
static void widen_section(StBundleProgram *p, int k, int64_t bits) {
  for (int i = 0; i >= 0;) {
    place_section(p, &p->section.at[k], 0, bits);
    i = best_merge(p, k, bits);
    if (i >= 0)
      merge_phases(p, i);
  }
}

int64_t st_bundle_place(StBundleProgram *p, int64_t bits) {
  int64_t at = 0;
  find_sections(p);
  for (int i = 0; i < p->section.n && at != NEVER; i++) {
    widen_section(p, i, bits);
    at = place_section(p, &p->section.at[i], at, bits);
  }
  return at;
}

static const StBundleSection *section_of(const StBundleProgram *p, int item) {
  for (int i = 0; i < p->section.n; i++) {
    const StBundleSection *s = &p->section.at[i];
    int end = p->phase.at[s->end - 1].end;
    if (item < end) /* sections take the items in order */
      return s;
  }
  return NULL;
}

StBundlePart st_bundle_part(const StBundleProgram *p, int i) {
  const StBundleItem *x = &p->item[i];
  const StBundleSection *s = section_of(p, i);
  return (StBundlePart){.base = s->base,
                        .period = s->period,
                        .times = s->times,
                        .slots = x->slots,
                        .first = x->first,
                        .last = x->last,
                        .per_frame = x->each};
}
