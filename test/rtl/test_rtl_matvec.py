"""A small design put together from the library as doc/rtl.md says: the cycles
of doc/machine.md and the bits of binary32 arithmetic in its order."""

import numpy as np
import pytest
import rtl

MEMORY = 6


def build(work, sources):
    run = work / "matvec.vvp"
    assert rtl.run("iverilog", "-g2012", "-Wall", "-o", run, "-s", "matvec_tb",
                   *sources, rtl.HERE / "matvec.sv",
                   rtl.HERE / "matvec_tb.sv") == ""
    return run


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build(tmp_path_factory.mktemp("matvec"), rtl.library())


def cycles(rows, columns):
    """Issue cycles of load A, load x, kernel and store, stepped."""
    beats = [(c, r) for c in range(columns) for r in range(rows)]
    latency, ii = [MEMORY + 4, MEMORY + 4, 30, 1], [1, 1, 1, 3]
    depth, lat = {"a": 14, "x": 12, "y": 4}, {"a": 3, "x": 1, "y": 1}
    pops = [[[]] * len(beats), [[]] * columns,
            [["a"] + ["x"] * (r == 0) for c, r in beats], [["y"]] * rows]
    gives = [[["a"]] * len(beats), [["x"]] * columns,
             [["y"] * (c == columns - 1) for c, r in beats], [[]] * rows]
    arrives = {f: [] for f in depth}
    popped = dict.fromkeys(depth, 0)
    issued = [[], [], [], []]
    t = 0
    while any(len(issued[p]) < len(pops[p]) for p in range(4)):
        go = []
        for p in range(4):
            n = len(issued[p])
            if n == len(pops[p]) or n and t < issued[p][-1] + ii[p]:
                continue
            if all(popped[f] < len(arrives[f]) and arrives[f][popped[f]] <= t
                   for f in pops[p][n]) and \
               all(len(arrives[f]) - popped[f] < depth[f]
                   for f in gives[p][n]):
                go.append(p)
        for p in go:
            n = len(issued[p])
            for f in pops[p][n]:
                popped[f] += 1
            for f in gives[p][n]:
                arrives[f].append(t + latency[p] + lat[f])
            issued[p].append(t)
        t += 1
    return issued


def product(a, x):
    """a[column, row, 2, 2], x[column, 2]: tree over a token's columns, the
    columns in order into three ways in turn, tree over the ways in use."""
    p = a * x[:, None, None, :]
    v = p[..., 0] + p[..., 1]
    ways = list(v[:3])
    for c in range(3, len(x)):
        ways[c % 3] = ways[c % 3] + v[c]
    pair = ways[0] if len(ways) == 1 else ways[0] + ways[1]
    return pair if len(ways) < 3 else pair + ways[2]


def words(a):
    """Tokens as hex words, element 0 lowest."""
    bits = a.reshape(len(a), -1).view(np.uint32)[:, ::-1]
    return "\n".join("".join(f"{w:08x}" for w in row) for row in bits) + "\n"


def run_design(tmp_path, program, rows, columns):
    """Differences of issue cycles and of what is written from what they are by
    definition: a list of names."""
    rng = np.random.default_rng(rows * 100 + columns)
    a = rng.standard_normal((columns, rows, 2, 2), dtype=np.float32)
    x = rng.standard_normal((columns, 2), dtype=np.float32)
    (tmp_path / "a.hex").write_text(words(a.reshape(-1, 4)))
    (tmp_path / "x.hex").write_text(words(x))
    want = cycles(rows, columns)
    n = want[3][-1] + 8
    out = rtl.run("vvp", "-n", program, f"+rows={rows}", f"+columns={columns}",
                  f"+cycles={n}", cwd=tmp_path)
    lines = [line.split() for line in out.splitlines() if "WARNING" not in line]
    assert len(lines) == n
    wrong = []
    for p in range(4):
        got = [t for t, w in enumerate(lines)
               if f"{int(w[0].replace('x', '0'), 16):04b}"[3 - p] == "1"]
        wrong += [f"process {p}"] if got != want[p] else []
    written = [(w[2], w[3]) for w in lines if w[1] == "1"]
    y = product(a, x).view(np.uint32)
    if written != [(f"{8192 + r:04x}", f"{y[r, 1]:08x}{y[r, 0]:08x}")
                   for r in range(rows)]:
        wrong.append("values")
    return wrong


@pytest.mark.parametrize("rows, columns",
                         [(2, 1), (2, 2), (2, 3), (2, 11), (7, 4), (16, 9)])
def test_design(tmp_path, program, rows, columns):
    assert run_design(tmp_path, program, rows, columns) == []


FAULTS = [
    ("st_accum", "? new_ : g_way[WAYS-1].chosen", 
     "& 1'b0 ? new_ : g_way[WAYS-1].chosen"),
    ("st_accum", "first_of_y ? v_of_y : combined", "combined"),
    ("st_accum", "write ? new_ : other", "other"),
    ("st_accum", "way == TURN'(w) ? stored", "1'b1 ? stored"),
    ("st_way", "first = g_loop[N-1].seen != BITS'(WAYS)",
     "first = g_loop[N-1].seen == BITS'(0)"),
    ("st_way", "at <= to;", "at <= BITS'(0);"),
    ("st_hold", "else if (pop) q <= d", "else if (go) q <= d"),
    ("st_load", "ARRIVES = MEMORY + 1", "ARRIVES = MEMORY + 2"),
    ("st_store", "write <= go", "write <= write | go"),
    ("st_issue", "left <= BITS'(II - 1)", "left <= BITS'(II - 2)"),
    ("st_issue", "{past, go}", "{past, 1'b0}"),
]


@pytest.mark.parametrize("module, text, changed", FAULTS)
def test_fault(tmp_path, module, text, changed):
    sources = []
    for p in rtl.library():
        source = p.read_text()
        if p.stem == module:
            assert source.count(text) == 1
            source = source.replace(text, changed)
        sources.append(tmp_path / p.name)
        sources[-1].write_text(source)
    program = build(tmp_path, sources)
    assert (run_design(tmp_path, program, 2, 11) +
            run_design(tmp_path, program, 7, 11)) != []
