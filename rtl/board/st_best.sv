// st_best: where the largest of the numbers lies that a store writes; of equal
// ones the first. NaN are left out, both zeros are equal.
//
// LANES numbers a token; number l of the token at address a is number a * LANES
// + l. clear forgets all; best is that of the writes two cycles ago and before,
// 0 before any.
module st_best #(
    parameter int LANES = 1,
    parameter int ADDRESS = 10,
    localparam int BITS = ADDRESS + $clog2(LANES)
) (
    input  logic                clk,
    input  logic                clear,
    input  logic                write,
    input  logic [ ADDRESS-1:0] at,
    input  logic [LANES*32-1:0] data,
    output logic [    BITS-1:0] best
);
  logic s1_write, known;
  logic [ADDRESS-1:0] s1_at;
  logic [LANES*32-1:0] s1_data;
  always_ff @(posedge clk) s1_write <= write & ~clear;
  always_ff @(posedge clk)
    if (write) begin
      s1_at <= at;
      s1_data <= data;
    end

  logic signed [31:0] top;
  for (genvar l = 0; l < LANES; l++) begin : g_lane
    logic known_in, number, wins;
    logic signed [31:0] top_in, key;
    logic [BITS-1:0] best_in, place;
    if (l == 0) begin : g_first
      assign known_in = known;
      assign top_in = top;
      assign best_in = best;
    end else begin : g_next
      assign known_in = g_lane[l-1].known_out;
      assign top_in = g_lane[l-1].top_out;
      assign best_in = g_lane[l-1].best_out;
    end
    logic [31:0] x;
    assign x = s1_data[l*32+:32];
    assign number = x[30:0] <= st_num::INF;
    assign key = st_num::key(x[30:23] == 8'd0 ? 32'd0 : x);
    assign place = BITS'(s1_at) * BITS'(LANES) + BITS'(l);
    assign wins = number & (~known_in | key > top_in |
                            (key == top_in & place < best_in));
    logic known_out;
    logic signed [31:0] top_out;
    logic [BITS-1:0] best_out;
    assign known_out = known_in | wins;
    assign top_out = wins ? key : top_in;
    assign best_out = wins ? place : best_in;
  end

  always_ff @(posedge clk)
    if (clear) begin
      known <= 1'b0;
      best <= BITS'(0);
    end else if (s1_write) begin
      known <= g_lane[LANES-1].known_out;
      best <= g_lane[LANES-1].best_out;
    end
  always_ff @(posedge clk) if (s1_write) top <= g_lane[LANES-1].top_out;
endmodule
