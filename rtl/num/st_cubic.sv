// st_cubic: g = c0 + c1 t + c2 t^2 + c3 t^3 in fixed point, st_num_cubic of
// num.h: t has 24 fraction bits, c0 the unit 2^-31 (less 1), the others 2^-32.
//
// en[k]: coefficients and t entered k cycles ago; g is the result of those of
// four cycles ago, times 2^31. Algorithm: Horner's rule.
module st_cubic (
    input  logic               clk,
    input  logic        [ 3:0] en,
    input  logic signed [31:0] c0,
    input  logic signed [27:0] c1,
    input  logic signed [21:0] c2,
    input  logic signed [15:0] c3,
    input  logic        [23:0] t,
    output logic        [31:0] g
);
  // 1: b = c2 + c3 t, of t the top 17 bits.
  logic signed [34:0] m1;
  assign m1 = 35'(c3) * $signed({18'd0, t[23:7]});
  logic signed [31:0] s1_c0, s2_c0, s3_c0;
  logic signed [27:0] s1_c1;
  logic signed [22:0] s1_b;
  logic [23:0] s1_t, s2_t;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_c0 <= c0;
      s1_c1 <= c1;
      s1_t <= t;
      s1_b <= 23'(c2) + 23'(m1 >>> 17);
    end

  // 2: a = c1 + b t.
  logic signed [47:0] m2;
  assign m2 = 48'(s1_b) * $signed({24'd0, s1_t});
  logic signed [28:0] s2_a;
  always_ff @(posedge clk)
    if (en[1]) begin
      s2_c0 <= s1_c0;
      s2_t <= s1_t;
      s2_a <= 29'(s1_c1) + 29'(m2 >>> 24);
    end

  // 3: p = a t.
  logic signed [53:0] m3;
  assign m3 = 54'(s2_a) * $signed({30'd0, s2_t});
  logic signed [29:0] s3_p;
  always_ff @(posedge clk)
    if (en[2]) begin
      s3_c0 <= s2_c0;
      s3_p <= 30'(m3 >>> 24);
    end

  // 4: g, rounded to 2^-31.
  logic signed [34:0] sum;
  assign sum = {{2{s3_c0[31]}}, s3_c0, 1'b0} + 35'sh1_0000_0001 + 35'(s3_p);
  always_ff @(posedge clk) if (en[3]) g <= sum[32:1];

  logic unused;
  assign unused = &{sum[34:33], sum[0], t[6:0]};
endmodule
