"""Bad input: each gets a message that says what is wrong and what to do, and
its exit status; no traceback, no crash, and no half-written output."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from conftest import COMMAND, ROOT
from streamtensor import __main__ as tool
from streamtensor import export as exporter

MODULES = """
import torch

class Sorted(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 3)

    def forward(self, x):
        return torch.sort(self.conv(x), -1)[0]

def linear():
    torch.manual_seed(0)
    return torch.nn.Linear(8, 8), (torch.randn(4, 8),)

def unsupported():
    return Sorted(), (torch.randn(1, 1, 8, 8),)

def upsampled():
    return torch.nn.Upsample(scale_factor=2), (torch.randn(1, 2, 4, 4),)

class Twice(torch.nn.Module):
    def forward(self, x):
        return x * 2

def twice():
    return Twice(), (torch.randn(9973, 16),)

def raises():
    raise ValueError("not today")
"""


def refused(*args, status=1, cwd=None, limit=None):
    """The messages of a command that must fail in an orderly way."""
    words = [COMMAND, *map(str, args)]
    if limit is not None:
        words = ["sh", "-c", f'ulimit -f {limit}; exec "$@"', "sh", *words]
    p = subprocess.run(words, capture_output=True, text=True, cwd=cwd,
                       timeout=300)
    assert p.returncode == status, (p.returncode, p.stdout + p.stderr)
    assert "Traceback" not in p.stderr, p.stderr
    assert "error: " in p.stderr, p.stderr
    return p.stderr


def orderly(*args):
    """The command ends with success or with a message."""
    p = subprocess.run([COMMAND, *map(str, args)], capture_output=True,
                       text=True, errors="replace", timeout=300)
    assert p.returncode in (0, 1), (args, p.returncode, p.stderr)
    assert (p.returncode == 1) == ("error: " in p.stderr), (args, p.stderr)
    return p.returncode


def refused_export(capfd, *args):
    """As `refused` of `export`, without another start of Python."""
    capfd.readouterr()
    assert tool.export([str(a) for a in args]) == 1
    messages = capfd.readouterr().err
    assert "Traceback" not in messages and "error: " in messages, messages
    return messages


@pytest.fixture(scope="module")
def modules(work):
    path = work / "modules.py"
    path.write_text(MODULES)
    return path


@pytest.fixture(scope="module")
def linear(modules, work, command):
    """Package and build of one layer."""
    exporter.export_module(f"{modules}:linear", str(work / "linear"))
    command("compile", work / "linear", "-o", work / "linear.build")
    return work / "linear", work / "linear.build"


@pytest.fixture
def package(linear, tmp_path):
    """A copy of the package to spoil."""
    shutil.copytree(linear[0], tmp_path / "pkg")
    return tmp_path / "pkg"


@pytest.fixture
def no_build(tmp_path):
    """A path where nothing may appear, nor beside it."""
    before = set(os.listdir(tmp_path))
    yield tmp_path / "build"
    assert not [n for n in set(os.listdir(tmp_path)) - before
                if n.startswith("build")]


# ---- packages -----------------------------------------------------------


def test_truncated_text(package, no_build):
    path = package / "model.mlir"
    text = path.read_bytes()
    for part in range(1, 10):
        path.write_bytes(text[:len(text) * part // 10])
        assert re.search(r"model\.mlir:\d+:\d+: error: ",
                         refused("compile", package, "-o", no_build))


def test_empty_text(package, no_build):
    (package / "model.mlir").write_bytes(b"")
    assert "model.mlir" in refused("compile", package, "-o", no_build)


@pytest.mark.parametrize("name", ["model.mlir", "model.json",
                                  "weights.safetensors"])
def test_flipped_bits_of_a_package(package, tmp_path, name):
    path, made = package / name, tmp_path / "made"
    data, rng = path.read_bytes(), random.Random(1)
    failed = 0
    for _ in range(25):
        spoilt = bytearray(data)
        spoilt[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(spoilt)
        failed += orderly("compile", package, "-o", made)
    assert failed


@pytest.mark.parametrize("name", ["design.st", "certificate.txt",
                                  "build.json", "target.toml"])
def test_flipped_bits_of_a_build(linear, tmp_path, name):
    build = tmp_path / "build"
    shutil.copytree(linear[1], build)
    path = build / name
    data, rng = path.read_bytes(), random.Random(2)
    for _ in range(25):
        spoilt = bytearray(data)
        spoilt[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(spoilt)
        orderly("check", build)
        orderly("report", build)


def test_die_that_is_not_there(linear, tmp_path):
    build = tmp_path / "build"
    shutil.copytree(linear[1], build)
    path = build / "design.st"
    text, n = re.subn(r"( group 1) die \d", r"\1 die 3", path.read_text(),
                      count=1)
    assert n
    path.write_text(text)
    assert "is on die 3, and u55c has 3" in refused("report", build)


@pytest.mark.parametrize("extent, words", [
    (10 ** 9, r"128000\.0 MB where u55c has"),
    (10 ** 14, r"beats in a step"),
])
def test_absurd_size_of_a_build(modules, work, command, tmp_path, extent,
                                words):
    """Refused on sight: no terabytes, no hours."""
    package, build = work / "twice", tmp_path / "build"
    if not package.exists():
        exporter.export_module(f"{modules}:twice", str(package))
    command("compile", package, "-o", build)
    path = build / "design.st"
    path.write_text(re.sub(r"\b9973\b", str(extent), path.read_text()))
    for args in (["check"], ["report"], ["run", "--in", "x", "--out", "y"]):
        assert re.search(r"build/design\.st: error: .*" + words,
                         refused(args[0], build, *args[1:]))


def spoil_weights(package, change):
    path = package / "weights.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def test_weights_missing(package, no_build):
    (package / "weights.safetensors").unlink()
    assert "weights.safetensors" in refused("compile", package, "-o", no_build)


def test_weight_missing(package, no_build):
    spoil_weights(package, lambda t: t.pop("bias"))
    assert "'bias'" in refused("compile", package, "-o", no_build)


def test_weight_of_another_shape(package, no_build):
    def change(t):
        t["weight"] = t["weight"][:4].copy()
    spoil_weights(package, change)
    text = refused("compile", package, "-o", no_build)
    assert "weight" in text and "4" in text and "8" in text


def test_weight_of_another_type(package, no_build):
    def change(t):
        t["weight"] = t["weight"].astype(np.float64)
    spoil_weights(package, change)
    text = refused("compile", package, "-o", no_build)
    assert "weight" in text and "f64" in text and "f32" in text


def test_weights_truncated(package, no_build):
    path = package / "weights.safetensors"
    data = path.read_bytes()
    for size in (0, 4, 40, len(data) - 1):
        path.write_bytes(data[:size])
        assert "weights.safetensors" in refused("compile", package, "-o",
                                                no_build)


@pytest.mark.parametrize("text, words", [
    ("{", "JSON"), ("[]", "object"), ("{}", "missing"), ("", "JSON"),
])
def test_broken_description(package, no_build, text, words):
    (package / "model.json").write_text(text)
    message = refused("compile", package, "-o", no_build)
    assert "model.json" in message and words in message, message


@pytest.mark.parametrize("key, value", [
    ("kind", "what"), ("arguments", []), ("results", []), ("version", 99),
    ("format", "other"),
])
def test_wrong_description(package, no_build, key, value):
    path = package / "model.json"
    model = json.loads(path.read_text())
    model[key] = value
    path.write_text(json.dumps(model))
    refused("compile", package, "-o", no_build)


def test_entry_of_another_name(package, no_build):
    """The function that model.json names, and no other."""
    model = json.loads((package / "model.json").read_text())
    (package / "model.json").write_text(json.dumps({**model, "entry": "no"}))
    text = refused("compile", package, "-o", no_build)
    assert "no function named no" in text and "model.json" in text, text
    text = (package / "model.mlir").read_text()
    (package / "model.mlir").write_text(text.replace("@forward(", "@no("))
    assert orderly("compile", package, "-o", no_build) == 0
    shutil.rmtree(no_build)


def test_not_a_package(tmp_path, no_build):
    assert "export" in refused("compile", tmp_path / "none", "-o", no_build)
    assert refused("compile", ROOT, "-o", no_build)


def test_unsupported_operations(modules, work, command, no_build):
    """All of them are named, with their places in the model's source."""
    package = work / "unsupported"
    exporter.export_module(f"{modules}:unsupported", str(package))
    table = command("coverage", package, "--json", status=1)
    ops = json.loads(table.stdout)["ops"]
    missing = [op for op in ops if not op["supported"]]
    assert "tm_tensor.sort" in {op["op"] for op in missing}
    for op in missing:
        assert op["reason"]
        assert any(p["file"] == "modules.py" and p["line"] == 10
                   for p in op["places"])
    text = refused("compile", package, "-o", no_build)
    for op in missing:
        assert re.search(rf"modules\.py:10: error: .*{op['op']}", text), text


