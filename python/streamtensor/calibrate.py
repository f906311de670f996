"""Rounding weights to a grid so that the model's output changes least.

First each matrix alone: columns are rounded one after another, and what a
column's rounding adds to the output on calibration tokens is made good by those
not yet rounded (after GPTQ, Frantar et al. 2022). Then, if wanted, all at once:
codes, scales and minimums follow the gradient of the KL divergence of the
rounded model from the float one, activations rounded as the hardware does it.
"""

from typing import NamedTuple

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from .errors import ExportError
from .grids import Grid

LEAST_GROUP = 16
DAMPING = 0.01
SHRINK = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
BATCH = 16


class Options(NamedTuple):
    bits: int = 4
    group: int = 32
    table_bits: int = 8  # of matrices whose rows are looked up as well
    windows: int = 128  # of calibration text
    window: int = 128  # tokens
    first: int = 256  # windows by which matrices are rounded, before tuning
    steps: int = 0  # of tuning
    seed: int = 0


def group_of(extent, most):
    """The largest divisor from 16 to `most`; else the least beyond it."""
    divisors = [d for d in range(1, extent + 1) if extent % d == 0]
    fitting = [d for d in divisors if LEAST_GROUP <= d <= most]
    return fitting[-1] if fitting else next(
        (d for d in divisors if d > most), extent)


# ---- calibration tokens ----------------------------------------------------


def sample(model, options, bos):
    """Texts of the model's own, [windows, window]."""
    generator = torch.Generator().manual_seed(options.seed)
    ids = torch.full((options.windows, 1), bos)
    past = None
    with torch.no_grad():
        while ids.shape[1] < options.window:
            out = model(ids[:, -1:], past_key_values=past, use_cache=True)
            past = out.past_key_values
            p = torch.softmax(out.logits[:, -1], -1)
            ids = torch.cat([ids, torch.multinomial(p, 1,
                                                    generator=generator)], 1)
    return ids


def cut(ids, options):
    """The tokens of a text as windows, spread over all of it."""
    n = len(ids) // options.window
    if n < 1:
        raise ExportError(f"--calibrate: {len(ids)} tokens of text are fewer "
                          f"than a window of {options.window}")
    chosen = torch.linspace(0, n - 1, min(n, options.windows)).long()
    return torch.tensor(ids[:n * options.window]).reshape(
        n, options.window)[chosen]


# ---- which matrices --------------------------------------------------------


def _transposed(module):
    return isinstance(module, Conv1D)


def _matrices(model):
    """Name of a parameter -> the modules that multiply by it."""
    names = {id(t): n for n, t in model.named_parameters()}
    found = {}
    for module in model.modules():
        if isinstance(module, (nn.Linear, Conv1D)):
            found.setdefault(names[id(module.weight)], []).append(module)
    return found


def _tables(model):
    names = {id(t): n for n, t in model.named_parameters()}
    return {names[id(m.weight)] for m in model.modules()
            if isinstance(m, nn.Embedding)}


# ---- one matrix ------------------------------------------------------------


def _hessians(model, matrices, batches):
    """Name -> sum of x x^T over the inputs of its modules."""
    sums, handles = {}, []

    def note(name):
        def hook(module, args):
            x = args[0].reshape(-1, args[0].shape[-1]).double()
            sums[name] = sums.get(name, 0) + x.t() @ x
        return hook

    for name, modules in matrices.items():
        handles += [m.register_forward_pre_hook(note(name)) for m in modules]
    try:
        with torch.no_grad():
            for ids in batches:
                model(ids, use_cache=False)
    finally:
        for h in handles:
            h.remove()
    return sums


def _numbers(w, weight, bits):
    """Scale and minimum [rows] of a group w [rows, g]; weight [g] of errors.
    Tables of 8 bits are symmetric: minimum None."""
    if bits == 8:
        return (w.abs().amax(1) / 127).half().double().clamp_min(2e-7), None
    most = 2 ** bits - 1
    best = torch.full((len(w),), torch.inf, dtype=w.dtype)
    scale, least = torch.ones_like(best), torch.zeros_like(best)
    low, high = w.amin(1), w.amax(1)
    for a in SHRINK:
        for b in SHRINK:
            m = (low * a).half().double()
            s = ((high * b - m) / most).half().double().clamp_min(2e-7)
            q = torch.round((w - m[:, None]) / s[:, None]).clamp(0, most)
            error = ((q * s[:, None] + m[:, None] - w) ** 2 * weight).sum(1)
            better = error < best
            best = torch.where(better, error, best)
            scale = torch.where(better, s, scale)
            least = torch.where(better, m, least)
    return scale, least


def _round_matrix(w, hessian, bits, group):
    """codes [rows, groups, g], scales, mins [rows, groups] of w [rows, k]."""
    w = w.double().clone()
    rows, k = w.shape
    h = hessian + DAMPING * hessian.diagonal().mean().clamp_min(1e-9) * \
        torch.eye(k, dtype=torch.float64)
    inverse = torch.linalg.cholesky(
        torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)
    low, high = (-127, 127) if bits == 8 else (0, 2 ** bits - 1)
    codes, scales, mins = torch.empty_like(w), [], []
    for j in range(k):
        if j % group == 0:
            part = slice(j, j + group)
            s, m = _numbers(w[:, part], inverse.diagonal()[part] ** -2, bits)
            scales.append(s)
            mins.append(torch.zeros_like(s) if m is None else m)
        q = torch.round((w[:, j] - mins[-1]) / scales[-1]).clamp(low, high)
        codes[:, j] = q
        error = (w[:, j] - (q * scales[-1] + mins[-1])) / inverse[j, j]
        w[:, j:] -= error[:, None] * inverse[j, j:]
    return [t.float() for t in (codes.reshape(rows, -1, group),
                                torch.stack(scales, 1), torch.stack(mins, 1))]


