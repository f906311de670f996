// st_way: which accumulator of its position a beat's value goes to, beside the
// counters of st_loops (doc/machine.md, "Kernel"). With k the number of the
// iteration of the reduction loops: way = k mod WAYS, first = k < WAYS, and
// used = min(WAYS, k + 1), which in a position's last beat is how many have a
// value.
//
// start takes for every loop the k that one iteration of it is (0 for a
// parallel loop, else the product of the trips of the reduction loops inside),
// loop l in bits l*BITS and up: turn modulo WAYS, many at most WAYS. next and
// last are those of st_loops; outputs depend on registers only. Algorithm:
// st_address, once modulo WAYS and once saturating.
module st_way #(
    parameter int N = 1,
    parameter int WAYS = 2,
    localparam int BITS = $clog2(WAYS + 1)
) (
    input  logic              clk,
    input  logic              start,
    input  logic [N*BITS-1:0] turn,
    input  logic [N*BITS-1:0] many,
    input  logic              next,
    input  logic [     N-1:0] last,
    output logic [  BITS-1:0] way,
    output logic              first,
    output logic [  BITS-1:0] used
);
  localparam logic [BITS:0] W = (BITS + 1)'(WAYS);
  for (genvar l = 0; l < N; l++) begin : g_loop
    logic ends;
    logic [BITS-1:0] at, by, to, seen, plus, then_;
    logic [BITS:0] sum, total;
    if (l == N - 1) begin : g_innermost
      assign ends = 1'b1;
    end else begin : g_outer
      assign ends = g_loop[l+1].ends & last[l+1];
    end
    assign sum = {1'b0, at} + {1'b0, by};
    assign total = {1'b0, seen} + {1'b0, plus};
    if (l == 0) begin : g_first
      assign to = last[0] ? BITS'(0) : BITS'(sum >= W ? sum - W : sum);
      assign then_ = last[0] ? BITS'(0) : BITS'(total >= W ? W : total);
    end else begin : g_inner
      assign to = last[l] ? g_loop[l-1].to : BITS'(sum >= W ? sum - W : sum);
      assign then_ = last[l] ? g_loop[l-1].then_
                             : BITS'(total >= W ? W : total);
    end
    always_ff @(posedge clk)
      if (start) begin
        at <= BITS'(0);
        by <= turn[l*BITS+:BITS];
        seen <= BITS'(0);
        plus <= many[l*BITS+:BITS];
      end else if (next & ends) begin
        at <= to;
        seen <= then_;
      end
  end
  assign way = g_loop[N-1].at;
  assign first = g_loop[N-1].seen != BITS'(WAYS);
  assign used = first ? g_loop[N-1].seen + BITS'(1) : BITS'(WAYS);
endmodule
