"""Compares our training step with every peer on every shape, and writes the table into docs/performance.md.

    python bench/table.py [--peers hf,nano] [--rows tiny,llama110m] [--pairs N]

Each comparison is bench/peers/compare.py's; its JSON lines are added to build/bench/results.jsonl, and the table shows
the newest of each kind. `--peers none` only renders what is there.
"""

import argparse
import datetime
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "build/bench/results.jsonl"
DOCUMENT = ROOT / "docs/performance.md"
BEGIN, END = "<!-- begin: bench/table.py -->", "<!-- end: bench/table.py -->"
# Name of the row: options of compare.py, and which peers know the architecture.
ROWS = {
    "gpt2": (["--shape", "gpt2", "--micro-batch-size", "1"], ["nano-compile", "nano", "hf-compile", "hf"]),
    "gpt2-mb4": (["--shape", "gpt2", "--micro-batch-size", "4"], ["nano-compile", "nano", "hf-compile", "hf"]),
    "llama110m": (["--shape", "llama110m"], ["hf-compile", "hf"]),
    "llama110m-fp32": (["--shape", "llama110m", "--dtype", "fp32"], ["hf"]),
    "tiny": (["--shape", "tiny"], ["hf-compile", "hf"]),
    "llama110m-4k": (["--shape", "llama110m", "--micro-batch-size", "1", "--seq-length", "4096"], ["hf-compile", "hf"]),
    "llama110m-8k": (["--shape", "llama110m", "--micro-batch-size", "1", "--seq-length", "8192"], ["hf-compile", "hf"]),
}


def run(rows, peers, pairs):
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    for row in rows:
        arguments, known = ROWS[row]
        for peer in known:
            if peers and peer not in peers:
                continue
            command = [sys.executable, ROOT / "bench/peers/compare.py", *arguments, "--peer", peer, "--pairs", str(pairs),
                       "--json", RESULTS]
            if subprocess.run(command).returncode != 0:
                print(f"{row} against {peer} failed", file=sys.stderr)


def newest():
    """The last result of each (shape, micro-batch size, sequence length, dtype, peer)."""
    results = {}
    for line in RESULTS.read_text().splitlines() if RESULTS.exists() else []:
        result = json.loads(line)
        key = tuple(result[k] for k in ("shape", "micro_batch_size", "seq_length", "dtype", "peer"))
        results[key] = result
    return [results[key] for key in sorted(results)]


def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True).stdout.strip()


def machine():
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{names[0]}, {len(names)} processors" if names else "unknown machine"


def table():
    lines = [f"{machine()}; {datetime.datetime.now(datetime.timezone.utc):%d %B %Y}, commit `{git('rev-parse', '--short', 'HEAD')}`.",
             "",
             "| shape | peer | ours as fast as the peer (spread) | ours | peer | GEMM peak | our share | memory, ours / peer |",
             "|---|---|---|---|---|---|---|---|"]
    for result in newest():
        ours, theirs = result["ours"], result["theirs"]
        lines.append(
            f"| {result['shape']}, {result['micro_batch_size']} x {result['seq_length']}, {result['dtype']} "
            f"| {result['peer']} | **{result['ratio']:.2f}** ({min(result['ratios']):.2f} to {max(result['ratios']):.2f}) "
            f"| {ours['gflops']:.0f} GFLOP/s | {theirs['gflops']:.0f} GFLOP/s | {result['gemm_gflops']:.0f} "
            f"| {100 * result['share_of_peak']:.0f} % "
            f"| {ours['peak_mb']:.0f} / {theirs['peak_mb']:.0f} MB = {result['memory_ratio']:.2f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS), help="comma-separated: " + ", ".join(ROWS))
    parser.add_argument("--peers", default="", help="only these; `none` renders the table without measuring")
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    rows = options.rows.split(",")
    unknown = sorted(set(rows) - set(ROWS))
    if unknown:
        sys.exit(f"unknown rows: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    run(rows, options.peers.split(",") if options.peers else [], options.pairs)
    text = DOCUMENT.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}")


if __name__ == "__main__":
    main()
