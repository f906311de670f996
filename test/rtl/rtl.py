"""The SystemVerilog library as the tools want it: files, tops, commands."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PACKAGES = [ROOT / "rtl/num/st_num.sv", ROOT / "rtl/rom/st_const.sv"]


def library():
    """Every file of rtl/, packages first."""
    return PACKAGES + sorted(set((ROOT / "rtl").glob("*/*.sv")) - set(PACKAGES))


def modules():
    """Name of every module of the library."""
    return [p.stem for p in library() if p not in PACKAGES]


def text(name):
    return next(p for p in library() if p.stem == name).read_text()


def least_latency(name):
    """The formula after 'LATENCY >=' in the header comment, as Python."""
    found = re.search(r"LATENCY >= ([A-Z0-9+ ]+)", text(name))
    return found.group(1)


def run(*command, **options):
    """The command's output; an exception that shows it where it fails."""
    done = subprocess.run([str(c) for c in command], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def verilate(work, top, sources, main, flags="-O1"):
    """Build the top with its C++ main program; the program's path."""
    run("verilator", "--cc", "--exe", "--build", "-j", os.cpu_count() or 1,
        "-O3", "-Wall", "--x-assign", "fast", "--x-initial", "fast",
        "--top-module", top, "--Mdir", work, "-o", top,
        "-CFLAGS", f"{flags} -ffp-contract=off -I{ROOT / 'src'} -I{HERE}",
        *PACKAGES, *(f"-I{d}" for d in sorted((ROOT / "rtl").iterdir())),
        *sources, main)
    return work / top
