"""From a function of tensors to linalg-on-tensors text.

torch.export makes the graph, decompositions of our own keep f64, i64 maxima
and integer powers out of it, Torch-MLIR lowers it.
"""

import os
import re
import sys
import warnings

import torch
from torch.export.graph_signature import InputKind, OutputKind
from torch.utils import _pytree as pytree
from torch_mlir import fx
from torch_mlir.compiler_utils import OutputType
from torch_mlir.dialects import torch as torch_dialect
from torch_mlir import ir
from torch_mlir.extras.fx_decomp_util import get_decomposition_table
from torch_mlir.extras.fx_importer import FxImporter

from .errors import ExportError

aten = torch.ops.aten
COPIES = {aten.clone.default, aten.lift_fresh_copy.default,
          aten._to_copy.default}
MOST_SLICES = 8


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


def _group_norm(x, weight, bias, N, C, HxW, group, eps):
    y, mean, r = _layer_norm(x.reshape(N, group, -1), [C // group * HxW],
                             None, None, eps)
    y = y.reshape(x.shape)
    each = [1, C] + [1] * (x.dim() - 2)
    if weight is not None:
        y = y * weight.reshape(each)
    if bias is not None:
        y = y + bias.reshape(each)
    return y, mean.reshape(N, group), r.reshape(N, group)


def _erfc(x):
    return 1.0 - torch.erf(x)


# ---- moving data -----------------------------------------------------------
# What neither splits of dims nor a stored table's lookup can express is a sum
# over all positions of which one is chosen: more work, and exact.


def _chosen(x, keep, dim):
    """Sum over `dim` of x where keep."""
    if x.dtype == torch.bool:
        return torch.where(keep, x.to(torch.int64), 0).sum(dim) > 0
    return torch.where(keep, x, torch.zeros((), dtype=x.dtype)).sum(
        dim, dtype=x.dtype)


def _pick(x, dim, index):
    """x at the positions `index` [m] along `dim`."""
    dim %= x.dim()
    keep = index.unsqueeze(1) == torch.arange(x.shape[dim])
    keep = keep.reshape(keep.shape + (1,) * (x.dim() - 1 - dim))
    return _chosen(x.unsqueeze(dim), keep, dim + 1)


def _flip(x, dims):
    for dim in dims:
        x = _pick(x, dim, x.shape[dim] - 1 - torch.arange(x.shape[dim]))
    return x


def _slice(x, dim=0, start=None, end=None, step=1):
    n = x.shape[dim]
    if step == 1 or not isinstance(n, int) or n % step == 0:
        return NotImplemented
    at = range(n)[slice(start, end, step)]
    return _pick(x, dim, torch.arange(len(at)) * step + at.start)


def _diagonal(x, offset=0, dim1=0, dim2=1):
    x = x.movedim((dim1, dim2), (-2, -1))
    rows, columns = x.shape[-2:]
    first = max(0, -offset)
    n = max(0, min(rows - first, columns - max(0, offset)))
    at = torch.arange(n) + (first + offset)
    return _chosen(x.narrow(-2, first, n),
                   at.unsqueeze(1) == torch.arange(columns), -1)


def _topk(x, k, dim=-1, largest=True, sorted=True):
    """By the rank of each element: how many come before it."""
    if not x.dim() or not isinstance(x.shape[dim], int):
        return NotImplemented
    x = x.movedim(dim, -1)
    at = torch.arange(x.shape[-1])
    a, b = x.unsqueeze(-1), x.unsqueeze(-2)
    before = (b > a if largest else b < a) | (
        (b == a) & (at < at.unsqueeze(1)))
    rank = torch.where(before, 1, 0).sum(-1)
    keep = rank.unsqueeze(-2) == torch.arange(k).unsqueeze(1)
    return (_chosen(x.unsqueeze(-2), keep, -1).movedim(-1, dim),
            _chosen(at, keep, -1).movedim(-1, dim))


def _gather(x, dim, index, sparse_grad=False):
    if not x.dim():
        return NotImplemented
    dim %= x.dim()
    for d in range(x.dim()):
        if d != dim:
            x = x.narrow(d, 0, index.shape[d])
    x = x.movedim(dim, -1).unsqueeze(dim)
    keep = index.unsqueeze(-1) == torch.arange(x.shape[-1])
    return _chosen(x, keep, -1)


def _cumsum(x, dim, dtype=None):
    if not x.dim():
        return NotImplemented
    dim %= x.dim()
    if x.dtype == torch.bool:
        x = x.to(torch.int64)
    i = torch.arange(x.shape[dim])
    keep = i <= i.unsqueeze(1)
    keep = keep.reshape(keep.shape + (1,) * (x.dim() - 1 - dim))
    y = _chosen(x.unsqueeze(dim), keep, dim + 1)
    return y if dtype is None else y.to(dtype)


def _unfold(x, dim, size, step):
    dim %= max(x.dim(), 1)
    n = (x.shape[dim] - size) // step + 1
    parts = [x.narrow(dim, i * step, size) for i in range(n)]
    return torch.stack(parts, dim).movedim(dim + 1, -1)


def _rows(lookup, index):
    """lookup of an index of several dims, one row after another."""
    wide = [n for n in index.shape if not (isinstance(n, int) and n == 1)]
    if len(wide) < 2 or not all(isinstance(n, int) for n in wide[:-1]):
        return NotImplemented
    rows = index.reshape(-1, wide[-1])
    y = torch.stack([lookup(rows[i]) for i in range(rows.shape[0])])
    return y.reshape(*index.shape, *y.shape[2:])


def _embedding(weight, index, padding_idx=-1, scale=False, sparse=False):
    return _rows(lambda i: torch.embedding(weight, i), index)


def _index(x, indices):
    if indices[0] is None or any(i is not None for i in indices[1:]) or \
            indices[0].dtype == torch.bool:
        return NotImplemented
    return _rows(lambda i: x[i], indices[0])


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
        aten.native_group_norm.default: _group_norm,
        aten.erfc.default: _erfc,
        aten.special_erfc.default: _erfc,
        aten.flip.default: _flip,
        aten.slice.Tensor: _slice,
        aten.diagonal.default: _diagonal,
        aten.gather.default: _gather,
        aten.topk.default: _topk,
        aten.cumsum.default: _cumsum,
        aten.unfold.default: _unfold,
        aten.embedding.default: _embedding,
        aten.index.Tensor: _index,
    })
    return table


