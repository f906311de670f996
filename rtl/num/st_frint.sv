// st_frint: y = a as a whole number; MODE 0 towards zero, 1 down, 2 up, 3 to
// nearest even. binary32, exact; a zero result has the operand's sign.
//
// en[k]: an operand entered k cycles ago (en[0]: a is valid now); y is the
// result of the operand of LATENCY cycles ago. LATENCY >= 0. Algorithm: the
// bits below the point are cut off; rounding up adds one unit to the number's bits,
// whose carry runs into the exponent.
module st_frint #(
    parameter int LATENCY = 1,
    parameter bit [1:0] MODE = 2'd0
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    output logic [31:0]      y
);
  // For 1 <= |a| < 2^23 the mask covers the bits below the point. (The unit of
  // 1 <= |a| < 2 is the exponent's last bit, which is 1 as the hidden one is.)
  logic [31:0] u, mask, unit, half;
  logic rest, up, tie, near;
  logic [30:0] big, below;
  assign u = st_num::canon(a);
  assign mask = 32'h007fffff >> (u[30:23] - 8'd127);
  assign unit = mask + 32'd1;
  assign half = unit >> 1;
  assign rest = (u & mask) != 32'd0;
  assign tie = (u & mask) == half;
  assign near = (u & half) != 32'd0 & (~tie | (u & unit) != 32'd0);
  assign up = MODE == 2'd1 ? u[31] & rest
            : MODE == 2'd2 ? ~u[31] & rest
            : MODE == 2'd3 ? near : 1'b0;
  assign big = (u[30:0] & ~mask[30:0]) + (up ? unit[30:0] : 31'd0);

  // Below 1: 0 or 1.
  logic one;
  assign one = u[30:0] != 31'd0 &
               (MODE == 2'd1 ? u[31]
                : MODE == 2'd2 ? ~u[31]
                : MODE == 2'd3 ? u[30:0] > 31'h3f000000 : 1'b0);
  assign below = one ? st_num::ONE[30:0] : 31'd0;

  st_delay #(.WIDTH(32), .LATENCY(LATENCY)) delay (
      .clk, .en,
      .d({u[31], u[30:23] >= 8'd150 ? u[30:0]
                 : u[30:23] >= 8'd127 ? big : below}),
      .q(y));
endmodule
