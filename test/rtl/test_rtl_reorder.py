"""A converter's memory between its fill and drain, as tight as the machine's
times allow: every token in its place, at its cycle."""

import itertools

import pytest
import rtl

ROWS, COLUMNS, WINDOWS = 3, 4, 5
WINDOW = ROWS * COLUMNS


def expected(flow, repeat, banks, buffer, latency):
    """(cycle of the pop, value), stepped by doc/machine.md."""
    order = (range(WINDOW) if flow else
             [r * COLUMNS + c for c in range(COLUMNS) for r in range(ROWS)])
    order = [k for _ in range(repeat) for k in order]
    source, fill, drain, pops = [], [], [], []
    total, out = WINDOWS * WINDOW, WINDOWS * len(order)
    for t in range(1000):
        f, d = len(fill), len(drain)
        window, b = divmod(d, len(order))
        need = min(b + 1, WINDOW) if flow else WINDOW
        go_source = len(source) < total and len(source) - f < 4
        go_fill = (f < len(source) and source[f] + 2 <= t and
                   d >= (f // WINDOW - banks + 1) * len(order))
        ripe = window * WINDOW + need
        go_drain = (d < out and ripe <= f and fill[ripe - 1] + buffer <= t and
                    d - sum(p < t for p, _ in pops) < 8)
        source += [t] * go_source
        fill += [t] * go_fill
        if go_drain:
            drain.append(t)
            pops.append((t + latency + 1, window * WINDOW + order[b]))
    return pops


CASES = list(itertools.product([0, 1], [1, 2], [1, 2, 3], [2, 3], [1, 3]))


def run(work, sources, case):
    names = ("FLOW", "REPEAT", "BANKS", "BUFFER", "LATENCY")
    program = work / "reorder.vvp"
    rtl.run("iverilog", "-g2012", "-o", program, "-s", "reorder_tb",
            *(f"-Preorder_tb.{n}={v}" for n, v in zip(names, case)), *sources,
            rtl.HERE / "reorder_tb.sv")
    return [tuple(line.split()) for line in
            rtl.run("vvp", "-n", program).splitlines()]


def strings(pairs):
    return [tuple(map(str, p)) for p in pairs]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_reorder(tmp_path, case):
    assert run(tmp_path, rtl.library(), case) == strings(expected(*case))


@pytest.mark.parametrize("text, changed", [
    ("write_at <= fill_base + FULL'(fill_at)", "write_at <= FULL'(fill_at)"),
    ("drain_base == TOP ?", "drain_base != TOP ?"),
    ("v[0] & drain_last", "v[0]"),
    (".LATENCY(LATENCY - 1)", ".LATENCY(LATENCY - 2)"),
])
def test_fault(tmp_path, text, changed):
    case = (1, 1, 2, 2, 3)
    sources = []
    for p in rtl.library():
        source = p.read_text()
        if p.stem == "st_convert":
            assert source.count(text) == 1
            source = source.replace(text, changed)
        sources.append(tmp_path / p.name)
        sources[-1].write_text(source)
    assert run(tmp_path, sources, case) != strings(expected(*case))
