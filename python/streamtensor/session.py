"""Builds from Python: compile a package, run it on a device."""

import ctypes
import os
from typing import Iterator, NamedTuple, Optional, Sequence

import numpy as np

from .errors import Error
from .sampling import Sampler


class Step(NamedTuple):
    """One step of generation.

    token: the choice after the step, the most likely token unless a sampler
    chose; logits: [vocab] f32 of its last position; tokens: how many the step
    took; cycles and bytes: what the device tells of it, or -1.
    """

    token: int
    logits: np.ndarray
    tokens: int
    cycles: int
    bytes: int


_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(os.path.dirname(_HERE))


def _find_library():
    given = os.environ.get("STREAMTENSOR_LIBRARY")
    if given:
        return given
    for path in (os.path.join(_HERE, "libstreamtensor.so"),
                 os.path.join(_ROOT, "build", "libstreamtensor.so")):
        if os.path.exists(path):
            return path
    raise Error("libstreamtensor.so is not built; run make build")


def _load():
    # The library looks above the executable, which is Python's here.
    for above in (_HERE, _ROOT):
        targets = os.path.join(above, "targets")
        if os.path.isdir(targets):
            os.environ.setdefault("STREAMTENSOR_TARGETS", targets)
            break
    lib = ctypes.CDLL(_find_library())
    handle, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    i64 = ctypes.c_int64
    lib.st_compile.argtypes = [text] * 5 + [text, size]
    lib.st_session_open.argtypes = [text, text, text, size]
    lib.st_session_open.restype = handle
    lib.st_session_step.argtypes = [handle, ctypes.POINTER(i64), ctypes.c_int,
                                    ctypes.POINTER(ctypes.c_float), text, size]
    lib.st_session_run.argtypes = [handle, text, text, text, size]
    lib.st_session_trace.argtypes = [handle, text, text, size]
    lib.st_session_eos.argtypes = [handle, ctypes.c_int]
    lib.st_session_eos.restype = i64
    for name in ("vocab", "context", "chunk", "bos", "position", "cycles",
                 "bytes"):
        function = getattr(lib, "st_session_" + name)
        function.argtypes, function.restype = [handle], i64
    for name in ("clock_mhz", "memory_peak"):
        function = getattr(lib, "st_session_" + name)
        function.argtypes, function.restype = [handle], ctypes.c_double
    for name in ("close", "reset"):
        function = getattr(lib, "st_session_" + name)
        function.argtypes, function.restype = [handle], None
    return lib


_library = None


def library():
    global _library
    if _library is None:
        _library = _load()
    return _library


def _error():
    return ctypes.create_string_buffer(8192)


def compile_package(package: str, build: str, target: str = "u55c",
                    quantisation: str = "f32",
                    kv: Optional[str] = None) -> None:
    """What `compile` does with packages."""
    message = _error()
    if library().st_compile(package.encode(), build.encode(), target.encode(),
                            quantisation.encode(),
                            kv.encode() if kv else None, message,
                            len(message)):
        raise Error(message.value.decode().rstrip())


class Session:
    """A build on a device: "sim", "interp", "hls", "rtl" or "timing" (cycles
    only)."""

    def __init__(self, build: str, device: str = "sim"):
        self._lib = library()
        message = _error()
        self._handle = self._lib.st_session_open(
            build.encode(), device.encode(), message, len(message))
        if not self._handle:
            raise Error(message.value.decode().rstrip())
        self.vocab = self._lib.st_session_vocab(self._handle)
        self.context = self._lib.st_session_context(self._handle)
        self.chunk = self._lib.st_session_chunk(self._handle)
        self.bos = self._lib.st_session_bos(self._handle)
        self.clock_mhz = self._lib.st_session_clock_mhz(self._handle)
        self.memory_peak = self._lib.st_session_memory_peak(self._handle)
        self.eos = []
        while (token := self._lib.st_session_eos(self._handle,
                                                 len(self.eos))) >= 0:
            self.eos.append(token)

    def close(self) -> None:
        if self._handle:
            self._lib.st_session_close(self._handle)
            self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def __del__(self):
        if getattr(self, "_handle", None):
            self.close()

    @property
    def position(self) -> int:
        """Tokens in the context."""
        return self._lib.st_session_position(self._handle)

    def reset(self) -> None:
        """Forget the context."""
        self._lib.st_session_reset(self._handle)

    def step(self, tokens: Sequence[int]) -> Step:
        """Append 1 to `chunk` tokens to the context."""
        n = len(tokens)
        ids = (ctypes.c_int64 * max(n, 1))(*tokens)
        logits = np.empty(max(self.vocab, 1), dtype=np.float32)
        message = _error()
        if self._lib.st_session_step(
                self._handle, ids, n,
                logits.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
                message, len(message)):
            raise Error(message.value.decode().rstrip())
        return Step(int(np.argmax(logits)), logits, n, self.cycles, self.bytes)

    def run(self, inputs: str, outputs: str) -> None:
        """Run a build that is not a language model once, from one safetensors
        file to another."""
        message = _error()
        if self._lib.st_session_run(self._handle, inputs.encode(),
                                    outputs.encode(), message, len(message)):
            raise Error(message.value.decode().rstrip())

    @property
    def cycles(self) -> int:
        """Of the last step; -1 where the device does not tell."""
        return self._lib.st_session_cycles(self._handle)

    @property
    def bytes(self) -> int:
        """Moved to and from memory in the last step, or -1."""
        return self._lib.st_session_bytes(self._handle)

    def trace(self, path: str) -> None:
        """Write what happened in the cycles of every step since the session
        was opened or reset, or of the last run, for Perfetto
        (ui.perfetto.dev)."""
        message = _error()
        if self._lib.st_session_trace(self._handle, os.fsencode(path), message,
                                      len(message)):
            raise Error(message.value.decode().rstrip())

    def generate(self, prompt: Sequence[int], n: int,
                 stop: Optional[Sequence[int]] = None, *,
                 temperature: float = 0.0, top_k: int = 0, top_p: float = 1.0,
                 seed: Optional[int] = None,
                 sampler: Optional[Sampler] = None) -> Iterator[Step]:
        """The prompt in chunks, then up to n tokens, as they come.

        Yields a Step for each chunk of the prompt but the last (its token
        means nothing), then one for each token made. `stop`: tokens that end
        the text (default: none, n tokens are made). Tokens are the most likely
        ones, or chosen as Sampler says, by one of your own if `sampler` is
        given.
        """
        if not prompt:
            raise Error("the prompt is empty; give at least one token")
        choose = sampler or Sampler(temperature, top_k, top_p, seed)
        at = 0
        while at < len(prompt):
            piece = list(prompt[at:at + self.chunk])
            at += len(piece)
            step = self.step(piece)
            if at < len(prompt):
                yield step
        for i in range(n):
            step = step._replace(token=choose(step.logits))
            yield step
            if i + 1 == n or (stop and step.token in stop):
                return
            step = self.step([step.token])
