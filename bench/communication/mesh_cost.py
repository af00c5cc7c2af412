"""What one process pays for the mesh: training steps against a program with communication compiled out.

    cmake --build build/release --target step_through_mesh step_alone
    python bench/communication/mesh_cost.py build/release/bench [--pairs N] [step's options ...]

The programs run in turn, so that both see the same machine, and count the CPU time of their one thread. Prints the
ratio of the medians of all runs, and of the best steps: 1.01 means that the mesh costs one per cent.
"""

import argparse
import json
import os
import statistics
import subprocess
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the two programs are")
    parser.add_argument("--pairs", type=int, default=15)
    arguments, options = parser.parse_known_args()
    found = {"step_through_mesh": [], "step_alone": []}
    for pair in range(arguments.pairs):
        # Each goes first every other time.
        for name in sorted(found, reverse=pair % 2 == 0):
            output = subprocess.run([arguments.folder / name, *options], capture_output=True, text=True, check=True).stdout
            found[name].append(json.loads(output))
    mesh, alone = found["step_through_mesh"], found["step_alone"]
    assert {run["loss"] for run in mesh} == {run["loss"] for run in alone}, "the programs do not compute the same"
    for what, pick in (("median_ms", statistics.median), ("best_ms", min)):
        through, without = (pick(run[what] for run in runs) for runs in (mesh, alone))
        ratios = sorted(a[what] / b[what] for a, b in zip(mesh, alone))
        print(f"{what}: through the mesh {through:.3f}, compiled out {without:.3f}, ratio {through / without:.4f} "
              f"(pairs: median {statistics.median(ratios):.4f}, {ratios[0]:.3f} to {ratios[-1]:.3f})")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")


if __name__ == "__main__":
    main()
