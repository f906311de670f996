"""The exporter: what is in a package, what is refused, and that nothing is
made up."""

import json
import os
import re
import subprocess
import sys

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "python"), os.path.dirname(
    os.path.abspath(__file__))]
os.environ["HF_HUB_OFFLINE"] = "1"

import tiny_models  # noqa: E402
from streamtensor import export, lower, package, step  # noqa: E402
from streamtensor.errors import ExportError  # noqa: E402

UP = "model.layers.1.mlp.up_proj.weight"
KEYS = ["format", "version", "kind", "entry", "symbols", "arguments",
        "results", "weights", "vocab", "bos", "eos", "ctx", "chunk", "source"]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def llama(work):
    return tiny_models.save("llama", str(work))


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint to spoil."""
    return tiny_models.save("llama", str(tmp_path))


@pytest.fixture(scope="module")
def exported(llama, work):
    export.export_causal_lm(llama, work / "pkg", chunk=8, ctx=40)
    return work / "pkg"


def described(path):
    return json.loads((path / "model.json").read_text())


def rewrite(checkpoint, change):
    path = os.path.join(checkpoint, "model.safetensors")
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def set_config(checkpoint, **values):
    path = os.path.join(checkpoint, "config.json")
    with open(path) as f:
        config = json.load(f)
    with open(path, "w") as f:
        json.dump({**config, **values}, f)


def attached(model):
    attention = step.attach(model)
    return attention, step.state(model), step.Step(model, attention)


# ---- the package -----------------------------------------------------------


def test_description(exported):
    model = described(exported)
    assert list(model) == KEYS
    assert model["kind"] == "causal-lm"
    assert model["symbols"] == {"T": {"min": 1, "max": 8},
                                "P": {"min": 0, "max": 40}}
    assert (model["ctx"], model["chunk"], model["vocab"]) == (40, 8, 96)
    assert (model["bos"], model["eos"]) == (1, [2])
    roles = [a["role"] for a in model["arguments"]]
    split = roles.index("tokens")
    assert set(roles[:split]) == {"param"}
    assert roles[split:] == ["tokens", "position"] + ["cache"] * 6
    caches = [(a["layer"], a["which"], a["shape"])
              for a in model["arguments"] if a["role"] == "cache"]
    assert caches == [(i, w, [1, 2, "P", 8])
                      for i in range(3) for w in "kv"]
    logits, *rows = model["results"]
    assert (logits["role"], logits["shape"]) == ("logits", [1, 96])
    assert [(r["argument"], r["axis"], r["shape"]) for r in rows] == [
        (split + 2 + i, 2, [1, 2, "T", 8]) for i in range(6)]


def test_arguments_are_those_of_the_function(exported):
    """Number, order and types, in the text and in the description."""
    text = (exported / "model.mlir").read_text()
    line = re.search(r"func\.func @step\((.*)\) -> \((.*)\) \{", text)
    types = [re.findall(r"tensor<([^>]*)>", part) for part in line.groups()]

    def of(port):
        dims = ["?" if isinstance(n, str) else str(n) for n in port["shape"]]
        return "x".join(dims + [port["dtype"]])

    model = described(exported)
    assert types[0] == [of(a) for a in model["arguments"]]
    assert types[1] == [of(r) for r in model["results"]]


def test_weights_are_the_checkpoint(exported, llama):
    weights = load_file(exported / "weights.safetensors")
    params = {a["name"]: a["shape"] for a in described(exported)["arguments"]
              if a["role"] == "param"}
    assert {n: list(t.shape) for n, t in weights.items()} == params
    source = load_file(os.path.join(llama, "model.safetensors"))
    assert set(source) <= set(weights)
    assert all(torch.equal(weights[n], t) for n, t in source.items())


def test_text_is_what_the_importer_knows(exported):
    text = (exported / "model.mlir").read_text()
    dialects = set(re.findall(r"\b([a-z_]+)\.[a-z_]+\b(?= [%@\"({]|\()", text))
    assert dialects <= {"func", "arith", "math", "tensor", "linalg", "cf",
                        "affine", "builtin"}, dialects
    assert not re.search(r"fpowi|tensor<[^>]*f64>", text)
    assert re.search(r"loc\(.*modeling_llama\.py", text)


def places(package):
    return set(re.findall(r'loc\("([^"]*)":\d',
                          (package / "model.mlir").read_text()))


def test_places_are_in_the_model_and_in_torch(exported):
    assert places(exported) == {
        "transformers/models/llama/modeling_llama.py",
        "transformers/activations.py", "torch/nn/modules/linear.py",
        "torch/nn/modules/sparse.py"}


def test_places_of_a_module(tmp_path):
    """Named from its file's directory, wherever that is."""
    texts = []
    for name in ("one", "two"):
        (tmp_path / name / "lib").mkdir(parents=True)
        (tmp_path / name / "lib" / "part.py").write_text(
            "import torch\nclass Part(torch.nn.Module):\n"
            "    def forward(self, x):\n        return x * 2\n")
        (tmp_path / name / "m.py").write_text(
            "import os, sys, torch\n"
            "sys.path.insert(0, os.path.dirname(__file__))\n"
            "sys.modules.pop('lib.part', None), sys.modules.pop('lib', None)\n"
            "from lib.part import Part\n"
            "def f():\n"
            "    return (torch.nn.Sequential(torch.nn.Linear(3, 3), Part()),\n"
            "            (torch.ones(2, 3),))\n")
        package = tmp_path / name / "pkg"
        export.export_module(f"{tmp_path / name / 'm.py'}:f", str(package))
        assert places(package) == {"torch/nn/modules/container.py",
                                   "torch/nn/modules/linear.py", "lib/part.py"}
        texts.append((package / "model.mlir").read_bytes())
    assert texts[0] == texts[1]


