"""Properties of the flow modules for every reachable state: Yosys makes an
and-inverter graph of a module with its specification (prove_*.sv), ABC's
property directed reachability finds an inductive invariant that excludes `bad`,
and checks it. Faults put into the modules must not be provable."""

import itertools

import pytest
import rtl


def prove(work, top, params, fault=None):
    """Whether bad of prove_TOP is never set; fault: (module, text, changed)."""
    sources = []
    for p in rtl.library():
        if p.parent.name == "rom":
            continue
        source = p.read_text()
        if fault and fault[0] == p.stem:
            assert source.count(fault[1]) == 1, fault
            source = source.replace(fault[1], fault[2])
        sources.append(work / p.name)
        sources[-1].write_text(source)
    values = " ".join(f"-chparam {k} {v}" for k, v in params.items())
    graph = work / "graph.aig"
    rtl.run("yosys", "-q", "-p",
            f"read_verilog -sv {' '.join(map(str, sources))} "
            f"{rtl.HERE / f'prove_{top}.sv'}; "
            f"hierarchy -check -top prove_{top} {values}; proc; flatten; "
            "opt -full; memory -nomap; memory_map; opt -full; techmap; opt; "
            "dffunmap; abc -g AND -fast; opt_clean; "
            f"setundef -undriven -anyseq; write_aiger -zinit {graph}")
    report = rtl.run("yosys-abc", "-c",
                     f"read_aiger {graph}; strash; scorr; pdr -T 300", cwd=work)
    proved = "Property proved" in report or "already solved" in report
    assert proved or "was asserted in frame" in report, report
    return proved


def grid(**values):
    """Every combination, as dictionaries."""
    return [dict(zip(values, v)) for v in itertools.product(*values.values())]


# No loss, duplication, reordering or overflow; tokens and slots to the cycle.
FIFOS = (grid(DEPTH=[1, 2, 3, 4], LAT=[1, 2, 3], STYLE=[0]) +
         grid(DEPTH=[1, 2], LAT=[4], STYLE=[0]) +
         grid(DEPTH=[1, 2, 3, 4], LAT=[1], STYLE=[1]))


@pytest.mark.parametrize("params", FIFOS, ids=str)
def test_fifo(tmp_path, params):
    assert prove(tmp_path, "fifo", params)


@pytest.mark.parametrize("params", grid(DEPTH=[1, 2], LATENCY=[1, 2]), ids=str)
def test_fork(tmp_path, params):
    assert prove(tmp_path, "fork", params)


@pytest.mark.parametrize(
    "params", grid(BANKS=[1, 2], LATENCY=[1, 2, 3], FILL=[1, 3], DRAIN=[1, 2]),
    ids=str)
def test_window(tmp_path, params):
    assert prove(tmp_path, "window", params)


@pytest.mark.parametrize(
    "params", grid(N=[1, 2], WIDTH=[2]) + [{"N": 3, "WIDTH": 2}], ids=str)
def test_address(tmp_path, params):
    assert prove(tmp_path, "address", params)


@pytest.mark.parametrize(
    "params", grid(WAYS=[2, 3, 4], RED=["2'b01", "2'b10", "2'b11"]), ids=str)
def test_way(tmp_path, params):
    assert prove(tmp_path, "way", params)


@pytest.mark.parametrize(
    "params", grid(IN=[1, 2, 3, 4], OUT=[1, 2, 3, 4], ALL=[5]), ids=str)
def test_flow(tmp_path, params):
    assert prove(tmp_path, "flow", params)


