// st_store: the memory side of a store (doc/machine.md, "Load, store"): the
// token that a beat pops is written a cycle after issue.
//
// go: a beat is issued; at is the address of its token d. Memory takes a write
// in every cycle; that it is done LATENCY cycles after issue is what the tokens
// of the store's results say, which st_issue pushes.
module st_store #(
    parameter int WIDTH = 32,
    parameter int ADDRESS = 32
) (
    input  logic               clk,
    input  logic               rst,
    input  logic               go,
    input  logic [ADDRESS-1:0] at,
    input  logic [  WIDTH-1:0] d,
    output logic               write,
    output logic [ADDRESS-1:0] write_at,
    output logic [  WIDTH-1:0] data
);
  always_ff @(posedge clk)
    if (rst) write <= 1'b0;
    else write <= go;
  always_ff @(posedge clk)
    if (go) begin
      write_at <= at;
      data <= d;
    end
endmodule
