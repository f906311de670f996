// st_way beside two loops with up to three iterations each; RED: which of them
// are reduction loops (bit 0 the outer one). k is counted as a program would.
module prove_way #(
    parameter int WAYS = 3,
    parameter bit [1:0] RED = 2'b11
) (
    input  logic       clk,
    input  logic       want_start,
    input  logic       want_next,
    input  logic [3:0] some_trip,
    output logic       bad
);
  localparam int BITS = $clog2(WAYS + 1);
  logic run;
  initial run = 1'b0;
  always_ff @(posedge clk) run <= 1'b1;

  logic start, next, busy, first;
  logic [3:0] index, k, inner;
  logic [1:0] zero, last, trip;
  logic [BITS-1:0] way, used, turn, many;
  assign start = run & want_start & ~busy;
  assign next = run & want_next & busy;
  st_loops #(.N(2), .WIDTH(2)) loops (
      .clk, .rst(~run), .start, .trip(some_trip), .next, .busy, .index, .zero,
      .last);
  // One iteration of the outer loop.
  assign inner = RED[1] ? {2'd0, some_trip[3:2]} : 4'd1;
  assign turn = RED[0] ? BITS'(inner % 4'(WAYS)) : BITS'(0);
  assign many = RED[0] ? (inner < 4'(WAYS) ? BITS'(inner) : BITS'(WAYS))
                       : BITS'(0);
  st_way #(.N(2), .WAYS(WAYS)) ways (
      .clk, .start, .next, .last, .way, .first, .used,
      .turn({BITS'(RED[1]), turn}), .many({BITS'(RED[1]), many}));

  always_ff @(posedge clk) if (start) trip <= some_trip[3:2];
  assign k = (RED[0] ? {2'd0, index[1:0]} * (RED[1] ? {2'd0, trip} : 4'd1)
                     : 4'd0) + (RED[1] ? {2'd0, index[3:2]} : 4'd0);
  assign bad = run & busy &
      (4'(way) != k % 4'(WAYS) | first != (k < 4'(WAYS)) |
       4'(used) != (k + 4'd1 < 4'(WAYS) ? k + 4'd1 : 4'(WAYS)));
endmodule
