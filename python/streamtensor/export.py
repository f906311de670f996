"""streamtensor export: a model to a package."""

import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import sys

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.utils import _pytree as pytree

from . import grids, lower, package, sizes, step
from .errors import ExportError

TOLERANCE = 1e-3  # of the logits of the step against the model's own


def say(message):
    print(f"export: {message}", file=sys.stderr, flush=True)


# ---- loading ---------------------------------------------------------------


def _gguf_file(directory):
    names = sorted(n for n in os.listdir(directory) if n.endswith(".gguf"))
    return names[0] if names else None


def _gguf_checkpoint(directory):
    """The .gguf file that holds the weights; None if others do."""
    gguf = _gguf_file(directory)
    if not os.path.exists(os.path.join(directory, "config.json")):
        if gguf is None:
            raise ExportError(f"{directory} has neither config.json nor a "
                              ".gguf file")
    elif any(n.endswith(".safetensors") for n in os.listdir(directory)):
        gguf = None
    return gguf


def load_model(directory):
    """The causal LM of a local checkpoint directory, in f32."""
    from transformers import AutoModelForCausalLM
    if not os.path.isdir(directory):
        raise ExportError(f"{directory} is not a directory")
    gguf = _gguf_checkpoint(directory)
    try:
        kwargs = {"gguf_file": gguf} if gguf else {}
        model, info = AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, local_files_only=True,
            attn_implementation="eager",
            output_loading_info=True, ignore_mismatched_sizes=True, **kwargs)
    except Exception as e:
        raise ExportError(f"cannot load {directory}: {e}") from e
    _check_loading(directory, info)
    return torch.nn.Module.float(model).eval()  # transformers refuses for GGUF


def _check_loading(directory, info):
    """transformers makes up the weights that a checkpoint lacks."""
    missing = sorted(info["missing_keys"])
    if missing:
        raise ExportError(f"{directory} lacks {len(missing)} of the model's "
                          f"weights: {_some(missing)}")
    for name, found, wanted in sorted(info["mismatched_keys"]):
        raise ExportError(f"{directory}: weight {name} is {list(found)}, the "
                          f"model's is {list(wanted)}")
    unused = sorted(info["unexpected_keys"])
    if unused:
        say(f"{len(unused)} weights of the checkpoint are not the model's: "
            f"{_some(unused)}")


def _some(names):
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def build_model(directory):
    """The model of a configuration, its parameters without memory."""
    from transformers import (AutoConfig, AutoModelForCausalLM,
                              GenerationConfig)
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True)
    except Exception as e:
        raise ExportError(f"cannot read {directory}/config.json: {e}") from e
    try:
        with FakeParameters():
            model = AutoModelForCausalLM.from_config(
                config, attn_implementation="eager")
        if os.path.exists(os.path.join(directory, "generation_config.json")):
            model.generation_config = GenerationConfig.from_pretrained(
                directory, local_files_only=True)
    except Exception as e:
        raise ExportError(f"cannot build the model of {directory}: {e}") from e
    return model.eval()


class FakeParameters:
    """Parameters made meanwhile have a shape and no memory; buffers are real.
    """

    def __enter__(self):
        self.saved = torch.nn.Module.register_parameter
        saved = self.saved

        def register(module, name, param):
            if param is not None and param.device.type != "meta":
                param = torch.nn.Parameter(
                    torch.empty_like(param, device="meta",
                                     dtype=torch.float32),
                    requires_grad=False)
            saved(module, name, param)

        torch.nn.Module.register_parameter = register
        return self

    def __exit__(self, *error):
        torch.nn.Module.register_parameter = self.saved


def random_tensor(name, like, seed):
    """Values of a parameter's shape, from the seed and the whole name."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    generator = torch.Generator().manual_seed(
        int.from_bytes(digest[:7], "little"))
    t = torch.randn(like.shape, generator=generator, dtype=torch.float32)
    if t.dim() <= 1:
        return 1.0 + 0.1 * t if name.endswith("weight") else 0.1 * t
    return t / like.shape[-1] ** 0.5


# ---- causal language models ------------------------------------------------


def _cache_shapes(model, function, params):
    """(heads, key dim, value dim) of each layer's cache, seen in two tokens;
    also notes which mask each layer uses."""
    layers = model.config.get_text_config().num_hidden_layers
    probe = step.ProbeCache(layers)
    if function.attention:
        function.attention.probing = True
    with _runs(model, 2):
        function.run(params, torch.zeros(1, 2, dtype=torch.int64),
                     torch.tensor(0), probe)
    if function.attention:
        function.attention.probing = False
    return probe.shapes()


def _exchanged(model, params, ctx):
    """The step with our attention, and the shapes of its caches."""
    function = step.Step(model, step.attach(model))
    shapes = _cache_shapes(model, function, params)
    function.attention.check_masks(ctx)
    return function, shapes


def _unchanged(model, params, ctx):
    """The step with the model's own attention, and the shapes."""
    step.detach(model)
    function = step.Step(model, None)
    return function, _cache_shapes(model, function, params)