def test_crash_of_the_lowering(tmp_path):
    class Product(torch.nn.Module):
        def forward(self, x, y):
            return x @ y

    ones = torch.ones(3, 3, dtype=torch.int8)
    with pytest.raises(ExportError, match=r"crashes.*aten\.mm.*int8"):
        export.export_function(Product(), (ones, ones), str(tmp_path / "pkg"))
    assert not os.listdir(tmp_path)


def test_unused_parameters_are_left_out(exported, llama):
    names = [a["name"] for a in described(exported)["arguments"]]
    assert "model.rotary_emb.inv_freq" in names
    assert "model.rotary_emb.original_inv_freq" not in names
    assert "model.rotary_emb.original_inv_freq" in step.state(
        export.load_model(llama))


def test_same_input_same_bytes(exported, llama, tmp_path):
    export.export_causal_lm(llama, tmp_path / "pkg", chunk=8, ctx=40)
    names = sorted(os.listdir(exported))
    assert names == sorted(os.listdir(tmp_path / "pkg"))
    for name in names:
        assert (exported / name).read_bytes() == (
            tmp_path / "pkg" / name).read_bytes(), name


def test_half_precision_becomes_f32(checkpoint):
    kept = {}

    def change(tensors):
        for name in tensors:
            tensors[name] = tensors[name].bfloat16()
        kept.update(tensors)

    rewrite(checkpoint, change)
    state = step.state(export.load_model(checkpoint))
    assert {t.dtype for t in state.values()} == {torch.float32}
    assert torch.equal(state[UP], kept[UP].float())


def test_stop_tokens_are_those_of_generate(checkpoint):
    with open(os.path.join(checkpoint, "generation_config.json"), "w") as f:
        json.dump({"eos_token_id": [2, 5, 7]}, f)
    for model in (export.load_model(checkpoint),
                  export.build_model(checkpoint)):
        assert export._stop_tokens(model) == [2, 5, 7]


def test_every_type_of_weight(tmp_path):
    tensors = {
        "i8": torch.tensor([[-3], [7]], dtype=torch.int8),
        "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3),
        "i1": torch.tensor([True, False, True]),
        "i64": torch.tensor([1 << 40]), "turned": torch.rand(3, 5).t(),
        "bf16": torch.rand(3).bfloat16(), "f16": torch.rand(5).half(),
    }
    ports = [package.port(n, "param", t.dtype, t.shape)
             for n, t in tensors.items()]
    weights = dict(tensors, scalar=lambda: tensors["scalar"])
    package.save_weights(tmp_path / "w", ports, weights)
    read = load_file(tmp_path / "w")
    assert set(read) == set(tensors)
    for name, t in tensors.items():
        assert read[name].dtype == t.dtype and torch.equal(read[name], t), name


