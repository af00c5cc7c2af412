"""Checkpoints of every format that this program has ever written are continued, generate text and are exported.

tests/cli/fixtures/format_N holds a small checkpoint of each, as the program wrote it, and what followed from it then. They
stay for ever. A new format gets its own: `checkpoint_formats_test.py make FOLDER`, with PRIMUS_CLI the new program.
"""

import json
import shutil
import struct
import sys
import tempfile
import unittest
from pathlib import Path

from program import SOURCE, Experiment, ProgramTest, run

FIXTURES = SOURCE / "tests/cli/fixtures"
SAVED = 4
MODEL = {"num_layers": 1, "hidden_size": 8, "ffn_hidden_size": 16, "num_attention_heads": 2, "num_query_groups": 1,
         "seq_length": 8, "max_position_embeddings": 8, "tokenizer_type": "NullTokenizer", "vocab_size": 30,
         "make_vocab_size_divisible_by": 16, "save": "checkpoints", "save_interval": SAVED,
         "auto_continue_train": True}
PROMPT = ("--prompt", "1 2 3", "--greedy", "--max_new_tokens", 4)


def tensors_of(path):
    """The fp32 tensors of a safetensors file."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    return {name: struct.unpack(f"<{(info['data_offsets'][1] - info['data_offsets'][0]) // 4}f",
                                content[start + info["data_offsets"][0]:start + info["data_offsets"][1]])
            for name, info in header.items()}


def make(folder):
    """Trains, and keeps the checkpoint of the middle and what came after it."""
    with tempfile.TemporaryDirectory() as temporary:
        experiment = Experiment(temporary, **MODEL)
        result = experiment.train()
        assert result.returncode == 0, result.stderr
        shutil.rmtree(experiment.checkpoints / "iter_0000008")
        (experiment.checkpoints / "latest_checkpointed_iteration.txt").write_text(str(SAVED))
        shutil.copytree(experiment.checkpoints, folder)
        generated = run("generate", "--load", folder, *PROMPT)
        assert generated.returncode == 0, generated.stderr
        expected = {"losses": [line["lm_loss"] for line in experiment.metrics()[SAVED:]], "generated": generated.stdout}
        (Path(folder) / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


class CheckpointFormats(ProgramTest):
    def each(self):
        """Every fixture: a copy of its checkpoints, and what follows from them."""
        formats = sorted(FIXTURES.glob("format_*"))
        self.assertTrue(formats)
        for source in formats:
            with self.subTest(source.name):
                copy = self.folder / source.name
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(source, copy)
                yield copy, json.loads((source / "expected.json").read_text())

    def test_training_continues(self):
        for checkpoints, expected in self.each():
            experiment = Experiment(checkpoints / "run", **MODEL)
            shutil.copytree(checkpoints, experiment.checkpoints, ignore=shutil.ignore_patterns("run"))
            self.assert_success(experiment.train())
            losses = [line["lm_loss"] for line in experiment.metrics()]
            self.assertEqual(len(losses), len(expected["losses"]))
            for loss, wanted in zip(losses, expected["losses"]):
                self.assertAlmostEqual(loss, wanted, delta=1e-5)

    def test_text_is_generated(self):
        for checkpoints, expected in self.each():
            result = run("generate", "--load", checkpoints, *PROMPT)
            self.assert_success(result)
            self.assertEqual(result.stdout, expected["generated"])

    def test_a_hugging_face_directory_is_written(self):
        for checkpoints, _ in self.each():
            self.assert_success(run("checkpoint", "export-hf", checkpoints, "--save", checkpoints / "hf"))
            ours = tensors_of(checkpoints / f"iter_{SAVED:07d}/shard_00000.safetensors")
            theirs = tensors_of(checkpoints / "hf/model.safetensors")
            norm = "decoder.final_layernorm.weight"
            self.assertEqual(theirs["model.norm.weight"], ours[norm])
            rows = theirs["model.embed_tokens.weight"]
            self.assertEqual(len(rows), 31 * MODEL["hidden_size"])
            self.assertEqual(rows, ours["embedding.word_embeddings.weight"][:len(rows)])

    def test_a_format_of_the_future_is_refused_by_all_who_read(self):
        for checkpoints, _ in self.each():
            index_file = checkpoints / f"iter_{SAVED:07d}/index.json"
            index = json.loads(index_file.read_text())
            index_file.write_text(json.dumps({**index, "version": 99}))
            for command in (("generate", "--load", checkpoints, *PROMPT),
                            ("checkpoint", "export-hf", checkpoints, "--save", checkpoints / "hf"),
                            ("checkpoint", "verify", checkpoints)):
                self.assert_refused(run(*command), "format 99", "newer version of this program")
            experiment = Experiment(checkpoints / "run", **MODEL)
            self.assert_refused(experiment.train(f"load={checkpoints}"), "format 99", "newer version of this program")


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"]:
        make(sys.argv[2])
    else:
        unittest.main(verbosity=2)
