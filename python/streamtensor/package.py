"""Packages: linalg text, weights, model.json (doc/package.md)."""

import json
import os
import shutil
import tempfile

import torch
from safetensors.torch import save_file

from .errors import ExportError

DTYPES = {
    torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
    torch.int64: "i64", torch.int32: "i32", torch.int8: "i8",
    torch.bool: "i1",
}


def dtype_name(dtype):
    if dtype not in DTYPES:
        raise ExportError(f"tensors of type {dtype} are not supported")
    return DTYPES[dtype]


def port(name, role, tensor_dtype, shape, **more):
    """One entry of model.json's arguments or results."""
    return {"name": name, "role": role, "dtype": dtype_name(tensor_dtype),
            "shape": list(shape), **more}


def write(path, model, text, weights, extra_files=()):
    """Write the package in one step; an old package is replaced.

    weights: name -> tensor, or None for a package without; extra_files:
    (name, source path or bytes).
    """
    path = os.path.abspath(path)
    if os.path.exists(path) and not os.path.exists(
            os.path.join(path, "model.json")) and os.listdir(path):
        raise ExportError(f"{path} exists and is not a package; "
                          "choose another name for -o")
    parent = os.path.dirname(path)
    os.makedirs(parent, exist_ok=True)
    temporary = tempfile.mkdtemp(prefix=os.path.basename(path) + ".tmp-",
                                 dir=parent)
    try:
        os.chmod(temporary, 0o755)
        with open(os.path.join(temporary, "model.mlir"), "w") as f:
            f.write(text)
        if weights is not None:
            save_file(weights, os.path.join(temporary, "weights.safetensors"))
            os.chmod(os.path.join(temporary, "weights.safetensors"), 0o644)
        for name, source in extra_files:
            target = os.path.join(temporary, name)
            if isinstance(source, bytes):
                with open(target, "wb") as f:
                    f.write(source)
            else:
                shutil.copyfile(source, target)
        with open(os.path.join(temporary, "model.json"), "w") as f:
            json.dump(model, f, indent=1)
            f.write("\n")
        if os.path.exists(path):
            old = temporary + ".old"
            os.rename(path, old)
            os.rename(temporary, path)
            shutil.rmtree(old)
        else:
            os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
