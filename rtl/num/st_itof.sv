// st_itof: y = a, an integer of WIDTH <= 64 bits, signed or not, as binary32 to
// nearest even.
//
// en[k]: an operand entered k cycles ago (en[0]: a is valid now); y is the
// result of the operand of LATENCY cycles ago. New operands every cycle.
// LATENCY >= 3. Algorithm: magnitude, leading zeros and shift, rounding.
module st_itof #(
    parameter int LATENCY = 3,
    parameter int WIDTH = 64,
    parameter bit SIGNED = 1'b1
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [WIDTH-1:0] a,
    output logic [31:0]      y
);
  localparam int MIN = 3;

  logic s1_sign;
  logic [WIDTH-1:0] s1_m;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_sign <= SIGNED & a[WIDTH-1];
      s1_m <= SIGNED & a[WIDTH-1] ? ~a + WIDTH'(1) : a;
    end

  logic [63:0] m;
  assign m = 64'(s1_m);
  logic s2_sign, s2_zero;
  logic [5:0] s2_lz;
  logic [63:0] s2_m;
  always_ff @(posedge clk)
    if (en[1]) begin
      s2_sign <= s1_sign;
      s2_zero <= m == 64'd0;
      s2_lz <= st_num::clz64(m);
      s2_m <= m << st_num::clz64(m);
    end

  logic [31:0] s3;
  always_ff @(posedge clk)
    if (en[2])
      s3 <= s2_zero ? 32'd0
          : st_num::pack(s2_sign, 12'sd63 - $signed({6'd0, s2_lz}),
                         {s2_m[63:39], s2_m[38:0] != 39'd0});

  st_delay #(.WIDTH(32), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(s3), .q(y));
endmodule
