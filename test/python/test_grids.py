"""Grids of checkpoints: found by value, and exact."""

import os
import sys

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Type

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "python"), HERE]

import gguf_files  # noqa: E402
from streamtensor import export as exporter  # noqa: E402
from streamtensor import grids  # noqa: E402

KINDS = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]


def random(*shape):
    return np.random.default_rng(3).normal(size=shape).astype(np.float32) * \
        np.linspace(0.1, 3, shape[-1], dtype=np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_are_what_gguf_says(kind):
    data = gguf.quants.quantize(random(5, 96), Type[kind])
    grid = grids.unpack(kind, data)
    assert grid.codes.shape == (5, 3, 32) and grid.scales.shape == (5, 3)
    assert (grid.mins is not None) == kind.endswith("1")
    assert grid.codes.min() >= -2 ** (grid.bits - 1)
    assert grid.codes.max() < 2 ** (grid.bits - 1)
    assert np.array_equal(grid.weights(),
                          gguf.quants.dequantize(data, Type[kind]))


def test_every_matrix_of_a_file_is_found(tmp_path):
    """Whatever transformers did to it; also if types differ."""
    path = tmp_path / "m.gguf"
    gguf_files.write(path, gguf_files.llama(), {
        "token_embd": Type.Q8_0, "attn_v": Type.Q8_0, "ffn_down": Type.Q4_0,
        "attn_q": Type.Q5_1, "attn_output": Type.Q5_0, "": Type.Q4_1})
    model = exporter.load_model(str(tmp_path))
    params = dict(model.named_parameters())
    found, unused = grids.from_gguf(path, params)
    assert not unused
    assert set(found) == {n for n, t in params.items() if t.dim() == 2}
    for name, grid in found.items():
        assert np.array_equal(grid.weights(), params[name].detach().numpy())
        assert grid.describe()["group"] == 32
    assert found["model.layers.1.mlp.up_proj.weight"].describe() == {
        "bits": 4, "group": 32, "axis": 1, "mins": True}
    assert found["model.embed_tokens.weight"].describe() == {
        "bits": 8, "group": 32, "axis": 1, "mins": False}


def test_other_orders_are_found_and_other_values_are_not(tmp_path):
    """Transposed, cut and stacked matrices; one that was changed; a type that
    has no such grid."""
    path = tmp_path / "m.gguf"
    gguf_files.write(path, gguf_files.llama(), {"token": Type.Q4_1})
    w = torch.tensor(grids.unpack("Q4_1", gguf.GGUFReader(path).tensors[
        0].data).weights())
    params = {"transposed": w.t().contiguous(), "cut": w[7:30].contiguous(),
              "stacked": torch.stack([w[:20], w[20:40].flip(0)]),
              "changed": w + 1e-7, "narrow": w[:, :16].contiguous(),
              "half": w.half()}
    found, unused = grids.from_gguf(path, params)
    assert set(found) == {"transposed", "cut", "stacked"} and not unused
    assert found["transposed"].axis == 0 and found["stacked"].axis == 2
    for name in found:
        assert np.array_equal(found[name].weights(), params[name].numpy())
    assert grids.from_gguf(path, {"changed": w + 1})[1] == {
        "token_embd.weight": "Q4_1"}
