"""Sizes as sums of T and P, lookups at stored positions as slices."""

import os
import sys

import pytest
import torch

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "python"))

from streamtensor import lower, sizes  # noqa: E402

CHUNK, CTX = 8, 64
aten = torch.ops.aten


class Function(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


def inputs(T, P):
    generator = torch.Generator().manual_seed(T + 100 * P)
    return tuple(torch.randn(n, 4, generator=generator)
                 for n in (T, P, CTX))


def exported(function):
    T = torch.export.Dim("T", min=1, max=CHUNK)
    P = torch.export.Dim("P", min=0, max=CTX)
    return lower.export(Function(function), inputs(5, 7),
                        {"args": ({0: T}, {0: P}, {})})


def last_rows(x, past, table):
    """At most so many rows of the table, from its end."""
    n = x.shape[0] + past.shape[0]
    return table[max(0, CTX - n):] + torch.cat([past, x])


def one_row(x, past, table):
    return table[:1, min(0, x.shape[0] - 1):4] + x


@pytest.mark.parametrize("function", [last_rows, one_row])
def test_linear(function):
    """The same values, and only sums and multiples of T and P."""
    program = exported(function)
    sizes.rewrite(program, CHUNK, CTX)
    for node in program.graph.nodes:
        value = node.meta.get("val")
        shape = value.shape if isinstance(value, torch.Tensor) else [value]
        for size in shape:
            assert "Max" not in str(size) and "Min" not in str(size)
        assert "sym_m" not in str(node.target)
    for T, P in sizes.corners(CHUNK, CTX):
        args = inputs(T, P)
        (got,) = lower.run(program, args)
        assert torch.equal(got, function(*args)), (T, P)


def test_views_say_their_sizes():
    program = exported(
        lambda x, past, table: torch.matmul(
            x, torch.cat([past, x]).T).view(1, x.shape[0], -1))
    sizes.rewrite(program, CHUNK, CTX)
    views = [n for n in program.graph.nodes if n.target in sizes.VIEWS]
    assert views and all(-1 not in n.args[1] for n in views)


def test_what_may_be_greater_stays():
    """Neither of T and P is always the greater."""
    program = exported(lambda x, past, table: table[max(
        x.shape[0], past.shape[0]):].sum(0))
    sizes.rewrite(program, CHUNK, CTX)
    assert any("sym_max" in str(n.target) for n in program.graph.nodes)


@pytest.mark.parametrize("index, dim, sliced", [
    ([-2], 1, True), ([0, 1, 3], 1, True), ([3, 0, 2], 1, True),
    ([5, 6, 7, 9], 0, True), (list(range(0, 64, 2)), 0, False)])
def test_stored_positions(index, dim, sliced):
    x = torch.randn(64, 4)
    module = Function(lambda x: x[(slice(None),) * dim + (index,)] + 1)
    program = lower.export(module, (x,))
    found = any(n.target is aten.index.Tensor for n in program.graph.nodes)
    assert found != sliced
    assert torch.equal(lower.run(program, (x,))[0]
                       if sliced else module(x), module(x))
