"""Compile GPT-2 Medium and Llama-3.2-1B, from their configurations alone.

usage: .venv/bin/python bench/compile_large.py [--dir DIR] [--runs N]

Prints, for each, the least wall time of N compilations, its processor time and
peak memory, and the share of intermediate memory that is left when kernels are
fused, beside what the StreamTensor paper (MICRO 2025, arXiv 2509.13694) says of
its own models. Packages are kept in DIR; exporting them takes about a minute
each. Needs ./streamtensor, that is `make build`.
"""

import argparse
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMMAND = os.path.join(ROOT, "streamtensor")

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
}


def export(name, directory):
    """The package of a configuration; made if it is not there."""
    package = os.path.join(directory, name + ".st")
    if os.path.exists(os.path.join(package, "model.json")):
        return package
    checkpoint = os.path.join(directory, name)
    os.makedirs(checkpoint, exist_ok=True)
    with open(os.path.join(checkpoint, "config.json"), "w") as f:
        json.dump(CONFIGS[name], f)
    subprocess.run([COMMAND, "export", checkpoint, "-o", package,
                    "--config-only"], check=True)
    return package


def compile_once(package, build):
    """(wall seconds, processor seconds, peak bytes) of one compilation."""
    start = time.monotonic()
    child = subprocess.Popen([COMMAND, "compile", package, "-o", build],
                             stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"compile {package} failed with {child.returncode}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(
        description="Compile two large models from their configurations.")
    parser.add_argument("--dir", default=os.path.join(ROOT, "build", "large"))
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    print(f"{'':14}{'compile':>13}{'processor':>11}{'peak':>9}"
          f"{'kernels':>9}{'intermediate memory':>21}", flush=True)
    for name in CONFIGS:
        package = export(name, args.dir)
        build = os.path.join(args.dir, name + ".build")
        wall, cpu, peak = min(compile_once(package, build)
                              for _ in range(args.runs))
        report = json.loads(subprocess.run(
            [COMMAND, "report", build, "--json"], check=True,
            capture_output=True).stdout)
        memory = report["intermediate_bytes"]
        print(f"{name:14}{wall:11.2f} s{cpu:9.2f} s{peak / 1e9:6.2f} GB"
              f"{len(report['kernels']):9}"
              f"{100 * memory['fused'] / memory['unfused']:19.1f} %",
              flush=True)
    print(f"{'published':14}{'26.8-63.4 s':>13}{'14.8-16.8 %':>50}")


if __name__ == "__main__":
    main()
