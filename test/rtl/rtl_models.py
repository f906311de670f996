"""Models on the device rtl: every step beside the simulator's.

usage: rtl_models.py [--axi] [FAMILY ...]

By hand: stories260K in f32 and W4A8, 64 tokens each, and the tiny models of
test/python/tiny_models.py, or those that are named. --axi: behind AXI as well,
a few steps. Designs are compiled for a card of so few LUTs that all vectors
have about one element: what Verilator has to build grows with them."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "test/python")]

from streamtensor import Error, Session, compile  # noqa: E402


def small_target(path, lut):
    """u55c as one die with few LUTs, in a file."""
    text = (ROOT / "targets/u55c.toml").read_text()
    for key, value in {"dies": 1, "lut": lut, "ff": 10**7, "dsp": 10**4}.items():
        text = re.sub(rf"^{key} = .*", f"{key} = {value}", text, 1, re.M)
    path.write_text(text)
    return str(path)


def compile_small(package, build, quantisation="f32"):
    """The build for the smallest such card that it fits on: what one is said to
    lack, the next has."""
    lut = 1000
    for _ in range(4):
        target = small_target(Path(f"{build}.toml"), lut)
        try:
            compile(str(package), str(build), target, quantisation)
            return str(build)
        except Error as error:
            need = re.search(r"(\d+) LUT needed", str(error))
            assert need, error
            lut = int(1.26 * int(need.group(1)))
    raise AssertionError("no card is large enough")


def steps(build, device, prompt, n):
    """(token, bits of the logits, cycles) of every step."""
    with Session(build, device) as session:
        return [(s.token, s.logits.tobytes(), s.cycles)
                for s in session.generate(prompt, n)]


def compare(build, prompt, n):
    want, got = (steps(build, d, prompt, n) for d in ("sim", "rtl"))
    assert len(want) == len(got)
    for i, (x, y) in enumerate(zip(want, got)):
        assert x[2] == y[2], f"step {i}: {y[2]} cycles, the simulator has {x[2]}"
        assert x[:2] == y[:2], f"step {i}: other logits"
    return [x[0] for x in want], [x[2] for x in want]


def compare_axi(build, prompt, n):
    """The same behind AXI: its program in the place of the other, which
    compare() has built."""
    place, = Path(build).glob("rtl/rtl-*")
    subprocess.run(["make", "-s", "-C", place, "axi"], check=True)
    program = place / "build/sim-run"
    program.rename(place / "build/plain-run")
    (place / "build/axi-run").rename(program)
    compare(build, prompt, n)


def export(checkpoint, package):
    subprocess.run([sys.executable, "-m", "streamtensor", "export",
                    str(checkpoint), "-o", str(package)], check=True,
                   cwd=ROOT / "python")


def stories(directory):
    """The package of stories260K."""
    checkpoint, package = directory / "hf", directory / "stories"
    subprocess.run([sys.executable, ROOT / "examples/stories260K/convert.py",
                    checkpoint], check=True)
    export(checkpoint, package)
    return package


def tiny(name, directory):
    """The package of a tiny model, chunks of 8 tokens."""
    import tiny_models
    from streamtensor import export as exporter
    checkpoint = tiny_models.save(name, str(directory))
    exporter.export_causal_lm(checkpoint, checkpoint + ".pkg", 8, 64)
    return checkpoint + ".pkg"


def main(names):
    axi = "--axi" in names
    names = [name for name in names if name != "--axi"]
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        for name in names or ["stories260K", "gpt2", "qwen2", "gemma3"]:
            whole = name == "stories260K"
            package = stories(work) if whole else tiny(name, work)
            prompt = [1, 403, 407] if whole else [1] + list(range(3, 22))
            for q in ("f32", "w4a8:32" if whole else "w4a8:16"):
                build = compile_small(package, work / f"{name}-{q[:4]}", q)
                _, cycles = compare(build, prompt, 64 if whole else 8)
                if axi:
                    compare_axi(build, prompt, 3)
                print(f"{name} {q}: {len(cycles)} steps, {cycles[0]} cycles of "
                      f"the prompt, {cycles[-1]} of the last token", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
