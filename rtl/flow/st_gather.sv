// st_gather: the memory side of a load that gathers (doc/machine.md, "Load,
// store"): st_load for an address to which index * stride is added. An index
// that is not below rows, taken as a number without sign, gives zeros.
//
// v and at: as those of st_load; with v[0], pop says that the beat takes a new
// index. request and request_at go out three cycles after issue (the index is
// held, multiplied, added); memory answers with data exactly MEMORY cycles
// after the request. d is the token to push, LATENCY cycles after issue; LATENCY >=
// MEMORY + 3.
module st_gather #(
    parameter int WIDTH = 32,
    parameter int ADDRESS = 32,
    parameter int INDEX = 64,
    parameter int MEMORY = 1,
    parameter int LATENCY = 5,
    parameter int STRIDE = 1
) (
    input  logic               clk,
    input  logic               rst,
    input  logic [  LATENCY:0] v,
    input  logic               pop,
    input  logic [  INDEX-1:0] index,
    input  logic [  INDEX-1:0] rows,
    input  logic [ADDRESS-1:0] at,
    output logic               request,
    output logic [ADDRESS-1:0] request_at,
    input  logic [  WIDTH-1:0] data,
    output logic [  WIDTH-1:0] d
);
  localparam int ARRIVES = MEMORY + 3;
  logic [INDEX-1:0] held;
  always_ff @(posedge clk) if (pop) held <= index;

  logic in_table, s2_in_table, arrived;
  logic [ADDRESS-1:0] s2_product, s2_at;
  assign in_table = held < rows;
  always_ff @(posedge clk)
    if (v[1]) begin
      s2_in_table <= in_table;
      s2_product <= ADDRESS'(held) * ADDRESS'(STRIDE);
    end
  st_delay #(.WIDTH(ADDRESS), .LATENCY(2)) address (
      .clk, .en(v[2:0]), .d(at), .q(s2_at));
  always_ff @(posedge clk)
    if (rst) request <= 1'b0;
    else request <= v[2] & s2_in_table;
  always_ff @(posedge clk) if (v[2]) request_at <= s2_at + s2_product;

  st_delay #(.WIDTH(1), .LATENCY(ARRIVES - 2)) zero (
      .clk, .en(v[ARRIVES:2]), .d(s2_in_table), .q(arrived));
  st_delay #(.WIDTH(WIDTH), .LATENCY(LATENCY - ARRIVES)) delay (
      .clk, .en(v[LATENCY:ARRIVES]), .d(arrived ? data : WIDTH'(0)), .q(d));
  logic unused;
  assign unused = &v;
endmodule
