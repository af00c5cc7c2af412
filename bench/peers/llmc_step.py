"""Full training step of llm.c's GPT-2 on the CPU, fp32: compiles llmc_step.c with a checkout of llm.c, and runs it.

    python bench/peers/llmc_step.py [--source build/bench/llm.c] [--micro-batch-size N] [--seq-length N] [--steps N]

--source, or $LLMC_SOURCE, is the checkout. With --steps it measures by itself, without it serves compare.py.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

from shapes import SHAPES, step_flops

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEFAULT_SOURCE = ROOT / "build/bench/llm.c"


def skip(reason, install):
    print(json.dumps({"skipped": reason, "install": install}), flush=True)
    sys.exit()


def compiled(source):
    """The program, with the flags of llm.c's own Makefile."""
    if not (source / "train_gpt2.c").exists():
        skip(f"no llm.c in {source}", f"git clone https://github.com/karpathy/llm.c {DEFAULT_SOURCE}")
    compiler = os.environ.get("CC") or shutil.which("cc")
    if not compiler:
        skip("no C compiler", "apt-get install gcc")
    program = ROOT / "build/bench/llmc_step"
    program.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([compiler, "-Ofast", "-march=native", "-fopenmp", "-DOMP", "-w", "-I", source,
                    pathlib.Path(__file__).with_suffix(".c"), "-lm", "-o", program], check=True)
    return program


def measure(command, shape, steps):
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    first, block = process.communicate(f"{steps}\n")[0].splitlines()
    first, block = json.loads(first), json.loads(block)
    seconds = statistics.median(block["seconds"])
    print(f"first step {first['first_step_s']:.1f} s, then {seconds * 1e3:.1f} ms, "
          f"{step_flops(shape) / seconds / 1e9:.1f} GFLOP/s, peak memory {block['peak_mb']:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=pathlib.Path, default=os.environ.get("LLMC_SOURCE", DEFAULT_SOURCE))
    parser.add_argument("--micro-batch-size", type=int, default=1)
    parser.add_argument("--seq-length", type=int, default=1024)
    parser.add_argument("--steps", type=int, help="measure so many steps, and print a line")
    options = parser.parse_args()
    shape = SHAPES["gpt2"] | {"batch": options.micro_batch_size, "seq": options.seq_length}
    numbers = [shape[name] for name in ("batch", "seq", "layers", "heads", "hidden", "vocab")]
    command = [compiled(pathlib.Path(options.source)), *map(str, numbers)]
    if options.steps:
        measure(command, shape, options.steps)
    else:
        os.execv(command[0], command)


if __name__ == "__main__":
    main()
