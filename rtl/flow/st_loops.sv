// st_loops: the loop counters of a process: N loops, loop 0 outermost.
//
// start, for one cycle, takes the trips (loop l in bits l*WIDTH and up) and
// begins a run from the next cycle on. While busy is set, index, zero and last
// describe the next beat: index of each loop, whether it is at 0, whether it is
// at its last iteration; next goes on to the beat after. A trip of 0 gives a
// run without beats. All outputs depend on registers only.
module st_loops #(
    parameter int N = 1,
    parameter int WIDTH = 16
) (
    input  logic               clk,
    input  logic               rst,
    input  logic               start,
    input  logic [N*WIDTH-1:0] trip,
    input  logic               next,
    output logic               busy,
    output logic [N*WIDTH-1:0] index,
    output logic [      N-1:0] zero,
    output logic [      N-1:0] last
);
  logic [N-1:0] none;
  for (genvar l = 0; l < N; l++) begin : g_loop
    logic [WIDTH-1:0] i, top, count;
    logic inner;  // whether all loops inside are at their last iteration
    if (l == N - 1) begin : g_innermost
      assign inner = 1'b1;
    end else begin : g_outer
      assign inner = g_loop[l+1].inner & last[l+1];
    end
    assign count = trip[l*WIDTH+:WIDTH];
    assign none[l] = count == WIDTH'(0);
    assign last[l] = i == top;
    assign zero[l] = i == WIDTH'(0);
    assign index[l*WIDTH+:WIDTH] = i;
    always_ff @(posedge clk)
      if (start) begin
        i <= WIDTH'(0);
        top <= count - WIDTH'(1);
      end else if (next & inner) begin
        i <= last[l] ? WIDTH'(0) : i + WIDTH'(1);
      end
  end

  always_ff @(posedge clk)
    if (rst) busy <= 1'b0;
    else if (start) busy <= none == N'(0);
    else if (next & last == {N{1'b1}}) busy <= 1'b0;
endmodule
