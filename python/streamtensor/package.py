"""Packages: linalg text, weights, model.json (doc/package.md)."""

import ctypes
import itertools
import json
import math
import os
import re
import shutil
import time

import torch

from .errors import ExportError

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of Linux
STALE_SECONDS = 3600

DTYPES = {
    torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
    torch.int64: "i64", torch.int32: "i32", torch.int8: "i8",
    torch.bool: "i1",
}
SAFETENSORS = {"f32": "F32", "f16": "F16", "bf16": "BF16", "i64": "I64",
               "i32": "I32", "i8": "I8", "i1": "BOOL"}
ITEM_BYTES = {"f32": 4, "f16": 2, "bf16": 2, "i64": 8, "i32": 4, "i8": 1,
              "i1": 1}


def dtype_name(dtype):
    if dtype not in DTYPES:
        raise ExportError(f"tensors of type {dtype} are not supported")
    return DTYPES[dtype]


def port(name, role, tensor_dtype, shape, **more):
    """One entry of model.json's arguments or results."""
    return {"name": name, "role": role, "dtype": dtype_name(tensor_dtype),
            "shape": list(shape), **more}


MARKER = "model.json"


def check_output(path):
    """Only a package or an empty directory is replaced."""
    path = os.path.abspath(path)
    if not os.path.lexists(path):
        at = os.path.dirname(path)
        while not os.path.lexists(at):
            at = os.path.dirname(at)
        if not os.path.isdir(at):
            raise ExportError(f"-o {path}: {at} is not a directory; "
                              "choose another place")
        return
    if not os.path.isdir(path) or (os.listdir(path) and not os.path.exists(
            os.path.join(path, MARKER))):
        raise ExportError(f"-o {path} exists and is not a package; "
                          "choose another name, or remove it first")


def _is_stale(path, process):
    """Its process is gone, or so old that the number is another's."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    try:
        return time.time() - os.stat(path).st_mtime > STALE_SECONDS
    except OSError:
        return False


def remove_stale(path):
    """What killed exports left beside `path`."""
    parent, name = os.path.split(path)
    pattern = re.compile(re.escape(name) + r"\.tmp-(\d{1,9})-\d+")
    for entry in os.listdir(parent):
        match = pattern.fullmatch(entry)
        left = os.path.join(parent, entry)
        if match and _is_stale(left, int(match[1])):
            shutil.rmtree(left, ignore_errors=True)


def _make_temporary(path):
    for i in itertools.count():
        temporary = f"{path}.tmp-{os.getpid()}-{i}"
        try:
            os.mkdir(temporary)
            return temporary
        except FileExistsError:
            pass


def _exchange(a, b):
    """Both names at once where the file system can, else one by one."""
    exchange = getattr(ctypes.CDLL(None), "renameat2", None)
    if exchange and exchange(AT_FDCWD, os.fsencode(a), AT_FDCWD,
                             os.fsencode(b), RENAME_EXCHANGE) == 0:
        return
    old = a + "-old"
    os.rename(b, old)
    os.rename(a, b)
    os.rename(old, a)


def _with_grids(ports, weights):
    """The parameters among `ports`, and the tensors of their grids."""
    for p in ports:
        if p["role"] != "param":
            continue
        yield p
        for what in ("codes", "scales", "mins") if "grid" in p else ():
            name = f"{p['name']}.{what}"
            if name in weights:
                t = weights[name]
                yield port(name, "param", t.dtype, t.shape)


def save_weights(path, ports, weights):
    """A safetensors file of the parameters among `ports`, one at a time, and of
    their grids.

    weights: name -> tensor, or a function that makes it.
    """
    ports = sorted(_with_grids(ports, weights),
                   key=lambda p: (-ITEM_BYTES[p["dtype"]], p["name"]))
    header, at = {}, 0
    for p in ports:
        size = math.prod(p["shape"]) * ITEM_BYTES[p["dtype"]]
        header[p["name"]] = {"dtype": SAFETENSORS[p["dtype"]],
                             "shape": p["shape"],
                             "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for p in ports:
            t = weights[p["name"]]
            t = t() if callable(t) else t
            f.write(t.contiguous().reshape(-1).view(torch.uint8).numpy())


def _fill(directory, model, text, weights, extra_files):
    with open(os.path.join(directory, "model.mlir"), "w") as f:
        f.write(text)
    if weights is not None:
        save_weights(os.path.join(directory, "weights.safetensors"),
                     model["arguments"], weights)
    for name, source in extra_files:
        target = os.path.join(directory, name)
        if isinstance(source, bytes):
            with open(target, "wb") as f:
                f.write(source)
        else:
            shutil.copyfile(source, target)
    with open(os.path.join(directory, MARKER), "w") as f:
        json.dump(model, f, indent=1)
        f.write("\n")


def write(path, model, text, weights, extra_files=()):
    """Write the package in one step; an old package is replaced.

    weights: name -> tensor or function that makes it, or None for a package
    without; extra_files: (name, source path or bytes).
    """
    check_output(path)
    path = os.path.realpath(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    remove_stale(path)
    temporary = _make_temporary(path)
    try:
        _fill(temporary, model, text, weights, extra_files)
        if os.path.exists(path):
            _exchange(temporary, path)
            shutil.rmtree(temporary)
        else:
            os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
