// st_dot: y = the sum of the N products of signed integers a (A bits each,
// element i in bits i*A and up) and b (B bits), modulo 2^WIDTH.
//
// en[k]: operands entered k cycles ago (en[0]: a and b are valid now); y
// belongs to those of LATENCY + LEVELS * ADD cycles ago: chains of CHAIN products take
// LATENCY, their sums are added by a tree whose adders take ADD >= 1.
// LATENCY >= 1 + the levels of a tree over CHAIN.
module st_dot #(
    parameter int N = 8,
    parameter int A = 8,
    parameter int B = 8,
    parameter int WIDTH = 32,
    parameter int CHAIN = 8,
    parameter int LATENCY = 10,
    parameter int ADD = 1,
    localparam int CHAINS = (N + CHAIN - 1) / CHAIN,
    localparam int LEVELS = CHAINS > 1 ? $clog2(CHAINS) : 0,
    localparam int DEEP = LATENCY + LEVELS * ADD
) (
    input  logic             clk,
    input  logic [   DEEP:0] en,
    input  logic [  N*A-1:0] a,
    input  logic [  N*B-1:0] b,
    output logic [WIDTH-1:0] y
);
  logic [CHAINS*WIDTH-1:0] sums;
  for (genvar c = 0; c < CHAINS; c++) begin : g_chain
    localparam int SIZE = (c + 1) * CHAIN <= N ? CHAIN : N - c * CHAIN;
    localparam int TREE = SIZE > 1 ? $clog2(SIZE) : 0;
    logic [SIZE*WIDTH-1:0] products;
    for (genvar i = 0; i < SIZE; i++) begin : g_product
      logic signed [A-1:0] x;
      logic signed [B-1:0] z;
      logic signed [A+B-1:0] p;
      assign x = a[(c*CHAIN+i)*A+:A];
      assign z = b[(c*CHAIN+i)*B+:B];
      always_ff @(posedge clk) if (en[0]) p <= x * z;
      assign products[i*WIDTH+:WIDTH] = WIDTH'(p);
    end
    logic [WIDTH-1:0] sum;
    st_tree #(.N(SIZE), .KIND(6), .WIDTH(WIDTH), .LATENCY(1)) tree (
        .clk, .en(en[1+TREE:1]), .x(products), .y(sum));
    st_delay #(.WIDTH(WIDTH), .LATENCY(LATENCY - 1 - TREE)) delay (
        .clk, .en(en[LATENCY:1+TREE]), .d(sum), .q(sums[c*WIDTH+:WIDTH]));
  end
  st_tree #(.N(CHAINS), .KIND(6), .WIDTH(WIDTH), .LATENCY(ADD)) total (
      .clk, .en(en[DEEP:LATENCY]), .x(sums), .y);
endmodule
