// st_terminal: steps of one token over a serial line.
//
// A request is four bytes: the token and its position, 16 bits each, the low
// byte first. start is set for a cycle while token and position are it; busy has
// to rise in the next cycle at the latest. When it has fallen the answer goes
// out: best (16 bits) and cycles (32 bits), low bytes first.
module st_terminal #(
    parameter int DIVISOR = 60
) (
    input  logic        clk,
    input  logic        rst,
    input  logic        rx,
    output logic        tx,
    output logic        start,
    output logic [15:0] token,
    output logic [15:0] position,
    input  logic        busy,
    input  logic [15:0] best,
    input  logic [31:0] cycles
);
  logic heard, ready, send;
  logic [7:0] byte_in;
  st_uart_rx #(.DIVISOR(DIVISOR)) receiver (
      .clk, .rst, .rx, .valid(heard), .data(byte_in));

  logic [1:0] bytes; // of the request that were heard
  always_ff @(posedge clk)
    if (rst) bytes <= 2'd0;
    else if (heard) bytes <= bytes + 2'd1;
  always_ff @(posedge clk)
    if (heard) {position, token} <= {byte_in, position, token[15:8]};

  // start, a cycle in which busy rises, the step, the answer.
  logic rises, runs, ends;
  assign ends = runs & ~busy;
  always_ff @(posedge clk)
    if (rst) begin
      start <= 1'b0;
      rises <= 1'b0;
      runs <= 1'b0;
    end else begin
      start <= heard & bytes == 2'd3;
      rises <= start;
      runs <= rises | (runs & busy);
    end

  logic [47:0] answer;
  logic [2:0] left; // bytes of the answer
  assign send = left != 3'd0;
  always_ff @(posedge clk)
    if (rst) left <= 3'd0;
    else if (ends) left <= 3'd6;
    else if (send & ready) left <= left - 3'd1;
  always_ff @(posedge clk)
    if (ends) answer <= {cycles, best};
    else if (send & ready) answer <= {8'd0, answer[47:8]};
  st_uart_tx #(.DIVISOR(DIVISOR)) sender (
      .clk, .rst, .valid(send), .data(answer[7:0]), .ready, .tx);
endmodule
