// st_fwiden16: y = a, binary16, or bfloat16 with BF, as binary32. Exact but for
// bfloat16's subnormals, which are flushed.
//
// en[k]: an operand entered k cycles ago (en[0]: a is valid now); y is the
// result of the operand of LATENCY cycles ago. LATENCY >= 0.
module st_fwiden16 #(
    parameter int LATENCY = 1,
    parameter bit BF = 1'b0
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [15:0]      a,
    output logic [31:0]      y
);
  st_delay #(.WIDTH(32), .LATENCY(LATENCY)) delay (
      .clk, .en,
      .d(BF ? st_num::canon({a, 16'd0}) : st_num::from_f16(a)), .q(y));
endmodule
