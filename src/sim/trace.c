/* Every beat as the timer issues it: the cycles between it and the one before
 * are its own, then those until its last token came, then those until it had
 * room. */
#include "sim/trace.h"

#include "sim/time_state.h"

typedef struct {
  int64_t last;        /* issue time of the last beat */
  int64_t waited;      /* the timer's count of waits for input up to it */
  int bin[2];          /* where the last cycles were counted: busy, waits */
  int64_t from, beats; /* of the work that goes on */
} Track;

typedef struct {
  StTrace *trace;
  const StTimer *timer;
  Track *track;
  const StTraceSink *sink; /* NULL: none */
} Recorder;

/* Cycles from .. to - 1 into the bins; *bin is where the last call ended. */
static void spread(const StTrace *t, int64_t *to, int *bin, int64_t from,
                   int64_t until) {
  while (from < until) {
    int64_t end = (*bin + 1) * t->per_bin;
    while (end <= from && *bin + 1 < t->bins) {
      ++*bin;
      end += t->per_bin;
    }
    if (end > until || *bin + 1 == t->bins)
      end = until;
    to[*bin] += end - from;
    from = end;
  }
}

/* The input whose token came last, of those that this beat popped. */
static int blame_input(Recorder *r, int p, int64_t cycles) {
  const StTimeRunner *run = &r->timer->runner[p];
  const StProcess *process = run->walker.process;
  int64_t latest = INT64_MIN;
  int stream = -1;
  for (int e = 0; e < run->walker.nin; e++) {
    const StTimeChannel *c = run->in[run->walker.in[e]];
    int64_t came = c->issue[(c->popped - 1) & c->mask] + c->lag;
    if (came > latest) {
      latest = came;
      stream = process->in[run->walker.in[e]].stream;
    }
  }
  if (stream >= 0)
    r->trace->stream[stream].empty += cycles;
  else
    r->trace->process[p].partner += cycles;
  return stream;
}

/* The output whose slot was freed last, of those that this beat filled. */
static int blame_output(Recorder *r, int p, int64_t cycles) {
  const StTimeRunner *run = &r->timer->runner[p];
  const StProcess *process = run->walker.process;
  int64_t latest = INT64_MIN;
  int stream = -1;
  for (int e = 0; e < run->walker.nout; e++) {
    const StTimeChannel *c = run->out[run->walker.out[e]];
    int64_t left = c->pop[(c->pushed - 1 - c->depth) & c->mask];
    if (left > latest) {
      latest = left;
      stream = process->out[run->walker.out[e]].stream;
    }
  }
  if (stream >= 0)
    r->trace->stream[stream].full += cycles;
  else
    r->trace->process[p].partner += cycles;
  return stream;
}

/* Bits that this beat moves over the ends of the design. */
static int64_t bits_moved(const Recorder *r, int p) {
  const StWalker *w = &r->timer->runner[p].walker;
  const StProcess *process = w->process;
  const StStream *stream = r->trace->net->stream;
  int64_t bits = 0;
  if (process->kind == ST_PROC_STORE)
    return stream[process->in[0].stream].bits;
  for (int e = 0; e < w->nout; e++)
    bits += stream[process->out[w->out[e]].stream].bits;
  return bits;
}

/* The work of process p up to now. */
static void end_work(Recorder *r, int p) {
  Track *track = &r->track[p];
  int64_t until = track->last + r->timer->runner[p].walker.process->ii;
  if (track->beats)
    r->sink->span(r->sink->user, &(StTraceSpan){.process = p,
                                                .state = ST_TRACE_WORK,
                                                .stream = -1,
                                                .from = track->from,
                                                .to = until,
                                                .beats = track->beats});
  track->beats = 0;
}

static void put_wait(Recorder *r, int p, StTraceState state, int stream,
                     int64_t from, int64_t cycles) {
  if (!r->sink || cycles < r->sink->grain)
    return;
  end_work(r, p);
  r->sink->span(r->sink->user, &(StTraceSpan){.process = p,
                                              .state = state,
                                              .stream = stream,
                                              .from = from,
                                              .to = from + cycles});
}

