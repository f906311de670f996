// Resets and starts the nets of rtl_nets.c and shows, for +cycles cycles from
// the first in which a beat can be issued, which processes issue one.
module nets_tb;
  logic clk, rst, start;
  logic [nets::PROCESSES-1:0] go;
  logic [nets::COUNT-1:0] wrong;
  nets_top top (.clk, .rst, .start, .go, .wrong);

  integer t, cycles;
  initial begin
    if ($value$plusargs("cycles=%d", cycles) == 0) $finish;
    clk = 1'b0;
    for (t = -3; t < cycles; t = t + 1) begin
      rst = t == -3;
      start = t == -1;
      #1;
      if (t >= 0) $display("%h %h", go, wrong);
      clk = 1'b1;
      #1;
      clk = 1'b0;
    end
    $finish;
  end
endmodule
