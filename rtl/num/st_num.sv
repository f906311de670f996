// st_num: what the operators on binary32 share. doc/numerics.md is the
// contract, src/base/num.h its definition; every name here has the meaning it has there.
package st_num;
  // verilator lint_off UNUSEDPARAM
  localparam logic [31:0] NAN = 32'h7fc00000;
  localparam logic [31:0] ONE = 32'h3f800000;
  localparam logic [30:0] INF = 31'h7f800000;
  // verilator lint_on UNUSEDPARAM

  // Bits of an operand as the operators see it: no subnormals.
  function automatic logic [31:0] flush(input logic [31:0] u);
    flush = u[30:23] == 8'd0 ? {u[31], 31'd0} : u;
  endfunction

  // The same with the canonical NaN.
  function automatic logic [31:0] canon(input logic [31:0] u);
    canon = u[30:0] > INF ? NAN : flush(u);
  endfunction

  // A key whose signed order is the order of the numbers, with -0 < +0.
  function automatic logic signed [31:0] key(input logic [31:0] u);
    logic [31:0] f;
    f = flush(u);
    key = f[31] ? {1'b1, ~f[30:0]} : f;
  endfunction

  // The binary32 nearest to (-1)^sign m 2^(e-25); m[25] is set, m[0] stands for
  // all below m[1].
  function automatic logic [31:0] pack(input logic sign,
                                       input logic signed [11:0] e,
                                       input logic [25:0] m);
    logic [7:0] biased;
    logic up;
    biased = 8'(e + 12'sd126);
    up = m[1] & (m[0] | m[2]);
    if (e < -12'sd126) pack = {sign, 31'd0};
    else if (e > 12'sd127) pack = {sign, INF};
    else pack = {sign, {biased, 23'd0} + {7'd0, m[25:2]} + 31'(up)};
  endfunction

  // Leading zeros of x; 31 or 63 for zero, so that bit 0 does not matter.
  // verilator lint_off UNUSEDSIGNAL
  function automatic logic [4:0] clz32(input logic [31:0] x);
    logic [15:1] a;
    logic [7:1] b;
    logic [3:1] c;
    logic n4, n3, n2, n1, n0;
    n4 = x[31:16] == 16'd0;
    a = n4 ? x[15:1] : x[31:17];
    n3 = a[15:8] == 8'd0;
    b = n3 ? a[7:1] : a[15:9];
    n2 = b[7:4] == 4'd0;
    c = n2 ? b[3:1] : b[7:5];
    n1 = c[3:2] == 2'd0;
    n0 = n1 ? ~c[1] : ~c[3];
    clz32 = {n4, n3, n2, n1, n0};
  endfunction
  // verilator lint_on UNUSEDSIGNAL

  function automatic logic [5:0] clz64(input logic [63:0] x);
    logic high;
    high = x[63:32] == 32'd0;
    clz64 = {high, clz32(high ? x[31:0] : x[63:32])};
  endfunction

  // binary16 (held as it is in a word of 32 bits) to binary32.
  function automatic logic [31:0] from_f16(input logic [15:0] h);
    logic [4:0] lz;
    logic [8:0] m;
    lz = clz32({h[9:0], 22'd0});
    m = h[8:0] << lz;
    if (h[14:10] == 5'd31)
      from_f16 = h[9:0] != 10'd0 ? NAN : {h[15], INF};
    else if (h[14:10] != 5'd0)
      from_f16 = {h[15], 8'(h[14:10]) + 8'd112, h[9:0], 13'd0};
    else if (h[9:0] == 10'd0) from_f16 = {h[15], 31'd0};
    else from_f16 = {h[15], 8'd112 - 8'(lz), m, 14'd0};
  endfunction

  // binary32 to binary16, which keeps its subnormals.
  function automatic logic [15:0] to_f16(input logic [31:0] u);
    logic [23:0] m, lost;
    logic [4:0] s;
    logic [14:0] r;
    logic up;
    m = {1'b1, u[22:0]};
    s = u[30:23] >= 8'd113 ? 5'd13 : 5'(8'd126 - u[30:23]);
    r = 15'(m >> s);
    lost = m << (5'd24 - s);
    up = lost[23] & (lost[22:0] != 23'd0 | r[0]);
    if (u[30:23] >= 8'd113) r = r + {5'(u[30:23] - 8'd113), 10'd0};
    if (u[30:0] > INF) to_f16 = 16'h7e00;
    else if (u[30:23] > 8'd142) to_f16 = {u[31], 15'h7c00};
    else if (u[30:23] < 8'd102) to_f16 = {u[31], 15'd0};
    else to_f16 = {u[31], r + 15'(up)};
  endfunction

  // binary32 to bfloat16.
  function automatic logic [15:0] to_bf16(input logic [31:0] u);
    logic [31:0] c;
    logic up;
    c = canon(u);
    up = c[15] & (c[14:0] != 15'd0 | c[16]);
    to_bf16 = c[31:16] + {15'd0, up};
  endfunction
endpackage