# ---- all together ----------------------------------------------------------


class Through(torch.autograd.Function):
    """The rounded value; its gradient passes."""

    @staticmethod
    def forward(ctx, x, rounded):
        return rounded

    @staticmethod
    def backward(ctx, grad):
        return grad, None


def _half(x):
    return Through.apply(x, x.half().float())


class Rounded(nn.Module):
    """A matrix on its grid, with gradients for all three parts of it."""

    def __init__(self, codes, scales, mins, bits, transposed):
        super().__init__()
        self.bits, self.transposed = bits, transposed
        self.low, self.high = (-127, 127) if bits == 8 else (
            0, 2 ** bits - 1)
        self.place = nn.Parameter(codes)
        self.first_scales, self.first_mins = scales, mins
        self.by = nn.Parameter(torch.zeros_like(scales))
        self.shift = nn.Parameter(torch.zeros_like(mins),
                                  requires_grad=bits != 8)

    def scales(self):
        return _half(self.first_scales * torch.exp(self.by))

    def mins(self):
        if self.bits == 8:
            return self.first_mins
        return _half(self.first_mins + self.shift * self.first_scales)

    def codes(self):
        p = self.place.clamp(self.low, self.high)
        return Through.apply(p, p.round())

    def forward(self):
        w = self.codes() * self.scales()[..., None] + self.mins()[..., None]
        w = w.flatten(1)
        return w.t() if self.transposed else w

    def grid(self):
        codes = self.codes().detach().to(torch.int16).numpy()
        if self.bits == 4:
            codes = (codes ^ 8) - 8  # 0 .. 15 as grids keep them
        mins = None if self.bits == 8 else self.mins().detach().half().numpy()
        return Grid(self.bits, 0 if self.transposed else 1,
                    codes.astype("int8"),
                    self.scales().detach().half().numpy(), mins)


def _rounding_hook(group):
    """Activations to 8 bits per token and group, as doc/quantisation.md."""
    def hook(module, args):
        x = args[0]
        parts = x.reshape(*x.shape[:-1], -1, group)
        a = parts.detach().abs().amax(-1, keepdim=True).clamp_min(2.0 ** -100)
        rounded = torch.round(parts * (127 / a)) * (a / 127)
        return (Through.apply(parts, rounded).reshape(x.shape), *args[1:])
    return hook


def _tune(model, matrices, rounded, ids, options, say):
    model.requires_grad_(False)
    places = [r.place for r in rounded.values()]
    others = [p for r in rounded.values() for p in (r.by, r.shift)
              if p.requires_grad]
    optimiser = torch.optim.Adam([{"params": places, "lr": 0.006},
                                  {"params": others, "lr": 0.001}])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, options.steps)
    generator = torch.Generator().manual_seed(options.seed)
    for step in range(options.steps):
        batch = ids[torch.randint(len(ids), (min(BATCH, len(ids)),),
                                  generator=generator)]
        with torch.no_grad():
            want = torch.log_softmax(model(batch, use_cache=False).logits, -1)
        handles = [m.register_forward_pre_hook(
            _rounding_hook(rounded[n].place.shape[-1]))
            for n, modules in matrices.items() for m in modules]
        got = torch.func.functional_call(
            model, {n: r() for n, r in rounded.items()}, (batch,),
            {"use_cache": False})
        for h in handles:
            h.remove()
        got = torch.log_softmax(got.logits, -1)
        loss = (want.exp() * (want - got)).sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 50 == 0 or step + 1 == options.steps:
            say(f"tuning step {step}: mean KL {loss.item():.5f}")


def bits_of(grids):
    """Bits of a weight with its part of scales and minimums, on average."""
    return sum(g.bits * g.codes.size + 16 * g.scales.size *
               (1 if g.mins is None else 2) for g in grids) / \
        sum(g.codes.size for g in grids)


def calibrate(model, ids, options, say):
    """Name -> Grid of every matrix that linear layers multiply by."""
    matrices, tables = _matrices(model), _tables(model)
    if not matrices:
        raise ExportError("--calibrate: the model has no linear layers")
    first = ids[:options.first]
    sums = _hessians(model, matrices, first.split(BATCH))
    rounded = {}
    for name, modules in matrices.items():
        turned = _transposed(modules[0])
        w = modules[0].weight.detach()
        w = w.t() if turned else w
        bits = options.table_bits if name in tables else options.bits
        parts = _round_matrix(w, sums[name], bits,
                              group_of(w.shape[1], options.group))
        rounded[name] = Rounded(*parts, bits, turned)
    grids = {name: r.grid() for name, r in rounded.items()}
    say(f"{len(rounded)} matrices rounded on {first.numel()} tokens, "
        f"{bits_of(grids.values()):.2f} bits a weight")
    if not options.steps:
        return grids
    _tune(model, matrices, rounded, ids, options, say)
    return {name: r.grid() for name, r in rounded.items()}