def test_a_failure_leaves_the_old_package(exported, tmp_path):
    model = described(exported)
    target = tmp_path / "pkg"
    package.write(target, model, "old", None)

    def fail():
        raise OSError(28, "No space left on device")

    weights = {a["name"]: fail for a in model["arguments"]}
    with pytest.raises(OSError):
        package.write(target, model, "new", weights)
    assert (target / "model.mlir").read_text() == "old"
    assert os.listdir(tmp_path) == ["pkg"]


# ---- the step --------------------------------------------------------------


@pytest.mark.parametrize("name", ["gpt2", "gemma3", "gpt_neo", "bloom"])
@pytest.mark.parametrize("chunks", [[1] * 30, [7, 1, 16, 6], [30], [3]])
def test_step_is_the_model(name, chunks):
    """However the tokens are cut, and beyond a window of 12; the last two
    with attention of their own."""
    model = tiny_models.build(name)
    ids = torch.randint(0, 96, (1, sum(chunks)),
                        generator=torch.Generator().manual_seed(3))
    model.set_attn_implementation("eager")
    with torch.no_grad():
        want = model(ids, use_cache=False).logits[0]
    params = step.state(model)
    function, shapes = export._make_step(model, params, 8, 64, False)
    assert (function.attention is None) == (name in ("gpt_neo", "bloom"))
    with torch.no_grad():
        past = [(torch.zeros(1, kv, 0, k), torch.zeros(1, kv, 0, v))
                for kv, k, v in shapes]
        at = 0
        for n in chunks:
            logits, rows = function(params, ids[:, at:at + n],
                                    torch.tensor(at), past)
            at += n
            assert torch.allclose(logits[0], want[at - 1], atol=1e-4)
            past = [(torch.cat([a, k], 2), torch.cat([b, v], 2))
                    for (a, b), (k, v) in zip(past, rows)]


@pytest.mark.parametrize("config", [
    tiny_models.FAMILIES["mixtral"],
    lambda: transformers.GptOssConfig(  # biases, transposed, its own gate
        **tiny_models.BASE, head_dim=8, num_local_experts=4,
        num_experts_per_tok=2),
])
def test_all_experts_are_the_chosen_ones(config):
    torch.manual_seed(2)
    model = transformers.AutoModelForCausalLM.from_config(
        config(), attn_implementation="eager",
        experts_implementation="eager").eval()
    tiny_models.randomise(model)
    ids = torch.randint(0, 96, (1, 12))
    with torch.no_grad():
        want = model(ids).logits
        step.exchange_experts(model)
        assert model.config._experts_implementation == step.ATTENTION
        assert torch.allclose(model(ids).logits, want, atol=1e-4)


def test_layers_differ_in_a_constant_only():
    """Layers without a window compare with one that is never met."""
    model = tiny_models.build("gemma2")
    attention, params, function = attached(model)
    shapes = export._cache_shapes(model, function, params)
    attention.check_masks(64)
    assert attention.windowed and attention.windows() == {12}
    program = lower.export(function, export._example(params, shapes, 5, 7))
    windows = [n.args[1] for n in program.graph.nodes
               if n.op == "call_function" and "aten.sub" in str(n.target)
               and n.args[1] in (12, step.NO_WINDOW)]
    assert windows == [12, step.NO_WINDOW, 12]


# ---- refused ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["falcon", "gptj"])
def test_attention_of_its_own(name):
    model = tiny_models.build(name)
    with pytest.raises(ExportError, match="interface"):
        _, params, function = attached(model)
        export._cache_shapes(model, function, params)


@pytest.mark.parametrize("fail, words", [
    (lambda rows: None, "layer 1 of .* does not keep keys and values"),
    (lambda rows: (rows[0][0], rows[1]), r"keeps \[2, 3, 8\] .* for 3 tokens"),
    (lambda rows: (rows[0], rows[1].repeat(1, 1, 2, 1)), r"keeps .*2, 6, 8"),
])
def test_cache_of_another_kind(fail, words):
    function = step.Step(tiny_models.build("mpt"), None)
    rows = (torch.zeros(1, 2, 3, 8), torch.zeros(1, 2, 3, 8))
    cache = step.ProbeCache(2)
    cache.rows = [rows, fail(rows)]
    with pytest.raises(ExportError, match=words):
        function.check(cache, 3)


