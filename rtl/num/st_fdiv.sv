// st_fdiv: y = a / b. binary32, nearest even, flushed before rounding.
//
// en[k]: an operand pair entered k cycles ago (en[0]: a and b are valid now);
// y is the result of the pair of LATENCY cycles ago. New operands every cycle.
// LATENCY >= 14. Algorithm: restoring division of significands, the dividend
// doubled if it is the smaller one, so that the quotient is in [1, 2); two
// digits a stage, 24 digits after the first; the remainder is the sticky bit.
module st_fdiv #(
    parameter int LATENCY = 14
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    input  logic [31:0]      b,
    output logic [31:0]      y
);
  localparam int MIN = 14;
  localparam int STAGES = 12;

  // 1: special cases, the first digit.
  logic [31:0] u, v;
  logic less, zero, inf;
  assign u = st_num::flush(a);
  assign v = st_num::flush(b);
  assign less = u[22:0] < v[22:0];
  assign zero = u[30:0] == 31'd0 | v[30:0] == st_num::INF;
  assign inf = u[30:0] == st_num::INF | v[30:0] == 31'd0;

  logic s1_sign, s1_nan, s1_inf, s1_zero;
  logic signed [11:0] s1_e;
  logic [23:0] s1_rem, s1_d;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_sign <= u[31] ^ v[31];
      s1_nan <= u[30:0] > st_num::INF | v[30:0] > st_num::INF | (zero & inf);
      s1_inf <= inf;
      s1_zero <= zero;
      s1_e <= $signed({4'd0, u[30:23]}) - $signed({4'd0, v[30:23]}) -
          $signed({11'd0, less});
      s1_rem <= 24'((less ? {1'b1, u[22:0], 1'b0} : {2'b01, u[22:0]}) -
                    {2'b01, v[22:0]});
      s1_d <= {1'b1, v[22:0]};
    end

  // 2 to 13: two digits a stage.
  for (genvar k = 0; k < STAGES; k++) begin : g_digit
    logic [23:0] rem_in, d_in;
    logic [23:0] q_in;
    if (k == 0) begin : g_first
      assign rem_in = s1_rem;
      assign d_in = s1_d;
      assign q_in = 24'd0;
    end else begin : g_next
      assign rem_in = g_digit[k-1].rem;
      assign d_in = g_digit[k-1].d;
      assign q_in = g_digit[k-1].q;
    end
    // The sign of a difference is the digit: no comparison beside it.
    logic [24:0] t0, t1;
    logic [25:0] u0, u1;
    logic [23:0] r0, r1;
    assign t0 = {rem_in, 1'b0};
    assign u0 = {1'b0, t0} - {2'b00, d_in};
    assign r0 = u0[25] ? t0[23:0] : u0[23:0];
    assign t1 = {r0, 1'b0};
    assign u1 = {1'b0, t1} - {2'b00, d_in};
    assign r1 = u1[25] ? t1[23:0] : u1[23:0];
    logic unused_tops;
    assign unused_tops = &{t0[24], u0[24], t1[24], u1[24]};
    logic [23:0] rem, d, q;
    always_ff @(posedge clk)
      if (en[k+1]) begin
        rem <= r1;
        d <= d_in;
        q <= 24'({q_in, ~u0[25], ~u1[25]});
      end
  end

  logic z_sign, z_nan, z_inf, z_zero;
  logic signed [11:0] z_e;
  st_delay #(.WIDTH(16), .LATENCY(STAGES)) carry (
      .clk, .en(en[MIN-1:1]),
      .d({s1_sign, s1_nan, s1_inf, s1_zero, s1_e}),
      .q({z_sign, z_nan, z_inf, z_zero, z_e}));

  // 14: round.
  logic [31:0] s14;
  always_ff @(posedge clk)
    if (en[MIN-1])
      s14 <= z_nan ? st_num::NAN
          : z_inf ? {z_sign, st_num::INF}
          : z_zero ? {z_sign, 31'd0}
          : st_num::pack(z_sign, z_e, {1'b1, g_digit[STAGES-1].q,
                                       g_digit[STAGES-1].rem != 24'd0});

  logic unused;
  assign unused = &g_digit[STAGES-1].d;

  st_delay #(.WIDTH(32), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(s14), .q(y));
endmodule
