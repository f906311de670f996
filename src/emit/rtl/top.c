/* The top: streams, processes, the control block; and its ports for the program
 * around it. */
#include <inttypes.h>
#include <string.h>

#include "emit/hls/text.h"
#include "emit/rtl/text.h"

static const char *stream_name(const StRtlPlan *p, int s) {
  return st_hls_stream_name(p->layout, p->net->stream[s].value);
}

/* ---- streams
 * ----------------------------------------------------------------- */

static int style(StMemory m) {
  static const int of[ST_MEM_COUNT] = {[ST_MEM_SRL] = 1,
                                       [ST_MEM_LUTRAM] = 2,
                                       [ST_MEM_BRAM] = 3,
                                       [ST_MEM_URAM] = 4};
  return of[m];
}

static void put_stream(StRtlText *x, int i) {
  const StStream *s = &x->plan->net->stream[i];
  const char *n = stream_name(x->plan, i);
  st_str_printf(&x->body,
                "\n  logic %s_take, %s_credit, %s_push, %s_valid, %s_pop;\n"
                "  logic %s%s_d, %s_q;\n",
                n, n, n, n, n, st_rtl_range(x->a, s->bits), n, n);
  st_str_printf(&x->body,
                "  st_fifo #(.WIDTH(%" PRId64 "), .DEPTH(%" PRId64
                "), .LAT(%d), .STYLE(%d)) %s (\n"
                "      .clk, .rst, .take(%s_take), .credit(%s_credit), "
                ".push(%s_push),\n      .d(%s_d), .valid(%s_valid), "
                ".pop(%s_pop), .q(%s_q));\n",
                s->bits, s->depth, s->fifo_latency, style(s->value->memory), n,
                n, n, n, n, n, n, n);
}

/* ---- processes
 * --------------------------------------------------------------- */

static void connect_in(StRtlText *x, const char *port, const char *s) {
  st_str_printf(&x->body,
                ",\n      .%s_valid(%s_valid), .%s_pop(%s_pop), .%s(%s_q)",
                port, s, port, s, port, s);
}

static void connect_out(StRtlText *x, const char *port, const char *s) {
  st_str_printf(&x->body,
                ",\n      .%s_credit(%s_credit), .%s_take(%s_take), "
                ".%s_push(%s_push), .%s(%s_d)",
                port, s, port, s, port, s, port, s);
}

/* Connects memory's ports of a unit to ports of the top. */
static void connect_memory(StRtlText *x, const StRtlUnit *u) {
  const StHlsPlan *l = x->plan->layout;
  for (int i = 0; i < l->port.n; i++) {
    const StHlsPort *port = &l->port.at[i];
    if (port->op != u->op)
      continue;
    bool writes = u->op->kind == ST_OP_STORE;
    const char *verb = writes ? "write" : "request", *n = port->name;
    const char *tail = u->op->kind == ST_OP_BUNDLE
                           ? st_arena_printf(x->a, "%d", port->operand)
                           : "";
    st_rtl_port(x, "output", 1, st_arena_printf(x->a, "%s_%s", n, verb));
    st_rtl_port(x, "output", st_rtl_address_bits(x->plan, port),
                st_arena_printf(x->a, "%s_at", n));
    st_rtl_port(x, writes ? "output" : "input", st_rtl_port_bits(port),
                st_arena_printf(x->a, "%s_data", n));
    st_str_printf(&x->body,
                  ",\n      .%s%s(%s_%s), .at%s(%s_at), .data%s(%s_data)", verb,
                  tail, n, verb, tail, n, tail, n);
  }
}

static void put_unit(StRtlText *x, const StRtlUnit *u, int number) {
  const StRtlPlan *p = x->plan;
  st_str_printf(&x->body, "\n  %s %s (\n      .clk, .rst, .start(run)", u->name,
                st_arena_printf(x->a, "u_%s", u->name));
  for (int i = 0; i < u->sum.n; i++) {
    const char *n = st_rtl_sum_name(x->a, u->sum.at[i]);
    st_str_printf(&x->body, ", .%s", n);
  }
  const StProcess *q = u->process;
  for (int k = 0; k < q->nin; k++)
    connect_in(x, st_arena_printf(x->a, "in%d", q->in[k].port),
               stream_name(p, q->in[k].stream));
  q = q->kind == ST_PROC_FILL ? q + 1 : q;
  for (int k = 0; k < q->nout; k++)
    connect_out(x, st_arena_printf(x->a, "out%d", q->out[k].port),
                stream_name(p, q->out[k].stream));
  connect_memory(x, u);
  st_str_printf(&x->body, ",\n      .busy(busy_of[%d]), .go(go_of[%d])", number,
                number);
  if (u->op->kind == ST_OP_STORE)
    st_str_printf(&x->body, ", .storing(storing[%d])", number);
  st_str_printf(&x->body, ");\n");
  if (u->op->kind != ST_OP_STORE)
    st_str_printf(&x->body, "  assign storing[%d] = 1'b0;\n", number);
}

