"""Compile GPT-2 Medium and Llama-3.2-1B, from their configurations alone.

usage: .venv/bin/python bench/compile_large.py [--dir DIR] [--runs N]

Prints, for each, the least wall time of N compilations, its processor time and
peak memory, and the share of intermediate memory that is left when kernels are
fused, beside what the StreamTensor paper (MICRO 2025, arXiv 2509.13694) says of
its own models. Packages are kept in DIR; exporting them takes about a minute
each. Needs ./streamtensor, that is `make build`.
"""

import argparse
import json
import os
import subprocess
import sys
import time

from models import COMMAND, DIRECTORY, export

MODELS = "gpt2-medium", "llama-3.2-1b"


def compile_once(package, build, scheme="f32"):
    """(wall seconds, processor seconds, peak bytes) of one compilation."""
    start = time.monotonic()
    child = subprocess.Popen([COMMAND, "compile", package, "-o", build, "-q",
                              scheme], stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"compile {package} failed with {child.returncode}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(
        description="Compile two large models from their configurations.")
    parser.add_argument("--dir", default=DIRECTORY)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    print(f"{'':14}{'compile':>13}{'processor':>11}{'peak':>9}"
          f"{'kernels':>9}{'intermediate memory':>21}", flush=True)
    for name in MODELS:
        package = export(name, args.dir)
        build = os.path.join(args.dir, name + ".build")
        wall, cpu, peak = min(compile_once(package, build)
                              for _ in range(args.runs))
        report = json.loads(subprocess.run(
            [COMMAND, "report", build, "--json"], check=True,
            capture_output=True).stdout)
        memory = report["intermediate_bytes"]
        print(f"{name:14}{wall:11.2f} s{cpu:9.2f} s{peak / 1e9:6.2f} GB"
              f"{len(report['kernels']):9}"
              f"{100 * memory['fused'] / memory['unfused']:19.1f} %",
              flush=True)
    print(f"{'published':14}{'26.8-63.4 s':>13}{'14.8-16.8 %':>50}")


if __name__ == "__main__":
    main()
