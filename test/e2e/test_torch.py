"""Modules from PyTorch without a command: compile(), torch.compile, and what
stays with PyTorch."""

import logging
import os

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM

import streamtensor
import tiny_models
from streamtensor import Error, dynamo, module


@pytest.fixture
def calls(monkeypatch):
    """Counts what the card is asked for, from now on."""
    made = []
    run = module.CompiledModule.__call__
    monkeypatch.setattr(module.CompiledModule, "__call__",
                        lambda self, *x: made.append(x) or run(self, *x))
    return made


@pytest.fixture(autouse=True)
def fresh():
    torch.manual_seed(0)
    torch._dynamo.reset()


def told(caplog):
    return [r.getMessage() for r in caplog.records
            if r.name == dynamo.log.name]


def close(a, b):
    return torch.allclose(a, b, rtol=1e-5, atol=1e-5)


class Middle(nn.Module):
    """Two matrix products with something between."""

    def __init__(self, function):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
        self.function = function

    def forward(self, x):
        y = torch.relu(self.a(x))
        return self.b(self.function(y)) + y


# ---- compile --------------------------------------------------------------


def test_compile_a_module(tmp_path):
    model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))
    x = torch.randn(2, 8)
    built = streamtensor.compile(model, (x,), build=str(tmp_path / "b"))
    for _ in range(2):
        x = torch.randn(2, 8)
        assert close(built(x), model(x))
        assert built.cycles > 0 and built.bytes > 0
    assert (tmp_path / "b" / "design.st").exists()
    with pytest.raises(Error, match=r"compiled for float32 \[2, 8\], not for "
                                    r"float32 \[3, 8\]"):
        built(torch.randn(3, 8))
    built.close()
    assert not os.path.exists(built._directory)


def test_nested_inputs_and_results():
    def function(pair, scale):
        return {"sum": pair[0] + pair[1] * scale, "none": None,
                "more": [pair[0].amax()]}

    pair = (torch.randn(3), torch.randn(3))
    built = streamtensor.compile(function, (pair, 2))
    got, want = built(pair, 2), function(pair, 2)
    assert got["none"] is None and close(got["sum"], want["sum"])
    assert torch.equal(got["more"][0], want["more"][0])
    with pytest.raises(Error, match="compiled for"):
        built(pair, 3)


def test_compile_refuses():
    with pytest.raises(Error, match="sort is not supported"):
        streamtensor.compile(lambda x: x.sort(-1)[0], (torch.randn(4),))


# ---- torch.compile --------------------------------------------------------


@pytest.mark.parametrize("name,lengths", [("gpt2", (6, 6, 7, 7)),
                                          ("llama", (6, 6))])
def test_a_language_model(name, lengths, calls, caplog):
    model = AutoModelForCausalLM.from_config(
        tiny_models.FAMILIES[name]()).eval()
    built = torch.compile(model, backend=streamtensor.backend)
    for n in lengths:  # the second length is a dynamic one to Dynamo
        ids = torch.randint(0, 96, (1, n))
        with torch.no_grad():
            got, want = built(ids), model(ids)
        assert (got.logits - want.logits).abs().max() <= 1e-4
    assert len(calls) == len(lengths) and not told(caplog)


def test_a_call_that_is_not_supported(calls, caplog):
    model = Middle(lambda y: y.sort(-1)[0]).eval()
    built = torch.compile(model, backend=streamtensor.backend)
    with torch.no_grad():
        built(torch.randn(4, 8))
        before = len(calls)
        x = torch.randn(4, 8)
        assert close(built(x), model(x))
    assert len(calls) == before + 2  # a part on each side
    text, = told(caplog)
    assert "test_torch.py:" in text and "Tensor.sort runs in PyTorch: " \
        "tm_tensor.sort is not supported" in text


@pytest.mark.parametrize("function,message", [
    (lambda y: y.add_(1), "writes to its arguments"),
    (torch.fft.fft, "fft"),
    (lambda y: y + torch.rand_like(y), "rand_like runs in PyTorch")])
def test_all_or_some_in_pytorch(function, message, caplog):
    """Whatever cannot be on the card has PyTorch's results."""
    model = Middle(lambda y: function(y * y + y.sort(-1)[0]).real).eval()
    built = torch.compile(model, backend=streamtensor.backend)
    x = torch.randn(4, 8)
    with torch.no_grad():
        for _ in range(2):
            torch.manual_seed(1)
            got = built(x)
            torch.manual_seed(1)
            assert close(got, model(x))
    assert message in "".join(told(caplog))


def test_inputs_that_are_written_to(caplog):
    def function(x):
        return x.mul_(2).sum()

    built = torch.compile(function, backend=streamtensor.backend)
    x = torch.ones(4)
    assert built(x) == 8 and built(x) == 16
    assert "inputs are written to" in "".join(told(caplog))


def test_parameters_that_change(calls):
    model = nn.Linear(8, 8).eval()
    built = torch.compile(model, backend=streamtensor.backend)
    x = torch.randn(4, 8)
    with torch.no_grad():
        for _ in range(3):
            assert close(built(x), model(x))
            assert close(built(x), model(x))
            model.weight.mul_(2)
    assert len(calls) == 6


def test_gradients(caplog):
    model = nn.Linear(8, 8)
    built = torch.compile(model, backend=streamtensor.backend)
    x = torch.randn(4, 8)
    built(x).sum().backward()
    assert close(model.weight.grad, x.sum(0).expand(8, 8))
    assert "gradients are wanted; call it under torch.no_grad()" in "".join(
        told(caplog))


def test_options(calls):
    model = nn.Linear(32, 8).eval()
    x = torch.randn(4, 32)
    built = torch.compile(model, backend=streamtensor.backend,
                          options={"target": "kv260", "quantisation": "w8a8"})
    with torch.no_grad():
        assert (built(x) - model(x)).abs().max() < 0.1
        assert not torch.equal(built(x), model(x))
    with pytest.raises(Exception, match=r"there is no option \['tarhet'\]; "
                                        "there are target, quantisation"):
        torch.compile(model, backend=streamtensor.backend,
                      options={"tarhet": "kv260"})(x)
    assert dynamo.log.name == "streamtensor"


def test_logging_is_on_by_default():
    assert dynamo.log.getEffectiveLevel() <= logging.WARNING