def _make_step(model, params, chunk, ctx, compare):
    """The first step that computes what the model does, and the shapes of its
    caches. Our attention makes better hardware than most models' own."""
    reasons = []
    step.exchange_experts(model)
    for make in (_exchanged, _unchanged):
        try:
            function, shapes = make(model, params, ctx)
            if compare:
                _compare(model, function, params, shapes, chunk, ctx)
            return function, shapes
        except ExportError as e:
            if str(e) not in reasons:
                reasons.append(str(e))
    raise ExportError("; with the model's own attention: ".join(reasons))


def _limits(model, chunk, ctx):
    most = getattr(model.config.get_text_config(), "max_position_embeddings",
                   None)
    if ctx is None:
        ctx = min(most or 1024, 1024)
    if most and ctx > most:
        raise ExportError(f"--ctx {ctx} is beyond the model's maximum of "
                          f"{most} positions")
    if ctx < 2:
        raise ExportError("--ctx must be at least 2")
    chunk = min(16 if chunk is None else chunk, ctx)
    if chunk < 1:
        raise ExportError("--chunk must be at least 1")
    return chunk, ctx


def _example(params, shapes, T, P):
    ids = torch.zeros(1, T, dtype=torch.int64)
    past = [(torch.zeros(1, kv, P, k), torch.zeros(1, kv, P, v))
            for kv, k, v in shapes]
    return (params, ids, torch.tensor(P), past)


def _ports(params, shapes, vocab):
    arguments = [package.port(name, "param", t.dtype, t.shape)
                 for name, t in params.items()]
    arguments.append(package.port("ids", "tokens", torch.int64, [1, "T"]))
    arguments.append(package.port("position", "position", torch.int64, []))
    results = [package.port("logits", "logits", torch.float32, [1, vocab])]
    for i, (kv, k, v) in enumerate(shapes):
        for which, dim in (("k", k), ("v", v)):
            results.append(package.port(
                f"rows.{which}{i}", "cache-rows", torch.float32,
                [1, kv, "T", dim], argument=len(arguments), axis=2))
            arguments.append(package.port(
                f"cache.{which}{i}", "cache", torch.float32,
                [1, kv, "P", dim], layer=i, which=which))
    return arguments, results


@contextlib.contextmanager
def _runs(model, tokens):
    try:
        with torch.no_grad():
            yield
    except ExportError:
        raise
    except Exception as e:
        raise ExportError(f"{type(model).__name__} does not run {tokens} "
                          f"tokens: {type(e).__name__}: {e}") from e


def _own_logits(model, ids):
    """By the model as it is, without anything of ours."""
    config = model.config
    ours = config._attn_implementation, config._experts_implementation
    model.set_attn_implementation("eager")
    config._experts_implementation = "eager"
    with _runs(model, ids.shape[1]):
        logits = model(ids, use_cache=False).logits[0]
    model.set_attn_implementation(ours[0])
    config._experts_implementation = ours[1]
    return logits


def _compare(model, function, params, shapes, chunk, ctx):
    """The step's logits against the model's own, chunk by chunk."""
    vocab = model.config.get_text_config().vocab_size
    generator = torch.Generator().manual_seed(1)
    window = max(function.attention.windows(), default=0) \
        if function.attention else 96
    length = min(ctx, max(chunk + 3, window + 5), 96)
    ids = torch.randint(0, vocab, (1, length), generator=generator)
    past = [(torch.zeros(1, kv, 0, k), torch.zeros(1, kv, 0, v))
            for kv, k, v in shapes]
    worst, at = 0.0, 0
    want = _own_logits(model, ids)
    with _runs(model, length):
        while at < length:
            T = min(chunk, length - at)
            logits, rows = function(params, ids[:, at:at + T],
                                    torch.tensor(at), past)
            at += T
            worst = max(worst, (logits[0] - want[at - 1]).abs().max().item())
            past = [(torch.cat([a, k], 2), torch.cat([b, v], 2))
                    for (a, b), (k, v) in zip(past, rows)]
    if not worst <= TOLERANCE:
        raise ExportError(
            f"the exported step differs from the model's own logits by "
            f"{worst:.3g} (at most {TOLERANCE} is accepted): the model does "
            "something in its attention or cache that the step does not")
    say(f"the step agrees with the model over {length} tokens "
        f"(largest difference {worst:.2g})")