def test_states_are_not_keys_and_values():
    model = tiny_models.build("mamba")
    with pytest.raises(ExportError, match="0 times in its 2 layers; with the "
                       "model's own attention: layer 0 of .* does not keep"):
        export._make_step(model, step.state(model), 8, 64, False)


def test_more_tokens_than_the_model_takes():
    """Not every configuration tells its maximum."""
    model = tiny_models.build("mpt")
    with pytest.raises(ExportError, match="MptForCausalLM does not run 96"):
        export._make_step(model, step.state(model), 8, 100, True)


@pytest.mark.parametrize("wrong", [
    lambda T, P: P > 60, lambda T, P: T == 8, lambda T, P: T == 1])
def test_trace_of_other_sizes(wrong):
    """What a model does at other sizes than those that were traced."""
    model = tiny_models.build("mpt")
    params = step.state(model)
    function, shapes = export._make_step(model, params, 8, 64, False)
    program = export._program(function, params, shapes, 8, 64)
    export._check_trace(program, function, params, shapes, 8, 64)

    def other(params, ids, position, past):
        logits, rows = function(params, ids, position, past)
        return logits + wrong(ids.shape[1], past[0][0].shape[2]), rows

    with pytest.raises(ExportError, match="computes something else"):
        export._check_trace(program, other, params, shapes, 8, 64)


@pytest.mark.parametrize("mask", [
    lambda b, h, q, k: k // 16 == q // 16,      # chunks
    lambda b, h, q, k: (k <= q) & (k > q - 9),  # a window nobody told of
    lambda b, h, q, k: k < 64,                  # both ways
])
def test_masks_of_another_rule(mask):
    attention = step.Attention()
    attention.masks, attention.used = [mask], {(0, None)}
    with pytest.raises(ExportError, match=r"at position \d+ a layer sees"):
        attention.check_masks(64)


def test_chunked_attention_within_its_first_chunk_only(tmp_path):
    """The place where it begins to differ is the context that is offered."""
    config = transformers.Llama4TextConfig(
        **{**tiny_models.BASE, "num_hidden_layers": 4}, head_dim=8,
        attention_chunk_size=24, intermediate_size_mlp=48, moe_layers=[])
    model = transformers.Llama4ForCausalLM(config).eval()
    attention, params, function = attached(model)
    export._cache_shapes(model, function, params)
    attention.check_masks(24)
    with pytest.raises(ExportError, match="position 24.*--ctx 24"):
        attention.check_masks(25)


def test_bias_on_the_scores():
    """A mask that the model changed is not the mask it asked for."""
    attention = step.Attention()
    attention.probing = True
    mask = attention.mask(mask_function=None, q_length=2, kv_length=2)
    assert attention.number(mask[..., :1]) == 0
    for changed in (mask + 0.5, mask + torch.eye(2), mask - 1):
        with pytest.raises(ExportError, match="adds a mask or bias"):
            attention.number(changed)


def test_unknown_argument_of_attention():
    q = torch.zeros(1, 2, 3, 4)
    with pytest.raises(ExportError, match="'s_aux'"):
        step.Attention()(torch.nn.Identity(), q, q, q, None, s_aux=q)


def test_step_that_differs(monkeypatch, llama):
    """The comparison with the model's own logits refuses another result."""
    model = export.load_model(llama)
    attention, params, function = attached(model)
    shapes = export._cache_shapes(model, function, params)
    visible = step.Attention.visible
    monkeypatch.setattr(step.Attention, "visible",
                        lambda s, at, j, w: visible(s, at, j, w) & (j != 3))
    with pytest.raises(ExportError, match="differs from the model's own"):
        export._compare(model, function, params, shapes, 8, 64)


def test_missing_weight(checkpoint):
    rewrite(checkpoint, lambda t: t.pop(UP))
    with pytest.raises(ExportError, match=f"lacks 1 .*{re.escape(UP)}"):
        export.load_model(checkpoint)


