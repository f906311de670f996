// A FIFO whose tokens are numbered by the order of the pushes; wrong: a token
// that is popped does not have the number of the pop.
module net_stream #(
    parameter int DEPTH = 2,
    parameter int LAT = 1,
    parameter int STYLE = 0
) (
    input  logic clk,
    input  logic rst,
    input  logic take,
    output logic credit,
    input  logic push,
    output logic valid,
    input  logic pop,
    output logic wrong
);
  logic [15:0] pushed, popped, q;
  st_fifo #(.WIDTH(16), .DEPTH(DEPTH), .LAT(LAT), .STYLE(STYLE)) fifo (
      .clk, .rst, .take, .credit, .push, .d(pushed), .valid, .pop, .q);
  always_ff @(posedge clk)
    if (rst) pushed <= 16'd0;
    else if (push) pushed <= pushed + 16'd1;
  always_ff @(posedge clk)
    if (rst) popped <= 16'd0;
    else if (pop) popped <= popped + 16'd1;
  assign wrong = pop & q != popped;
endmodule
