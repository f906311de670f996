"""llama2.c's stories260K as a Hugging Face checkpoint.

usage: convert.py DIR

The file stories260K.bin holds seven int32 (dim, hidden, layers, heads, kv
heads, vocabulary, context) and f32 matrices: embedding, attention norms, wq,
wk, wv, wo, ffn norms, w1 (gate), w2 (down), w3 (up), final norm. llama2.c
rotates neighbouring pairs where Hugging Face rotates halves: the rows of each
head of wq and wk are reordered.
"""

import json
import os
import shutil
import struct
import sys

import numpy as np
from safetensors.numpy import save_file

HERE = os.path.dirname(os.path.abspath(__file__))


def halves(w, heads):
    rows, cols = w.shape
    w = w.reshape(heads, rows // heads // 2, 2, cols)
    return np.ascontiguousarray(w.transpose(0, 2, 1, 3).reshape(rows, cols))


def read(path):
    with open(path, "rb") as f:
        data = f.read()
    sizes = struct.unpack("7i", data[:28])
    dim, hidden, layers, heads, kv, vocab, _ = sizes
    values = np.frombuffer(data, dtype="<f4", offset=28)
    at = 0

    def take(*shape):
        nonlocal at
        n = int(np.prod(shape))
        at += n
        return values[at - n:at].reshape(shape).copy()

    head = dim // heads
    t = {"model.embed_tokens.weight": take(vocab, dim)}
    groups = [
        ("input_layernorm", take(layers, dim)),
        ("self_attn.q_proj", take(layers, dim, dim)),
        ("self_attn.k_proj", take(layers, kv * head, dim)),
        ("self_attn.v_proj", take(layers, kv * head, dim)),
        ("self_attn.o_proj", take(layers, dim, dim)),
        ("post_attention_layernorm", take(layers, dim)),
        ("mlp.gate_proj", take(layers, hidden, dim)),
        ("mlp.down_proj", take(layers, dim, hidden)),
        ("mlp.up_proj", take(layers, hidden, dim)),
    ]
    for name, w in groups:
        for i in range(layers):
            one = w[i]
            if name == "self_attn.q_proj":
                one = halves(one, heads)
            if name == "self_attn.k_proj":
                one = halves(one, kv)
            t[f"model.layers.{i}.{name}.weight"] = np.ascontiguousarray(one)
    t["model.norm.weight"] = take(dim)
    return sizes, t


def main():
    if len(sys.argv) != 2:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    out = sys.argv[1]
    (dim, hidden, layers, heads, kv, vocab, ctx), tensors = read(
        os.path.join(HERE, "stories260K.bin"))
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "hidden_size": dim, "intermediate_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": kv, "vocab_size": vocab,
        "max_position_embeddings": ctx, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2,
        "dtype": "float32",
    }
    os.makedirs(out, exist_ok=True)
    save_file(tensors, os.path.join(out, "model.safetensors"),
              metadata={"format": "pt"})
    with open(os.path.join(out, "config.json"), "w") as f:
        json.dump(config, f, indent=1)
    with open(os.path.join(out, "tokenizer_config.json"), "w") as f:
        json.dump({"tokenizer_class": "LlamaTokenizer", "legacy": False,
                   "bos_token": "<s>", "eos_token": "</s>",
                   "unk_token": "<unk>"}, f, indent=1)
    shutil.copyfile(os.path.join(HERE, "tok512.model"),
                    os.path.join(out, "tokenizer.model"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
