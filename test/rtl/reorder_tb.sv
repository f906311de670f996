// A source of numbers, a converter and a sink, whose tokens are shown with the
// cycle of the pop. The fill loops are window, row, column; drain goes over
// each window row by row (FLOW) or column by column, REPEAT times.
module reorder_tb #(
    parameter bit FLOW = 1'b0,
    parameter int REPEAT = 1,
    parameter int BANKS = 2,
    parameter int ROWS = 3,
    parameter int COLUMNS = 4,
    parameter int WINDOWS = 5,
    parameter int BUFFER = 2,
    parameter int LATENCY = 3
);
  localparam int WINDOW = ROWS * COLUMNS;
  localparam int BITS = $clog2(WINDOW);
  logic clk, rst, start;

  logic s_take, s_credit, s_push, s_valid, s_pop, s_busy, s_go, s_none;
  logic [7:0] s_index, s_d, s_q;
  logic s_zero, s_last;
  logic [1:0] s_v;
  st_loops #(.N(1), .WIDTH(8)) s_loops (
      .clk, .rst, .start, .trip(8'(WINDOWS * WINDOW)), .next(s_go),
      .busy(s_busy), .index(s_index), .zero(s_zero), .last(s_last));
  st_issue s_issue (
      .clk, .rst, .busy(s_busy), .allow(1'b1), .need(1'b0), .valid(1'b0),
      .pop(s_none), .gives(1'b1), .credit(s_credit), .take(s_take),
      .push(s_push), .go(s_go), .v(s_v));
  st_delay #(.WIDTH(8)) s_data (.clk, .en(s_v), .d(s_index), .q(s_d));
  st_fifo #(.WIDTH(8), .DEPTH(4)) s_fifo (
      .clk, .rst, .take(s_take), .credit(s_credit), .push(s_push), .d(s_d),
      .valid(s_valid), .pop(s_pop), .q(s_q));

  logic f_busy, f_go, f_none, f_push, may_fill;
  logic [23:0] f_index;
  logic [2:0] f_zero, f_last;
  logic [7:0] f_at;
  logic [1:0] f_v;
  st_loops #(.N(3), .WIDTH(8)) f_loops (
      .clk, .rst, .start, .trip({8'(COLUMNS), 8'(ROWS), 8'(WINDOWS)}),
      .next(f_go), .busy(f_busy), .index(f_index), .zero(f_zero),
      .last(f_last));
  st_address #(.N(3), .WIDTH(8)) f_address (
      .clk, .start, .base(8'd0), .stride({8'd1, 8'(COLUMNS), 8'd0}),
      .next(f_go), .last(f_last), .at(f_at));
  st_issue f_issue (
      .clk, .rst, .busy(f_busy), .allow(may_fill), .need(1'b1),
      .valid(s_valid), .pop(s_pop), .gives(1'b0), .credit(1'b0),
      .take(f_none), .push(f_push), .go(f_go), .v(f_v));

  logic d_busy, d_go, d_none, d_take, d_credit, d_push, may_drain;
  logic [31:0] d_index;
  logic [3:0] d_zero, d_last;
  logic [7:0] d_at, need, q, word;
  logic [LATENCY:0] d_v;
  st_loops #(.N(4), .WIDTH(8)) d_loops (
      .clk, .rst, .start,
      .trip({FLOW ? {8'(COLUMNS), 8'(ROWS)} : {8'(ROWS), 8'(COLUMNS)},
             8'(REPEAT), 8'(WINDOWS)}),
      .next(d_go), .busy(d_busy), .index(d_index), .zero(d_zero),
      .last(d_last));
  st_address #(.N(4), .WIDTH(8)) d_address (
      .clk, .start, .base(8'd0),
      .stride({FLOW ? {8'd1, 8'(COLUMNS)} : {8'(COLUMNS), 8'd1}, 16'd0}),
      .next(d_go), .last(d_last), .at(d_at));
  st_issue #(.LATENCY(LATENCY)) d_issue (
      .clk, .rst, .busy(d_busy), .allow(may_drain), .need(1'b0), .valid(1'b0),
      .pop(d_none), .gives(1'b1), .credit(d_credit), .take(d_take),
      .push(d_push), .go(d_go), .v(d_v));
  if (FLOW) begin : g_flow
    st_flow #(.WIDTH(8)) flow (
        .clk, .rst, .next(d_go), .restart(&d_last[3:1]), .all(8'(WINDOW)),
        .need);
  end else begin : g_full
    assign need = 8'(WINDOW);
  end
  st_window #(.BANKS(BANKS), .LATENCY(BUFFER), .WIDTH(8)) window (
      .clk, .rst, .fill(f_go), .fill_last(&f_last[2:1]), .drain(d_go),
      .drain_last(&d_last[3:1]), .need, .may_fill, .may_drain);
  st_convert #(.WIDTH(8), .WINDOW(WINDOW), .BANKS(BANKS), .LATENCY(LATENCY))
      convert (
      .clk, .rst, .fill(f_go), .fill_last(&f_last[2:1]),
      .fill_at(f_at[BITS-1:0]), .d(s_q), .v(d_v), .drain_last(&d_last[3:1]),
      .drain_at(d_at[BITS-1:0]), .q(word));

  logic valid;
  st_fifo #(.WIDTH(8), .DEPTH(8)) d_fifo (
      .clk, .rst, .take(d_take), .credit(d_credit), .push(d_push), .d(word),
      .valid, .pop(valid), .q);

  integer t;
  initial begin
    clk = 1'b0;
    for (t = -3; t < 1000; t = t + 1) begin
      rst = t == -3;
      start = t == -1;
      #1;
      if (t >= 0 && valid) $display("%0d %0d", t, q);
      clk = 1'b1;
      #1;
      clk = 1'b0;
    end
    $finish;
  end
endmodule