/* "{s3_x, s2_x}", the first output lowest. */
static void put_list(StRtlText *x, const StProcess *q, const char *tail) {
  st_str_printf(&x->body, "{");
  for (int k = q->nout; k-- > 0;)
    st_str_printf(&x->body, "%s_%s%s", stream_name(x->plan, q->out[k].stream),
                  tail, k ? ", " : "}");
}

static void put_fork(StRtlText *x, const StRtlUnit *u, int number) {
  const StProcess *q = u->process;
  const char *in = stream_name(x->plan, q->in[0].stream);
  int64_t bits = x->plan->net->stream[q->in[0].stream].bits;
  st_str_printf(&x->body,
                "\n  logic %s%s_q;\n"
                "  st_fork #(.WIDTH(%" PRId64 "), .OUTS(%d), .LATENCY(%d)) "
                "u_%s (\n      .clk, .rst, .valid(%s_valid), .pop(%s_pop), "
                ".d(%s_q),\n      .credit(",
                st_rtl_range(x->a, bits), u->name, bits, q->nout, q->latency,
                u->name, in, in, in);
  put_list(x, q, "credit");
  st_str_printf(&x->body, "),\n      .take(");
  put_list(x, q, "take");
  st_str_printf(&x->body, "),\n      .push(");
  put_list(x, q, "push");
  st_str_printf(&x->body, "), .q(%s_q));\n", u->name);
  for (int k = 0; k < q->nout; k++)
    st_str_printf(&x->body, "  assign %s_d = %s_q;\n",
                  stream_name(x->plan, q->out[k].stream), u->name);
  st_str_printf(&x->body,
                "  assign busy_of[%d] = 1'b0;\n"
                "  assign go_of[%d] = %s_pop;\n  assign storing[%d] = 1'b0;\n",
                number, number, in, number);
}

/* ---- control
 * ----------------------------------------------------------------- */

static void put_sum(StRtlText *x, StSym s) {
  enum { WIDE = 64 };
  const char *n = st_rtl_sum_name(x->a, s);
  int bits = st_rtl_sum_bits(x->plan->m, s);
  st_str_printf(&x->body,
                "  logic signed [%d:0] sum_%s;\n"
                "  assign sum_%s = %d'sd%" PRId64 " * p_now + %d'sd%" PRId64
                " * t_now %c %d'sd%" PRId64 ";\n",
                WIDE - 1, n, n, WIDE, s.p, WIDE, s.t, s.c < 0 ? '-' : '+', WIDE,
                s.c < 0 ? -s.c : s.c);
  st_str_printf(&x->body,
                "  always_ff @(posedge clk)\n"
                "    if (started) %s <= sum_%s[%d] ? %d'd0 : sum_%s[%d:0];\n",
                n, n, WIDE - 1, bits, n, bits - 1);
  st_rtl_unused(x, st_arena_printf(x->a, "sum_%s", n));
}

static void put_control(StRtlText *x) {
  StStr *out = &x->body;
  int n = x->plan->nunits;
  bool stores = false;
  for (int i = 0; i < n; i++)
    stores |= x->plan->unit[i].op->kind == ST_OP_STORE;
  st_str_printf(
      out, "  // Sums of p and t, then run starts all processes: the cycle "
           "after it is\n  // cycle 0.\n"
           "  logic started, run;\n"
           "  logic signed [63:0] p_now, t_now;\n"
           "  always_ff @(posedge clk)\n"
           "    if (start) begin\n      p_now <= 64'(p);\n"
           "      t_now <= 64'(t);\n    end\n"
           "  always_ff @(posedge clk)\n"
           "    if (rst) begin\n      started <= 1'b0;\n"
           "      run <= 1'b0;\n    end else begin\n"
           "      started <= start;\n      run <= started;\n    end\n");
  for (int i = 0; i < x->plan->sum.n; i++)
    st_str_printf(
        out, "  logic %s%s;\n",
        st_rtl_range(x->a, st_rtl_sum_bits(x->plan->m, x->plan->sum.at[i])),
        st_rtl_sum_name(x->a, x->plan->sum.at[i]));
  st_rtl_unused(x, "p_now");
  st_rtl_unused(x, "t_now");
  for (int i = 0; i < x->plan->sum.n; i++)
    put_sum(x, x->plan->sum.at[i]);
  st_str_printf(out,
                "\n  logic [%d:0] busy_of, go_of, storing;\n"
                "  assign busy = started | run | |busy_of | |storing;\n"
                "  assign moves = |go_of;\n"
                "  always_ff @(posedge clk)\n"
                "    if (run) cycles <= 64'd0;\n"
                "    else if (|%s) cycles <= cycles + 64'd1;\n",
                n - 1, stores ? "storing" : "busy_of");
}