def _program(function, params, shapes, chunk, ctx):
    """The exported program of the step. A model that reads P + T rows of a
    table of ctx rows has torch.export ask for a P that never gets there."""
    example = _example(params, shapes, 5, 7)
    most_t = max(chunk, 8)
    for most_p in (max(ctx, 16), max(ctx - most_t - 1, 16)):
        T = torch.export.Dim("T", min=1, max=most_t)
        P = torch.export.Dim("P", min=0, max=most_p)
        free = [({2: P}, {2: P}) for _ in shapes]
        try:
            return lower.export(function, example,
                                ({k: {} for k in params}, {1: T}, {}, free))
        except ExportError as e:
            if "Constraints violated" not in str(e):
                raise
            reason = e
    raise reason


def _trace(function, params, shapes, chunk, ctx, run):
    """The linalg text of the step, and the parameters that it uses."""
    say("tracing")
    program = _program(function, params, shapes, chunk, ctx)
    sizes.rewrite(program, chunk, ctx)
    if run:
        _check_trace(program, function, params, shapes, chunk, ctx)
    used = lower.drop_unused(program, list(params))
    say("lowering")
    return lower.to_linalg(program, "step"), used


def _check_trace(program, function, params, shapes, chunk, ctx):
    """What was traced at one T and P holds at the extreme ones too."""
    for T, P in sizes.corners(chunk, ctx):
        args = _example(params, shapes, T, P)
        generator = torch.Generator().manual_seed(1)
        for t in pytree.tree_leaves(args[3]):
            t.normal_(generator=generator)
        try:
            with torch.no_grad():
                got = lower.run(program, args)[0]
                worst = (got - function(*args)[0]).abs().max().item()
        except Exception as e:
            raise ExportError(
                f"the model does not run {T} tokens after {P} others: "
                f"{type(e).__name__}: {e} (try a smaller --ctx)") from e
        if not worst <= TOLERANCE:
            raise ExportError(
                f"with {T} tokens after {P} others the model computes "
                f"something else than it does with 5 after 7 (logits "
                f"{worst:.3g} apart); that is not supported (try a smaller "
                "--ctx)")


def _stop_tokens(model):
    """The tokens at which transformers' generate would stop."""
    eos = getattr(model.generation_config, "eos_token_id", None)
    if eos is None:
        eos = model.config.get_text_config().eos_token_id
    return [] if eos is None else eos if isinstance(eos, list) else [eos]


def _describe(model, params, shapes, chunk, ctx, weights):
    """The content of model.json."""
    head = model.get_output_embeddings()
    config = model.config.get_text_config()
    vocab = head.weight.shape[0] if head is not None else config.vocab_size
    arguments, results = _ports(params, shapes, vocab)
    return {
        "format": "streamtensor-package", "version": 1, "kind": "causal-lm",
        "entry": "step",
        "symbols": {"T": {"min": 1, "max": chunk},
                    "P": {"min": 0, "max": ctx}},
        "arguments": arguments, "results": results,
        "weights": "weights.safetensors" if weights is not None else None,
        "vocab": vocab, "bos": getattr(config, "bos_token_id", None),
        "eos": _stop_tokens(model), "ctx": ctx, "chunk": chunk,
        "source": {"architecture": type(model).__name__,
                   "layers": len(shapes)},
    }


def _weights(params, config_only, seed):
    """Name -> tensor, or function that makes it when it is written; None for
    a package without."""
    if not config_only:
        return dict(params)
    if seed is None:
        return None
    return {n: functools.partial(random_tensor, n, t, seed)
            if t.device.type == "meta" else t for n, t in params.items()}


def _calibration_tokens(directory, model, what, options):
    """[windows, tokens]: of a text file, or what the model itself says."""
    from . import calibrate
    if what == "self":
        bos = getattr(model.config.get_text_config(), "bos_token_id", None)
        return calibrate.sample(model, options, bos or 0)
    from transformers import AutoTokenizer
    gguf = _gguf_file(directory)
    try:
        with open(what, encoding="utf-8") as f:
            text = f.read()
        tokenizer = AutoTokenizer.from_pretrained(
            directory, local_files_only=True,
            **({"gguf_file": gguf} if gguf else {}))
    except OSError as e:
        raise ExportError(f"--calibrate {what}: {e}") from e
    except ValueError as e:
        raise ExportError(f"--calibrate {what}: {e}") from e
    return calibrate.cut(tokenizer.encode(text, add_special_tokens=False),
                         options)


