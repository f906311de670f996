/* The accelerator behind AXI: a control slave, and a master for every channel
 * of memory that a port lies on. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "emit/hls/text.h"
#include "emit/rtl/text.h"

enum { BASES = 0x100 }; /* first register of the memories' addresses */

/* What a port's token is made of: runs of bytes that begin at multiples of
 * their size, a power of two. */
typedef struct {
  const StHlsPort *port;
  bool writes;
  int channel; /* index of a master */
  int bits;    /* of a token */
  int element; /* bits of one, at most 8 */
  bool sign;   /* elements below a byte are written with it */
  int64_t stride, bytes, pieces;
  const int64_t *offset; /* [pieces] bytes */
} AxiPort;

typedef struct {
  StRtlPlan *plan;
  StArena *a;
  int bus; /* bytes of a beat */
  int n;
  AxiPort *port;
  int nchannels;
  int *channel; /* [nchannels] its number in the target */
} Axi;

static int64_t gcd(int64_t x, int64_t y) {
  x = llabs(x);
  for (y = llabs(y); y;) {
    int64_t rest = x % y;
    x = y;
    y = rest;
  }
  return x;
}

static int loops_of(const StOp *op, int part) {
  const StType *t =
      op->kind == ST_OP_STORE ? &op->operand[0]->type : &op->result[part]->type;
  return t->order->nloops;
}

/* Bytes of which every token's address is a multiple; 0: always the first. */
static int64_t alignment(const StHlsAddress *x, int nloops, int64_t stride) {
  int64_t n = gcd(gcd(x->base.c, x->base.p), gcd(x->base.t, x->gather));
  for (int l = 0; l < nloops; l++)
    n = gcd(n, x->step[l]);
  return n * stride;
}

/* All runs of `bytes` bytes of the token are dense and aligned. */
static bool is_cut(const int64_t *offset, int64_t n, int64_t element,
                   int64_t bytes) {
  int64_t each = bytes / element;
  if (n % each)
    return false;
  for (int64_t i = 0; i < n; i++)
    if (i % each ? offset[i] != offset[i - 1] + 1
                 : offset[i] * element % bytes != 0)
      return false;
  return true;
}

static AxiPort port_of(const Axi *x, const StHlsPort *port) {
  const StHlsPlan *l = x->plan->layout;
  const StOp *op = port->op;
  int part = op->kind == ST_OP_BUNDLE ? port->operand : 0;
  StDtype dtype = l->memory.at[port->memory].dtype;
  int64_t element = st_dtype_bytes(dtype);
  StHlsAddress at = st_hls_address(l, op, part);
  AxiPort r = {.port = port, .writes = op->kind == ST_OP_STORE};
  r.bits = st_rtl_port_bits(port);
  r.element = st_dtype_bits(dtype) < 8 ? st_dtype_bits(dtype) : 8;
  r.sign = r.element > 1;
  r.stride = port->word * element;
  int64_t n = r.bits / st_dtype_bits(dtype);
  int64_t aligned = alignment(&at, loops_of(op, part), r.stride);
  r.bytes = x->bus;
  while (r.bytes > element &&
         (aligned % r.bytes || !is_cut(at.offset, n, element, r.bytes)))
    r.bytes /= 2;
  r.pieces = n * element / r.bytes;
  int64_t *offset = ST_NEW_N(x->a, int64_t, r.pieces);
  for (int64_t k = 0; k < r.pieces; k++)
    offset[k] = at.offset[k * r.bytes / element] * element;
  r.offset = offset;
  return r;
}

/* Outputs of a bundle take turns at its channels; others are on their first. */
static int channel_of(Axi *x, const StHlsPort *port) {
  int first = port->channel < 0 ? 0 : port->channel;
  int number =
      port->channels > 1 ? first + port->operand % port->channels : first;
  for (int i = 0; i < x->nchannels; i++)
    if (x->channel[i] == number)
      return i;
  x->channel[x->nchannels] = number;
  return x->nchannels++;
}

