// Runs matvec on the words of a.hex and x.hex in the working directory with
// memory that answers after MEMORY cycles, and shows for every cycle which
// processes issue a beat and what is written.
module matvec_tb;
  localparam int MEMORY = 6;
  logic clk, rst, start, write;
  logic [7:0] rows, columns;
  logic a_request, x_request;
  logic [15:0] a_at, x_at, write_at;
  logic [127:0] a_data;
  logic [63:0] x_data, write_data;
  logic [3:0] go;
  matvec #(.MEMORY(MEMORY)) top (
      .clk, .rst, .start, .rows, .columns, .a_request, .a_at, .a_data,
      .x_request, .x_at, .x_data, .write, .write_at, .write_data, .go);

  logic [127:0] a_memory [0:4095];
  logic [63:0] x_memory [0:255];
  logic [15:0] a_late [0:MEMORY-1], x_late [0:MEMORY-1], a_now, x_now;
  assign a_data = a_memory[a_late[MEMORY-1]];
  assign x_data = x_memory[x_late[MEMORY-1] - 16'd4096];

  integer t, k, cycles, some;
  initial begin
    some = $value$plusargs("rows=%d", rows);
    some = $value$plusargs("columns=%d", columns);
    some = $value$plusargs("cycles=%d", cycles);
    $readmemh("a.hex", a_memory);
    $readmemh("x.hex", x_memory);
    clk = 1'b0;
    for (t = -3; t < cycles; t = t + 1) begin
      rst = t == -3;
      start = t == -1;
      #1;
      if (t >= 0)
        $display("%h %h %h %h", go, write, write_at, write_data);
      // Answers to no request are unknown: they must not matter.
      a_now = a_request ? a_at : 16'hffff;
      x_now = x_request ? x_at : 16'hffff;
      clk = 1'b1;
      #1;
      for (k = MEMORY - 1; k > 0; k = k - 1) begin
        a_late[k] = a_late[k-1];
        x_late[k] = x_late[k-1];
      end
      a_late[0] = a_now;
      x_late[0] = x_now;
      clk = 1'b0;
    end
    $finish;
  end
endmodule
