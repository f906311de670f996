"""The step function of a causal language model, the same for every family.

A step takes the parameters, the ids of T tokens, their position P and the
cached keys and values of P tokens, and gives the logits of the last token and
the T new rows of every cache. It is a pure function: appending the rows is the
device's work.

Attention is ours where the model lets it be exchanged, and the model's own
where it does not.
"""

import inspect

import torch
from torch._subclasses.fake_tensor import FakeTensor
from transformers.cache_utils import Cache
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .errors import ExportError

ATTENTION = "streamtensor"
MASKED = -3.0e38  # finite: exp of the difference to any score is 0
NO_WINDOW = 1 << 30
MASK_ROWS = 2048  # positions at which a model's mask is looked at
BIAS = ("the model adds a mask or bias to its attention scores; that is not "
        "supported")

# Keyword arguments of the attention interface that do not change its result.
HARMLESS = {
    "position_ids", "cache_position", "output_attentions", "use_cache",
    "is_causal", "past_key_values", "position_embeddings", "cu_seq_lens_q",
    "cu_seq_lens_k", "max_length_q", "max_length_k", "layer_idx",
    "num_items_in_batch", "return_dict", "output_hidden_states",
    "logits_to_keep", "output_router_logits",
}


class StepCache(Cache):
    """A cache of fixed content that remembers the rows it is given."""

    def __init__(self, past):
        super().__init__(layers=[])
        self.past = past
        self.rows = [None] * len(past)

    def update(self, key_states, value_states, layer_idx, *args, **kwargs):
        if self.rows[layer_idx] is not None:
            raise ExportError(f"layer {layer_idx} updates its cache twice; "
                              "the model cannot be exported as it is")
        self.rows[layer_idx] = (key_states, value_states)
        key, value = self.past[layer_idx]
        return (torch.cat([key, key_states], 2),
                torch.cat([value, value_states], 2))

    def get_seq_length(self, layer_idx=0):
        """With the new rows once the layer has given them."""
        given = self.rows[layer_idx]
        return self.past[0][0].shape[2] + (given[0].shape[2] if given else 0)

    def get_mask_sizes(self, query_length, layer_idx=0):
        return self.past[0][0].shape[2] + query_length, 0

    @property
    def is_compileable(self):
        return False

    @property
    def is_sliding(self):
        return [False] * len(self.past)

    def __len__(self):
        return len(self.rows)


class ProbeCache(StepCache):
    """An empty cache: the rows tell the shapes of a real one."""

    def __init__(self, layers):
        super().__init__([None] * layers)

    def update(self, key_states, value_states, layer_idx, *args, **kwargs):
        self.rows[layer_idx] = (key_states, value_states)
        return key_states, value_states

    def get_seq_length(self, layer_idx=0):
        given = self.rows[layer_idx]
        return given[0].shape[2] if given else 0

    def get_mask_sizes(self, query_length, layer_idx=0):
        return query_length, 0

    def shapes(self):
        return [(k.shape[1], k.shape[3], v.shape[3]) for k, v in self.rows]


class Attention:
    """Attention for every family: [kv_heads, group, T, head_dim] queries.

    windowed: every layer compares with a window, layers without one with a
    bound that is never met, so that layers differ in a constant only.

    While probing, the masks that the model asks for are numbered, and each
    layer is seen to use one of them together with a window: `used` holds
    pairs of a mask's number and a window.
    """

    def __init__(self):
        self.windowed = False
        self.calls = 0
        self.probing = False
        self.masks = []
        self.used = set()

    def __call__(self, module, query, key, value, attention_mask, scaling=None,
                 dropout=0.0, sliding_window=None, softcap=None, **kwargs):
        self.calls += 1
        if self.probing:
            self.used.add((self.number(attention_mask), sliding_window))
        elif attention_mask is not None:
            raise ExportError(BIAS)
        for name, given in kwargs.items():
            if given is not None and name not in HARMLESS:
                raise ExportError(f"the model's attention needs '{name}', "
                                  "which is not supported")
        if dropout and module.training:
            raise ExportError("the model is in training mode")
        heads, T, dim = query.shape[1:]
        groups, S = key.shape[1:3]
        size = heads // groups
        scaling = dim ** -0.5 if scaling is None else scaling
        q = (query * scaling).reshape(groups, size * T, dim)
        s = torch.bmm(q, key.reshape(groups, S, dim).transpose(1, 2))
        if softcap is not None:
            s = torch.tanh(s / softcap) * softcap
        at = torch.arange(T).unsqueeze(1) + (S - T)
        j = torch.arange(S).unsqueeze(0)
        s = torch.where(self.visible(at, j, sliding_window),
                        s.reshape(groups, size, T, S), MASKED)
        e = torch.exp(s - s.amax(-1, keepdim=True))
        p = e / e.sum(-1, keepdim=True)
        v = value.reshape(groups, S, value.shape[-1])
        o = torch.bmm(p.reshape(groups, size * T, S), v)
        o = o.reshape(1, heads, T, value.shape[-1])
        return o.transpose(1, 2), None

    def visible(self, at, j, window):
        """The token at position `at` sees position j."""
        keep = j <= at
        if self.windowed:
            keep = keep & (j > at - (window or NO_WINDOW))
        return keep

    def mask(self, *, mask_function, q_length, kv_length, **kwargs):
        """What the model passes on as its mask: none, since the attention
        makes its own; while probing, a tensor of the mask's number."""
        if not self.probing:
            return None
        self.masks.append(mask_function)
        return torch.full((1, 1, q_length, kv_length), len(self.masks) - 1.0)

    def number(self, mask):
        """Which mask a layer got while probing; None if it got none."""
        if mask is None:
            return None
        found = None if isinstance(mask, FakeTensor) else mask.unique().tolist()
        if not found or len(found) > 1 or found[0] not in range(
                len(self.masks)):
            raise ExportError(BIAS)
        return int(found[0])

    def windows(self):
        return {window for _, window in self.used if window is not None}

    def check_masks(self, ctx):
        """Refuse a model with a layer whose mask is not what `visible` is."""
        self.windowed = bool(self.windows())
        j = torch.arange(ctx)
        rows = torch.linspace(0, ctx - 1, min(ctx, MASK_ROWS)).long()
        for number, window in self.used:
            if number is None:
                continue
            for at in rows:
                want = self.masks[number](torch.tensor(0), torch.tensor(0),
                                          at, j)
                if not torch.equal(want.expand(ctx),
                                   self.visible(at, j, window)):
                    raise ExportError(
                        f"at position {int(at)} a layer sees other positions "
                        "than causal attention with a sliding window does; "
                        f"that is not supported (try --ctx {int(at)})")


