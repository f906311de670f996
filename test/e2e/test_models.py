"""Families of language models: greedy tokens and logits against PyTorch.

Each is a tiny random model built from its configuration, exported, compiled
and run on the simulator, with a prompt within a chunk and one beyond chunk and
window.
"""

import os

import numpy as np
import pytest
import torch

import tiny_models
from streamtensor import Session
from streamtensor import export as exporter
from streamtensor.errors import ExportError

TOKENS = 20
PROMPTS = {"short": [1, 5, 17], "long": [1] + [(7 * i) % 90 + 3
                                               for i in range(20)]}


def reference(model, prompt):
    """Greedy tokens and their logits, by the model itself."""
    model.set_attn_implementation("eager")  # sdpa leaves soft caps out
    ids, logits = list(prompt), []
    with torch.no_grad():
        for _ in range(TOKENS):
            out = model(torch.tensor([ids]), use_cache=False).logits[0, -1]
            logits.append(out.numpy())
            ids.append(int(out.argmax()))
    return ids[len(prompt):], np.stack(logits)


@pytest.fixture(scope="session", params=sorted(tiny_models.FAMILIES))
def model(request, tiny, work, command):
    path, package = tiny(request.param)
    build = str(work / f"{request.param}.build")
    command("compile", package, "-o", build)
    return exporter.load_model(path), build


def test_families_vary():
    """A model that repeats one token would prove nothing."""
    for name in tiny_models.FAMILIES:
        for prompt in PROMPTS.values():
            tokens, _ = reference(tiny_models.build(name), prompt)
            assert len(set(tokens)) > 3, name


@pytest.mark.parametrize("prompt", sorted(PROMPTS))
def test_greedy_tokens(model, prompt):
    torch_model, build = model
    want, want_logits = reference(torch_model, PROMPTS[prompt])
    with Session(build) as session:
        steps = list(session.generate(PROMPTS[prompt], TOKENS))[-TOKENS:]
    assert [s.token for s in steps] == want
    got = np.stack([s.logits for s in steps])
    scale = max(1.0, float(np.abs(want_logits).max()))
    assert np.abs(got - want_logits).max() <= 1e-4 * scale


@pytest.mark.parametrize("name", sorted(tiny_models.REFUSED))
def test_refused(name, work):
    """A message at export, never a wrong package."""
    path = tiny_models.save(name, str(work))
    with pytest.raises(ExportError):
        exporter.export_causal_lm(path, path + ".pkg")
    assert not os.path.exists(path + ".pkg")


def test_certificate(model, command):
    assert command("check", model[1]).stdout.splitlines()[-1].startswith("ok:")
