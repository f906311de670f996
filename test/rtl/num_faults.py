#!/usr/bin/env python3
"""Puts faults into the numeric operators, one at a time, and runs what CI runs
on them (num_main -n 100000): each has to be found. About a minute a fault.
Arguments are the modules to do this to."""

import subprocess
import sys
import tempfile
from pathlib import Path

import rtl

FAULTS = [
    ("st_num", "up = m[1] & (m[0] | m[2]);", "up = m[1];"),
    ("st_num", "if (e < -12'sd126) pack", "if (e < -12'sd127) pack"),
    ("st_num", "else if (e > 12'sd127) pack", "else if (e > 12'sd128) pack"),
    ("st_fadd", "right[0] | (s1_d > 8'd3 & lost != 24'd0)", "right[0]"),
    ("st_fadd", "s1_zero_sign <= u[31] & v[31]", "s1_zero_sign <= u[31]"),
    ("st_fadd", "big[31] != little[31]);", "1'b0);"),
    ("st_fmul", "s3_p[22:0] != 23'd0", "s3_p[22:1] != 22'd0"),
    ("st_fdiv", "g_stage[STAGES-1].rem != 24'd0", "1'b0"),
    ("st_fsqrt", "g_stage[STAGES-1].rem != 26'd0", "1'b0"),
    ("st_fextreme", "u_nan ? (NUM ? v : st_num::NAN)",
     "u_nan ? (NUM ? u : st_num::NAN)"),
    ("st_frint", "(~tie | (u & unit) != 32'd0)", "(~tie | 1'b1)"),
    ("st_ftoi", "{1'b0, e} + 9'd1 >= 9'(WIDTH)", "{1'b0, e} >= 9'(WIDTH)"),
    ("st_cubic", "35'sh1_0000_0001", "35'sh1_0000_0000"),
    ("st_exp2_fix", "26'(m2 >> 20)", "26'(m2 >> 21)"),
    ("st_exp", "s1_small <= a[30:23] < 8'd94", "s1_small <= 1'b0"),
    ("st_log2_fix", "u[22:15] >= 8'd106", "u[22:15] >= 8'd107"),
    ("st_fodd", "8'd130 - u[30:23]", "8'd129 - u[30:23]"),
    ("st_circular", "s4_sign ^ q[1] ^", "s4_sign ^"),
    ("st_fpow", "w[30:23] == 8'd150 ? w[0]", "w[30:23] == 8'd149 ? w[0]"),
    ("st_idiv", "& b != WIDTH'(0)", "& 1'b1"),
]


def found(work, module, text, changed):
    for p in rtl.library():
        source = p.read_text()
        if p.stem == module:
            assert source.count(text) == 1, (module, text)
            source = source.replace(text, changed)
        (work / p.name).write_text(source)
    packages = [work / p.name for p in rtl.PACKAGES]
    rtl.run("verilator", "--cc", "--exe", "--build", "-O3", "--x-assign",
            "fast", "--x-initial", "fast", "-Wno-lint", "--top-module",
            "num_top", "--Mdir", work / "obj", "-o", "num_top",
            "-MAKEFLAGS", "OPT_FAST=-O0", "-CFLAGS",
            f"-ffp-contract=off -I{rtl.ROOT / 'src'} -I{rtl.HERE}", *packages,
            f"-I{work}", rtl.HERE / "num_top.sv", rtl.HERE / "num_main.cpp")
    done = subprocess.run([work / "obj/num_top"], capture_output=True,
                          text=True)
    print(f"{module}: {done.stdout.splitlines()[0]}", flush=True)
    return done.returncode == 1


missed = 0
chosen = [f for f in FAULTS if f[0] in sys.argv[1:] or len(sys.argv) == 1]
for fault in chosen:
    with tempfile.TemporaryDirectory() as directory:
        if not found(Path(directory), *fault):
            print("NOT FOUND:", *fault, flush=True)
            missed += 1
print(f"{len(chosen) - missed} of {len(chosen)} faults found")
sys.exit(missed != 0)
