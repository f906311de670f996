"""Yosys makes FIFOs of what their STYLE says."""

import re

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
