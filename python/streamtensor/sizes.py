"""Sizes of tensors in an exported step, as sums of T and P.

Torch-MLIR and the compiler know sizes and offsets that are linear in the
symbols. A model also writes max(0, most - P - T), or a view with -1 for a
quotient; within the bounds of a step, 1 <= T <= chunk and 0 <= P <= ctx - T,
these are linear too.
"""

import operator

import sympy
import torch

aten = torch.ops.aten
VIEWS = (aten.view.default, aten.reshape.default, aten._unsafe_view.default)


def corners(chunk, ctx):
    """The extreme (T, P): a linear function is extreme at one of them."""
    return sorted({(1, 0), (chunk, 0), (1, ctx - 1), (chunk, ctx - chunk)})


class Sizes:
    """Rewrites the sizes of a program whose symbols are T and P."""

    def __init__(self, program, chunk, ctx):
        self.graph = program.graph
        self.points = corners(chunk, ctx)
        self.found = {}  # symbol -> (placeholder, dim)
        self.nodes = {}  # expression -> node
        for node in self.graph.nodes:
            if node.op != "placeholder":
                self.first = node
                break
            self.look(node)

    def look(self, node):
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor):
            return
        for dim, size in enumerate(value.shape):
            if isinstance(size, torch.SymInt) and size.node.expr.is_Symbol:
                self.found.setdefault(size.node.expr, (node, dim))

    def order(self):
        """The symbols T and P: ids come before the caches."""
        return list(self.found)[:2]

    def linear(self, e):
        return e.is_polynomial(*self.order()) and e.free_symbols <= set(
            self.order()) and sympy.Poly(e, *self.order()).total_degree() <= 1

    def never_negative(self, e):
        return self.linear(e) and all(
            e.subs(dict(zip(self.order(), at))) >= 0 for at in self.points)

    def choose(self, e, sign):
        """max (sign 1) or min (-1) of terms, without those that never win."""
        terms = list(e.args)
        for a in terms:
            if all(self.never_negative(sign * (a - b)) for b in terms):
                return a
        return e

    def simplified(self, e):
        e = e.replace(lambda x: type(x).__name__ == "Max",
                      lambda x: self.choose(x, 1))
        return sympy.expand(e.replace(lambda x: type(x).__name__ == "Min",
                                      lambda x: self.choose(x, -1)))

    def node(self, e):
        """An int or a node at the beginning of the graph for a linear sum."""
        if e.is_Integer:
            return int(e)
        if e in self.nodes:
            return self.nodes[e]
        with self.graph.inserting_before(self.first):
            if e in self.found:
                new = self.graph.call_function(aten.sym_size.int,
                                               self.found[e])
            elif e.is_Add:
                first, rest = e.as_two_terms()
                new = self.graph.call_function(
                    operator.add, (self.node(first), self.node(rest)))
            else:
                factor, rest = e.as_coeff_Mul()
                new = self.graph.call_function(
                    operator.mul, (self.node(rest), int(factor)))
        new.meta["val"] = self.value(e)
        self.nodes[e] = new
        return new

    def value(self, e):
        placeholder, dim = next(iter(self.found.values()))
        env = placeholder.meta["val"].shape[dim].node.shape_env
        return env.create_symintnode(e, hint=None)

    def size(self, size):
        """A number, or the node of a size; None if it is not linear."""
        if not isinstance(size, torch.SymInt):
            return size
        e = self.simplified(size.node.expr)
        return self.node(e) if self.linear(e) else None

    def rewrite(self):
        if len(self.found) < 2:
            return
        for node in list(self.graph.nodes):
            value = node.meta.get("val")
            if node.op == "call_function" and isinstance(value, torch.SymInt):
                new = self.size(value)
                if new is not None and node not in self.nodes.values():
                    node.replace_all_uses_with(new)
            elif isinstance(value, torch.Tensor):
                self.tensor(node, value)
        self.graph.eliminate_dead_code()

    def tensor(self, node, value):
        """The shape of a value, and of the view that makes it, which would
        have a quotient for -1."""
        shape = [self.size(s) for s in value.shape]
        if None in shape:
            return
        if node.target in VIEWS:
            node.update_arg(1, shape)
        real = [s.meta["val"] if isinstance(s, torch.fx.Node) else s
                for s in shape]
        if any(isinstance(old, torch.SymInt) and
               (isinstance(new, int) or old.node.expr != new.node.expr)
               for old, new in zip(value.shape, real)):
            node.meta["val"] = value.new_empty(real)
            node.meta.pop("tensor_meta", None)  # Torch-MLIR would prefer it


def rewrite(program, chunk, ctx):
    Sizes(program, chunk, ctx).rewrite()
    program.graph_module.recompile()
