"""import-hf, export-hf and generate, as a user types them."""

import filecmp
import json
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest

CLI = os.environ["PRIMUS_CLI"]
MODEL = pathlib.Path(os.environ["PRIMUS_SOURCE_DIR"], "tests/parity/huggingface/llama")
TOKENS = ["--tokenizer_type", "NullTokenizer", "--vocab_size", "79"]


def run(*arguments):
    return subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True, timeout=300)


def greedy_text():
    """The greedy continuation that Transformers gives, from the fixture: 4 + 16 token ids."""
    data = (MODEL / "expected.safetensors").read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    begin, end = json.loads(data[8 : 8 + length])["greedy"]["data_offsets"]
    return list(struct.unpack("<20q", data[8 + length + begin : 8 + length + end]))


class Generate(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def check_refused(self, result, *texts):
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stdout, "")
        for text in texts:
            self.assertIn(text, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, "one message: " + result.stderr)

    def test_continues_as_transformers_does(self):
        tokens = greedy_text()
        prompt = " ".join(map(str, tokens[:4]))
        result = run("generate", "--load", MODEL, "--prompt", prompt, "--greedy", "--max_new_tokens", 16, *TOKENS)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.split(), [str(token) for token in tokens])

    def test_a_seed_fixes_the_text(self):
        texts = [run("generate", "--load", MODEL, "--prompt", "1 2", "--seed", seed, *TOKENS).stdout for seed in (1, 1, 2)]
        self.assertEqual(texts[0], texts[1])
        self.assertNotEqual(texts[0], texts[2])

    def test_import_and_export_give_the_weights_back(self):
        imported, exported = self.path / "imported", self.path / "exported"
        result = run("checkpoint", "import-hf", MODEL, "--save", imported)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(run("checkpoint", "verify", imported).returncode, 0)
        result = run("checkpoint", "export-hf", imported, "--save", exported)
        self.assertEqual(result.returncode, 0, result.stderr)
        again = self.path / "again"
        self.assertEqual(run("checkpoint", "import-hf", exported, "--save", again).returncode, 0)
        shard = "release/shard_00000.safetensors"
        self.assertTrue(filecmp.cmp(imported / shard, again / shard, shallow=False))
        prompt = ["--prompt", "1 2 3", "--greedy", *TOKENS]
        texts = {run("generate", "--load", source, *prompt).stdout for source in (MODEL, imported, exported)}
        self.assertEqual(len(texts), 1, texts)

    def test_refuses_what_it_cannot_do_in_one_message(self):
        generate = lambda *arguments: run("generate", "--load", MODEL, *arguments)
        self.check_refused(run("generate", "--load", self.path, "--prompt", "1", *TOKENS), str(self.path))
        self.check_refused(generate("--prompt", "1"), "--tokenizer_model")
        self.check_refused(generate("--prompt", "", *TOKENS), "prompt")
        self.check_refused(generate("--prompt", "1", "--top_p", "0", *TOKENS), "top_p")
        self.check_refused(generate("--prompt", " ".join(["1"] * 64), *TOKENS), "64")
        self.check_refused(generate("--prompt", "1", "--tokenizer_type", "NullTokenizer", "--vocab_size", "500"), "500")
        self.check_refused(run("checkpoint", "import-hf", self.path, "--save", self.path / "x"), "config.json")
        self.check_refused(run("checkpoint", "export-hf", MODEL, "--save", self.path), "exists")
        self.assertEqual(list(self.path.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
