"""Reads what Transformers saves, in many ways, and lets Transformers read what we export.

    PRIMUS_CLI=build/release/primus-cli python tests/parity/huggingface_variants.py

Each case is a tiny random model, saved by Transformers with a change of class, sizes, dtype, files, or spelling of
config.json. Our import and export, loaded by Transformers, must give the logits of the original, and our `generate`
the greedy text of it.

Needs torch (CPU) and transformers.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers

from huggingface_oracle import SIZES, continue_greedily, make_model, make_tokens, rope

CLI = os.environ["PRIMUS_CLI"]
LLAMA, MISTRAL = transformers.LlamaConfig, transformers.MistralConfig
QWEN2, QWEN3 = transformers.Qwen2Config, transformers.Qwen3Config
LLAMA3 = rope(500000.0, rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)


def respell(**keys):
    """A change of config.json: keys with None are removed, others set."""
    def change(config):
        for key, value in keys.items():
            config.pop(key, None)
            if value is not None:
                config[key] = value
    return change


def cases():
    """Name -> (configuration, dtype, shard size, change of config.json)."""
    def case(cls, dtype=torch.float32, shards="5GB", change=lambda config: None, **keys):
        return cls(**{**SIZES, "rope_parameters": rope(), **keys}), dtype, shards, change

    linear = {"type": "linear", "factor": 3.0}
    flat = rope(2e4)
    return {
        "llama": case(LLAMA),
        "llama bf16": case(LLAMA, torch.bfloat16),
        "llama fp16": case(LLAMA, torch.float16),
        "llama sharded": case(LLAMA, shards="20KB"),
        "llama sharded bf16 tied": case(LLAMA, torch.bfloat16, "20KB", tie_word_embeddings=True),
        "llama biases": case(LLAMA, attention_bias=True, mlp_bias=True),
        "llama one key": case(LLAMA, num_key_value_heads=1),
        "llama wide heads": case(LLAMA, head_dim=16),
        "llama odd vocabulary": case(LLAMA, vocab_size=83),
        "mistral": case(MISTRAL, sliding_window=None),
        "mistral 5 heads": case(MISTRAL, sliding_window=None, num_attention_heads=5, num_key_value_heads=1),
        "qwen2": case(QWEN2),
        "qwen2 tied": case(QWEN2, tie_word_embeddings=True),
        "qwen2 wide heads": case(QWEN2, head_dim=16),
        "qwen2 5 heads": case(QWEN2, num_attention_heads=5, num_key_value_heads=1),
        "qwen3": case(QWEN3),
        "qwen3 5 heads": case(QWEN3, num_attention_heads=5, num_key_value_heads=1),
        "rope_theta alone": case(LLAMA, change=respell(rope_parameters=None, rope_theta=2e4)),
        "rope absent": case(LLAMA, change=respell(rope_parameters=None)),
        "rope_parameters": case(LLAMA, rope_parameters=rope(2e4)),
        "rope_parameters linear": case(LLAMA, rope_parameters=rope(2e4, rope_type="linear", factor=2.5)),
        "rope_parameters llama3": case(LLAMA, rope_parameters=LLAMA3),
        "rope_scaling type": case(LLAMA, change=respell(rope_parameters=None, rope_theta=2e4, rope_scaling=linear)),
        "rope_scaling rope_type": case(LLAMA, change=respell(
            rope_parameters=None, rope_theta=5e5,
            rope_scaling={key: value for key, value in LLAMA3.items() if key != "rope_theta"})),
        "rope_scaling null": case(LLAMA, change=respell(rope_parameters=None, rope_theta=2e4, rope_scaling={})),
        "rope_scaling agrees": case(LLAMA, rope_parameters=flat, change=respell(rope_scaling=flat, rope_theta=2e4)),
    }


def run(*arguments):
    return subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True)


def difference(name, config, dtype, shards, change, directory):
    """The relative difference of the logits, and whether the greedy text is the same; or our message when refused."""
    original, imported, exported = directory / "original", directory / "imported", directory / "exported"
    make_model(config, seed=sum(map(ord, name))).to(dtype).save_pretrained(original, max_shard_size=shards)
    path = original / "config.json"
    saved = json.loads(path.read_text())
    change(saved)
    path.write_text(json.dumps(saved))
    load = lambda path: transformers.AutoModelForCausalLM.from_pretrained(
        path, attn_implementation="eager", dtype=torch.float32)
    model, tokens = load(original), make_tokens(1, seed=7)[0]
    for command in (["import-hf", original, "--save", imported], ["export-hf", imported, "--save", exported]):
        result = run("checkpoint", *command)
        if result.returncode != 0:
            return result.stderr.strip()
    with torch.no_grad():
        expected, logits = model(tokens).logits, load(exported)(tokens).logits
    size = config.vocab_size - 1
    prompt = tokens[0, :4]
    text = run("generate", "--load", imported, "--prompt", " ".join(map(str, prompt.tolist())), "--greedy",
               "--max_new_tokens", 8, "--tokenizer_type", "NullTokenizer", "--vocab_size", size)
    greedy = continue_greedily(model, prompt, 8).tolist()
    same = text.stdout.split() == list(map(str, greedy))
    if dtype != torch.float32:
        same = text.returncode == 0  # Rounding within our model may choose another token.
    return ((logits - expected).norm() / expected.norm()).item(), same


def main():
    torch.set_num_threads(1)
    good = True
    for name, case in cases().items():
        with tempfile.TemporaryDirectory() as directory:
            result = difference(name, *case, pathlib.Path(directory))
        passed = isinstance(result, tuple) and result[0] < 1e-6 and result[1]
        good &= passed
        print(f"{'ok  ' if passed else 'FAIL'} {name}: {result}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
