"""Small torch modules of every kind, for the compiler to be tried on.

ACCEPTED and REFUSED name functions that return (module, example inputs), as
`streamtensor export modules.py:NAME` wants them.
"""

import torch
import torch.nn.functional as F
from torch import nn

ACCEPTED, REFUSED = {}, {}


class Function(nn.Module):
    """A function of tensors as a module without parameters."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def rand(*shape):
    return torch.randn(shape)


def seeded(make):
    def build():
        torch.manual_seed(3)
        return make()
    return build


def case(name, make, table=ACCEPTED):
    """make() gives (module, inputs); it is entered as `name`."""
    table[name] = globals()[name] = seeded(make)


def function(name, f, *shapes, table=ACCEPTED):
    """f of random tensors of these shapes (default: one of 3x7x12)."""
    shapes = shapes or ((3, 7, 12),)
    case(name, lambda: (Function(f), tuple(rand(*s) for s in shapes)), table)


# ---- blocks ----------------------------------------------------------------


class CausalAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2)
                   for y in self.qkv(x).chunk(3, -1))
        s = q @ k.transpose(-1, -2) / (d // self.heads) ** 0.5
        mask = torch.tril(torch.ones(t, t, dtype=torch.bool))
        p = torch.softmax(s.masked_fill(~mask, float("-inf")), -1)
        return self.out((p @ v).transpose(1, 2).reshape(b, t, d))


class Gated(nn.Module):
    def __init__(self, dim, inner):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(dim), nn.LayerNorm(dim)
        self.gate, self.up = nn.Linear(dim, inner), nn.Linear(dim, inner)
        self.down = nn.Linear(inner, dim, bias=False)

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.down(F.silu(self.gate(y)) * self.up(y))
        return self.norm2(x)


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.word, self.place = nn.Embedding(29, 12), nn.Embedding(11, 12)

    def forward(self, ids):
        at = torch.arange(ids.shape[1])
        return self.word(ids) + self.place(at)


case("mlp", lambda: (nn.Sequential(nn.Linear(12, 20), nn.ReLU(),
                                   nn.Linear(20, 5)), (rand(3, 12),)))
case("two_linear", lambda: (nn.Sequential(nn.Linear(64, 48), nn.ReLU(),
                                          nn.Linear(48, 20)), (rand(5, 64),)))
case("mlp_vector", lambda: (nn.Linear(12, 5), (rand(12),)))
case("mlp_prime", lambda: (nn.Sequential(nn.Linear(13, 17), nn.Tanh(),
                                         nn.Linear(17, 7)), (rand(11, 13),)))
case("deep", lambda: (nn.Sequential(*[m for _ in range(5) for m in
                                      (nn.Linear(12, 12), nn.GELU())]),
                      (rand(3, 12),)))
case("causal_attention", lambda: (CausalAttention(12, 3), (rand(2, 7, 12),)))
case("multihead", lambda: (nn.MultiheadAttention(12, 3, batch_first=True),
                           (rand(2, 5, 12),) * 3))
case("multihead_cross", lambda: (
    nn.MultiheadAttention(12, 2),
    (rand(5, 2, 12), rand(7, 2, 12), rand(7, 2, 12))))
case("encoder_layer", lambda: (
    nn.TransformerEncoderLayer(12, 3, 20, batch_first=True),
    (rand(2, 5, 12),)))
case("encoder", lambda: (
    nn.TransformerEncoder(nn.TransformerEncoderLayer(
        12, 3, 20, batch_first=True, norm_first=True, activation="gelu"), 3,
        enable_nested_tensor=False), (rand(2, 5, 12),)))
case("decoder_layer", lambda: (
    nn.TransformerDecoderLayer(12, 3, 20, batch_first=True),
    (rand(2, 5, 12), rand(2, 7, 12))))
case("gated", lambda: (Gated(12, 20), (rand(3, 7, 12),)))
case("embedder", lambda: (Embedder(), (torch.randint(0, 29, (3, 7)),)))
case("group_norm", lambda: (nn.GroupNorm(3, 12), (rand(3, 12, 5),)))
case("batch_norm", lambda: (nn.BatchNorm1d(12), (rand(3, 12, 5),)))
case("bilinear", lambda: (nn.Bilinear(5, 7, 3), (rand(4, 5), rand(4, 7))))
function("sdpa", lambda q, k, v: F.scaled_dot_product_attention(
    q, k, v, is_causal=True), *[(2, 3, 7, 4)] * 3)
function("sdpa_grouped", lambda q, k, v: F.scaled_dot_product_attention(
    q, k, v, enable_gqa=True), (2, 4, 7, 4), (2, 2, 7, 4), (2, 2, 7, 4))

# ---- reductions ------------------------------------------------------------

for d in (0, 1, 2):
    function(f"softmax{d}", lambda x, d=d: torch.softmax(x, d))
    function(f"log_softmax{d}", lambda x, d=d: torch.log_softmax(x, d))
    function(f"sum{d}", lambda x, d=d: x.sum(d))
function("mean_all", lambda x: x.mean())
function("mean_two", lambda x: x.mean((0, 2), keepdim=True))
function("var_two", lambda x: x.var((1, 2)))
function("var_biased", lambda x: x.var(1, unbiased=False))
function("std", lambda x: x.std(-1))
function("amax", lambda x: x.amax((0, 1)))
function("amin", lambda x: x.amin(-1))
function("max_all", lambda x: x.max())
function("logsumexp", lambda x: torch.logsumexp(x, 1))
function("norm", lambda x: x.norm(dim=-1))
function("normalize", lambda x: F.normalize(x, dim=-1))
function("prod", lambda x: x.prod(1))
function("any_all", lambda x: ((x > 2).any(1), (x > -2).all(2)))
function("cosine", lambda x, y: F.cosine_similarity(x, y, -1), (3, 7), (3, 7))

# ---- data movement ---------------------------------------------------------

function("transpose", lambda x: x.transpose(0, 2))
function("permute", lambda x: x.permute(1, 2, 0).reshape(7, 36) * 2)
function("view", lambda x: x.view(21, 12).t().reshape(3, 4, 21) * 2)
function("view_sum", lambda x: x.reshape(3, 84).sum(0))
function("chunk", lambda x: torch.cat([y * 2 for y in x.chunk(5, 2)], 1))
function("split", lambda x: x.split([2, 1, 4], 1))
function("cat", lambda x, y: torch.cat([x, y, x], 1), (3, 7, 2), (3, 5, 2))
function("cat_last", lambda x, y: torch.cat([x, y], -1) + 1, (3, 7), (3, 4))
function("cat_first", lambda x, y: torch.cat([x, y]), (3, 7), (4, 7))
function("stack", lambda x, y: torch.stack([x, y, x], 1), (3, 7), (3, 7))
function("stack_last", lambda x, y: torch.stack([x, y], -1), (3, 7), (3, 7))
function("slice", lambda x: x[:, 1:6:2, ::3])
function("slice_one", lambda x: x[1, :, 4])
function("slice_end", lambda x: x[..., -3:] * x[..., :3])
function("flip", lambda x: x.flip(1))
function("flip_two", lambda x: x.flip(0, 2))
function("roll", lambda x: x.roll(2, 1))
function("repeat_interleave", lambda x: x.repeat_interleave(2, 1))
function("repeat_interleave_last", lambda x: x.repeat_interleave(3, -1))
function("repeat", lambda x: x.repeat(2, 1, 3))
function("expand", lambda x: x.expand(3, 7, 12) + 1, (1, 7, 1))
function("tile", lambda x: x.tile(2))
function("pad", lambda x: F.pad(x, (1, 2)))
function("pad_two", lambda x: F.pad(x, (1, 0, 2, 3), value=1.5))
function("unfold", lambda x: x.unfold(1, 3, 2))
function("unbind", lambda x: sum(x.unbind(1)))
function("select_set", lambda x: torch.cat([x[:, :3], x[:, 4:]], 1))
function("diagonal", lambda x: torch.diagonal(x), (5, 5))
function("tril", lambda x: x.tril(), (7, 7))
function("triu", lambda x: x.triu(1), (5, 7))
function("rotate", lambda x: torch.cat([-x[..., 6:], x[..., :6]], -1))
function("rotate_pairs", lambda x: torch.stack(
    [-x[..., 1::2], x[..., ::2]], -1).flatten(-2))
function("meshgrid", lambda x, y: x[:, None] * y[None], (5,), (7,))
case("gather", lambda: (Function(lambda x, i: x.gather(1, i)),
                        (rand(3, 7), torch.randint(0, 7, (3, 4)))))
case("index_select", lambda: (
    Function(lambda x: x.index_select(1, torch.tensor([4, 0, 2]))),
    (rand(3, 7),)))
function("topk", lambda x: x.topk(3), (3, 7))
function("topk_least", lambda x: x.topk(2, 0, largest=False), (5, 3))
case("topk_equal", lambda: (Function(lambda x: x.round().topk(4)[0]),
                            (rand(3, 9),)))
case("take_rows", lambda: (Function(lambda x, i: x[i]),
                           (rand(9, 5), torch.randint(0, 9, (3, 2)))))


class Lookups(nn.Module):
    """One index in each dim of a table."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", rand(3, 4, 5))

    def forward(self, i):
        return tuple(self.table.index_select(d, i + d) for d in range(3))


