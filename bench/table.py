"""Compares our training step with every peer on every shape, and writes the tables into docs/performance.md.

    python bench/table.py [--rows tiny,llama110m] [--peers hf,nano-compile] [--pairs N]

Each comparison is bench/peers/compare.py's, or attention.py's; its JSON line is added to docs/performance.jsonl, and the
tables, written anew after each, show for every machine the newest of each kind. `--peers none` only writes them.
"""

import argparse
import json
import pathlib
import subprocess
import sys
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs/performance.jsonl"
DOCUMENT = ROOT / "docs/performance.md"
BEGIN, END = "<!-- begin: bench/table.py -->", "<!-- end: bench/table.py -->"


@dataclass
class Row:
    """A shape of compare.py: the peers that know its architecture, the strongest first, and what is asked of us."""

    shape: str
    batch: int
    seq: int
    dtype: str
    peers: list
    floor: str
    aim: str

    def title(self):
        return f"{self.shape}, {self.batch} x {self.seq}, {self.dtype}"

    def arguments(self):
        return ["--shape", self.shape, "--micro-batch-size", str(self.batch), "--seq-length", str(self.seq),
                "--dtype", self.dtype]


SHARES = ("1.2 and 1.0; 78 %", "90 %")
ROWS = {
    "gpt2": Row("gpt2", 1, 1024, "bf16", ["nano-compile", "nano", "hf-compile", "hf", "megatron", "llmc"], *SHARES),
    "gpt2-mb4": Row("gpt2", 4, 1024, "bf16", ["nano-compile", "hf-compile", "megatron"], *SHARES),
    "llama110m": Row("llama110m", 2, 1024, "bf16",
                     ["torchtitan-compile", "torchtitan", "hf-compile", "hf", "megatron"], *SHARES),
    "llama110m-fp32": Row("llama110m", 2, 1024, "fp32", ["hf", "torchtitan-compile"], "1.1", "95 %"),
    "tiny": Row("tiny", 8, 256, "bf16", ["torchtitan-compile", "torchtitan", "hf-compile", "hf", "megatron"],
                "1.25", "1.5"),
    "llama110m-4k": Row("llama110m", 1, 4096, "bf16", ["hf-compile", "hf"], "1.6", "85 %"),
    "llama110m-8k": Row("llama110m", 1, 8192, "bf16", ["hf-compile", "hf"], "1.6", "85 %"),
}
# Micro-batch size, heads, sequence length, head size; the peer of these rows is called sdpa.
ATTENTION = {"attention-1k": (2, 12, 1024, 64), "attention-4k": (1, 32, 4096, 128)}


def commands(names, peers):
    """(name, command) of each comparison that was asked for."""
    for name in names:
        row = ROWS.get(name)
        for peer in row.peers if row else ["sdpa"]:
            if peers and peer not in peers:
                continue
            if row:
                yield f"{name} against {peer}", ["compare.py", *row.arguments(), "--peer", peer]
            else:
                flags = ("--micro-batch-size", "--heads", "--seq-length", "--head-size")
                numbers = zip(flags, map(str, ATTENTION[name]))
                yield name, ["attention.py", *(word for pair in numbers for word in pair)]


def run(names, peers, pairs):
    """Whether all succeeded, but for peers that are not installed."""
    fine = True
    for name, (script, *arguments) in commands(names, peers):
        print(f"-- {name}", flush=True)
        code = subprocess.run([sys.executable, ROOT / "bench/peers" / script, *arguments, "--pairs", str(pairs),
                               "--json", RESULTS]).returncode
        if code not in (0, 3):  # 3: skipped, and it said why
            print(f"{name} failed", file=sys.stderr)
            fine = False
        write_tables()
    return fine


def newest():
    """For each machine, the last measured first, the last result of each kind:
    {machine: ({(shape, batch, seq, dtype): {peer: result}}, {attention's sizes: result})}."""
    machines = {}
    for line in reversed(RESULTS.read_text().splitlines() if RESULTS.exists() else []):
        result = json.loads(line)
        steps, attention = machines.setdefault(result["machine"], ({}, {}))
        if "attention" in result:
            attention.setdefault(tuple(result["attention"]), result)
        else:
            key = (result["shape"], result["micro_batch_size"], result["seq_length"], result["dtype"])
            steps.setdefault(key, {}).setdefault(result["peer"], result)
    return machines


