// st_fmul: y = a * b. binary32, nearest even, flushed before rounding.
//
// en[k]: an operand pair entered k cycles ago (en[0]: a and b are valid now);
// y is the result of the pair of LATENCY cycles ago. New operands every cycle.
// LATENCY >= 5. Algorithm: the exact 48-bit product (two stages, for DSP
// registers), one step of normalisation, rounding.
module st_fmul #(
    parameter int LATENCY = 5
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    input  logic [31:0]      b,
    output logic [31:0]      y
);
  localparam int MIN = 5;

  // 1: special cases.
  logic [31:0] u, v;
  logic zero, inf;
  assign u = st_num::flush(a);
  assign v = st_num::flush(b);
  assign zero = u[30:0] == 31'd0 | v[30:0] == 31'd0;
  assign inf = u[30:0] == st_num::INF | v[30:0] == st_num::INF;

  logic s1_sign, s1_nan, s1_inf, s1_zero;
  logic signed [11:0] s1_e;
  logic [23:0] s1_x, s1_y;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_sign <= u[31] ^ v[31];
      s1_nan <= u[30:0] > st_num::INF | v[30:0] > st_num::INF | (zero & inf);
      s1_inf <= inf;
      s1_zero <= zero;
      s1_e <= $signed({4'd0, u[30:23]}) + $signed({4'd0, v[30:23]}) - 12'sd254;
      s1_x <= {1'b1, u[22:0]};
      s1_y <= {1'b1, v[22:0]};
    end

  // 2, 3: product.
  logic s2_sign, s2_nan, s2_inf, s2_zero, s3_sign, s3_nan, s3_inf, s3_zero;
  logic signed [11:0] s2_e, s3_e;
  logic [47:0] s2_p, s3_p;
  always_ff @(posedge clk)
    if (en[1]) begin
      s2_sign <= s1_sign;
      s2_nan <= s1_nan;
      s2_inf <= s1_inf;
      s2_zero <= s1_zero;
      s2_e <= s1_e;
      s2_p <= 48'(s1_x) * 48'(s1_y);
    end
  always_ff @(posedge clk)
    if (en[2]) begin
      s3_sign <= s2_sign;
      s3_nan <= s2_nan;
      s3_inf <= s2_inf;
      s3_zero <= s2_zero;
      s3_e <= s2_e;
      s3_p <= s2_p;
    end

  // 4: normalise.
  logic s4_sign, s4_nan, s4_inf, s4_zero;
  logic signed [11:0] s4_e;
  logic [25:0] s4_m;
  always_ff @(posedge clk)
    if (en[3]) begin
      s4_sign <= s3_sign;
      s4_nan <= s3_nan;
      s4_inf <= s3_inf;
      s4_zero <= s3_zero;
      s4_e <= s3_e + $signed({11'd0, s3_p[47]});
      s4_m <= s3_p[47] ? {s3_p[47:23], s3_p[22:0] != 23'd0}
                       : {s3_p[46:22], s3_p[21:0] != 22'd0};
    end

  // 5: round.
  logic [31:0] s5;
  always_ff @(posedge clk)
    if (en[4])
      s5 <= s4_nan ? st_num::NAN
          : s4_inf ? {s4_sign, st_num::INF}
          : s4_zero ? {s4_sign, 31'd0}
          : st_num::pack(s4_sign, s4_e, s4_m);

  st_delay #(.WIDTH(32), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(s5), .q(y));
endmodule
