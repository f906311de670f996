// st_address: base + sum over the loops l of index(l) * stride(l), modulo
// 2^WIDTH, without a multiplier: beside the counters of st_loops.
//
// start takes base and the strides (loop l in bits l*WIDTH and up); next and
// last are those of st_loops. at belongs to the beat that the counters show and
// is a register. Algorithm: one sum for each loop over that loop and those
// outside it; when a loop advances, it and all inside take its sum + stride.
module st_address #(
    parameter int N = 1,
    parameter int WIDTH = 32
) (
    input  logic               clk,
    input  logic               start,
    input  logic [  WIDTH-1:0] base,
    input  logic [N*WIDTH-1:0] stride,
    input  logic               next,
    input  logic [      N-1:0] last,
    output logic [  WIDTH-1:0] at
);
  // After the last beat of all the sums are those of the first again.
  logic [WIDTH-1:0] origin;
  always_ff @(posedge clk) if (start) origin <= base;

  for (genvar l = 0; l < N; l++) begin : g_loop
    // ends: all loops inside are at their last iteration. to: what the sum then
    // becomes; at the last iteration the loop outside says it.
    logic ends;
    logic [WIDTH-1:0] sum, by, to;
    if (l == N - 1) begin : g_innermost
      assign ends = 1'b1;
    end else begin : g_outer
      assign ends = g_loop[l+1].ends & last[l+1];
    end
    if (l == 0) begin : g_first
      assign to = last[0] ? origin : sum + by;
    end else begin : g_inner
      assign to = last[l] ? g_loop[l-1].to : sum + by;
    end
    always_ff @(posedge clk)
      if (start) begin
        sum <= base;
        by <= stride[l*WIDTH+:WIDTH];
      end else if (next & ends) begin
        sum <= to;
      end
  end
  assign at = g_loop[N-1].sum;
endmodule