def _stored(program, node):
    """The values of an index that is stored in the program, or None."""
    while isinstance(node, torch.fx.Node) and node.target in COPIES:
        node = node.args[0]
    names = program.graph_signature.inputs_to_lifted_tensor_constants
    if not isinstance(node, torch.fx.Node) or node.name not in names:
        return None
    value = program.constants[names[node.name]]
    return None if value.dim() != 1 or value.dtype == torch.bool else \
        value.tolist()


def _runs(values):
    """[first, end) of each run of consecutive values."""
    runs = []
    for v in values:
        if runs and runs[-1][1] == v:
            runs[-1][1] = v + 1
        else:
            runs.append([v, v + 1])
    return runs


def _sliced(graph, x, dim, runs):
    """x at the runs of positions along dim."""
    parts = []
    for start, end in runs:
        part = graph.call_function(aten.slice.Tensor, (x, dim, start, end))
        part.meta["val"] = part.target(x.meta["val"], *part.args[1:])
        parts.append(part)
    return parts[0] if len(parts) == 1 else graph.call_function(
        aten.cat.default, (parts, dim))


def slice_stored(program):
    """Slices instead of lookups at a few stored positions."""
    graph = program.graph
    for node in list(graph.nodes):
        if node.target is not aten.index.Tensor:
            continue
        x, indices = node.args
        dims = [d for d, i in enumerate(indices) if i is not None]
        values = _stored(program, indices[dims[0]]) if len(dims) == 1 else None
        if not values or not isinstance(x.meta["val"].shape[dims[0]], int):
            continue
        extent = x.meta["val"].shape[dims[0]]
        runs = _runs([v % extent for v in values])
        if len(runs) > MOST_SLICES:
            continue
        with graph.inserting_before(node):
            new = _sliced(graph, x, dims[0], runs)
        new.meta.update(node.meta)
        node.replace_all_uses_with(new)
        graph.erase_node(node)


def _is_check(node):
    name = str(node.target)
    return node.op == "call_function" and ("_assert" in name or
                                           "sym_constrain" in name)


# ---- places ----------------------------------------------------------------

_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
# Where operations pass through, and say nothing about the model.
_MACHINERY = re.compile(r"<|torch/(fx|export|_\w+)/|torch/_\w+\.py$")


