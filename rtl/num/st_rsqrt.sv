// st_rsqrt: y = 1 / sqrt(a), the bits of st_num_rsqrt (num.h).
//
// en[k]: an operand entered k cycles ago (en[0]: a is valid now); y is the
// result of the operand of LATENCY cycles ago. New operands every cycle.
// LATENCY >= 7. Algorithm: cubic segments of the significand in [1, 4).
module st_rsqrt #(
    parameter int LATENCY = 7
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    output logic [31:0]      y
);
  localparam int MIN = 7;

  // 1: special cases.
  logic [31:0] u;
  assign u = st_num::flush(a);
  logic s1_sign, s1_nan, s1_inf, s1_zero;
  logic [23:0] s1_u;
  logic signed [11:0] s1_e;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_sign <= u[31];
      s1_zero <= u == {1'b0, st_num::INF};
      s1_inf <= u[30:0] == 31'd0;
      s1_nan <= u[30:0] != 31'd0 & (u[31] | u[30:0] > st_num::INF);
      s1_u <= u[23:0];
      s1_e <= -(($signed({4'd0, u[30:23]}) - 12'sd127) >>> 1);
    end

  // 2: table.
  logic signed [31:0] c0, s2_c0;
  logic signed [27:0] c1, s2_c1;
  logic signed [21:0] c2, s2_c2;
  logic signed [15:0] c3, s2_c3;
  logic [16:0] s2_t;
  st_rom_rsqrt rom (.i({~s1_u[23], s1_u[22:17]}), .c0, .c1, .c2, .c3);
  always_ff @(posedge clk)
    if (en[1]) begin
      s2_c0 <= c0;
      s2_c1 <= c1;
      s2_c2 <= c2;
      s2_c3 <= c3;
      s2_t <= s1_u[16:0];
    end

  // 3 to 6: g in [2^30, 2^31].
  logic [31:0] g;
  st_cubic cubic (
      .clk, .en(en[5:2]), .c0(s2_c0), .c1(s2_c1), .c2(s2_c2), .c3(s2_c3),
      .t({s2_t, 7'd0}), .g);
  logic z_sign, z_nan, z_inf, z_zero;
  logic signed [11:0] z_e;
  st_delay #(.WIDTH(16), .LATENCY(5)) carry (
      .clk, .en(en[6:1]), .d({s1_sign, s1_nan, s1_inf, s1_zero, s1_e}),
      .q({z_sign, z_nan, z_inf, z_zero, z_e}));

  // 7: round.
  logic [31:0] s7;
  always_ff @(posedge clk)
    if (en[6])
      s7 <= z_inf ? {z_sign, st_num::INF}
          : z_nan ? st_num::NAN
          : z_zero ? 32'd0
          : g[31] ? st_num::pack(1'b0, z_e, {g[31:7], g[6:0] != 7'd0})
          : st_num::pack(1'b0, z_e - 12'sd1, {g[30:6], g[5:0] != 6'd0});

  st_delay #(.WIDTH(32), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(s7), .q(y));
endmodule