def test_refused_by_a_pass(modules, work, command, no_build):
    """Every operation can be imported; the table says no all the same."""
    package = work / "upsampled"
    exporter.export_module(f"{modules}:upsampled", str(package))
    table = command("coverage", package, "--json", status=1)
    bad = [op for op in json.loads(table.stdout)["ops"] if not op["supported"]]
    assert len(bad) == 1 and bad[0]["op"] == "table lookup" and bad[0]["places"]
    text = refused("compile", package, "-o", no_build)
    assert f"table lookup: {bad[0]['reason']}" in text, text


# ---- options ------------------------------------------------------------


def test_unknown_target(linear, no_build):
    text = refused("compile", linear[0], "-o", no_build, "-t", "nothing")
    assert "unknown target 'nothing'" in text and "u55c" in text


def test_broken_target(linear, tmp_path, no_build):
    path = tmp_path / "broken.toml"
    path.write_text('name = "broken"\nclock_mhz = "fast"\n')
    text = refused("compile", linear[0], "-o", no_build, "-t", path)
    assert re.search(r"broken\.toml:2", text), text


def test_unknown_quantisation(linear, no_build):
    text = refused("compile", linear[0], "-o", no_build, "-q", "w1a1")
    assert "'w1a1'" in text and "f32" in text


