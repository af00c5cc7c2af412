"""Compares the training step of this program with a peer's on one shape, block by block.

    python bench/peers/compare.py --shape gpt2|llama110m|tiny --peer PEER [--allocators installed,tcmalloc]
                                  [--micro-batch-size N] [--seq-length N] [--dtype bf16|fp32] [--pairs N] [--json FILE]

The programs (ours, the peer as installed, the peer under tcmalloc) are started one after the other and warmed up, then
take turns, so that what else the machine does falls on all alike: a ratio is the median over pairs of neighbouring
blocks. Needs the built program ($PRIMUS_CLI, or build/release) and what the peer needs; a peer that lacks it is skipped,
with the reason, and exit code 3. Compiled peers start with an empty compilation cache.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

from results import append
from shapes import add_shape_options, shape_of, step_flops

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 3
# Our experiment of each shape, and what makes it the peer's: the vocabulary counts one token for the end of a document.
EXPERIMENTS = {
    "gpt2": ("gpt2_124M", []),
    "llama110m": ("llama_110M", []),
    "tiny": ("llama_tiny", ["vocab_size=4095", "num_query_groups=4"]),
}
TCMALLOC = pathlib.Path(f"/usr/lib/{platform.machine()}-linux-gnu/libtcmalloc_minimal.so.4")


class Skipped(Exception):
    """The peer cannot run here: why, and what mends it."""


class Program:
    """A process that runs so many steps for each number it is given, and answers with a line of JSON."""

    def __init__(self, command, environment):
        start = time.perf_counter()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | environment)
        self.first = self.answer()
        self.start_s = time.perf_counter() - start
        if "skipped" in self.first:
            raise Skipped(f"{self.first['skipped']}; install it with: {self.first['install']}")
        self.blocks = []

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(map(str, self.process.args))}: ended with code {self.process.wait()}")
        return json.loads(line)

    def processor_seconds(self):
        """Of all its threads so far: fields 14 and 15 of /proc/PID/stat."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def run(self, steps):
        """Seconds of one step, the median of the block."""
        before = self.processor_seconds()
        print(steps, file=self.process.stdin, flush=True)
        block = self.answer()
        block["processor_s"] = self.processor_seconds() - before
        self.blocks.append(block)
        return statistics.median(block["seconds"])

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def figures(self, flops):
        seconds = statistics.median(s for block in self.blocks for s in block["seconds"])
        return {
            "ms": 1e3 * seconds,
            "gflops": flops / seconds / 1e9,
            "processor_s": statistics.median(b["processor_s"] / len(b["seconds"]) for b in self.blocks),
            "peak_mb": self.blocks[-1]["peak_mb"],
            "start_s": self.start_s,
        }


def our_command(options):
    shape = shape_of(options)
    experiment, overrides = EXPERIMENTS[options.shape]
    return [os.environ.get("PRIMUS_CLI", ROOT / "build/release/primus-cli"), "benchmark", "step", "--blocks", "--config",
            ROOT / f"examples/megatron/configs/CPU/{experiment}-pretrain.yaml", f"seq_length={shape['seq']}",
            f"micro_batch_size={shape['batch']}", f"global_batch_size={shape['batch']}",
            f"bf16={'true' if options.dtype == 'bf16' else 'false'}", *overrides, *options.override]


def peer_command(options):
    shape = shape_of(options)
    sizes = ["--micro-batch-size", str(shape["batch"]), "--seq-length", str(shape["seq"])]
    if options.peer == "llmc":
        return [options.python, ROOT / "bench/peers/llmc_step.py", *sizes]
    return [options.python, "-W", "ignore", ROOT / "bench/peers/train_step.py", "--peer", options.peer, "--shape",
            options.shape, "--dtype", options.dtype, *sizes]


