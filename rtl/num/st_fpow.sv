// st_fpow: y = a^b, the bits of st_num_pow (num.h).
//
// en[k]: an operand pair entered k cycles ago (en[0]: a and b are valid now);
// y is the result of the pair of LATENCY cycles ago. New operands every cycle.
// LATENCY >= 19. Algorithm: 40 leading bits of st_log2_fix(|a|) times b, then
// st_exp2_fix; special cases as in C's Annex F.
module st_fpow #(
    parameter int LATENCY = 32
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    input  logic [31:0]      b,
    output logic [31:0]      y
);
  localparam int MIN = 19;

  // 1 to 8, and beside it the special cases: what the result is if known.
  logic signed [63:0] v;
  logic close;
  st_log2_fix log2 (.clk, .en(en[7:0]), .u(a[30:0]), .v, .close);

  logic [31:0] u, w, cut;
  logic whole, odd, down;
  assign u = st_num::flush(a);
  assign w = st_num::flush(b);
  assign down = w[31];
  assign cut = {1'b1, w[22:0], 8'd0} << 5'(w[30:23] - 8'd127);
  assign whole = w[30:23] >= 8'd150 |
                 (w[30:23] >= 8'd127 & cut[30:0] == 31'd0);
  assign odd = whole & w[30:23] <= 8'd150 &
               (w[30:23] == 8'd150 ? w[0] : cut[31]);

  localparam logic [1:0] IS_NAN = 2'd0, IS_ONE = 2'd1, IS_INF = 2'd2,
                         IS_ZERO = 2'd3;
  logic sign, known;
  logic [1:0] what;
  logic u_zero, u_inf, w_inf;
  assign u_zero = u[30:0] == 31'd0;
  assign u_inf = u[30:0] == st_num::INF;
  assign w_inf = w[30:0] == st_num::INF;
  logic to_one, to_nan, negative;
  assign to_one = w[30:0] == 31'd0 | u == st_num::ONE |
                  (u[30:0] == st_num::ONE[30:0] & w_inf);
  assign to_nan = u[30:0] > st_num::INF | w[30:0] > st_num::INF;
  assign negative = u[31] & ~u_zero & ~u_inf & ~whole;
  assign known = to_one | to_nan | u_zero | u_inf | w_inf | negative;
  assign sign = ~to_one & odd & u[31];
  assign what = to_one ? IS_ONE
              : to_nan ? IS_NAN
              : u_zero | u_inf ? (u_zero == down ? IS_INF : IS_ZERO)
              : w_inf ? ((u[30:0] < st_num::ONE[30:0]) == down ? IS_INF
                                                             : IS_ZERO)
              : IS_NAN;
  logic z_sign, z_known;
  logic [1:0] z_what;
  st_delay #(.WIDTH(4), .LATENCY(MIN - 1)) special (
      .clk, .en(en[MIN-1:0]), .d({sign, known, what}),
      .q({z_sign, z_known, z_what}));
  logic [31:0] s8_w, s10_w;
  st_delay #(.WIDTH(32), .LATENCY(8)) exponent (
      .clk, .en(en[8:0]), .d(w), .q(s8_w));

  // 9: magnitude; 10: normalise.
  logic s9_minus, s9_close, s10_minus, s10_none;
  logic [63:0] s9_m;
  logic [31:0] s9_w;
  always_ff @(posedge clk)
    if (en[8]) begin
      s9_minus <= v[63] ^ s8_w[31];
      s9_close <= close;
      s9_m <= v[63] ? 64'd0 - v : v;
      s9_w <= s8_w;
    end
  logic [63:0] shifted;
  assign shifted = s9_m << st_num::clz64(s9_m);
  logic signed [11:0] s10_s;
  logic [39:0] s10_m;
  always_ff @(posedge clk)
    if (en[9]) begin
      s10_minus <= s9_minus;
      s10_none <= s9_m == 64'd0;
      s10_s <= $signed({6'd0, st_num::clz64(s9_m)}) +
          (s9_close ? 12'sd164 : 12'sd149) - $signed({4'd0, s9_w[30:23]});
      s10_m <= shifted[63:24];
      s10_w <= s9_w;
    end

  // 11: product; 12: |t| in units of 2^-32; 13: t.
  logic s11_minus, s11_none, s11_over, s11_under;
  logic [5:0] s11_s;
  logic [63:0] s11_p;
  always_ff @(posedge clk)
    if (en[10]) begin
      s11_minus <= s10_minus;
      s11_none <= s10_none;
      s11_over <= s10_s < 12'sd23;
      s11_under <= s10_s > 12'sd63;
      s11_s <= s10_s[5:0];
      s11_p <= 64'(s10_m) * 64'({1'b1, s10_w[22:0]});
    end
  logic [63:0] right;
  assign right = s11_p >> s11_s;
  logic s12_minus, s12_none, s12_over;
  logic [40:0] s12_t;
  always_ff @(posedge clk)
    if (en[11]) begin
      s12_minus <= s11_minus;
      s12_none <= s11_none;
      s12_over <= s11_over;
      s12_t <= s11_under ? 41'd0 : right[40:0];
    end
  logic s13_minus, s13_none, s13_over;
  logic [41:0] s13_t;
  always_ff @(posedge clk)
    if (en[12]) begin
      s13_minus <= s12_minus;
      s13_none <= s12_none;
      s13_over <= s12_over;
      s13_t <= s12_minus ? 42'd0 - 42'(s12_t) : 42'(s12_t);
    end

  // 14 to 18.
  logic [31:0] power;
  st_exp2_fix exp2 (.clk, .en(en[17:13]), .f(s13_t[31:0]), .y(power));
  logic z_minus, z_none, z_over;
  logic signed [9:0] z_k;
  st_delay #(.WIDTH(13), .LATENCY(5)) carry (
      .clk, .en(en[18:13]),
      .d({s13_minus, s13_none, s13_over, s13_t[41:32]}),
      .q({z_minus, z_none, z_over, z_k}));

  // 19: round.
  logic [31:0] s19;
  always_ff @(posedge clk)
    if (en[18])
      s19 <= z_known ? (z_what == IS_ONE ? st_num::ONE
                        : z_what == IS_NAN ? st_num::NAN
                        : z_what == IS_INF ? {z_sign, st_num::INF}
                        : {z_sign, 31'd0})
          : z_none ? {z_sign, st_num::ONE[30:0]}
          : z_over ? {z_sign, z_minus ? 31'd0 : st_num::INF}
          : st_num::pack(z_sign, 12'(z_k), {power[31:7], power[6:0] != 7'd0});

  st_delay #(.WIDTH(32), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(s19), .q(y));

  logic unused;
  assign unused = &{shifted[23:0], right[63:41], s10_w[31:23]};
endmodule
