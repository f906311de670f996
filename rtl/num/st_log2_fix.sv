// st_log2_fix: v 2^-scale = log2 of a positive normal number, st_num_log2_fix
// of num.h; scale is 70 if close, else 55.
//
// en[k]: an operand entered k cycles ago; v and close are the result of the
// operand of eight cycles ago. Algorithm: Tang's, tables of c = 1/m and of
// -log2(c), log2(1 + r) for r = m c - 1 by a quartic.
module st_log2_fix (
    input  logic               clk,
    input  logic        [ 7:0] en,
    input  logic        [30:0] u,
    output logic signed [63:0] v,
    output logic               close
);
  // 1: tables; from segment 106 on the exponent is raised by one.
  logic [9:0] c;
  logic signed [54:0] tab;
  st_rom_log2 rom (.i(u[22:15]), .c, .y(tab));
  logic s1_close;
  logic signed [8:0] s1_e;
  logic [9:0] s1_c;
  logic signed [54:0] s1_tab;
  logic [23:0] s1_m;
  logic signed [8:0] e;
  assign e = $signed({1'b0, u[30:23]}) - (u[22:15] >= 8'd106 ? 9'sd126
                                                             : 9'sd127);
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_e <= e;
      s1_close <= e == 9'sd0 & tab == 55'sd0;
      s1_c <= c;
      s1_tab <= tab;
      s1_m <= {1'b1, u[22:0]};
    end

  // 2: r = m c - 2^32, |r| <= 2^24.
  logic [33:0] mc;
  assign mc = 34'(s1_m) * 34'(s1_c);
  logic signed [25:0] s2_r, s3_r, s4_r, s5_r, s6_r;
  always_ff @(posedge clk) if (en[1]) s2_r <= $signed(mc[25:0]);

  // 3: d3 = D3 - D4 r.
  logic signed [17:0] s2_rh, s3_rh;
  assign s2_rh = s2_r[25:8];
  assign s3_rh = s3_r[25:8];
  logic signed [33:0] m3;
  assign m3 = $signed({19'd0, st_const::LOG2_D4}) * 34'(s2_rh);
  logic signed [20:0] s3_d;
  always_ff @(posedge clk)
    if (en[2]) begin
      s3_r <= s2_r;
      s3_d <= $signed({2'd0, st_const::LOG2_D3}) - 21'(m3 >>> 20);
    end

  // 4: d2 = D2 - d3 r.
  logic signed [38:0] m4;
  assign m4 = 39'(s3_d) * 39'(s3_rh);
  logic signed [26:0] s4_d;
  always_ff @(posedge clk)
    if (en[3]) begin
      s4_r <= s3_r;
      s4_d <= $signed({2'd0, st_const::LOG2_D2}) - 27'(m4 >>> 18);
    end

  // 5: d1 = D1 - d2 r.
  logic signed [52:0] m5;
  assign m5 = 53'(s4_d) * 53'(s4_r);
  logic signed [33:0] s5_d;
  always_ff @(posedge clk)
    if (en[4]) begin
      s5_r <= s4_r;
      s5_d <= $signed({2'd0, st_const::LOG2_D1}) - 34'(m5 >>> 26);
    end

  // 6: d0 = D0 - d1 r.
  logic signed [59:0] m6;
  assign m6 = 60'(s5_d) * 60'(s5_r);
  logic signed [40:0] s6_d;
  always_ff @(posedge clk)
    if (en[5]) begin
      s6_r <= s5_r;
      s6_d <= $signed({2'd0, st_const::LOG2_D0}) - 41'(m6 >>> 26);
    end

  // 7: d0 r; 8: with the table and the exponent.
  logic signed [63:0] s7_v;
  always_ff @(posedge clk) if (en[6]) s7_v <= 64'(s6_d) * 64'(s6_r);
  logic s7_close;
  logic signed [8:0] s7_e;
  logic signed [54:0] s7_tab;
  st_delay #(.WIDTH(65), .LATENCY(6)) carry (
      .clk, .en(en[7:1]), .d({s1_close, s1_e, s1_tab}),
      .q({s7_close, s7_e, s7_tab}));
  always_ff @(posedge clk)
    if (en[7]) begin
      close <= s7_close;
      v <= s7_close ? s7_v
                   : {s7_e, 55'd0} + 64'(s7_tab) + 64'(s7_v >>> 15);
    end

  logic unused;
  assign unused = &mc[33:26];
endmodule