def environment_of(allocator):
    if allocator == "installed":
        return {}
    if not TCMALLOC.exists():
        raise Skipped(f"no {TCMALLOC}; install it with: apt-get install libtcmalloc-minimal4")
    return {"LD_PRELOAD": str(TCMALLOC)}


def start_peers(options, cache):
    return {name: Program(peer_command(options), environment_of(name) | {"TORCHINDUCTOR_CACHE_DIR": cache})
            for name in options.allocators}


def take_turns(ours, peers, options):
    """The ratios of each peer's block to ours in the same round."""
    programs = [ours, *peers.values()]
    # Blocks of some seconds, so that short steps are not measured one by one.
    steps = max(1, round(options.block_seconds / max(program.run(1) for program in programs)))
    for program in programs:
        program.blocks.clear()
    ratios = {name: [] for name in peers}
    for pair in range(options.pairs):
        order = programs if pair % 2 == 0 else programs[::-1]
        times = {program: program.run(steps) for program in order}
        for name, peer in peers.items():
            ratios[name].append(times[peer] / times[ours])
    return ratios


def compare(options):
    shape = shape_of(options)
    flops = step_flops(shape)
    with tempfile.TemporaryDirectory() as cache:
        peers = start_peers(options, cache)
        ours = Program(our_command(options), {})
        if abs(ours.first["flops"] / flops - 1) > 1e-6:
            sys.exit(f"the shapes differ: {ours.first['flops']} and {flops} operations a step")
        ratios = take_turns(ours, peers, options)
        for program in (ours, *peers.values()):
            program.close()
    gemm = [block["gemm_gflops"] for program in (ours, *peers.values()) for block in program.blocks
            if "gemm_gflops" in block]
    return {"shape": options.shape, "micro_batch_size": shape["batch"], "seq_length": shape["seq"],
            "peer": options.peer, "dtype": options.dtype, "gemm_gflops": statistics.median(gemm),
            "ours": ours.figures(flops),
            "theirs": {name: peer.figures(flops) | {"ratio": statistics.median(ratios[name]), "ratios": ratios[name]}
                       for name, peer in peers.items()}}


def report(result):
    ours = result["ours"]
    print(f"{result['shape']} {result['dtype']}, {result['micro_batch_size']} x {result['seq_length']}; "
          f"GEMM peak between blocks {result['gemm_gflops']:.0f} GFLOP/s")
    for name, figures in {"ours": ours, **result["theirs"]}.items():
        print(f"  {name if name == 'ours' else result['peer'] + ', ' + name:24} {figures['ms']:9.1f} ms "
              f"{figures['gflops']:7.1f} GFLOP/s {100 * figures['gflops'] / result['gemm_gflops']:5.1f} % of the peak "
              f"{figures['peak_mb']:7.0f} MB, {figures['start_s']:.1f} s from start to first step, "
              f"{figures['processor_s']:.2f} s of processor time a step")
    for name, figures in result["theirs"].items():
        print(f"  ours is {figures['ratio']:.2f} times as fast as {result['peer']}, {name} "
              f"({min(figures['ratios']):.2f} to {max(figures['ratios']):.2f}), with "
              f"{ours['peak_mb'] / figures['peak_mb']:.2f} of its memory")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_shape_options(parser)
    parser.add_argument("--peer", required=True, help="llmc, or one of train_step.py's")
    parser.add_argument("--allocators", default="installed,tcmalloc", type=lambda text: text.split(","))
    parser.add_argument("--dtype", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--block-seconds", type=float, default=2.0)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the peer's packages")
    parser.add_argument("--override", action="append", default=[], help="argument=value for our side")
    parser.add_argument("--json", type=pathlib.Path, help="append the result to this file")
    options = parser.parse_args()
    try:
        result = compare(options)
    except Skipped as reason:
        print(f"{options.shape} against {options.peer} skipped: {reason}", file=sys.stderr)
        sys.exit(SKIPPED)
    report(result)
    if options.json:
        append(result, options.json)


if __name__ == "__main__":
    main()
