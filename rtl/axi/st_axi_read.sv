// st_axi_read: a memory port that reads, over memory that takes as long as it
// takes. The accelerator's clock stands still in cycles without en; ready says
// that this port has what the accelerator looks at in this cycle.
//
// request and at are a port's (st_load): the token whose first byte is base +
// at * STRIDE, of PIECES pieces of BYTES bytes, piece k at OFFSETS[32 k +: 32]
// further. A byte holds ELEMENT bits of the token (8, or fewer: an element that
// is smaller than a byte). data is the token MEMORY cycles with en later.
//
// ask and ask_at: a piece that is wanted; asked: it will come. Pieces arrive as
// answer and answer_data, in the order in which they were asked for.
module st_axi_read #(
    parameter int WIDTH = 32,
    parameter int ADDRESS = 32,
    parameter int MEMORY = 2,
    parameter int STRIDE = 4,
    parameter int PIECES = 1,
    parameter int BYTES = 4,
    parameter int ELEMENT = 8,
    parameter logic [PIECES*32-1:0] OFFSETS = 0
) (
    input  logic               clk,
    input  logic               rst,
    input  logic               en,
    input  logic [       63:0] base,
    input  logic               request,
    input  logic [ADDRESS-1:0] at,
    output logic [  WIDTH-1:0] data,
    output logic               ready,
    output logic               ask,
    output logic [       63:0] ask_at,
    input  logic               asked,
    input  logic               answer,
    input  logic [BYTES*8-1:0] answer_data
);
  localparam int COUNT = $clog2(MEMORY + 1);
  localparam int PIECE = PIECES > 1 ? $clog2(PIECES) : 1;
  localparam int BITS = BYTES * ELEMENT;
  localparam logic [PIECE-1:0] TOP = PIECE'(PIECES - 1);

  // Tokens that were asked for, by the cycle in which they are due.
  logic [MEMORY-1:0] due;
  logic take;
  assign take = en & due[MEMORY-1];
  if (MEMORY == 1) begin : g_next
    always_ff @(posedge clk)
      if (rst) due <= 1'b0;
      else if (en) due <= request;
  end else begin : g_later
    always_ff @(posedge clk)
      if (rst) due <= MEMORY'(0);
      else if (en) due <= {due[MEMORY-2:0], request};
  end

  // Addresses on their way out. There are never more than MEMORY of them, nor
  // of tokens.
  logic [COUNT-1:0] waiting;
  logic [ADDRESS-1:0] first;
  logic [PIECE-1:0] piece;
  logic push, gone;
  assign push = en & request;
  assign ask = waiting != COUNT'(0);
  assign gone = asked & piece == TOP;
  always_ff @(posedge clk)
    if (rst) waiting <= COUNT'(0);
    else waiting <= waiting + COUNT'(push) - COUNT'(gone);
  always_ff @(posedge clk)
    if (rst) piece <= PIECE'(0);
    else if (asked) piece <= gone ? PIECE'(0) : piece + PIECE'(1);
  st_ring #(.WIDTH(ADDRESS), .DEPTH(MEMORY)) addresses (
      .clk, .rst, .push, .d(at), .pop(gone), .q(first));
  logic [31:0] offset;
  assign offset = OFFSETS[piece*32+:32];
  assign ask_at = base + 64'(first) * 64'(STRIDE) + {{32{offset[31]}}, offset};

  // What arrives, put together.
  logic [BITS-1:0] bits;
  logic [PIECE-1:0] came;
  logic [WIDTH-1:0] token;
  logic whole;
  for (genvar b = 0; b < BYTES; b++) begin : g_byte
    assign bits[b*ELEMENT+:ELEMENT] = answer_data[b*8+:ELEMENT];
    if (ELEMENT < 8) begin : g_rest
      logic unused;
      assign unused = &answer_data[b*8+ELEMENT+:8-ELEMENT];
    end
  end
  assign whole = answer & came == TOP;
  always_ff @(posedge clk)
    if (rst) came <= PIECE'(0);
    else if (answer) came <= whole ? PIECE'(0) : came + PIECE'(1);
  if (PIECES == 1) begin : g_one
    assign token = bits;
  end else begin : g_shift
    logic [WIDTH-BITS-1:0] earlier;
    assign token = {bits, earlier};
    always_ff @(posedge clk) if (answer) earlier <= token[WIDTH-1:BITS];
    logic unused;
    assign unused = &token[BITS-1:0];
  end

  logic [COUNT-1:0] have;
  always_ff @(posedge clk)
    if (rst) have <= COUNT'(0);
    else have <= have + COUNT'(whole) - COUNT'(take);
  st_ring #(.WIDTH(WIDTH), .DEPTH(MEMORY)) tokens (
      .clk, .rst, .push(whole), .d(token), .pop(take), .q(data));
  assign ready = ~due[MEMORY-1] | have != COUNT'(0);
endmodule
