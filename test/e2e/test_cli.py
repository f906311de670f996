"""The command as scripts use it: JSON, exit status, determinism, checking."""

import json
import os
import re
import shutil
import subprocess

import pytest

COMMANDS = ["export", "coverage", "compile", "generate", "chat", "serve",
            "run", "report", "check", "emit", "estimate", "explore", "doctor",
            "opt"]
TYPE = re.compile(r"itensor<\w+ \[.*\] by \[.*\], .*>")
LINEAR = """
import torch

def make():
    torch.manual_seed(0)
    return torch.nn.Linear(8, 8), (torch.randn(4, 8),)
"""


def output(command, *args):
    return json.loads(command(*args, "--json").stdout)


# ---- JSON ---------------------------------------------------------------


def test_generate_json(stories, command):
    r = output(command, "generate", stories[2], "--tokens", "1", "-n", 5)
    assert set(r) == {"tokens", "cycles", "clock_mhz", "ms_per_token",
                      "ttft_ms", "hbm_bytes", "hbm_share"}
    assert len(r["tokens"]) == len(r["cycles"]) == len(r["hbm_bytes"]) == 5
    decode = r["cycles"][1:]
    ms = sum(decode) / len(decode) / r["clock_mhz"] / 1e3
    assert r["ms_per_token"] == pytest.approx(ms)
    assert r["ttft_ms"] == pytest.approx(r["cycles"][0] / r["clock_mhz"] / 1e3)
    assert 0 < r["hbm_share"] < 1


def test_generate_json_of_a_prompt(stories, command):
    r = output(command, "generate", stories[2], "--prompt",
               "Once upon a time", "-n", 4)
    assert r["tokens"][0] == 432  # ","


def test_generate_with_a_temperature(stories, command):
    def tokens(*more):
        return output(command, "generate", stories[2], "--tokens", "1", "-n",
                      12, *more)["tokens"]

    hot = ("--temperature", "2", "--top-k", "100", "--seed")
    assert tokens(*hot, "1") == tokens(*hot, "1")
    assert len({tuple(tokens(*hot, str(i))) for i in range(3)}) == 3
    assert tokens("--temperature", "1", "--top-k", "1") == tokens()
    assert tokens("--temperature", "1", "--top-p", "1e-9") == tokens()


@pytest.mark.parametrize("more,message", [
    (("--seed", "1"), "go with --temperature"),
    (("--temperature", "-1"), "makes no sense"),
    (("--temperature", "1", "--top-p", "2"), "top-p is 2"),
], ids=str)
def test_sampling_refused(stories, command, more, message):
    for name in ("generate", "chat"):
        given = ("--tokens", "1") if name == "generate" else ()
        p = command(name, stories[2], *given, *more, status=1, input="")
        assert message in p.stderr


def test_report_json(stories, command):
    r = output(command, "report", stories[2])
    for key in ("kernels", "streams", "converters", "groups", "dma"):
        assert r[key], key
    for stream in r["streams"]:
        assert TYPE.fullmatch(stream["type"])
        assert stream["depth"] >= 1 and stream["width_bits"] >= 1
        assert stream["memory"] in ("reg", "srl", "lutram", "bram", "uram")
    for converter in r["converters"]:
        assert converter["bytes"] > 0 and converter["strategy"]
    bits = sum(s["depth"] * s["width_bits"] for s in r["streams"])
    assert r["fifo_bits"] == bits
    used, available = r["resources"]["used"], r["resources"]["available"]
    assert set(used) == set(available)
    assert all(used[k] <= available[k] for k in used)
    for key in used:
        dies = [d["used"][key] for d in r["dies"]]
        assert sum(dies) == pytest.approx(used[key])
        assert all(d["used"][key] <= 0.8 * d["available"][key]
                   for d in r["dies"])
    assert len(r["dies"]) == 3 and all(
        d["wires_to_next"]["used"] <= 0.8 * d["wires_to_next"]["available"]
        for d in r["dies"][:2])
    assert {k["die"] for k in r["kernels"]} <= {0, 1, 2}
    memory = r["intermediate_bytes"]
    assert 0 < memory["fused"] < memory["unfused"]
    names = [p["name"] for p in r["passes"]]
    assert names[0] == "import" and names[-1] == "place"
    assert all(p["seconds"] >= 0 for p in r["passes"])


