"""Integer products: against the formulas of doc/quantisation.md in NumPy, and
device against device."""

import json
import os
import re

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import modules
import gguf_files
from streamtensor import Session
from streamtensor import export as exporter

SCHEMES = [("w4a8", 4, 128), ("w4a8:32", 4, 32), ("w8a8:16", 8, 16)]


def product(x, codes, scales, mins=None):
    """y[m, n] of x [m, k], codes [n, k/g, g], scales and mins [n, k/g]."""
    n, groups, size = codes.shape
    x = x.reshape(-1, groups, size).astype(np.float32)
    a = np.abs(x).max(-1)
    inverse = np.float32(127) / np.maximum(a, np.float32(2.0 ** -100))
    q = np.rint(x * inverse[..., None])
    dot = np.einsum("mjg,njg->mnj", q, codes.astype(np.float64))
    dot *= scales
    if mins is not None:
        dot += np.einsum("mjg,nj->mnj", q, mins.astype(np.float64))
    return np.einsum("mnj,mj->mn", dot,
                     (a * np.float32(1 / 127)).astype(np.float64))


def spec(name):
    return f"{os.path.splitext(modules.__file__)[0]}.py:{name}"


def run_module(command, tmp_path, name, scheme, inputs, device="sim"):
    package, out = tmp_path / "pkg", tmp_path / "build"
    if not package.exists():
        exporter.export_module(spec(name), str(package))
    command("compile", package, "-o", out, "-q", scheme)
    save_file({f"input{i}": t.numpy() for i, t in enumerate(inputs)},
              tmp_path / "in")
    command("run", out, "--in", tmp_path / "in", "--out", tmp_path / "out",
            "--device", device)
    return load_file(tmp_path / "out"), load_file(out / "weights.safetensors")


@pytest.mark.parametrize("scheme,bits,group", SCHEMES)
def test_linear_layers_follow_the_formulas(command, tmp_path, scheme, bits,
                                           group):
    model, inputs = modules.ACCEPTED["two_linear"]()
    got, weights = run_module(command, tmp_path, "two_linear", scheme, inputs)
    y = inputs[0].numpy()
    for layer in ("0", "2"):
        codes = weights[f"{layer}.weight.codes"]
        scales = weights[f"{layer}.weight.scales"]
        k = codes.shape[1] * codes.shape[2]
        assert k % codes.shape[2] == 0 and codes.shape[2] <= group
        assert codes.min() >= -2 ** (bits - 1) and \
            codes.max() < 2 ** (bits - 1)
        w = dict(model.named_parameters())[f"{layer}.weight"].detach().numpy()
        near = (codes * scales[..., None].astype(np.float32)).reshape(w.shape)
        top = np.abs(w.reshape(codes.shape)).max(-1)
        step = 2 * top / (2 ** bits - 2)
        assert (np.abs(near - w).reshape(codes.shape) <=
                1.3 * step[..., None]).all()
        y = product(y, codes, scales) + \
            dict(model.named_parameters())[f"{layer}.bias"].detach().numpy()
        y = np.maximum(y, 0) if layer == "0" else y
    scale = np.abs(y).max()
    assert np.abs(got["output"] - y).max() <= 1e-5 * scale


def test_minimums_and_schemes_by_name(command, tmp_path):
    """4 bits with minimums, but for one layer: 8 bits with them."""
    model, inputs = modules.ACCEPTED["two_linear"]()
    scheme = "w4a8:32:min,2.*=w8a8:16:min,*.bias=f32"
    p = command("compile", "x", "-o", tmp_path / "no", "-q", "w4a8,2.*=w5a8",
                status=1)
    assert "there is no quantisation '2.*=w5a8'" in p.stderr
    assert "w4a8,lm_head.*=w8a8" in p.stderr
    exporter.export_module(spec("two_linear"), str(tmp_path / "pkg"))
    p = command("compile", tmp_path / "pkg", "-o", tmp_path / "no", "-q",
                scheme, status=1)
    assert "no parameter that is multiplied with is called '*.bias'" in p.stderr
    assert "there are 0.weight, 2.weight" in p.stderr
    got, weights = run_module(command, tmp_path, "two_linear",
                              scheme[:scheme.rindex(",")], inputs)
    mine = dict(model.named_parameters())
    y = inputs[0].numpy()
    for layer, bits in ("0", 4), ("2", 8):
        codes, scales, mins = (weights[f"{layer}.weight.{n}"]
                               for n in ("codes", "scales", "mins"))
        codes = codes & 15 if bits == 4 else codes
        near = codes * scales[..., None].astype(np.float32) + mins[..., None]
        w = mine[f"{layer}.weight"].detach().numpy().reshape(codes.shape)
        step = (w.max(-1) - w.min(-1)) / (2 ** bits - 1)
        assert (np.abs(near - w) <= 1.5 * step[..., None]).all()
        y = product(y, codes, scales, mins) + \
            mine[f"{layer}.bias"].detach().numpy()
        y = np.maximum(y, 0) if layer == "0" else y
    assert np.abs(got["output"] - y).max() <= 1e-5 * np.abs(y).max()
    _, weights = run_module(command, tmp_path, "two_linear", "f32,0.*=w4a8",
                            inputs)
    assert set(weights) == {"0.weight.codes", "0.weight.scales"}


