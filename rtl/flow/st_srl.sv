// st_srl: a queue of DEPTH words in a shift register: push shifts d in, q is
// the oldest of the held words (undefined if there are none).
module st_srl #(
    parameter int WIDTH = 32,
    parameter int DEPTH = 16,
    localparam int COUNT = $clog2(DEPTH + 1)
) (
    input  logic             clk,
    input  logic             push,
    input  logic [WIDTH-1:0] d,
    input  logic [COUNT-1:0] held,
    output logic [WIDTH-1:0] q
);
  localparam int BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
  logic [COUNT-1:0] less;
  logic [BITS-1:0] at;
  assign less = held - COUNT'(1);
  assign at = less[BITS-1:0];
  for (genvar b = 0; b < WIDTH; b++) begin : g_bit
    logic [DEPTH-1:0] shift;
    always_ff @(posedge clk) if (push) shift <= DEPTH'({shift, d[b]});
    assign q[b] = shift[at];
  end
  logic unused;
  assign unused = less[COUNT-1];
endmodule
