// st_exp2_fix: y = 2^(f 2^-32) 2^31, st_num_exp2_fix of num.h.
//
// en[k]: an f entered k cycles ago; y is the result of that of five cycles ago.
// Algorithm: Tang's, a table of 2^(i/256) and a cubic of the rest.
module st_exp2_fix (
    input  logic        clk,
    input  logic [ 4:0] en,
    input  logic [31:0] f,
    output logic [31:0] y
);
  // 1: table; c2 = C2 + C3 r.
  logic [31:0] top;
  st_rom_exp2 rom (.i(f[31:24]), .y(top));
  logic [33:0] m1;
  assign m1 = 34'(st_const::EXP2_C3) * 34'(f[23:6]);
  logic [31:0] s1_top, s2_top, s3_top, s4_top;
  logic [23:0] s1_r, s2_r;
  logic [17:0] s1_c2;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_top <= top;
      s1_r <= f[23:0];
      s1_c2 <= st_const::EXP2_C2 + 18'(m1 >> 26);
    end

  // 2: c1 = C1 + c2 r.
  logic [35:0] m2;
  assign m2 = 36'(s1_c2) * 36'(s1_r[23:6]);
  logic [25:0] s2_c1;
  always_ff @(posedge clk)
    if (en[1]) begin
      s2_top <= s1_top;
      s2_r <= s1_r;
      s2_c1 <= st_const::EXP2_C1 + 26'(m2 >> 20);
    end

  // 3: p = c1 r.
  logic [49:0] m3;
  assign m3 = 50'(s2_c1) * 50'(s2_r);
  logic [25:0] s3_p;
  always_ff @(posedge clk)
    if (en[2]) begin
      s3_top <= s2_top;
      s3_p <= 26'(m3 >> 24);
    end

  // 4, 5: top + top p.
  logic [57:0] m4;
  assign m4 = 58'(s3_top) * 58'(s3_p);
  logic [23:0] s4_q;
  always_ff @(posedge clk)
    if (en[3]) begin
      s4_top <= s3_top;
      s4_q <= 24'(m4 >> 34);
    end
  always_ff @(posedge clk) if (en[4]) y <= s4_top + 32'(s4_q);
endmodule