def test_weight_of_another_shape(checkpoint):
    rewrite(checkpoint, lambda t: t.update({UP: t[UP][:5].clone()}))
    with pytest.raises(ExportError, match=re.escape(
            f"{UP} is [5, 32], the model's is [48, 32]")):
        export.load_model(checkpoint)


def test_truncated_weights(checkpoint):
    path = os.path.join(checkpoint, "model.safetensors")
    os.truncate(path, os.path.getsize(path) - 100)
    with pytest.raises(ExportError, match="cannot load"):
        export.load_model(checkpoint)


@pytest.mark.parametrize("ctx, chunk, words", [
    (65, None, "beyond the model's maximum of 64"), (1, None, "at least 2"),
    (None, 0, "--chunk must be at least 1"),
])
def test_limits_refused(ctx, chunk, words):
    with pytest.raises(ExportError, match=words):
        export._limits(tiny_models.build("llama"), chunk, ctx)


def test_default_limits():
    model = tiny_models.build("llama")
    assert export._limits(model, None, None) == (16, 64)
    assert export._limits(model, 16, 5) == (5, 5)


def test_nothing_to_load(tmp_path):
    with pytest.raises(ExportError, match="neither config.json nor"):
        export.load_model(str(tmp_path))
    with pytest.raises(ExportError, match="is not a directory"):
        export.load_model(str(tmp_path / "nothing"))


# ---- configurations --------------------------------------------------------


def test_configuration_alone(llama, exported, tmp_path):
    """The same text and description as of the checkpoint, without weights."""
    export.export_causal_lm(llama, tmp_path / "pkg", chunk=8, ctx=40,
                            config_only=True)
    made = tmp_path / "pkg"
    assert sorted(os.listdir(made)) == ["model.json", "model.mlir"]
    assert described(made) == {**described(exported), "weights": None}
    operations = [re.sub(r" ?loc\(.*", "", (p / "model.mlir").read_text())
                  for p in (made, exported)]
    assert operations[0] == operations[1]


def test_random_weights(llama):
    model = export.build_model(llama)
    params = step.state(model)
    assert params[UP].device.type == "meta"

    def made(seed):
        return {n: w() if callable(w) else w for n, w in
                export._weights(params, True, seed).items()}

    one, two, again = made(1), made(2), made(1)
    assert all(torch.equal(one[n], again[n]) for n in params)
    assert not torch.equal(one[UP], two[UP])
    shapes = [t for t in one.values() if t.shape == one[UP].shape]
    assert len(shapes) == 6
    assert not any(torch.equal(a, b) for i, a in enumerate(shapes)
                   for b in shapes[:i])
    assert torch.equal(one["model.rotary_emb.inv_freq"],
                       params["model.rotary_emb.inv_freq"])
    model.load_state_dict({n: t for n, t in one.items()
                           if n in model.state_dict()}, assign=True,
                          strict=False)
    model.tie_weights()
    with torch.no_grad():
        logits = model(torch.arange(12).unsqueeze(0)).logits[0]
    assert len(set(logits.argmax(-1).tolist())) > 4


def test_unknown_configuration(checkpoint):
    set_config(checkpoint, model_type="no-such-model", architectures=[])
    with pytest.raises(ExportError, match="config.json"):
        export.build_model(checkpoint)


# ---- stories260K -----------------------------------------------------------


def test_stories_checkpoint(tmp_path):
    """The converted checkpoint is the trained model, tokenizer included."""
    subprocess.run([sys.executable, os.path.join(
        ROOT, "examples", "stories260K", "convert.py"), tmp_path], check=True)
    model = export.load_model(str(tmp_path))
    with torch.no_grad():
        tokens = model.generate(torch.tensor([[1]]), max_new_tokens=15,
                                do_sample=False)[0].tolist()
    assert tokens == [1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 298,
                      315, 421, 395, 317, 426]
    from tokenizers import Tokenizer
    [(name, text)] = export._tokenizer_files(str(tmp_path))
    tokenizer = Tokenizer.from_str(text.decode())
    assert name == "tokenizer.json"
    assert tokenizer.decode(tokens).startswith("Once upon a time, there was")
    assert tokenizer.encode("Once upon a time",
                            add_special_tokens=False).ids == tokens[1:5]
