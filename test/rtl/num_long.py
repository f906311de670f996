#!/usr/bin/env python3
"""Build num_top in a temporary directory and run it on many vectors: the floats
around every power of two, then 10 million random ones. Arguments are those of
num_main.cpp and replace the defaults."""

import subprocess
import sys
import tempfile
from pathlib import Path

import rtl

with tempfile.TemporaryDirectory() as work:
    program = rtl.verilate(Path(work), "num_top", [rtl.HERE / "num_top.sv"],
                           rtl.HERE / "num_main.cpp")
    args = sys.argv[1:] or ["-b", "-n", "10000000"]
    sys.exit(subprocess.run([program, *args]).returncode)
