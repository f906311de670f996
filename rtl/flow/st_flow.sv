// st_flow: how many fill beats a drain beat of a flowing converter needs: for
// beat b of a window min(all, ceil((b + 1) OUT / IN)) with tokens of OUT and IN
// elements. next: the beat was issued; restart with it: it was the last of
// its window. need depends on registers and all only.
module st_flow #(
    parameter int IN = 1,
    parameter int OUT = 1,
    parameter int WIDTH = 16
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             next,
    input  logic             restart,
    input  logic [WIDTH-1:0] all,
    output logic [WIDTH-1:0] need
);
  // n = ceil((b + 1) OUT / IN), spare = n IN - (b + 1) OUT.
  localparam int BITS = IN > 1 ? $clog2(IN) : 1;
  localparam int FIRST = (OUT + IN - 1) / IN;
  localparam int REST = OUT % IN;
  localparam logic [BITS-1:0] SPARE = BITS'(FIRST * IN - OUT);
  logic [WIDTH-1:0] n;
  logic [BITS-1:0] spare;
  logic more;
  assign more = {1'b0, spare} + (BITS + 1)'(1) <= (BITS + 1)'(REST);
  assign need = n < all ? n : all;
  always_ff @(posedge clk)
    if (rst | (next & restart)) begin
      n <= WIDTH'(FIRST);
      spare <= SPARE;
    end else if (next & n < all) begin
      n <= n + WIDTH'(OUT / IN) + WIDTH'(more);
      spare <= spare - BITS'(REST) + (more ? BITS'(IN) : BITS'(0));
    end
endmodule
