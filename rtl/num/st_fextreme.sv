// st_fextreme: y = max(a, b), or min with MIN. binary32, -0 < +0. A NaN operand
// gives NaN; with NUM the other operand.
//
// en[k]: an operand pair entered k cycles ago (en[0]: a and b are valid now);
// y is the result of the pair of LATENCY cycles ago. LATENCY >= 0.
module st_fextreme #(
    parameter int LATENCY = 1,
    parameter bit MIN = 1'b0,
    parameter bit NUM = 1'b0
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    input  logic [31:0]      b,
    output logic [31:0]      y
);
  logic [31:0] u, v;
  logic u_nan, v_nan, after;
  assign u = st_num::canon(a);
  assign v = st_num::canon(b);
  assign u_nan = u[30:0] > st_num::INF;
  assign v_nan = v[30:0] > st_num::INF;
  assign after = MIN ? st_num::key(v) < st_num::key(u)
                     : st_num::key(v) > st_num::key(u);

  st_delay #(.WIDTH(32), .LATENCY(LATENCY)) delay (
      .clk, .en,
      .d(u_nan ? (NUM ? v : st_num::NAN)
         : v_nan ? (NUM ? u : st_num::NAN)
         : after ? v : u),
      .q(y));
endmodule
