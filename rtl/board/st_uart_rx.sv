// st_uart_rx: bytes of a serial line: a start bit (0), eight bits with the
// lowest first, a stop bit (1).
//
// DIVISOR: cycles of clk a bit, at least 4. valid is set for a cycle when data
// is a byte; one without its stop bit is dropped. A bit is looked at in its
// middle.
module st_uart_rx #(
    parameter int DIVISOR = 60
) (
    input  logic       clk,
    input  logic       rst,
    input  logic       rx,
    output logic       valid,
    output logic [7:0] data
);
  localparam int BITS = $clog2(DIVISOR);
  logic [1:0] line; // rx, two registers later
  logic [BITS-1:0] left; // cycles to the next look
  logic [3:0] looks; // that are left of this byte
  logic [9:0] seen; // the last first
  logic look;
  assign look = looks != 4'd0 & left == BITS'(0);
  always_ff @(posedge clk)
    if (rst) begin
      line <= 2'b11;
      looks <= 4'd0;
      left <= BITS'(0);
      valid <= 1'b0;
    end else begin
      line <= {line[0], rx};
      valid <= look & looks == 4'd1 & line[1] & ~seen[1];
      if (look) begin
        looks <= looks - 4'd1;
        left <= BITS'(DIVISOR - 1);
      end else if (looks != 4'd0) left <= left - BITS'(1);
      else if (~line[1]) begin
        looks <= 4'd10;
        left <= BITS'(DIVISOR / 2 - 1);
      end
    end
  always_ff @(posedge clk) if (look) seen <= {line[1], seen[9:1]};
  assign data = seen[8:1];
  logic unused;
  assign unused = &{seen[0], seen[9]};
endmodule
