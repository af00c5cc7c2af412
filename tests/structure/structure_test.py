"""The sources keep to the layout: include direction between modules, plain modules free of libtorch, headers guarded,
files short, nothing of libtorch's slow umbrella headers."""

import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("PRIMUS_SOURCE_DIR", Path(__file__).resolve().parents[2]))
SOURCES = sorted(p for p in (ROOT / "src").rglob("*") if p.suffix in {".h", ".cpp"})
MAX_LINES = 550  # "about 500"
LIBTORCH = re.compile(r"#include <(ATen|c10|torch|caffe2)/")


def modules():
    """Modules in the order in which CMakeLists.txt declares them, each with its kind."""
    text = (ROOT / "CMakeLists.txt").read_text()
    return dict(re.findall(r"^primus_module\((\w+) (PLAIN|TENSORS)", text, re.M))


def module_of(path):
    return path.relative_to(ROOT / "src").parts[0]


UNNAMED = re.compile(r"^namespace \{$.*?^\}  // namespace$", re.M | re.S)


def private_part(text):
    """What stands in unnamed namespaces."""
    return "\n".join(UNNAMED.findall(text))


def shared_part(text):
    return UNNAMED.sub("", text)


def names_declared(text):
    """Constants, types and functions that begin in the first column; not members, not overloads of operators."""
    found = re.findall(r"^(?:inline )?(?:constexpr|const) [^=({;]*?(\w+)(?:\[\w*\])?(?: =|\{)", text, re.M)
    found += re.findall(r"^(?:class|struct|enum class) (\w+)(?: final)?(?: :.*)? \{", text, re.M)
    found += re.findall(r"^\w[\w:<>,&* ]*[&* ](\w+)\([^;]*?\) (?:const )?\{", text, re.M)
    return found


class Structure(unittest.TestCase):
    def setUp(self):
        self.kinds = modules()
        self.order = list(self.kinds)
        self.assertGreaterEqual(len(self.order), 16)
        self.assertGreater(len(SOURCES), 10)

    def test_rooms_include_only_rooms_above(self):
        wrong = []
        for path in SOURCES:
            module = module_of(path)
            if module == "main.cpp":
                continue
            self.assertIn(module, self.order, f"{path}: not in a module that CMakeLists.txt declares")
            for included in re.findall(r'#include "(\w+)/', path.read_text()):
                if included in self.order and self.order.index(included) > self.order.index(module):
                    wrong.append(f"{path.relative_to(ROOT)} includes {included}/")
        self.assertEqual(wrong, [])

    def test_plain_rooms_never_see_libtorch(self):
        wrong = [str(p.relative_to(ROOT)) for p in SOURCES
                 if self.kinds.get(module_of(p)) == "PLAIN" and LIBTORCH.search(p.read_text())]
        self.assertEqual(wrong, [])

    def test_no_umbrella_headers_of_libtorch(self):
        slow = re.compile(r"#include <torch/(torch|all|types|nn)\.h>|#include <ATen/ATen\.h>")
        self.assertEqual([str(p) for p in SOURCES if slow.search(p.read_text())], [])

    def test_private_names_stand_once_in_a_folder(self):
        """Files of a module are compiled together: a name in an unnamed namespace hides a shared one."""
        wrong = []
        sources = SOURCES + sorted((ROOT / "tests").glob("*/*.cpp"))
        for folder in sorted({p.parent for p in sources}):
            files = [p for p in sources if p.parent == folder and folder.name != "isa"]
            shared = {name for p in files for name in names_declared(shared_part(p.read_text()))}
            owners = {}
            for path in files:
                for name in set(names_declared(private_part(path.read_text()))):
                    if name in shared or name in owners:
                        wrong.append(f"{path.relative_to(ROOT)}: {name} is also in {owners.get(name, 'a header')}")
                    owners[name] = path.name
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_headers_are_guarded(self):
        self.assertEqual([str(p) for p in SOURCES if p.suffix == ".h" and "#pragma once" not in p.read_text()], [])

    def test_files_are_short(self):
        long = {str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text().splitlines())) > MAX_LINES}
        self.assertEqual(long, {})

    def test_only_the_command_line_prints_or_exits(self):
        loud = re.compile(r"std::cout|std::cerr|\bprintf\(|\bputs\(|std::exit\(|\bfputs\([^;]*stdout|std::abort\(")
        wrong = [str(p.relative_to(ROOT)) for p in SOURCES
                 if module_of(p) not in {"cli", "main.cpp"} and loud.search(p.read_text())]
        self.assertEqual(wrong, [])


class Formatting(unittest.TestCase):
    def test_sources_are_formatted(self):
        result = subprocess.run([ROOT / "tools/format.sh", "--check"], capture_output=True, text=True)
        if result.returncode == 77:
            self.skipTest(result.stderr.strip())
        self.assertEqual(result.returncode, 0, result.stderr[:4000])


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
