"""estimate: within 3 % of the simulator; designs with given factors."""

import json
import subprocess

import pytest

import shared
import tiny_models
from conftest import COMMAND

# The compiler's own design, and of the others one a family.
DESIGNS = {"f32": ("2,4,8 8", "1.4,8,2 4", "1,1,30 1"),
           "w4a8:16": ("32,32,32 2", "2,1,4 8")}


def answers(package, lines, *args):
    p = subprocess.run([COMMAND, "estimate", package, "--lines", *args],
                       input="".join(f"{line}\n" for line in lines),
                       capture_output=True, text=True, check=True)
    head, *rest = map(json.loads, p.stdout.splitlines())
    assert len(rest) == len(lines)
    return head, rest


# From the other end than test_models: neither waits for the other's exports.
@pytest.mark.parametrize("name", sorted(tiny_models.FAMILIES, reverse=True))
def test_near_the_simulator(name, tiny):
    package = tiny(name)[1]
    number = sorted(tiny_models.FAMILIES).index(name)
    for scheme, others in DESIGNS.items():
        designs = "- -", others[number % len(others)]
        head, got = answers(
            package, [f"{d} {how}" for d in designs
                      for how in ("estimated", "compiled")],
            "-q", scheme, "--prompt", "20", "--tokens", "30")
        assert head["ctx"] == shared.CTX
        assert head["chunk"] == shared.CHUNK
        for design, x, y in zip(designs, got[::2], got[1::2]):
            for key in ("cycles", "decode", "prefill"):
                assert x[key] == pytest.approx(y[key], rel=0.03), (
                    scheme, design, key, x[key], y[key])
            # The compiler's own may be another attempt when FIFOs count too.
            assert x["used"]["lut"] > 0
            assert design == "- -" or x["used"]["lut"] < y["used"]["lut"]


def test_default_workload(stories, command):
    """An eighth of the context each: 64 tokens in 4 steps, then 64."""
    r = json.loads(command("estimate", stories[1]).stdout)
    assert r["cycles"] == 64 * r["decode"] + 4 * r["prefill"]
    r = json.loads(command("estimate", stories[1], "--prompt", 3, "--tokens",
                           0).stdout)
    assert r["decode"] == 0 and r["cycles"] == r["prefill"]


def test_caches(stories, command):
    x, y = (json.loads(command("estimate", stories[1], "--kv", kv).stdout)
            for kv in ("f32", "f16"))
    assert x["used"] != y["used"]


def test_compile_with_factors(stories, command, tmp_path):
    build = tmp_path / "build"
    command("compile", stories[1], "-o", build, "--factors", "4,4,4",
            "--chunk", 4)
    used = json.loads(command("report", build, "--json").stdout)["resources"]
    r = json.loads(command("estimate", stories[1], "--factors", "4,4,4",
                           "--chunk", 4, "--compiled").stdout)
    assert r["used"] == used["used"] and r["fits"]
    assert r["factors"] == [4, 4, 4]
    got = json.loads(command("generate", build, "--prompt", "Once", "-n", 2,
                             "--json").stdout)
    assert len(got["tokens"]) == 2


@pytest.mark.parametrize("args, words", [
    (["--factors", "1,2"], "'1,2' is not three factors"),
    (["--factors", "1,2,0"], "numbers from 0.01 to 1e6"),
    (["--chunk", "x"], "'x' is not a number of tokens"),
    (["--chunk", "17"], "17 tokens is more than the package's 16"),
    (["--prompt", "513"], "--prompt '513' is not a number of tokens from 0"),
    (["--prompt", "500", "--tokens", "13"], "have to fit in the context"),
    (["--factors", "0.01,0.01,0.01", "--compiled"], None),
])
def test_arguments(stories, command, args, words):
    if words is None:
        r = json.loads(command("estimate", stories[1], *args).stdout)
        assert not r["fits"]
        return
    text = command("estimate", stories[1], *args, status=1).stderr
    assert words in text and "note: " in text


def test_factors_that_do_not_fit(stories, command, tmp_path):
    text = command("compile", stories[1], "-o", tmp_path / "build",
                   "--factors", "0.01,0.01,0.01", status=1).stderr
    assert "with these factors" in text and "larger factors" in text


def test_lines(stories):
    p = subprocess.run([COMMAND, "estimate", stories[1], "--lines"],
                       input="1,1,1\n", capture_output=True, text=True)
    assert p.returncode == 1 and "a line has factors" in p.stderr


def test_module(work, command):
    """Without symbols a step is all there is."""
    path = work / "mlp.py"
    path.write_text("import torch\nfrom torch import nn\n\ndef mlp():\n"
                    "    return nn.Sequential(nn.Linear(32, 32), nn.ReLU(),\n"
                    "        nn.Linear(32, 32)), (torch.randn(4, 32),)\n")
    command("export", f"{path}:mlp", "-o", work / "mlp.pkg")
    head, (x, y) = answers(work / "mlp.pkg", ["- - estimated", "- - compiled"])
    assert head["ctx"] == 0 and x["prefill"] == 0
    assert x["cycles"] == x["decode"] == pytest.approx(y["cycles"], rel=0.03)
