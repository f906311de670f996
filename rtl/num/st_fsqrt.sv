// st_fsqrt: y = sqrt(a). binary32, nearest even.
//
// en[k]: an operand entered k cycles ago (en[0]: a is valid now); y is the
// result of the operand of LATENCY cycles ago. New operands every cycle.
// LATENCY >= 14. Algorithm: restoring square root by digits, two a stage, 24
// after the first; the remainder is the sticky bit. Correctly rounded, so the
// bits are those of num.h's other algorithm.
module st_fsqrt #(
    parameter int LATENCY = 14
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    output logic [31:0]      y
);
  localparam int MIN = 14;
  localparam int STAGES = 12;

  // 1: the radicand is m, doubled if the exponent is odd, then 25 zeros: 25
  // pairs of bits. The first digit is 1.
  logic [31:0] u;
  logic [24:0] radicand;
  assign u = st_num::flush(a);
  assign radicand = u[23] ? {2'b01, u[22:0]} : {1'b1, u[22:0], 1'b0};

  logic s1_sign, s1_nan, s1_inf, s1_zero;
  logic signed [11:0] s1_e;
  logic [25:0] s1_rem;
  logic [22:0] s1_m;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_sign <= u[31] & u[30:0] == 31'd0;
      s1_nan <= u[30:0] > st_num::INF | (u[31] & u[30:0] != 31'd0);
      s1_inf <= u == {1'b0, st_num::INF};
      s1_zero <= u[30:0] == 31'd0;
      s1_e <= ($signed({4'd0, u[30:23]}) - 12'sd127) >>> 1;
      s1_rem <= {24'd0, radicand[24:23] - 2'd1};
      s1_m <= radicand[22:0];
    end

  // 2 to 13: two digits a stage; s is the root so far, rem <= 2 s.
  for (genvar k = 0; k < STAGES; k++) begin : g_digit
    logic [25:0] rem_in;
    logic [24:0] s_in;
    logic [22:0] m_in;
    if (k == 0) begin : g_first
      assign rem_in = s1_rem;
      assign s_in = 25'd1;
      assign m_in = s1_m;
    end else begin : g_next
      assign rem_in = g_digit[k-1].rem;
      assign s_in = g_digit[k-1].s;
      assign m_in = g_digit[k-1].m;
    end
    logic [27:0] t0, t1, r0, r1;
    logic d0, d1;
    assign t0 = {rem_in, m_in[22:21]} - {1'b0, s_in, 2'b01};
    assign d0 = ~t0[27];
    assign r0 = d0 ? t0 : {rem_in, m_in[22:21]};
    assign t1 = {r0[25:0], m_in[20:19]} - {1'b0, s_in[23:0], d0, 2'b01};
    assign d1 = ~t1[27];
    assign r1 = d1 ? t1 : {r0[25:0], m_in[20:19]};
    logic [25:0] rem;
    logic [24:0] s;
    logic [22:0] m;
    always_ff @(posedge clk)
      if (en[k+1]) begin
        rem <= r1[25:0];
        s <= {s_in[22:0], d0, d1};
        m <= m_in << 4;
      end
    logic unused;
    assign unused = &{r0[27:26], r1[27:26], s_in[24]};
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
          : z_inf ? {1'b0, st_num::INF}
          : z_zero ? {z_sign, 31'd0}
          : st_num::pack(1'b0, z_e, {g_digit[STAGES-1].s,
                                     g_digit[STAGES-1].rem != 26'd0});
  logic unused_m;
  assign unused_m = &g_digit[STAGES-1].m;

  st_delay #(.WIDTH(32), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(s14), .q(y));
endmodule
