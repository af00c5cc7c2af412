"""Presets and examples keep one form: they say what they are, and their sections come in one order."""

import os
import re
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("PRIMUS_SOURCE_DIR", Path(__file__).resolve().parents[2]))
MODELS = sorted((ROOT / "configs" / "models").rglob("*.yaml"))
PRESETS = sorted((ROOT / "configs").rglob("*.yaml"))
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
SECTIONS = [
    "Batch size, length of a run, evaluation",
    "Data sets and batches",
    "Tokenizer and vocabulary",
    "Transformer",
    "Attention",
    "Positions",
    "Multi-head latent attention",
    "Mixture of experts",
    "Multi-token prediction",
    "Hybrid, linear and sparse attention models",
    "Optimizer and learning rate",
    "Number formats",
    "Parallel sizes and collectives",
    "Pipeline layout",
    "Zero-bubble and Primus pipeline schedules",
    "Fully sharded data parallelism",
    "Recomputation and memory",
    "Kernel and fusion switches",
    "Primus Turbo kernels",
    "Checkpoints",
    "Log lines and sinks",
    "TensorBoard, Weights & Biases, MLflow",
    "Profiling and memory reports",
    "Faults, reruns and stragglers",
    "Fine-tuning",
]


def titles(path):
    """The section titles of a file: comments that follow an empty line, or open the overrides."""
    lines = path.read_text().splitlines()
    return [line.strip()[2:] for before, line in zip(lines, lines[1:])
            if line.strip().startswith("# ") and (not before.strip() or before.strip() == "overrides:")]


class Configs(unittest.TestCase):
    def test_every_file_opens_with_a_comment_that_says_what_it_is(self):
        self.assertGreater(len(PRESETS), 80)
        self.assertGreater(len(EXAMPLES), 240)
        silent = [str(p.relative_to(ROOT)) for p in PRESETS + EXAMPLES
                  if not re.match(r"# \w[^\n]{10,}", p.read_text())]
        self.assertEqual(silent, [])

    def test_sections_of_models_and_examples_are_known_and_in_order(self):
        wrong = {}
        for path in MODELS + EXAMPLES:
            found = titles(path)
            if found != [section for section in SECTIONS if section in found]:
                wrong[str(path.relative_to(ROOT))] = found
        self.assertEqual(wrong, {})

    def test_no_key_is_given_twice_or_indented_by_tabs(self):
        wrong = []
        for path in PRESETS + EXAMPLES:
            lines = path.read_text().splitlines()
            keys = [line.split(":")[0] for line in lines if re.match(r" *\w[\w.]*:", line)]
            if any("\t" in line for line in lines) or (path in MODELS and len(keys) != len(set(keys))):
                wrong.append(str(path.relative_to(ROOT)))
        self.assertEqual(wrong, [])

    def test_each_example_names_its_run(self):
        wrong = []
        for path in EXAMPLES:
            text = path.read_text()
            if not all(re.search(rf"^{key}: ", text, re.M) for key in ("work_group", "user_name", "exp_name", "workspace")):
                wrong.append(str(path.relative_to(ROOT)))
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
