// st_log: y = ln(a), the bits of st_num_log (num.h).
//
// en[k]: an operand entered k cycles ago (en[0]: a is valid now); y is the
// result of the operand of LATENCY cycles ago. New operands every cycle.
// LATENCY >= 12. Algorithm: st_log2_fix, its 32 leading bits times ln(2).
module st_log #(
    parameter int LATENCY = 14
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    output logic [31:0]      y
);
  localparam int MIN = 12;

  // 1 to 8.
  logic signed [63:0] v;
  logic close;
  st_log2_fix core (.clk, .en(en[7:0]), .u(a[30:0]), .v, .close);

  logic [31:0] u;
  logic is_nan, is_inf, is_zero, z_nan, z_inf, z_zero;
  assign u = st_num::flush(a);
  assign is_zero = u[30:0] == 31'd0;
  assign is_inf = u == {1'b0, st_num::INF};
  assign is_nan = ~is_zero & ~is_inf & u >= {1'b0, st_num::INF};
  st_delay #(.WIDTH(3), .LATENCY(MIN - 1)) carry (
      .clk, .en(en[MIN-1:0]), .d({is_nan, is_inf, is_zero}),
      .q({z_nan, z_inf, z_zero}));

  // 9: magnitude.
  logic s9_sign, s9_close;
  logic [63:0] s9_m;
  always_ff @(posedge clk)
    if (en[8]) begin
      s9_sign <= v[63];
      s9_close <= close;
      s9_m <= v[63] ? 64'd0 - v : v;
    end

  // 10: normalise; the exponent is 63 - leading zeros - scale.
  logic [63:0] shifted;
  assign shifted = s9_m << st_num::clz64(s9_m);
  logic s10_sign, s10_none;
  logic signed [11:0] s10_e;
  logic [31:0] s10_m;
  always_ff @(posedge clk)
    if (en[9]) begin
      s10_sign <= s9_sign;
      s10_none <= s9_m == 64'd0;
      s10_e <= (s9_close ? -12'sd7 : 12'sd8) -
          $signed({6'd0, st_num::clz64(s9_m)});
      s10_m <= shifted[63:32];
    end

  // 11: times ln(2), which leaves at most one leading zero.
  logic [63:0] p;
  logic s11_sign, s11_none;
  logic signed [11:0] s11_e;
  logic [63:0] s11_p;
  assign p = 64'(s10_m) * 64'(st_const::LN2_Q32);
  always_ff @(posedge clk)
    if (en[10]) begin
      s11_sign <= s10_sign;
      s11_none <= s10_none;
      s11_e <= s10_e - $signed({11'd0, ~p[63]});
      s11_p <= p[63] ? p : p << 1;
    end

  // 12: round.
  logic [31:0] s12;
  always_ff @(posedge clk)
    if (en[11])
      s12 <= z_zero ? {1'b1, st_num::INF}
          : z_inf ? {1'b0, st_num::INF}
          : z_nan ? st_num::NAN
          : s11_none ? 32'd0
          : st_num::pack(s11_sign, s11_e, {s11_p[63:39], s11_p[38:0] != 39'd0});

  st_delay #(.WIDTH(32), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(s12), .q(y));

  logic unused;
  assign unused = &shifted[31:0];
endmodule