def linear(x, weight, bias, transposed):
    """x [experts, T, in] by a matrix for each expert."""
    y = torch.bmm(x, weight if transposed else weight.transpose(1, 2))
    return y if bias is None else y + bias.unsqueeze(1)


def experts(self, hidden_states, top_k_index, top_k_weights):
    """All experts compute every token; those not chosen weigh nothing."""
    first = self.gate_up_proj if self.has_gate else self.up_proj
    biases = [None, None]
    if self.has_bias:
        biases = [self.gate_up_proj_bias if self.has_gate else
                  self.up_proj_bias, self.down_proj_bias]
    n = first.shape[0]
    x = hidden_states.unsqueeze(0).expand(n, *hidden_states.shape)
    y = linear(x, first, biases[0], self.is_transposed)
    y = self._apply_gate(y) if self.has_gate else self.act_fn(y)
    y = linear(y, self.down_proj, biases[1], self.is_transposed)
    if self.has_post_expert_norm:
        y = self.post_expert_norm(y)
    chosen = top_k_index.unsqueeze(-1) == torch.arange(n)
    weights = torch.where(chosen, top_k_weights.unsqueeze(-1), 0.0).sum(1)
    return (y * weights.t().unsqueeze(-1)).sum(0)


class Step(torch.nn.Module):
    """forward(params, ids, position, past) -> (logits, rows).

    attention: what `attach` returned, or None: the model's own is traced.
    """

    def __init__(self, model, attention):
        super().__init__()
        self.model = [model]  # its parameters are arguments, not state
        self.attention = attention
        self.knows = set(inspect.signature(model.forward).parameters)

    def run(self, params, ids, position, cache):
        if self.attention:
            self.attention.calls = 0
        at = (torch.arange(ids.shape[1]) + position).unsqueeze(0)
        given = dict(past_key_values=cache, use_cache=True, position_ids=at,
                     logits_to_keep=1)
        out = torch.func.functional_call(
            self.model[0], params, (ids,),
            {k: v for k, v in given.items() if k in self.knows})
        self.check(cache, ids.shape[1])
        return out.logits[:, -1]

    def check(self, cache, T):
        """Refuse a model whose layers did not all do what is expected."""
        name = type(self.model[0]).__name__
        layers = len(cache)
        if self.attention and self.attention.calls != layers:
            raise ExportError(
                f"{name} calls the attention interface of transformers "
                f"{self.attention.calls} times in its {layers} layers")
        for i, rows in enumerate(cache.rows):
            if rows is None:
                raise ExportError(
                    f"layer {i} of {name} does not keep keys and values of "
                    "its tokens in the cache, as attention does; such layers "
                    "are not supported")
            for t in rows:
                if t.dim() != 4 or t.shape[0] != 1 or t.shape[2] != T:
                    raise ExportError(
                        f"layer {i} of {name} keeps {list(t.shape)} in the "
                        f"cache for {T} tokens instead of [1, heads, {T}, "
                        "dim]; that is not supported")

    def forward(self, params, ids, position, past):
        cache = StepCache(past)
        for t in (t for both in past for t in both):
            torch._check(t.shape[2] == cache.past[0][0].shape[2])
        return self.run(params, ids, position, cache), cache.rows


def attach(model):
    """Make `model` use our attention; returns the Attention."""
    attention = Attention()

    def call(*args, **kwargs):
        return attention(*args, **kwargs)

    ALL_ATTENTION_FUNCTIONS.register(ATTENTION, call)
    ALL_MASK_ATTENTION_FUNCTIONS.register(ATTENTION, attention.mask)
    try:
        model.set_attn_implementation(ATTENTION)
    except ValueError as e:
        raise ExportError(f"{type(model).__name__} has no exchangeable "
                          f"attention: {e}") from e
    return attention


def exchange_experts(model):
    """Make layers of experts compute `experts` above, where the model has
    such layers and lets them be exchanged."""
    ALL_EXPERTS_FUNCTIONS.register(ATTENTION, experts)
    model.config._experts_implementation = ATTENTION


def detach(model):
    """Make `model` use its own attention, and the masks of transformers."""
    model.set_attn_implementation("eager")


def state(model):
    """All parameters and buffers by name, tied ones once."""
    tensors = dict(model.named_parameters())
    tensors.update(model.named_buffers())
    return {name: t.detach() for name, t in tensors.items()}
