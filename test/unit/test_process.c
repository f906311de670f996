/* The net of processes of a module, and the walker over beats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/port.h"
#include "analysis/process.h"
#include "ir/itensor.h"
#include "pass/convert.h"
#include "sim_graph.h"
#include "sim_module.h"

static const int fifo_latency[ST_MEM_COUNT] = {1, 1, 1, 1, 3, 4, 3, 9};

/* The walker against the definition of the ends, beat by beat. */
static bool end_moves(const StProcess *p, const StEnd *e, int64_t beat) {
  int64_t rest = beat;
  for (int l = p->nloops - 1; l >= 0; l--) {
    int64_t i = rest % p->trip[l];
    rest /= p->trip[l];
    if (l >= e->level && i)
      return false;
    if (e->last && e->last[l] && i != p->trip[l] - 1)
      return false;
    if (l == e->guard_loop && (i < e->lo.c || i >= e->hi.c))
      return false;
  }
  return true;
}

static void check_walker(StArena *a, const StProcess *p, uint64_t *seed) {
  StWalker w = st_walker_new(a, p);
  int64_t *in = ST_NEW_N(a, int64_t, (size_t)p->nin);
  int64_t *out = ST_NEW_N(a, int64_t, (size_t)p->nout);
  st_walker_start(&w);
  while (w.run) {
    int64_t k = 1 + graph_random(seed, (uint32_t)w.run);
    for (int64_t n = w.beat; n < w.beat + w.run; n++) {
      int i = 0, o = 0;
      for (int e = 0; e < p->nin; e++)
        if (end_moves(p, &p->in[e], n))
          assert_true(i < w.nin && w.in[i++] == e);
      for (int e = 0; e < p->nout; e++)
        if (end_moves(p, &p->out[e], n))
          assert_true(o < w.nout && w.out[o++] == e);
      assert_int_equal(i, w.nin);
      assert_int_equal(o, w.nout);
    }
    if (p->partner >= 0)
      assert_int_equal(w.beat / p->window, (w.beat + w.run - 1) / p->window);
    for (int e = 0; e < w.nin; e++)
      in[w.in[e]] += k;
    for (int e = 0; e < w.nout; e++)
      out[w.out[e]] += k;
    st_walker_advance(&w, k);
  }
  assert_int_equal(w.beat, p->beats);
  for (int e = 0; e < p->nin; e++)
    assert_int_equal(in[e], p->in[e].tokens);
  for (int e = 0; e < p->nout; e++)
    assert_int_equal(out[e], p->out[e].tokens);
}

static void test_walker(void **state) {
  (void)state;
  for (uint64_t n = 0; n < 2000; n++) {
    StArena *a = st_arena_new();
    uint64_t seed = n;
    GraphShape shape = {.nodes = 3, .max_depth = 2};
    StProcessNet *net = graph_new(a, &seed, shape);
    for (int i = 0; i < net->nprocesses; i++)
      check_walker(a, &net->process[i], &seed);
    st_arena_free(a);
  }
}

/* Kernels: an input moves when the loops from its level inward are at 0 and its
 * guard holds, an output when the reduction loops are at their last iteration;
 * as many tokens leave a stream as enter it. */
static void test_kernels(void **state) {
  (void)state;
  for (uint64_t n = 0; n < 600; n++) {
    uint64_t seed = n * 13 + 5;
    StModule *m = st_module_new("m");
    const StOp *op = module_random_kernel(m, &seed, 1 + (int)(n % 3), n % 2);
    module_decide(m, 4, 7);
    StProcessNet *net = st_process_net(m->arena, m, fifo_latency, 2);
    st_process_bind(net, 0, 1);
    assert_int_equal(net->nprocesses, op->noperands + 1 + op->nresults);
    assert_int_equal(net->nstreams, op->noperands + op->nresults);
    for (int i = 0; i < net->nstreams; i++) {
      const StStream *s = &net->stream[i];
      const StProcess *from = &net->process[s->producer];
      const StProcess *to = &net->process[s->consumer];
      assert_int_equal(from->out[s->out].stream, i);
      assert_int_equal(to->in[s->in].stream, i);
      assert_int_equal(from->out[s->out].tokens, to->in[s->in].tokens);
      assert_int_equal(from->out[s->out].tokens,
                       st_itensor_tokens(s->value->type.order, 0, 1));
      assert_int_equal(s->bits, 32 * st_itensor_token(s->value->type.order));
      assert_int_equal(s->depth, 4);
      assert_int_equal(s->fifo_latency, 1);
    }
    for (int i = 0; i < net->nprocesses; i++)
      check_walker(m->arena, &net->process[i], &seed);
    st_module_free(m);
  }
}

