"""Compares our attention alone, forward and backward, with PyTorch's scaled_dot_product_attention: causal, bf16.

    python bench/peers/attention.py [--micro-batch-size N] [--heads N] [--seq-length N] [--head-size N] [--pairs N]
                                    [--json FILE]

Both take turns: a run of `primus-cli benchmark attention`, then as many repeats in this process. Each measures the rate
of a large matrix product between its repeats.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import time

import torch
import torch.nn.functional as F
from results import append
from train_step import gemm_rate

ROOT = pathlib.Path(__file__).resolve().parents[2]
REPEATS = 5


def forward_flops(options):
    """Of the half of the square that a causal mask leaves; the backward counts 2.5 times as much."""
    return 2 * options.micro_batch_size * options.heads * options.seq_length**2 * options.head_size


def measure_ours(options):
    """Milliseconds of forward and backward, and the rate of a large matrix product."""
    command = [os.environ.get("PRIMUS_CLI", ROOT / "build/release/primus-cli"), "benchmark", "attention", "--repeats",
               str(REPEATS), "--micro-batch-size", str(options.micro_batch_size), "--num-attention-heads",
               str(options.heads), "--num-query-groups", str(options.heads), "--seq-length", str(options.seq_length),
               "--kv-channels", str(options.head_size)]
    # The last columns of the last line: time, rate and share of the forward, the same of the backward, and the peak.
    line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    columns = line.replace("%", "").split()[-7:]
    return float(columns[0]), float(columns[3]), float(columns[6])


def measure_torch(options):
    shape = (options.micro_batch_size, options.heads, options.seq_length, options.head_size)
    q, k, v = (torch.randn(shape).bfloat16().requires_grad_() for _ in range(3))
    gradient = torch.randn(shape).bfloat16()
    forward, backward, rates = [], [], []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        middle = time.perf_counter()
        y.backward(gradient)
        forward.append(1e3 * (middle - start))
        backward.append(1e3 * (time.perf_counter() - middle))
        q.grad = k.grad = v.grad = None
        rates.append(gemm_rate(torch.bfloat16))
    return tuple(statistics.median(values[1:]) for values in (forward, backward, rates))


def compare(options):
    ours, theirs = [], []
    for _ in range(options.pairs):
        ours.append(measure_ours(options))
        theirs.append(measure_torch(options))
    gemm = statistics.median(rate for _, _, rate in ours + theirs)
    result = {"attention": [options.micro_batch_size, options.heads, options.seq_length, options.head_size],
              "gemm_gflops": gemm}
    for index, (name, factor) in enumerate((("forward", 1), ("backward", 2.5))):
        flops = factor * forward_flops(options)
        ratios = [b[index] / a[index] for a, b in zip(ours, theirs)]
        result[name] = {"ratio": statistics.median(ratios), "ratios": ratios,
                        "gflops": [flops / statistics.median(run[index] for run in runs) / 1e6
                                   for runs in (ours, theirs)]}
    return result


def report(result):
    print(f"attention {tuple(result['attention'])}, GEMM peak {result['gemm_gflops']:.0f} GFLOP/s")
    for name in ("forward", "backward"):
        (ours, theirs), ratios = result[name]["gflops"], result[name]["ratios"]
        print(f"  {name:8} ours {ours:.0f} GFLOP/s = {100 * ours / result['gemm_gflops']:.0f} % of the peak, PyTorch's "
              f"{theirs:.0f} = {100 * theirs / result['gemm_gflops']:.0f} %: {result[name]['ratio']:.2f} times as fast "
              f"({min(ratios):.2f} to {max(ratios):.2f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--micro-batch-size", type=int, default=2)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--seq-length", type=int, default=1024)
    parser.add_argument("--head-size", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path, help="append the result to this file")
    options = parser.parse_args()
    result = compare(options)
    report(result)
    if options.json:
        append(result, options.json)


if __name__ == "__main__":
    main()
