// st_window against the definition, for windows of FILL and DRAIN beats: counts
// of all beats that were issued, and of those LATENCY cycles ago, decide. They
// are kept relative to drain's window.
module prove_window #(
    parameter int BANKS = 2,
    parameter int LATENCY = 2,
    parameter int FILL = 2,
    parameter int DRAIN = 3
) (
    input  logic       clk,
    input  logic       want_fill,
    input  logic       want_drain,
    input  logic [3:0] some,
    output logic       bad
);
  logic run;
  initial run = 1'b0;
  always_ff @(posedge clk) run <= 1'b1;

  // Position in its window of each side, which the emitter's loops know.
  logic [3:0] fill_at, drain_at, need;
  logic fill, drain, fill_last, drain_last, may_fill, may_drain;
  assign fill_last = fill_at == 4'(FILL - 1);
  assign drain_last = drain_at == 4'(DRAIN - 1);
  assign fill = run & want_fill & may_fill;
  assign drain = run & want_drain & may_drain;
  // Any need of 1 .. FILL that does not change while a beat waits.
  logic [3:0] kept;
  logic waits;
  assign need = waits ? kept
              : some >= 4'd1 & some <= 4'(FILL) ? some : 4'(FILL);
  st_window #(.BANKS(BANKS), .LATENCY(LATENCY), .WIDTH(4)) window (
      .clk, .rst(~run), .fill, .fill_last, .drain, .drain_last, .need,
      .may_fill, .may_drain);

  // Fill beats issued, and those LATENCY cycles ago or before, less FILL for
  // every window that drain has finished.
  logic [LATENCY:1] past;
  logic signed [7:0] all, ripe, done;
  assign done = drain & drain_last ? 8'(FILL) : 8'sd0;
  always_ff @(posedge clk)
    if (~run) begin
      past <= LATENCY'(0);
      fill_at <= 4'd0;
      drain_at <= 4'd0;
      waits <= 1'b0;
      all <= 8'sd0;
      ripe <= 8'sd0;
    end else begin
      past <= LATENCY'({past, fill});
      if (fill) fill_at <= fill_last ? 4'd0 : fill_at + 4'd1;
      if (drain) drain_at <= drain_last ? 4'd0 : drain_at + 4'd1;
      waits <= ~drain;
      kept <= need;
      all <= all + (fill ? 8'sd1 : 8'sd0) - done;
      ripe <= ripe - done +
          ((LATENCY == 1 ? fill : past[LATENCY-1]) ? 8'sd1 : 8'sd0);
    end

  // The next fill beat lies in window all / FILL after drain's.
  logic fill_ok, drain_ok;
  assign fill_ok = all < 8'(BANKS * FILL);
  assign drain_ok = ripe >= $signed({4'd0, need});
  assign bad = run & (may_fill != fill_ok | may_drain != drain_ok);
endmodule