def target_with(tmp_path, **values):
    with open(os.path.join(ROOT, "targets", "u55c.toml")) as f:
        text = f.read()
    for key, value in values.items():
        text, n = re.subn(rf"(?m)^{key} = [\d\[][^\n]*", f"{key} = {value}", text,
                          count=1)
        assert n == 1, key
    path = tmp_path / "small.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("values, words", [
    ({"lut": 3000}, r"\d+ LUT needed, 2400 within"),
    ({"dsp": 8}, r"\d+ DSP needed, 6 within"),
    ({"lut": "[3000, 1000000, 1000000]"},
     r"fit die 0 of u55c: \d+ LUT needed, 2400 within(.|\n)*\d+ LUT of these "
     r"are for the \w+ from \S+:\d+"),
    ({"channels": 1, "channel_mb": 1}, r"(?i)memory"),
])
def test_design_over_the_device(stories, tmp_path, no_build, values, words):
    target = target_with(tmp_path, **values)
    text = refused("compile", stories[1], "-o", no_build, "-t", target)
    assert re.search(words, text), text
    assert "note: " in text and "-t" in text, text


# ---- generate and run ---------------------------------------------------


@pytest.mark.parametrize("args, words", [
    (["--tokens", "1", "-n", "2000"], "context of 512"),
    (["--tokens", ",".join(["1"] * 520), "-n", "1"], "context of 512"),
    (["--tokens", "512"], "token 512 is not in the vocabulary of 512"),
    (["--tokens", "-1"], "token -1 is not in the vocabulary"),
    (["--tokens", "9" * 30], "is not in the vocabulary"),
    (["--tokens", "1,x"], "numbers separated by commas"),
    (["--tokens", ""], "numbers separated by commas"),
    (["--tokens", "1", "-n", "0"], "at least 1"),
    (["--prompt", b"a\xff"], "UTF-8"),
    (["--tokens", "1", "--device", "card"], "devices: sim, interp, hls"),
    (["--tokens", "1", "-n", "1", "--logits", "/proc/none/f"], "/proc/none/f"),
    (["--tokens", "1", "-n", "1", "--logits", "/"], "cannot write"),
])
def test_generate(stories, args, words):
    args = [os.fsdecode(a) for a in args]
    assert words in refused("generate", stories[2], *args)


def test_generate_without_weights(stories, command, tmp_path):
    package, build = tmp_path / "pkg", tmp_path / "build"
    shutil.copytree(stories[1], package)
    (package / "weights.safetensors").unlink()
    model = json.loads((package / "model.json").read_text())
    model["weights"] = None
    (package / "model.json").write_text(json.dumps(model))
    command("compile", package, "-o", build)
    assert "no weights" in refused("generate", build, "--tokens", "1")