def _calibrated_grids(directory, model, calibration):
    """Name -> Grid of every matrix, for least change of the logits."""
    from . import calibrate
    what, given = calibration
    options = calibrate.Options(**given)
    step.detach(model)
    say("calibrating")
    ids = _calibration_tokens(directory, model, what, options)
    return calibrate.calibrate(model, ids, options, say)


def _own_grids(directory, params):
    """Name -> Grid of the parameters whose weights the checkpoint holds as
    integers."""
    gguf = _gguf_checkpoint(directory)
    if gguf is None:
        return {}
    found, unused = grids.from_gguf(os.path.join(directory, gguf), params)
    if found:
        say(f"{len(found)} parameters keep the integers of {gguf}")
    if unused:
        types = ", ".join(sorted(set(unused.values())))
        say(f"warning: {len(unused)} quantised tensors of {gguf} ({types}) "
            f"are read as floats only: {_some(sorted(unused))}")
    return found


def _add_grids(description, weights, found):
    """Declare grids with their parameters, and put them into the weights."""
    for port in description["arguments"]:
        grid = found.get(port["name"])
        if grid is not None:
            port["grid"] = grid.describe()
            weights.update(grid.tensors(port["name"]))


def export_causal_lm(directory, output, chunk=None, ctx=None,
                     config_only=False, random_weights=None,
                     calibration=None):
    """Export a Hugging Face causal LM; see `streamtensor export --help`.

    calibration: (text file or "self", fields of calibrate.Options).
    """
    say(f"loading {directory}")
    model = build_model(directory) if config_only else load_model(directory)
    chunk, ctx = _limits(model, chunk, ctx)
    params = step.state(model)
    traced = params
    if config_only:
        mode = FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True)
        traced = {n: _without_memory(mode, t) for n, t in params.items()}
    function, shapes = _make_step(model, traced, chunk, ctx, not config_only)
    text, used = _trace(function, traced, shapes, chunk, ctx, not config_only)
    params = {n: params[n] for n in used}
    weights = _weights(params, config_only, random_weights)
    description = _describe(model, params, shapes, chunk, ctx, weights)
    if not config_only:
        found = _calibrated_grids(directory, model, calibration) \
            if calibration else _own_grids(directory, params)
        _add_grids(description, weights, found)
    package.write(output, description, text, weights,
                  _tokenizer_files(directory))
    say(f"wrote {output}: {len(text) / 1e6:.2f} MB of linalg, "
        f"{sum(t.numel() for t in params.values()) / 1e6:.2f} M parameters")


def _without_memory(mode, t):
    """A parameter of a configuration as torch.export wants it; buffers have
    values already."""
    if t.device.type != "meta":
        return t
    with mode:
        return torch.empty(t.shape, dtype=t.dtype)


def _has_template(directory, present):
    """The checkpoint may have a chat template."""
    if "chat_template.jinja" in present:
        return True
    path = os.path.join(directory, "tokenizer_config.json")
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8", errors="replace") as f:
        return "chat_template" in f.read()


def _chat_template(tokenizer):
    """What chat.json says; None if there is no template."""
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if not template:
        return None
    return {"template": template, **{
        k: str(v) for k, v in tokenizer.special_tokens_map.items()
        if isinstance(v, str)}}


def _tokenizer_files(directory):
    """tokenizer.json of the checkpoint, made from a slow tokenizer if need
    be, and its chat template; nothing if there is no tokenizer."""
    path = os.path.join(directory, "tokenizer.json")
    files = [("tokenizer.json", path)] if os.path.exists(path) else []
    present = set(os.listdir(directory))
    gguf = _gguf_file(directory)
    if files and not gguf and not _has_template(directory, present):
        return files
    if not gguf and not present & {"tokenizer.json", "tokenizer.model",
                                   "vocab.json", "tokenizer_config.json"}:
        return []
    from transformers import AutoTokenizer
    try:
        kwargs = {"gguf_file": gguf} if gguf else {}
        tokenizer = AutoTokenizer.from_pretrained(
            directory, local_files_only=True, **kwargs)
        if not files:
            text = tokenizer.backend_tokenizer.to_str()
            files = [("tokenizer.json", text.encode())]
        chat = _chat_template(tokenizer)
    except Exception as e:  # a model without its tokenizer is still useful
        say(f"no {'chat template' if files else 'tokenizer'}: {e}")
        return files
    if chat:
        files.append(("chat.json", json.dumps(chat, indent=1).encode()))
    return files


