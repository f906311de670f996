// st_imul: y = a * b modulo 2^WIDTH.
//
// en[k]: an operand pair entered k cycles ago (en[0]: a and b are valid now);
// y is the result of the pair of LATENCY cycles ago. New operands every cycle.
// LATENCY >= 2 (DSP registers).
module st_imul #(
    parameter int LATENCY = 2,
    parameter int WIDTH = 8
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [WIDTH-1:0] a,
    input  logic [WIDTH-1:0] b,
    output logic [WIDTH-1:0] y
);
  localparam int MIN = 2;

  logic [WIDTH-1:0] s1_a, s1_b, s2;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_a <= a;
      s1_b <= b;
    end
  always_ff @(posedge clk) if (en[1]) s2 <= s1_a * s1_b;

  st_delay #(.WIDTH(WIDTH), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(s2), .q(y));
endmodule
