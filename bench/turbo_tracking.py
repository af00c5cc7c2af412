#!/usr/bin/env python3
"""Trains one experiment twice, with and without the fused kernels, and compares the losses.

    python bench/turbo_tracking.py                 # llama_tiny on the data of `make pretrain`, 200 iterations
    python bench/turbo_tracking.py --iterations 50 --config EXPERIMENT.yaml -- key=value ...

Both runs draw the same weights and read the same batches. The mean absolute difference of their losses must not
exceed --limit; otherwise the exit code is 1. What follows `--` goes to both runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
FUSED = ["enable_primus_turbo", "use_turbo_attention", "use_turbo_gemm", "use_turbo_rms_norm",
         "use_turbo_parallel_linear", "cross_entropy_loss_fusion", "gradient_accumulation_fusion",
         "bias_swiglu_fusion", "bias_gelu_fusion", "bias_dropout_fusion", "apply_rope_fusion"]


def losses(arguments: argparse.Namespace, workspace: Path, overrides: list[str]) -> list[float]:
    command = [arguments.program, "train", "pretrain", "--config", arguments.config,
               f"train_iters={arguments.iterations}", "save=null", "auto_continue_train=false", "eval_iters=0",
               "full_validation=false", *arguments.overrides, *overrides]
    result = subprocess.run(command, capture_output=True, text=True, check=False,
                            env={**os.environ, "PRIMUS_WORKSPACE": str(workspace)})
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{result.stderr[-2000:]}")
    [metrics] = workspace.rglob("metrics.jsonl")
    return [json.loads(line)["lm_loss"] for line in metrics.read_text().splitlines() if "lm_loss" in line]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(SOURCE / "primus-cli"))
    parser.add_argument("--config", default=str(SOURCE / "examples/megatron/configs/CPU/llama_tiny-pretrain.yaml"))
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--limit", type=float, default=0.01, help="largest mean absolute difference of the losses")
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fused = losses(arguments, Path(folder) / "fused", [])
        reference = losses(arguments, Path(folder) / "reference", [f"{switch}=false" for switch in FUSED])
    differences = [abs(a - b) for a, b in zip(fused, reference, strict=True)]
    mean = sum(differences) / len(differences)
    print(f"{len(differences)} iterations: loss {reference[0]:.4f} to {reference[-1]:.4f} by the reference, "
          f"{fused[0]:.4f} to {fused[-1]:.4f} fused")
    print(f"absolute difference: mean {mean:.5f}, largest {max(differences):.5f}; limit for the mean {arguments.limit}")
    return 0 if mean <= arguments.limit else 1


if __name__ == "__main__":
    sys.exit(main())
