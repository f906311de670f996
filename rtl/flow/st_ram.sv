// st_ram: a memory with one write and one read port.
//
// A word written at cycle t is read from t + 1 on. READ 0: q is the word at
// read_at, in the same cycle (LUT memory). READ 1: q is the word of the cycle
// before in which read was set (block memory). STYLE only advises synthesis:
// 0 its choice, 1 LUT memory, 2 block memory, 3 ultra memory. What was never
// written is undefined.
module st_ram #(
    parameter int WIDTH = 32,
    parameter int DEPTH = 16,
    parameter int STYLE = 0,
    parameter int READ = 0,
    localparam int BITS = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  logic             clk,
    input  logic             write,
    input  logic [ BITS-1:0] write_at,
    input  logic [WIDTH-1:0] d,
    input  logic             read,
    input  logic [ BITS-1:0] read_at,
    output logic [WIDTH-1:0] q
);
  if (DEPTH == 1) begin : g_one
    logic [WIDTH-1:0] mem;
    logic unused;
    assign unused = &{read_at, write_at};
    always_ff @(posedge clk) if (write) mem <= d;
    if (READ == 0) begin : g_wire
      logic unused_read;
      assign unused_read = read;
      assign q = mem;
    end else begin : g_clocked
      always_ff @(posedge clk) if (read) q <= mem;
    end
  end else if (READ == 0) begin : g_lut
    (* ram_style = "distributed" *) logic [WIDTH-1:0] mem [0:DEPTH-1];
    logic unused;
    assign unused = read;
    always_ff @(posedge clk) if (write) mem[write_at] <= d;
    assign q = mem[read_at];
  end else if (STYLE == 3) begin : g_ultra
    (* ram_style = "ultra" *) logic [WIDTH-1:0] mem [0:DEPTH-1];
    always_ff @(posedge clk) if (write) mem[write_at] <= d;
    always_ff @(posedge clk) if (read) q <= mem[read_at];
  end else if (STYLE == 2) begin : g_block
    (* ram_style = "block" *) logic [WIDTH-1:0] mem [0:DEPTH-1];
    always_ff @(posedge clk) if (write) mem[write_at] <= d;
    always_ff @(posedge clk) if (read) q <= mem[read_at];
  end else begin : g_free
    logic [WIDTH-1:0] mem [0:DEPTH-1];
    always_ff @(posedge clk) if (write) mem[write_at] <= d;
    always_ff @(posedge clk) if (read) q <= mem[read_at];
  end
endmodule