def test_report_table(stories, command):
    text = command("report", stories[2]).stdout
    r = output(command, "report", stories[2])
    for words in ("on-chip memory", "FIFO", "saved by fusion", "BRAM36", "URAM",
                  "wires to next", "die 2", "compile time"):
        assert words in text, words
    for p in r["passes"]:
        assert p["name"] in text


def test_compile_json(stories, command, tmp_path):
    r = output(command, "compile", stories[1], "-o", tmp_path / "build")
    assert r["seconds"] > 0
    assert sum(p["seconds"] for p in r["passes"]) <= r["seconds"]


def test_coverage_json(stories, command):
    r = output(command, "coverage", stories[1])
    assert r["supported"] is True
    assert r["operations"] == sum(op["count"] for op in r["ops"])
    assert all(op["supported"] and op["places"] for op in r["ops"])
    text = command("coverage", stories[1]).stdout
    assert all(op["op"] in text for op in r["ops"])


# ---- exit status --------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_help(command, name):
    assert command(name, "--help").stdout.startswith(
        f"usage: streamtensor {name}")


def test_help_lists_commands(command):
    text = command("--help").stdout
    assert all(re.search(rf"^  {name} ", text, re.M) for name in COMMANDS)


@pytest.mark.parametrize("args", [
    [], ["nothing"], ["compile"], ["compile", "pkg"],
    ["compile", "pkg", "more", "-o", "b"], ["compile", "pkg", "-o"],
    ["compile", "pkg", "-o", "b", "--what"], ["run", "b"],
    ["run", "b", "--in", "f"], ["report"], ["check"], ["check", "a", "b"],
    ["coverage"], ["emit"], ["emit", "hls"], ["emit", "hls", "b"],
    ["emit", "vhdl", "b", "-o", "d"], ["opt"], ["opt", "pkg", "-p", "what"],
    ["generate", "b"], ["generate", "b", "--tokens", "1", "-n", "x"],
    ["generate", "b", "--tokens", "1", "--prompt", "a"], ["export", "m"],
    ["export", "m", "-o", "p", "--chunk", "x"],
], ids=" ".join)
def test_usage_errors(command, args, tmp_path):
    p = command(*args, status=2, cwd=tmp_path)
    assert "usage:" in p.stderr or "streamtensor: " in p.stderr
    assert not p.stdout and not os.listdir(tmp_path)


# ---- determinism --------------------------------------------------------


def test_compile_twice(stories, command, tmp_path):
    command("compile", stories[1], "-o", tmp_path / "again")
    for name in ("design.st", "certificate.txt", "target.toml"):
        one, two = (d / name for d in (stories[2], tmp_path / "again"))
        assert one.read_bytes() == two.read_bytes(), name


def test_export_twice(command, tmp_path):
    (tmp_path / "m.py").write_text(LINEAR)
    for name in ("one", "two"):
        command("export", f"{tmp_path}/m.py:make", "-o", tmp_path / name)
    names = sorted(os.listdir(tmp_path / "one"))
    assert names == ["model.json", "model.mlir", "weights.safetensors"]
    assert names == sorted(os.listdir(tmp_path / "two"))
    for name in names:
        one, two = (tmp_path / d / name for d in ("one", "two"))
        assert one.read_bytes() == two.read_bytes(), name


# ---- certificate and HLS ------------------------------------------------


def test_check_accepts(stories, command):
    assert command("check", stories[2]).stdout.splitlines()[-1].startswith(
        "ok:")


def test_check_refuses_any_depth_too_small(stories, command, tmp_path):
    """One less than the design has, each stream in turn."""
    design = (stories[2] / "design.st").read_text()
    build = tmp_path / "build"
    shutil.copytree(stories[2], build)
    found = list(re.finditer(r"%(\d+) = .* depth (\d+) memory", design))
    assert len(found) > 20
    for m in found:
        begin, end = m.span(2)
        depth = int(m[2])
        (build / "design.st").write_text(
            design[:begin] + str(depth - 1) + design[end:])
        p = command("check", build, status=1)
        assert "ok:" not in p.stdout
        if depth > 1:
            assert f"stream %{m[1]} (" in p.stderr, p.stderr
            assert f"the certificate needs {depth}" in p.stderr, p.stderr


def test_emitted_hls_runs(stories, command, tmp_path):
    command("emit", "hls", stories[2], "-o", tmp_path / "hls")
    p = subprocess.run(["make", "-C", tmp_path / "hls", "csim"],
                       capture_output=True, text=True)
    assert p.returncode == 0, p.stdout + p.stderr
