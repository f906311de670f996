/* A step: its cycles with the depths of the module, and its values. The values
 * are computed in an order of beats that deeper FIFOs allow, in which long runs
 * follow each other; it gets to the end if the first one does. The two share
 * nothing that changes and run in two threads.
 */
#include "sim/sim.h"

#include <pthread.h>
#include <string.h>

#include "sim/deadlock.h"
#include "sim/order.h"
#include "sim/time.h"
#include "sim/value.h"

enum { VALUE_DEPTH = 512 }; /* tokens a FIFO holds at least in the value run */

struct StSim {
  StArena *arena;
  StArena *timer_arena; /* the timer may run in a thread of its own */
  const StModule *module;
  const StTarget *target;
  StDiag *diag;
  StProcessNet *net;
  StTimer *timer;
  StOrder *order;
  StValues *values; /* NULL until a step needs them */
  bool unbounded;
  bool ended;           /* the timer's run got to the end */
  int64_t *depth;       /* [nstreams] of the module; 0: not decided */
  int64_t *no_limit;    /* [nstreams] zeros */
  int64_t *value_depth; /* [nstreams] */
  StArena *explanation; /* of the last deadlock */
  StSimResult result;
};

/* ---- making ------------------------------------------------------------- */

static bool is_stream_level(const StModule *m, StDiag *diag) {
  int processes = 0;
  for (int i = 0; i < m->op.n; i++) {
    const StOp *op = m->op.at[i];
    bool stream = op->kind == ST_OP_KERNEL || op->kind == ST_OP_CONVERTER ||
                  op->kind == ST_OP_FORK || op->kind == ST_OP_LOAD ||
                  op->kind == ST_OP_BUNDLE || op->kind == ST_OP_STORE;
    processes += stream;
    if (stream || op->kind == ST_OP_ARG || op->kind == ST_OP_CONST)
      continue;
    st_error(diag, op->loc,
             "the simulator runs stream level modules; '%s' is "
             "of the tensor level",
             st_op_name(op->kind));
    return false;
  }
  if (!processes)
    st_error(diag, (StLoc){0}, "the module has nothing to simulate");
  return processes > 0;
}

StSim *st_sim_new(const StModule *m, const StTarget *t, StDiag *diag) {
  if (!is_stream_level(m, diag))
    return NULL;
  StArena *a = st_arena_new();
  StSim *s = ST_NEW(a, StSim);
  s->arena = a;
  s->module = m;
  s->target = t;
  s->diag = diag;
  s->net = st_process_net(a, m, t->latency.fifo, t->latency.buffer);
  s->timer_arena = st_arena_new();
  s->timer = st_timer_new(s->timer_arena, s->net);
  s->order = st_order_new(a, s->net);
  s->depth = ST_NEW_N(a, int64_t, s->net->nstreams);
  s->no_limit = ST_NEW_N(a, int64_t, s->net->nstreams);
  s->value_depth = ST_NEW_N(a, int64_t, s->net->nstreams);
  for (int i = 0; i < s->net->nstreams; i++)
    s->depth[i] = s->net->stream[i].depth;
  s->result.nchannels = t->memory.channels;
  s->result.process = ST_NEW_N(a, StProcessStats, s->net->nprocesses);
  s->result.stream = ST_NEW_N(a, StStreamStats, s->net->nstreams);
  s->result.read = ST_NEW_N(a, int64_t, t->memory.channels + 1);
  s->result.written = ST_NEW_N(a, int64_t, t->memory.channels + 1);
  return s;
}

void st_sim_free(StSim *sim) {
  if (!sim)
    return;
  st_arena_free(sim->explanation);
  st_arena_free(sim->timer_arena);
  st_arena_free(sim->arena);
}

void st_sim_set_unbounded(StSim *sim, bool unbounded) {
  sim->unbounded = unbounded;
}

const StProcessNet *st_sim_net(const StSim *sim) { return sim->net; }

/* ---- a step ------------------------------------------------------------- */

/* Both ends of every stream move as many tokens, and every depth is decided. */
static bool check_streams(const StSim *s) {
  for (int i = 0; i < s->net->nstreams; i++) {
    const StStream *st = &s->net->stream[i];
    const StProcess *p = &s->net->process[st->producer];
    int64_t pushed = p->out[st->out].tokens;
    int64_t popped = s->net->process[st->consumer].in[st->in].tokens;
    bool decided = s->unbounded || st->depth;
    if (pushed == popped && decided)
      continue;
    StArena *a = st_arena_new();
    if (pushed != popped)
      st_error(s->diag, p->op->loc,
               "at P = %lld, T = %lld %lld tokens enter "
               "stream %s and %lld leave it",
               (long long)s->net->P, (long long)s->net->T, (long long)pushed,
               st_stream_name(a, st), (long long)popped);
    else
      st_error(s->diag, p->op->loc,
               "stream %s has no depth; run the pass "
               "size-fifos first",
               st_stream_name(a, st));
    st_arena_free(a);
    return false;
  }
  return true;
}

