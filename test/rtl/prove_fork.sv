// st_fork between FIFOs: whatever comes in leaves both outputs once, in order.
// One token is followed: rest counts what comes before it at each output.
module prove_fork #(
    parameter int DEPTH = 2,
    parameter int LATENCY = 1
) (
    input  logic       clk,
    input  logic       want_push,
    input  logic [1:0] want_pop,
    input  logic       mark,
    input  logic       d,
    output logic       bad
);
  logic run;
  initial run = 1'b0;
  always_ff @(posedge clk) run <= 1'b1;

  logic in_credit, in_push, in_valid, in_pop, in_q, out_d;
  logic [1:0] credit, take, push, valid, pop, q;
  assign in_push = run & want_push & in_credit;
  assign pop = run ? want_pop & valid : 2'd0;
  st_fifo #(.WIDTH(1), .DEPTH(2)) in (
      .clk, .rst(~run), .take(in_push), .credit(in_credit), .push(in_push),
      .d, .valid(in_valid), .pop(in_pop), .q(in_q));
  st_fork #(.WIDTH(1), .OUTS(2), .LATENCY(LATENCY)) fork_ (
      .clk, .rst(~run), .valid(in_valid), .pop(in_pop), .d(in_q), .credit,
      .take, .push, .q(out_d));

  logic [1:0] wrong;
  for (genvar k = 0; k < 2; k++) begin : g_out
    st_fifo #(.WIDTH(1), .DEPTH(DEPTH)) out (
        .clk, .rst(~run), .take(take[k]), .credit(credit[k]), .push(push[k]),
        .d(out_d), .valid(valid[k]), .pop(pop[k]), .q(q[k]));
    logic [3:0] held, rest;
    logic marked, value;
    always_ff @(posedge clk)
      if (~run) begin
        held <= 4'd0;
        marked <= 1'b0;
      end else begin
        held <= held + 4'(in_push) - 4'(pop[k]);
        if (in_push & mark & ~marked) begin
          marked <= 1'b1;
          value <= d;
          rest <= held - 4'(pop[k]);
        end else if (marked & pop[k]) begin
          if (rest == 4'd0) marked <= 1'b0;
          rest <= rest - 4'd1;
        end
      end
    assign wrong[k] = held > 4'(DEPTH + 2) | (pop[k] & held == 4'd0) |
                      (marked & pop[k] & rest == 4'd0 & q[k] != value);
  end
  assign bad = run & wrong != 2'd0;
endmodule
