/* Traces of random graphs against the statistics of the same step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pass/pass.h"
#include "sim/trace.h"
#include "size_module.h"

static int64_t sum(const int64_t *v, int n) {
  int64_t all = 0;
  for (int i = 0; v && i < n; i++)
    all += v[i];
  return all;
}

static int64_t blamed(const StTrace *t, int p) {
  const StProcess *process = &t->net->process[p];
  int64_t all = t->process[p].partner;
  for (int e = 0; e < process->nin; e++)
    all += t->stream[process->in[e].stream].empty;
  for (int e = 0; e < process->nout; e++)
    all += t->stream[process->out[e].stream].full;
  return all;
}

/* Of a process: how far its spans have come, and what they add up to. */
typedef struct {
  int64_t at, beats, wait;
} Spans;

static void take_span(void *user, const StTraceSpan *s) {
  Spans *of = &((Spans *)user)[s->process];
  assert_int_equal(s->from, of->at);
  assert_true(s->to > s->from);
  of->at = s->to;
  of->beats += s->beats;
  of->wait += s->state == ST_TRACE_WORK ? 0 : s->to - s->from;
}

/* With a grain of 1 spans are the beats and waits, without a gap. */
static void check_spans(const StTrace *t, const Spans *spans) {
  for (int p = 0; p < t->net->nprocesses; p++) {
    const StProcessStats *stats = &t->result->process[p];
    int64_t end = stats->last + t->net->process[p].ii;
    assert_int_equal(spans[p].beats, stats->beats);
    assert_int_equal(spans[p].wait, stats->wait_input + stats->wait_output);
    assert_int_equal(spans[p].at, stats->beats ? end : 0);
  }
}

static void check_process(const StTrace *t, int p) {
  const StProcess *process = &t->net->process[p];
  const StProcessStats *stats = &t->result->process[p];
  const StProcessTrace *trace = &t->process[p];
  assert_int_equal(sum(trace->busy, t->bins), stats->beats * process->ii);
  assert_int_equal(sum(trace->input, t->bins), stats->wait_input);
  assert_int_equal(sum(trace->output, t->bins), stats->wait_output);
  int64_t first = stats->beats ? stats->first : 0;
  assert_int_equal(blamed(t, p) + first,
                   stats->wait_input + stats->wait_output);
  for (int b = 0; stats->beats && b < t->bins; b++) {
    int64_t all = trace->busy[b] + trace->input[b] + trace->output[b];
    int64_t end = stats->last + process->ii, from = b * t->per_bin;
    int64_t here = end - from < t->per_bin ? end - from : t->per_bin;
    if (b + 1 < t->bins)
      assert_int_equal(all, here > 0 ? here : 0);
  }
}

/* What moves to and from memory is what the step counts, but for the rounding
 * to bytes. */
static void check_traffic(const StTrace *t) {
  int64_t bits = 0, bytes = sum(t->result->read, t->result->nchannels + 1) +
                            sum(t->result->written, t->result->nchannels + 1);
  for (int p = 0; p < t->net->nprocesses; p++)
    bits += sum(t->process[p].moved, t->bins);
  assert_true(bits <= 8 * bytes);
  assert_true(8 * bytes < bits + 8 * 64 * t->net->nprocesses);
}

static void test_trace(void **state) {
  StDiag *diag = st_diag_new(NULL);
  StArena *a = st_arena_new();
  int traced = 0, full = 0;
  (void)state;
  const StTarget *target = st_target_load(a, "u55c", diag);
  assert_non_null(target);
  for (uint64_t n = 0; n < 60; n++) {
    uint64_t seed = n * 911 + 3;
    SizeShape shape = {
        .ops = 2 + (int)(n % 9), .symbols = n % 4 == 3, .repeat = n % 2 == 0};
    StModule *m = size_random_module(&seed, shape, diag);
    StPassContext ctx = {.target = target, .diag = diag};
    assert_true(m && st_pass_size_fifos(m, &ctx));
    for (int i = 0; i < m->op.n && n % 3; i++)
      for (int r = 0; r < m->op.at[i]->nresults; r++) {
        int64_t *depth = &m->op.at[i]->result[r]->depth;
        *depth -= *depth / 3;
      }
    StSim *sim = st_sim_new(m, target, diag);
    int T = m->chunk ? (int)m->chunk : 1;
    Spans *spans = ST_NEW_N(a, Spans, st_sim_net(sim)->nprocesses);
    StTraceSink sink = {1, take_span, spans};
    const StTrace *t =
        st_trace_step(a, sim, m->ctx ? m->ctx - T : 0, T, 7, &sink);
    traced += t != NULL; /* less depth may be a deadlock */
    for (int p = 0; t && p < t->net->nprocesses; p++) {
      check_process(t, p);
      full += t->result->process[p].wait_output > 0;
    }
    if (t) {
      check_traffic(t);
      check_spans(t, spans);
    }
    st_sim_free(sim);
    st_module_free(m);
  }
  print_message("%d steps, %d processes that waited for room\n", traced, full);
  assert_true(traced > 40);
  assert_true(full > 100);
  st_arena_free(a);
  st_diag_free(diag);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_trace)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