def _place(path, roots):
    """The name of a source file, the same wherever it is installed; None for
    the exporter's own and for machinery of torch."""
    own = os.path.dirname(os.path.abspath(__file__)) + os.sep
    if path.startswith((own, "<")):
        return None
    within = [r for r in roots if path.startswith(r)]
    name = path[len(max(within, key=len)):] if within else \
        os.path.basename(path) if os.path.isabs(path) else path
    return None if _MACHINERY.match(name) else name


def _name_places(graph, root):
    """The stack of each operation: what of it is the model's or torch's
    source, with files named from `root`, the user's directory, or from where
    Python finds modules."""
    roots = [os.path.join(os.path.abspath(r), "") for r in
             [*sys.path, root or "."]]
    for node in graph.nodes:
        frames = _FRAME.findall(node.meta.get("stack_trace") or "")
        named = [(_place(path, roots), line) for path, line in frames]
        node.meta["stack_trace"] = "\n".join(
            f'File "{name}", line {line}, in forward'
            for name, line in named if name) or None


def clean(program, root=None):
    """Drop run-time checks of sizes: the package states their ranges."""
    graph = program.graph_module.graph
    _name_places(graph, root)
    for node in reversed(list(graph.nodes)):
        if _is_check(node):
            graph.erase_node(node)
    graph.eliminate_dead_code()
    program.graph_module.recompile()
    return program


def _refuse_state(program):
    for spec in program.graph_signature.output_specs:
        if spec.kind != OutputKind.USER_OUTPUT:
            raise ExportError("the model changes "
                              f"'{spec.target or spec.arg.name}' as it runs; "
                              "a step must be a function of its arguments")


def drop_unused(program, names):
    """Remove what is unused of the first inputs, the parameters `names`, in
    their order; the names of those left."""
    graph, specs = program.graph, program.graph_signature.input_specs
    flat = {s.arg.name: n for s, n in zip(
        [s for s in specs if s.kind is InputKind.USER_INPUT], names)}
    unused = [n for n in graph.nodes if n.op == "placeholder" and
              n.name in flat and not n.users]
    for node in unused:
        graph.erase_node(node)
    gone = {node.name for node in unused}
    specs[:] = [s for s in specs if s.arg.name not in gone]
    program.graph_module.recompile()
    return [name for at, name in flat.items() if at not in gone]


def run(program, args):
    """The results of a program that `export` returned."""
    given = iter(pytree.tree_leaves(args))
    stored = {**program.state_dict, **program.constants}
    flat = [next(given) if s.kind is InputKind.USER_INPUT else
            stored[s.target] for s in program.graph_signature.input_specs]
    return torch.fx.Interpreter(program.graph_module).run(*flat)


def export(module, args, dynamic_shapes=None, root=None):
    """The exported program of module(*args), decomposed and cleaned. `root`
    is the directory of the user's sources, which places are named from."""
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
    _refuse_state(program)
    slice_stored(program)
    return clean(program, root)


def _apart(work):
    """work() in a process of its own, since Torch-MLIR can crash: its text,
    and the status that the process ended with."""
    into, out = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(into)
            torch.set_num_threads(1)  # threads are not there after a fork
            with open(out, "w", encoding="utf-8") as f:
                try:
                    f.write(work())
                    status = 0
                except ExportError as e:
                    f.write(str(e))
        finally:
            os._exit(status)
    os.close(out)
    with open(into, encoding="utf-8") as f:
        text = f.read()
    return text, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def to_linalg(program, entry):
    """The text of the program as one function named `entry`."""
    text, status = _apart(lambda: _lower(program, entry))
    if status == 1 and text:
        raise ExportError(text)
    if status:
        kinds = {str(n.target) + _dtype(n) for n in program.graph.nodes
                 if n.op == "call_function"}
        raise ExportError("Torch-MLIR crashes on this model; one of its "
                          "operations is at fault: " +
                          ", ".join(sorted(kinds)))
    return text


def _dtype(node):
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        return ""
    return " (" + str(value.dtype).removeprefix("torch.") + ")"


def _lower(program, entry):
    context = ir.Context()
    torch_dialect.register_dialect(context)
    said = []
    context.attach_diagnostic_handler(
        lambda d: said.append(f"{d.location}: {d.message}") or True)
    importer = FxImporter(context=context)
    try:
        importer.import_frozen_program(program, func_name=entry)
        module = fx._module_lowering(False, False,
                                     OutputType.LINALG_ON_TENSORS,
                                     importer.module)
    except ExportError:
        raise
    except Exception as e:
        raise ExportError("Torch-MLIR cannot lower the model: "
                          f"{said[0] if said else e}") from e
    return module.operation.get_asm(enable_debug_info=True)
