"""The file of results: a JSON line for each comparison."""

import datetime
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def append(result, path):
    """Adds the result to the file, with the time and the commit of the source tree."""
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout
    now = datetime.datetime.now(datetime.timezone.utc)
    with open(path, "a") as file:
        file.write(json.dumps(result | {"date": f"{now:%Y-%m-%d %H:%M}", "commit": commit.strip()}) + "\n")