@pytest.mark.parametrize("family,scheme", [
    ("gpt2", "w4a8:32"), ("gemma3", "w4a8:min,*embed*=w8a8")])
def test_devices_agree_bit_for_bit(command, tiny, tmp_path, family, scheme):
    """Tied and untied embeddings, transposed weights, windows."""
    out = tmp_path / "build"
    command("compile", tiny(family)[1], "-o", out, "-q", scheme)
    assert command("check", out).stdout.splitlines()[-1].startswith("ok:")
    prompt = ",".join(str(3 * i % 90) for i in range(19))
    tokens, logits = {}, {}
    devices = ("sim", "interp", "hls")[:3 if family == "gpt2" else 2]
    for device in devices:
        p = command("generate", out, "--tokens", prompt, "-n", 6, "--device",
                    device, "--logits", tmp_path / device, "--json")
        tokens[device] = json.loads(p.stdout)["tokens"]
        logits[device] = load_file(tmp_path / device)["logits"].tobytes()
    assert all(logits[d] == logits["sim"] for d in devices)
    assert all(tokens[d] == tokens["sim"] for d in devices)


def test_a_grid_of_the_package_is_kept(command, tmp_path):
    """Its codes, scales and minimums are used as they are, whatever -q says;
    the other layer follows -q."""
    model, inputs = modules.ACCEPTED["two_linear"]()
    package, out = tmp_path / "pkg", tmp_path / "build"
    exporter.export_module(spec("two_linear"), str(package))
    rng = np.random.default_rng(5)
    own = {"0.weight.codes": rng.integers(-8, 8, (48, 2, 32), np.int8),
           "0.weight.scales": rng.normal(size=(48, 2)).astype(np.float16),
           "0.weight.mins": rng.normal(size=(48, 2)).astype(np.float16)}
    save_file({**load_file(package / "weights.safetensors"), **own},
              package / "weights.safetensors")
    description = json.loads((package / "model.json").read_text())
    port = next(p for p in description["arguments"]
                if p["name"] == "0.weight")
    port["grid"] = {"bits": 4, "group": 32, "axis": 1, "mins": True}
    (package / "model.json").write_text(json.dumps(description))
    got, weights = run_module(command, tmp_path, "two_linear", "w8a8:16",
                              inputs)
    assert set(weights) == {"2.weight.codes", "2.weight.scales"}
    bias = {n: t.detach().numpy() for n, t in model.named_parameters()}
    y = product(inputs[0].numpy(), own["0.weight.codes"] & 15,
                own["0.weight.scales"], own["0.weight.mins"])
    y = np.maximum(y + bias["0.bias"], 0)
    y = product(y, weights["2.weight.codes"], weights["2.weight.scales"]) + \
        bias["2.bias"]
    assert np.abs(got["output"] - y).max() <= 1e-5 * np.abs(y).max()
    own["0.weight.codes"][3, 1, 5] = 15
    save_file({**load_file(package / "weights.safetensors"), **own},
              package / "weights.safetensors")
    p = command("run", out, "--in", tmp_path / "in", "--out",
                tmp_path / "out", status=1)
    assert "'0.weight.codes' has codes beyond 4 bits" in p.stderr
    assert "export the model again" in p.stderr


def test_a_gguf_file_keeps_its_grids(command, tmp_path):
    """Minimums in products and in looked up rows, mixed types: the same bits on
    all devices, and nothing lost but the rounding of activations."""
    checkpoint, package, out = (tmp_path / n for n in ("hf", "pkg", "build"))
    checkpoint.mkdir()
    gguf_files.write(checkpoint / "m.gguf", gguf_files.llama(), {
        "attn_v": gguf_files.Type.Q8_0, "ffn_down": gguf_files.Type.Q4_0,
        "": gguf_files.Type.Q4_1})
    exporter.export_causal_lm(str(checkpoint), str(package), chunk=8)
    command("compile", package, "-o", out, "-q", "w4a8")
    assert not (out / "weights.safetensors").exists()
    assert command("check", out).stdout.splitlines()[-1].startswith("ok:")
    ids = [7 * i % gguf_files.VOCAB for i in range(21)]
    logits = {}
    for device in "sim", "interp", "hls":
        with Session(str(out), device) as s:
            logits[device] = [s.step(ids[at:at + 8]).logits
                              for at in range(0, 21, 8)]
        assert all(np.array_equal(a, b) for a, b in
                   zip(logits[device], logits["sim"])), device
    model = exporter.load_model(str(checkpoint))
    with torch.no_grad():
        want = model(torch.tensor([ids])).logits[0]
    for at, got in zip((7, 15, 20), logits["sim"]):
        p, q = (torch.log_softmax(x, -1)
                for x in (want[at], torch.tensor(got)))
        assert (p.exp() * (p - q)).sum() < 2e-3


