// A small design, put together as doc/rtl.md says: y = A x for A of 2 rows by 2
// columns a token, columns outermost, so that a row token's accumulators, three
// ways in turn, are used again after those of all others, and x is held
// meanwhile. Row tokens and column tokens come as trips. Memory: A's tokens
// from address 0 on, column by column; x's from 4096; y's to 8192.
module matvec #(
    parameter int ROWS = 16,  // row tokens at most
    parameter int ROWS_BITS = $clog2(ROWS),
    parameter int MEMORY = 6
) (
    input  logic         clk,
    input  logic         rst,
    input  logic         start,
    input  logic [  7:0] rows,
    input  logic [  7:0] columns,
    output logic         a_request,
    output logic [ 15:0] a_at,
    input  logic [127:0] a_data,
    output logic         x_request,
    output logic [ 15:0] x_at,
    input  logic [ 63:0] x_data,
    output logic         write,
    output logic [ 15:0] write_at,
    output logic [ 63:0] write_data,
    output logic [  3:0] go  // load A, load x, kernel, store
);
  localparam int LOAD = MEMORY + 4;
  localparam int WAYS = 3;
  localparam int KERNEL = 1 + 5 + 6 + 6 + 6 + 6;

  // load A: loops column, row
  logic a_busy, a_take, a_credit, a_push, a_valid, a_pop, a_none;
  logic [15:0] a_index;
  logic [1:0] a_zero, a_last;
  logic [15:0] a_address;
  logic [LOAD:0] a_v;
  logic [127:0] a_d, a_q;
  st_loops #(.N(2), .WIDTH(8)) a_loops (
      .clk, .rst, .start, .trip({rows, columns}), .next(go[0]), .busy(a_busy),
      .index(a_index), .zero(a_zero), .last(a_last));
  st_address #(.N(2), .WIDTH(16)) a_addresses (
      .clk, .start, .base(16'd0), .stride({16'd1, {8'd0, rows}}), .next(go[0]),
      .last(a_last), .at(a_address));
  st_issue #(.LATENCY(LOAD)) a_issue (
      .clk, .rst, .busy(a_busy), .allow(1'b1), .need(1'b0), .valid(1'b0),
      .pop(a_none), .gives(1'b1), .credit(a_credit), .take(a_take),
      .push(a_push), .go(go[0]), .v(a_v));
  st_load #(.WIDTH(128), .ADDRESS(16), .MEMORY(MEMORY), .LATENCY(LOAD)) a_load (
      .clk, .rst, .v(a_v), .at(a_address), .request(a_request),
      .request_at(a_at), .data(a_data), .d(a_d));
  st_fifo #(.WIDTH(128), .DEPTH(14), .LAT(3), .STYLE(3)) a_fifo (
      .clk, .rst, .take(a_take), .credit(a_credit), .push(a_push), .d(a_d),
      .valid(a_valid), .pop(a_pop), .q(a_q));

  // load x: loop column
  logic x_busy, x_take, x_credit, x_push, x_valid, x_pop, x_none;
  logic [7:0] x_index;
  logic x_zero, x_last;
  logic [15:0] x_address;
  logic [LOAD:0] x_v;
  logic [63:0] x_d, x_q;
  st_loops #(.N(1), .WIDTH(8)) x_loops (
      .clk, .rst, .start, .trip(columns), .next(go[1]), .busy(x_busy),
      .index(x_index), .zero(x_zero), .last(x_last));
  st_address #(.N(1), .WIDTH(16)) x_addresses (
      .clk, .start, .base(16'd4096), .stride(16'd1), .next(go[1]),
      .last(x_last), .at(x_address));
  st_issue #(.LATENCY(LOAD)) x_issue (
      .clk, .rst, .busy(x_busy), .allow(1'b1), .need(1'b0), .valid(1'b0),
      .pop(x_none), .gives(1'b1), .credit(x_credit), .take(x_take),
      .push(x_push), .go(go[1]), .v(x_v));
  st_load #(.WIDTH(64), .ADDRESS(16), .MEMORY(MEMORY), .LATENCY(LOAD)) x_load (
      .clk, .rst, .v(x_v), .at(x_address), .request(x_request),
      .request_at(x_at), .data(x_data), .d(x_d));
  st_fifo #(.WIDTH(64), .DEPTH(12)) x_fifo (
      .clk, .rst, .take(x_take), .credit(x_credit), .push(x_push), .d(x_d),
      .valid(x_valid), .pop(x_pop), .q(x_q));

  // kernel: loops column (reduction), row
  logic k_busy, y_take, y_credit, y_push, y_valid, y_pop;
  logic [15:0] k_index;
  logic [1:0] k_zero, k_last;
  logic [KERNEL:0] v;
  logic [127:0] a;
  logic [63:0] x, y, y_q;
  st_loops #(.N(2), .WIDTH(8)) k_loops (
      .clk, .rst, .start, .trip({rows, columns}), .next(go[2]), .busy(k_busy),
      .index(k_index), .zero(k_zero), .last(k_last));
  st_issue #(.NIN(2), .LATENCY(KERNEL)) k_issue (
      .clk, .rst, .busy(k_busy), .allow(1'b1), .need({k_zero[1], 1'b1}),
      .valid({x_valid, a_valid}), .pop({x_pop, a_pop}), .gives(k_last[0]),
      .credit(y_credit), .take(y_take), .push(y_push), .go(go[2]), .v);
  st_hold #(.WIDTH(128)) hold_a (
      .clk, .go(go[2]), .pop(a_pop), .none(1'b0), .d(a_q), .q(a));
  st_hold #(.WIDTH(64)) hold_x (
      .clk, .go(go[2]), .pop(x_pop), .none(1'b0), .d(x_q), .q(x));

  logic first, s12_first;
  logic [ROWS_BITS-1:0] row, s12_row;
  logic [1:0] way, used, s12_way, s18_used, s24_used;
  st_way #(.N(2), .WAYS(WAYS)) turns (
      .clk, .start, .turn({2'd0, 2'd1}), .many({2'd0, 2'd1}), .next(go[2]),
      .last(k_last), .way, .first, .used);
  assign row = k_index[8+:ROWS_BITS];
  st_delay #(.WIDTH(3 + ROWS_BITS), .LATENCY(12)) to_accumulate (
      .clk, .en(v[12:0]), .d({first, way, row}),
      .q({s12_first, s12_way, s12_row}));
  st_delay #(.WIDTH(2), .LATENCY(18)) to_ways (
      .clk, .en(v[18:0]), .d(used), .q(s18_used));
  st_delay #(.WIDTH(2), .LATENCY(6)) to_second_level (
      .clk, .en(v[24:18]), .d(s18_used), .q(s24_used));
  logic [1:0] s30_used;
  st_delay #(.WIDTH(2), .LATENCY(6)) to_output (
      .clk, .en(v[30:24]), .d(s24_used), .q(s30_used));
  for (genvar r = 0; r < 2; r++) begin : g_row
    logic [31:0] p0, p1, sum, acc, combined;
    logic [95:0] ways;
    logic [31:0] w0, w2, w01, w01_sum, pair, pair_sum, s30_pair;
    st_fmul #(.LATENCY(5)) mul0 (
        .clk, .en(v[6:1]), .a(a[64*r+:32]), .b(x[31:0]), .y(p0));
    st_fmul #(.LATENCY(5)) mul1 (
        .clk, .en(v[6:1]), .a(a[64*r+32+:32]), .b(x[63:32]), .y(p1));
    st_fadd #(.LATENCY(6)) tree (.clk, .en(v[12:6]), .a(p0), .b(p1), .y(sum));
    st_fadd #(.LATENCY(6)) combine (
        .clk, .en(v[18:12]), .a(acc), .b(sum), .y(combined));
    st_accum #(.POSITIONS(ROWS), .WAYS(WAYS), .LATENCY(6)) accumulator (
        .clk, .en(v[18:12]), .position(s12_row), .way(s12_way),
        .first(s12_first), .v(sum), .acc, .combined, .y(ways));
    // The ways in use: neighbours, and what has no neighbour goes up as it is.
    st_fadd #(.LATENCY(6)) level0 (
        .clk, .en(v[24:18]), .a(ways[31:0]), .b(ways[63:32]), .y(w01_sum));
    st_delay #(.WIDTH(64), .LATENCY(6)) beside0 (
        .clk, .en(v[24:18]), .d({ways[95:64], ways[31:0]}), .q({w2, w0}));
    assign w01 = s24_used >= 2'd2 ? w01_sum : w0;
    st_fadd #(.LATENCY(6)) level1 (
        .clk, .en(v[30:24]), .a(w01), .b(w2), .y(pair_sum));
    st_delay #(.WIDTH(32), .LATENCY(6)) beside1 (
        .clk, .en(v[30:24]), .d(w01), .q(s30_pair));
    assign pair = s30_used == 2'd3 ? pair_sum : s30_pair;
    assign y[32*r+:32] = pair;
  end
  st_fifo #(.WIDTH(64), .DEPTH(4), .STYLE(1)) y_fifo (
      .clk, .rst, .take(y_take), .credit(y_credit), .push(y_push), .d(y),
      .valid(y_valid), .pop(y_pop), .q(y_q));

  // store: loop row
  logic s_busy, s_none, s_push;
  logic [7:0] s_index;
  logic s_zero, s_last;
  logic [15:0] s_address;
  logic [1:0] s_v;
  st_loops #(.N(1), .WIDTH(8)) s_loops (
      .clk, .rst, .start, .trip(rows), .next(go[3]), .busy(s_busy),
      .index(s_index), .zero(s_zero), .last(s_last));
  st_address #(.N(1), .WIDTH(16)) s_addresses (
      .clk, .start, .base(16'd8192), .stride(16'd1), .next(go[3]),
      .last(s_last), .at(s_address));
  st_issue #(.II(3)) s_issue (
      .clk, .rst, .busy(s_busy), .allow(1'b1), .need(1'b1), .valid(y_valid),
      .pop(y_pop), .gives(1'b0), .credit(1'b0), .take(s_none), .push(s_push),
      .go(go[3]), .v(s_v));
  st_store #(.WIDTH(64), .ADDRESS(16)) s_store (
      .clk, .rst, .go(go[3]), .at(s_address), .d(y_q), .write, .write_at,
      .data(write_data));

  logic unused;
  assign unused = &{a_index, a_zero, a_none, x_index, x_zero, x_none, k_index,
                    k_zero[0], k_last[1], s_index, s_zero, s_v, s_none, s_push};
endmodule