def test_prompt_without_tokenizer(stories, tmp_path):
    shutil.copytree(stories[2], tmp_path / "build")
    (tmp_path / "build" / "tokenizer.json").unlink()
    assert "--tokens" in refused("generate", tmp_path / "build", "--prompt",
                                 "a")


def test_broken_tokenizer(stories, tmp_path):
    shutil.copytree(stories[2], tmp_path / "build")
    (tmp_path / "build" / "tokenizer.json").write_text("{")
    assert "tokenizer.json" in refused("generate", tmp_path / "build",
                                       "--prompt", "a")


def test_package_gone(linear, tmp_path, command):
    package, build = tmp_path / "pkg", tmp_path / "build"
    shutil.copytree(linear[0], package)
    command("compile", package, "-o", build)
    shutil.rmtree(package)
    text = refused("run", build, "--in", "x", "--out", "y")
    assert "compile it again" in text


@pytest.mark.parametrize("tensors, words", [
    ({"other": np.ones((4, 8), np.float32)}, "no input 'input0', f32 [4, 8]"),
    ({"input0": np.ones((3, 8), np.float32)}, "is f32 [3, 8]"),
    ({"input0": np.ones((4, 8), np.float64)}, "is f64 [4, 8]"),
    ({"input0": np.ones(32, np.float32)}, "is f32 [32]"),
])
def test_run_with_wrong_inputs(linear, tmp_path, tensors, words):
    save_file(tensors, tmp_path / "in")
    text = refused("run", linear[1], "--in", tmp_path / "in", "--out",
                   tmp_path / "out")
    assert words in text, text
    assert not os.path.exists(tmp_path / "out")


def test_wrong_kind_of_build(stories, linear, tmp_path):
    save_file({"x": np.ones(1, np.float32)}, tmp_path / "in")
    assert "streamtensor generate" in refused(
        "run", stories[2], "--in", tmp_path / "in", "--out", tmp_path / "out")
    assert "streamtensor run" in refused("generate", linear[1], "--tokens",
                                         "1")


@pytest.mark.parametrize("args", [
    ["report"], ["check"], ["emit", "hls"], ["generate", "--tokens=1"],
    ["run", "--in=a", "--out=b"],
])
def test_not_a_build(linear, tmp_path, args):
    more = ["-o", tmp_path / "out"] if args[0] == "emit" else []
    assert "not a build" in refused(*args, linear[0], *more)
    assert "no such build" in refused(*args, tmp_path / "none", *more)
    assert not os.path.exists(tmp_path / "out")


# ---- export -------------------------------------------------------------


def test_export(stories, modules, tmp_path, capfd):
    out = ["-o", tmp_path / "out"]
    assert "no function 'nothing'" in refused("export", f"{modules}:nothing",
                                              *out)
    for args, words in [
        ([tmp_path / "none"], "is not a directory"),
        ([f"{modules}:raises"], "ValueError: not today"),
        ([f"{tmp_path}/none.py:f"], "does not exist"),
        ([stories[0], "--ctx", "5000"], "maximum of 512"),
        ([stories[0], "--chunk", "0"], "at least 1"),
        ([stories[0], "--random-weights", "1"], "--config-only"),
        ([stories[0], "--tune", "1"], "--group, --windows and --tune go with"),
        ([stories[0], "--calibrate", "self", "--config-only"],
         "--calibrate needs the weights"),
        ([stories[0], "--calibrate", tmp_path / "none"], "there is no file"),
        ([stories[0], "--calibrate", "self", "--group", "8"],
         "--group is from 16 to 1024"),
        ([stories[0], "--calibrate", "self", "--windows", "0"],
         "--windows is at least 1"),
        ([stories[0], "--calibrate", "self", "--tune", "-1"],
         "--tune is at least 0"),
        ([f"{modules}:linear", "--calibrate", "self"],
         "--calibrate is for language models"),
    ]:
        assert words in refused_export(capfd, *args, *out), args
    assert not os.listdir(tmp_path)


def test_export_to_a_wrong_place(modules, tmp_path, capfd):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "file").write_text("mine")
    for place in ("file", "file/below", "dir"):
        assert place in refused_export(capfd, f"{modules}:linear", "-o",
                                       tmp_path / place)
    assert sorted(os.listdir(tmp_path)) == ["dir", "file"]
    assert (tmp_path / "dir" / "file").read_text() == "mine"


