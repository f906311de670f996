/* Random nets of processes (test/unit/sim_graph.h) as SystemVerilog: for each a
 * module that joins the flow modules of rtl/ as an emitter would, and what the
 * model that steps cycle by cycle says about it.
 *
 *   rtl_nets SEED COUNT TOP.sv EXPECT.txt
 *
 * EXPECT.txt: a line for each process: its beats and the cycle of each. */
#include "sim_graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BITS = 12 }; /* of loop counters and of windows */

static int loops_of(const StProcess *p) { return p->nloops ? p->nloops : 1; }

/* The condition under which the next beat moves a token over an end. */
static void write_condition(FILE *f, int id, const StProcess *p,
                            const StEnd *e) {
  fprintf(f, "1'b1");
  for (int l = 0; l < p->nloops; l++) {
    if (l >= e->level)
      fprintf(f, " & zero%d[%d]", id, l);
    if (e->last && e->last[l])
      fprintf(f, " & last%d[%d]", id, l);
  }
  if (e->guard_loop < 0)
    return;
  int64_t trip = p->trip[e->guard_loop], lo = e->lo.c, hi = e->hi.c;
  int at = e->guard_loop * BITS;
  if (lo >= hi) {
    fprintf(f, " & 1'b0");
    return;
  }
  if (lo > 0)
    fprintf(f, " & index%d[%d:%d] >= %d'd%" PRId64, id, at + BITS - 1, at, BITS,
            lo);
  if (hi < trip)
    fprintf(f, " & index%d[%d:%d] < %d'd%" PRId64, id, at + BITS - 1, at, BITS,
            hi);
}

static void write_loops(FILE *f, const StProcess *p) {
  int n = loops_of(p), id = p->id;
  fprintf(f, "\n  logic busy%d, go%d;\n", id, id);
  fprintf(f, "  logic [%d:0] index%d;\n", n * BITS - 1, id);
  fprintf(f, "  logic [%d:0] zero%d, last%d;\n", n - 1, id, id);
  fprintf(f, "  st_loops #(.N(%d), .WIDTH(%d)) loops%d (\n", n, BITS, id);
  fprintf(f, "      .clk, .rst, .start, .trip({");
  for (int l = n - 1; l >= 0; l--)
    fprintf(f, "%d'd%" PRId64 "%s", BITS, p->nloops ? p->trip[l] : 1,
            l ? ", " : "");
  fprintf(f,
          "}), .next(go%d),\n      .busy(busy%d), .index(index%d), "
          ".zero(zero%d), .last(last%d));\n",
          id, id, id, id, id);
}

/* A vector of one bit for each end, the first end's lowest. */
static void write_bits(FILE *f, const StProcess *p, bool in, const char *name) {
  int n = in ? p->nin : p->nout;
  const StEnd *end = in ? p->in : p->out;
  fprintf(f, "{");
  for (int k = n - 1; k >= 0; k--)
    if (name)
      fprintf(f, "%s%d%s", name, end[k].stream, k ? ", " : "");
    else {
      write_condition(f, p->id, p, &end[k]);
      fprintf(f, "%s", k ? ",\n      " : "");
    }
  fprintf(f, n ? "}" : "1'b0}");
}

