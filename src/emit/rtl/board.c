/* The board: a ROM for every load of a parameter, a RAM for every load of a
 * cache, registers for the token, a comparison for the logits. */
#include "emit/rtl/board.h"

#include <inttypes.h>

#include "emit/hls/text.h"
#include "emit/rtl/text.h"

enum { SHORT = 65536 }; /* the serial line has 16 bits a token */

static const StHlsPort *port_at(const StRtlPlan *p, int i) {
  return &p->layout->port.at[i];
}

static bool writes(const StHlsPort *port) {
  return port->op->kind == ST_OP_STORE;
}

static const StType *type_of(const StHlsPort *port) {
  const StOp *op = port->op;
  return writes(port)               ? &op->operand[0]->type
         : op->kind == ST_OP_BUNDLE ? &op->result[port->operand]->type
                                    : &op->result[0]->type;
}

static int token_elements(const StHlsPort *port) {
  return st_rtl_port_bits(port) / st_dtype_bits(type_of(port)->dtype);
}

static StHlsAddress address_of(const StRtlPlan *p, const StHlsPort *port) {
  return st_hls_address(p->layout, port->op,
                        port->op->kind == ST_OP_BUNDLE ? port->operand : 0);
}

static const StHlsMemory *memory_of(const StRtlPlan *p, const StHlsPort *port) {
  return &p->layout->memory.at[port->memory];
}

/* What lies there: the role of its first argument, else of its result. */
static StRole role_of(const StRtlPlan *p, const StHlsPort *port) {
  const StHlsMemory *m = memory_of(p, port);
  return m->arg ? p->m->arg.at[m->arg[0]].role : p->m->ret.at[m->ret[0]].role;
}

/* The store into the memory of a load; NULL: there is none. */
static const StHlsPort *writer(const StRtlPlan *p, const StHlsPort *port) {
  for (int i = 0; i < p->layout->port.n; i++)
    if (writes(port_at(p, i)) && port_at(p, i)->memory == port->memory)
      return port_at(p, i);
  return NULL;
}

/* Whether tokens are runs of the memory's elements, one after another. */
static bool is_dense(const StRtlPlan *p, const StHlsPort *port) {
  return address_of(p, port).word == token_elements(port);
}

static bool is_power(int n) { return (n & (n - 1)) == 0; }

static const char *cache_lacks(const StRtlPlan *p, const StHlsPort *port) {
  const StHlsPort *from = writer(p, port);
  if (!from)
    return "a cache that no step writes";
  if (!is_dense(p, port) || !is_dense(p, from))
    return "a cache whose tokens are no runs of elements";
  int a = token_elements(port), b = token_elements(from);
  int large = a > b ? a : b, small = a > b ? b : a;
  return large % small || !is_power(large / small)
             ? "a cache whose tokens are no multiples by powers of two"
             : NULL;
}

static const char *port_lacks(const StRtlPlan *p, const StHlsPort *port) {
  StRole role = role_of(p, port);
  if (role == ST_ROLE_CACHE && !writes(port))
    return cache_lacks(p, port);
  if (role == ST_ROLE_LOGITS)
    return type_of(port)->dtype != ST_F32 || !is_dense(p, port)
               ? "logits other than runs of float32"
           : memory_of(p, port)->elements > SHORT ? "a vocabulary over 65536"
                                                  : NULL;
  return role == ST_ROLE_PARAM || role == ST_ROLE_TOKENS ||
                 role == ST_ROLE_POSITION || role == ST_ROLE_CACHE
             ? NULL
             : "an input or output that is no token, position or logits";
}

const char *st_rtl_board_lacks(const StRtlPlan *p) {
  if (p->t->memory.kind != ST_STORAGE_ONCHIP)
    return "a memory outside the chip";
  if (p->m->chunk != 1)
    return "steps of several tokens (export with --chunk 1)";
  if (p->m->ctx > SHORT)
    return "a context over 65536";
  bool logits = false;
  for (int i = 0; i < p->layout->port.n; i++) {
    const char *lacks = port_lacks(p, port_at(p, i));
    if (lacks)
      return lacks;
    logits |= role_of(p, port_at(p, i)) == ST_ROLE_LOGITS;
  }
  return logits ? NULL : "no logits";
}

/* ---- memories ------------------------------------------------------------ */

static int64_t rom_words(const StRtlPlan *p, const StHlsPort *port) {
  const StHlsMemory *m = memory_of(p, port);
  int word = address_of(p, port).word;
  return (m->elements * m->count + word - 1) / word;
}

