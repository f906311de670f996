/* size-fifos: the depth and the memory of every stream (doc/fifo-sizing.md).
 *
 *   %3 : stream                      %3 : stream, depth 12, srl
 *
 * For some steps, among them the least and the largest P and T, a schedule in
 * which each beat is issued as late as the earliest completion allows; the
 * depths are what the schedules need, and they are the certificate that `check`
 * verifies. The latency of a FIFO depends on what it is made of, which depends
 * on its depth: the sizing is repeated until no stream is made of something
 * slower. Loads that would run ahead further than the device has memory for are
 * held back, all at the same number of bits. */
#include "pass/pass.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "analysis/process.h"
#include "base/str.h"
#include "pass/fifo_memory.h"
#include "solve/schedule.h"

enum {
  MAX_STEPS = 8,
  TRIAL_STEPS = 4, /* the ends of the ranges */
};

typedef struct {
  int64_t P, T;
} Step;

typedef struct {
  StModule *module;
  const StPassContext *ctx;
  const StTarget *target;
  StArena *arena;
  StProcessNet *net;
  Step step[MAX_STEPS];
  int nsteps;
  int64_t *depth;   /* [stream] */
  int64_t *free;    /* [stream] depth without limits */
  int64_t *cap;     /* [stream] 0: none */
  StMemory *memory; /* [stream] */
  StCost ops;       /* all that is no FIFO */
  StStr certificate;
  int stuck; /* a process that waited for itself, in stuck_step; -1 */
  Step stuck_step;
} Sizing;

/* ---- steps -------------------------------------------------------------- */

static void add_step(Sizing *s, int64_t P, int64_t T) {
  for (int i = 0; i < s->nsteps; i++)
    if (s->step[i].P == P && s->step[i].T == T)
      return;
  s->step[s->nsteps++] = (Step){P, T};
}

/* The ends of the ranges of P and T, and some between. */
static void choose_steps(Sizing *s) {
  const StModule *m = s->module;
  if (!m->ctx || !m->chunk) {
    add_step(s, 0, 1);
    return;
  }
  add_step(s, m->ctx - m->chunk, m->chunk);
  add_step(s, m->ctx - 1, 1);
  add_step(s, 0, m->chunk);
  add_step(s, 0, 1);
  int64_t half = (m->chunk + 1) / 2;
  add_step(s, m->ctx - half, half);
  add_step(s, 0, half);
  add_step(s, (m->ctx - m->chunk) / 2, m->chunk);
  add_step(s, (m->ctx - 1) / 2, 1);
}

/* ---- one step -------------------------------------------------------------
 */

/* The schedule of one step; jobs share what they do not change. */
typedef struct {
  const Sizing *sizing;
  Step step;
  bool certify;
  int64_t *depth; /* [stream] */
  StStr text;     /* its part of the certificate */
  int stuck;      /* process; -1: none */
} Job;

static StProcessNet *net_of(const Sizing *s, StArena *a, Step step) {
  const StTarget *t = s->target;
  StProcessNet *net =
      st_process_net(a, s->module, t->latency.fifo, t->latency.buffer);
  for (int i = 0; i < net->nstreams; i++)
    net->stream[i].fifo_latency = s->net->stream[i].fifo_latency;
  st_process_bind(net, step.P, step.T);
  return net;
}

static void run_job(Job *j) {
  StArena *a = st_arena_new();
  const StProcessNet *net = net_of(j->sizing, a, j->step);
  StSchedule *x = st_schedule_new(a, net, j->sizing->cap);
  j->stuck = -1;
  if (st_schedule_earliest(x, &j->stuck)) {
    st_schedule_latest(x);
    st_schedule_balance(x);
    st_schedule_depths(x, j->depth);
    if (j->certify)
      st_schedule_print(&j->text, x);
  }
  st_arena_free(a);
}

static void report_stuck(const Sizing *s) {
  const StProcess *p = &s->net->process[s->stuck];
  st_error(s->ctx->diag, p->op->loc,
           "%s waits for its own results, however deep the streams are",
           st_process_name(s->arena, p));
  st_note(s->ctx->diag,
          "in the step with P = %" PRId64 ", T = %" PRId64
          "; a value is used before the operation that makes it",
          s->stuck_step.P, s->stuck_step.T);
}

/* ---- several --------------------------------------------------------------
 */

typedef struct {
  Job *job;
  int n;
  atomic_int next;
} Jobs;

