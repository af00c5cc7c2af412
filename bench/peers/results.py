"""The file of results: a JSON line for each comparison."""

import datetime
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def machine():
    """The processor's name and how many there are."""
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{names[0]}, {len(names)} processors" if names else "unknown machine"


def append(result, path):
    """Adds the result to the file, with the machine, the time and the commit of the source tree."""
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout
    now = datetime.datetime.now(datetime.timezone.utc)
    where = {"machine": machine(), "date": f"{now:%Y-%m-%d %H:%M}", "commit": commit.strip()}
    with open(path, "a") as file:
        file.write(json.dumps(where | result) + "\n")
