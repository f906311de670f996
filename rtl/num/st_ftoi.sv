// st_ftoi: y = a, binary32, as a signed integer of WIDTH <= 64 bits: towards
// zero, saturating, 0 for NaN.
//
// en[k]: an operand entered k cycles ago (en[0]: a is valid now); y is the
// result of the operand of LATENCY cycles ago. New operands every cycle.
// LATENCY >= 2. Algorithm: shift of the significand, then sign and saturation.
module st_ftoi #(
    parameter int LATENCY = 2,
    parameter int WIDTH = 64
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    output logic [WIDTH-1:0] y
);
  localparam int MIN = 2;
  localparam logic [WIDTH-1:0] LEAST = WIDTH'(1) << (WIDTH - 1);

  logic [7:0] e;
  logic [WIDTH+22:0] t;
  logic nan;
  assign e = a[30:23] - 8'd127;
  assign t = (WIDTH + 23)'({1'b1, a[22:0]}) << e[5:0];
  assign nan = a[30:0] > st_num::INF;

  logic s1_sign, s1_over;
  logic [WIDTH-1:0] s1_m;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_sign <= a[31];
      s1_over <= ~nan & a[30:23] >= 8'd127 & {1'b0, e} + 9'd1 >= 9'(WIDTH);
      s1_m <= nan | a[30:23] < 8'd127 ? WIDTH'(0) : t[WIDTH+22:23];
    end

  logic [WIDTH-1:0] s2;
  always_ff @(posedge clk)
    if (en[1])
      s2 <= s1_over ? (s1_sign ? LEAST : ~LEAST)
          : s1_sign ? ~s1_m + WIDTH'(1) : s1_m;

  logic unused;
  assign unused = &t[22:0];

  st_delay #(.WIDTH(WIDTH), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(s2), .q(y));
endmodule