static void *run_jobs(void *user) {
  Jobs *jobs = user;
  int i;
  while ((i = atomic_fetch_add(&jobs->next, 1)) < jobs->n)
    run_job(&jobs->job[i]);
  return NULL;
}

/* Depths for the first n steps with the memories as they are; false: s->stuck.
 */
static bool size_steps(Sizing *s, int n, bool certify) {
  Jobs jobs = {.job = ST_NEW_N(s->arena, Job, n), .n = n};
  int streams = s->net->nstreams;
  s->stuck = -1;
  for (int i = 0; i < n; i++) {
    Job *j = &jobs.job[i];
    *j = (Job){.sizing = s, .step = s->step[i], .certify = certify};
    j->depth = ST_NEW_N(s->arena, int64_t, streams);
    st_str_init(&j->text);
  }
  pthread_t thread;
  bool beside = n > 1 && !pthread_create(&thread, NULL, run_jobs, &jobs);
  run_jobs(&jobs);
  if (beside)
    pthread_join(thread, NULL);
  st_str_clear(&s->certificate);
  st_str_printf(&s->certificate, "certificate 1\n");
  for (int k = 0; k < streams; k++)
    s->depth[k] = 1;
  for (int i = 0; i < n; i++) {
    const Job *j = &jobs.job[i];
    if (s->stuck < 0 && j->stuck >= 0) {
      s->stuck = j->stuck;
      s->stuck_step = j->step;
    }
    for (int k = 0; k < streams; k++)
      s->depth[k] = j->depth[k] > s->depth[k] ? j->depth[k] : s->depth[k];
    st_str_append(&s->certificate, j->text.data, j->text.len);
    st_str_free(&jobs.job[i].text);
  }
  return s->stuck < 0;
}

/* ---- memories ----------------------------------------------------------- */

static double part_of(const Sizing *s) {
  return s->ctx->memory > 0 ? s->ctx->memory : 1;
}

/* Makes each stream of what suits its depth, but of nothing that is faster than
 * before. False: some stream is slower now than the schedules assumed. */
static bool choose_memories(Sizing *s) {
  bool settled = true;
  StMemory *suits = ST_NEW_N(s->arena, StMemory, s->net->nstreams);
  st_fifo_memories(s->target, s->net, s->ops, part_of(s), s->depth, suits);
  for (int i = 0; i < s->net->nstreams; i++) {
    StStream *x = &s->net->stream[i];
    StMemory mem = suits[i];
    int latency = st_target_fifo_latency(s->target, mem);
    if (s->memory[i] != ST_MEM_AUTO && latency < x->fifo_latency)
      continue;
    settled = settled && latency <= x->fifo_latency;
    x->fifo_latency = latency;
    s->memory[i] = mem;
  }
  return settled;
}

static void start_memories(Sizing *s) {
  for (int i = 0; i < s->net->nstreams; i++) {
    s->memory[i] = ST_MEM_AUTO;
    s->net->stream[i].fifo_latency =
        st_target_fifo_latency(s->target, ST_MEM_REG);
  }
}

/* Until no memory changes: first for few steps, then for all. */
static bool size_all(Sizing *s) {
  int few = s->nsteps < TRIAL_STEPS ? s->nsteps : TRIAL_STEPS;
  do {
    if (!size_steps(s, few, false))
      return false;
  } while (!choose_memories(s));
  do {
    if (!size_steps(s, s->nsteps, true))
      return false;
  } while (!choose_memories(s));
  return true;
}

/* ---- loads that run ahead too far --------------------------------------- */

static bool is_of_bundle(const Sizing *s, int stream) {
  const StProcess *p = &s->net->process[s->net->stream[stream].producer];
  return p->kind == ST_PROC_BUNDLE;
}

/* A load that waits for nothing may be held back without harm: whoever pops its
 * tokens frees it. A bundle may, as far as schedules show. */
static bool may_hold_back(const Sizing *s, int stream) {
  const StProcess *p = &s->net->process[s->net->stream[stream].producer];
  return (p->kind == ST_PROC_LOAD && p->nin == 0) || is_of_bundle(s, stream);
}

/* What a load may run ahead with `bits`: at least the tokens that are on the
 * way while it runs at its own rate. */
