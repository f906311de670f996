// st_fork: every token of the input goes to all OUTS outputs (doc/machine.md,
// "Fork"): popped at t if all have credit, pushed to all at t + LATENCY.
// LATENCY >= 1.
module st_fork #(
    parameter int WIDTH = 32,
    parameter int OUTS = 2,
    parameter int LATENCY = 1
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             valid,
    output logic             pop,
    input  logic [WIDTH-1:0] d,
    input  logic [ OUTS-1:0] credit,
    output logic [ OUTS-1:0] take,
    output logic [ OUTS-1:0] push,
    output logic [WIDTH-1:0] q
);
  logic go;
  logic [LATENCY:0] v;
  st_issue #(.NIN(1), .NOUT(OUTS), .II(1), .LATENCY(LATENCY)) issue (
      .clk, .rst, .busy(1'b1), .allow(1'b1), .need(1'b1), .valid, .pop,
      .gives({OUTS{1'b1}}), .credit, .take, .push, .go, .v);
  st_delay #(.WIDTH(WIDTH), .LATENCY(LATENCY)) data (.clk, .en(v), .d, .q);
  logic unused;
  assign unused = go;
endmodule