case("lookups", lambda: (Lookups(), (torch.tensor([2, 0]),)))
case("one_hot", lambda: (
    Function(lambda i: F.one_hot(i, 6).float()),
    (torch.randint(0, 6, (5,)),)))

# ---- contractions ----------------------------------------------------------

function("einsum_bilinear", lambda x, y: torch.einsum("bij,bkj->bik", x, y),
         (3, 5, 7), (3, 2, 7))
function("einsum_outer", lambda x, y: torch.einsum("i,j->ij", x, y), (5,), (7,))
function("einsum_heads", lambda x, y: torch.einsum("bthd,bshd->bhts", x, y),
         (2, 5, 3, 4), (2, 7, 3, 4))
function("einsum_sum", lambda x: torch.einsum("ijk->j", x))
function("matvec", lambda x, y: x @ y, (5, 7), (7,))
function("dot", lambda x, y: x @ y, (7,), (7,))
function("matmul_broadcast", lambda x, y: x @ y, (3, 1, 5, 7), (2, 7, 4))
function("matmul_self", lambda x: x @ x.t() @ x, (5, 7))
function("matmul_chain", lambda x, y, z: x @ y @ z, (5, 7), (7, 3), (3, 11))
function("addmm", lambda x, y, z: torch.addmm(x, y, z, beta=0.5, alpha=2),
         (4,), (3, 5), (5, 4))

