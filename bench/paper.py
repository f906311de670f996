"""Simulated decoding of large models on the U55C beside published figures.

usage: .venv/bin/python bench/paper.py [MODEL...] [-q w4a8] [--group N ...]
                                       [--full] [--dir DIR]

Each model is compiled from its configuration (no weights) and its steps are
simulated cycle by cycle: a prompt of 128 tokens, then eight tokens, or with
--full 128. Decode is the mean of the steps after the prompt; its share is of the
460 GB/s of the memory's peak. Bits are those of a weight with its part of scales
and minimums, over all weights in integers. Published: StreamTensor (MICRO 2025, arXiv
2509.13694) for GPT-2 Medium on the U55C. Packages and builds are kept in DIR;
exporting takes about a minute each. Needs ./streamtensor, that is `make build`.
"""

import argparse
import itertools
import json
import math
import os
import re
import subprocess
import sys

from models import COMMAND, CONFIGS, DIRECTORY, export

PROMPT = 128
TOKENS = ",".join(str(1 + i) for i in range(PROMPT))


def output(*args):
    p = subprocess.run([COMMAND, *args], capture_output=True, text=True)
    if p.returncode:
        sys.exit(p.stderr)
    return p.stdout


def bits_of(build):
    """Bits of a weight in integers, on average; None: there are none."""
    with open(os.path.join(build, "design.st")) as f:
        ports = re.findall(r'^  argument param (\w)(\d+) \[([\d, ]+)\].*'
                           r'"(.*)\.(codes|scales|mins)"$', f.read(), re.M)
    coded = {name for *_, name, what in ports if what == "codes"}
    bits = weights = 0
    for _, width, shape, name, what in ports:
        n = math.prod(map(int, shape.split(",")))
        bits += n * int(width) if name in coded else 0
        weights += n if what == "codes" else 0
    return bits / weights if weights else None


def measure(package, build, scheme, tokens):
    compiled = json.loads(output("compile", package, "-o", build, "-q", scheme,
                                 "--json"))
    got = json.loads(output("generate", build, "--tokens", TOKENS, "-n",
                            str(tokens), "--timing-only", "--json"))
    report = json.loads(output("report", build, "--json"))
    used, have = (report["resources"][k] for k in ("used", "available"))
    most = max((used[k] / have[k], k) for k in used if have[k])
    total = sum(got["cycles"]) / got["clock_mhz"] / 1e3
    return got, total, most, compiled["seconds"]


def main():
    parser = argparse.ArgumentParser(
        description="Simulated decoding of large models on the U55C.")
    parser.add_argument("models", nargs="*", metavar="MODEL",
                        help=" ".join(CONFIGS) + " (default: all)")
    parser.add_argument("-q", default="w4a8", metavar="Q",
                        help="quantisation (default w4a8)")
    parser.add_argument("--group", type=int, nargs="+", metavar="N",
                        help="elements with one scale, several in turn")
    parser.add_argument("--full", action="store_true",
                        help="128 tokens after the prompt; default 8")
    parser.add_argument("--dir", default=DIRECTORY)
    args = parser.parse_args()
    for name in args.models:
        if name not in CONFIGS:
            parser.error(f"no model {name}; there are {', '.join(CONFIGS)}")
    tokens = 128 if args.full else 8
    first, *rules = args.q.split(",")
    schemes = [",".join([f"{first}:{n}", *rules])
               for n in args.group or []] or [args.q]
    print(f"{'':16}{'bits':>7}{'decode':>12}{'share':>8}{'TTFT 128':>11}"
          f"{'[128:128]':>12}{'compile':>10}  largest use", flush=True)
    for name, scheme in itertools.product(args.models or CONFIGS, schemes):
        package = export(name, args.dir)
        build = os.path.join(args.dir,
                             f"{name}.{re.sub(r'[^.=,a-z0-9]', '-', scheme)}")
        got, total, most, seconds = measure(package, build, scheme, tokens)
        full = f"{total:9.1f} ms" if args.full else f"{'-':>12}"
        print(f"{name:16}{bits_of(build) or 32:7.3f}"
              f"{got['ms_per_token']:9.3f} ms"
              f"{100 * got['hbm_share']:6.1f} %{got['ttft_ms']:8.1f} ms"
              f"{full}{seconds:8.1f} s  {100 * most[0]:.0f} % {most[1]}",
              flush=True)
    print(f"{'published':23}{4.27:9.2f} ms{7.5:6.1f} %{125.35:8.2f} ms"
          f"{696.65:9.2f} ms{'':10}  (GPT-2 Medium)")


if __name__ == "__main__":
    main()
