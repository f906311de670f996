"""A GGUF file as checkpoint: weights, tokenizer, tokens as PyTorch's."""

import os
import shutil

import torch

from conftest import ROOT
from streamtensor import Session
from streamtensor import export as exporter

DATA = os.path.join(ROOT, "test", "data", "tiny-random-llama-gguf")


def test_gguf(work, command):
    checkpoint = work / "gguf"
    checkpoint.mkdir()
    shutil.copy(os.path.join(DATA, "llama-2-tiny-random.gguf"), checkpoint)
    package, build = str(work / "gguf.pkg"), str(work / "gguf.build")
    exporter.export_causal_lm(str(checkpoint), package, chunk=8, ctx=64)
    command("compile", package, "-o", build)
    model = exporter.load_model(str(checkpoint))
    ids = [1, 15043, 3186]
    with Session(build) as session, torch.no_grad():
        step = session.step(ids)
        want = model(torch.tensor([ids]), use_cache=False).logits[0, -1]
    assert step.token == int(want.argmax())
    assert abs(step.logits - want.numpy()).max() < 1e-5
    text = command("generate", build, "--prompt", "Hello world", "-n", 4)
    assert "Hello world" in text.stdout