FAULTS = [
    ("fifo", {"DEPTH": 2, "LAT": 1}, "st_fifo",
     "if (rst) free <= COUNT'(DEPTH)", "if (rst) free <= COUNT'(DEPTH + 1)"),
    ("fifo", {"DEPTH": 2, "LAT": 1}, "st_fifo", "if (take & ~pop) free",
     "if (take) free"),
    ("fifo", {"DEPTH": 2, "LAT": 1}, "st_fifo", "if (push & ~pop) held",
     "if (push) held"),
    ("fifo", {"DEPTH": 3, "LAT": 1}, "st_ring",
     "else if (pop) read_at <= read_at == TOP",
     "else if (pop) read_at <= 1'b0"),
    ("fifo", {"DEPTH": 3, "LAT": 1}, "st_ring", "BITS'(DEPTH - 1)",
     "BITS'(DEPTH - 2)"),
    ("fifo", {"DEPTH": 3, "LAT": 3}, "st_fifo", "ahead != AHEAD'(LAT)",
     "ahead != AHEAD'(LAT - 1)"),
    ("fifo", {"DEPTH": 3, "LAT": 3}, "st_fifo", "waiting != COUNT'(0) &",
     "(push | waiting != COUNT'(0)) &"),
    ("fifo", {"DEPTH": 2, "LAT": 3}, "st_fifo", "arrives = past[LAT-2]",
     "arrives = past[LAT-1]"),
    ("fifo", {"DEPTH": 2, "LAT": 4}, "st_fifo", ".LATENCY(LAT - 3)",
     ".LATENCY(LAT - 4)"),
    ("fifo", {"DEPTH": 2, "LAT": 1, "STYLE": 1}, "st_srl",
     "held - COUNT'(1)", "held"),
    ("fork", {"DEPTH": 1, "LATENCY": 1}, "st_issue", "(gives & ~credit) ==",
     "(gives & ~credit) != {NOUT{1'b1}} | 1'b0 &"),
    ("fork", {"DEPTH": 2, "LATENCY": 1}, "st_issue", "assign pop = go ? need",
     "assign pop = valid ? need"),
    ("fork", {"DEPTH": 2, "LATENCY": 2}, "st_issue",
     "assign push = v[LATENCY] ?", "assign push = v[LATENCY-1] ?"),
    ("fork", {"DEPTH": 2, "LATENCY": 2}, "st_fork",
     ".LATENCY(LATENCY)) data", ".LATENCY(LATENCY - 1)) data"),
    ("window", {"BANKS": 2, "LATENCY": 2}, "st_window", "BITS'(BANKS + 1)",
     "BITS'(BANKS + 2)"),
    ("window", {"BANKS": 2, "LATENCY": 2}, "st_window", "ripe > BITS'(1) |",
     "ripe > BITS'(0) |"),
    ("window", {"BANKS": 2, "LATENCY": 3}, "st_window",
     "assign seen = past[LATENCY-1]", "assign seen = past[1]"),
    ("window", {"BANKS": 2, "LATENCY": 1}, "st_window", "beats >= need",
     "beats > need"),
    ("address", {"N": 2, "WIDTH": 2}, "st_loops", "next & inner", "next"),
    ("address", {"N": 2, "WIDTH": 2}, "st_loops", "busy <= none == N'(0)",
     "busy <= 1'b1"),
    ("address", {"N": 2, "WIDTH": 2}, "st_loops", "top <= count - WIDTH'(1)",
     "top <= count"),
    ("address", {"N": 2, "WIDTH": 2}, "st_address",
     "last[l] ? g_loop[l-1].to : sum + by", "sum + by"),
    ("address", {"N": 2, "WIDTH": 2}, "st_address", "next & ends", "next"),
    ("flow", {"IN": 2, "OUT": 3}, "st_flow", "<= (BITS + 1)'(REST)",
     "<= (BITS + 1)'(REST + 1)"),
    ("flow", {"IN": 3, "OUT": 2}, "st_flow", "FIRST * IN - OUT",
     "FIRST * IN - OUT + 1"),
]


@pytest.mark.parametrize("top, params, module, text, changed", FAULTS)
def test_fault(tmp_path, top, params, module, text, changed):
    assert not prove(tmp_path, top, params, (module, text, changed))
