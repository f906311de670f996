"""The designs that `explore` finds for large models, beside the compiler's own.

usage: .venv/bin/python bench/explore.py [MODEL...] [-q w4a8] [--trials N]
                                         [--workers N] [--dir DIR]

For a prompt of 128 tokens and 128 more on the U55C, simulated: the compiler's
own design, then the fastest one found; whether the compiler's is on the front
of those that were compiled; and by how much estimates and simulations differ
at most. Packages (made from configurations, a minute each) and studies are kept in
DIR, so that a run that was ended goes on. Needs ./streamtensor, that is
`make build`.
"""

import argparse
import json
import os
import subprocess

from models import COMMAND, CONFIGS, DIRECTORY, export


def explored(name, args):
    package = export(name, args.dir)
    output = os.path.join(args.dir, f"{name}.{args.q}.explore")
    subprocess.run([COMMAND, "explore", package, "-q", args.q, "-o", output,
                    "--trials", str(args.trials), "--workers",
                    str(args.workers), "--verify", str(args.verify)],
                   check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(output, "front.json")) as f:
        return json.load(f)


def difference(point):
    x, y = point["estimated"]["cycles"], point["compiled"]["cycles"]
    return abs(x / y - 1)


def row(name, point, package):
    r = point["compiled"]
    ms = [r[k] / package["clock_mhz"] / 1e3
          for k in ("decode", "prefill", "cycles")]
    uses = " ".join(f"{100 * r['used'][k] / package['available'][k]:5.0f} %"
                    for k in ("lut", "dsp", "bram36", "uram"))
    return (f"{name:24}{ms[0]:9.3f} ms{ms[1]:9.2f} ms{ms[2]:9.1f} ms  {uses}")


def main():
    parser = argparse.ArgumentParser(
        description="What exploration finds for large models.")
    parser.add_argument("models", nargs="*", metavar="MODEL",
                        help=" ".join(CONFIGS) + " (default: all)")
    parser.add_argument("-q", default="w4a8", metavar="Q",
                        help="quantisation (default w4a8)")
    parser.add_argument("--trials", type=int, default=192)
    parser.add_argument("--verify", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--dir", default=DIRECTORY)
    args = parser.parse_args()
    for name in args.models:
        if name not in CONFIGS:
            parser.error(f"no model {name}; there are {', '.join(CONFIGS)}")
    print(f"{'':24}{'a token':>12}{'a chunk':>12}{'[128:128]':>12}"
          f"  {'LUT':>7} {'DSP':>7} {'BRAM36':>7} {'URAM':>7}", flush=True)
    for name in args.models or CONFIGS:
        got = explored(name, args)
        default, front = got["default"], got["front"]
        on_front = any(p["trial"] == default["trial"] for p in front)
        print(row(name, default, got["package"]))
        print(row("  explored", front[0], got["package"]))
        print(f"  the compiler's own is {'' if on_front else 'not '}on the "
              f"front; estimates differ by up to "
              f"{100 * max(map(difference, [default, *front])):.2f} %",
              flush=True)


if __name__ == "__main__":
    main()