/* The word, MEMORY cycles after its request. */
static void put_rom(StStr *s, const StRtlPlan *p, const StHlsPort *port) {
  int64_t words = rom_words(p, port);
  const char *n = port->name;
  st_str_printf(s,
                "  logic %s%s_rom [0:%" PRId64 "];\n"
                "  logic %s%s_word;\n"
                "  initial $readmemh(\"rom/%s.hex\", %s_rom);\n"
                "  always_ff @(posedge clk)\n"
                "    if (%s_request) %s_word <= %s_rom[%s_at%s];\n"
                "  st_delay #(.WIDTH(%d), .LATENCY(%d)) %s_delay (\n"
                "      .clk, .en({%d{1'b1}}), .d(%s_word), .q(%s_data));\n"
                "  logic unused_%s;\n  assign unused_%s = &%s_at;\n",
                st_rtl_range(p->a, st_rtl_port_bits(port)), n, words - 1,
                st_rtl_range(p->a, st_rtl_port_bits(port)), n, n, n, n, n, n, n,
                st_arena_printf(p->a, "[%d:0]", st_rtl_bits(words - 1) - 1),
                st_rtl_port_bits(port), st_target_memory_latency(p->t) - 1, n,
                st_target_memory_latency(p->t), n, n, n, n, n);
}

static void put_cache(StStr *s, const StRtlPlan *p, const StHlsPort *port) {
  const StHlsMemory *m = memory_of(p, port);
  const StHlsPort *from = writer(p, port);
  st_str_printf(
      s,
      "  st_cache #(.WIDTH(%d), .COUNT(%" PRId64 "), .WRITE(%d), .READ(%d),\n"
      "             .MEMORY(%d), .ADDRESS(%d)) %s_cache (\n"
      "      .clk, .write(%s_write), .write_at(%s_at), .d(%s_data),\n"
      "      .request(%s_request), .request_at(%s_at), .q(%s_data));\n",
      st_dtype_bits(type_of(port)->dtype), m->elements * m->count,
      token_elements(from), token_elements(port),
      st_target_memory_latency(p->t), st_rtl_address_bits(p, port), port->name,
      from->name, from->name, from->name, port->name, port->name, port->name);
}

static void put_logits(StStr *s, const StRtlPlan *p, const StHlsPort *port) {
  int lanes = token_elements(port), at = st_rtl_address_bits(p, port);
  int bits = at + (lanes > 1 ? st_rtl_bits(lanes - 1) : 0);
  st_str_printf(s,
                "  logic [%d:0] best;\n"
                "  st_best #(.LANES(%d), .ADDRESS(%d)) largest (\n"
                "      .clk, .clear(start), .write(%s_write), .at(%s_at), "
                ".data(%s_data),\n      .best);\n",
                bits - 1, lanes, at, port->name, port->name, port->name);
}

static void put_register(StStr *s, const StRtlPlan *p, const StHlsPort *port) {
  bool token = role_of(p, port) == ST_ROLE_TOKENS;
  int bits = st_dtype_bits(type_of(port)->dtype);
  st_str_printf(s,
                "  assign %s_data = {%d{%d'(%s)}};\n"
                "  logic unused_%s;\n"
                "  assign unused_%s = &{%s_request, %s_at};\n",
                port->name, token_elements(port), bits,
                token ? "token" : "position", port->name, port->name,
                port->name, port->name);
}

static void put_signals(StStr *s, const StRtlPlan *p, const StHlsPort *port) {
  const char *n = port->name;
  st_str_printf(s, "  logic %s_%s;\n  logic %s%s_at;\n  logic %s%s_data;\n", n,
                writes(port) ? "write" : "request",
                st_rtl_range(p->a, st_rtl_address_bits(p, port)), n,
                st_rtl_range(p->a, st_rtl_port_bits(port)), n);
}

static void put_memory(StStr *s, const StRtlPlan *p, const StHlsPort *port) {
  StRole role = role_of(p, port);
  st_str_printf(s, "\n");
  if (role == ST_ROLE_LOGITS)
    put_logits(s, p, port);
  else if (role == ST_ROLE_PARAM)
    put_rom(s, p, port);
  else if (role == ST_ROLE_CACHE && !writes(port))
    put_cache(s, p, port);
  else if (role != ST_ROLE_CACHE)
    put_register(s, p, port);
}

