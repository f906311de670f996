// st_exp: y = e^a, the bits of st_num_exp (num.h).
//
// en[k]: an operand entered k cycles ago (en[0]: a is valid now); y is the
// result of the operand of LATENCY cycles ago. New operands every cycle.
// LATENCY >= 10. Algorithm: t = a log2(e) with 32 fraction bits, then
// st_exp2_fix; the exponent is floor(t).
module st_exp #(
    parameter int LATENCY = 12
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    output logic [31:0]      y
);
  localparam int MIN = 10;

  // 1: special cases.
  logic s1_sign, s1_nan, s1_big, s1_small;
  logic [23:0] s1_m;
  logic [5:0] s1_s;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_sign <= a[31];
      s1_nan <= a[30:0] > st_num::INF;
      s1_big <= a[30:23] >= 8'd134;
      s1_small <= a[30:23] < 8'd94;
      s1_m <= {1'b1, a[22:0]};
      s1_s <= 6'(8'd133 - a[30:23]);
    end

  // 2: product with log2(e) 2^39; of its 64 bits the lowest 24 never count.
  logic [63:0] p;
  assign p = 64'(s1_m) * 64'(st_const::LOG2E_Q39);
  logic s2_sign, s2_nan, s2_big;
  logic [5:0] s2_s;
  logic [39:0] s2_p;
  always_ff @(posedge clk)
    if (en[1]) begin
      s2_sign <= s1_sign;
      s2_nan <= s1_nan;
      s2_big <= s1_big;
      s2_s <= s1_s;
      s2_p <= s1_small ? 40'd0 : p[63:24];
    end

  // 3: |t|; 4: t.
  logic s3_sign, s3_nan, s3_big;
  logic [39:0] s3_t;
  always_ff @(posedge clk)
    if (en[2]) begin
      s3_sign <= s2_sign;
      s3_nan <= s2_nan;
      s3_big <= s2_big;
      s3_t <= s2_p >> s2_s;
    end
  logic s4_sign, s4_nan, s4_big;
  logic [40:0] s4_t;
  always_ff @(posedge clk)
    if (en[3]) begin
      s4_sign <= s3_sign;
      s4_nan <= s3_nan;
      s4_big <= s3_big;
      s4_t <= s3_sign ? 41'd0 - 41'(s3_t) : 41'(s3_t);
    end

  // 5 to 9.
  logic [31:0] power;
  st_exp2_fix core (.clk, .en(en[8:4]), .f(s4_t[31:0]), .y(power));
  logic z_sign, z_nan, z_big;
  logic signed [8:0] z_k;
  st_delay #(.WIDTH(12), .LATENCY(5)) carry (
      .clk, .en(en[9:4]), .d({s4_sign, s4_nan, s4_big, s4_t[40:32]}),
      .q({z_sign, z_nan, z_big, z_k}));

  // 10: round.
  logic [31:0] s10;
  always_ff @(posedge clk)
    if (en[9])
      s10 <= z_nan ? st_num::NAN
          : z_big ? (z_sign ? 32'd0 : {1'b0, st_num::INF})
          : st_num::pack(1'b0, 12'(z_k), {power[31:7], power[6:0] != 7'd0});

  st_delay #(.WIDTH(32), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(s10), .q(y));

  logic unused;
  assign unused = &p[23:0];
endmodule