# ---- elementwise -----------------------------------------------------------

for f in ("gelu elu softplus hardswish silu relu relu6 leaky_relu selu celu "
          "hardtanh hardsigmoid mish softsign tanhshrink logsigmoid "
          "sigmoid tanh").split():
    function(f, getattr(F, f))
function("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"))
function("clamp", lambda x: x.clamp(-0.5, 0.25) + x.clamp(min=0.1))
function("where", lambda x, y: torch.where(x > y, x, y * 2), (3, 7), (3, 7))
function("masked_fill", lambda x: x.masked_fill(x < 0, -7.0))
function("arithmetic", lambda x, y: (x - y) / (x.abs() + 1) * y, (3, 7), (7,))
function("powers", lambda x: x ** 2 + x ** 3 + (x * x + 1) ** 0.5 +
         (x * x + 1) ** -0.5 + (x * x + 1) ** 1.7)
function("inverses", lambda x: 1 / (x * x + 1) + torch.reciprocal(x * x + 2))
function("exponentials", lambda x: torch.exp(x) + torch.log(x.abs() + 1) +
         torch.log1p(x.abs()) + torch.expm1(x) + torch.exp2(x))
function("logs", lambda x: torch.log2(x.abs() + 1) + torch.log10(x.abs() + 1))
function("waves", lambda x: torch.sin(x) * torch.cos(x) + torch.tan(x / 4))
function("rounding", lambda x: (x.floor(), x.ceil(), x.round(), x.trunc()))
function("signs", lambda x: (x.sign(), x.abs(), -x))
function("extrema", lambda x, y: torch.maximum(x, y) + torch.minimum(x, 2 * y),
         (3, 7), (3, 7))
