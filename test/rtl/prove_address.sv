// st_address beside st_loops: the address is base + sum of index * stride, the
// flags are those of the index, and a run has every iteration once, in order.
module prove_address #(
    parameter int N = 2,
    parameter int WIDTH = 2
) (
    input  logic               clk,
    input  logic               want_start,
    input  logic               want_next,
    input  logic [N*WIDTH-1:0] some_trip,
    input  logic [N*WIDTH-1:0] some_stride,
    input  logic [  WIDTH-1:0] some_base,
    output logic               bad
);
  logic run;
  initial run = 1'b0;
  always_ff @(posedge clk) run <= 1'b1;

  logic start, next, busy;
  logic [N*WIDTH-1:0] index, trip, stride;
  logic [WIDTH-1:0] base, at;
  logic [N-1:0] zero, last;
  assign start = run & want_start & ~busy;
  assign next = run & want_next & busy;
  st_loops #(.N(N), .WIDTH(WIDTH)) loops (
      .clk, .rst(~run), .start, .trip(some_trip), .next, .busy, .index, .zero,
      .last);
  st_address #(.N(N), .WIDTH(WIDTH)) address (
      .clk, .start, .base(some_base), .stride(some_stride), .next, .last, .at);

  // The counters that loops in a program have.
  logic [N*WIDTH-1:0] count, ahead;
  logic [N:0] carry;
  logic [N-1:0] none, wrong;
  logic going;
  assign carry[N] = 1'b1;
  for (genvar l = 0; l < N; l++) begin : g_loop
    logic [WIDTH-1:0] c, n, s;
    assign c = count[l*WIDTH+:WIDTH];
    assign n = trip[l*WIDTH+:WIDTH];
    assign s = stride[l*WIDTH+:WIDTH];
    assign carry[l] = carry[l+1] & c + WIDTH'(1) == n;
    assign ahead[l*WIDTH+:WIDTH] = ~carry[l+1] ? c
                                 : carry[l] ? WIDTH'(0) : c + WIDTH'(1);
    assign none[l] = some_trip[l*WIDTH+:WIDTH] == WIDTH'(0);
    assign wrong[l] = index[l*WIDTH+:WIDTH] != c | zero[l] != (c == WIDTH'(0)) |
                      last[l] != (c + WIDTH'(1) == n);
    logic [WIDTH-1:0] sum;
    if (l == 0) begin : g_first
      assign sum = base + c * s;
    end else begin : g_more
      assign sum = g_loop[l-1].sum + c * s;
    end
  end
  always_ff @(posedge clk)
    if (~run) begin
      going <= 1'b0;
    end else if (start) begin
      going <= none == N'(0);
      count <= (N * WIDTH)'(0);
      trip <= some_trip;
      stride <= some_stride;
      base <= some_base;
    end else if (next) begin
      going <= ~carry[0];
      count <= ahead;
    end
  assign bad = run & (busy != going |
                      (busy & (wrong != N'(0) | at != g_loop[N-1].sum)));
endmodule
