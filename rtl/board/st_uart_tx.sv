// st_uart_tx: bytes to a serial line, as st_uart_rx takes them.
//
// DIVISOR: cycles of clk a bit. A byte is taken in a cycle in which valid and
// ready are set.
module st_uart_tx #(
    parameter int DIVISOR = 60
) (
    input  logic       clk,
    input  logic       rst,
    input  logic       valid,
    input  logic [7:0] data,
    output logic       ready,
    output logic       tx
);
  localparam int BITS = $clog2(DIVISOR);
  logic [BITS-1:0] left; // cycles of this bit
  logic [3:0] bits; // that are left of this byte
  logic [9:0] rest;
  assign ready = bits == 4'd0;
  always_ff @(posedge clk)
    if (rst) begin
      bits <= 4'd0;
      left <= BITS'(0);
      rest <= 10'h3ff;
    end else if (ready) begin
      if (valid) begin
        bits <= 4'd10;
        left <= BITS'(DIVISOR - 1);
        rest <= {1'b1, data, 1'b0};
      end
    end else if (left != BITS'(0)) left <= left - BITS'(1);
    else begin
      bits <= bits - 4'd1;
      left <= BITS'(DIVISOR - 1);
      rest <= {1'b1, rest[9:1]};
    end
  assign tx = rest[0] | ready;
endmodule