const char *st_rtl_top(StRtlPlan *p) {
  StRtlText x = st_rtl_text(p, NULL);
  st_rtl_port(&x, "input", 32, "p");
  st_rtl_port(&x, "input", 32, "t");
  st_rtl_port(&x, "output", 1, "busy");
  st_rtl_port(&x, "output", 1, "moves");
  st_rtl_port(&x, "output", 64, "cycles");
  put_control(&x);
  for (int i = 0; i < p->net->nstreams; i++)
    put_stream(&x, i);
  for (int i = 0; i < p->nunits; i++)
    if (p->unit[i].text)
      put_unit(&x, &p->unit[i], i);
    else
      put_fork(&x, &p->unit[i], i);
  const char *what = st_arena_printf(
      p->a,
      "%s: %d processes joined by %d streams. start begins a step of t tokens "
      "after p; busy falls when it is done and cycles says how long it took. "
      "moves: a beat is issued in this cycle.",
      p->m->name, p->net->nprocesses, p->net->nstreams);
  return st_rtl_finish(&x, "accelerator", what);
}

/* ---- the program around it
 * ----------------------------------------------------- */

static void put_port_row(StStr *s, const StRtlPlan *p, int i) {
  const StHlsPort *port = &p->layout->port.at[i];
  const StOp *op = port->op;
  bool writes = op->kind == ST_OP_STORE;
  const StType *t = writes                   ? &op->operand[0]->type
                    : op->kind == ST_OP_LOAD ? &op->result[0]->type
                                             : &op->result[port->operand]->type;
  int bits = st_dtype_bits(t->dtype);
  st_str_printf(s, "    {%d, %s, %d, %d, %d, offset%d},\n", port->memory,
                writes ? "true" : "false", port->word, bits,
                st_rtl_port_bits(port) / bits, i);
}

const char *st_rtl_ports_cpp(StRtlPlan *p) {
  StStr s;
  st_str_init(&s);
  const StHlsPlan *l = p->layout;
  st_str_printf(&s, "// The memory ports of the accelerator.\n"
                    "#include \"Vaccelerator.h\"\n#include \"ports.h\"\n\n"
                    "namespace {\n");
  for (int i = 0; i < l->port.n; i++) {
    const StHlsPort *port = &l->port.at[i];
    int part = port->op->kind == ST_OP_BUNDLE ? port->operand : 0;
    StHlsAddress a = st_hls_address(l, port->op, part);
    st_hls_numbers(&s, st_arena_printf(p->a, "int64_t offset%d", i),
                   st_rtl_port_bits(port) /
                       st_dtype_bits(l->memory.at[port->memory].dtype),
                   a.offset);
  }
  st_str_printf(&s,
                "} // namespace\n\n"
                "const int st_rtl_nports = %d;\n"
                "const int st_rtl_memory_latency = %d;\n"
                "const st_rtl_port st_rtl_ports[] = {\n",
                l->port.n, st_target_memory_latency(p->t));
  for (int i = 0; i < l->port.n; i++)
    put_port_row(&s, p, i);
  st_str_printf(&s, "};\n\nvoid st_rtl_connect(Vaccelerator &top, "
                    "st_rtl_line *line) {\n");
  for (int i = 0; i < l->port.n; i++) {
    const char *n = l->port.at[i].name;
    bool writes = l->port.at[i].op->kind == ST_OP_STORE;
    st_str_printf(&s,
                  "  line[%d] = {&top.%s_%s, &top.%s_at, sizeof top.%s_at,\n"
                  "              &top.%s_data, sizeof top.%s_data};\n",
                  i, n, writes ? "write" : "request", n, n, n, n);
  }
  st_str_printf(&s, "}\n");
  const char *text = st_arena_copy(p->a, s.data, s.len);
  st_str_free(&s);
  return text;
}