static Axi analyse(StRtlPlan *p) {
  const StHlsPlan *l = p->layout;
  Axi x = {.plan = p, .a = p->a, .n = l->port.n};
  x.bus = 8;
  while (x.bus < 128 && x.bus * 16 <= p->t->memory.port_bits)
    x.bus *= 2;
  x.port = ST_NEW_N(p->a, AxiPort, x.n);
  x.channel = ST_NEW_N(p->a, int, x.n);
  for (int i = 0; i < x.n; i++) {
    x.port[i] = port_of(&x, &l->port.at[i]);
    x.port[i].channel = channel_of(&x, &l->port.at[i]);
  }
  return x;
}

/* ---- SystemVerilog
 * ------------------------------------------------------------- */

typedef struct {
  bool in; /* of the accelerator */
  const char *name;
  int bits; /* 0: of the bus, -1: a bit for each of its bytes */
} Signal;

static const Signal master[] = {
    {false, "arvalid", 1}, {true, "arready", 1},  {false, "araddr", 64},
    {false, "arlen", 8},   {false, "arsize", 3},  {false, "arburst", 2},
    {true, "rvalid", 1},   {false, "rready", 1},  {true, "rdata", 0},
    {true, "rresp", 2},    {true, "rlast", 1},    {false, "awvalid", 1},
    {true, "awready", 1},  {false, "awaddr", 64}, {false, "awlen", 8},
    {false, "awsize", 3},  {false, "awburst", 2}, {false, "wvalid", 1},
    {true, "wready", 1},   {false, "wdata", 0},   {false, "wstrb", -1},
    {false, "wlast", 1},   {true, "bvalid", 1},   {false, "bready", 1},
    {true, "bresp", 2},
};
enum { SIGNALS = sizeof master / sizeof *master };

static int signal_bits(const Axi *x, const Signal *s) {
  return s->bits > 0 ? s->bits : s->bits ? x->bus : x->bus * 8;
}

static int control_bits(const Axi *x) {
  int bits = 12;
  while (BASES + 8 * x->plan->layout->memory.n > 1 << bits)
    bits++;
  return bits;
}

static void put_ports(const Axi *x, StStr *out) {
  int at = control_bits(x) - 1;
  st_str_printf(out,
                "module axi_accelerator (\n    input  logic clk,\n"
                "    input  logic rst,\n"
                "    input  logic s_awvalid,\n    output logic s_awready,\n"
                "    input  logic [%d:0] s_awaddr,\n"
                "    input  logic s_wvalid,\n    output logic s_wready,\n"
                "    input  logic [31:0] s_wdata,\n"
                "    input  logic [3:0] s_wstrb,\n"
                "    output logic s_bvalid,\n    input  logic s_bready,\n"
                "    output logic [1:0] s_bresp,\n"
                "    input  logic s_arvalid,\n    output logic s_arready,\n"
                "    input  logic [%d:0] s_araddr,\n"
                "    output logic s_rvalid,\n    input  logic s_rready,\n"
                "    output logic [31:0] s_rdata,\n"
                "    output logic [1:0] s_rresp",
                at, at);
  for (int c = 0; c < x->nchannels; c++)
    for (int i = 0; i < SIGNALS; i++)
      st_str_printf(out, ",\n    %s logic %saxi%d_%s",
                    master[i].in ? "input " : "output",
                    st_rtl_range(x->a, signal_bits(x, &master[i])),
                    x->channel[c], master[i].name);
  st_str_printf(out, "\n);\n");
}

