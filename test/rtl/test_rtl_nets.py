"""Random nets of kernels, converters, loads and stores, with feedback and with
deadlocks, made of the flow modules: every process issues every beat in the
cycle in which the model of doc/machine.md that steps cycle by cycle does."""

import os

import pytest
import rtl

CFLAGS = ["-std=c11", "-O1", "-ffp-contract=off", "-D_GNU_SOURCE", "-Wall",
          "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wvla",
          "-Werror"]
COUNT = int(os.environ.get("ST_RTL_NETS", 40))
AT_ONCE = 20


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    program = tmp_path_factory.mktemp("nets") / "rtl_nets"
    source = rtl.ROOT / "src"
    files = [p for d in ("analysis", "base", "ir")
             for p in sorted((source / d).glob("*.c"))]
    unit = rtl.ROOT / "test/unit"
    rtl.run("gcc", *CFLAGS, f"-I{source}", f"-I{rtl.ROOT / 'include'}",
            f"-I{unit}", rtl.HERE / "rtl_nets.c", unit / "sim_graph.c", *files,
            "-o", program, "-ljansson", "-lm")
    return program


def expected(path):
    """For each process the cycles of its beats."""
    return [list(map(int, line.split()))[1:]
            for line in path.read_text().splitlines()]


def simulate(work, sources, cycles):
    """For each cycle the processes that issue, as the bits of a number."""
    run = work / "nets.vvp"
    assert rtl.run("iverilog", "-g2012", "-Wall", "-o", run, "-s", "nets_tb",
                   work / "top.sv", *sources, rtl.HERE / "net_stream.sv",
                   rtl.HERE / "nets_tb.sv") == ""
    lines = rtl.run("vvp", "-n", run, f"+cycles={cycles}").split("\n")[:cycles]
    words = [line.split() for line in lines]
    assert all(int(wrong, 16) == 0 for _, wrong in words), "a wrong token"
    return [int(go, 16) for go, _ in words]


@pytest.mark.parametrize("seed", range(1, 1 + COUNT // AT_ONCE))
def test_cycles(tmp_path, writer, seed):
    rtl.run(writer, seed, AT_ONCE, tmp_path / "top.sv", tmp_path / "expect.txt")
    want = expected(tmp_path / "expect.txt")
    flow = [p for p in rtl.library() if p.parent.name == "flow"]
    flow += [rtl.ROOT / "rtl/num/st_delay.sv"]
    last = max(max(beats, default=0) for beats in want)
    go = simulate(tmp_path, flow, last + 64)  # longer than any latency
    for process, beats in enumerate(want):
        got = [t for t, bits in enumerate(go) if bits >> process & 1]
        assert got == beats, f"process {process}"
    directories = [f"-I{d}" for d in (rtl.ROOT / "rtl").iterdir()]
    assert rtl.run("verilator", "--lint-only", "-Wall", "-Wno-DECLFILENAME",
                   *directories, f"-I{rtl.HERE}", "--top-module", "nets_top",
                   tmp_path / "top.sv") == ""
