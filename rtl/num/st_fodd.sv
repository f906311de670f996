// st_fodd: y = tanh(a), or erf(a) with ERF; the bits of st_num_odd (num.h).
//
// en[k]: an operand entered k cycles ago (en[0]: a is valid now); y is the
// result of the operand of LATENCY cycles ago. New operands every cycle.
// LATENCY >= 10. Algorithm: the significand times the even cofactor f(x)/x, by
// cubic segments of 1/32; +-1 past the last segment.
module st_fodd #(
    parameter int LATENCY = 34,
    parameter bit ERF = 1'b0
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    output logic [31:0]      y
);
  localparam int MIN = 10;
  localparam logic [9:0] LIMIT = ERF ? 10'd128 : 10'd289;

  // 1: zeros and NaN pass, from 16 on it is 1.
  logic [31:0] u;
  assign u = st_num::canon(a);
  logic s1_pass, s1_one, s1_none;
  logic [31:0] s1_u;
  logic [5:0] s1_s;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_pass <= u[30:0] == 31'd0 | u[30:0] > st_num::INF;
      s1_one <= u[30:23] >= 8'd131;
      s1_none <= u[30:23] <= 8'd97;
      s1_u <= u;
      s1_s <= 6'(8'd130 - u[30:23]);
    end

  // 2: |a| in units of 2^-29.
  logic s2_pass, s2_one;
  logic [31:0] s2_u;
  logic [32:0] s2_x;
  always_ff @(posedge clk)
    if (en[1]) begin
      s2_pass <= s1_pass;
      s2_one <= s1_one;
      s2_u <= s1_u;
      s2_x <= s1_none ? 33'd0 : {1'b1, s1_u[22:0], 9'd0} >> s1_s;
    end

  // 3: table.
  logic signed [31:0] c0, s3_c0;
  logic signed [27:0] c1, s3_c1;
  logic signed [21:0] c2, s3_c2;
  logic signed [15:0] c3, s3_c3;
  if (ERF) begin : g_erf
    st_rom_erf rom (.i(s2_x[30:24]), .c0, .c1, .c2, .c3);
  end else begin : g_tanh
    st_rom_tanh rom (.i(s2_x[32:24]), .c0, .c1, .c2, .c3);
  end
  logic s3_pass, s3_one;
  logic [31:0] s3_u;
  logic [23:0] s3_t;
  always_ff @(posedge clk)
    if (en[2]) begin
      s3_pass <= s2_pass;
      s3_one <= s2_one | {1'b0, s2_x[32:24]} >= LIMIT;
      s3_u <= s2_u;
      s3_c0 <= c0;
      s3_c1 <= c1;
      s3_c2 <= c2;
      s3_c3 <= c3;
      s3_t <= s2_x[23:0];
    end

  // 4 to 7.
  logic [31:0] g;
  st_cubic cubic (
      .clk, .en(en[6:3]), .c0(s3_c0), .c1(s3_c1), .c2(s3_c2), .c3(s3_c3),
      .t(s3_t), .g);
  logic z_pass, z_one;
  logic [31:0] z_u;
  st_delay #(.WIDTH(34), .LATENCY(4)) carry (
      .clk, .en(en[7:3]), .d({s3_pass, s3_one, s3_u}),
      .q({z_pass, z_one, z_u}));

  // 8: times the significand.
  logic s8_pass, s8_one;
  logic [31:0] s8_u;
  logic [55:0] s8_p;
  always_ff @(posedge clk)
    if (en[7]) begin
      s8_pass <= z_pass;
      s8_one <= z_one;
      s8_u <= z_u;
      s8_p <= 56'({1'b1, z_u[22:0]}) * 56'(g);
    end

  // 9: normalise; the cofactor is at least 1/10.
  logic [4:0] lz;
  assign lz = st_num::clz32({s8_p[55:48], 24'hffffff});
  logic s9_pass, s9_one;
  logic [31:0] s9_u;
  logic signed [11:0] s9_e;
  logic [55:0] s9_m;
  always_ff @(posedge clk)
    if (en[8]) begin
      s9_pass <= s8_pass;
      s9_one <= s8_one;
      s9_u <= s8_u;
      s9_e <= $signed({4'd0, s8_u[30:23]}) - 12'sd126 - $signed({7'd0, lz});
      s9_m <= s8_p << lz;
    end

  // 10: round.
  logic [31:0] s10;
  always_ff @(posedge clk)
    if (en[9])
      s10 <= s9_pass ? s9_u
          : s9_one ? {s9_u[31], st_num::ONE[30:0]}
          : st_num::pack(s9_u[31], s9_e, {s9_m[55:31], s9_m[30:0] != 31'd0});

  st_delay #(.WIDTH(32), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(s10), .q(y));
endmodule
