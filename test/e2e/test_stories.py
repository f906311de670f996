"""A trained model: stories260K from its checkpoint to tokens on each device."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

BOS, TOKENS, STEPS = 1, 256, 24
DEVICES = "sim", "interp", "hls"
# "Once upon a time, there was a little girl named Lily." as the model says it.
BEGINNING = [403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395,
             317, 426]
PROMPT = [BOS] + BEGINNING + BEGINNING + BEGINNING[:4]  # 35: chunks 16, 16, 3


@pytest.fixture(scope="module")
def model(stories):
    return AutoModelForCausalLM.from_pretrained(stories[0])


def reference(model, prompt, n):
    """Greedy tokens by PyTorch, end of text or not."""
    ids = torch.tensor([prompt])
    out = model.generate(ids, attention_mask=torch.ones_like(ids),
                         do_sample=False, min_new_tokens=n, max_new_tokens=n,
                         eos_token_id=None)
    return out[0, len(prompt):].tolist()


def generate(command, build, prompt, n, device, logits):
    """The JSON of generate, and the logits of each token."""
    text = ",".join(map(str, prompt))
    p = command("generate", build, "--tokens", text, "-n", n, "--device",
                device, "--logits", logits, "--json")
    return json.loads(p.stdout), load_file(logits)["logits"]


def test_tokens_are_those_of_pytorch(model, stories, command, tmp_path):
    want = reference(model, [BOS], TOKENS)
    assert want[:len(BEGINNING)] == BEGINNING
    got, logits = generate(command, stories[2], [BOS], TOKENS, "sim",
                           tmp_path / "logits.safetensors")
    assert got["tokens"] == want
    with torch.no_grad():
        all_logits = model(torch.tensor([[BOS] + want[:-1]])).logits[0]
    assert np.abs(logits - all_logits.numpy()).max() < 1e-4


@pytest.mark.parametrize("prompt", [[BOS], PROMPT], ids=["bos", "chunks"])
def test_devices_agree_bit_for_bit(model, stories, command, tmp_path, prompt):
    want = reference(model, prompt, STEPS)
    logits = {}
    for device in DEVICES:
        got, logits[device] = generate(command, stories[2], prompt, STEPS,
                                       device, tmp_path / device)
        assert got["tokens"] == want, device
        assert logits[device].shape == (STEPS, model.config.vocab_size)
        chunks = -(-len(prompt) // 16)
        assert len(got["cycles"]) == chunks + STEPS - 1
        assert all((c > 0) == (device == "sim") for c in got["cycles"])
    for device in DEVICES[1:]:
        assert logits[device].tobytes() == logits["sim"].tobytes(), device


def test_timing_only_gives_the_same_cycles(stories, command, tmp_path):
    """Without values, and of a build that has no weights."""
    got = [json.loads(command("generate", stories[2], "--tokens", "1,403,407",
                              "-n", 5, "--json", *more).stdout)
           for more in ([], ["--timing-only"])]
    assert got[1]["cycles"] == got[0]["cycles"]
    assert got[1]["hbm_bytes"] == got[0]["hbm_bytes"]
    assert got[1]["tokens"] == []
