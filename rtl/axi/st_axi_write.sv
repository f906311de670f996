// st_axi_write: a memory port that writes, over memory that takes as long as it
// takes: the counterpart of st_axi_read, with its parameters. ready: there is
// room for a write. idle: nothing is on its way.
//
// ask, ask_at, ask_data: a piece to be written; asked: it is taken. Elements
// of less than a byte are written as bytes, SIGNED ones with their sign.
module st_axi_write #(
    parameter int WIDTH = 32,
    parameter int ADDRESS = 32,
    parameter int STRIDE = 4,
    parameter int PIECES = 1,
    parameter int BYTES = 4,
    parameter int ELEMENT = 8,
    parameter bit SIGNED = 0,
    parameter logic [PIECES*32-1:0] OFFSETS = 0
) (
    input  logic               clk,
    input  logic               rst,
    input  logic               en,
    input  logic [       63:0] base,
    input  logic               write,
    input  logic [ADDRESS-1:0] at,
    input  logic [  WIDTH-1:0] data,
    output logic               ready,
    output logic               idle,
    output logic               ask,
    output logic [       63:0] ask_at,
    output logic [BYTES*8-1:0] ask_data,
    input  logic               asked
);
  localparam int DEPTH = 4;
  localparam int PIECE = PIECES > 1 ? $clog2(PIECES) : 1;
  localparam int BITS = BYTES * ELEMENT;
  localparam logic [PIECE-1:0] TOP = PIECE'(PIECES - 1);

  logic [2:0] waiting;
  logic [ADDRESS-1:0] first;
  logic [WIDTH-1:0] token;
  logic [PIECE-1:0] piece;
  logic push, gone;
  assign push = en & write;
  assign ready = waiting != 3'(DEPTH);
  assign ask = waiting != 3'd0;
  assign idle = ~ask & ~write;
  assign gone = asked & piece == TOP;
  always_ff @(posedge clk)
    if (rst) waiting <= 3'd0;
    else waiting <= waiting + 3'(push) - 3'(gone);
  always_ff @(posedge clk)
    if (rst) piece <= PIECE'(0);
    else if (asked) piece <= gone ? PIECE'(0) : piece + PIECE'(1);
  st_ring #(.WIDTH(ADDRESS + WIDTH), .DEPTH(DEPTH)) tokens (
      .clk, .rst, .push, .d({at, data}), .pop(gone),
      .q({first, token}));
  logic [31:0] offset;
  assign offset = OFFSETS[piece*32+:32];
  assign ask_at = base + 64'(first) * 64'(STRIDE) + {{32{offset[31]}}, offset};

  logic [BITS-1:0] bits;
  assign bits = token[piece*BITS+:BITS];
  for (genvar b = 0; b < BYTES; b++) begin : g_byte
    if (ELEMENT == 8) begin : g_whole
      assign ask_data[b*8+:8] = bits[b*8+:8];
    end else begin : g_part
      assign ask_data[b*8+:8] = {
        {(8 - ELEMENT){SIGNED & bits[b*ELEMENT+ELEMENT-1]}},
        bits[b*ELEMENT+:ELEMENT]
      };
    end
  end
endmodule
