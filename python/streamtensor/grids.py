"""Weights that lie on a grid already: integer codes, and a scale (and minimum)
for each group, beside the floats that they stand for (doc/package.md)."""

import hashlib
from typing import NamedTuple, Optional

import numpy as np
import torch


class Grid(NamedTuple):
    """w = codes * scales (+ mins), groups along `axis`, which is last here.

    codes: int8 [dims but the axis, groups, elements]; with mins, those of 4
    bits are unsigned and kept as their low 4 bits, sign extended. scales, mins:
    float16 [dims but the axis, groups].
    """

    bits: int
    axis: int
    codes: np.ndarray
    scales: np.ndarray
    mins: Optional[np.ndarray]

    def weights(self):
        """float32, the dims in their own order."""
        codes = self.codes
        if self.mins is not None and self.bits == 4:
            codes = codes & 15
        w = codes.astype(np.float32) * self.scales.astype(np.float32)[
            ..., None]
        if self.mins is not None:
            w += self.mins.astype(np.float32)[..., None]
        return np.moveaxis(w.reshape(*w.shape[:-2], -1), -1, self.axis)

    def tensors(self, name):
        """What the weights of a package hold of it."""
        parts = {"codes": self.codes, "scales": self.scales, "mins": self.mins}
        return {f"{name}.{what}": torch.from_numpy(np.ascontiguousarray(part))
                for what, part in parts.items() if part is not None}

    def describe(self):
        """What model.json says of it."""
        return {"bits": self.bits, "group": self.codes.shape[-1],
                "axis": self.axis, "mins": self.mins is not None}


# ---- GGUF ------------------------------------------------------------------

BLOCK = 32  # weights in a block of the types below


def _nibbles(packed):
    """16 bytes a block: the low halves are the first weights."""
    return np.concatenate([packed & 15, packed >> 4], -1)


def _five_bits(high, packed):
    """The fifth bits are a little-endian word."""
    bits = np.unpackbits(high, axis=-1, bitorder="little")
    return _nibbles(packed) | bits << 4


def _unsigned4(codes):
    """0 .. 15 as the low 4 bits of an int8, sign extended."""
    return ((codes ^ 8).astype(np.int8) - np.int8(8)).astype(np.int8)


def _signed(codes, zero):
    return codes.astype(np.int8) - np.int8(zero)


# Type -> bits of codes, f16 numbers ahead of them, codes of the rest of blocks.
TYPES = {
    "Q4_0": (4, 1, lambda b: _signed(_nibbles(b), 8)),
    "Q4_1": (4, 2, lambda b: _unsigned4(_nibbles(b))),
    "Q5_0": (8, 1, lambda b: _signed(_five_bits(b[..., :4], b[..., 4:]), 16)),
    "Q5_1": (8, 2, lambda b: _signed(_five_bits(b[..., :4], b[..., 4:]), 0)),
    "Q8_0": (8, 1, lambda b: b.view(np.int8)),
}
PLAIN = {"F32", "F16", "BF16"}


def unpack(kind, data):
    """The rows of a GGUF tensor (bytes [rows, bytes of a row]) as a Grid."""
    bits, numbers, decode = TYPES[kind]
    size = 2 * numbers + {"Q4": 16, "Q5": 20, "Q8": 32}[kind[:2]]
    blocks = np.ascontiguousarray(data).reshape(len(data), -1, size)
    head = np.ascontiguousarray(blocks[..., :2 * numbers]).view(np.float16)
    codes = decode(np.ascontiguousarray(blocks[..., 2 * numbers:]))
    return Grid(bits, 1, codes, head[..., 0],
                head[..., 1] if numbers == 2 else None)


def _digests(matrix):
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest()
            for row in np.ascontiguousarray(matrix)]


class GgufRows:
    """The rows of the quantised tensors of a GGUF file, found by the floats
    that they stand for: whatever reading a checkpoint did to the order of rows,
    or to which tensor they are in, a row is found again."""

    def __init__(self, path):
        from gguf import GGUFReader
        self.tensors = {t.name: t for t in GGUFReader(path).tensors}
        self.unused = {}  # name of a quantised tensor -> its type
        self.rows = {}  # (bits, with mins) -> digest -> (name, row)
        self.unpacked = (None, None)
        for name, t in self.tensors.items():
            kind = t.tensor_type.name
            if kind in PLAIN:
                continue
            self.unused[name] = kind
            if kind not in TYPES:
                continue
            grid = self.unpack(name)
            known = self.rows.setdefault(
                (grid.bits, grid.mins is not None), {})
            for row, digest in enumerate(_digests(grid.weights())):
                known.setdefault(digest, (name, row))

    def unpack(self, name):
        if self.unpacked[0] != name:
            t = self.tensors[name]
            data = t.data.reshape(-1, t.data.shape[-1])
            self.unpacked = name, unpack(t.tensor_type.name, data)
        return self.unpacked[1]

    def _gather(self, places):
        """Rows [(name, row)] of one kind of grid."""
        names = np.array([name for name, _ in places])
        rows = np.array([row for _, row in places])
        out = None
        for name in dict.fromkeys(names.tolist()):
            here = names == name
            grid = self.unpack(name)
            self.unused.pop(name, None)
            parts = [grid.codes, grid.scales, grid.mins]
            if out is None:
                out = [None if p is None else
                       np.empty((len(rows), *p.shape[1:]), p.dtype)
                       for p in parts]
            for to, p in zip(out, parts):
                if p is not None:
                    to[here] = p[rows[here]]
        return grid.bits, out

    def find(self, weights):
        """The Grid of a float32 array whose every row along one of its last two
        dims is a row of the file; None if there is none."""
        for axis in (weights.ndim - 1, weights.ndim - 2):
            if weights.shape[axis] % BLOCK:
                continue
            last = np.moveaxis(weights, axis, -1)
            digests = _digests(last.reshape(-1, last.shape[-1]))
            for known in self.rows.values():
                if not all(d in known for d in digests):
                    continue
                bits, parts = self._gather([known[d] for d in digests])
                shape = last.shape[:-1]
                grid = Grid(bits, axis, *(
                    None if p is None else p.reshape(*shape, *p.shape[1:])
                    for p in parts))
                if np.array_equal(grid.weights(), weights):
                    return grid
        return None


def from_gguf(path, params):
    """Name -> Grid of the parameters (name -> float32 tensor) whose weights are
    on the grid that the file has, exactly; and the name and type of the
    quantised tensors of the file that no such parameter uses."""
    file = GgufRows(path)
    found = {}
    for name, t in params.items():
        if t.dim() < 2 or t.dtype != torch.float32 or not t.numel():
            continue
        grid = file.find(t.detach().numpy())
        if grid is not None:
            found[name] = grid
    return found, file.unused
