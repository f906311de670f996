// st_load: the memory side of a load (doc/machine.md, "Load, store"): st_loops,
// st_address and st_issue decide when; this asks memory and hands on its data.
//
// v: those of st_issue; with v[0], at is the address of the beat's token.
// request and request_at go out a cycle after issue; memory answers with data
// exactly MEMORY cycles after the request. d is the token to push, LATENCY
// cycles after issue; LATENCY >= MEMORY + 2.
module st_load #(
    parameter int WIDTH = 32,
    parameter int ADDRESS = 32,
    parameter int MEMORY = 1,
    parameter int LATENCY = 4
) (
    input  logic               clk,
    input  logic               rst,
    input  logic [  LATENCY:0] v,
    input  logic [ADDRESS-1:0] at,
    output logic               request,
    output logic [ADDRESS-1:0] request_at,
    input  logic [  WIDTH-1:0] data,
    output logic [  WIDTH-1:0] d
);
  localparam int ARRIVES = MEMORY + 1;
  always_ff @(posedge clk)
    if (rst) request <= 1'b0;
    else request <= v[0];
  always_ff @(posedge clk) if (v[0]) request_at <= at;

  st_delay #(.WIDTH(WIDTH), .LATENCY(LATENCY - ARRIVES)) delay (
      .clk, .en(v[LATENCY:ARRIVES]), .d(data), .q(d));
  logic unused;
  assign unused = &v[ARRIVES-1:0];
endmodule