static void record(void *user, int p, int64_t beat, int64_t issue) {
  Recorder *r = user;
  StTrace *t = r->trace;
  StProcessTrace *to = &t->process[p];
  Track *track = &r->track[p];
  const StTimeRunner *run = &r->timer->runner[p];
  const int ii = run->walker.process->ii;
  int64_t start = track->last + ii;
  int64_t input = run->wait_input - track->waited;
  int64_t output = issue - start - input;
  if (input) {
    spread(t, to->input, &track->bin[1], start, start + input);
    int stream = blame_input(r, p, beat ? input : 0);
    put_wait(r, p, ST_TRACE_INPUT, stream, start, input);
  }
  if (output) {
    spread(t, to->output, &track->bin[1], start + input, issue);
    int stream = blame_output(r, p, beat ? output : 0);
    put_wait(r, p, ST_TRACE_OUTPUT, stream, start + input, output);
  }
  spread(t, to->busy, &track->bin[0], issue, issue + ii);
  if (to->moved) {
    int64_t bin = issue / t->per_bin;
    to->moved[bin < t->bins ? bin : t->bins - 1] += bits_moved(r, p);
  }
  if (!track->beats++)
    track->from = issue;
  track->last = issue;
  track->waited = run->wait_input;
}

static bool has_port(const StProcess *p) {
  if (p->kind == ST_PROC_LOAD)
    return p->op->operand[0]->memory != ST_MEM_ROM;
  return p->kind == ST_PROC_BUNDLE || p->kind == ST_PROC_STORE;
}

static StTrace *make_trace(StArena *a, const StProcessNet *net,
                           const StSimResult *result, int bins) {
  StTrace *t = ST_NEW(a, StTrace);
  *t = (StTrace){.net = net,
                 .cycles = result->cycles,
                 .bins = bins,
                 .per_bin = result->cycles / bins + 1,
                 .process = ST_NEW_N(a, StProcessTrace, net->nprocesses),
                 .stream = ST_NEW_N(a, StStreamTrace, net->nstreams),
                 .result = result};
  for (int i = 0; i < net->nprocesses; i++)
    t->process[i] = (StProcessTrace){.busy = ST_NEW_N(a, int64_t, bins),
                                     .input = ST_NEW_N(a, int64_t, bins),
                                     .output = ST_NEW_N(a, int64_t, bins),
                                     .moved = has_port(&net->process[i])
                                                  ? ST_NEW_N(a, int64_t, bins)
                                                  : NULL};
  return t;
}

const StTrace *st_trace_step(StArena *a, StSim *sim, int64_t P, int64_t T,
                             int bins, const StTraceSink *sink) {
  const StSimResult *result;
  if (!st_sim_step(sim, NULL, P, T, &result))
    return NULL;
  const StProcessNet *net = st_sim_net(sim);
  StArena *scratch = st_arena_new();
  Recorder r = {.trace = make_trace(a, net, result, bins),
                .sink = sink,
                .track = ST_NEW_N(scratch, Track, net->nprocesses)};
  StTimer *timer = st_timer_new(scratch, net);
  int64_t *depth = ST_NEW_N(scratch, int64_t, net->nstreams);
  for (int i = 0; i < net->nstreams; i++)
    depth[i] = net->stream[i].depth;
  for (int i = 0; i < net->nprocesses; i++)
    r.track[i].last = -net->process[i].ii;
  r.timer = timer;
  st_timer_set_hook(timer, record, &r);
  bool ended = st_timer_run(timer, depth, NULL, NULL);
  ST_CHECK(ended, "a step stopped that had come to its end");
  for (int i = 0; i < net->nprocesses && sink; i++)
    end_work(&r, i);
  st_arena_free(scratch);
  return r.trace;
}

static void channels_of(const StOp *op, int *first, int *n) {
  bool load = op->kind == ST_OP_LOAD, store = op->kind == ST_OP_STORE;
  *first = load    ? op->u.load.channel
           : store ? op->u.store.channel
                   : op->u.bundle.channel;
  *n = load    ? op->u.load.channels
       : store ? op->u.store.channels
               : op->u.bundle.channels;
  *n = *n > 1 ? *n : 1;
}

void st_trace_channels(const StTrace *t, int64_t *bits) {
  int all = t->result->nchannels;
  for (int p = 0; p < t->net->nprocesses; p++) {
    const int64_t *moved = t->process[p].moved;
    if (!moved)
      continue;
    int first, n;
    channels_of(t->net->process[p].op, &first, &n);
    if (first < 0 || first + n > all) {
      first = all;
      n = 1;
    }
    for (int c = 0; c < n; c++)
      for (int b = 0; b < t->bins; b++)
        bits[(first + c) * t->bins + b] +=
            moved[b] * (c + 1) / n - moved[b] * c / n;
  }
}
