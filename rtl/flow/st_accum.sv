// st_accum: the accumulators of a reduction (doc/machine.md, "Kernel"):
// acc = first ? v : combine(acc, v) for one of POSITIONS accumulators.
//
// The combining operator stands outside, with latency LATENCY >= 1 and the same
// enables: its operands are acc and v, its result comes back as combined.
// en[0]: position, first and v are valid, and acc is that accumulator's value;
// en[LATENCY]: y is its new value. A position may come again from LATENCY
// cycles later on (the II of the kernel sees to that); then acc is y.
module st_accum #(
    parameter int WIDTH = 32,
    parameter int POSITIONS = 1,
    parameter int LATENCY = 6,
    localparam int BITS = POSITIONS > 1 ? $clog2(POSITIONS) : 1
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [ BITS-1:0] position,
    input  logic             first,
    input  logic [WIDTH-1:0] v,
    output logic [WIDTH-1:0] acc,
    input  logic [WIDTH-1:0] combined,
    output logic [WIDTH-1:0] y
);
  logic [BITS-1:0] position_of_y;
  logic first_of_y;
  logic [WIDTH-1:0] v_of_y, stored;
  st_delay #(.WIDTH(BITS + 1 + WIDTH), .LATENCY(LATENCY)) delay (
      .clk, .en, .d({position, first, v}),
      .q({position_of_y, first_of_y, v_of_y}));
  assign y = first_of_y ? v_of_y : combined;

  st_ram #(.WIDTH(WIDTH), .DEPTH(POSITIONS)) ram (
      .clk, .write(en[LATENCY]), .write_at(position_of_y), .d(y),
      .read(1'b1), .read_at(position), .q(stored));
  assign acc = en[LATENCY] & position_of_y == position ? y : stored;
endmodule
