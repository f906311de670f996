// st_fsign: y = -a, or |a| with ABS. binary32, flushed, canonical NaN.
//
// en[k]: an operand entered k cycles ago (en[0]: a is valid now); y is the
// result of the operand of LATENCY cycles ago. LATENCY >= 0.
module st_fsign #(
    parameter int LATENCY = 0,
    parameter bit ABS = 1'b0
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    output logic [31:0]      y
);
  logic [31:0] c;
  assign c = st_num::canon(a);
  st_delay #(.WIDTH(32), .LATENCY(LATENCY)) delay (
      .clk, .en,
      .d({~ABS & ~c[31] & c[30:0] <= st_num::INF, c[30:0]}), .q(y));
endmodule
