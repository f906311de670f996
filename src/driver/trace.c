/* A step's spans and bins as trace events: processes are threads of "kernels",
 * memory channels counters. */
#include "driver/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "driver/report.h"
#include "sim/trace.h"

enum {
  BINS = 128,  /* of memory, a step */
  GRAIN = 256, /* of a step: shorter waits are not told apart */
  STEPS = 1,   /* pid */
  KERNELS,
  MEMORY
};

typedef struct {
  StWriter *w;
  StArena *arena;
  const StBuild *build;
  const StProcessNet *net;
  double at; /* cycles before this step */
  bool ok;
  StStr line;
} Out;

static double microseconds(const Out *o, double cycles) {
  return cycles / o->build->target->clock_mhz;
}

/* Ends an event that was begun in o->line. */
static void put(Out *o) {
  o->ok = o->ok && st_writer_put(o->w, o->line.data, o->line.len);
  st_str_clear(&o->line);
}

/* As a JSON string. */
static char *quote(StArena *a, const char *s) {
  json_t *v = json_stringn_nocheck(s, strlen(s));
  char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
  char *kept = st_arena_printf(a, "%s", text ? text : "\"?\"");
  free(text);
  json_decref(v);
  return kept;
}

static void put_name(Out *o, const char *what, int pid, int tid,
                     const char *name) {
  st_str_printf(&o->line,
                ",\n{\"ph\":\"M\",\"name\":\"%s\",\"pid\":%d,\"tid\":%d,"
                "\"args\":{\"name\":%s}}",
                what, pid, tid, quote(o->arena, name));
  put(o);
}

/* ---- processes ---------------------------------------------------------- */

static void put_span(void *user, const StTraceSpan *s) {
  Out *o = user;
  const StProcess *p = &o->net->process[s->process];
  const StStream *on = s->stream >= 0 ? &o->net->stream[s->stream] : NULL;
  const char *name = s->state == ST_TRACE_WORK    ? "works"
                     : s->state == ST_TRACE_INPUT ? "waits for a token"
                                                  : "waits for room";
  st_str_printf(&o->line,
                ",\n{\"ph\":\"X\",\"name\":\"%s\",\"pid\":%d,\"tid\":%d,"
                "\"ts\":%.4f,\"dur\":%.4f,\"args\":{",
                name, KERNELS, s->process + 1,
                microseconds(o, o->at + (double)s->from),
                microseconds(o, (double)(s->to - s->from)));
  if (s->state == ST_TRACE_WORK)
    st_str_printf(&o->line, "\"beats\":%lld,\"cycles\":%lld}}",
                  (long long)s->beats, (long long)(s->to - s->from));
  else if (on)
    st_str_printf(
        &o->line, "\"stream\":\"%%%d\",\"process\":%d}}", on->value->id,
        (s->state == ST_TRACE_INPUT ? on->producer : on->consumer) + 1);
  else
    st_str_printf(&o->line, "\"process\":%d}}", p->partner + 1);
  put(o);
}

static void put_threads(Out *o) {
  for (int i = 0; i < o->net->nprocesses; i++) {
    const StProcess *p = &o->net->process[i];
    const char *name = st_process_name(o->arena, p);
    if (p->kind == ST_PROC_KERNEL) {
      StStr label;
      st_str_init(&label);
      st_report_label(&label, p->op);
      name = st_arena_printf(o->arena, "kernel %d: %s", p->op->id, label.data);
      st_str_free(&label);
    }
    put_name(o, "thread_name", KERNELS, i + 1, name);
    st_str_printf(&o->line,
                  ",\n{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":%d,"
                  "\"tid\":%d,\"args\":{\"sort_index\":%d}}",
                  KERNELS, i + 1, i + 1);
    put(o);
  }
}

/* ---- memory ------------------------------------------------------------- */

static void put_counter(Out *o, const char *name, double cycle, double value) {
  st_str_printf(&o->line,
                ",\n{\"ph\":\"C\",\"name\":\"%s\",\"pid\":%d,\"ts\":%.4f,"
                "\"args\":{\"GB/s\":%.3f}}",
                name, MEMORY, microseconds(o, o->at + cycle), value);
  put(o);
}

