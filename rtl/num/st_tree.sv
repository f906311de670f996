// st_tree: y = the N values of x (value i in bits i*WIDTH and up) combined by a
// balanced tree: neighbours pairwise, an odd last one is carried up
// (doc/machine.md, "Kernel"). KIND, HALF and LATENCY are those of st_combine.
//
// en[k]: values entered k cycles ago (en[0]: x is valid now); y belongs to
// those of LEVELS * LATENCY cycles ago.
module st_tree #(
    parameter int N = 4,
    parameter int KIND = 0,
    parameter int WIDTH = 32,
    parameter int LATENCY = 6,
    parameter int HALF = 0,
    localparam int LEVELS = N > 1 ? $clog2(N) : 0
) (
    input  logic                      clk,
    input  logic [LEVELS*LATENCY:0]   en,
    input  logic [N*WIDTH-1:0]        x,
    output logic [WIDTH-1:0]          y
);
  for (genvar k = 0; k <= LEVELS; k++) begin : g_level
    for (genvar j = 0; j < (N + (1 << k) - 1) >> k; j++) begin : g_node
      logic [WIDTH-1:0] s;
      if (k == 0) begin : g_leaf
        assign s = x[j*WIDTH+:WIDTH];
      end else if (((2 * j + 1) << k) < 2 * N) begin : g_pair
        st_combine #(.KIND(KIND), .WIDTH(WIDTH), .LATENCY(LATENCY),
                     .HALF(HALF)) op (
            .clk, .en(en[k*LATENCY:(k-1)*LATENCY]),
            .a(g_level[k-1].g_node[2*j].s),
            .b(g_level[k-1].g_node[2*j+1].s), .y(s));
      end else begin : g_odd
        st_delay #(.WIDTH(WIDTH), .LATENCY(LATENCY)) delay (
            .clk, .en(en[k*LATENCY:(k-1)*LATENCY]),
            .d(g_level[k-1].g_node[2*j].s), .q(s));
      end
    end
  end
  assign y = g_level[LEVELS].g_node[0].s;
  if (LEVELS == 0) begin : g_wire
    logic unused;
    assign unused = &{clk, en};
  end
endmodule
