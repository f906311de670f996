// st_fadd: y = a + b, or a - b with SUB. binary32, nearest even, flushed.
//
// en[k]: an operand pair entered k cycles ago (en[0]: a and b are valid now);
// y is the result of the pair of LATENCY cycles ago. New operands every cycle.
// LATENCY >= 6. Algorithm: single path with guard, round and sticky bit; order
// by magnitude, align, add, count leading zeros, normalise, round.
module st_fadd #(
    parameter int LATENCY = 6,
    parameter bit SUB = 1'b0
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    input  logic [31:0]      b,
    output logic [31:0]      y
);
  localparam int MIN = 6;

  // 1: order by magnitude; zeros have significand 0.
  logic [31:0] u, v, big, little;
  logic swap;
  assign u = st_num::flush(a);
  assign v = st_num::flush(SUB ? {~b[31], b[30:0]} : b);
  assign swap = u[30:0] < v[30:0];
  assign big = swap ? v : u;
  assign little = swap ? u : v;

  logic s1_sign, s1_zero_sign, s1_minus, s1_nan, s1_inf;
  logic [7:0] s1_e, s1_d;
  logic [23:0] s1_x, s1_y;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_sign <= big[31];
      s1_zero_sign <= u[31] & v[31];
      s1_minus <= big[31] ^ little[31];
      s1_nan <= big[30:0] > st_num::INF |
          (big[30:0] == st_num::INF & little[30:0] == st_num::INF &
           big[31] != little[31]);
      s1_inf <= big[30:0] == st_num::INF;
      s1_e <= big[30:23];
      s1_d <= big[30:23] - little[30:23];
      s1_x <= {big[30:23] != 8'd0, big[22:0]};
      s1_y <= {little[30:23] != 8'd0, little[22:0]};
    end

  // 2: align the smaller one; bit 0 is sticky.
  logic [26:0] right;
  logic [23:0] lost;
  assign right = {s1_y, 3'd0} >> s1_d;
  assign lost = s1_d >= 8'd27 ? s1_y : s1_y & ~(24'hffffff << (s1_d - 8'd3));

  logic s2_sign, s2_zero_sign, s2_minus, s2_nan, s2_inf;
  logic [7:0] s2_e;
  logic [23:0] s2_x;
  logic [26:0] s2_y;
  always_ff @(posedge clk)
    if (en[1]) begin
      s2_sign <= s1_sign;
      s2_zero_sign <= s1_zero_sign;
      s2_minus <= s1_minus;
      s2_nan <= s1_nan;
      s2_inf <= s1_inf;
      s2_e <= s1_e;
      s2_x <= s1_x;
      s2_y <= {right[26:1], right[0] | (s1_d > 8'd3 & lost != 24'd0)};
    end

  // 3: add.
  logic s3_sign, s3_zero_sign, s3_nan, s3_inf;
  logic [7:0] s3_e;
  logic [27:0] s3_sum;
  always_ff @(posedge clk)
    if (en[2]) begin
      s3_sign <= s2_sign;
      s3_zero_sign <= s2_zero_sign;
      s3_nan <= s2_nan;
      s3_inf <= s2_inf;
      s3_e <= s2_e;
      s3_sum <= s2_minus ? {1'b0, s2_x, 3'd0} - {1'b0, s2_y}
                         : {1'b0, s2_x, 3'd0} + {1'b0, s2_y};
    end

  // 4: leading zeros.
  logic s4_sign, s4_nan, s4_inf, s4_zero;
  logic [7:0] s4_e;
  logic [4:0] s4_lz;
  logic [27:0] s4_sum;
  always_ff @(posedge clk)
    if (en[3]) begin
      s4_sign <= s3_sum == 28'd0 ? s3_zero_sign : s3_sign;
      s4_nan <= s3_nan;
      s4_inf <= s3_inf;
      s4_zero <= s3_sum == 28'd0;
      s4_e <= s3_e;
      s4_lz <= st_num::clz32({s3_sum, 4'd0});
      s4_sum <= s3_sum;
    end

  // 5: normalise.
  logic s5_sign, s5_nan, s5_inf, s5_zero;
  logic signed [11:0] s5_e;
  logic [27:0] s5_m;
  always_ff @(posedge clk)
    if (en[4]) begin
      s5_sign <= s4_sign;
      s5_nan <= s4_nan;
      s5_inf <= s4_inf;
      s5_zero <= s4_zero;
      s5_e <= $signed({4'd0, s4_e}) - 12'sd126 - $signed({7'd0, s4_lz});
      s5_m <= s4_sum << s4_lz;
    end

  // 6: round.
  logic [31:0] s6;
  always_ff @(posedge clk)
    if (en[5])
      s6 <= s5_nan ? st_num::NAN
          : s5_inf ? {s5_sign, st_num::INF}
          : s5_zero ? {s5_sign, 31'd0}
          : st_num::pack(s5_sign, s5_e, {s5_m[27:3], s5_m[2:0] != 3'd0});

  st_delay #(.WIDTH(32), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(s6), .q(y));
endmodule
