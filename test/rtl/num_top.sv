// Every numeric operator of the library on one pair of operands (float a, b;
// integer x, z), each with the latency of targets/u55c.toml. run says which of
// them work; valid comes with the operands. The order is that of num_ops.h.
module num_top (
    input  logic        clk,
    input  logic        valid,
    input  logic [63:0] run,
    input  logic [31:0] a,
    input  logic [31:0] b,
    input  logic [63:0] x,
    input  logic [63:0] z,
    output logic [31:0] y_fadd,
    output logic [31:0] y_fsub,
    output logic [31:0] y_fmul,
    output logic [31:0] y_fdiv,
    output logic [31:0] y_fsqrt,
    output logic [31:0] y_fneg,
    output logic [31:0] y_fabs,
    output logic [31:0] y_maximum,
    output logic [31:0] y_minimum,
    output logic [31:0] y_maxnum,
    output logic [31:0] y_minnum,
    output logic [31:0] y_exp,
    output logic [31:0] y_log,
    output logic [31:0] y_rsqrt,
    output logic [31:0] y_tanh,
    output logic [31:0] y_erf,
    output logic [31:0] y_sin,
    output logic [31:0] y_cos,
    output logic [31:0] y_pow,
    output logic [31:0] y_trunc,
    output logic [31:0] y_floor,
    output logic [31:0] y_ceil,
    output logic [31:0] y_roundeven,
    output logic [0:0] y_oeq,
    output logic [0:0] y_olt,
    output logic [0:0] y_oge,
    output logic [0:0] y_one,
    output logic [0:0] y_ugt,
    output logic [0:0] y_uno,
    output logic [31:0] y_sitofp64,
    output logic [31:0] y_sitofp8,
    output logic [31:0] y_uitofp32,
    output logic [31:0] y_uitofp1,
    output logic [63:0] y_fptosi64,
    output logic [31:0] y_fptosi32,
    output logic [7:0] y_fptosi8,
    output logic [0:0] y_fptosi1,
    output logic [15:0] y_tof16,
    output logic [15:0] y_tobf16,
    output logic [31:0] y_fromf16,
    output logic [31:0] y_frombf16,
    output logic [63:0] y_muli64,
    output logic [31:0] y_muli32,
    output logic [7:0] y_muli8,
    output logic [63:0] y_divsi64,
    output logic [63:0] y_remsi64,
    output logic [31:0] y_divsi32,
    output logic [31:0] y_remsi32,
    output logic [7:0] y_divsi8,
    output logic [7:0] y_remsi8
);
  // v[k]: operands came k cycles ago.
  localparam int DEEP = 66;
  logic [DEEP:1] past;
  logic [DEEP:0] v;
  assign v = {past, valid};
  always_ff @(posedge clk) past <= v[DEEP-1:0];

  st_fadd #(.LATENCY(6)) fadd (
      .clk, .en(v[6:0] & {7{run[0]}}), .a, .b, .y(y_fadd));
  st_fadd #(.LATENCY(6), .SUB(1'b1)) fsub (
      .clk, .en(v[6:0] & {7{run[1]}}), .a, .b, .y(y_fsub));
  st_fmul #(.LATENCY(5)) fmul (
      .clk, .en(v[5:0] & {6{run[2]}}), .a, .b, .y(y_fmul));
  st_fdiv #(.LATENCY(14)) fdiv (
      .clk, .en(v[14:0] & {15{run[3]}}), .a, .b, .y(y_fdiv));
  st_fsqrt #(.LATENCY(14)) fsqrt (
      .clk, .en(v[14:0] & {15{run[4]}}), .a, .y(y_fsqrt));
  st_fsign #(.LATENCY(0)) fneg (
      .clk, .en(v[0:0] & {1{run[5]}}), .a, .y(y_fneg));
  st_fsign #(.LATENCY(0), .ABS(1'b1)) fabs (
      .clk, .en(v[0:0] & {1{run[6]}}), .a, .y(y_fabs));
  st_fextreme #(.LATENCY(1)) maximum (
      .clk, .en(v[1:0] & {2{run[7]}}), .a, .b, .y(y_maximum));
  st_fextreme #(.LATENCY(1), .MIN(1'b1)) minimum (
      .clk, .en(v[1:0] & {2{run[8]}}), .a, .b, .y(y_minimum));
  st_fextreme #(.LATENCY(1), .NUM(1'b1)) maxnum (
      .clk, .en(v[1:0] & {2{run[9]}}), .a, .b, .y(y_maxnum));
  st_fextreme #(.LATENCY(1), .MIN(1'b1), .NUM(1'b1)) minnum (
      .clk, .en(v[1:0] & {2{run[10]}}), .a, .b, .y(y_minnum));
  st_exp #(.LATENCY(12)) exp (
      .clk, .en(v[12:0] & {13{run[11]}}), .a, .y(y_exp));
  st_log #(.LATENCY(14)) log (
      .clk, .en(v[14:0] & {15{run[12]}}), .a, .y(y_log));
  st_rsqrt #(.LATENCY(7)) rsqrt (
      .clk, .en(v[7:0] & {8{run[13]}}), .a, .y(y_rsqrt));
  st_fodd #(.LATENCY(34)) tanh (
      .clk, .en(v[34:0] & {35{run[14]}}), .a, .y(y_tanh));
  st_fodd #(.LATENCY(30), .ERF(1'b1)) erf (
      .clk, .en(v[30:0] & {31{run[15]}}), .a, .y(y_erf));
  st_circular #(.LATENCY(16)) sin (
      .clk, .en(v[16:0] & {17{run[16]}}), .a, .y(y_sin));
  st_circular #(.LATENCY(16), .COS(1'b1)) cos (
      .clk, .en(v[16:0] & {17{run[17]}}), .a, .y(y_cos));
  st_fpow #(.LATENCY(32)) pow (
      .clk, .en(v[32:0] & {33{run[18]}}), .a, .b, .y(y_pow));
  st_frint #(.LATENCY(1), .MODE(2'd0)) trunc (
      .clk, .en(v[1:0] & {2{run[19]}}), .a, .y(y_trunc));
  st_frint #(.LATENCY(1), .MODE(2'd1)) floor (
      .clk, .en(v[1:0] & {2{run[20]}}), .a, .y(y_floor));
  st_frint #(.LATENCY(1), .MODE(2'd2)) ceil (
      .clk, .en(v[1:0] & {2{run[21]}}), .a, .y(y_ceil));
  st_frint #(.LATENCY(1), .MODE(2'd3)) roundeven (
      .clk, .en(v[1:0] & {2{run[22]}}), .a, .y(y_roundeven));
  st_fcmp #(.LATENCY(1), .SET(4'b0010)) oeq (
      .clk, .en(v[1:0] & {2{run[23]}}), .a, .b, .y(y_oeq));
  st_fcmp #(.LATENCY(1), .SET(4'b0001)) olt (
      .clk, .en(v[1:0] & {2{run[24]}}), .a, .b, .y(y_olt));
  st_fcmp #(.LATENCY(1), .SET(4'b0110)) oge (
      .clk, .en(v[1:0] & {2{run[25]}}), .a, .b, .y(y_oge));
  st_fcmp #(.LATENCY(1), .SET(4'b0101)) one (
      .clk, .en(v[1:0] & {2{run[26]}}), .a, .b, .y(y_one));
  st_fcmp #(.LATENCY(1), .SET(4'b1100)) ugt (
      .clk, .en(v[1:0] & {2{run[27]}}), .a, .b, .y(y_ugt));
  st_fcmp #(.LATENCY(1), .SET(4'b1000)) uno (
      .clk, .en(v[1:0] & {2{run[28]}}), .a, .b, .y(y_uno));
  st_itof #(.LATENCY(3)) sitofp64 (
      .clk, .en(v[3:0] & {4{run[29]}}), .a(x), .y(y_sitofp64));
  st_itof #(.LATENCY(3), .WIDTH(8)) sitofp8 (
      .clk, .en(v[3:0] & {4{run[30]}}), .a(x[7:0]), .y(y_sitofp8));
  st_itof #(.LATENCY(3), .WIDTH(32), .SIGNED(1'b0)) uitofp32 (
      .clk, .en(v[3:0] & {4{run[31]}}), .a(x[31:0]), .y(y_uitofp32));
  st_itof #(.LATENCY(3), .WIDTH(1), .SIGNED(1'b0)) uitofp1 (
      .clk, .en(v[3:0] & {4{run[32]}}), .a(x[0:0]), .y(y_uitofp1));
  st_ftoi #(.LATENCY(2)) fptosi64 (
      .clk, .en(v[2:0] & {3{run[33]}}), .a, .y(y_fptosi64));
  st_ftoi #(.LATENCY(2), .WIDTH(32)) fptosi32 (
      .clk, .en(v[2:0] & {3{run[34]}}), .a, .y(y_fptosi32));
  st_ftoi #(.LATENCY(2), .WIDTH(8)) fptosi8 (
      .clk, .en(v[2:0] & {3{run[35]}}), .a, .y(y_fptosi8));
  st_ftoi #(.LATENCY(2), .WIDTH(1)) fptosi1 (
      .clk, .en(v[2:0] & {3{run[36]}}), .a, .y(y_fptosi1));
  st_fround16 #(.LATENCY(2)) tof16 (
      .clk, .en(v[2:0] & {3{run[37]}}), .a, .y(y_tof16));
  st_fround16 #(.LATENCY(2), .BF(1'b1)) tobf16 (
      .clk, .en(v[2:0] & {3{run[38]}}), .a, .y(y_tobf16));
  st_fwiden16 #(.LATENCY(1)) fromf16 (
      .clk, .en(v[1:0] & {2{run[39]}}), .a(x[15:0]), .y(y_fromf16));
  st_fwiden16 #(.LATENCY(1), .BF(1'b1)) frombf16 (
      .clk, .en(v[1:0] & {2{run[40]}}), .a(x[15:0]), .y(y_frombf16));
  st_imul #(.LATENCY(4), .WIDTH(64)) muli64 (
      .clk, .en(v[4:0] & {5{run[41]}}), .a(x), .b(z), .y(y_muli64));
  st_imul #(.LATENCY(3), .WIDTH(32)) muli32 (
      .clk, .en(v[3:0] & {4{run[42]}}), .a(x[31:0]), .b(z[31:0]), .y(y_muli32));
  st_imul #(.LATENCY(2), .WIDTH(8)) muli8 (
      .clk, .en(v[2:0] & {3{run[43]}}), .a(x[7:0]), .b(z[7:0]), .y(y_muli8));
  st_idiv #(.LATENCY(66), .WIDTH(64)) divsi64 (
      .clk, .en(v[66:0] & {67{run[44]}}), .a(x), .b(z), .y(y_divsi64));
  st_idiv #(.LATENCY(66), .WIDTH(64), .REM(1'b1)) remsi64 (
      .clk, .en(v[66:0] & {67{run[45]}}), .a(x), .b(z), .y(y_remsi64));
  st_idiv #(.LATENCY(34), .WIDTH(32)) divsi32 (
      .clk, .en(v[34:0] & {35{run[46]}}),
      .a(x[31:0]), .b(z[31:0]), .y(y_divsi32));
  st_idiv #(.LATENCY(34), .WIDTH(32), .REM(1'b1)) remsi32 (
      .clk, .en(v[34:0] & {35{run[47]}}),
      .a(x[31:0]), .b(z[31:0]), .y(y_remsi32));
  st_idiv #(.LATENCY(10), .WIDTH(8)) divsi8 (
      .clk, .en(v[10:0] & {11{run[48]}}), .a(x[7:0]), .b(z[7:0]), .y(y_divsi8));
  st_idiv #(.LATENCY(10), .WIDTH(8), .REM(1'b1)) remsi8 (
      .clk, .en(v[10:0] & {11{run[49]}}), .a(x[7:0]), .b(z[7:0]), .y(y_remsi8));

  logic unused;
  assign unused = &{run[63:50], v};
endmodule
