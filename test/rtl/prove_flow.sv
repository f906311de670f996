// st_flow: for beat b of a window min(ALL, ceil((b + 1) OUT / IN)), told by
// products: n IN >= (b + 1) OUT, and (n - 1) IN < (b + 1) OUT.
module prove_flow #(
    parameter int IN = 2,
    parameter int OUT = 3,
    parameter int ALL = 5
) (
    input  logic clk,
    input  logic next,
    input  logic restart,
    output logic bad
);
  logic run;
  initial run = 1'b0;
  always_ff @(posedge clk) run <= 1'b1;

  logic [3:0] need, b;
  st_flow #(.IN(IN), .OUT(OUT), .WIDTH(4)) flow (
      .clk, .rst(~run), .next, .restart(restart | b == 4'd7), .all(4'(ALL)),
      .need);

  always_ff @(posedge clk)
    if (~run) b <= 4'd0;
    else if (next) b <= restart | b == 4'd7 ? 4'd0 : b + 4'd1;
  logic [7:0] in, less, out;
  assign in = 8'(need) * 8'(IN);
  assign less = in - 8'(IN);
  assign out = (8'(b) + 8'd1) * 8'(OUT);
  assign bad = run & (need > 4'(ALL) | need == 4'd0 | less >= out |
                      (in < out & need != 4'(ALL)));
endmodule