static void put_control(const Axi *x, StStr *out) {
  int memories = x->plan->layout->memory.n;
  st_str_printf(
      out,
      "  // The accelerator stands still while a port is not ready.\n"
      "  logic go, gated, start, busy, active, moves, error;\n"
      "  logic [31:0] p, t;\n  logic [63:0] cycles, stalls;\n"
      "  logic [%d:0] base;\n"
      "  logic [%d:0] ready, idle;\n  logic [%d:0] answered, wrong;\n"
      "  assign go = rst | &ready;\n  assign error = |wrong;\n"
      "  st_clock_gate gate (.clk, .en(go), .gated);\n"
      "  st_axi_control #(.MEMORIES(%d), .ADDRESS(%d)) control (\n"
      "      .clk, .rst, .en(go), .start, .p, .t, .base, .busy(active | start),"
      " .error,\n      .cycles, .stalls,\n"
      "      .awvalid(s_awvalid), .awready(s_awready), .awaddr(s_awaddr),\n"
      "      .wvalid(s_wvalid), .wready(s_wready), .wdata(s_wdata), "
      ".wstrb(s_wstrb),\n"
      "      .bvalid(s_bvalid), .bready(s_bready), .bresp(s_bresp),\n"
      "      .arvalid(s_arvalid), .arready(s_arready), .araddr(s_araddr),\n"
      "      .rvalid(s_rvalid), .rready(s_rready), .rdata(s_rdata), "
      ".rresp(s_rresp));\n"
      "  always_ff @(posedge clk)\n    if (rst) active <= 1'b0;\n"
      "    else if (start) active <= go;\n"
      "    else active <= active & (busy | ~&idle | ~&answered);\n"
      "  always_ff @(posedge clk)\n    if (start) stalls <= 64'd0;\n"
      "    else if (active & ~go) stalls <= stalls + 64'd1;\n",
      memories * 64 - 1, x->n - 1, x->nchannels - 1, memories, control_bits(x));
}

static void put_offsets(const AxiPort *p, StStr *out) {
  st_str_printf(out, "{");
  for (int64_t k = p->pieces; k-- > 0;)
    st_str_printf(out, "32'h%08" PRIx32 "%s", (uint32_t)p->offset[k],
                  !k      ? "}"
                  : k % 6 ? ", "
                          : ",\n      ");
}

static void put_signals(const Axi *x, StStr *out, int i) {
  const AxiPort *p = &x->port[i];
  const char *n = p->port->name;
  int at = st_rtl_address_bits(x->plan, p->port);
  st_str_printf(out,
                "\n  logic %s_%s, %s_ask, %s_asked;\n"
                "  logic %s%s_at;\n  logic %s%s_data;\n"
                "  logic [63:0] %s_ask_at;\n",
                n, p->writes ? "write" : "request", n, n,
                st_rtl_range(x->a, at), n, st_rtl_range(x->a, p->bits), n, n);
  if (p->writes)
    st_str_printf(out, "  logic [%d:0] %s_ask_data;\n", (int)p->bytes * 8 - 1,
                  n);
  else
    st_str_printf(out, "  logic %s_answer;\n", n);
}

static void put_port(const Axi *x, StStr *out, int i) {
  const AxiPort *p = &x->port[i];
  const char *n = p->port->name;
  st_str_printf(out, "\n  %s #(.WIDTH(%d), .ADDRESS(%d), ",
                p->writes ? "st_axi_write" : "st_axi_read", p->bits,
                st_rtl_address_bits(x->plan, p->port));
  if (!p->writes)
    st_str_printf(out, ".MEMORY(%d), ", st_target_memory_latency(x->plan->t));
  st_str_printf(out,
                ".STRIDE(%" PRId64 "),\n      .PIECES(%" PRId64
                "), .BYTES(%" PRId64 "), .ELEMENT(%d), ",
                p->stride, p->pieces, p->bytes, p->element);
  if (p->writes)
    st_str_printf(out, ".SIGNED(%d), ", p->sign);
  st_str_printf(out, ".OFFSETS(");
  put_offsets(p, out);
  st_str_printf(out,
                ")) port%d (\n      .clk, .rst, .en(go), .base(base[%d:%d]), "
                ".%s(%s_%s), .at(%s_at),\n      .data(%s_data), "
                ".ready(ready[%d]), .ask(%s_ask), .ask_at(%s_ask_at),\n"
                "      .asked(%s_asked), ",
                i, p->port->memory * 64 + 63, p->port->memory * 64,
                p->writes ? "write" : "request", n,
                p->writes ? "write" : "request", n, n, i, n, n, n);
  if (p->writes)
    st_str_printf(out, ".ask_data(%s_ask_data), .idle(idle[%d]));\n", n, i);
  else
    st_str_printf(
        out,
        ".answer(%s_answer),\n      .answer_data(axi%d_data[%d:0]));\n"
        "  assign idle[%d] = 1'b1;\n",
        n, x->channel[p->channel], (int)p->bytes * 8 - 1, i);
}

