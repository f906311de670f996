// st_circular: y = sin(a), or cos(a) with COS; the bits of st_num_circular
// (num.h).
//
// en[k]: an operand entered k cycles ago (en[0]: a is valid now); y is the
// result of the operand of LATENCY cycles ago. New operands every cycle.
// LATENCY >= 13. Algorithm: |a| 2/pi modulo 4 after Payne and Hanek, from 96
// bits of 2/pi that start where a multiple of 4 ends; the fraction folded to
// [-1/2, 1/2] quadrants; cubic segments of cos, and of sin over its argument.
module st_circular #(
    parameter int LATENCY = 16,
    parameter bit COS = 1'b0
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    output logic [31:0]      y
);
  localparam int MIN = 13;

  // 1: special cases: below 2^-12 the result is a or 1.
  logic [31:0] u;
  assign u = st_num::flush(a);
  logic s1_nan, s1_small;
  logic [31:0] s1_u;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_nan <= u[30:23] == 8'd255;
      s1_small <= u[30:23] < 8'd115;
      s1_u <= u;
    end
  logic z_nan, z_small;
  logic [31:0] z_u;
  st_delay #(.WIDTH(34), .LATENCY(MIN - 2)) carry (
      .clk, .en(en[MIN-1:1]), .d({s1_nan, s1_small, s1_u}),
      .q({z_nan, z_small, z_u}));

  // 2: the window of 2/pi.
  logic [255:0] window;
  assign window = st_const::TWO_OVER_PI << 8'(s1_u[30:23] - 8'd115);
  logic s2_sign, s3_sign, s4_sign;
  logic [23:0] s2_m;
  logic [95:0] s2_w;
  always_ff @(posedge clk)
    if (en[1]) begin
      s2_sign <= ~COS & s1_u[31];
      s2_m <= {1'b1, s1_u[22:0]};
      s2_w <= window[255:160];
    end

  // 3: products; 4: their sum, 2 + 62 bits of quadrants.
  logic [31:0] s3_p0;
  logic [55:0] s3_p1;
  logic [55:0] p2;
  logic [23:0] s3_p2;
  assign p2 = 56'(s2_m) * 56'(s2_w[31:0]);
  always_ff @(posedge clk)
    if (en[2]) begin
      s3_sign <= s2_sign;
      s3_p0 <= 32'(s2_m) * s2_w[95:64];
      s3_p1 <= 56'(s2_m) * 56'(s2_w[63:32]);
      s3_p2 <= p2[55:32];
    end
  logic [63:0] s4_f;
  always_ff @(posedge clk)
    if (en[3]) begin
      s4_sign <= s3_sign;
      s4_f <= {s3_p0, 32'd0} + 64'(s3_p1) + 64'(s3_p2);
    end

  // 5: to the nearest quadrant.
  logic [1:0] q;
  assign q = s4_f[63:62] + 2'(s4_f[61]) + (COS ? 2'd1 : 2'd0);
  logic s5_sign, s5_cos;
  logic [61:0] s5_d;
  always_ff @(posedge clk)
    if (en[4]) begin
      s5_sign <= s4_sign ^ q[1] ^ (s4_f[61] & ~q[0]);
      s5_cos <= q[0];
      s5_d <= s4_f[61] ? 62'd0 - s4_f[61:0] : s4_f[61:0];
    end

  // 6: tables.
  logic signed [31:0] sin0, cos0, s6_c0;
  logic signed [27:0] sin1, cos1, s6_c1;
  logic signed [21:0] sin2, cos2, s6_c2;
  logic signed [15:0] sin3, cos3, s6_c3;
  st_rom_sin rom_sin (
      .i(s5_d[61:56]), .c0(sin0), .c1(sin1), .c2(sin2), .c3(sin3));
  st_rom_cos rom_cos (
      .i(s5_d[61:56]), .c0(cos0), .c1(cos1), .c2(cos2), .c3(cos3));
  logic s6_sign, s6_cos;
  logic [61:0] s6_d;
  always_ff @(posedge clk)
    if (en[5]) begin
      s6_sign <= s5_sign;
      s6_cos <= s5_cos;
      s6_d <= s5_d;
      s6_c0 <= s5_cos ? cos0 : sin0;
      s6_c1 <= s5_cos ? cos1 : sin1;
      s6_c2 <= s5_cos ? cos2 : sin2;
      s6_c3 <= s5_cos ? cos3 : sin3;
    end

  // 7 to 10: the cubic, and beside it the fraction normalised.
  logic [31:0] g;
  st_cubic cubic (
      .clk, .en(en[9:6]), .c0(s6_c0), .c1(s6_c1), .c2(s6_c2), .c3(s6_c3),
      .t(s6_d[55:32]), .g);
  logic [5:0] lz;
  logic [63:0] shifted;
  assign lz = st_num::clz64({2'd0, s6_d});
  assign shifted = {2'd0, s6_d} << lz;
  logic s7_sign, s7_cos, s7_zero;
  logic [5:0] s7_lz;
  logic [31:0] s7_d;
  always_ff @(posedge clk)
    if (en[6]) begin
      s7_sign <= s6_sign;
      s7_cos <= s6_cos;
      s7_zero <= s6_d == 62'd0 & ~s6_cos;
      s7_lz <= lz;
      s7_d <= shifted[63:32];
    end
  logic s10_sign, s10_cos, s10_zero;
  logic [5:0] s10_lz;
  logic [31:0] s10_d;
  st_delay #(.WIDTH(41), .LATENCY(3)) beside (
      .clk, .en(en[10:7]), .d({s7_sign, s7_cos, s7_zero, s7_lz, s7_d}),
      .q({s10_sign, s10_cos, s10_zero, s10_lz, s10_d}));

  // 11: sin: times the fraction; either has at most one leading zero.
  logic s11_sign, s11_zero;
  logic signed [11:0] s11_e;
  logic [63:0] s11_p;
  always_ff @(posedge clk)
    if (en[10]) begin
      s11_sign <= s10_sign;
      s11_zero <= s10_zero;
      s11_e <= s10_cos ? 12'sd0 : 12'sd2 - $signed({6'd0, s10_lz});
      s11_p <= s10_cos ? {g, 32'd0} : 64'(s10_d) * 64'(g);
    end

  // 12: normalise; 13: round.
  logic s12_sign, s12_zero;
  logic signed [11:0] s12_e;
  logic [25:0] s12_m;
  always_ff @(posedge clk)
    if (en[11]) begin
      s12_sign <= s11_sign;
      s12_zero <= s11_zero;
      s12_e <= s11_e - $signed({11'd0, ~s11_p[63]});
      s12_m <= s11_p[63] ? {s11_p[63:39], s11_p[38:0] != 39'd0}
                         : {s11_p[62:38], s11_p[37:0] != 38'd0};
    end
  logic [31:0] s13;
  always_ff @(posedge clk)
    if (en[12])
      s13 <= z_nan ? st_num::NAN
          : z_small ? (COS ? st_num::ONE : z_u)
          : s12_zero ? {s12_sign, 31'd0}
          : st_num::pack(s12_sign, s12_e, s12_m);

  st_delay #(.WIDTH(32), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(s13), .q(y));

  logic unused;
  assign unused = &{window[159:0], p2[31:0], shifted[31:0]};
endmodule
