/* Loads, bundles and stores: counters, addresses, the memory side. A memory
 * port takes the address of a token, in words of the port (doc/rtl.md). */
#include <inttypes.h>

#include "emit/hls/text.h"
#include "emit/rtl/text.h"
#include "ir/itensor.h"

int st_rtl_port_bits(const StHlsPort *port) {
  const StOp *op = port->op;
  const StType *t = op->kind == ST_OP_STORE  ? &op->operand[0]->type
                    : op->kind == ST_OP_LOAD ? &op->result[0]->type
                                             : &op->result[port->operand]->type;
  return (int)st_type_token_bits(t);
}

int st_rtl_address_bits(const StRtlPlan *p, const StHlsPort *port) {
  const StHlsMemory *m = &p->layout->memory.at[port->memory];
  return st_rtl_bits(m->elements * m->count);
}

static const char *describe(const StRtlPlan *p, const StRtlUnit *u) {
  const StOp *op = u->op;
  const char *verb = op->kind == ST_OP_STORE    ? "writes"
                     : op->kind == ST_OP_BUNDLE ? "reads, as one program,"
                     : op->noperands > 1        ? "gathers from"
                                                : "reads";
  const char *what = op->name ? op->name : "tokens";
  return st_arena_printf(p->a, "%s: %s %s", u->name, verb, what);
}

/* Memory's side of a port. */
static void put_memory_ports(StRtlText *x, const StHlsPort *port,
                             const char *tail, bool writes) {
  int at = st_rtl_address_bits(x->plan, port), bits = st_rtl_port_bits(port);
  const char *verb = writes ? "write" : "request";
  st_rtl_port(x, "output", 1, st_arena_printf(x->a, "%s%s", verb, tail));
  st_rtl_port(x, "output", at, st_arena_printf(x->a, "at%s", tail));
  st_rtl_port(x, writes ? "output" : "input", bits,
              st_arena_printf(x->a, "data%s", tail));
}

static const StHlsPort *port_of(const StRtlPlan *p, const StOp *op, int k) {
  return &p->layout->port.at[st_hls_port_of(p->layout, op, k)];
}

static void put_gather(StRtlText *x, const StRtlUnit *u, int bits, int at,
                       int64_t stride) {
  const StOp *op = u->op;
  int index = st_dtype_bits(op->operand[1]->type.dtype);
  StSym rows = st_load_rows(x->plan->m, op);
  st_str_printf(&x->body,
                "  st_gather #(.WIDTH(%d), .ADDRESS(%d), .INDEX(%d), "
                ".MEMORY(%d),\n"
                "              .LATENCY(%d), .STRIDE(%" PRId64 ")) memory (\n"
                "      .clk, .rst, .v, .pop(in1_pop), .index(in1), .rows(%s),\n"
                "      .at(address), .request, .request_at(at), .data, "
                ".d(out0));\n",
                bits, at, index, st_target_memory_latency(x->plan->t),
                op->latency, stride, st_rtl_value(x, rows, index));
}

/* A load or a store: its counters, and the address of the beat's token. */
static const StHlsPort *put_mover(StRtlText *x, const StRtlUnit *u) {
  const StRtlPlan *p = x->plan;
  const StOp *op = u->op;
  const StHlsPort *port = port_of(p, op, 0);
  bool writes = op->kind == ST_OP_STORE;
  int bits = st_rtl_port_bits(port), at = st_rtl_address_bits(p, port);
  StHlsAddress address = st_hls_address(p->layout, op, 0);
  StRtlFrame f =
      st_rtl_frame(x, u->process, "", u->process->nloops, u->process->loop);
  if (!writes && op->noperands > 1)
    st_rtl_in(x, "in1", st_dtype_bits(op->operand[1]->type.dtype));
  if (writes)
    st_rtl_in(x, "in0", bits);
  else
    st_rtl_out(x, "out0", bits);
  put_memory_ports(x, port, "", writes);
  st_rtl_port(x, "output", 1, "busy");
  st_rtl_port(x, "output", 1, "go");
  st_rtl_frame_write(&f, "1'b1");
  st_str_printf(&x->body, "\n");
  st_rtl_address(&f, "address", at, st_rtl_value(x, address.base, at),
                 address.step, "go");
  return port;
}

void st_rtl_load(StRtlPlan *p, StRtlUnit *u) {
  StRtlText x = st_rtl_text(p, u);
  const StOp *op = u->op;
  const StHlsPort *port = put_mover(&x, u);
  int bits = st_rtl_port_bits(port), at = st_rtl_address_bits(p, port);
  if (op->noperands > 1)
    put_gather(&x, u, bits, at, st_hls_address(p->layout, op, 0).gather);
  else
    st_str_printf(&x.body,
                  "  st_load #(.WIDTH(%d), .ADDRESS(%d), .MEMORY(%d), "
                  ".LATENCY(%d)) memory (\n"
                  "      .clk, .rst, .v, .at(address), .request, "
                  ".request_at(at), .data,\n      .d(out0));\n",
                  bits, at, st_target_memory_latency(p->t), op->latency);
  u->text = st_rtl_finish(&x, u->name, describe(p, u));
}