/* The channels of a bundle share what it reads. */
static void count_bundle(StSim *s, const StProcess *p) {
  const StBundle *b = &p->op->u.bundle;
  int64_t bits = 0;
  for (int k = 0; k < p->nout; k++)
    bits += p->out[k].tokens * s->net->stream[p->out[k].stream].bits;
  int64_t each = (bits + 8 * b->channels - 1) / (8 * b->channels);
  for (int c = 0; c < b->channels; c++) {
    int at = b->channel < 0 ? -1 : b->channel + c;
    bool known = at >= 0 && at < s->result.nchannels;
    s->result.read[known ? at : s->result.nchannels] += each;
  }
}

static void count_traffic(StSim *s) {
  size_t n = (size_t)s->result.nchannels + 1;
  memset(s->result.read, 0, n * sizeof s->result.read[0]);
  memset(s->result.written, 0, n * sizeof s->result.written[0]);
  for (int i = 0; i < s->net->nprocesses; i++) {
    const StProcess *p = &s->net->process[i];
    bool load = p->kind == ST_PROC_LOAD;
    if (p->kind == ST_PROC_BUNDLE)
      count_bundle(s, p);
    if (!load && p->kind != ST_PROC_STORE)
      continue;
    if (load && p->op->operand[0]->memory == ST_MEM_ROM)
      continue;
    int channel = load ? p->op->u.load.channel : p->op->u.store.channel;
    int channels = load ? p->op->u.load.channels : p->op->u.store.channels;
    channels = channels > 1 ? channels : 1;
    if (channel < 0 || channel + channels > s->result.nchannels) {
      channel = s->result.nchannels;
      channels = 1;
    }
    int stream = load ? p->out[0].stream : p->in[0].stream;
    int64_t bytes = (p->beats * s->net->stream[stream].bits + 7) / 8;
    int64_t *count = load ? s->result.read : s->result.written;
    for (int c = 0; c < channels; c++)
      count[channel + c] += bytes * (c + 1) / channels - bytes * c / channels;
  }
}

/* Completion of the last store, or of anything if there is none. */
static int64_t find_end(const StSim *s) {
  int64_t stores = -1, all = 0;
  for (int i = 0; i < s->net->nprocesses; i++) {
    const StProcess *p = &s->net->process[i];
    if (!p->beats)
      continue;
    int64_t end = s->result.process[i].last + p->latency;
    all = end > all ? end : all;
    if (p->kind == ST_PROC_STORE)
      stores = end > stores ? end : stores;
  }
  return stores >= 0 ? stores : all;
}

/* Runs the timer; a thread's function. */
static void *run_cycles(void *arg) {
  StSim *s = arg;
  s->ended = st_timer_run(s->timer, s->unbounded ? s->no_limit : s->depth,
                          s->result.process, s->result.stream);
  return NULL;
}

/* What the timer's run says. */
static bool conclude(StSim *s) {
  StSimResult *r = &s->result;
  if (s->ended) {
    r->cycles = find_end(s);
    count_traffic(s);
    return true;
  }
  const int64_t *depth = s->unbounded ? s->no_limit : s->depth;
  st_arena_free(s->explanation);
  s->explanation = st_arena_new();
  r->deadlock = st_deadlock_explain(s->explanation, s->net, s->timer, depth);
  st_deadlock_report(s->net, r->deadlock, s->diag);
  return false;
}

/* True if the order got to the end. */
static bool run_values(StSim *s, StMemoryImage *image) {
  for (int i = 0; i < s->net->nstreams; i++) {
    int64_t need = s->unbounded ? s->result.stream[i].max_fill : s->depth[i];
    s->value_depth[i] = need > VALUE_DEPTH ? need : VALUE_DEPTH;
  }
  st_values_start(s->values, image);
  return st_order_run(s->order, s->value_depth, st_values_beats, s->values);
}

/* Cycles and values at the same time, where a thread is to be had; without
 * limits the values need to know first how far streams fill up. */
static bool run_both(StSim *s, StMemoryImage *image) {
  pthread_t thread;
  bool beside = !s->unbounded && !pthread_create(&thread, NULL, run_cycles, s);
  bool complete = beside && run_values(s, image);
  if (beside)
    pthread_join(thread, NULL);
  else
    run_cycles(s);
  if (!conclude(s))
    return false;
  complete = complete || (!beside && run_values(s, image));
  ST_CHECK(complete, "deeper FIFOs made a step stop");
  return true;
}

static bool make_values(StSim *s) {
  if (s->values)
    return true;
  s->values = st_values_new(s->arena, s->net, s->diag);
  for (int i = 0; i < s->net->nprocesses && s->values; i++)
    if (st_values_on_demand(s->values, i))
      st_order_leave_out(s->order, i);
  return s->values != NULL;
}

bool st_sim_step(StSim *sim, StMemoryImage *image, int64_t P, int64_t T,
                 const StSimResult **out) {
  *out = &sim->result;
  sim->result.deadlock = NULL;
  sim->result.cycles = -1;
  st_process_bind(sim->net, P, T);
  if (!check_streams(sim))
    return false;
  if (image) {
    return make_values(sim) && run_both(sim, image);
  }
  run_cycles(sim);
  return conclude(sim);
}