/* Where it changes, and 0 at the end of the step. */
static void put_counters(Out *o, const char *name, const StTrace *t,
                         const int64_t *bits) {
  double gbps = o->build->target->clock_mhz / 8e3 / (double)t->per_bin;
  for (int b = 0; b < t->bins; b++)
    if (b ? bits[b] != bits[b - 1] : bits[b] != 0)
      put_counter(o, name, (double)(b * t->per_bin), (double)bits[b] * gbps);
  if (bits[t->bins - 1])
    put_counter(o, name, (double)t->cycles, 0);
}

static void put_memory(Out *o, const StTrace *t) {
  int n = t->result->nchannels;
  StArena *a = st_arena_new();
  int64_t *all = ST_NEW_N(a, int64_t, t->bins);
  int64_t *bits = ST_NEW_N(a, int64_t, (n + 1) * t->bins);
  st_trace_channels(t, bits);
  for (int c = 0; c <= n; c++)
    for (int b = 0; b < t->bins; b++)
      all[b] += bits[c * t->bins + b];
  put_counters(o, "all channels", t, all);
  for (int c = 0; c < n; c++)
    put_counters(o, st_arena_printf(a, "channel %d", c), t, bits + c * t->bins);
  st_arena_free(a);
}

/* ---- all of it ---------------------------------------------------------- */

static bool put_step(Out *o, StSim *sim, StTraceStep step, int number) {
  const StSimResult *r;
  if (!st_sim_step(sim, NULL, step.P, step.T, &r))
    return false;
  StArena *a = st_arena_new();
  const StTraceSink sink = {r->cycles / GRAIN + 1, put_span, o};
  const StTrace *t = st_trace_step(a, sim, step.P, step.T, BINS, &sink);
  if (t) {
    st_str_printf(&o->line,
                  ",\n{\"ph\":\"X\",\"name\":\"step %d\",\"pid\":%d,"
                  "\"tid\":1,\"ts\":%.4f,\"dur\":%.4f,\"args\":{\"P\":%lld,"
                  "\"T\":%lld,\"cycles\":%lld}}",
                  number, STEPS, microseconds(o, o->at),
                  microseconds(o, (double)t->cycles), (long long)step.P,
                  (long long)step.T, (long long)t->cycles);
    put(o);
    put_memory(o, t);
    o->at += (double)t->cycles;
  }
  st_arena_free(a);
  return t != NULL;
}

static bool put_steps(Out *o, StSim *sim, const StTraceStep *step, int n) {
  const StBuild *b = o->build;
  st_str_printf(&o->line,
                "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"target\":%s,"
                "\"clock_mhz\":%g},\"traceEvents\":[\n"
                "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%d,\"tid\":0,"
                "\"args\":{\"name\":%s}}",
                quote(o->arena, b->target->name), b->target->clock_mhz, STEPS,
                quote(o->arena, b->module->name ? b->module->name : "steps"));
  put(o);
  put_name(o, "process_name", KERNELS, 0, "kernels");
  put_name(o, "process_name", MEMORY, 0, "memory");
  put_name(o, "thread_name", STEPS, 1, "steps");
  put_threads(o);
  bool ok = true;
  for (int i = 0; ok && o->ok && i < n; i++)
    ok = put_step(o, sim, step[i], i);
  st_str_printf(&o->line, "\n]}\n");
  put(o);
  return ok && o->ok;
}

bool st_trace_write(const StBuild *b, const StTraceStep *step, int n,
                    const char *path, StDiag *diag) {
  StSim *sim = st_sim_new(b->module, b->target, diag);
  if (!sim)
    return false;
  Out o = {.w = st_writer_open(path, diag),
           .arena = st_arena_new(),
           .build = b,
           .net = st_sim_net(sim),
           .ok = true};
  st_str_init(&o.line);
  bool ok = o.w && put_steps(&o, sim, step, n);
  if (ok)
    ok = st_writer_commit(o.w);
  else if (o.w)
    st_writer_abort(o.w);
  st_str_free(&o.line);
  st_arena_free(o.arena);
  st_sim_free(sim);
  return ok;
}
