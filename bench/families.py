"""Which families of language models work: a line for each.

usage: families.py [--export] [NAME...]

A tiny random model of every causal language model that transformers has (or
of the NAMEs) is exported, compiled and generates 20 greedy tokens on the
simulator, which are compared with PyTorch's. --export: no more than export.
Columns: family, verdict (equal, or the step that failed), reason.
"""

import contextlib
import inspect
import io
import os
import signal
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, d) for d in ("python", "test/python")]
os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers.models.auto.configuration_auto import (  # noqa: E402
    CONFIG_MAPPING)
from transformers.models.auto.modeling_auto import (  # noqa: E402
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)

import tiny_models  # noqa: E402
from streamtensor import Session, compile, export  # noqa: E402

LIMIT = 240  # seconds for a family
PROMPT = [1] + [(7 * i) % 90 + 3 for i in range(20)]
TOKENS, CHUNK, CTX = 20, 8, 64

# What configurations call their sizes. Each takes those that it knows.
SIZES = {
    32: "hidden_size n_embd d_model word_embed_proj_dim embedding_size "
        "emb_dim dim hidden_dim input_embedding_size lru_width",
    48: "intermediate_size ffn_dim n_inner ffn_hidden_size dff "
        "decoder_ffn_dim encoder_ffn_dim dim_ff shared_intermediate_size "
        "block_ff_dim moe_intermediate_size_dense",
    3: "num_hidden_layers n_layer n_layers num_layers decoder_layers "
       "encoder_layers num_decoder_layers num_encoder_layers",
    4: "num_attention_heads n_head n_heads num_heads decoder_attention_heads "
       "encoder_attention_heads num_decoder_attention_heads "
       "num_encoder_attention_heads num_local_experts num_experts "
       "n_routed_experts moe_num_experts rotary_dim",
    2: "num_key_value_heads num_kv_heads kv_n_heads num_experts_per_tok "
       "moe_k top_k",
    8: "head_dim dim_head d_kv n_groups ssm_state_size qk_rope_head_dim "
       "qk_nope_head_dim v_head_dim attention_head_size "
       "query_pre_attn_scalar mamba_d_head",
    12: "sliding_window window_size attention_window kv_lora_rank "
        "q_lora_rank",
    16: "moe_intermediate_size expert_ffn_hidden_size",
    96: "vocab_size vocab_size_per_layer_input",
    64: "max_position_embeddings n_positions n_ctx max_seq_len "
        "max_target_positions max_seq_length",
}
IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
DECODER = {"is_decoder": True, "is_encoder_decoder": False}
EXTRA = {  # configurations whose sizes depend on each other in other ways
    "gpt_neo": {"attention_types": [[["global", "local", "global"], 1]]},
    "qwen2": {"sliding_window": None},
}


def known(config_class):
    names = set(getattr(config_class, "attribute_map", None) or {})
    return names | set(inspect.signature(config_class.__init__).parameters)


def configuration(family):
    if family in tiny_models.FAMILIES:
        return tiny_models.FAMILIES[family]()
    if family in tiny_models.REFUSED:
        return tiny_models.REFUSED[family]()
    config_class = CONFIG_MAPPING[family]
    names = known(config_class)
    given = {name: size for size, all_names in SIZES.items()
             for name in all_names.split() if name in names}
    given.update({n: v for n, v in {**IDS, **DECODER}.items()
                  if n in names or n in IDS})
    given.update(EXTRA.get(family, {}))
    mapped = getattr(config_class, "attribute_map", None) or {}
    for name, other in mapped.items():
        if name in given and other in given:
            del given[name]
    return config_class(**given)


def made(family):
    """A model with random weights, its configuration's shapes."""
    torch.manual_seed(sum(family.encode()))
    config = configuration(family)
    size = sum(p.numel() for p in meta(config).parameters())
    if size > 20e6:
        raise ValueError(f"{size / 1e6:.0f} M parameters: its sizes have "
                         "names that this script does not know")
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    tiny_models.randomise(model)
    return model


def meta(config):
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(config)


def greedy(model):
    model.set_attn_implementation("eager")
    ids = list(PROMPT)
    with torch.no_grad():
        for _ in range(TOKENS):
            out = model(torch.tensor([ids]), use_cache=False)
            ids.append(int(out.logits[0, -1].argmax()))
    return ids[len(PROMPT):]


def examine(family, only_export, directory):
    """(verdict, reason)"""
    stage = "build"
    try:
        path = os.path.join(directory, family)
        made(family).save_pretrained(path)
        stage = "export"
        export.export_causal_lm(path, path + ".pkg", CHUNK, CTX)
        if only_export:
            return "exported", ""
        stage = "compile"
        compile(path + ".pkg", path + ".build")
        stage = "run"
        with Session(path + ".build") as session:
            got = [s.token for s in
                   session.generate(PROMPT, TOKENS)][-TOKENS:]
        stage = "compare"
        want = greedy(export.load_model(path))
    except Exception as e:
        text = " ".join(str(e).split()) or type(e).__name__
        return stage, text[:300]
    if got != want:
        return "differs", f"{got} instead of {want}"
    return "equal", f"{len(set(want))} different tokens"


def in_process(family, only_export):
    """In a process of its own: some never end."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(LIMIT)
        with tempfile.TemporaryDirectory() as directory, \
                contextlib.redirect_stderr(io.StringIO()), \
                contextlib.redirect_stdout(io.StringIO()):
            row = examine(family, only_export, directory)
        os.write(write, "\t".join(row).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as f:
        text = f.read()
    os.waitpid(pid, 0)
    return text.split("\t") if text else ["ended", f"after {LIMIT} s, or died"]


def main(args):
    torch.set_num_threads(1)
    only_export = "--export" in args
    names = [a for a in args if not a.startswith("--")]
    for family in names or sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES):
        verdict, reason = in_process(family, only_export)
        print(f"{family:24} {verdict:9} {reason}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
