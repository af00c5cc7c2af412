"""Compares the training step of this program with a peer's on one shape, block by block.

    python bench/peers/compare.py --shape gpt2|llama110m|tiny [--peer hf|hf-compile|nano|nano-compile]
                                  [--micro-batch-size N] [--seq-length N] [--dtype bf16|fp32] [--pairs N] [--json FILE]

Both programs are started and warmed up, then take turns, so that what else the machine does falls on both alike: the
ratio is the median over pairs of neighbouring blocks. Needs the built program ($PRIMUS_CLI, or build/release) and what
transformer_step.py needs. The peer's first step, which for a compiled one takes a minute, is not counted.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Our experiment of each shape, and what makes it the peer's: the vocabulary counts one token for the end of a document.
EXPERIMENTS = {
    "gpt2": ("gpt2_124M", []),
    "llama110m": ("llama_110M", []),
    "tiny": ("llama_tiny", ["vocab_size=4095", "num_query_groups=4"]),
}
DEFAULTS = {"gpt2": (1, 1024), "llama110m": (2, 1024), "tiny": (8, 256)}


class Program:
    """A process that runs so many steps for each number it is given, and answers with a line of JSON."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = self.answer()
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

    def run(self, steps, keep=True):
        before = self.processor_seconds()
        print(steps, file=self.process.stdin, flush=True)
        block = self.answer()
        block["processor_s"] = self.processor_seconds() - before
        if keep:
            self.blocks.append(block)
        return statistics.median(block["seconds"])

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def figures(self):
        return {
            "ms": 1e3 * statistics.median(s for block in self.blocks for s in block["seconds"]),
            "gflops": self.first["flops"] / statistics.median(s for b in self.blocks for s in b["seconds"]) / 1e9,
            "processor_s": statistics.median(b["processor_s"] / len(b["seconds"]) for b in self.blocks),
            "peak_mb": self.blocks[-1]["peak_mb"],
            "first_step_s": self.first["first_step_s"],
        }


def commands(options):
    batch, seq = options.micro_batch_size, options.seq_length
    experiment, overrides = EXPERIMENTS[options.shape]
    ours = [os.environ.get("PRIMUS_CLI", ROOT / "build/release/primus-cli"), "benchmark", "step", "--blocks", "--config",
            ROOT / f"examples/megatron/configs/CPU/{experiment}-pretrain.yaml", f"seq_length={seq}",
            f"micro_batch_size={batch}", f"global_batch_size={batch}",
            f"bf16={'true' if options.dtype == 'bf16' else 'false'}", *overrides, *options.override]
    peer = [options.python, ROOT / "bench/peers/transformer_step.py", "--peer", options.peer, "--shape", options.shape,
            "--micro-batch-size", str(batch), "--seq-length", str(seq), "--dtype", options.dtype]
    return ours, peer


def compare(options):
    our_command, peer_command = commands(options)
    ours, peer = Program(our_command), Program(peer_command)
    # A block lasts about two seconds, so that short steps are not measured one by one.
    warm = max(ours.run(2, keep=False), peer.run(2, keep=False))
    steps = max(1, round(options.block_seconds / warm))
    ratios = []
    for pair in range(options.pairs):
        # Who goes first alternates as well.
        order = (ours, peer) if pair % 2 == 0 else (peer, ours)
        times = {program: program.run(steps) for program in order}
        ratios.append(times[peer] / times[ours])
    for program in (ours, peer):
        program.close()
    if abs(ours.first["flops"] / peer.first["flops"] - 1) > 1e-6:
        sys.exit(f"the shapes differ: {ours.first['flops']} and {peer.first['flops']} operations a step")
    gemm = statistics.median(block["gemm_gflops"] for program in (ours, peer) for block in program.blocks)
    result = {"shape": options.shape, "micro_batch_size": options.micro_batch_size,
              "seq_length": options.seq_length, "peer": options.peer, "dtype": options.dtype,
              "pairs": options.pairs, "ratio": statistics.median(ratios), "ratios": [round(r, 3) for r in ratios],
              "gemm_gflops": gemm, "ours": ours.figures(), "theirs": peer.figures()}
    result["processor_ratio"] = result["theirs"]["processor_s"] / result["ours"]["processor_s"]
    result["share_of_peak"] = result["ours"]["gflops"] / gemm
    result["memory_ratio"] = result["ours"]["peak_mb"] / result["theirs"]["peak_mb"]
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=sorted(EXPERIMENTS), required=True)
    parser.add_argument("--peer", choices=["hf", "hf-compile", "nano", "nano-compile"], default="hf")
    parser.add_argument("--micro-batch-size", type=int)
    parser.add_argument("--seq-length", type=int)
    parser.add_argument("--dtype", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--block-seconds", type=float, default=2.0)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the peer's packages")
    parser.add_argument("--override", action="append", default=[], help="argument=value for our side")
    parser.add_argument("--json", type=pathlib.Path, help="append the result to this file")
    options = parser.parse_args()
    batch, seq = DEFAULTS[options.shape]
    options.micro_batch_size = options.micro_batch_size or batch
    options.seq_length = options.seq_length or seq
    result = compare(options)
    if options.json:
        with options.json.open("a") as file:
            file.write(json.dumps(result) + "\n")
    ours, theirs = result["ours"], result["theirs"]
    print(f"{options.shape} {options.dtype} against {options.peer}: {result['ratio']:.2f} times as fast "
          f"({min(result['ratios'])} to {max(result['ratios'])}, {options.pairs} pairs)")
    for name, figures in (("ours", ours), (options.peer, theirs)):
        print(f"  {name:14} {figures['ms']:9.1f} ms {figures['gflops']:7.1f} GFLOP/s "
              f"{100 * figures['gflops'] / result['gemm_gflops']:5.1f} % of the GEMM peak {figures['peak_mb']:7.0f} MB, "
              f"first step {figures['first_step_s']:.1f} s")
    print(f"  processor time {ours['processor_s']:.3f} and {theirs['processor_s']:.3f} s a step, GEMM peak included: "
          f"{result['processor_ratio']:.2f} (with OMP_NUM_THREADS=1 a ratio that a busy machine does not change)")
    print(f"  GEMM peak between blocks {result['gemm_gflops']:.1f} GFLOP/s; memory {result['memory_ratio']:.2f} of the peer's")


if __name__ == "__main__":
    main()
