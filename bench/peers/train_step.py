"""Full training step of a PyTorch peer: forward, backward, clip, AdamW with fp32 main weights.

    python bench/peers/train_step.py --peer PEER --shape SHAPE [--micro-batch-size N] [--seq-length N]
                                     [--dtype bf16|fp32] [--steps N]

With --steps it measures by itself. Without, it speaks the protocol of `primus-cli benchmark step --blocks`, so that
compare.py can alternate the two: a JSON line after the first step, then for each number of steps read from stdin one
line with their seconds, the rate of a large matrix product of that dtype, and peak memory.
"""

import argparse
import json
import resource
import statistics
import sys
import time

from shapes import add_shape_options, shape_of, step_flops


def say(**line):
    print(json.dumps(line), flush=True)


def skip(error, package=""):
    """Says what is missing and the line that installs it, and ends."""
    say(skipped=str(error), install=f"{sys.executable} -m pip install torch==2.13.0 {package}".rstrip())
    sys.exit()


try:
    import models
    import torch
    from torch import nn
except ImportError as missing:
    skip(missing)

PEERS = [name for peer in models.MODELS for name in (peer, f"{peer}-compile")]


class Training:
    """fp32 weights with bf16 arithmetic under autocast, as these peers train; Megatron's own functions know no
    autocast, so its weights are bf16 and the optimizer has fp32 copies, as Megatron does it."""

    def __init__(self, peer, shape, dtype):
        name, _, compiled = peer.partition("-")
        self.model = models.MODELS[name](shape)
        self.forward = torch.compile(self.model) if compiled else self.model
        self.copies = name == "megatron" and dtype == torch.bfloat16
        self.autocast = dtype == torch.bfloat16 and not self.copies
        if self.copies:
            self.model.to(dtype)
        self.weights = list(self.model.parameters())
        self.main = [w.detach().float() for w in self.weights] if self.copies else self.weights
        self.optimizer = torch.optim.AdamW(self.main, lr=1e-4, weight_decay=0.1, fused=True)
        self.tokens = torch.randint(shape["vocab"], (shape["batch"], shape["seq"] + 1))

    def step(self):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.autocast):
            loss = self.forward(self.tokens[:, :-1], self.tokens[:, 1:])
        loss.backward()
        if self.copies:
            for main, weight in zip(self.main, self.weights):
                main.grad, weight.grad = weight.grad.float(), None
        nn.utils.clip_grad_norm_(self.main, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.copies:
            torch._foreach_copy_([weight.data for weight in self.weights], self.main)

    def timed_step(self):
        start = time.perf_counter()
        self.step()
        return time.perf_counter() - start


def gemm_rate(dtype):
    """The best of three products; for bf16 the better one of bf16 and fp32, as in our own program."""
    matrix = torch.randn(1536, 1536)
    best = 0.0
    for a in [matrix.to(dtype)] + ([matrix] if dtype == torch.bfloat16 else []):
        for _ in range(3):
            start = time.perf_counter()
            a @ a
            best = max(best, 2 * 1536**3 / (time.perf_counter() - start) / 1e9)
    return best


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def serve_blocks(training, dtype):
    say(first_step_s=training.timed_step())
    for line in sys.stdin:
        seconds = [training.timed_step() for _ in range(int(line))]
        say(seconds=seconds, gemm_gflops=gemm_rate(dtype), peak_mb=peak_mb())


def measure(training, shape, steps):
    first = training.timed_step()
    seconds = statistics.median(training.timed_step() for _ in range(steps))
    print(f"first step {first:.1f} s, then {seconds * 1e3:.1f} ms, {step_flops(shape) / seconds / 1e9:.1f} GFLOP/s, "
          f"peak memory {peak_mb():.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", choices=PEERS, required=True)
    add_shape_options(parser)
    parser.add_argument("--dtype", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--steps", type=int, help="measure so many steps, and print a line")
    options = parser.parse_args()
    dtype = torch.bfloat16 if options.dtype == "bf16" else torch.float32
    torch.manual_seed(0)
    try:
        training = Training(options.peer, shape_of(options), dtype)
    except ImportError as error:
        skip(error, models.PACKAGES[options.peer.partition("-")[0]])
    if options.steps:
        measure(training, shape_of(options), options.steps)
    else:
        serve_blocks(training, dtype)


if __name__ == "__main__":
    main()