static void test_converter(void **state) {
  (void)state;
  StModule *m = st_module_new("m");
  const StSym shape[] = {st_sym_const(8), st_sym_const(8)};
  int64_t in_elem[] = {4, 2}, want_elem[] = {4, 2};
  StSym origin[2] = {{0}};
  StLoop in_loop[] = {{1, st_sym_const(4), 2}, {0, st_sym_const(2), 4}};
  StLoop want_loop[] = {{1, st_sym_const(4), 2},
                        {-1, st_sym_const(2), 0},
                        {0, st_sym_const(2), 4}};
  StItensor in = {2, in_elem, origin, 2, in_loop};
  StItensor want = {2, want_elem, origin, 3, want_loop};
  StValue *x = module_load(m, module_arg(m, ST_F32, 2, shape), &in);
  StOp *op = st_converter_new(m, x, &want);
  st_op_append(m, op);
  module_store(m, op->result[0]);
  module_decide(m, 4, 7);
  StProcessNet *net = st_process_net(m->arena, m, fifo_latency, 2);
  st_process_bind(net, 0, 1);
  assert_int_equal(net->nprocesses, 4);
  assert_int_equal(net->nstreams, 2);
  const StProcess *fill = &net->process[1], *drain = &net->process[2];
  assert_int_equal(fill->kind, ST_PROC_FILL);
  assert_int_equal(drain->kind, ST_PROC_DRAIN);
  assert_int_equal(fill->partner, 2);
  assert_int_equal(drain->partner, 1);
  assert_int_equal(fill->windows, 4);
  assert_int_equal(fill->window, 2);
  assert_int_equal(drain->windows, 4);
  assert_int_equal(drain->window, 4);
  int64_t flow = op->u.converter.flow;
  assert_int_equal(st_process_drain_need(net, drain, 0), flow ? 1 : 2);
  assert_int_equal(st_process_drain_need(net, drain, 3), 2);
  st_module_free(m);
}

/* Extents that depend on P and T: bound again for every step. */
static void test_bind(void **state) {
  (void)state;
  StModule *m = st_module_new("m");
  m->ctx = 16;
  m->chunk = 4;
  const StSym shape[] = {{0, 0, 1}, {0, 1, 1}};
  int64_t elem[] = {1, 1};
  StSym origin[2] = {{0}};
  StLoop loop[] = {{0, shape[0], 1}, {1, shape[1], 1}};
  StItensor order = {2, elem, origin, 2, loop};
  StValue *x = module_load(m, module_arg(m, ST_F32, 2, shape), &order);
  module_store(m, x);
  module_decide(m, 4, 7);
  StProcessNet *net = st_process_net(m->arena, m, fifo_latency, 2);
  for (int64_t P = 0; P < 4; P++)
    for (int64_t T = 1; T < 4; T++) {
      st_process_bind(net, P, T);
      for (int i = 0; i < 2; i++)
        assert_int_equal(net->process[i].beats, T * (P + T));
      assert_int_equal(net->process[0].out[0].tokens, T * (P + T));
    }
  st_module_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_walker),
      cmocka_unit_test(test_kernels),
      cmocka_unit_test(test_converter),
      cmocka_unit_test(test_bind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
