"""StreamTensor: PyTorch models as streaming dataflow accelerators."""

import os
from typing import TYPE_CHECKING, Optional, overload

from .errors import Error
from .sampling import Sampler
from .session import Session, Step, compile_package

if TYPE_CHECKING:
    from torch.nn import Module

    from .dynamo import backend
    from .module import CompiledModule

__all__ = ["Error", "Sampler", "Session", "Step", "backend", "compile"]
__version__ = "0.1.0"


@overload
def compile(model: "str | os.PathLike", to: "str | os.PathLike",
            target: str = "u55c", quantisation: str = "f32",
            kv: Optional[str] = None) -> None: ...


@overload
def compile(model: "Module", to: tuple, target: str = "u55c",
            quantisation: str = "f32", kv: Optional[str] = None, *,
            build: Optional[str] = None,
            device: str = "sim") -> "CompiledModule": ...


def compile(model, to, target="u55c", quantisation="f32", kv=None, *,
            build=None, device="sim"):
    """Compile a package into a build, or a module for example inputs.

    compile("my.st", "my.build") compiles a package directory into a build
    directory. compile(module, example_inputs) exports and compiles the module
    (or function) for tensors of these shapes; the result is called like the
    module and runs on `device`. Its files go with it unless `build` names a
    directory for them. Raises Error.

    quantisation is "f32", "w8a8" or "w4a8"; kv, the type of caches, is "f32",
    "f16" or "int8", by default int8 if weights become integers.
    """
    if isinstance(model, (str, os.PathLike)):
        return compile_package(os.fspath(model), os.fspath(to), target,
                               quantisation, kv)
    from .module import CompiledModule
    return CompiledModule(model, to, build, target, quantisation, kv, device)


def __getattr__(name):
    """`backend`, for torch.compile, without PyTorch until it is wanted."""
    if name == "backend":
        from .dynamo import backend
        return backend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
