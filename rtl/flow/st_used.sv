// st_used: y = the first `used` (1 to WAYS) accumulators of a position combined
// by a balanced tree (doc/machine.md, "Kernel"): of a pair without a right side
// the left goes up as it is. KIND, HALF and LATENCY are those of st_combine.
//
// en[k]: x (way w in bits w*WIDTH and up) and used entered k cycles ago; y
// belongs to those of LEVELS * LATENCY cycles ago.
module st_used #(
    parameter int WAYS = 2,
    parameter int KIND = 0,
    parameter int WIDTH = 32,
    parameter int LATENCY = 6,
    parameter int HALF = 0,
    localparam int LEVELS = WAYS > 1 ? $clog2(WAYS) : 0,
    localparam int BITS = $clog2(WAYS + 1)
) (
    input  logic                    clk,
    input  logic [LEVELS*LATENCY:0] en,
    input  logic [BITS-1:0]         used,
    input  logic [WAYS*WIDTH-1:0]   x,
    output logic [WIDTH-1:0]        y
);
  for (genvar k = 0; k <= LEVELS; k++) begin : g_level
    logic [BITS-1:0] n;
    if (k == 0) begin : g_now
      assign n = used;
    end else begin : g_later
      st_delay #(.WIDTH(BITS), .LATENCY(LATENCY)) delay (
          .clk, .en(en[k*LATENCY:(k-1)*LATENCY]), .d(g_level[k-1].n), .q(n));
    end
    for (genvar j = 0; j < (WAYS + (1 << k) - 1) >> k; j++) begin : g_node
      logic [WIDTH-1:0] s;
      if (k == 0) begin : g_leaf
        assign s = x[j*WIDTH+:WIDTH];
      end else begin : g_up
        logic [WIDTH-1:0] alone;
        st_delay #(.WIDTH(WIDTH), .LATENCY(LATENCY)) delay (
            .clk, .en(en[k*LATENCY:(k-1)*LATENCY]),
            .d(g_level[k-1].g_node[2*j].s), .q(alone));
        if (((2 * j + 1) << k) < 2 * WAYS) begin : g_pair
          logic [WIDTH-1:0] both;
          st_combine #(.KIND(KIND), .WIDTH(WIDTH), .LATENCY(LATENCY),
                       .HALF(HALF)) op (
              .clk, .en(en[k*LATENCY:(k-1)*LATENCY]),
              .a(g_level[k-1].g_node[2*j].s),
              .b(g_level[k-1].g_node[2*j+1].s), .y(both));
          assign s = n > BITS'(((2 * j + 1) << k) / 2) ? both : alone;
        end else begin : g_odd
          assign s = alone;
        end
      end
    end
  end
  assign y = g_level[LEVELS].g_node[0].s;
  logic unused;
  assign unused = &{1'b0, clk, en, g_level[LEVELS].n};
endmodule
