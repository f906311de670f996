"""Tiny checkpoints in GGUF, quantised tensor by tensor."""

import gguf
import numpy as np
import torch
import transformers
from gguf import GGMLQuantizationType as Type

NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
WIDTH, INNER, HEADS, GROUPS, LAYERS, VOCAB = 64, 96, 4, 2, 2, 90


def llama(seed=1):
    """A tied Llama whose matrices have columns of very different sizes."""
    torch.manual_seed(seed)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        hidden_size=WIDTH, intermediate_size=INNER, num_attention_heads=HEADS,
        num_key_value_heads=GROUPS, num_hidden_layers=LAYERS, vocab_size=VOCAB,
        max_position_embeddings=64, tie_word_embeddings=True))
    with torch.no_grad():
        for t in model.parameters():
            if t.dim() == 2:
                t.mul_(6 * torch.rand(t.shape[1]))
    return model.eval()


def permuted(weight, heads):
    """llama.cpp's order of the rows of queries and keys."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(
        1, 2).reshape(rows, columns)


def tensors(model):
    """GGUF name -> array, in llama.cpp's order."""
    out = {}
    for name, t in model.named_parameters():
        array = t.detach().numpy().copy()
        name = name.removesuffix(".weight").removeprefix("model.")
        if name.startswith("layers."):
            _, layer, part = name.split(".", 2)
            name = f"blk.{layer}.{NAMES[part]}"
            if part in ("self_attn.q_proj", "self_attn.k_proj"):
                array = permuted(array, HEADS if "q_proj" in part else GROUPS)
        else:
            name = {"embed_tokens": "token_embd", "norm": "output_norm"}[name]
        out[name + ".weight"] = array
    return out


def write(path, model, types):
    """types: part of a tensor's name -> type; the first that fits."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(GROUPS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(VOCAB)
    for name, array in tensors(model).items():
        kind = next((k for part, k in types.items() if part in name), Type.F32)
        if array.ndim == 1 or kind == Type.F32:
            writer.add_tensor(name, array.astype(np.float32))
        else:
            writer.add_tensor(name, gguf.quants.quantize(array, kind),
                              raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
