// st_convert: the memory of a converter whose fill and drain tokens have one
// shape (doc/machine.md, "Converter"): BANKS windows of WINDOW tokens.
//
// fill: a fill beat is issued, which pops d; fill_at is its place in the
// window, fill_last ends the window. v: those of drain's st_issue; with v[0],
// drain_at and drain_last are those of its beat; q is the token to push LATENCY
// >= 1 cycles after. A token filled at t is there for drain beats from t + 2.
module st_convert #(
    parameter int WIDTH = 32,
    parameter int WINDOW = 16,
    parameter int BANKS = 2,
    parameter int STYLE = 0,
    parameter int LATENCY = 3,
    localparam int BITS = WINDOW > 1 ? $clog2(WINDOW) : 1
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             fill,
    input  logic             fill_last,
    input  logic [ BITS-1:0] fill_at,
    input  logic [WIDTH-1:0] d,
    input  logic [LATENCY:0] v,
    input  logic             drain_last,
    input  logic [ BITS-1:0] drain_at,
    output logic [WIDTH-1:0] q
);
  localparam int WORDS = BANKS * WINDOW;
  localparam int FULL = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam logic [FULL-1:0] STEP = FULL'(WINDOW);
  localparam logic [FULL-1:0] TOP = FULL'(WORDS - WINDOW);

  // First word of each side's window.
  logic [FULL-1:0] fill_base, drain_base;
  always_ff @(posedge clk)
    if (rst) fill_base <= FULL'(0);
    else if (fill & fill_last)
      fill_base <= fill_base == TOP ? FULL'(0) : fill_base + STEP;
  always_ff @(posedge clk)
    if (rst) drain_base <= FULL'(0);
    else if (v[0] & drain_last)
      drain_base <= drain_base == TOP ? FULL'(0) : drain_base + STEP;

  logic write;
  logic [FULL-1:0] write_at;
  logic [WIDTH-1:0] token, word;
  always_ff @(posedge clk)
    if (rst) write <= 1'b0;
    else write <= fill;
  always_ff @(posedge clk)
    if (fill) begin
      write_at <= fill_base + FULL'(fill_at);
      token <= d;
    end
  st_ram #(.WIDTH(WIDTH), .DEPTH(WORDS), .STYLE(STYLE), .READ(1)) ram (
      .clk, .write, .write_at, .d(token), .read(v[0]),
      .read_at(drain_base + FULL'(drain_at)), .q(word));
  st_delay #(.WIDTH(WIDTH), .LATENCY(LATENCY - 1)) delay (
      .clk, .en(v[LATENCY:1]), .d(word), .q);
endmodule
