// st_issue: when a process issues its beats (doc/machine.md, "Process").
//
// busy: there is a next beat, for which need says which inputs it pops, gives
// which outputs it pushes to, and allow that nothing else holds it back. It is
// issued, go, in the first cycle in which II cycles have gone since the last,
// every needed input is valid and every given output has credit. pop and take
// go to the FIFOs in that cycle, push LATENCY cycles later. v[k] is set if a
// beat was issued k cycles ago: the enables of the operators.
module st_issue #(
    parameter int NIN = 1,
    parameter int NOUT = 1,
    parameter int II = 1,
    parameter int LATENCY = 1
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             busy,
    input  logic             allow,
    input  logic [  NIN-1:0] need,
    input  logic [  NIN-1:0] valid,
    output logic [  NIN-1:0] pop,
    input  logic [ NOUT-1:0] gives,
    input  logic [ NOUT-1:0] credit,
    output logic [ NOUT-1:0] take,
    output logic [ NOUT-1:0] push,
    output logic             go,
    output logic [LATENCY:0] v
);
  logic rested;
  assign go = busy & allow & rested & (need & ~valid) == NIN'(0) &
              (gives & ~credit) == NOUT'(0);
  assign pop = go ? need : NIN'(0);
  assign take = go ? gives : NOUT'(0);

  if (II == 1) begin : g_every
    assign rested = 1'b1;
  end else begin : g_pause
    localparam int BITS = $clog2(II);
    logic [BITS-1:0] left;
    assign rested = left == BITS'(0);
    always_ff @(posedge clk)
      if (rst) left <= BITS'(0);
      else if (go) left <= BITS'(II - 1);
      else if (~rested) left <= left - BITS'(1);
  end

  if (LATENCY == 0) begin : g_now
    logic unused;
    assign unused = clk & rst;
    assign v = go;
    assign push = take;
  end else begin : g_later
    logic [LATENCY:1] past;
    logic [NOUT-1:0] late;
    assign v = {past, go};
    always_ff @(posedge clk)
      if (rst) past <= LATENCY'(0);
      else past <= v[LATENCY-1:0];
    st_delay #(.WIDTH(NOUT), .LATENCY(LATENCY)) gave (
        .clk, .en(v), .d(gives), .q(late));
    assign push = v[LATENCY] ? late : NOUT'(0);
  end
endmodule
