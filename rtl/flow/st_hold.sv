// st_hold: the token of a kernel's input port, held while beats use it again
// (doc/machine.md, "Kernel"). Valid a cycle after issue, with v[1].
//
// go: a beat is issued; pop: it fetches the token d; none: it lies outside the
// port's guard, its input is 0.
module st_hold #(
    parameter int WIDTH = 32
) (
    input  logic             clk,
    input  logic             go,
    input  logic             pop,
    input  logic             none,
    input  logic [WIDTH-1:0] d,
    output logic [WIDTH-1:0] q
);
  always_ff @(posedge clk)
    if (go & none) q <= WIDTH'(0);
    else if (pop) q <= d;
endmodule