static int64_t cap_of(const Sizing *s, int stream, int64_t bits) {
  const StStream *x = &s->net->stream[stream];
  const StProcess *p = &s->net->process[x->producer];
  int slowest = st_target_fifo_latency(s->target, ST_MEM_URAM);
  int64_t least = (p->latency + slowest) / p->ii + 2;
  return bits / x->bits > least ? bits / x->bits : least;
}

static int64_t depth_within(const Sizing *s, int stream, int64_t bits) {
  int64_t cap = may_hold_back(s, stream) ? cap_of(s, stream, bits) : INT64_MAX;
  return cap < s->depth[stream] ? cap : s->depth[stream];
}

/* Whether all memories fit the device with loads held back at `bits`. */
static bool fits(const Sizing *s, int64_t bits) {
  StArena *scratch = st_arena_new();
  int n = s->net->nstreams;
  int64_t *depth = ST_NEW_N(scratch, int64_t, n);
  for (int i = 0; i < n; i++)
    depth[i] = depth_within(s, i, bits);
  bool ok = st_fifo_memories(s->target, s->net, s->ops, part_of(s), depth,
                             ST_NEW_N(scratch, StMemory, n));
  st_arena_free(scratch);
  return ok;
}

/* Caps for the loads' streams, if they are needed. If nothing fits the loads
 * are held back as far as it goes. */
static void hold_back(Sizing *s) {
  memcpy(s->free, s->depth, (size_t)s->net->nstreams * sizeof *s->free);
  int64_t lo = 0, hi = 1;
  for (int i = 0; i < s->net->nstreams; i++) {
    int64_t bits = s->depth[i] * s->net->stream[i].bits;
    hi = may_hold_back(s, i) && bits > hi ? bits : hi;
  }
  if (fits(s, hi))
    return;
  while (lo + 1 < hi) {
    int64_t mid = lo + (hi - lo) / 2;
    if (fits(s, mid))
      lo = mid;
    else
      hi = mid;
  }
  for (int i = 0; i < s->net->nstreams; i++)
    if (may_hold_back(s, i))
      s->cap[i] = cap_of(s, i, lo);
}

/* Twice the limits of bundles, until they are none; false: they are none. */
static bool relax_bundles(Sizing *s) {
  bool limited = false;
  for (int i = 0; i < s->net->nstreams; i++) {
    if (!s->cap[i] || !is_of_bundle(s, i))
      continue;
    limited = true;
    s->cap[i] = s->cap[i] < s->free[i] ? 2 * s->cap[i] : 0;
  }
  return limited;
}

/* ---- the pass ----------------------------------------------------------- */

static void decide(const Sizing *s) {
  for (int i = 0; i < s->module->op.n; i++)
    for (int r = 0; r < s->module->op.at[i]->nresults; r++) {
      StValue *v = s->module->op.at[i]->result[r];
      int stream = s->net->stream_of_value[v->id];
      if (stream < 0)
        continue;
      v->depth = s->depth[stream];
      v->memory = s->memory[stream];
    }
}

bool st_pass_size_fifos(StModule *m, const StPassContext *ctx) {
  Sizing s = {
      .module = m, .ctx = ctx, .target = ctx->target, .arena = st_arena_new()};
  s.net = st_process_net(s.arena, m, s.target->latency.fifo,
                         s.target->latency.buffer);
  s.depth = ST_NEW_N(s.arena, int64_t, s.net->nstreams);
  s.free = ST_NEW_N(s.arena, int64_t, s.net->nstreams);
  s.cap = ST_NEW_N(s.arena, int64_t, s.net->nstreams);
  s.memory = ST_NEW_N(s.arena, StMemory, s.net->nstreams);
  for (int i = 0; i < m->op.n; i++)
    s.ops = st_cost_add(s.ops, st_target_op_cost(s.target, m, m->op.at[i]));
  st_str_init(&s.certificate);
  choose_steps(&s);
  start_memories(&s);
  int few = s.nsteps < TRIAL_STEPS ? s.nsteps : TRIAL_STEPS;
  bool ok = size_steps(&s, few, false);
  if (ok) {
    hold_back(&s);
    ok = size_all(&s);
    while (!ok && relax_bundles(&s))
      ok = size_all(&s);
  }
  if (ok)
    decide(&s);
  else
    report_stuck(&s);
  if (ok && ctx->certificate)
    st_str_append(ctx->certificate, s.certificate.data, s.certificate.len);
  st_str_free(&s.certificate);
  st_arena_free(s.arena);
  return ok;
}