def spread(figures):
    ratios = figures["ratios"]
    # A line may keep the smallest, the median and the largest alone, and how many there were.
    rounds = figures.get("rounds", len(ratios))
    return f"{figures['ratio']:.2f} ({min(ratios):.2f} to {max(ratios):.2f}; {rounds})"


def share(result):
    return 100 * result["ours"]["gflops"] / result["gemm_gflops"]


def best_peer(results, allocator):
    """The peer we are the least ahead of, or None."""
    known = [result for result in results.values() if allocator in result["theirs"]]
    return min(known, key=lambda result: result["theirs"][allocator]["ratio"], default=None)


def summary(steps):
    """One line for each shape: the best peer of either kind, against what is asked."""
    yield "| shape | against the best peer as installed | under tcmalloc | share of the GEMM peak | floor | aim |"
    yield "|---|---|---|---|---|---|"
    for row in ROWS.values():
        results = steps.get((row.shape, row.batch, row.seq, row.dtype), {})
        cells = []
        for allocator in ("installed", "tcmalloc"):
            best = best_peer(results, allocator)
            cells.append(f"**{best['theirs'][allocator]['ratio']:.2f}** ({best['peer']})" if best else "not measured")
        shares = sorted(share(result) for result in results.values())
        cells.append(f"{shares[len(shares) // 2]:.0f} %" if shares else "not measured")
        yield f"| {row.title()} | {' | '.join(cells)} | {row.floor} | {row.aim} |"


def comparisons(steps):
    yield ("| shape | peer | ours as fast as the peer (spread; rounds) | under tcmalloc "
           "| ours / peer / under tcmalloc, GFLOP/s | GEMM peak | our share | memory, ours / peer | start to first step, ours / peer | measured |")
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for row in ROWS.values():
        results = steps.get((row.shape, row.batch, row.seq, row.dtype), {})
        for peer in (peer for peer in row.peers if peer in results):
            result = results[peer]
            ours, theirs = result["ours"], result["theirs"]
            first = next(iter(theirs.values()))
            ratios = [spread(theirs[name]) if name in theirs else "" for name in ("installed", "tcmalloc")]
            rates = " / ".join(f"{figures['gflops']:.0f}" for figures in (ours, *theirs.values()))
            yield (f"| {row.title()} | {peer} | {ratios[0]} | {ratios[1]} | {rates} | {result['gemm_gflops']:.0f} "
                   f"| {share(result):.0f} % | {ours['peak_mb']:.0f} / {first['peak_mb']:.0f} MB = "
                   f"{ours['peak_mb'] / first['peak_mb']:.2f} | {ours['start_s']:.1f} / {first['start_s']:.1f} s "
                   f"| {result['date']}, `{result['commit']}` |")


def attention_lines(attention):
    yield ("| samples, heads, length, head size | | ours as fast as PyTorch's (spread; rounds) | ours / PyTorch's, GFLOP/s | "
           "GEMM peak | our share | PyTorch's | measured |")
    yield "|---|---|---|---|---|---|---|---|"
    for sizes in ATTENTION.values():
        result = attention.get(sizes)
        for name in ("forward", "backward") if result else ():
            figures, peak = result[name], result["gemm_gflops"]
            ours, theirs = figures["gflops"]
            yield (f"| {sizes} | {name} | {spread(figures)} | {ours:.0f} / {theirs:.0f} | {peak:.0f} "
                   f"| {100 * ours / peak:.0f} % | {100 * theirs / peak:.0f} % | {result['date']}, `{result['commit']}` |")


def write_tables():
    lines = ["Dates are UTC."]
    for machine, (steps, attention) in newest().items():
        lines += ["", f"### {machine}", "", *summary(steps), "", *comparisons(steps)]
        if attention:
            lines += ["", *attention_lines(attention)]
    text = DOCUMENT.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}")


def main():
    names = [*ROWS, *ATTENTION]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(names), help="comma-separated: " + ", ".join(names))
    parser.add_argument("--peers", default="", help="only these; `none` writes the tables without measuring")
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    unknown = sorted(set(options.rows.split(",")) - set(names))
    if unknown:
        sys.exit(f"unknown rows: {', '.join(unknown)}; there are {', '.join(names)}")
    fine = run(options.rows.split(","), options.peers.split(",") if options.peers else [], options.pairs)
    write_tables()
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
