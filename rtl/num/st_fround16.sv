// st_fround16: y = a, binary32, as the nearest binary16 (with its subnormals),
// or as the nearest bfloat16 with BF.
//
// en[k]: an operand entered k cycles ago (en[0]: a is valid now); y is the
// result of the operand of LATENCY cycles ago. LATENCY >= 0.
module st_fround16 #(
    parameter int LATENCY = 2,
    parameter bit BF = 1'b0
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [31:0]      a,
    output logic [15:0]      y
);
  st_delay #(.WIDTH(16), .LATENCY(LATENCY)) delay (
      .clk, .en, .d(BF ? st_num::to_bf16(a) : st_num::to_f16(a)), .q(y));
endmodule
