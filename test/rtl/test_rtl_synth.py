"""Yosys makes FIFOs of what their STYLE says; `report --synth`."""

import json
import os
import re
import subprocess
import sys

import pytest
import rtl

KINDS = [((32, 16, 1, 1), {"SRL16E": 32}), ((32, 32, 1, 2), {"RAM32M16": 3}),
         ((72, 512, 3, 3), {"RAMB36E2": 1}), ((72, 4096, 4, 4), {"URAM288": 1})]


@pytest.mark.parametrize("values, cells", KINDS, ids=str)
def test_fifo(tmp_path, values, cells):
    files = [p for p in rtl.library() if p.parent.name == "flow"]
    files += rtl.PACKAGES[:1] + [rtl.ROOT / "rtl/num/st_delay.sv"]
    params = " ".join(f"-chparam {n} {v}" for n, v in
                      zip(("WIDTH", "DEPTH", "LAT", "STYLE"), values))
    stat = tmp_path / "stat"
    rtl.run(
        "yosys", "-q", "-p",
        f"read_verilog -sv {' '.join(map(str, files))}; "
        f"hierarchy -top st_fifo {params}; synth_xilinx -family xcup -flatten "
        f"-noiopad -top st_fifo; tee -q -o {stat} stat")
    report = stat.read_text()
    for cell, count in cells.items():
        assert re.search(rf"^ +({cell} +{count}|{count} .*{cell})$", report,
                         re.M), report


MODULE = """
import torch

class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(8))

    def forward(self, x):
        return x * self.weight

def make():
    return Scale(), (torch.ones(4, 8),)
"""


def test_report(tmp_path):
    command = os.environ.get("STREAMTENSOR", rtl.ROOT / "build/streamtensor")
    module, build = tmp_path / "scale.py", tmp_path / "build"
    module.write_text(MODULE)
    rtl.run(sys.executable, "-m", "streamtensor", "export", f"{module}:make",
            "-o", tmp_path / "package", cwd=rtl.ROOT / "python")
    rtl.run(command, "compile", tmp_path / "package", "-o", build,
            "--factors", "1e6,1e6,1e6")
    report = json.loads(rtl.run(command, "report", build, "--synth", "--json"))
    rows = {r["name"]: r["synthesised"] for r in report["synth"]}
    total = rows.pop("total")
    for key, value in total.items():
        assert value == sum(r[key] for r in rows.values())
    kernel, = report["kernels"]
    found = rows[f"kernel{kernel['id']}"]
    lanes = found["dsp"] // 2  # a product of floats: two multipliers
    assert 1 <= lanes <= 32 and found["dsp"] == total["dsp"]
    assert 100 * lanes < found["lut"] < 250 * lanes
    table = rtl.run(command, "report", build, "--synth")
    assert re.search(rf"^  total +\d+ +{total['lut']:.0f} ", table, re.M)

    path, = build.glob("rtl/rtl-*/build/synth.stat")
    path.write_text("nothing")
    done = subprocess.run([command, "report", build, "--synth"],
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "synth.stat: error: nothing is said of the accelerator" in \
        done.stderr


def test_fit():
    """Both layouts of Yosys' statistics; one operator of a target's table."""
    sys.path.insert(0, str(rtl.ROOT / "scripts"))
    import fit_costs
    old = "=== top ===\n\n   Number of cells: 3\n     LUT4   2\n     sub   1\n" \
          "=== sub ===\n     FDRE   5\n=== design hierarchy ===\n  LUT4  9\n"
    new = re.sub(r"^( +)(\w+) +(\d+)$", r"\1\3 \2", old, flags=re.M)
    assert old != new
    for text in (old, new):
        modules = fit_costs.statistics(text)
        assert fit_costs.cost(modules, "top", fit_costs.primitives()) == \
            {"lut": 2, "ff": 5, "dsp": 0}
    line = rtl.run(sys.executable, rtl.ROOT / "scripts/fit_costs.py", "u55c",
                   "absf")
    assert re.fullmatch(r" 32 absf = \[.*\] +absf = \[0, \d+, 0, 0\]\n", line)
