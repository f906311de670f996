"""Rounding on calibration text: what comes out lies on a grid and is nearer to
the model than plain rounding; tuning comes nearer still."""

import os
import sys

import numpy as np
import pytest
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "python"), HERE]

import tiny_models  # noqa: E402
from streamtensor import calibrate, export  # noqa: E402
from streamtensor.errors import ExportError  # noqa: E402
from streamtensor.grids import Grid  # noqa: E402

SMALL = dict(windows=8, window=24, group=16)


def sharpened(family, path):
    """A tiny model whose logits are far from even."""
    model = export.load_model(tiny_models.save(family, str(path)))
    with torch.no_grad():
        for t in model.parameters():
            if t.dim() == 2:
                t.mul_(8)
    return model


def divergence(model, grids, ids):
    weights = {n: torch.tensor(np.ascontiguousarray(g.weights()))
               for n, g in grids.items()}
    with torch.no_grad():
        p = torch.log_softmax(model(ids).logits, -1)
        q = torch.log_softmax(torch.func.functional_call(
            model, weights, (ids,)).logits, -1)
    return float((p.exp() * (p - q)).sum(-1).mean())


def plain(grid, weights):
    """The same grid with every group rounded for itself."""
    w = torch.tensor(np.moveaxis(weights, grid.axis, -1).copy())
    parts = w.reshape(*w.shape[:-1], *grid.codes.shape[-2:])
    codes, scales, mins = [], [], []
    for j in range(parts.shape[1]):
        s, m = calibrate._numbers(parts[:, j].double(),
                                  torch.ones(parts.shape[2]), grid.bits)
        m = torch.zeros_like(s) if m is None else m
        q = torch.round((parts[:, j] - m[:, None]) / s[:, None])
        codes.append(q.clamp(*((-127, 127) if grid.bits == 8 else (0, 15))))
        scales.append(s)
        mins.append(m)
    codes = torch.stack(codes, 1).numpy().astype(np.int16)
    return grid._replace(
        codes=(codes if grid.bits == 8 else (codes ^ 8) - 8).astype(np.int8),
        scales=torch.stack(scales, 1).half().numpy(),
        mins=None if grid.bits == 8 else torch.stack(mins, 1).half().numpy())


@pytest.mark.parametrize("family,axis", [("gpt2", 0), ("llama", 1)])
def test_rounding_and_tuning(family, axis, tmp_path):
    model = sharpened(family, tmp_path)
    options = calibrate.Options(**SMALL)
    ids = calibrate.sample(model, options, 1)
    assert ids.shape == (8, 24)
    grids = calibrate.calibrate(model, ids, options, lambda text: None)
    again = calibrate.calibrate(model, ids, options, lambda text: None)
    params = dict(model.named_parameters())
    tables = calibrate._tables(model)
    for name, g in grids.items():
        assert np.array_equal(g.weights(), again[name].weights())
        assert g.weights().shape == tuple(params[name].shape)
        assert g.bits == (8 if name in tables else 4)
        assert (g.mins is None) == (g.bits == 8)
        assert np.abs(g.codes.astype(int)).max() <= 2 ** (g.bits - 1)
    assert any(g.axis == axis for g in grids.values())
    rounded = {n: plain(g, params[n].detach().numpy())
               for n, g in grids.items()}
    own = divergence(model, grids, ids)
    assert own < divergence(model, rounded, ids)
    tuned = calibrate.calibrate(
        model, ids, options._replace(steps=60), lambda text: None)
    assert divergence(model, tuned, ids) < 0.8 * own


def test_bits_of_a_weight():
    """4 bits, a scale and a minimum for 32; 8 bits and a scale for 16."""
    def grid(bits, n, group, mins):
        numbers = np.zeros(n // group, np.float16)
        return Grid(bits, 0, np.zeros((n // group, group), np.int8), numbers,
                    numbers if mins else None)

    narrow, wide = grid(4, 3200, 32, True), grid(8, 3200, 16, False)
    assert calibrate.bits_of([narrow]) == 5
    assert calibrate.bits_of([narrow, wide]) == 7


def test_groups_divide_what_they_group():
    assert [calibrate.group_of(n, 32) for n in (64, 96, 172, 48, 7, 641)] == [
        32, 32, 43, 24, 7, 641]


def test_short_texts_are_refused():
    options = calibrate.Options(**SMALL)
    with pytest.raises(ExportError, match="10 tokens of text are fewer than "
                                          "a window of 24"):
        calibrate.cut(list(range(10)), options)
    assert calibrate.cut(list(range(1000)), options).shape == (8, 24)
