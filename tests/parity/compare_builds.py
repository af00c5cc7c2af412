#!/usr/bin/env python3
"""Trains the same small models with two builds of the program and compares every loss and gradient norm, bit for bit.

    python3 tests/parity/compare_builds.py BEFORE AFTER             # two primus-cli binaries
    python3 tests/parity/compare_builds.py BEFORE AFTER --only bf16 # the runs whose name holds a text

For a change that must not change results: build the commit before it, keep its binary, and compare. Models, precisions
and layouts of ranks are crossed so that each pair of choices occurs; every run ends with a save and continues from it.
"""

import argparse
import concurrent.futures
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# The shared code of the script tests names one program; here there are two.
os.environ.setdefault("PRIMUS_CLI", "")
os.environ.setdefault("PRIMUS_SOURCE_DIR", str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from program import ENVIRONMENT, Experiment  # noqa: E402

COMMON = {
    "num_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "num_query_groups": 2, "ffn_hidden_size": 96,
    "seq_length": 48, "max_position_embeddings": 48, "mock_data": True, "vocab_size": 250,
    "make_vocab_size_divisible_by": 16, "micro_batch_size": 2, "global_batch_size": 8, "train_iters": 5,
    "lr": 0.01, "lr_warmup_iters": 1, "lr_decay_iters": 5, "eval_interval": 3, "eval_iters": 1, "log_interval": 1,
    "num_workers": 0, "dataloader_type": "single", "save": "checkpoints", "save_interval": 3, "finetune": False,
    "auto_continue_train": False,
}

MODELS = {
    "llama": {},
    "gpt2": {"position_embedding_type": "learned_absolute", "add_position_embedding": True, "swiglu": False,
             "normalization": "LayerNorm",
             "add_bias_linear": True, "untie_embeddings_and_output_weights": False, "hidden_dropout": 0.1,
             "attention_dropout": 0.1, "num_query_groups": 4},
    "qk_norm": {"qk_layernorm": True, "untie_embeddings_and_output_weights": True, "clip_grad": 0.1,
                "calculate_per_token_loss": True, "optimizer": "sgd"},
}
PRECISIONS = {
    "fp32": {"bf16": False},
    "bf16": {"bf16": True},
    "bf16_turbo": {"bf16": True, "enable_primus_turbo": True, "use_turbo_attention": True, "use_turbo_gemm": True,
                   "use_turbo_rms_norm": True, "cross_entropy_loss_fusion": True},
    "fp32_turbo": {"bf16": False, "enable_primus_turbo": True, "use_turbo_attention": True, "use_turbo_gemm": True,
                   "use_turbo_rms_norm": True, "cross_entropy_loss_fusion": True},
}
LAYOUTS = {
    "1": (1, {}),
    "tp2": (2, {"tensor_model_parallel_size": 2}),
    "tp2_sp": (2, {"tensor_model_parallel_size": 2, "sequence_parallel": True}),
    "dp2": (2, {"overlap_grad_reduce": True}),
    "dp2_sharded": (2, {"use_distributed_optimizer": True, "overlap_grad_reduce": True, "overlap_param_gather": True}),
    "dp2_tp2": (4, {"tensor_model_parallel_size": 2, "sequence_parallel": True, "use_distributed_optimizer": True}),
}


def train(program, folder, ranks, overrides):
    """The values of every line of metrics.jsonl that do not depend on the clock, of a run and its continuation."""
    experiment = Experiment(folder, **overrides)
    train_words = ["train", "pretrain", "--config", str(experiment.config)]
    words = train_words if ranks == 1 else ["direct", "--nproc_per_node", str(ranks), "--", *train_words]
    for more in ([], ["train_iters=7", "auto_continue_train=true"]):
        result = subprocess.run([program, *words, *more], capture_output=True, text=True, env=ENVIRONMENT, cwd=folder,
                                check=False, timeout=300)
        if result.returncode != 0:
            return f"exit code {result.returncode}: {result.stderr[-600:]}"
    kept = ("iteration", "lm_loss", "grad_norm", "learning_rate", "consumed_samples", "split", "loss")
    return [{key: line[key] for key in kept if key in line}
            for line in map(json.loads, experiment.metrics_file.read_text().splitlines())]


def compare(before, after, name, ranks, overrides):
    with tempfile.TemporaryDirectory() as folder:
        results = []
        for number, program in enumerate((before, after)):
            own = Path(folder) / str(number)
            own.mkdir()
            results.append(train(program, own, ranks, overrides))
    if isinstance(results[0], str) or isinstance(results[1], str):
        return name, f"before: {results[0]}\n    after: {results[1]}"
    if results[0] == results[1] and results[0]:
        return name, None
    for one, other in itertools.zip_longest(*results):
        if one != other:
            return name, f"{one} became {other}"
    return name, "no lines"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    runs = []
    for model, precision, layout in itertools.product(MODELS, PRECISIONS, LAYOUTS):
        ranks, parallel = LAYOUTS[layout]
        name = f"{model}-{precision}-{layout}"
        if arguments.only in name:
            runs.append((name, ranks, {**COMMON, **MODELS[model], **PRECISIONS[precision], **parallel}))
    differing = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        pending = [pool.submit(compare, os.path.abspath(arguments.before), os.path.abspath(arguments.after), *run)
                   for run in runs]
        for one in concurrent.futures.as_completed(pending):
            name, difference = one.result()
            print(f"{name}: {'equal' if difference is None else difference}", flush=True)
            differing += difference is not None
    print(f"{len(runs)} runs, {differing} differ")
    return 1 if differing or not runs else 0


if __name__ == "__main__":
    sys.exit(main())
