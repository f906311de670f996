"""torch.compile(model, backend="streamtensor").

Dynamo gives graphs of PyTorch calls. A graph is compiled when it is called,
for the inputs' shapes, and its first results are compared with PyTorch's. If
the compiler refuses it, each call is tried on its own; those that it takes are
compiled together, as far as they touch, and the others stay with PyTorch,
which is logged once for each (logger "streamtensor", level WARNING).
"""

import copy
import logging
from typing import Any, Callable, NamedTuple, Optional

import torch
from torch.fx.passes.infra.partitioner import CapabilityBasedPartitioner
from torch.fx.passes.operator_support import OperatorSupportBase
from torch.utils import _pytree as pytree

from .errors import Error
from .module import CompiledModule, signature

log = logging.getLogger("streamtensor")

TOLERANCE = 1e-4  # of the largest value of a result, in f32


class Options(NamedTuple):
    """`options` of torch.compile."""

    target: str = "u55c"
    quantisation: str = "f32"
    kv: Optional[str] = None
    device: str = "sim"


class Refused(Exception):
    """Why PyTorch has to do it, in a line."""


def _tensors(tree):
    return [t for t in pytree.tree_leaves(tree)
            if isinstance(t, torch.Tensor)]


def _versions(tree):
    return [t._version for t in _tensors(tree)]


def _reason(e):
    """The message of an error without its place in a temporary file."""
    return str(e).splitlines()[0].rpartition("error: ")[2]


class _Bound(torch.nn.Module):
    """A graph whose inputs at the places `fixed` are its parameters."""

    def __init__(self, graph, inputs, fixed):
        super().__init__()
        self.graph, self.places, self.n = graph, sorted(fixed), len(inputs)
        for i in self.places:
            self.register_buffer(f"p{i}", inputs[i].detach())

    def forward(self, *free):
        given = iter(free)
        fixed = set(self.places)
        return self.graph(*[getattr(self, f"p{i}") if i in fixed else
                            next(given) for i in range(self.n)])


def _agree(got, want, options):
    for a, b in zip(_tensors(got), _tensors(want), strict=True):
        if options.quantisation != "f32" or not b.numel():
            continue
        if not b.is_floating_point():
            if not torch.equal(a, b):
                return False
            continue
        worst = (a.double() - b.double()).abs()
        worst = worst[~(a == b)].max().item() if (a != b).any() else 0.0
        scale = b[b.isfinite()].abs().max().item() if b.isfinite().any() else 0
        if not worst <= TOLERANCE * max(scale, 1e-30):
            return False
    return True


class _Card:
    """A graph on the card, for inputs of one signature."""

    def __init__(self, graph, inputs, fixed, options, want):
        """`want`: what PyTorch computes of the inputs. Raises Refused."""
        self.fixed, self.values = fixed, [inputs[i] for i in fixed]
        self.versions = _versions(self.values)
        if not _tensors(want):
            raise Refused("no tensor is computed")
        try:
            self.module = CompiledModule(
                _Bound(graph, inputs, fixed), self._free(inputs),
                **options._asdict())
            got = self(*inputs)
        except Error as e:
            raise Refused(_reason(e)) from e
        if not _agree(got, want, options):
            self.module.close()
            raise Refused("the card computes something else than PyTorch")

    def _free(self, inputs):
        return tuple(x for i, x in enumerate(inputs) if i not in self.fixed)

    def is_for(self, inputs):
        """Its parameters are still the same and unchanged."""
        now = [inputs[i] for i in self.fixed]
        return all(a is b for a, b in zip(now, self.values)) and \
            _versions(now) == self.versions

    def __call__(self, *inputs):
        return self.module(*self._free(inputs))


class _Part:
    """Calls that the card takes, between others that it does not."""

    def __init__(self, graph, options):
        self.graph, self.options, self.made = graph, options, {}

    def __call__(self, *inputs):
        key = signature(inputs)
        if key not in self.made:
            want = self.graph(*inputs)
            fixed = {i for i, x in enumerate(inputs)
                     if isinstance(x, torch.nn.Parameter)}
            try:
                self.made[key] = _Card(self.graph, inputs, fixed,
                                       self.options, want)
            except Refused as e:
                log.warning("%s run in PyTorch: %s", _describe(self.graph), e)
                self.made[key] = self.graph
            return want
        card = self.made[key]
        if isinstance(card, _Card) and not card.is_for(inputs):
            del self.made[key]
            return self(*inputs)
        return card(*inputs)


def _calls(graph):
    return [n for n in graph.graph.nodes if n.op.startswith("call_")]


def _describe(graph):
    names = [_name(n) for n in _calls(graph)]
    return f"{len(names)} calls ({names[0]} .. {names[-1]})" \
        if len(names) > 1 else names[0]


def _name(node):
    if node.op == "call_method":
        return f"Tensor.{node.target}"
    target = node.target
    return getattr(target, "__name__", None) or str(target)


def _place(node):
    """The last line of the user's that led to the call."""
    trace = node.meta.get("stack_trace") or ""
    lines = [s.strip() for s in trace.splitlines() if s.strip()]
    files = [s for s in lines if s.startswith('File "')]
    if not files:
        return ""
    name, _, rest = files[-1][6:].partition('", line ')
    return f"{name}:{rest.partition(',')[0]}: "