static void write_issue(FILE *f, const StProcess *p) {
  int id = p->id;
  int nin = p->nin ? p->nin : 1, nout = p->nout ? p->nout : 1;
  const char *allow = p->kind == ST_PROC_FILL    ? "may_fill"
                      : p->kind == ST_PROC_DRAIN ? "may_drain"
                                                 : NULL;
  fprintf(f, "  logic [%d:0] need%d, pop_of%d;\n", nin - 1, id, id);
  fprintf(f, "  logic [%d:0] gives%d, take_of%d, push_of%d;\n", nout - 1, id,
          id, id);
  fprintf(f, "  logic [%d:0] v%d;\n", p->latency, id);
  fprintf(f, "  assign need%d = ", id);
  write_bits(f, p, true, NULL);
  fprintf(f, ";\n  assign gives%d = ", id);
  write_bits(f, p, false, NULL);
  fprintf(f, ";\n  st_issue #(.NIN(%d), .NOUT(%d), .II(%d), .LATENCY(%d)) ",
          nin, nout, p->ii, p->latency);
  fprintf(f, "issue%d (\n      .clk, .rst, .busy(busy%d), .need(need%d), ", id,
          id, id);
  if (allow)
    fprintf(f, ".allow(%s%d),\n      ", allow,
            p->kind == ST_PROC_FILL ? id : p->partner);
  else
    fprintf(f, ".allow(1'b1),\n      ");
  fprintf(f, ".valid(");
  write_bits(f, p, true, "valid");
  fprintf(f, "), .pop(pop_of%d), .gives(gives%d),\n      .credit(", id, id);
  write_bits(f, p, false, "credit");
  fprintf(
      f, "), .take(take_of%d), .push(push_of%d), .go(go%d),\n      .v(v%d));\n",
      id, id, id, id);
  for (int k = 0; k < p->nin; k++)
    fprintf(f, "  assign pop%d = pop_of%d[%d];\n", p->in[k].stream, id, k);
  for (int k = 0; k < p->nout; k++)
    fprintf(f,
            "  assign take%d = take_of%d[%d];\n"
            "  assign push%d = push_of%d[%d];\n",
            p->out[k].stream, id, k, p->out[k].stream, id, k);
  fprintf(f, "  assign go[%d] = go%d;\n", id, id);
}

/* "all of the loops inside a window are at their last iteration" */
static void write_window_end(FILE *f, const StProcess *p) {
  if (p->shared >= p->nloops)
    fprintf(f, "1'b1");
  else
    fprintf(f, "&last%d[%d:%d]", p->id, p->nloops - 1, p->shared);
}

static void write_window(FILE *f, const StProcessNet *net,
                         const StProcess *fill) {
  const StProcess *drain = &net->process[fill->partner];
  const StConverter *c = &fill->op->u.converter;
  int id = fill->id, d = drain->id;
  fprintf(f, "\n  logic may_fill%d, may_drain%d;\n", id, id);
  fprintf(f, "  logic [%d:0] need_beats%d;\n", BITS - 1, id);
  if (c->flow) {
    fprintf(f, "  st_flow #(.IN(%" PRId64 "), .OUT(%" PRId64 "), .WIDTH(%d)) ",
            net->stream[fill->in[0].stream].elements,
            net->stream[drain->out[0].stream].elements, BITS);
    fprintf(f, "flow%d (\n      .clk, .rst, .next(go%d), .restart(", id, d);
    write_window_end(f, drain);
    fprintf(f, "),\n      .all(%d'd%" PRId64 "), .need(need_beats%d));\n", BITS,
            fill->window, id);
  } else {
    fprintf(f, "  assign need_beats%d = %d'd%" PRId64 ";\n", id, BITS,
            fill->window);
  }
  fprintf(f, "  st_window #(.BANKS(%d), .LATENCY(%d), .WIDTH(%d)) window%d (\n",
          c->banks, net->buffer_latency, BITS, id);
  fprintf(f, "      .clk, .rst, .fill(go%d), .fill_last(", id);
  write_window_end(f, fill);
  fprintf(f, "), .drain(go%d), .drain_last(", d);
  write_window_end(f, drain);
  fprintf(f,
          "),\n      .need(need_beats%d), .may_fill(may_fill%d), "
          ".may_drain(may_drain%d));\n",
          id, id, id);
}

