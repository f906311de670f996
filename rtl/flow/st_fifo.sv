// st_fifo: the FIFO of doc/machine.md with its credits.
//
// A beat that will push sets take in the cycle of its issue, in which credit
// must be set; it sets push, with d, when its token arrives (in any later cycle
// or the same, in order). A token pushed at cycle t can be popped from t + LAT
// on: valid is set and q is the token; pop takes it. A token popped at t gives
// its credit back for t + 1. All outputs but q depend on registers only.
//
// LAT 1: q comes straight from registers (STYLE 0), SRLs (1) or LUT memory (2).
// LAT >= 2: block (3) or ultra memory (4), whose words are read ahead into LAT
// registers, LAT - 2 stages after the memory. Reading ahead starts a cycle
// after the push and LAT registers keep full rate, so the time of a pop is that
// of the machine (doc/rtl.md). DEPTH counts all tokens, those read ahead too.
module st_fifo #(
    parameter int WIDTH = 32,
    parameter int DEPTH = 2,
    parameter int LAT = 1,
    parameter int STYLE = 0
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             take,
    output logic             credit,
    input  logic             push,
    input  logic [WIDTH-1:0] d,
    output logic             valid,
    input  logic             pop,
    output logic [WIDTH-1:0] q
);
  localparam int COUNT = $clog2(DEPTH + 1);

  // Slots that no beat has taken.
  logic [COUNT-1:0] free;
  assign credit = free != COUNT'(0);
  always_ff @(posedge clk)
    if (rst) free <= COUNT'(DEPTH);
    else if (take & ~pop) free <= free - COUNT'(1);
    else if (pop & ~take) free <= free + COUNT'(1);

  if (LAT == 1) begin : g_direct
    logic [COUNT-1:0] held;
    assign valid = held != COUNT'(0);
    always_ff @(posedge clk)
      if (rst) held <= COUNT'(0);
      else if (push & ~pop) held <= held + COUNT'(1);
      else if (pop & ~push) held <= held - COUNT'(1);
`ifdef ST_RING  // for simulators, which are slow with shift registers
    localparam bit SRL = 1'b0;
`else
    localparam bit SRL = STYLE == 1;
`endif
    if (SRL) begin : g_srl
      st_srl #(.WIDTH(WIDTH), .DEPTH(DEPTH)) srl (
          .clk, .push, .d, .held, .q);
    end else begin : g_ring
      st_ring #(.WIDTH(WIDTH), .DEPTH(DEPTH)) ring (
          .clk, .rst, .push, .d, .pop, .q);
    end
  end else begin : g_ahead
    // waiting: pushed, not yet read; ahead: read, not yet popped.
    localparam int AHEAD = $clog2(LAT + 1);
    localparam int BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
    localparam logic [BITS-1:0] TOP = BITS'(DEPTH - 1);
    logic [COUNT-1:0] waiting;
    logic [AHEAD-1:0] ahead, held;
    logic read;
    assign read = waiting != COUNT'(0) & ahead != AHEAD'(LAT);
    always_ff @(posedge clk)
      if (rst) waiting <= COUNT'(0);
      else if (push & ~read) waiting <= waiting + COUNT'(1);
      else if (read & ~push) waiting <= waiting - COUNT'(1);
    always_ff @(posedge clk)
      if (rst) ahead <= AHEAD'(0);
      else if (read & ~pop) ahead <= ahead + AHEAD'(1);
      else if (pop & ~read) ahead <= ahead - AHEAD'(1);

    logic [BITS-1:0] write_at, read_at;
    always_ff @(posedge clk)
      if (rst) write_at <= BITS'(0);
      else if (push) write_at <= write_at == TOP ? BITS'(0)
                                                 : write_at + BITS'(1);
    always_ff @(posedge clk)
      if (rst) read_at <= BITS'(0);
      else if (read) read_at <= read_at == TOP ? BITS'(0)
                                               : read_at + BITS'(1);

    // The word of the read LAT - 1 cycles ago enters the registers.
    logic [WIDTH-1:0] word, late;
    logic [LAT-1:1] past;
    logic arrives;
    if (LAT == 2) begin : g_short
      // The memory's own output register is the stage before the ring: a read
      // in one cycle has to be in the ring in the next.
      st_ram #(.WIDTH(WIDTH), .DEPTH(DEPTH), .STYLE(STYLE - 1)) ram (
          .clk, .write(push), .write_at, .d, .read, .read_at, .q(word));
      assign late = word;
      assign arrives = read;
      assign past = 1'b0;
      logic unused;
      assign unused = past;
    end else begin : g_long
      st_ram #(.WIDTH(WIDTH), .DEPTH(DEPTH), .STYLE(STYLE - 1), .READ(1)) ram (
          .clk, .write(push), .write_at, .d, .read, .read_at, .q(word));
      always_ff @(posedge clk)
        if (rst) past <= (LAT - 1)'(0);
        else past <= (LAT - 1)'({past, read});
      st_delay #(.WIDTH(WIDTH), .LATENCY(LAT - 3)) stages (
          .clk, .en(past[LAT-2:1]), .d(word), .q(late));
      assign arrives = past[LAT-2];
      logic unused;
      assign unused = past[LAT-1];
    end

    assign valid = held != AHEAD'(0);
    always_ff @(posedge clk)
      if (rst) held <= AHEAD'(0);
      else if (arrives & ~pop) held <= held + AHEAD'(1);
      else if (pop & ~arrives) held <= held - AHEAD'(1);
    st_ring #(.WIDTH(WIDTH), .DEPTH(LAT)) ring (
        .clk, .rst, .push(arrives), .d(late), .pop, .q);
  end
endmodule
