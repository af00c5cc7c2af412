"""The table of arguments tells the truth: what is marked implemented is read somewhere."""

import os
import re
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("PRIMUS_SOURCE_DIR", Path(__file__).resolve().parents[2]))
ROW = re.compile(r'^    \{"(\w+)", \w+,\s*"[^"]*",\s*(\w+)', re.M)


def rows():
    """Name and status of each row of the table."""
    found = {}
    for path in sorted((ROOT / "src/config/arguments").glob("*.h")):
        for name, status in ROW.findall(path.read_text()):
            assert name not in found, f"{name} stands twice in the table"
            found[name] = status
    return found


def names_read():
    """The arguments that sources outside of config/ read, by get<"name"> or value("name")."""
    pattern = re.compile(r'(?:get|where)<"(\w+)">|value\("(\w+)"\)')
    found = set()
    for path in (ROOT / "src").rglob("*"):
        if path.suffix in {".h", ".cpp"} and path.parts[len(ROOT.parts) + 1] != "config":
            for match in pattern.findall(path.read_text()):
                found.update(filter(None, match))
    return found


class Arguments(unittest.TestCase):
    def test_the_table_is_whole(self):
        self.assertGreater(len(rows()), 900)

    def test_implemented_arguments_are_read(self):
        derived = names_derived()
        unread = [name for name, status in rows().items()
                  if status == "implemented" and name not in names_read() and name not in derived]
        self.assertEqual(unread, [], "marked implemented in src/config/arguments, and read nowhere")

    def test_what_is_read_is_marked_implemented(self):
        table = rows()
        wrong = sorted(name for name in names_read() if table.get(name) == "not_yet")
        self.assertEqual(wrong, [], "read by the engine, and marked not_yet in src/config/arguments")


def names_derived():
    """The arguments that config/ itself turns into others or into paths: what derive.cpp reads."""
    return set(re.findall(r'(?:get|set)<"(\w+)">', (ROOT / "src/config/derive.cpp").read_text()))


if __name__ == "__main__":
    unittest.main()
