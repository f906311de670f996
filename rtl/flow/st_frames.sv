// st_frames: in which beats of a bundle an output pushes (doc/machine.md,
// "Bundle"): BASE + r PERIOD + f SLOTS + s for 0 <= r < TIMES, FIRST <= f <
// LAST, 0 <= s < EACH.
//
// start begins the program; next: a beat is issued. gives belongs to the next
// beat and depends on registers only.
module st_frames #(
    parameter int BASE = 0,
    parameter int PERIOD = 4,
    parameter int TIMES = 1,
    parameter int SLOTS = 1,
    parameter int FIRST = 0,
    parameter int LAST = 4,
    parameter int EACH = 1
) (
    input  logic clk,
    input  logic start,
    input  logic next,
    output logic gives
);
  localparam int FRAMES = PERIOD / SLOTS;
  localparam int B = $clog2(BASE + 2);
  localparam int S = $clog2(SLOTS + 1) + 1;
  localparam int F = $clog2(FRAMES + 1) + 1;
  localparam int R = $clog2(TIMES + 1);
  // Beats before the first period; then slot and frame, counted from 1, and
  // periods left.
  logic [B-1:0] ahead;
  logic [S-1:0] slot;
  logic [F-1:0] frame;
  logic [R-1:0] left;
  assign gives = ahead == B'(0) & left != R'(0) & slot <= S'(EACH) &
                 frame > F'(FIRST) & frame <= F'(LAST);
  always_ff @(posedge clk)
    if (start) begin
      ahead <= B'(BASE);
      slot <= S'(1);
      frame <= F'(1);
      left <= R'(TIMES);
    end else if (next & ahead != B'(0)) begin
      ahead <= ahead - B'(1);
    end else if (next & left != R'(0)) begin
      slot <= slot == S'(SLOTS) ? S'(1) : slot + S'(1);
      if (slot == S'(SLOTS)) begin
        frame <= frame == F'(FRAMES) ? F'(1) : frame + F'(1);
        if (frame == F'(FRAMES)) left <= left - R'(1);
      end
    end
endmodule
