"""What the library's operators cost on a target, by Yosys, beside its file.

usage: fit_costs.py TARGET [--write] [OPERATOR ...]

TARGET is a name in targets/. Every operator that rtl/num has (or those named)
is synthesised alone, at the latency of the target's table, with the target's
command; with --write its LUTs, FFs and DSPs go into the table. Cells are counted
as `report --synth` counts them (src/driver/synth.c)."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Module and parameters; W: the bits of the class.
MODULES = {
    "addf": ("st_fadd", {}), "subf": ("st_fadd", {"SUB": 1}),
    "mulf": ("st_fmul", {}), "divf": ("st_fdiv", {}),
    "negf": ("st_fsign", {}), "absf": ("st_fsign", {"ABS": 1}),
    "maximumf": ("st_fextreme", {}), "minimumf": ("st_fextreme", {"MIN": 1}),
    "maxnumf": ("st_fextreme", {"NUM": 1}),
    "minnumf": ("st_fextreme", {"MIN": 1, "NUM": 1}),
    "exp": ("st_exp", {}), "log": ("st_log", {}), "sqrt": ("st_fsqrt", {}),
    "rsqrt": ("st_rsqrt", {}), "tanh": ("st_fodd", {}),
    "erf": ("st_fodd", {"ERF": 1}), "sin": ("st_circular", {}),
    "cos": ("st_circular", {"COS": 1}), "powf": ("st_fpow", {}),
    "trunc": ("st_frint", {"MODE": 0}), "floor": ("st_frint", {"MODE": 1}),
    "ceil": ("st_frint", {"MODE": 2}), "roundeven": ("st_frint", {"MODE": 3}),
    "cmpf": ("st_fcmp", {}), "sitofp": ("st_itof", {"WIDTH": 32}),
    "uitofp": ("st_itof", {"WIDTH": 32, "SIGNED": 0}),
    "fptosi": ("st_ftoi", {"WIDTH": "W"}), "muli": ("st_imul", {"WIDTH": "W"}),
    "divsi": ("st_idiv", {"WIDTH": "W"}),
    "remsi": ("st_idiv", {"WIDTH": "W", "REM": 1}),
}


def primitives():
    """{cell: {resource: number}} of the report's own table."""
    text = (ROOT / "src/driver/synth.c").read_text()
    return {cell: {resource: float(number)} for cell, resource, number in
            re.findall(r'{"(\w+)", {\.(\w+) = ([\d.]+)}}', text)}


def statistics(text):
    """{module: [(cell, count)]}; older and newer layouts."""
    modules, lines = {}, []
    for line in text.splitlines():
        section = re.fullmatch(r"=== (.+) ===", line)
        cell = re.fullmatch(r"\s+(?:(\S+)\s+(\d+)|(\d+)\s+(\S+))", line)
        if section:
            lines = []
            if section.group(1) != "design hierarchy":
                modules[section.group(1)] = lines
        elif cell:
            a, n, m, b = cell.groups()
            lines.append((a or b, int(n or m)))
    return modules


def cost(modules, name, table):
    sums = dict.fromkeys(("lut", "ff", "dsp"), 0)
    for cell, count in modules[name]:
        inside = (cost(modules, cell, table) if cell in modules else
                  table.get(cell, {}))
        for resource in sums:
            sums[resource] += count * inside.get(resource, 0)
    return sums


def synthesise(command, module, parameters):
    """Cost of one operator."""
    files = sorted(ROOT.glob("rtl/*/*.sv"),
                   key=lambda p: p.stem not in ("st_num", "st_const"))
    with tempfile.TemporaryDirectory() as work:
        stat = Path(work) / "stat"
        chparam = "".join(f" -chparam {k} {v}" for k, v in parameters.items())
        subprocess.run(
            ["yosys", "-q", "-p",
             f"read_verilog -sv {' '.join(map(str, files))}; "
             f"hierarchy -top {module}{chparam}; {command}; "
             f"tee -q -o {stat} stat"], check=True)
        modules = statistics(stat.read_text())
    tops = set(modules) - {cell for m in modules.values() for cell, _ in m}
    top, = (m for m in tops if module in m)
    return cost(modules, top, primitives())


def main(target, *options):
    path = ROOT / f"targets/{target}.toml"
    lines = path.read_text().splitlines(keepends=True)
    command = re.search(r'^synth = "(.+)"', "".join(lines), re.M).group(1)
    wanted = [o for o in options if not o.startswith("--")] or MODULES
    bits = 0
    for i, line in enumerate(lines):
        section = re.match(r"\[op\.([fi])(\d+)\]", line)
        if line.startswith("["):
            bits = int(section.group(2)) if section else 0
        row = re.match(r"(\w+) = \[(\d+), ([\d.]+), ([\d.]+), ([\d.]+)\]", line)
        if not row or not bits or row.group(1) not in wanted or \
                row.group(1) not in MODULES:
            continue
        module, parameters = MODULES[row.group(1)]
        parameters = {k: bits if v == "W" else v for k, v in parameters.items()}
        found = synthesise(command, module,
                           {"LATENCY": row.group(2), **parameters})
        new = "{} = [{}, {lut:g}, {ff:g}, {dsp:g}]".format(*row.groups()[:2],
                                                          **found)
        print(f"{bits:3} {row.group(0):40} {new}", flush=True)
        lines[i] = line.replace(row.group(0), new)
    if "--write" in options:
        path.write_text("".join(lines))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
