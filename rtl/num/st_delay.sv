// st_delay: q is d, LATENCY stages later. en[k] says that stage k holds
// something; a stage whose bit is clear keeps its value.
module st_delay #(
    parameter int WIDTH = 32,
    parameter int LATENCY = 1
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [WIDTH-1:0] d,
    output logic [WIDTH-1:0] q
);
  logic unused;
  assign unused = en[LATENCY];

  for (genvar k = 0; k < LATENCY; k++) begin : g_stage
    logic [WIDTH-1:0] r, from;
    if (k == 0) begin : g_first
      assign from = d;
    end else begin : g_next
      assign from = g_stage[k-1].r;
    end
    always_ff @(posedge clk) if (en[k]) r <= from;
  end

  if (LATENCY == 0) begin : g_wire
    logic unused_clk;
    assign unused_clk = clk;
    assign q = d;
  end else begin : g_last
    assign q = g_stage[LATENCY-1].r;
  end
endmodule
