"""A language model whose memory is on the chip, as a board: tokens in and out
over the pins of its serial line, under Verilator; and its modules alone."""

import os
import re
from pathlib import Path

import pytest
import rtl
import rtl_models
from rtl_models import Session

COMMAND = os.environ.get("STREAMTENSOR", rtl.ROOT / "build/streamtensor")
PROMPT, STEPS = [1, 5, 7], 3


def onchip_target(path):
    """ecp5-85f with the multipliers that vectors of one element need."""
    text = (rtl.ROOT / "targets/ecp5-85f.toml").read_text()
    for key, value in {"lut": 300000, "ff": 300000, "dsp": 240}.items():
        text = re.sub(rf"^{key} = .*", f"{key} = {value}", text, 1, re.M)
    path.write_text(text)
    return str(path)


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A Llama of one layer, steps of one token."""
    import torch
    import transformers
    from streamtensor import export as exporter
    work = tmp_path_factory.mktemp("board")
    torch.manual_seed(0)
    transformers.LlamaForCausalLM(transformers.LlamaConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, vocab_size=48,
        max_position_embeddings=64, initializer_range=0.5)).save_pretrained(
            work / "hf")
    exporter.export_causal_lm(str(work / "hf"), str(work / "pkg"), 1, 32)
    rtl_models.compile(str(work / "pkg"), str(work / "build"),
                       onchip_target(work / "board.toml"))
    return str(work / "build")


@pytest.fixture(scope="module")
def emitted(build):
    directory = Path(build).parent / "rtl"
    rtl.run(COMMAND, "emit", "rtl", build, "-o", directory)
    return directory


def test_tokens_by_pins(build, emitted):
    with Session(build) as session:
        steps = list(session.generate(PROMPT, STEPS))
    fed = PROMPT + [s.token for s in steps[len(PROMPT) - 1:]]
    rtl.run("make", "-s", "board", "CXXFLAGS=-O0", cwd=emitted)
    text = "".join(f"{fed[i]} {i}\n" for i in range(len(steps)))
    answers = rtl.run("build/board-run", cwd=emitted, input=text)
    assert answers.split("\n")[:-1] == [f"{s.token} {s.cycles}" for s in steps]
    assert len({s.token for s in steps}) > 2


def test_lint(emitted):
    assert rtl.run("verilator", "--lint-only", "-Wall", "--unroll-count",
                   "100000", "--top-module", "board", "-f", "files.f",
                   "board.sv", cwd=emitted) == ""
    assert rtl.run("iverilog", "-g2012", "-Wall", "-t", "null", "-s", "board",
                   "-f", "files.f", "board.sv", cwd=emitted) == ""
    files = " ".join((emitted / "files.f").read_text().split())
    assert rtl.run("yosys", "-q", "-p", f"read_verilog -sv {files} board.sv; "
                   "hierarchy -check -top board; proc; check -assert",
                   cwd=emitted) == ""


# A store of pairs or single elements, a load of single elements or pairs.
CACHE = """
module cache_tb;
  logic clk = 1'b0;
  logic write, request;
  logic [4:0] write_at, request_at;
  logic [%(write)d*8-1:0] d;
  logic [%(read)d*8-1:0] q;
  st_cache #(.WIDTH(8), .COUNT(16), .WRITE(%(write)d), .READ(%(read)d),
             .MEMORY(3), .ADDRESS(5)) cache (
      .clk, .write, .write_at, .d, .request, .request_at, .q);
  always #1 clk = ~clk;
  initial begin
    request = 1'b0;
    write = 1'b1;
    for (int i = 0; i < 16 / %(write)d; i++) begin
      write_at = 5'(i);
      for (int e = 0; e < %(write)d; e++)
        d[e*8+:8] = 8'(i * %(write)d + e + 100);
      @(negedge clk);
    end
    write = 1'b0;
    for (int i = 0; i < 16 / %(read)d + 3; i++) begin
      request = i < 16 / %(read)d;
      request_at = 5'(i);
      if (i > 2)
        for (int e = 0; e < %(read)d; e++) $write("%%0d ", q[e*8+:8]);
      @(negedge clk);
    end
    $finish;
  end
endmodule
"""


@pytest.mark.parametrize("write,read", [(1, 1), (4, 1), (1, 4), (2, 2)])
def test_cache(tmp_path, write, read):
    bench = tmp_path / "cache_tb.sv"
    bench.write_text(CACHE % {"write": write, "read": read})
    rtl.run("iverilog", "-g2012", "-s", "cache_tb", "-o", tmp_path / "run",
            bench, *rtl.library())
    want = [str(x) for x in range(100, 116)]
    assert rtl.run("vvp", "-n", tmp_path / "run").split() == want


# Numbers, a NaN and both zeros among them; the first of the largest.
BEST = """
module best_tb;
  logic clk = 1'b0;
  logic clear = 1'b0, write = 1'b0;
  logic [3:0] at;
  logic [31:0] data;
  logic [3:0] best;
  st_best #(.LANES(1), .ADDRESS(4)) dut (
      .clk, .clear, .write, .at, .data, .best);
  always #1 clk = ~clk;
  task automatic put(input logic [3:0] place, input logic [31:0] x);
    write = 1'b1;
    at = place;
    data = x;
    @(negedge clk);
    write = 1'b0;
  endtask
  task automatic show;
    @(negedge clk);
    @(negedge clk);
    $write("%0d ", best);
    clear = 1'b1;
    @(negedge clk);
    clear = 1'b0;
  endtask
  initial begin
    show;
    put(4'd0, 32'hc0000000); put(4'd1, 32'hbf800000); put(4'd2, 32'hc0400000);
    show;
    put(4'd3, 32'h80000000); put(4'd2, 32'h00000000); put(4'd1, 32'hbf800000);
    show;
    put(4'd0, 32'h7fc00000); put(4'd5, 32'h40000000); put(4'd6, 32'h40000000);
    show;
    put(4'd9, 32'h3f800000); put(4'd8, 32'h7f800000); put(4'd4, 32'h7f800000);
    show;
    $finish;
  end
endmodule
"""


def test_best(tmp_path):
    bench = tmp_path / "best_tb.sv"
    bench.write_text(BEST)
    rtl.run("iverilog", "-g2012", "-s", "best_tb", "-o", tmp_path / "run",
            bench, *rtl.library())
    answers = rtl.run("vvp", "-n", tmp_path / "run").split()
    assert answers[1:] == ["1", "2", "5", "4"]
