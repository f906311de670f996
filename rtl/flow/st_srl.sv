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
  logic [(DEPTH+1)*WIDTH-1:0] words;
  logic [DEPTH*WIDTH-1:0] shift;
  assign words = {shift, d};
  always_ff @(posedge clk) if (push) shift <= words[DEPTH*WIDTH-1:0];
  assign q = words[held*WIDTH+:WIDTH];
endmodule
