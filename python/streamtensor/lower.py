"""From a function of tensors to linalg-on-tensors text.

torch.export makes the graph, decompositions of our own keep f64, i64 maxima
and integer powers out of it, Torch-MLIR lowers it.
"""

import warnings

import torch
from torch_mlir import fx
from torch_mlir.compiler_utils import OutputType
from torch_mlir.dialects import torch as torch_dialect
from torch_mlir import ir
from torch_mlir.extras.fx_decomp_util import get_decomposition_table
from torch_mlir.extras.fx_importer import FxImporter

from .errors import ExportError

aten = torch.ops.aten


def _layer_norm(x, shape, weight, bias, eps):
    dims = list(range(-len(shape), 0))
    mean = x.mean(dims, keepdim=True)
    d = x - mean
    r = torch.rsqrt((d * d).mean(dims, keepdim=True) + eps)
    y = d * r
    if weight is not None:
        y = y * weight
    if bias is not None:
        y = y + bias
    return y, mean, r


def _softmax(x, dim, half_to_float):
    e = torch.exp(x - x.amax(dim, keepdim=True))
    return e / e.sum(dim, keepdim=True)


def _power(x, exponent):
    if isinstance(exponent, (int, float)) and float(exponent).is_integer() \
            and 1 <= exponent <= 8 and x.is_floating_point():
        y = x
        for _ in range(int(exponent) - 1):
            y = y * x
        return y
    if exponent == 0.5:
        return torch.sqrt(x)
    if exponent == -0.5:
        return torch.rsqrt(x)
    return NotImplemented


def _gelu(x, approximate="none"):
    if approximate == "tanh":
        inner = 0.7978845608028654 * (x + 0.044715 * (x * x * x))
        return 0.5 * x * (1.0 + torch.tanh(inner))
    return 0.5 * x * (1.0 + torch.erf(x * 0.7071067811865476))


def _silu(x):
    return x * torch.sigmoid(x)


def _sigmoid(x):
    return 1.0 / (1.0 + torch.exp(-x))


def _repeat_interleave(x, repeats, dim=None, output_size=None):
    if dim is None:
        x, dim = x.flatten(), 0
    dim %= x.dim()
    shape = list(x.shape)
    y = x.unsqueeze(dim + 1).expand(*shape[:dim + 1], repeats,
                                    *shape[dim + 1:])
    return y.reshape(*shape[:dim], shape[dim] * repeats, *shape[dim + 1:])


def decompositions():
    table = dict(get_decomposition_table())
    table.update({
        aten.native_layer_norm.default: _layer_norm,
        aten._softmax.default: _softmax,
        aten.pow.Tensor_Scalar: _power,
        aten.gelu.default: _gelu,
        aten.silu.default: _silu,
        aten.sigmoid.default: _sigmoid,
        aten.repeat_interleave.self_int: _repeat_interleave,
    })
    return table


def _is_check(node):
    name = str(node.target)
    return node.op == "call_function" and ("_assert" in name or
                                           "sym_constrain" in name)


def clean(program):
    """Drop run-time checks of sizes: the package states their ranges."""
    graph = program.graph_module.graph
    for node in reversed(list(graph.nodes)):
        if _is_check(node):
            graph.erase_node(node)
    graph.eliminate_dead_code()
    program.graph_module.recompile()
    return program


def export(module, args, dynamic_shapes=None):
    """The exported program of module(*args), decomposed and cleaned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.export.export(
                module, args, dynamic_shapes=dynamic_shapes, strict=False,
                prefer_deferred_runtime_asserts_over_guards=True)
        except ExportError:
            raise
        except Exception as e:
            raise ExportError("torch.export cannot trace the model: "
                              f"{type(e).__name__}: {e}") from e
        program = program.run_decompositions(decompositions())
    return clean(program)


def to_linalg(program, entry):
    """The text of the program as one function named `entry`."""
    context = ir.Context()
    torch_dialect.register_dialect(context)
    importer = FxImporter(context=context)
    try:
        importer.import_frozen_program(program, func_name=entry)
        module = fx._module_lowering(False, False,
                                     OutputType.LINALG_ON_TENSORS,
                                     importer.module)
    except ExportError:
        raise
    except Exception as e:
        raise ExportError(f"Torch-MLIR cannot lower the model: {e}") from e
    return module.operation.get_asm(enable_debug_info=True)
