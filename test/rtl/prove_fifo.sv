// What st_fifo promises: bad is never set, whatever the environment does that
// its contract allows. Beats take a credit and push later, in order; of the
// token that is pushed when mark is set, rest is how many still come before it.
module prove_fifo #(
    parameter int DEPTH = 2,
    parameter int LAT = 1,
    parameter int STYLE = 0
) (
    input  logic       clk,
    input  logic       want_take,
    input  logic       want_push,
    input  logic       want_pop,
    input  logic       mark,
    input  logic [1:0] d,
    output logic       bad
);
  // The first cycle resets.
  logic run;
  initial run = 1'b0;
  always_ff @(posedge clk) run <= 1'b1;

  logic credit, valid, take, push, pop;
  logic [1:0] q;
  logic [3:0] owed, held, ripe;  // taken not pushed; pushed; poppable
  assign take = run & want_take & credit;
  assign push = run & want_push & (owed != 4'd0 | take);
  assign pop = run & want_pop & valid;
  st_fifo #(.WIDTH(2), .DEPTH(DEPTH), .LAT(LAT), .STYLE(STYLE)) fifo (
      .clk, .rst(~run), .take, .credit, .push, .d, .valid, .pop, .q);

  logic [LAT:0] past;
  assign past[0] = push;
  always_ff @(posedge clk) past[LAT:1] <= run ? past[LAT-1:0] : LAT'(0);
  logic marked;
  logic [1:0] value;
  logic [3:0] rest;
  always_ff @(posedge clk)
    if (~run) begin
      owed <= 4'd0;
      held <= 4'd0;
      ripe <= 4'd0;
      marked <= 1'b0;
    end else begin
      owed <= owed + 4'(take) - 4'(push);
      held <= held + 4'(push) - 4'(pop);
      ripe <= ripe + 4'(past[LAT-1]) - 4'(pop);
      if (push & mark & ~marked) begin
        marked <= 1'b1;
        value <= d;
        rest <= held - 4'(pop);
      end else if (marked & pop) begin
        if (rest == 4'd0) marked <= 1'b0;
        rest <= rest - 4'd1;
      end
    end

  assign bad = run &
      (valid != (ripe != 4'd0)  // poppable from t + LAT, not before
       | credit != (owed + held < 4'(DEPTH))  // a slot is free at t + 1
       | owed + held > 4'(DEPTH)
       | (marked & pop & rest == 4'd0 & q != value));
endmodule
