"""`primus-cli tokenizer` and `primus-cli data`: from text to token files and back, and what bad input says."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CLI = os.environ["PRIMUS_CLI"]
WORDS = "in the beginning was the word and the word was with the people of the land who went down to the river".split()


def run(*arguments, stdin=None):
    return subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True, input=stdin, timeout=120)


class Data(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name)
        self.corpus = self.folder / "corpus.jsonl"
        texts = [" ".join(WORDS[(i * 7 + j * 3) % len(WORDS)] for j in range(40)) for i in range(50)]
        self.corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        self.texts = texts

    def tearDown(self):
        self.temporary.cleanup()

    def train(self):
        done = run("tokenizer", "train", "--input", self.corpus, "--vocab_size", 300, "--output", self.folder / "tok")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["vocab_size"], 300)

    def preprocess(self, *more):
        done = run("data", "preprocess", "--input", self.corpus, "--output_prefix", self.folder / "data",
                   "--tokenizer_model", self.folder / "tok", "--append_eod", *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_encoding_and_decoding_are_inverse(self):
        self.train()
        text = "the river — Größe\n  <|endoftext|>"
        ids = run("tokenizer", "encode", "--tokenizer_model", self.folder / "tok", stdin=text)
        self.assertEqual(json.loads(ids.stdout)[-1], 0)
        back = run("tokenizer", "decode", "--tokenizer_model", self.folder / "tok", stdin=ids.stdout)
        self.assertEqual(back.stdout, text + "\n")

    def test_preprocessing_keeps_every_document(self):
        self.train()
        report = self.preprocess("--workers", 2)
        self.assertEqual(report["documents"], 50)
        size = (self.folder / "data_text_document.bin").stat().st_size
        self.assertEqual(size, 2 * report["tokens"])

    def test_bad_documents_are_skipped_on_demand(self):
        corpus = self.folder / "mixed.JSONL"
        corpus.write_text('{"text": "one", "score": NaN}\n{"text": 7}\n{"text"\n{"text": ["two", "three"]}\n')
        command = ["data", "preprocess", "--input", corpus, "--output_prefix", self.folder / "mixed",
                   "--tokenizer_type", "ByteLevelTokenizer"]
        refused = run(*command)
        self.assertEqual(refused.returncode, 2)
        self.assertIn('mixed.JSONL:2: "text" must be a string or a list of strings; it holds a number', refused.stderr)
        done = run(*command, "--skip_bad")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual((report["documents"], report["skipped"], report["tokens"]), (2, 2, 11))
        self.assertIn("bad documents skipped: 2; the first:", done.stderr)
        self.assertIn("mixed.JSONL:3: broken JSON", done.stderr)

    def test_merging_joins_in_order(self):
        self.train()
        report = self.preprocess()
        prefix = self.folder / "data_text_document"
        merged = run("data", "merge", "--input", prefix, prefix, "--output_prefix", self.folder / "twice")
        self.assertEqual(json.loads(merged.stdout)["tokens"], 2 * report["tokens"], merged.stderr)
        once = prefix.with_suffix(".bin").read_bytes()
        self.assertEqual((self.folder / "twice.bin").read_bytes(), once + once)

    def inspect(self, *more):
        experiment = self.folder / "exp.yaml"
        experiment.write_text(f"""
work_group: t
user_name: u
exp_name: e
workspace: {self.folder}
modules:
  pre_trainer:
    framework: megatron
    config: pre_trainer.yaml
    model: llama_tiny.yaml
    overrides:
      seq_length: 16
      micro_batch_size: 2
      global_batch_size: 4
      train_iters: 3
      data_path: {self.folder / "data_text_document"}
      split: 80,20,0
      tokenizer_type: HuggingFaceTokenizer
      tokenizer_model: {self.folder / "tok"}
""")
        return run("data", *more, "--config", experiment)

    def test_inspect_prints_what_training_sees(self):
        self.train()
        self.preprocess()
        done = self.inspect("inspect", "--samples", "1:4", "--text")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([line["position"] for line in lines], [1, 2, 3])
        for line in lines:
            self.assertEqual(line["tokens"][1:], line["labels"][:-1])
            self.assertEqual(len(line["tokens"]), 16)
            self.assertTrue(any(line["text"].replace("<|endoftext|>", "\n").split("\n")[0] in t for t in self.texts))
        self.assertEqual(self.inspect("inspect", "--samples", "x").returncode, 2)

    def test_inspecting_no_sample_is_refused(self):
        self.train()
        self.preprocess()
        for samples in ("4:2", "3:3"):
            done = self.inspect("inspect", "--samples", samples)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(f"--samples {samples} names no sample", done.stderr)

    def test_bigram_prints_a_loss_below_the_unigram_models(self):
        self.train()
        self.preprocess()
        done = self.inspect("bigram")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertLess(report["bigram_loss"], report["unigram_loss"])

    def test_bad_input_is_refused_with_code_2(self):
        for arguments, part in [
            (["tokenizer", "train", "--input", "/none", "--output", self.folder / "t"], "cannot read /none"),
            (["tokenizer", "encode", "--tokenizer_model", "/none", "--text", "x"], "does not exist"),
            (["tokenizer", "train", "--input", self.corpus, "--vocab_size", "10", "--output", self.folder / "t"], "is too small"),
            (["data", "merge", "--input", self.folder, "--output_prefix", self.folder / "m"], "no .idx files"),
            (["data", "preprocess", "--input", self.corpus, "--output_prefix", self.folder / "p", "--tokenizer_type",
              "NullTokenizer", "--vocab_size", 9], "NullTokenizer reads ids from 0 to 9"),
            (["data", "preprocess", "--input", self.corpus, "--output_prefix", self.folder / "p", "--tokenizer_type",
              "ByteLevelTokenizer", "--json_keys", "a", "a"], 'the JSON key "a" is given twice'),
        ]:
            done = run(*arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(part, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertEqual([p.name for p in self.folder.iterdir()], ["corpus.jsonl"])


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