void st_rtl_store(StRtlPlan *p, StRtlUnit *u) {
  StRtlText x = st_rtl_text(p, u);
  const StHlsPort *port = put_mover(&x, u);
  int latency = u->op->latency;
  st_rtl_port(&x, "output", 1, "storing");
  st_str_printf(&x.body,
                "  st_store #(.WIDTH(%d), .ADDRESS(%d)) memory (\n"
                "      .clk, .rst, .go, .at(address), .d(in0), .write, "
                ".write_at(at), .data);\n",
                st_rtl_port_bits(port), st_rtl_address_bits(p, port));
  st_str_printf(&x.body,
                latency > 1 ? "  assign storing = busy | |v[%d:1];\n"
                            : "  assign storing = busy;\n",
                latency - 1);
  u->text = st_rtl_finish(&x, u->name, describe(p, u));
}

/* ---- bundles --------------------------------------------------------------
 */

/* When output k pushes, and from where. */
static void put_part(StRtlText *x, const StRtlUnit *u, int k) {
  StStr *out = &x->body;
  const StOp *op = u->op;
  const StBundlePart *b = &op->u.bundle.part[k];
  const StHlsPort *port = port_of(x->plan, op, k);
  const StItensor *order = op->result[k]->type.order;
  StHlsAddress address = st_hls_address(x->plan->layout, op, k);
  const char *prefix = st_arena_printf(x->a, "part%d_", k);
  int at = st_rtl_address_bits(x->plan, port);
  StRtlFrame f =
      st_rtl_frame(x, u->process, prefix, order->nloops, order->loop);
  st_str_printf(out, "\n  // %s\n",
                op->result[k]->name ? op->result[k]->name : "a parameter");
  st_str_printf(out,
                "  st_frames #(.BASE(%" PRId64 "), .PERIOD(%" PRId64
                "), .TIMES(%" PRId64 "), .SLOTS(%" PRId64 "),\n"
                "              .FIRST(%" PRId64 "), .LAST(%" PRId64
                "), .EACH(%" PRId64 ")) part%d_frames (\n"
                "      .clk, .start, .next(go), .gives(gives[%d]));\n",
                b->base, b->period, b->times, b->slots, b->first, b->last,
                b->per_frame, k, k);
  const char *next = st_arena_printf(x->a, "out%d_take", k);
  st_rtl_frame_loops(&f, next);
  st_rtl_address(&f, st_arena_printf(x->a, "part%d_at", k), at,
                 st_rtl_value(x, address.base, at), address.step, next);
  st_str_printf(out,
                "  logic [%d:0] part%d_v;\n"
                "  st_valid #(.LATENCY(%d)) part%d_valid (\n"
                "      .clk, .rst, .now(%s), .v(part%d_v));\n"
                "  st_load #(.WIDTH(%d), .ADDRESS(%d), .MEMORY(%d), "
                ".LATENCY(%d)) memory%d (\n"
                "      .clk, .rst, .v(part%d_v), .at(part%d_at), "
                ".request(request%d), .request_at(at%d),\n"
                "      .data(data%d), .d(out%d));\n",
                op->latency, k, op->latency, k, next, k, st_rtl_port_bits(port),
                at, st_target_memory_latency(x->plan->t), op->latency, k, k, k,
                k, k, k, k);
  st_rtl_unused(x, st_arena_printf(x->a, "part%d_busy", k));
}

/* "{out1_take, out0_take}" */
static const char *all_outputs(StRtlText *x, int n, const char *tail) {
  const char *list = "";
  for (int k = n; k-- > 0;)
    list =
        st_arena_printf(x->a, "%s%sout%d_%s", list, *list ? ", " : "", k, tail);
  return st_arena_printf(x->a, "{%s}", list);
}

void st_rtl_bundle(StRtlPlan *p, StRtlUnit *u) {
  StRtlText x = st_rtl_text(p, u);
  const StOp *op = u->op;
  int n = op->nresults;
  int64_t beats = st_bundle_beats(op);
  int bits = st_rtl_bits(beats);
  for (int k = 0; k < n; k++) {
    st_rtl_out(&x, st_arena_printf(p->a, "out%d", k),
               st_rtl_port_bits(port_of(p, op, k)));
    put_memory_ports(&x, port_of(p, op, k), st_arena_printf(p->a, "%d", k),
                     false);
  }
  st_rtl_port(&x, "output", 1, "busy");
  st_rtl_port(&x, "output", 1, "go");
  st_str_printf(&x.body,
                "\n  logic %sbeat;\n  logic first, final_;\n"
                "  st_loops #(.N(1), .WIDTH(%d)) beats (\n"
                "      .clk, .rst, .start, .trip(%d'd%" PRId64 "), .next(go), "
                ".busy, .index(beat),\n      .zero(first), .last(final_));\n",
                st_rtl_range(p->a, bits), bits, bits, beats);
  st_str_printf(&x.body,
                "  logic none;\n  logic [%d:0] v;\n  logic %sgives;\n"
                "  st_issue #(.NOUT(%d), .II(%d), .LATENCY(%d)) issue (\n"
                "      .clk, .rst, .busy, .allow(1'b1), .need(1'b0), "
                ".valid(1'b0), .pop(none),\n"
                "      .gives, .credit(%s),\n      .take(%s),\n"
                "      .push(%s),\n      .go, .v);\n",
                op->latency, st_rtl_range(p->a, n), n, u->process->ii,
                op->latency, all_outputs(&x, n, "credit"),
                all_outputs(&x, n, "take"), all_outputs(&x, n, "push"));
  for (int k = 0; k < n; k++)
    put_part(&x, u, k);
  static const char *const ignored[] = {"beat", "first", "final_", "none", "v"};
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
    st_rtl_unused(&x, ignored[i]);
  u->text = st_rtl_finish(&x, u->name, describe(p, u));
}
