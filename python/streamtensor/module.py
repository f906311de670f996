"""A PyTorch module on the simulated card: compiled for its example inputs,
called like the module."""

import os
import shutil
import tempfile
import weakref
from typing import Callable, Optional

import torch
from safetensors.torch import load_file, save_file
from torch.utils import _pytree as pytree

from . import export as exporter
from . import session
from .errors import Error, ExportError


def _tensors(tree):
    return [t for t in pytree.tree_leaves(tree)
            if isinstance(t, torch.Tensor)]


class _Function(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


def signature(inputs):
    """What a compiled module is for: nesting, shapes, types, and whatever is
    not a tensor."""
    leaves, tree = pytree.tree_flatten(inputs)
    return tree, tuple(
        (tuple(x.shape), x.dtype) if isinstance(x, torch.Tensor) else
        (type(x), x) for x in leaves)


def _show(inputs):
    return ", ".join(
        f"{str(t.dtype).removeprefix('torch.')} {list(t.shape)}"
        for t in _tensors(inputs))


class CompiledModule:
    """A module for inputs like the example's; made by streamtensor.compile.

    cycles and bytes: of the last call, as in Step.
    """

    def __init__(self, module: Callable, inputs: tuple,
                 build: Optional[str] = None, target: str = "u55c",
                 quantisation: str = "f32", kv: Optional[str] = None,
                 device: str = "sim"):
        """Export and compile; raises Error. Without `build` the files go
        when this object does."""
        inputs = tuple(inputs)
        if not isinstance(module, torch.nn.Module):
            module = _Function(module)
        self.cycles = self.bytes = -1
        self._signature, self._inputs = signature(inputs), _show(inputs)
        self._directory = tempfile.mkdtemp(prefix="streamtensor-")
        self._remove = weakref.finalize(self, shutil.rmtree, self._directory,
                                        True)
        package = os.path.join(self._directory, "package")
        self.build = build or os.path.join(self._directory, "build")
        if build:  # a build reads its parameters where the package is
            package = build + ".st"
        try:
            results = exporter.export_function(module, inputs, package)
        except ExportError as e:
            raise Error(str(e)) from e
        leaves, self._tree = pytree.tree_flatten(results)
        self._names = [n for n, _ in exporter.named_results(results)]
        self._is_tensor = [isinstance(x, torch.Tensor) for x in leaves]
        session.compile_package(package, self.build, target, quantisation, kv)
        self._session = session.Session(self.build, device)

    def close(self) -> None:
        """Give back the device; temporary files go."""
        self._session.close()
        self._remove()

    def __call__(self, *inputs):
        """What the module returns for these inputs."""
        if signature(inputs) != self._signature:
            raise Error(f"compiled for {self._inputs}, not for "
                        f"{_show(inputs)}; compile the module again")
        given, made = (os.path.join(self._directory, name)
                       for name in ("in", "out"))
        save_file({f"input{i}": t.detach().clone().contiguous()
                   for i, t in enumerate(_tensors(inputs))}, given)
        self._session.run(given, made)
        self.cycles, self.bytes = self._session.cycles, self._session.bytes
        found = load_file(made)
        results = iter([found[name] for name in self._names])
        return pytree.tree_unflatten(
            [next(results) if tensor else None
             for tensor in self._is_tensor], self._tree)