static void write_net(FILE *f, const StProcessNet *net, int number,
                      uint64_t *seed) {
  fprintf(f, "\nmodule net_%d (\n    input  logic clk, rst, start,\n", number);
  fprintf(f, "    output logic [%d:0] go,\n    output logic wrong\n);\n",
          net->nprocesses - 1);
  for (int i = 0; i < net->nstreams; i++)
    fprintf(f, "  logic take%d, credit%d, push%d, valid%d, pop%d, wrong%d;\n",
            i, i, i, i, i, i);
  for (int i = 0; i < net->nprocesses; i++)
    write_loops(f, &net->process[i]);
  for (int i = 0; i < net->nprocesses; i++)
    if (net->process[i].kind == ST_PROC_FILL)
      write_window(f, net, &net->process[i]);
  for (int i = 0; i < net->nprocesses; i++)
    write_issue(f, &net->process[i]);
  for (int i = 0; i < net->nstreams; i++) {
    const StStream *s = &net->stream[i];
    int style = s->fifo_latency == 1 ? (int)graph_random(seed, 3)
                                     : 3 + (int)graph_random(seed, 2);
    fprintf(f,
            "  net_stream #(.DEPTH(%" PRId64 "), .LAT(%d), .STYLE(%d)) "
            "stream%d (\n      .clk, .rst, .take(take%d), .credit(credit%d), "
            ".push(push%d),\n      .valid(valid%d), .pop(pop%d), "
            ".wrong(wrong%d));\n",
            s->depth, s->fifo_latency, style, i, i, i, i, i, i, i);
  }
  fprintf(f, "  assign wrong = 1'b0");
  for (int i = 0; i < net->nstreams; i++)
    fprintf(f, " | wrong%d", i);
  fprintf(f, ";\n  logic unused;\n  assign unused = &{1'b0");
  for (int i = 0; i < net->nprocesses; i++)
    fprintf(f, ", index%d, zero%d, last%d, v%d, pop_of%d, take_of%d, push_of%d",
            i, i, i, i, i, i, i);
  fprintf(f, "};\nendmodule\n");
}

static void write_expected(FILE *f, const StProcessNet *net, const Brute *b) {
  for (int i = 0; i < net->nprocesses; i++) {
    fprintf(f, "%" PRId64, b->beats[i]);
    for (int64_t k = 0; k < b->beats[i]; k++)
      fprintf(f, " %" PRId64, b->issue[i][k]);
    fprintf(f, "\n");
  }
}

static FILE *create(const char *path) {
  FILE *f = fopen(path, "w");
  if (!f) {
    perror(path);
    exit(1);
  }
  return f;
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: %s SEED COUNT TOP.sv EXPECT.txt\n", argv[0]);
    return 2;
  }
  uint64_t seed = strtoull(argv[1], NULL, 0);
  int count = atoi(argv[2]), total = 0;
  FILE *sv = create(argv[3]), *expect = create(argv[4]);
  StArena *a = st_arena_new();
  int *first = ST_NEW_N(a, int, (size_t)count + 1);
  for (int i = 0; i < count; i++) {
    GraphShape shape = {.nodes = 1 + (int)graph_random(&seed, 7),
                        .feedback = graph_random(&seed, 4) == 0,
                        .max_depth = 1 + (int)graph_random(&seed, 9),
                        .trip = graph_random(&seed, 2) ? 0 : 3};
    StProcessNet *net = graph_new(a, &seed, shape);
    int64_t *depth = ST_NEW_N(a, int64_t, (size_t)net->nstreams);
    for (int s = 0; s < net->nstreams; s++)
      depth[s] = net->stream[s].depth;
    Brute b = brute_run(a, net, depth);
    write_net(sv, net, i, &seed);
    write_expected(expect, net, &b);
    first[i] = total;
    total += net->nprocesses;
  }
  first[count] = total;
  fprintf(sv, "\npackage nets;\n  localparam int PROCESSES = %d;\n", total);
  fprintf(sv, "  localparam int COUNT = %d;\nendpackage\n", count);
  fprintf(sv, "\nmodule nets_top (\n    input  logic clk, rst, start,\n");
  fprintf(sv, "    output logic [nets::PROCESSES-1:0] go,\n");
  fprintf(sv, "    output logic [nets::COUNT-1:0] wrong\n);\n");
  for (int i = 0; i < count; i++)
    fprintf(sv,
            "  net_%d n%d (.clk, .rst, .start, .go(go[%d:%d]), "
            ".wrong(wrong[%d]));\n",
            i, i, first[i + 1] - 1, first[i], i);
  fprintf(sv, "endmodule\n");
  st_arena_free(a);
  return fclose(sv) || fclose(expect);
}
