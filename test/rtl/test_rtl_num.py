"""The numeric operators in SystemVerilog: the bits of num.h, the latencies of
the targets, the tables of one generator."""

import re
import subprocess
import sys
import tomllib

import pytest
import rtl

# operator of a target -> module, WIDTH by class
MODULES = {
    "addf": "st_fadd", "subf": "st_fadd", "mulf": "st_fmul", "divf": "st_fdiv",
    "negf": "st_fsign", "absf": "st_fsign", "maximumf": "st_fextreme",
    "minimumf": "st_fextreme", "maxnumf": "st_fextreme",
    "minnumf": "st_fextreme", "exp": "st_exp", "log": "st_log",
    "sqrt": "st_fsqrt", "rsqrt": "st_rsqrt", "tanh": "st_fodd",
    "erf": "st_fodd", "sin": "st_circular", "cos": "st_circular",
    "powf": "st_fpow", "floor": "st_frint", "ceil": "st_frint",
    "roundeven": "st_frint", "trunc": "st_frint", "cmpf": "st_fcmp",
    "sitofp": "st_itof", "uitofp": "st_itof", "fptosi": "st_ftoi",
    "extf": "st_fwiden16", "truncf": "st_fround16", "muli": "st_imul",
    "divsi": "st_idiv", "remsi": "st_idiv"}
WIRES = {"addi", "subi", "maxsi", "minsi", "andi", "ori", "xori", "cmpi",
         "extsi", "extui", "trunci", "index", "extract", "select"}
TARGETS = sorted((rtl.ROOT / "targets").glob("*.toml"))


@pytest.mark.parametrize("target", TARGETS, ids=lambda p: p.stem)
def test_latencies_of_targets(target):
    for cls, ops in tomllib.loads(target.read_text())["op"].items():
        width = {"i64": 64, "i32": 32, "i8": 8}.get(cls, 0)
        for op, (latency, *_) in ops.items():
            if op not in WIRES:
                least = rtl.least_latency(MODULES[op])
                assert latency >= eval(least, {"WIDTH": width}), (cls, op)


@pytest.fixture(scope="module")
def compare(tmp_path_factory):
    return rtl.verilate(tmp_path_factory.mktemp("num"), "num_top",
                        [rtl.HERE / "num_top.sv"], rtl.HERE / "num_main.cpp")


def test_latencies_of_the_emitter():
    """Its table of modules has the least latencies of their headers."""
    table = (rtl.ROOT / "src/emit/rtl/body.c").read_text()
    rows = re.findall(r'\{ST_X_\w+, "(st_\w+)",[^}]*?(\d+)\}', table)
    assert len(rows) > 25
    for module, least in rows:
        formula = rtl.least_latency(module).strip()
        if formula.isdigit():
            assert int(least) == int(formula), module


def test_same_bits(compare):
    report = rtl.run(compare, "-n", 100000)
    lines = re.findall(r"^(\w+) +(\d+) equal$", report, re.M)
    ops = re.findall(r"^OP\((\w+)", (rtl.HERE / "num_ops.h").read_text(), re.M)
    assert [name for name, _ in lines] == ops
    assert all(int(n) > 100000 for _, n in lines)


def test_tables_are_generated(tmp_path):
    script = rtl.ROOT / "scripts/gen_rtl_tables.py"
    roms = rtl.ROOT / "rtl/rom"
    rtl.run(sys.executable, script, "--check", roms)
    for p in roms.iterdir():
        (tmp_path / p.name).write_text(p.read_text())
    changed = tmp_path / "st_rom_exp2.sv"
    changed.write_text(changed.read_text().replace("80b1ed50", "80b1ed51"))
    (tmp_path / "st_rom_more.sv").write_text("")
    done = subprocess.run([sys.executable, script, "--check", tmp_path],
                          capture_output=True, text=True)
    assert done.returncode == 1
    assert [line.split(": ")[0].split("/")[-1] for line in
            done.stderr.splitlines()] == ["st_rom_exp2.sv", "st_rom_more.sv"]
