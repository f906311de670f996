/* size-fifos: the depth and the memory of every stream (doc/fifo-sizing.md).
 *
 *   %3 : stream                      %3 : stream, depth 12, srl
 *
 * For every corner of the symbols P and T a schedule in which each beat is
 * issued as late as the earliest completion allows; the depths are what the
 * schedules need, and they are the certificate that `check` verifies. The
 * latency of a FIFO depends on what it is made of, which depends on its depth:
 * the sizing is repeated until no stream is made of something slower. */
#include "pass/pass.h"

#include <inttypes.h>
#include <string.h>

#include "analysis/process.h"
#include "base/str.h"
#include "solve/schedule.h"

enum { MAX_CORNERS = 5 };

typedef struct {
  int64_t P, T;
} Corner;

static int add_corner(Corner *list, int n, int64_t P, int64_t T) {
  for (int i = 0; i < n; i++)
    if (list[i].P == P && list[i].T == T)
      return n;
  list[n] = (Corner){P, T};
  return n + 1;
}

/* Least and largest P and T, and a context in between. */
static int find_corners(const StModule *m, Corner *list) {
  int n = 0;
  if (!m->ctx || !m->chunk)
    return add_corner(list, 0, 0, 1);
  n = add_corner(list, n, 0, 1);
  n = add_corner(list, n, m->ctx - 1, 1);
  n = add_corner(list, n, 0, m->chunk);
  n = add_corner(list, n, m->ctx - m->chunk, m->chunk);
  return add_corner(list, n, (m->ctx - 1) / 2, 1);
}

static bool size_corner(const StProcessNet *net, const StPassContext *ctx,
                        int64_t *depth, StStr *certificate) {
  StArena *a = st_arena_new();
  StSchedule *s = st_schedule_new(a, net, NULL);
  int stuck;
  bool ok = st_schedule_earliest(s, &stuck);
  if (ok) {
    st_schedule_latest(s);
    st_schedule_balance(s);
    st_schedule_depths(s, depth);
    st_schedule_print(certificate, s);
  } else {
    const StProcess *p = &net->process[stuck];
    st_error(ctx->diag, p->op->loc,
             "%s waits for its own results, however deep the streams are",
             st_process_name(a, p));
    st_note(ctx->diag, "in the step with P = %" PRId64 ", T = %" PRId64
                       "; a value is used before the operation that makes it",
            net->P, net->T);
  }
  st_arena_free(a);
  return ok;
}

/* Makes each stream of what suits its depth, but of nothing that is faster than
 * before. False: some stream is slower now than the schedules assumed. */
static bool choose_memories(StProcessNet *net, const StTarget *t,
                            const int64_t *depth, StMemory *memory) {
  bool settled = true;
  for (int i = 0; i < net->nstreams; i++) {
    StStream *x = &net->stream[i];
    StMemory mem = st_target_fifo_memory(t, x->bits, depth[i]);
    int latency = st_target_fifo_latency(t, mem);
    if (memory[i] != ST_MEM_AUTO && latency < x->fifo_latency)
      continue;
    settled = settled && latency <= x->fifo_latency;
    x->fifo_latency = latency;
    memory[i] = mem;
  }
  return settled;
}

static void decide(StModule *m, const StProcessNet *net, const int64_t *depth,
                   const StMemory *memory) {
  for (int i = 0; i < m->op.n; i++)
    for (int r = 0; r < m->op.at[i]->nresults; r++) {
      StValue *v = m->op.at[i]->result[r];
      int s = net->stream_of_value[v->id];
      if (s < 0)
        continue;
      v->depth = depth[s];
      v->memory = memory[s];
    }
}

bool st_pass_size_fifos(StModule *m, const StPassContext *ctx) {
  const StTarget *t = ctx->target;
  StArena *a = st_arena_new();
  StProcessNet *net = st_process_net(a, m, t->latency.fifo, t->latency.buffer);
  int64_t *depth = ST_NEW_N(a, int64_t, net->nstreams);
  StMemory *memory = ST_NEW_N(a, StMemory, net->nstreams);
  Corner corner[MAX_CORNERS];
  int ncorners = find_corners(m, corner);
  StStr text;
  st_str_init(&text);
  for (int i = 0; i < net->nstreams; i++)
    net->stream[i].fifo_latency = st_target_fifo_latency(t, ST_MEM_REG);
  bool ok = true, settled = false;
  while (ok && !settled) {
    st_str_clear(&text);
    st_str_printf(&text, "certificate 1\n");
    for (int i = 0; i < net->nstreams; i++)
      depth[i] = 1;
    for (int i = 0; i < ncorners && ok; i++) {
      st_process_bind(net, corner[i].P, corner[i].T);
      ok = size_corner(net, ctx, depth, &text);
    }
    settled = ok && choose_memories(net, t, depth, memory);
  }
  if (ok)
    decide(m, net, depth, memory);
  if (ok && ctx->certificate)
    st_str_append(ctx->certificate, text.data, text.len);
  st_str_free(&text);
  st_arena_free(a);
  return ok;
}