/* "{b_ask, a_ask}" of the ports of a channel that read or write; `none` if
 * there is none of them. form: with the port's name. */
static void put_list(const Axi *x, StStr *out, int c, bool writes,
                     const char *tail, const char *none) {
  const char *list = "";
  for (int i = 0; i < x->n; i++)
    if (x->port[i].channel == c && x->port[i].writes == writes)
      list = st_arena_printf(x->a, "%s%s%s%s", x->port[i].port->name, tail,
                             *list ? ", " : "", list);
  st_str_printf(out, *list ? "{%s}" : "%s", *list ? list : none);
}

static void put_sizes(const Axi *x, StStr *out, int c, bool writes) {
  const char *list = "";
  for (int i = 0; i < x->n; i++)
    if (x->port[i].channel == c && x->port[i].writes == writes)
      list =
          st_arena_printf(x->a, "3'd%d%s%s", st_rtl_bits(x->port[i].bytes) - 1,
                          *list ? ", " : "", list);
  st_str_printf(out, *list ? "{%s}" : "%s", *list ? list : "3'd0");
}

static int count(const Axi *x, int c, bool writes) {
  int n = 0;
  for (int i = 0; i < x->n; i++)
    n += x->port[i].channel == c && x->port[i].writes == writes;
  return n;
}

/* Data of all writes, each as wide as the bus. */
static void put_write_data(const Axi *x, StStr *out, int c) {
  const char *list = "";
  for (int i = 0; i < x->n; i++)
    if (x->port[i].channel == c && x->port[i].writes)
      list = st_arena_printf(x->a, "%d'(%s_ask_data)%s%s", x->bus * 8,
                             x->port[i].port->name, *list ? ",\n      " : "",
                             list);
  if (*list)
    st_str_printf(out, "{%s}", list);
  else
    st_str_printf(out, "%d'd0", x->bus * 8);
}

static void put_channel(const Axi *x, StStr *out, int c) {
  int reads = count(x, c, false), writes = count(x, c, true);
  int m = x->channel[c];
  st_str_printf(out, "\n  logic [%d:0] axi%d_data;\n  logic axi%d_unused;\n",
                x->bus * 8 - 1, m, m);
  if (!reads)
    st_str_printf(out, "  logic axi%d_no_read, axi%d_no_answer;\n", m, m);
  if (!writes)
    st_str_printf(out, "  logic axi%d_no_write;\n", m);
  st_str_printf(out, "  assign axi%d_unused = &{1'b0, axi%d_data", m, m);
  if (!reads)
    st_str_printf(out, ", axi%d_no_read, axi%d_no_answer", m, m);
  if (!writes)
    st_str_printf(out, ", axi%d_no_write", m);
  st_str_printf(out,
                "};\n  st_axi_channel #(.READS(%d), .WRITES(%d), .BYTES(%d)) "
                "channel%d (\n      .clk, .rst, .ask(",
                reads ? reads : 1, writes ? writes : 1, x->bus, m);
  put_list(x, out, c, false, "_ask", "1'b0");
  st_str_printf(out, "), .ask_at(");
  put_list(x, out, c, false, "_ask_at", "64'd0");
  st_str_printf(out, "),\n      .ask_size(");
  put_sizes(x, out, c, false);
  st_str_printf(out, "), .asked(");
  put_list(x, out, c, false, "_asked",
           st_arena_printf(x->a, "axi%d_no_read", m));
  st_str_printf(out, "),\n      .answer(");
  put_list(x, out, c, false, "_answer",
           st_arena_printf(x->a, "axi%d_no_answer", m));
  st_str_printf(out, "), .answer_data(axi%d_data),\n      .write(", m);
  put_list(x, out, c, true, "_ask", "1'b0");
  st_str_printf(out, "), .write_at(");
  put_list(x, out, c, true, "_ask_at", "64'd0");
  st_str_printf(out, "),\n      .write_size(");
  put_sizes(x, out, c, true);
  st_str_printf(out, "), .write_data(");
  put_write_data(x, out, c);
  st_str_printf(out, "),\n      .written(");
  put_list(x, out, c, true, "_asked",
           st_arena_printf(x->a, "axi%d_no_write", m));
  st_str_printf(out, "), .idle(answered[%d]), .error(wrong[%d])", c, c);
  for (int i = 0; i < SIGNALS; i++)
    st_str_printf(out, ",%s.%s(axi%d_%s)", i % 3 ? " " : "\n      ",
                  master[i].name, m, master[i].name);
  st_str_printf(out, ");\n");
}