# ---- any module ------------------------------------------------------------


def load_function(spec):
    """FILE.py:FUNCTION -> (module, example inputs)."""
    path, _, name = spec.rpartition(":")
    if not os.path.exists(path):
        raise ExportError(f"{path} does not exist")
    found = importlib.util.spec_from_file_location("streamtensor_user", path)
    module = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except Exception as e:
        raise ExportError(f"{path}: {type(e).__name__}: {e}") from e
    if not hasattr(module, name):
        raise ExportError(f"{path} has no function '{name}'")
    result = getattr(module, name)()
    if not (isinstance(result, tuple) and len(result) == 2 and
            isinstance(result[0], torch.nn.Module)):
        raise ExportError(f"{name}() must return (module, example inputs)")
    model, inputs = result
    return model, tuple(inputs)


class Functional(torch.nn.Module):
    """A module as a function of its parameters and of its tensor inputs.

    What else the example inputs hold (numbers, None, the nesting) is fixed.
    """

    def __init__(self, module, inputs):
        super().__init__()
        self.module = [module]
        leaves, self.tree = pytree.tree_flatten(inputs)
        self.fixed = [None if isinstance(x, torch.Tensor) else x
                      for x in leaves]
        self.free = [isinstance(x, torch.Tensor) for x in leaves]

    def forward(self, params, tensors):
        given = iter(tensors)
        leaves = [next(given) if free else x
                  for free, x in zip(self.free, self.fixed)]
        args = pytree.tree_unflatten(leaves, self.tree)
        return [t for _, t in named_results(
            torch.func.functional_call(self.module[0], params, args))]


def named_results(value):
    """The tensors of what a module returns, with a name each: `output`, or
    positions and keys of dicts, `output0`, `output1.hidden`."""
    if isinstance(value, torch.Tensor):
        return [("output", value)]
    found = []
    for path, leaf in pytree.tree_flatten_with_path(value)[0]:
        keys = [str(getattr(k, "key", getattr(k, "idx", getattr(
            k, "name", k)))) for k in path]
        name = ".".join(keys)
        name = "output" + name if keys[0].isdigit() else name
        if leaf is None:
            continue
        if not isinstance(leaf, torch.Tensor):
            raise ExportError(f"result {name} is of type "
                              f"{type(leaf).__name__}, not a tensor")
        found.append((name, leaf))
    if not found:
        raise ExportError("the module returns no tensor")
    return found


def export_function(module, inputs, output, root=None):
    """Export a module as a function of the tensors in its example inputs;
    `root` is the directory of its sources. What the module returned for them.
    """
    module = module.eval()
    params = step.state(module)
    function = Functional(module, inputs)
    tensors = [t for t in pytree.tree_leaves(inputs)
               if isinstance(t, torch.Tensor)]
    with torch.no_grad():  # of copies: a module may write to its inputs
        returned = module(*pytree.tree_map(
            lambda x: x.clone() if isinstance(x, torch.Tensor) else x,
            inputs))
    results = named_results(returned)
    arguments = [package.port(n, "param", t.dtype, t.shape)
                 for n, t in params.items()]
    arguments += [package.port(f"input{i}", "input", t.dtype, t.shape)
                  for i, t in enumerate(tensors)]
    ports = [package.port(n, "output", t.dtype, t.shape) for n, t in results]
    program = lower.export(function, (params, tensors), root=root)
    text = lower.to_linalg(program, "forward")
    description = {
        "format": "streamtensor-package", "version": 1, "kind": "module",
        "entry": "forward", "symbols": {}, "arguments": arguments,
        "results": ports, "weights": "weights.safetensors", "vocab": None,
        "bos": None, "eos": [], "ctx": 0, "chunk": 0,
        "source": {"architecture": type(module).__name__, "layers": 0},
    }
    package.write(output, description, text,
                  {n: t.contiguous() for n, t in params.items()})
    return returned


def export_module(spec, output):
    """Export FILE.py:FUNCTION, which gives a module and example inputs."""
    root = os.path.dirname(os.path.abspath(spec.rpartition(":")[0]))
    export_function(*load_function(spec), output, root)
    say(f"wrote {output}")