def build_of(command, directory, package, *options):
    out = directory / "-".join(("build", *options))
    command("compile", package, "-o", out, *options)
    return out


def logits_of(command, build, tokens, device="sim"):
    path = build.parent / "logits"
    command("generate", build, "--tokens", ",".join(map(str, tokens)), "-n", 3,
            "--device", device, "--logits", path)
    return load_file(path)["logits"]


@pytest.mark.parametrize("family,kv", [
    ("gpt2", "int8"), ("gpt2", "f16"), ("gemma2", "int8"), ("gpt_neo", "int8"),
    ("falcon", "int8")])
def test_caches_in_fewer_bits(command, tiny, tmp_path, family, kv):
    """Near f32 caches, device as device: plain attention, windows and groups
    of heads, masks from a table, one head of keys."""
    tokens = [3 * i % 90 for i in range(19)]
    package = tiny(family)[1]
    plain = build_of(command, tmp_path, package, "--kv", "f32")
    out = build_of(command, tmp_path, package, "--kv", kv)
    assert command("check", out).stdout.splitlines()[-1].startswith("ok:")
    want = logits_of(command, plain, tokens)
    got = logits_of(command, out, tokens)
    devices = ("interp", "hls")[:2 if family == "gpt2" else 1]
    for device in devices:
        assert logits_of(command, out, tokens, device).tobytes() == \
            got.tobytes()
    scale = np.abs(want[0]).max()
    assert 0 < np.abs(got[0] - want[0]).max() < \
        (0.1 if kv == "int8" else 0.002) * scale
    text = (out / "design.st").read_text()
    assert "argument cache f32" not in text
    code = "i8" if kv == "int8" else "f16"
    assert text.count(f"argument cache {code}") >= \
        (plain / "design.st").read_text().count("argument cache f32")


def test_what_a_token_sees_of_itself(command, tiny, tmp_path):
    """Rows are rounded before the step that makes them uses them: a prompt in
    chunks and one token a step differ by far less than what rounding does."""
    package = tiny("llama")[1]
    plain = build_of(command, tmp_path, package, "--kv", "f32")
    out = build_of(command, tmp_path, package, "--kv", "int8")
    tokens = [3 * i % 90 for i in range(16)]
    with Session(str(out)) as s:
        chunks = [s.step(tokens[i:i + 8]).logits for i in (0, 8)][-1]
        s.reset()
        single = [s.step([t]).logits for t in tokens][-1]
    far = np.abs(logits_of(command, plain, tokens)[0] - chunks).max()
    assert np.abs(chunks - single).max() < far / 100


def test_default_caches(command, tiny, tmp_path):
    for scheme, kv in ("f32", "f32"), ("w8a8", "int8"):
        out = build_of(command, tmp_path, tiny("llama")[1], "-q", scheme)
        assert json.loads((out / "build.json").read_text())["kv"] == kv
        text = command("report", out).stdout
        assert re.search(rf"caches\W+{kv}\b", text)


def test_unknown_caches_are_refused(command, stories, tmp_path):
    p = command("compile", stories[1], "-o", tmp_path / "b", "--kv", "int4",
                status=1)
    assert "there is no type of caches 'int4'" in p.stderr
    assert "use f32, f16 or int8" in p.stderr
    assert not (tmp_path / "b").exists()


def test_stories_stay_near(stories, command, tmp_path):
    """Eight bits everywhere change a trained model's logits little."""
    checkpoint, package, plain = stories
    out = tmp_path / "build"
    command("compile", package, "-o", out, "-q", "w8a8:32")
    logits = []
    for b in plain, out:
        command("generate", b, "--tokens", "1,403,407,261,378", "-n", 1,
                "--logits", tmp_path / "logits")
        logits.append(load_file(tmp_path / "logits")["logits"][0])
    p, q = (torch.log_softmax(torch.tensor(x), -1) for x in logits)
    assert (p.exp() * (p - q)).sum() < 1e-3


@pytest.mark.parametrize("scheme", ["w4", "w4a8:", "w4a8:8", "w4a8:x",
                                    "f32:32", "w4a8:2048", ""])
def test_unknown_schemes_are_refused(command, stories, tmp_path, scheme):
    p = command("compile", stories[1], "-o", tmp_path / "b", "-q", scheme,
                status=1)
    assert f"there is no quantisation '{scheme}'" in p.stderr
    assert "w4a8" in p.stderr and not (tmp_path / "b").exists()


def test_missing_and_broken_codes(command, stories, tmp_path):
    out = tmp_path / "build"
    command("compile", stories[1], "-o", out, "-q", "w4a8")
    weights = load_file(out / "weights.safetensors")
    name = next(n for n in weights if n.endswith(".codes"))
    bad = dict(weights, **{name: weights[name] + 100})
    save_file(bad, out / "weights.safetensors")
    p = command("generate", out, "--tokens", "1", "-n", 1, status=1)
    assert f"parameter '{name}' has codes beyond 4 bits" in p.stderr
    (out / "weights.safetensors").unlink()
    p = command("generate", out, "--tokens", "1", "-n", 1, status=1)
    assert f"parameter '{name}' is in neither" in p.stderr
