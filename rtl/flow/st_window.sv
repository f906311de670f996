// st_window: when a converter may fill and drain its windows (doc/machine.md,
// "Converter"). Counts of the beats that were issued decide; windows are
// counted in the order in which both sides use them.
//
// fill and drain: a beat of that side is issued in this cycle; fill_last and
// drain_last: it is the last of its window. may_fill: fewer than BANKS windows
// are filled that drain has not finished. may_drain: `need` fill beats (1 to
// all) of drain's window were issued LATENCY cycles ago or before. (Drain may
// finish a window that needs no more beats of fill before fill does.)
module st_window #(
    parameter int BANKS = 2,
    parameter int LATENCY = 2,
    parameter int WIDTH = 16
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             fill,
    input  logic             fill_last,
    input  logic             drain,
    input  logic             drain_last,
    input  logic [WIDTH-1:0] need,
    output logic             may_fill,
    output logic             may_drain
);
  // Windows filled less windows drained, plus 1.
  localparam int BITS = $clog2(BANKS + 2);
  logic [BITS-1:0] full;
  logic filled, drained;
  assign filled = fill & fill_last;
  assign drained = drain & drain_last;
  assign may_fill = full != BITS'(BANKS + 1);
  always_ff @(posedge clk)
    if (rst) full <= BITS'(1);
    else if (filled & ~drained) full <= full + BITS'(1);
    else if (drained & ~filled) full <= full - BITS'(1);

  // The same as drain sees it, LATENCY - 1 cycles later: whole windows, and
  // beats of the one that is being filled.
  logic seen, seen_last;
  if (LATENCY == 1) begin : g_now
    assign seen = fill;
    assign seen_last = filled;
  end else begin : g_later
    logic [LATENCY-1:1] past, past_last;
    assign seen = past[LATENCY-1];
    assign seen_last = past_last[LATENCY-1];
    always_ff @(posedge clk)
      if (rst) begin
        past <= (LATENCY - 1)'(0);
        past_last <= (LATENCY - 1)'(0);
      end else begin
        past <= (LATENCY - 1)'({past, fill});
        past_last <= (LATENCY - 1)'({past_last, filled});
      end
  end
  logic [BITS-1:0] ripe;
  logic [WIDTH-1:0] beats;
  assign may_drain = ripe > BITS'(1) | (ripe == BITS'(1) & beats >= need);
  always_ff @(posedge clk)
    if (rst) ripe <= BITS'(1);
    else if (seen_last & ~drained) ripe <= ripe + BITS'(1);
    else if (drained & ~seen_last) ripe <= ripe - BITS'(1);
  always_ff @(posedge clk)
    if (rst) beats <= WIDTH'(0);
    else if (seen) beats <= seen_last ? WIDTH'(0) : beats + WIDTH'(1);
endmodule
