// st_axi_control: an AXI4-Lite slave, by which a host runs steps. Registers of
// 32 bits:
//
//   0x00  write bit 0: start a step; read bit 0: busy, bit 1: an AXI error
//   0x04  p: tokens before the step       0x08  t: tokens of the step
//   0x10  cycles of the last step         0x14  their upper half
//   0x18  cycles in which it waited for memory besides   0x1c  upper half
//   0x100 + 8 m  address of memory m      0x104 + 8 m    its upper half
//
// start is set for one cycle in which en is set.
module st_axi_control #(
    parameter int MEMORIES = 1,
    parameter int ADDRESS = 12
) (
    input  logic                   clk,
    input  logic                   rst,
    input  logic                   en,
    output logic                   start,
    output logic [           31:0] p,
    output logic [           31:0] t,
    output logic [MEMORIES*64-1:0] base,
    input  logic                   busy,
    input  logic                   error,
    input  logic [           63:0] cycles,
    input  logic [           63:0] stalls,
    input  logic                   awvalid,
    output logic                   awready,
    input  logic [    ADDRESS-1:0] awaddr,
    input  logic                   wvalid,
    output logic                   wready,
    input  logic [           31:0] wdata,
    input  logic [            3:0] wstrb,
    output logic                   bvalid,
    input  logic                   bready,
    output logic [            1:0] bresp,
    input  logic                   arvalid,
    output logic                   arready,
    input  logic [    ADDRESS-1:0] araddr,
    output logic                   rvalid,
    input  logic                   rready,
    output logic [           31:0] rdata,
    output logic [            1:0] rresp
);
  localparam int WORD = ADDRESS - 2;
  assign bresp = 2'b00;
  assign rresp = 2'b00;

  logic write;
  logic [WORD-1:0] to, from;
  assign write = awvalid & wvalid & ~bvalid;
  assign awready = write;
  assign wready = write;
  assign to = awaddr[ADDRESS-1:2];
  assign from = araddr[ADDRESS-1:2];
  logic unused;
  assign unused = &{awaddr[1:0], araddr[1:0], wstrb};
  always_ff @(posedge clk)
    if (rst) bvalid <= 1'b0;
    else bvalid <= write | (bvalid & ~bready);
  always_ff @(posedge clk)
    if (rst) start <= 1'b0;
    else start <= (write & to == WORD'(0) & wdata[0]) | (start & ~en);
  always_ff @(posedge clk) if (write & to == WORD'(1)) p <= wdata;
  always_ff @(posedge clk) if (write & to == WORD'(2)) t <= wdata;
  for (genvar m = 0; m < 2 * MEMORIES; m++) begin : g_base
    always_ff @(posedge clk)
      if (write & to == WORD'(64 + m)) base[m*32+:32] <= wdata;
  end

  assign arready = ~rvalid;
  always_ff @(posedge clk)
    if (rst) rvalid <= 1'b0;
    else rvalid <= rvalid ? ~rready : arvalid;
  logic [31:0] found;
  assign found = from == WORD'(0) ? {30'd0, error, busy} :
      from == WORD'(1) ? p : from == WORD'(2) ? t :
      from == WORD'(4) ? cycles[31:0] : from == WORD'(5) ? cycles[63:32] :
      from == WORD'(6) ? stalls[31:0] : from == WORD'(7) ? stalls[63:32] :
      32'd0;
  always_ff @(posedge clk) if (arvalid & arready) rdata <= found;
endmodule
