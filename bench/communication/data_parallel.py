"""Tokens per second of two processes with one thread each against one process with two threads.

    python bench/communication/data_parallel.py ./primus-cli [--repeats N] [--iterations N] [--seq_length N]
        [--micro_batch_size N] [key=value ...]

Trains examples/megatron/configs/CPU/llama_110M-pretrain.yaml with the same global batch, four micro-batches per
rank. The process alone takes the batch in four micro-batches of twice the size, or in eight of the same size,
whichever is faster. The runs take turns; the figure of a run is the median of its iterations but the first two.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

EXPERIMENT = Path(__file__).resolve().parents[2] / "examples/megatron/configs/CPU/llama_110M-pretrain.yaml"
ACCUMULATION = 4


def tokens_per_second(program, ranks, threads, overrides):
    with tempfile.TemporaryDirectory() as folder:
        words = [program, "direct", "--nproc_per_node", ranks, "--threads", threads, "--", "train", "pretrain", "--config",
                 EXPERIMENT, *overrides]
        environment = {**os.environ, "PRIMUS_WORKSPACE": f"{folder}/output"}
        result = subprocess.run([str(word) for word in words], capture_output=True, text=True, cwd=folder, env=environment)
        if result.returncode != 0:
            raise SystemExit(result.stderr[-3000:])
        metrics = next(Path(folder).rglob("metrics.jsonl")).read_text().splitlines()
        lines = [json.loads(line) for line in metrics][2:]
        return statistics.median(line["tokens_per_second"] for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--seq_length", type=int, default=256)
    parser.add_argument("--micro_batch_size", type=int, default=1)
    arguments, overrides = parser.parse_known_args()
    program, micro = arguments.program.resolve(), arguments.micro_batch_size
    common = [f"train_iters={arguments.iterations}", f"seq_length={arguments.seq_length}",
              f"global_batch_size={2 * ACCUMULATION * micro}", "dataloader_type=single", *overrides]
    ranks = ["use_distributed_optimizer=true", "overlap_grad_reduce=true", "overlap_param_gather=true"]
    cases = {
        "2 processes x 1 thread": (2, 1, [*common, f"micro_batch_size={micro}", *ranks]),
        "1 process x 2 threads, 8 micro-batches": (1, 2, [*common, f"micro_batch_size={micro}"]),
        "1 process x 2 threads, 4 micro-batches": (1, 2, [*common, f"micro_batch_size={2 * micro}"]),
    }
    found = {name: [] for name in cases}
    for _ in range(arguments.repeats):
        for name, case in cases.items():
            found[name].append(tokens_per_second(program, *case))
            print(f"{name}: {found[name][-1]:.0f} tokens/s (load {os.getloadavg()[0]:.1f})", flush=True)
    medians = {name: statistics.median(values) for name, values in found.items()}
    two, *one = medians.values()
    print(json.dumps({"tokens_per_second": medians, "ratio": two / max(one)}))


if __name__ == "__main__":
    main()
