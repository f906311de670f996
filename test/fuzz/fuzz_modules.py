"""Random modules from PyTorch to the simulated card, compared with PyTorch; a
failure is made smaller as long as it fails and printed as a Python file that
`streamtensor export FILE.py:make` takes.

usage: fuzz_modules.py FIRST_SEED [RUNS]

A refusal by the compiler is not a failure; other results, a crash or a bug are.
"""

import os
import random
import sys
import tempfile
import traceback

import torch

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "python"))
import streamtensor  # noqa: E402
import streamtensor.module  # noqa: E402, F401  here, not in every child

TOLERANCE = 2e-5  # of the largest value, or of 1
FINE, REFUSED, OTHER = 0, 10, 11  # how a try ends

UNARY = ["torch.relu({0})", "torch.tanh({0})", "torch.sigmoid({0})", "-{0}",
         "torch.exp(-{0}.abs())", "torch.erf({0})", "{0} * 0.5 + 1",
         "torch.rsqrt({0}.abs() + 1)", "torch.nn.functional.gelu({0})",
         "torch.clamp({0}, -1, 1)", "torch.where({0} > 0, {0}, 0.25)"]
BINARY = ["{0} + {1}", "{0} - {1}", "{0} * {1}", "torch.maximum({0}, {1})",
          "{0} / ({1}.abs() + 1)", "torch.where({0} > {1}, {1}, {0} * 2)"]


def along(r, shape):
    return r.randrange(-len(shape), len(shape))


def unary(r, values):
    return r.choice(UNARY), 1


def binary(r, values):
    return r.choice(BINARY), 2


def reduce(r, shape):
    name = r.choice(["sum", "mean", "amax", "amin"])
    return f"{{0}}.{name}({along(r, shape)}, keepdim={r.random() < 0.6})", 1


def softmax(r, shape):
    return f"torch.softmax({{0}}, {along(r, shape)})", 1


def norm(r, shape):
    return f"torch.nn.functional.layer_norm({{0}}, ({shape[-1]},))", 1


def transpose(r, shape):
    order = list(range(len(shape)))
    r.shuffle(order)
    return f"{{0}}.permute({order})", 1


