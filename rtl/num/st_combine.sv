// st_combine: y = a combined with b by the operator of a reduction.
//
// KIND: 0 addf, 1 mulf, 2 maximumf, 3 minimumf, 4 maxnumf, 5 minnumf, 6 addi,
// 7 muli, 8 maxsi, 9 minsi, 10 andi, 11 ori, 12 xori. Floats have WIDTH 32;
// with HALF they are those of binary16 (1) or bfloat16 (2), rounded behind the
// operator. en[k]: an operand pair entered k cycles ago (en[0]: a and b are
// valid now); y is the result of the pair of LATENCY cycles ago. LATENCY is at
// least that of the operator's module.
module st_combine #(
    parameter int KIND = 0,
    parameter int WIDTH = 32,
    parameter int LATENCY = 6,
    parameter int HALF = 0
) (
    input  logic             clk,
    input  logic [LATENCY:0] en,
    input  logic [WIDTH-1:0] a,
    input  logic [WIDTH-1:0] b,
    output logic [WIDTH-1:0] y
);
  if (KIND < 6) begin : g_float
    logic [31:0] r;
    if (KIND == 0) begin : g_add
      st_fadd #(.LATENCY(LATENCY)) op (.clk, .en, .a, .b, .y(r));
    end else if (KIND == 1) begin : g_mul
      st_fmul #(.LATENCY(LATENCY)) op (.clk, .en, .a, .b, .y(r));
    end else begin : g_extreme
      st_fextreme #(.LATENCY(LATENCY), .MIN(KIND % 2 == 1), .NUM(KIND > 3)) op (
          .clk, .en, .a, .b, .y(r));
    end
    if (HALF == 1) begin : g_f16
      assign y = st_num::from_f16(st_num::to_f16(r));
    end else if (HALF == 2) begin : g_bf16
      assign y = {st_num::to_bf16(r), 16'd0};
    end else begin : g_f32
      assign y = r;
    end
  end else if (KIND == 7) begin : g_muli
    st_imul #(.LATENCY(LATENCY), .WIDTH(WIDTH)) op (.clk, .en, .a, .b, .y);
  end else begin : g_int
    logic [WIDTH-1:0] r;
    logic less;
    assign less = $signed(a) < $signed(b);
    if (KIND == 6) begin : g_addi
      assign r = a + b;
    end else if (KIND == 8) begin : g_maxsi
      assign r = less ? b : a;
    end else if (KIND == 9) begin : g_minsi
      assign r = less ? a : b;
    end else if (KIND == 10) begin : g_andi
      assign r = a & b;
    end else if (KIND == 11) begin : g_ori
      assign r = a | b;
    end else begin : g_xori
      assign r = a ^ b;
    end
    logic unused;
    assign unused = less;
    st_delay #(.WIDTH(WIDTH), .LATENCY(LATENCY)) delay (
        .clk, .en, .d(r), .q(y));
  end
endmodule
