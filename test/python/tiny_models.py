"""Tiny random checkpoints of many families, from their configurations.

usage: tiny_models.py DIR [NAME...]     writes DIR/NAME for each

Matrices are large and embeddings small, so that what the layers compute
outweighs the residual stream: a tied model would repeat its input otherwise.
"""

import os
import sys

import torch
import transformers as t

BASE = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=3,
            num_attention_heads=4, num_key_value_heads=2, vocab_size=96,
            max_position_embeddings=64, bos_token_id=1, eos_token_id=2,
            pad_token_id=0)
GPT2 = dict(n_embd=32, n_layer=3, n_head=4, vocab_size=96, n_positions=64,
            bos_token_id=1, eos_token_id=2)
ONE_HEAD = {k: v for k, v in BASE.items() if k != "num_key_value_heads"}

FAMILIES = {
    "gpt2": lambda: t.GPT2Config(**GPT2),
    "llama": lambda: t.LlamaConfig(**BASE),
    "qwen2": lambda: t.Qwen2Config(**BASE),
    "qwen3": lambda: t.Qwen3Config(**BASE, head_dim=8),
    "gemma": lambda: t.GemmaConfig(**BASE, head_dim=8),
    "gemma2": lambda: t.Gemma2Config(**BASE, head_dim=8, sliding_window=12,
                                     query_pre_attn_scalar=8),
    "gemma3": lambda: t.Gemma3TextConfig(
        **{**BASE, "num_hidden_layers": 7}, head_dim=8, sliding_window=12,
        query_pre_attn_scalar=8),
    "mistral": lambda: t.MistralConfig(**BASE, sliding_window=12),
    "phi": lambda: t.PhiConfig(**BASE),
    "phi3": lambda: t.Phi3Config(**BASE),
    "gpt_neox": lambda: t.GPTNeoXConfig(**ONE_HEAD),
    "opt": lambda: t.OPTConfig(
        hidden_size=32, ffn_dim=48, num_hidden_layers=3,
        num_attention_heads=4, vocab_size=96, max_position_embeddings=64,
        word_embed_proj_dim=32, bos_token_id=1, eos_token_id=2),
    "stablelm": lambda: t.StableLmConfig(**BASE),
    "olmo2": lambda: t.Olmo2Config(**BASE),
    "cohere": lambda: t.CohereConfig(**BASE),
    "granite": lambda: t.GraniteConfig(**BASE),
    "smollm3": lambda: t.SmolLM3Config(**BASE),
    "starcoder2": lambda: t.Starcoder2Config(**BASE, sliding_window=None),
    "glm": lambda: t.GlmConfig(**BASE, head_dim=8),
    # Attention of their own: rotary pairs, a table of masks with a window,
    # one head of keys, ALiBi of two kinds.
    "gptj": lambda: t.GPTJConfig(
        n_embd=32, n_layer=3, n_head=4, vocab_size=96, n_positions=64,
        rotary_dim=4, bos_token_id=1, eos_token_id=2),
    "gpt_neo": lambda: t.GPTNeoConfig(
        vocab_size=96, max_position_embeddings=64, hidden_size=32,
        num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]],
        window_size=12, bos_token_id=1, eos_token_id=2),
    "falcon": lambda: t.FalconConfig(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
        vocab_size=96, max_position_embeddings=64, alibi=False,
        bos_token_id=1, eos_token_id=2),
    "bloom": lambda: t.BloomConfig(
        vocab_size=96, hidden_size=32, n_layer=3, n_head=4, bos_token_id=1,
        eos_token_id=2),
    "mpt": lambda: t.MptConfig(
        vocab_size=96, d_model=32, n_layers=3, n_heads=4, max_seq_len=64,
        bos_token_id=1, eos_token_id=2),
    # Experts chosen by data, of two ways of choosing.
    "mixtral": lambda: t.MixtralConfig(**BASE, num_local_experts=4),
    "qwen3_moe": lambda: t.Qwen3MoeConfig(
        **BASE, head_dim=8, num_experts=4, num_experts_per_tok=2,
        moe_intermediate_size=16),
}

# More are accepted and left out of the tests for their time:
# bench/families.py tells which.

# States instead of keys and values.
REFUSED = {
    "mamba": lambda: t.MambaConfig(vocab_size=96, hidden_size=32,
                                   num_hidden_layers=2),
}

# Added to the seed of families whose first model makes few tokens.
SEED = {"gpt2": 2, "qwen3": 1, "stablelm": 1, "gptj": 5, "mpt": 2}


def build(name):
    """The model of a family with seeded weights."""
    torch.manual_seed(len(name) * 7 + sum(name.encode()) + SEED.get(name, 0))
    config = {**FAMILIES, **REFUSED}[name]()
    model = t.AutoModelForCausalLM.from_config(config).eval()
    randomise(model)
    return model


def randomise(model):
    vocab = model.config.get_text_config().vocab_size
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() > 1:
                scale = 0.4 if p.shape[0] == vocab else 2.0
                p.copy_(torch.randn_like(p) * scale / p.shape[-1] ** 0.5)
            else:
                p.add_(0.3 * torch.randn_like(p))


def save(name, directory):
    path = os.path.join(directory, name)
    build(name).save_pretrained(path)
    return path


if __name__ == "__main__":
    for family in sys.argv[2:] or [*FAMILIES, *REFUSED]:
        save(family, sys.argv[1])