def reshape(r, shape):
    at = r.randrange(len(shape))
    n = shape[at]
    cut = [d for d in range(1, n + 1) if n % d == 0]
    d = r.choice(cut)
    new = [*shape[:at], d, n // d, *shape[at + 1:]]
    if r.random() < 0.5 and len(shape) > 1:
        at = r.randrange(len(shape) - 1)
        new = [*shape[:at], shape[at] * shape[at + 1], *shape[at + 2:]]
    return f"{{0}}.reshape({new})", 1


def cut(r, shape):
    dim = r.randrange(len(shape))
    begin = r.randrange(shape[dim])
    end = r.randrange(begin, shape[dim]) + 1
    return f"{{0}}.narrow({dim}, {begin}, {end - begin})", 1


def join(r, shape):
    return f"torch.cat([{{0}}, {{1}}], {along(r, shape)})", 2


def product(r, shape):
    return "{0} @ {1}" if r.random() < 0.5 else \
        "{0} @ {1}.transpose(-1, -2)", 2


KINDS = [unary, unary, binary, binary, reduce, softmax, norm, transpose,
         reshape, cut, join, product, product]


class Program:
    """Inputs with shapes, then lines: a text with places for values, and which
    values; value i is input i or line i - inputs."""

    def __init__(self, shapes, lines=(), seed=0):
        self.shapes, self.lines, self.seed = shapes, list(lines), seed

    def inputs(self):
        g = torch.Generator().manual_seed(self.seed)
        return tuple(torch.randn(s, generator=g) for s in self.shapes)

    def text(self):
        n = len(self.shapes)
        names = [f"v{i}" for i in range(n + len(self.lines))]
        body = [f"    {names[n + i]} = " +
                text.format(*(names[a] for a in args))
                for i, (text, args) in enumerate(self.lines)]
        used = {a for _, args in self.lines for a in args}
        ends = [v for i, v in enumerate(names) if i >= n and i not in used]
        return "\n".join([
            "import torch", "", f"def function({', '.join(names[:n])}):",
            *body, f"    return {', '.join(ends)}", "", "def make():",
            "    class Module(torch.nn.Module):",
            "        def forward(self, *x):",
            "            return function(*x)",
            f"    g = torch.Generator().manual_seed({self.seed})",
            f"    return Module(), tuple(torch.randn(s, generator=g) for s in "
            f"{self.shapes})", ""])

    def without(self, at):
        """Line `at` gone: its users take its first argument; None if that
        cannot be."""
        n, args = len(self.shapes), self.lines[at][1]
        gone = n + at

        def now(a):
            a = args[0] if a == gone else a
            return a - (a > gone)
        lines = [(t, [now(a) for a in given])
                 for i, (t, given) in enumerate(self.lines) if i != at]
        return Program(self.shapes, lines, self.seed) if lines else None


def make(seed):
    """A random program that PyTorch runs to finite values of some size."""
    r = random.Random(seed)
    extents = [1, 2, 3, 4, 6, 8]
    shapes = [[r.choice(extents) for _ in range(r.randint(1, 3))]
              for _ in range(r.randint(1, 3))]
    program = Program(shapes, seed=seed)
    values = list(program.inputs())
    length = r.randint(3, 12)
    for _ in range(200):
        if len(program.lines) == length:
            break
        a = r.randrange(len(values))
        shape = list(values[a].shape)
        kind = r.choice(KINDS)
        if not shape and kind not in (unary, binary):
            continue
        text, n = kind(r, shape)
        args = [a, r.randrange(len(values))][:n]
        try:
            value = eval(text.format(*(f"x[{i}]" for i in range(n))),
                         {"torch": torch, "x": [values[i] for i in args]})
        except (RuntimeError, IndexError):
            continue  # shapes that do not go together
        if value.numel() > 512 or value.dim() > 4 or \
                not value.isfinite().all() or value.abs().max() > 1e3:
            continue
        program.lines.append((text, args))
        values.append(value)
    return program if program.lines else make(seed + 1000003)


def attempt(program):
    """FINE, REFUSED or OTHER; in this process, which it may end."""
    path = os.path.join(tempfile.gettempdir(), f"module-{os.getpid()}.py")
    with open(path, "w") as f:
        f.write(program.text())
    space = {}
    exec(compile(program.text(), path, "exec"), space)
    module, inputs = space["make"]()
    try:
        built = streamtensor.compile(module, inputs)
        got = built(*inputs)
        built.close()
    except streamtensor.Error as e:
        print(f"refused: {str(e).splitlines()[0][:150]}", flush=True)
        return REFUSED
    finally:
        os.remove(path)
    want = module(*inputs)
    for g, w in zip(*[v if isinstance(v, tuple) else (v,)
                      for v in (got, want)], strict=True):
        scale = max(w.abs().max().item(), 1)
        if g.shape != w.shape or not (g - w).abs().max() <= TOLERANCE * scale:
            print(f"differs by {(g - w).abs().max().item():.3g} of "
                  f"{scale:.3g}", flush=True)
            return OTHER
    return FINE


def apart(program):
    """The same in a process of its own; minus the signal that ended it."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            torch.set_num_threads(1)
            status = attempt(program)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def smaller(program, status):
    """With as few lines as still end the same way."""
    at = len(program.lines) - 1
    while at >= 0:
        less = program.without(at)
        try:
            less and exec(less.text() + "m, x = make()\nm(*x)\n", {})
        except (RuntimeError, IndexError):
            less = None  # shapes that do not go together any more
        if less and apart(less) == status:
            program = less
        at = min(at, len(program.lines)) - 1
    return program


def run(first, runs):
    """How often each status; failures are printed."""
    counts = {}
    for seed in range(first, first + runs):
        program = make(seed)
        status = apart(program)
        counts[status] = counts.get(status, 0) + 1
        if status not in (FINE, REFUSED):
            print(f"seed {seed} ends with {status}:\n"
                  f"{smaller(program, status).text()}", flush=True)
    return counts


def main():
    results = run(int(sys.argv[1]), int((sys.argv[2:] or ["100"])[0]))
    fine, refused = results.pop(FINE, 0), results.pop(REFUSED, 0)
    failed = sum(results.values())
    print(f"{fine} agree, {refused} refused, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