# ---- places to write ----------------------------------------------------


@pytest.mark.parametrize("what", ["compile", "emit"])
def test_output_in_a_wrong_place(linear, tmp_path, what):
    args = (["compile", linear[0]] if what == "compile" else
            ["emit", "hls", linear[1]])
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "file").write_text("mine")
    for place in ("file", "file/below", "dir"):
        assert place in refused(*args, "-o", tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"
    assert os.listdir(tmp_path / "dir") == ["file"]
    assert sorted(os.listdir(tmp_path)) == ["dir", "file"]


@pytest.mark.parametrize("what", ["compile", "emit"])
def test_full_disk(stories, tmp_path, what):
    """A limit on the size of a file fails a write as a full disk does."""
    args = (["compile", stories[1]] if what == "compile" else
            ["emit", "hls", stories[2]])
    text = refused(*args, "-o", tmp_path / "out", limit=16)
    assert re.search(r"/out/[\w.]+: error: cannot write", text), text
    assert not os.listdir(tmp_path)


def test_full_disk_for_results(stories, linear, tmp_path):
    save_file({"input0": np.ones((4, 8), np.float32)}, tmp_path / "in")
    for args in (["generate", stories[2], "--tokens", "1", "-n", "40",
                  "--logits", tmp_path / "out"],
                 ["run", linear[1], "--in", tmp_path / "in", "--out",
                  tmp_path / "out"]):
        assert "cannot write" in refused(*args, limit=0)
        assert os.listdir(tmp_path) == ["in"]


# ---- ended from outside -------------------------------------------------


def content(directory):
    return {n: (directory / n).read_bytes() for n in os.listdir(directory)
            if n != "build.json"}  # it holds times


def test_killed_while_compiling(linear, command, tmp_path):
    """The old build or the new one, whole; then what was left is removed."""
    package, build = linear[0], tmp_path / "build"
    small = target_with(tmp_path, clock_mhz=200)
    command("compile", package, "-o", build, "-t", small)
    old = content(build)
    command("compile", package, "-o", tmp_path / "other")
    new = content(tmp_path / "other")
    assert old != new
    rng = random.Random(3)
    start = time.monotonic()
    command("compile", package, "-o", tmp_path / "other")
    whole = time.monotonic() - start
    for _ in range(20):
        p = subprocess.Popen([COMMAND, "compile", package, "-o", build],
                             stderr=subprocess.DEVNULL)
        time.sleep(whole * rng.uniform(0.5, 1.1))
        p.send_signal(signal.SIGKILL)
        p.wait()
        assert content(build) in (old, new)
        assert command("check", build).stdout.splitlines()[-1].startswith(
            "ok:")
    left = tmp_path / f"build.tmp-{p.pid}-0"
    left.mkdir(exist_ok=True)
    (left / "design.st").write_text("")
    (tmp_path / "build.tmp-notes").mkdir()
    running = tmp_path / f"build.tmp-{os.getpid()}-0"
    running.mkdir()
    command("compile", package, "-o", build)
    assert content(build) == new
    assert {n for n in os.listdir(tmp_path) if ".tmp-" in n} == {
        "build.tmp-notes", running.name}


def test_interrupted(stories):
    """Ctrl-C: the status says so, without a traceback."""
    p = subprocess.Popen([COMMAND, "generate", stories[2], "--tokens", "1",
                          "-n", "512"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    p.stdout.read(4)
    p.send_signal(signal.SIGINT)
    _, messages = p.communicate(timeout=60)
    assert p.returncode == 130
    assert b"Traceback" not in messages and b"interrupted" in messages


def test_reader_gone(stories):
    p = subprocess.Popen([COMMAND, "generate", stories[2], "--tokens", "1",
                          "-n", "200"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    p.stdout.read(4)
    p.stdout.close()
    messages = p.stderr.read()
    p.wait(timeout=60)
    assert p.returncode == 0 and b"Traceback" not in messages


def test_exports_leave_nothing_stale(modules, tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f"pkg.tmp-{ended.pid}-0").mkdir()
    (tmp_path / "pkg.tmp-mine").mkdir()
    for _ in range(2):
        exporter.export_module(f"{modules}:linear", str(tmp_path / "pkg"))
    assert sorted(os.listdir(tmp_path)) == ["pkg", "pkg.tmp-mine"]
