"""How fast our own tools are: compilation, simulation, simulation of cycles.

usage: .venv/bin/python bench/sim_speed.py [--dir DIR] [--steps N]
                                           [--prompt N] [--skip-compile]

Prints the time of `compile -q w4a8` for large models of which there is the
configuration alone; then, for models with random weights, the tokens that the
simulator makes in a second of this machine with values, and without
(`generate --timing-only`). A prompt of N tokens comes first, then one step that
is not counted, then --steps steps. Beside the time that passed is the
processor's, which other work on the machine disturbs less. Packages and builds
are kept in DIR; with weights they take 8 GB, and exporting minutes. Needs
./streamtensor, that is `make build`.
"""

import argparse
import os
import sys
import time

from compile_large import compile_once
from models import CONFIGS, DIRECTORY, ROOT, RUN, export

sys.path.insert(0, os.path.join(ROOT, "python"))
from streamtensor import Session  # noqa: E402

SCHEME = "w4a8"


def compile_times(directory, runs):
    print(f"{'compile -q ' + SCHEME:20}{'time':>9}{'processor':>12}"
          f"{'peak':>10}", flush=True)
    for name in CONFIGS:
        build = os.path.join(directory, f"{name}.{SCHEME}")
        package = export(name, directory)
        wall, cpu, peak = min(compile_once(package, build, SCHEME)
                              for _ in range(runs))
        print(f"{name:20}{wall:7.2f} s{cpu:10.2f} s{peak / 1e9:7.2f} GB",
              flush=True)


def token_times(build, device, prompt, steps):
    """Seconds and processor seconds of a token."""
    with Session(build, device) as session:
        for at in range(0, prompt, session.chunk):
            session.step([1] * min(session.chunk, prompt - at))
        session.step([1])
        wall, cpu = time.monotonic(), time.process_time()
        for _ in range(steps):
            session.step([1])
        return ((time.monotonic() - wall) / steps,
                (time.process_time() - cpu) / steps)


def main():
    parser = argparse.ArgumentParser(
        description="How fast compilation and simulation are.")
    parser.add_argument("--dir", default=DIRECTORY)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--prompt", type=int, default=16)
    parser.add_argument("--runs", type=int, default=3, help="compilations, of "
                        "which the fastest counts (default 3)")
    parser.add_argument("--skip-compile", action="store_true")
    args = parser.parse_args()
    if not args.skip_compile:
        compile_times(args.dir, args.runs)
    print(f"{'a token, ' + SCHEME:20}{'values':>11}{'processor':>12}"
          f"{'cycles alone':>15}{'processor':>12}{'faster':>9}", flush=True)
    for name in RUN:
        package = export(name, args.dir, seed=1)
        build = os.path.join(args.dir, f"{name}-random.{SCHEME}")
        compile_once(package, build, SCHEME)
        both, both_cpu = token_times(build, "sim", args.prompt, args.steps)
        time_, cpu = token_times(build, "timing", args.prompt, args.steps)
        print(f"{name:20}{1e3 * both:8.1f} ms{1e3 * both_cpu:9.1f} ms"
              f"{1e3 * time_:12.1f} ms{1e3 * cpu:9.1f} ms"
              f"{both / time_:8.1f} x  ({1 / both:.1f} tokens/s)", flush=True)


if __name__ == "__main__":
    main()
