// st_idiv: y = a / b towards zero, or a - (a / b) * b with REM. Signed integers
// of WIDTH bits; a / 0 = -1, a rem 0 = a, the minimum divided by -1 is itself.
//
// en[k]: an operand pair entered k cycles ago (en[0]: a and b are valid now);
// y is the result of the pair of LATENCY cycles ago. New operands every cycle.
// LATENCY >= WIDTH + 2. Algorithm: restoring division of magnitudes, one bit a
// stage. With b = 0 every digit is 1 and the remainder is |a|.
module st_idiv #(
    parameter int LATENCY = 10,
    parameter int WIDTH = 8,
    parameter bit REM = 1'b0
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [WIDTH-1:0] a,
    input  logic [WIDTH-1:0] b,
    output logic [WIDTH-1:0] y
);
  localparam int MIN = WIDTH + 2;

  logic s1_minus;
  logic [WIDTH-1:0] s1_a, s1_b;
  always_ff @(posedge clk)
    if (en[0]) begin
      s1_minus <= REM ? a[WIDTH-1] : (a[WIDTH-1] ^ b[WIDTH-1]) & b != WIDTH'(0);
      s1_a <= a[WIDTH-1] ? ~a + WIDTH'(1) : a;
      s1_b <= b[WIDTH-1] ? ~b + WIDTH'(1) : b;
    end

  // The dividend leaves q to the left as digits enter from the right.
  for (genvar k = 0; k < WIDTH; k++) begin : g_digit
    logic [WIDTH-1:0] rem_in, q_in, d_in;
    if (k == 0) begin : g_first
      assign rem_in = WIDTH'(0);
      assign q_in = s1_a;
      assign d_in = s1_b;
    end else begin : g_next
      assign rem_in = g_digit[k-1].rem;
      assign q_in = g_digit[k-1].q;
      assign d_in = g_digit[k-1].d;
    end
    logic [WIDTH:0] t;
    logic [WIDTH+1:0] u;
    logic digit;
    assign t = {rem_in, q_in[WIDTH-1]};
    assign u = {1'b0, t} - {2'b00, d_in};
    assign digit = ~u[WIDTH+1];
    logic [WIDTH-1:0] rem, q, d;
    always_ff @(posedge clk)
      if (en[k+1]) begin
        rem <= WIDTH'(digit ? u : {1'b0, t});
        q <= WIDTH'({q_in, digit});
        d <= d_in;
      end
  end

  logic minus;
  st_delay #(.WIDTH(1), .LATENCY(WIDTH)) carry (
      .clk, .en(en[MIN-1:1]), .d(s1_minus), .q(minus));

  logic [WIDTH-1:0] m, last;
  assign m = REM ? g_digit[WIDTH-1].rem : g_digit[WIDTH-1].q;
  always_ff @(posedge clk) if (en[MIN-1]) last <= minus ? ~m + WIDTH'(1) : m;
  logic unused;
  assign unused = &{g_digit[WIDTH-1].d, g_digit[WIDTH-1].rem,
                    g_digit[WIDTH-1].q};

  st_delay #(.WIDTH(WIDTH), .LATENCY(LATENCY - MIN)) delay (
      .clk, .en(en[LATENCY:MIN]), .d(last), .q(y));
endmodule
