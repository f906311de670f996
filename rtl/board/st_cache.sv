// st_cache: a memory on the chip that a store writes and a load reads.
//
// COUNT elements of WIDTH bits; tokens of WRITE and of READ elements, the larger
// a power of two times the smaller; addresses count tokens. What is written in a
// cycle is seen by requests of later cycles; q answers a request after MEMORY
// cycles.
module st_cache #(
    parameter int WIDTH = 8,
    parameter int COUNT = 1024,
    parameter int WRITE = 1,
    parameter int READ = 1,
    parameter int MEMORY = 2,
    parameter int ADDRESS = 11
) (
    input  logic                   clk,
    input  logic                   write,
    input  logic [    ADDRESS-1:0] write_at,
    input  logic [WRITE*WIDTH-1:0] d,
    input  logic                   request,
    input  logic [    ADDRESS-1:0] request_at,
    output logic [ READ*WIDTH-1:0] q
);
  // A row has as many elements as the larger token.
  localparam int ROW = WRITE > READ ? WRITE : READ;
  localparam int ROWS = (COUNT + ROW - 1) / ROW;
  localparam int BITS = ROWS > 1 ? $clog2(ROWS) : 1;
  localparam int BANKS = ROW / WRITE;
  localparam int PARTS = ROW / READ;
  localparam int STYLE = ROWS * WRITE * WIDTH > 1024 ? 2 : 0;

  logic [ADDRESS-1:0] row_in, bank, row_out, part;
  assign row_in = write_at / ADDRESS'(BANKS);
  assign bank = write_at % ADDRESS'(BANKS);
  assign row_out = request_at / ADDRESS'(PARTS);
  always_ff @(posedge clk) part <= request_at % ADDRESS'(PARTS);

  logic [ROW*WIDTH-1:0] row;
  for (genvar b = 0; b < BANKS; b++) begin : g_bank
    st_ram #(.WIDTH(WRITE * WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .READ(1)) ram (
        .clk, .write(write & bank == ADDRESS'(b)), .write_at(BITS'(row_in)),
        .d, .read(request), .read_at(BITS'(row_out)),
        .q(row[b*WRITE*WIDTH+:WRITE*WIDTH]));
  end
  logic [READ*WIDTH-1:0] token;
  assign token = (READ * WIDTH)'(row >> (part * ADDRESS'(READ * WIDTH)));

  logic [MEMORY-1:0] always_on;
  assign always_on = {MEMORY{1'b1}};
  st_delay #(.WIDTH(READ * WIDTH), .LATENCY(MEMORY - 1)) delay (
      .clk, .en(always_on), .d(token), .q);
  logic unused;
  assign unused = &{row_in, row_out};
endmodule