function("lerp", lambda x, y: torch.lerp(x, y, 0.3), (3, 7), (3, 7))
function("addcmul", lambda x, y: torch.addcmul(x, x, y, value=0.5),
         (3, 7), (3, 7))
function("erf", lambda x: torch.erf(x) + torch.erfc(x))
function("dropout", lambda x: F.dropout(x, 0.5, training=False) + 1)
function("comparisons", lambda x, y: ((x > y), (x <= y).float(), (x != y)),
         (3, 7), (3, 7))
case("bool_input", lambda: (
    Function(lambda x, m: torch.where(m, x, -x) * (~m).float()),
    (rand(3, 7), rand(3, 7) > 0)))
case("bool_logic", lambda: (
    Function(lambda a, b: (a & b, a | ~b, a ^ b)),
    (rand(3, 7) > 0, rand(3, 7) > 0)))
case("int_input", lambda: (
    Function(lambda i, j: (i * j + 3 - j // 2, i % 3, (i > j).long())),
    (torch.randint(0, 9, (3, 7)), torch.randint(1, 9, (3, 7)))))
case("int32_input", lambda: (
    Function(lambda i: (i * 2 + 1, i.float() / 3)),
    (torch.randint(-9, 9, (3, 7), dtype=torch.int32),)))
case("int_sum", lambda: (Function(lambda i: (i.sum(1), i.amax(0))),
                         (torch.randint(-9, 9, (3, 7)),)))

# ---- the shape of the function ---------------------------------------------

function("outputs", lambda x: (x + 1, x.sum(-1), x[0]))
function("outputs_dict", lambda x: {"twice": x * 2, "half": x / 2})
function("outputs_same", lambda x: (x * 2,) * 2)
function("identity", lambda x: x)
function("identity_too", lambda x: (x, x + 1))
function("identity_view", lambda x: x.view(21, 12))
function("unused_input", lambda x, y: y * 2, (3, 7), (5,))
function("constant", lambda x: (x + 1, torch.ones(3, 2)))
function("constant_table", lambda x: x * torch.arange(12.0))
function("scalar_input", lambda x, y: x * y, (3, 7), ())
function("scalar_only", lambda x: x * 2 + 1, ())
function("one_element", lambda x: torch.softmax(x, -1) + 1, (1, 1, 1))
function("view_crossing", lambda x: x.reshape(6, 42).sum(0))
function("view_primes", lambda x: x.t().reshape(13, 17) @ x, (17, 13))
function("view_turned", lambda x: x.t().reshape(4, 15).exp().sum(0), (6, 10))
function("slice_crossing", lambda x: torch.cat(
    [x[:, :2] * 2, x[:, :3].sum(1, keepdim=True)], 1), (3, 4))
function("slice_of_view", lambda x: x.reshape(24)[5:19].reshape(7, 2) * 2,
         (4, 6))
function("cat_of_itself", lambda x: torch.cat([x, x]).reshape(4, 6), (3, 4))
function("stride_uneven", lambda x: x[:, 2::3, 1:8:2])
function("rank_five", lambda x: x.permute(4, 2, 0, 1, 3).sum(2) * 2,
         (2, 3, 2, 5, 4))
function("reuse", lambda x: (x - x.mean(-1, keepdim=True)) * x.sum(0) +
         x.transpose(0, 1).transpose(0, 1))
function("squared_twice", lambda x: x @ x.t() + (x * x).sum(1), (5, 5))
function("cumsum", lambda x: x.cumsum(1))
case("cumsum_int", lambda: (Function(lambda i: (i > 3).cumsum(-1)),
                            (torch.randint(0, 9, (3, 7)),)))
function("logical_positions", lambda x: (x > 0).long().cumsum(1) - 1, (3, 7))

# ---- refused ---------------------------------------------------------------

case("conv2d", lambda: (nn.Conv2d(2, 3, 3), (rand(1, 2, 7, 7),)), REFUSED)
function("sort", lambda x: x.sort(-1)[0], table=REFUSED)
function("fft", lambda x: torch.fft.rfft(x).abs(), table=REFUSED)
