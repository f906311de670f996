// st_clock_gate: a clock that stands still in cycles without en: gated rises
// with clk if en is set in the half cycle before. On an FPGA the vendor's gate
// of a clock net (BUFGCE, DCCA) takes its place.
module st_clock_gate (
    input  logic clk,
    input  logic en,
    output logic gated
);
  logic held;
  always_ff @(negedge clk) held <= en;
  assign gated = clk & held;
endmodule
