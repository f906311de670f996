"""Choosing tokens: what may be chosen, how often, and the same again."""

import os
import sys

import numpy as np
import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..",
                                "python"))
from streamtensor import Error, Sampler  # noqa: E402

LOGITS = np.log(np.array([0.1, 0.4, 0.2, 0.3], dtype=np.float32))


@pytest.mark.parametrize("options,want", [
    ({}, [0, 1, 0, 0]),
    ({"temperature": 1}, [0.1, 0.4, 0.2, 0.3]),
    ({"temperature": 0.5}, [1 / 30, 16 / 30, 4 / 30, 9 / 30]),
    ({"temperature": 1, "top_k": 2}, [0, 4 / 7, 0, 3 / 7]),
    ({"temperature": 1, "top_k": 9}, [0.1, 0.4, 0.2, 0.3]),
    ({"temperature": 1, "top_p": 0.39}, [0, 1, 0, 0]),
    ({"temperature": 1, "top_p": 0.69}, [0, 4 / 7, 0, 3 / 7]),
    ({"temperature": 1, "top_p": 0.71}, [0, 4 / 9, 2 / 9, 3 / 9]),
    ({"temperature": 1, "top_k": 3, "top_p": 0.7}, [0, 4 / 7, 0, 3 / 7]),
    ({"temperature": 1e-30}, [0, 1, 0, 0]),
], ids=str)
def test_probabilities_and_frequencies(options, want):
    sampler = Sampler(seed=3, **options)
    np.testing.assert_allclose(sampler.probabilities(LOGITS), want, atol=1e-6)
    counts = np.bincount([sampler(LOGITS) for _ in range(4000)], minlength=4)
    np.testing.assert_allclose(counts / 4000, want, atol=0.03)
    assert all(counts[i] == 0 for i in range(4) if want[i] == 0)


def test_equal_logits_take_the_first():
    logits = np.zeros(5, dtype=np.float32)
    assert Sampler()(logits) == 0
    sampler = Sampler(temperature=1, top_k=2, seed=0)
    assert {sampler(logits) for _ in range(100)} == {0, 1}


def test_seed():
    logits = np.random.default_rng(0).normal(size=100).astype(np.float32)

    def tokens(seed):
        sampler = Sampler(temperature=1.5, seed=seed)
        return [sampler(logits) for _ in range(50)]

    assert tokens(1) == tokens(1) != tokens(2)
    assert tokens(None) != tokens(None)


@pytest.mark.parametrize("options,message", [
    ({"temperature": -1}, "temperature of -1"),
    ({"temperature": float("nan")}, "temperature of nan"),
    ({"temperature": float("inf")}, "temperature of inf"),
    ({"top_k": -1}, "top-k is -1"), ({"top_p": 0}, "top-p is 0"),
    ({"top_p": 1.1}, "top-p is 1.1"), ({"seed": -1}, "the seed is -1"),
], ids=str)
def test_refused(options, message):
    with pytest.raises(Error, match=message):
        Sampler(**options)