static void put_accelerator(const Axi *x, StStr *out) {
  st_str_printf(out, "\n  accelerator accelerator (\n      .clk(gated), .rst, "
                     ".start, .p, .t, .busy, .moves, .cycles");
  for (int i = 0; i < x->n; i++) {
    const char *n = x->port[i].port->name;
    st_str_printf(out, ",\n      .%s_%s, .%s_at, .%s_data", n,
                  x->port[i].writes ? "write" : "request", n, n);
  }
  st_str_printf(out, ");\n  logic unused;\n  assign unused = moves;\n"
                     "endmodule\n");
}

static const char *taken(const Axi *x, StStr *s) {
  const char *text = st_arena_copy(x->a, s->data, s->len);
  st_str_free(s);
  return text;
}

const char *st_rtl_axi(StRtlPlan *p) {
  Axi x = analyse(p);
  StStr s;
  st_str_init(&s);
  st_hls_comment(
      &s, st_arena_printf(p->a,
                          "%s behind AXI: AXI4-Lite for control "
                          "(st_axi_control), and %d AXI4 masters, axiN_ for "
                          "channel N of %s.",
                          p->m->name, x.nchannels, p->t->name));
  put_ports(&x, &s);
  put_control(&x, &s);
  for (int i = 0; i < x.n; i++)
    put_signals(&x, &s, i);
  for (int c = 0; c < x.nchannels; c++)
    put_channel(&x, &s, c);
  for (int i = 0; i < x.n; i++)
    put_port(&x, &s, i);
  put_accelerator(&x, &s);
  return taken(&x, &s);
}

/* ---- the program around it
 * ----------------------------------------------------- */

const char *st_rtl_axi_cpp(StRtlPlan *p) {
  static const char *const used[] = {
      "arvalid", "arready", "araddr",  "arsize",  "rvalid", "rdata",
      "rresp",   "rlast",   "awvalid", "awready", "awaddr", "wvalid",
      "wready",  "wdata",   "wstrb",   "bvalid",  "bresp"};
  Axi x = analyse(p);
  StStr s;
  st_str_init(&s);
  st_str_printf(&s,
                "// The masters of the accelerator behind AXI.\n"
                "#include \"Vaxi_accelerator.h\"\n#include \"axi.h\"\n\n"
                "const int st_axi_masters = %d;\n"
                "const int st_axi_bytes = %d;\n\n"
                "void st_axi_connect(Vaxi_accelerator &top, "
                "st_axi_master *m) {\n",
                x.nchannels, x.bus);
  for (int c = 0; c < x.nchannels; c++) {
    st_str_printf(&s, "  m[%d] = {", c);
    for (size_t i = 0; i < sizeof used / sizeof *used; i++)
      st_str_printf(&s, "%s&top.axi%d_%s",
                    !i      ? ""
                    : i % 4 ? ", "
                            : ",\n          ",
                    x.channel[c], used[i]);
    st_str_printf(&s, "};\n");
  }
  st_str_printf(&s, "}\n");
  return taken(&x, &s);
}
