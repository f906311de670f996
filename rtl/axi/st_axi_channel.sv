// st_axi_channel: an AXI4 master of BYTES bytes a beat for READS st_axi_read
// and WRITES st_axi_write (at least one of each: tie the asks to 0). The first
// that asks is served. Every access is one beat of 1 << size bytes, where those
// bytes lie in a beat of the whole bus; one identifier, so answers come in
// order, at most OUTSTANDING of them.
//
// ask_size, ask_at, answer_data and write_data hold a port's number after
// another's. answer_data and write_data are at the low end of the bus' width.
// idle: all writes are answered. error: an answer was not OKAY; stays.
module st_axi_channel #(
    parameter int READS = 1,
    parameter int WRITES = 1,
    parameter int BYTES = 64,
    parameter int OUTSTANDING = 64
) (
    input  logic                      clk,
    input  logic                      rst,
    input  logic [         READS-1:0] ask,
    input  logic [      READS*64-1:0] ask_at,
    input  logic [       READS*3-1:0] ask_size,
    output logic [         READS-1:0] asked,
    output logic [         READS-1:0] answer,
    output logic [       BYTES*8-1:0] answer_data,
    input  logic [        WRITES-1:0] write,
    input  logic [     WRITES*64-1:0] write_at,
    input  logic [      WRITES*3-1:0] write_size,
    input  logic [WRITES*BYTES*8-1:0] write_data,
    output logic [        WRITES-1:0] written,
    output logic                      idle,
    output logic                      error,
    output logic                      arvalid,
    input  logic                      arready,
    output logic [              63:0] araddr,
    output logic [               7:0] arlen,
    output logic [               2:0] arsize,
    output logic [               1:0] arburst,
    input  logic                      rvalid,
    output logic                      rready,
    input  logic [       BYTES*8-1:0] rdata,
    input  logic [               1:0] rresp,
    input  logic                      rlast,
    output logic                      awvalid,
    input  logic                      awready,
    output logic [              63:0] awaddr,
    output logic [               7:0] awlen,
    output logic [               2:0] awsize,
    output logic [               1:0] awburst,
    output logic                      wvalid,
    input  logic                      wready,
    output logic [       BYTES*8-1:0] wdata,
    output logic [         BYTES-1:0] wstrb,
    output logic                      wlast,
    input  logic                      bvalid,
    output logic                      bready,
    input  logic [               1:0] bresp
);
  localparam int LANE = $clog2(BYTES);
  localparam int COUNT = $clog2(OUTSTANDING + 1);
  assign arlen = 8'd0;
  assign awlen = 8'd0;
  assign arburst = 2'b01;
  assign awburst = 2'b01;
  assign rready = 1'b1;
  assign bready = 1'b1;
  assign wlast = 1'b1;
  logic unused;
  assign unused = rlast;

  // ---- reads
  logic [READS-1:0] first, origin;
  logic [66:0] choice;
  logic [LANE-1:0] lane;
  logic [COUNT-1:0] flying;
  logic may_ask;
  assign first = ask & (~ask + READS'(1));
  assign may_ask = (~arvalid | arready) & flying != COUNT'(OUTSTANDING);
  assign asked = may_ask ? first : READS'(0);
  function automatic logic [66:0] read_of(input logic [READS-1:0] one,
      input logic [READS*64-1:0] at, input logic [READS*3-1:0] size);
    read_of = 67'd0;
    for (int i = 0; i < READS; i++)
      if (one[i]) read_of = {size[i*3+:3], at[i*64+:64]};
  endfunction
  assign choice = read_of(first, ask_at, ask_size);
  always_ff @(posedge clk)
    if (rst) arvalid <= 1'b0;
    else arvalid <= |asked | (arvalid & ~arready);
  always_ff @(posedge clk) if (|asked) {arsize, araddr} <= choice;
  always_ff @(posedge clk)
    if (rst) flying <= COUNT'(0);
    else flying <= flying + COUNT'(|asked) - COUNT'(rvalid);
  st_ring #(.WIDTH(READS + LANE), .DEPTH(OUTSTANDING)) order (
      .clk, .rst, .push(|asked), .d({first, choice[LANE-1:0]}), .pop(rvalid),
      .q({origin, lane}));
  assign answer = rvalid ? origin : READS'(0);
  assign answer_data = rdata >> {lane, 3'd0};

  // ---- writes
  localparam int ALL = 67 + BYTES * 8;
  logic [WRITES-1:0] w_first;
  logic [ALL-1:0] w_choice;
  logic [LANE-1:0] w_lane;
  logic [7:0] w_bytes;
  logic [7:0] w_flying;
  logic may_write;
  assign w_first = write & (~write + WRITES'(1));
  assign may_write = (~awvalid | awready) & (~wvalid | wready) &
      w_flying != 8'd255;
  assign written = may_write ? w_first : WRITES'(0);
  function automatic logic [ALL-1:0] write_of(input logic [WRITES-1:0] one,
      input logic [WRITES*64-1:0] at, input logic [WRITES*3-1:0] size,
      input logic [WRITES*BYTES*8-1:0] data);
    write_of = ALL'(0);
    for (int i = 0; i < WRITES; i++)
      if (one[i])
        write_of = {data[i*BYTES*8+:BYTES*8], size[i*3+:3], at[i*64+:64]};
  endfunction
  assign w_choice = write_of(w_first, write_at, write_size, write_data);
  assign w_lane = w_choice[LANE-1:0];
  assign w_bytes = 8'd1 << w_choice[66:64];
  always_ff @(posedge clk)
    if (rst) awvalid <= 1'b0;
    else awvalid <= |written | (awvalid & ~awready);
  always_ff @(posedge clk)
    if (rst) wvalid <= 1'b0;
    else wvalid <= |written | (wvalid & ~wready);
  always_ff @(posedge clk)
    if (|written) begin
      {awsize, awaddr} <= w_choice[66:0];
      wdata <= w_choice[ALL-1:67] << {w_lane, 3'd0};
      wstrb <= ((BYTES'(1) << w_bytes) - BYTES'(1)) << w_lane;
    end
  always_ff @(posedge clk)
    if (rst) w_flying <= 8'd0;
    else w_flying <= w_flying + 8'(|written) - 8'(bvalid);
  assign idle = w_flying == 8'd0;

  always_ff @(posedge clk)
    if (rst) error <= 1'b0;
    else
      error <= error | (rvalid & |rresp) | (bvalid & |bresp);
endmodule
