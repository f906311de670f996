"""Large models that the benchmarks take, by their configurations alone."""

import json
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMMAND = os.path.join(ROOT, "streamtensor")
DIRECTORY = os.path.join(ROOT, "build", "large")

CONFIGS = {
    "gpt2-medium": {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2",
        "n_layer": 24, "n_embd": 1024, "n_head": 16, "n_positions": 1024,
        "vocab_size": 50257, "bos_token_id": 50256, "eos_token_id": 50256,
    },
    "llama-3.2-1b": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "num_hidden_layers": 16, "hidden_size": 2048,
        "intermediate_size": 8192, "num_attention_heads": 32,
        "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128256,
        "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
        "hidden_act": "silu", "rope_theta": 500000.0,
        "rope_scaling": {
            "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
        },
        "tie_word_embeddings": True, "bos_token_id": 128000,
        "eos_token_id": 128001,
    },
    "qwen2.5-0.5b": {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2",
        "num_hidden_layers": 24, "hidden_size": 896,
        "intermediate_size": 4864, "num_attention_heads": 14,
        "num_key_value_heads": 2, "vocab_size": 151936,
        "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0, "hidden_act": "silu",
        "tie_word_embeddings": True, "bos_token_id": 151643,
        "eos_token_id": 151645,
    },
    "llama-22x2048": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "num_hidden_layers": 22, "hidden_size": 2048,
        "intermediate_size": 5632, "num_attention_heads": 32,
        "num_key_value_heads": 4, "vocab_size": 32000,
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-5,
        "hidden_act": "silu", "rope_theta": 10000.0,
        "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2,
    },
    "gemma-3-1b": {
        "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text",
        "num_hidden_layers": 26, "hidden_size": 1152,
        "intermediate_size": 6912, "num_attention_heads": 4,
        "num_key_value_heads": 1, "head_dim": 256, "vocab_size": 262144,
        "max_position_embeddings": 32768, "sliding_window": 512,
        "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-6,
        "hidden_activation": "gelu_pytorch_tanh", "rope_theta": 1000000.0,
        "rope_local_base_freq": 10000.0, "tie_word_embeddings": True,
        "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
    },
}


# Small enough to run with values, weights and all.
RUN = {
    "smollm2-135m": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "num_hidden_layers": 30, "hidden_size": 576,
        "intermediate_size": 1536, "num_attention_heads": 9,
        "num_key_value_heads": 3, "vocab_size": 49152,
        "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
        "hidden_act": "silu", "rope_theta": 100000.0,
        "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2,
    },
    "llama-3.2-1b": CONFIGS["llama-3.2-1b"],
}


def export(name, directory, seed=None):
    """The package of a configuration; made if it is not there. With a seed it
    has random weights."""
    random = [] if seed is None else ["--random-weights", str(seed)]
    package = os.path.join(directory, name + ("-random" if random else "") +
                           ".st")
    if os.path.exists(os.path.join(package, "model.json")):
        return package
    checkpoint = os.path.join(directory, name)
    os.makedirs(checkpoint, exist_ok=True)
    with open(os.path.join(checkpoint, "config.json"), "w") as f:
        json.dump({**RUN, **CONFIGS}[name], f)
    subprocess.run([COMMAND, "export", checkpoint, "-o", package,
                    "--config-only", *random], check=True)
    return package