/* Ports of the accelerator, by their names. */
static void put_accelerator(StStr *s, const StRtlPlan *p) {
  st_str_printf(s, "\n  logic moves;\n  logic [63:0] cycles;\n"
                   "  accelerator net (\n"
                   "      .clk, .rst, .start, .p(32'(position)), .t(32'd1), "
                   ".busy, .moves, .cycles");
  for (int i = 0; i < p->layout->port.n; i++) {
    const char *n = port_at(p, i)->name;
    st_str_printf(s, ",\n      .%s_%s, .%s_at, .%s_data", n,
                  writes(port_at(p, i)) ? "write" : "request", n, n);
  }
  st_str_printf(s, ");\n  logic unused;\n"
                   "  assign unused = &{moves, cycles[63:32]};\n");
}

const char *st_rtl_board(const StRtlPlan *p) {
  StStr s;
  st_str_init(&s);
  st_hls_comment(&s, "board: the accelerator with its memories. rx takes a "
                     "token and its position, tx gives the most probable next "
                     "token and the cycles of the step (st_terminal); DIVISOR "
                     "cycles of clk a bit.");
  st_str_printf(&s,
                "module board #(\n    parameter int DIVISOR = %d\n) (\n"
                "    input  logic clk,\n    input  logic rx,\n"
                "    output logic tx\n);\n"
                "  // Reset for some cycles from power up.\n"
                "  logic [3:0] up = 4'd0;\n  logic rst = 1'b1;\n"
                "  always_ff @(posedge clk) begin\n"
                "    up <= up == 4'd15 ? 4'd15 : up + 4'd1;\n"
                "    rst <= up != 4'd15;\n  end\n\n"
                "  logic start, busy;\n  logic [15:0] token, position;\n",
                (int)p->t->clock_mhz);
  for (int i = 0; i < p->layout->port.n; i++)
    put_signals(&s, p, port_at(p, i));
  for (int i = 0; i < p->layout->port.n; i++)
    put_memory(&s, p, port_at(p, i));
  put_accelerator(&s, p);
  st_str_printf(&s, "\n  st_terminal #(.DIVISOR(DIVISOR)) terminal (\n"
                    "      .clk, .rst, .rx, .tx, .start, .token, .position, "
                    ".busy,\n      .best(16'(best)), .cycles(cycles[31:0]));\n"
                    "endmodule\n");
  const char *text = st_arena_copy(p->a, s.data, s.len);
  st_str_free(&s);
  return text;
}

/* ---- contents ------------------------------------------------------------ */

typedef struct {
  const StHlsMemory *memory;
  const void *const *data;
  int bits, bytes; /* of an element */
} Contents;

/* Element i of the memory; beyond it there are zeros. */
static uint64_t element(const Contents *c, int64_t i) {
  const StHlsMemory *m = c->memory;
  if (i >= m->elements * m->count)
    return 0;
  const unsigned char *from = c->data[m->arg[i / m->elements]];
  uint64_t value = 0;
  for (int b = c->bytes; b-- > 0;)
    value = value << 8 | from[i % m->elements * c->bytes + b];
  return c->bits == 64 ? value : value & ((UINT64_C(1) << c->bits) - 1);
}

/* Digits of a token, the highest first. */
static void put_word(StStr *s, const Contents *c, const StHlsAddress *a,
                     int64_t word, int elements) {
  int bits = elements * c->bits;
  for (int digit = (bits + 3) / 4; digit-- > 0;) {
    unsigned value = 0;
    for (int b = 0; b < 4; b++) {
      int bit = digit * 4 + b;
      if (bit < bits)
        value |=
            (unsigned)(element(c, word * a->word + a->offset[bit / c->bits]) >>
                           (bit % c->bits) &
                       1)
            << b;
    }
    st_str_printf(s, "%x", value);
  }
  st_str_printf(s, "\n");
}

const char *st_rtl_board_rom(const StRtlPlan *p, int i,
                             const void *const *data) {
  const StHlsPort *port = port_at(p, i);
  if (role_of(p, port) != ST_ROLE_PARAM)
    return NULL;
  StDtype dtype = type_of(port)->dtype;
  Contents c = {.memory = memory_of(p, port),
                .data = data,
                .bits = st_dtype_bits(dtype),
                .bytes = st_dtype_bytes(dtype)};
  StHlsAddress a = address_of(p, port);
  StStr s;
  st_str_init(&s);
  for (int64_t w = 0; w < rom_words(p, port); w++)
    put_word(&s, &c, &a, w, token_elements(port));
  const char *text = st_arena_copy(p->a, s.data, s.len);
  st_str_free(&s);
  return text;
}
