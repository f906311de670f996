// st_fcmp: y = 1 if the relation of a to b is one of SET = {unordered, greater,
// equal, less}. binary32: subnormals compare as zeros, -0 equals +0.
//
// en[k]: an operand pair entered k cycles ago (en[0]: a and b are valid now);
// y is the result of the pair of LATENCY cycles ago. LATENCY >= 0.
// The predicates of arith.cmpf: oeq 0010, ogt 0100, oge 0110, olt 0001, ole
// 0011, one 0101, ord 0111, and ueq ugt uge ult ule une uno with 1000 more.
module st_fcmp #(
    parameter int LATENCY = 1,
    parameter bit [3:0] SET = 4'b0010
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    input  logic [31:0]      b,
    output logic             y
);
  logic [31:0] u, v;
  logic un, eq, lt;
  assign u = st_num::flush(a);
  assign v = st_num::flush(b);
  assign un = u[30:0] > st_num::INF | v[30:0] > st_num::INF;
  assign eq = u == v | (u[30:0] == 31'd0 & v[30:0] == 31'd0);
  assign lt = st_num::key(u) < st_num::key(v);

  st_delay #(.WIDTH(1), .LATENCY(LATENCY)) delay (
      .clk, .en,
      .d(un ? SET[3] : eq ? SET[1] : lt ? SET[0] : SET[2]), .q(y));
endmodule
