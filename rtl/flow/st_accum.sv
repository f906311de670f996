// st_accum: the accumulators of a reduction (doc/machine.md, "Kernel"): WAYS of
// them for each of POSITIONS; acc = first ? v : combine(acc, v).
//
// The combining operator stands outside, with latency LATENCY >= 1 and the same
// enables: its operands are acc and v, its result comes back as combined.
// en[0]: position, way, first and v are valid, and acc is that accumulator's
// value; en[LATENCY]: all of the position's ways are in y, way w in bits
// w*WIDTH and up, the new value among them. An accumulator may come again from
// LATENCY cycles later on (the II of the kernel sees to that); then acc is new.
module st_accum #(
    parameter int WIDTH = 32,
    parameter int POSITIONS = 1,
    parameter int WAYS = 1,
    parameter int LATENCY = 6,
    localparam int BITS = POSITIONS > 1 ? $clog2(POSITIONS) : 1,
    localparam int TURN = $clog2(WAYS + 1)
) (
    input  logic                  clk,
    input  logic [     LATENCY:0] en,
    input  logic [      BITS-1:0] position,
    input  logic [      TURN-1:0] way,
    input  logic                  first,
    input  logic [     WIDTH-1:0] v,
    output logic [     WIDTH-1:0] acc,
    input  logic [     WIDTH-1:0] combined,
    output logic [WAYS*WIDTH-1:0] y
);
  logic [BITS-1:0] position_of_y;
  logic [TURN-1:0] way_of_y;
  logic first_of_y;
  logic [WIDTH-1:0] v_of_y, new_;
  st_delay #(.WIDTH(BITS + TURN + 1 + WIDTH), .LATENCY(LATENCY)) delay (
      .clk, .en, .d({position, way, first, v}),
      .q({position_of_y, way_of_y, first_of_y, v_of_y}));
  assign new_ = first_of_y ? v_of_y : combined;

  // One memory for each way, and its copy for the port that reads y.
  for (genvar w = 0; w < WAYS; w++) begin : g_way
    logic write;
    logic [WIDTH-1:0] stored, chosen;
    assign write = en[LATENCY] & way_of_y == TURN'(w);
    st_ram #(.WIDTH(WIDTH), .DEPTH(POSITIONS)) ram (
        .clk, .write, .write_at(position_of_y), .d(new_), .read(1'b1),
        .read_at(position), .q(stored));
    if (WAYS == 1) begin : g_only
      assign y = new_;
    end else begin : g_one_of
      logic [WIDTH-1:0] other;
      st_ram #(.WIDTH(WIDTH), .DEPTH(POSITIONS)) copy (
          .clk, .write, .write_at(position_of_y), .d(new_), .read(1'b1),
          .read_at(position_of_y), .q(other));
      assign y[w*WIDTH+:WIDTH] = write ? new_ : other;
    end
    if (w == 0) begin : g_first
      assign chosen = stored;
    end else begin : g_next
      assign chosen = way == TURN'(w) ? stored : g_way[w-1].chosen;
    end
  end
  assign acc = en[LATENCY] & position_of_y == position & way_of_y == way
      ? new_ : g_way[WAYS-1].chosen;
endmodule
