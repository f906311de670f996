"""Small modules of every kind: run on the simulator against PyTorch."""

import os

import pytest
import torch
from safetensors.torch import load_file, save_file

import modules
from streamtensor import export as exporter
from streamtensor.errors import ExportError


def spec(name):
    return f"{os.path.splitext(modules.__file__)[0]}.py:{name}"


def by_name(y):
    """What a module returns, as its package names the results."""
    if isinstance(y, torch.Tensor):
        return {"output": y}
    if isinstance(y, dict):
        return y
    return {f"output{i}": v for i, v in enumerate(y)}


@pytest.mark.parametrize("name", modules.ACCEPTED)
def test_agrees(name, tmp_path, command):
    package, build = tmp_path / "pkg", tmp_path / "build"
    exporter.export_module(spec(name), str(package))
    command("coverage", package)
    command("compile", package, "-o", build)
    model, inputs = modules.ACCEPTED[name]()
    save_file({f"input{i}": t.clone().contiguous()
               for i, t in enumerate(inputs)}, tmp_path / "in")
    command("run", build, "--in", tmp_path / "in", "--out", tmp_path / "out")
    got = load_file(tmp_path / "out")
    with torch.no_grad():
        want = by_name(model.eval()(*inputs))
    assert sorted(got) == sorted(want)
    for key, y in want.items():
        assert got[key].shape == y.shape and got[key].dtype == y.dtype
        if y.is_floating_point():
            scale = max(y.abs().max().item(), 1e-30)
            worst = (got[key] - y).abs().max().item()
            assert worst <= 1e-5 * scale, (key, worst, scale)
        else:
            assert torch.equal(got[key], y), key


@pytest.mark.parametrize("name", modules.REFUSED)
def test_refused(name, tmp_path, command):
    """By export or by compile, in a located message."""
    package = tmp_path / "pkg"
    try:
        exporter.export_module(spec(name), str(package))
    except ExportError as e:
        assert ".py" in str(e)
        return
    command("coverage", package, status=1)
    p = command("compile", package, "-o", tmp_path / "build", status=1)
    assert ".py:" in p.stderr and "error:" in p.stderr, p.stderr


@pytest.mark.parametrize("device", ["sim", "interp", "hls"])
def test_lookups(device, tmp_path, command):
    """In any dim of a table; zeros outside of it (doc/machine.md)."""
    package, build = tmp_path / "pkg", tmp_path / "build"
    exporter.export_module(spec("lookups"), str(package))
    command("compile", package, "-o", build)
    model, inputs = modules.ACCEPTED["lookups"]()
    for index in (inputs[0], torch.tensor([-9, 7])):
        save_file({"input0": index}, tmp_path / "in")
        command("run", build, "--in", tmp_path / "in", "--out",
                tmp_path / "out", "--device", device)
        got = load_file(tmp_path / "out")
        for key, y in by_name(model(inputs[0])).items():
            want = y if index is inputs[0] else torch.zeros_like(y)
            assert torch.equal(got[key], want), key
