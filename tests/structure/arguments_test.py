"""The table of arguments tells the truth: what is marked implemented is read somewhere."""

import os
import re
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("PRIMUS_SOURCE_DIR", Path(__file__).resolve().parents[2]))
ROW = re.compile(r'^    \{"(\w+)", \w+,\s*"[^"]*",\s*(only\("[\w|]*"|\w+)', re.M)
# A row that allows one value alone (null means the same): checking it is all that there is to do.
ONE_VALUE = re.compile(r'only\("\w+(\|null)?"')


# Implemented, or implemented for some values.
IMPLEMENTED = {"implemented", "only"}


def rows():
    """Name and status of each row of the table."""
    found = {}
    for path in sorted((ROOT / "src/config/arguments").glob("*.h")):
        for name, status in ROW.findall(path.read_text()):
            assert name not in found, f"{name} stands twice in the table"
            found[name] = "one value" if ONE_VALUE.fullmatch(status) else status.partition("(")[0]
    return found


# Arguments that config/derive.cpp turns into another one, which the engine reads.
TURNED_INTO = {"use_rotary_position_embeddings": "position_embedding_type", "norm_epsilon": "layernorm_epsilon"}


def names_read():
    """The arguments whose value sources outside of config/ read, by get<"name"> or value("name"). A place in a message,
    where<"name">, does not count, nor does a comment."""
    pattern = re.compile(r'get<"(\w+)">|value\("(\w+)"\)')
    found = set()
    for path in (ROOT / "src").rglob("*"):
        if path.suffix in {".h", ".cpp"} and path.relative_to(ROOT / "src").parts[0] != "config":
            for match in pattern.findall(re.sub(r"//.*", "", path.read_text())):
                found.update(filter(None, match))
    return found


class Arguments(unittest.TestCase):
    def test_the_table_is_whole(self):
        self.assertGreater(len(rows()), 900)

    def test_implemented_arguments_are_read(self):
        read = names_read()
        unread = [name for name, status in rows().items()
                  if status in IMPLEMENTED and TURNED_INTO.get(name, name) not in read]
        self.assertEqual(unread, [], "marked implemented in src/config/arguments, and read nowhere")

    def test_what_is_turned_into_another_is_derived(self):
        derive = (ROOT / "src/config/derive.cpp").read_text()
        for name, target in TURNED_INTO.items():
            self.assertRegex(derive, rf'(?s)get<"{name}">.{{,200}}set<"{target}">|unite<"{target}", "{name}">')

    def test_what_is_read_is_marked_implemented(self):
        table = rows()
        wrong = sorted(name for name in names_read() if table[name] not in IMPLEMENTED | {"one value"})
        self.assertEqual(wrong, [], "read by the engine, and not marked implemented in src/config/arguments")


if __name__ == "__main__":
    unittest.main()