class _Recorder(torch.fx.Interpreter):
    """Runs a graph and keeps what each call got and gave."""

    def __init__(self, graph):
        super().__init__(graph)
        self.seen = {}

    def run_node(self, n):
        if not n.op.startswith("call_"):
            return super().run_node(n)
        args = self.fetch_args_kwargs_from_env(n)
        before = _versions(args)
        result = super().run_node(n)
        if _versions(args) != before:
            raise Refused(f"{_place(n)}{_name(n)} writes to its arguments")
        self.seen[n] = args, result
        return result


class _Call(torch.nn.Module):
    """One call of a graph, as a module of its tensors."""

    def __init__(self, node, args):
        super().__init__()
        leaves, self.tree = pytree.tree_flatten(args)
        self.leaves = [None if isinstance(x, torch.Tensor) else x
                       for x in leaves]
        self.free = [isinstance(x, torch.Tensor) for x in leaves]
        self.node = node

    def forward(self, *tensors):
        given = iter(tensors)
        args, kwargs = pytree.tree_unflatten(
            [next(given) if f else x
             for f, x in zip(self.free, self.leaves)], self.tree)
        if self.node.op == "call_method":
            return getattr(args[0], self.node.target)(*args[1:], **kwargs)
        return self.node.target(*args, **kwargs)


class _Support(OperatorSupportBase):
    """Which calls the compiler takes on their own: by trying. A call without
    tensors stays with PyTorch and is no news."""

    def __init__(self, seen, options):
        self.taken, self.refused = set(), {}
        known: dict[Any, Optional[str]] = {}
        for node, (args, result) in seen.items():
            if not _tensors(result) or not _tensors(args):
                continue
            key = node.op, node.target, signature(args)
            if key not in known:
                known[key] = self._try(node, args, result, options)
            if known[key] is None:
                self.taken.add(node)
            else:
                self.refused[node] = known[key]

    @staticmethod
    def _try(node, args, result, options):
        tensors = tuple(_tensors(args))
        try:
            _Card(_Call(node, args), tensors, (), options,
                  result).module.close()
        except Refused as e:
            return str(e)
        return None

    def is_node_supported(self, submodules, node):
        return node in self.taken


def _split(graph, inputs, options) -> Callable:
    """The graph with all that the card takes moved to it; logs the rest.
    Raises Refused."""
    if any(n.op in ("call_module", "get_attr") for n in graph.graph.nodes):
        raise Refused("it has parts of its own")
    recorder = _Recorder(graph)
    recorder.run(*inputs)
    support = _Support(recorder.seen, options)
    told = set()
    for node, reason in support.refused.items():
        line = f"{_place(node)}{_name(node)} runs in PyTorch: {reason}"
        if line not in told:
            log.warning("%s", line)
        told.add(line)
    if not support.refused:
        raise Refused("each of its calls is supported, all together are not")
    partitioner = CapabilityBasedPartitioner(
        graph, support, allows_single_node_partition=True)
    fused = partitioner.partition_and_fuse()
    for node in fused.graph.nodes:
        if node.op == "call_module":
            part = _Part(fused.get_submodule(node.target), options)
            node.op, node.target = "call_function", part
    return torch.fx.Interpreter(fused).run


class _Graph:
    """A graph of Dynamo's; what runs it is made for each kind of inputs."""

    def __init__(self, graph, fixed, options):
        self.graph, self.fixed, self.options = graph, fixed, options
        self.made, self.told = {}, set()

    def _tell(self, text):
        if text not in self.told:
            log.warning("%s", text)
        self.told.add(text)

    def _make(self, inputs):
        """What runs it from now on, and this call's results."""
        before = _versions(inputs)
        want = self.graph(*inputs)
        if _versions(inputs) != before:
            self._tell(f"{_describe(self.graph)} run in PyTorch: inputs are "
                       "written to")
            return self.graph, want
        with torch.random.fork_rng(devices=[]):  # trials are not calls
            return self._try(inputs, want), want

    def _try(self, inputs, want):
        try:
            return _Card(self.graph, inputs, self.fixed, self.options, want)
        except Refused as e:
            reason = e
        try:
            run = _split(_copy(self.graph), inputs, self.options)
            run(*inputs)  # which compiles the parts
            return run
        except Refused as e:
            self._tell(f"{_describe(self.graph)} run in PyTorch: {reason}; "
                       f"{e}")
        return self.graph

    @torch.compiler.disable
    def __call__(self, *inputs):
        if torch.is_grad_enabled() and any(
                t.requires_grad for t in _tensors(inputs)):
            self._tell(f"{_describe(self.graph)} run in PyTorch: gradients "
                       "are wanted; call it under torch.no_grad()")
            return self.graph(*inputs)
        with torch.no_grad():
            key = signature([x for i, x in enumerate(inputs)
                             if i not in self.fixed])
            run = self.made.get(key)
            if run is None or isinstance(run, _Card) and \
                    not run.is_for(inputs):
                self.made[key], result = self._make(inputs)
                return result
            return run(*inputs)


def _copy(graph):
    return torch.fx.GraphModule(graph, copy.deepcopy(graph.graph))


def _is_static(x):
    return isinstance(x, torch.nn.Parameter) or \
        hasattr(x, "_dynamo_static_input_type")


def backend(graph: torch.fx.GraphModule, inputs, *,
            options: Optional[dict] = None) -> Callable:
    """What torch.compile calls with each graph. `options`: those of Options;
    what the graph has of parameters and buffers goes to the card's memory."""
    unknown = set(options or ()) - set(Options._fields)
    if unknown:
        raise Error(f"torch.compile: there is no option {sorted(unknown)}; "
                    f"there are {', '.join(Options._fields)}")
    fixed = {i for i, x in enumerate(inputs) if _is_static(x)}
    return _Graph(graph, fixed, Options(**(options or {})))
