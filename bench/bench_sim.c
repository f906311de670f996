/* How fast the simulator computes cycles: beats a second of a chain of
 * processes with the loops and ports of matrix-vector products, for several
 * depths. Usage: bench_sim [rows [columns]] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sim/time.h"

enum { STAGES = 24 };

typedef struct {
  StArena *a;
  ST_VEC(StProcess) process;
  ST_VEC(StStream) stream;
} Net;

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int add_process(Net *n, StProcessKind kind, int nloops,
                       const int64_t *trip, int nin, int nout) {
  StOp *op = ST_NEW(n->a, StOp);
  StLoop *loop = ST_NEW_N(n->a, StLoop, (size_t)nloops);
  for (int l = 0; l < nloops; l++)
    loop[l] = (StLoop){.dim = l, .trip = st_sym_const(trip[l]), .step = 1};
  StProcess p = {.id = n->process.n,
                 .kind = kind,
                 .op = op,
                 .ii = 1,
                 .latency = 12,
                 .nloops = nloops,
                 .loop = loop,
                 .nin = nin,
                 .nout = nout,
                 .partner = -1};
  p.trip = ST_NEW_N(n->a, int64_t, (size_t)nloops);
  p.in = ST_NEW_N(n->a, StEnd, (size_t)nin);
  p.out = ST_NEW_N(n->a, StEnd, (size_t)nout);
  for (int i = 0; i < nin + nout; i++) {
    StEnd *e = i < nin ? &p.in[i] : &p.out[i - nin];
    *e = (StEnd){.level = nloops,
                 .guard_loop = -1,
                 .cond = ST_NEW_N(n->a, StCond, (size_t)nloops)};
  }
  st_vec_push(n->a, &n->process, p);
  return p.id;
}

static void connect(Net *n, int producer, int consumer, int in) {
  StStream s = {.id = n->stream.n,
                .producer = producer,
                .consumer = consumer,
                .in = in,
                .fifo_latency = 1,
                .elements = 1};
  n->process.at[producer].out[0].stream = s.id;
  n->process.at[consumer].in[in].stream = s.id;
  st_vec_push(n->a, &n->stream, s);
}

/* source, then products whose rows are the next one's columns, then a sink;
 * each with a stream of weights. The vector passes once a token, `rows` tokens.
 */
static StProcessNet *make_net(StArena *a, int64_t rows, int64_t columns) {
  Net n = {.a = a};
  int64_t trip[2] = {rows, columns}, all = rows * columns;
  bool *last = ST_NEW_N(a, bool, 2);
  last[1] = true;
  int before = add_process(&n, ST_PROC_LOAD, 1, &rows, 0, 1);
  for (int i = 0; i < STAGES; i++) {
    int weights = add_process(&n, ST_PROC_LOAD, 1, &all, 0, 1);
    int k = add_process(&n, ST_PROC_KERNEL, 2, trip, 2, 1);
    n.process.at[k].in[0].level = 1;
    n.process.at[k].out[0].last = last;
    connect(&n, before, k, 0);
    connect(&n, weights, k, 1);
    before = k;
  }
  int sink = add_process(&n, ST_PROC_STORE, 1, &rows, 1, 0);
  connect(&n, before, sink, 0);
  StProcessNet *net = ST_NEW(a, StProcessNet);
  net->nprocesses = n.process.n;
  net->process = n.process.at;
  net->nstreams = n.stream.n;
  net->stream = n.stream.at;
  st_process_bind(net, 0, 1);
  return net;
}

int main(int argc, char **argv) {
  int64_t rows = argc > 1 ? atoll(argv[1]) : 2000;
  int64_t columns = argc > 2 ? atoll(argv[2]) : 16;
  StArena *a = st_arena_new();
  StProcessNet *net = make_net(a, rows, columns);
  StTimer *tm = st_timer_new(a, net);
  int64_t *depth = ST_NEW_N(a, int64_t, (size_t)net->nstreams);
  double beats = 0;
  for (int i = 0; i < net->nprocesses; i++)
    beats += (double)net->process[i].beats;
  static const int64_t depths[] = {1, 2, 4, 16, 64, 512, 0};
  for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++) {
    for (int i = 0; i < net->nstreams; i++)
      depth[i] = depths[d];
    int runs = 0;
    double start = seconds(), took = 0;
    for (; took < 0.5; took = seconds() - start, runs++)
      if (!st_timer_run(tm, depth, NULL, NULL))
        return 1;
    printf("depth %4lld%s: %6.1f M beats/s\n", (long long)depths[d],
           depths[d] ? "" : " (no limit)", beats * runs / took * 1e-6);
  }
  st_arena_free(a);
  return 0;
}
