// st_ring: a queue of DEPTH words without flags: push writes d, q is the oldest
// word, pop drops it. A word pushed at t is at q from t + 1 on.
module st_ring #(
    parameter int WIDTH = 32,
    parameter int DEPTH = 2
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             push,
    input  logic [WIDTH-1:0] d,
    input  logic             pop,
    output logic [WIDTH-1:0] q
);
  localparam int BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam logic [BITS-1:0] TOP = BITS'(DEPTH - 1);
  logic [BITS-1:0] write_at, read_at;
  always_ff @(posedge clk)
    if (rst) write_at <= BITS'(0);
    else if (push) write_at <= write_at == TOP ? BITS'(0) : write_at + BITS'(1);
  always_ff @(posedge clk)
    if (rst) read_at <= BITS'(0);
    else if (pop) read_at <= read_at == TOP ? BITS'(0) : read_at + BITS'(1);
  st_ram #(.WIDTH(WIDTH), .DEPTH(DEPTH)) ram (
      .clk, .write(push), .write_at, .d, .read(1'b1), .read_at, .q);
endmodule
