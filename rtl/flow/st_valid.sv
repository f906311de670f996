// st_valid: v[k] is `now` of k cycles ago, for 0 <= k <= LATENCY: the enables
// of a part of a process that does not take part in every beat. LATENCY >= 1.
module st_valid #(
    parameter int LATENCY = 1
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             now,
    output logic [LATENCY:0] v
);
  logic [LATENCY:1] past;
  assign v = {past, now};
  always_ff @(posedge clk)
    if (rst) past <= LATENCY'(0);
    else past <= v[LATENCY-1:0];
endmodule
