"""A file of another kind in the place of one that the program reads is named for what it is."""

import gzip
import json
import pickle
import shutil
import unittest

from program import SOURCE, Experiment, ProgramTest, run

KINDS = {
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
    "a web page": b"<!DOCTYPE html>\n<html><body>404</body></html>\n",
    "gzip data": gzip.compress(b"{}"),
    "UTF-16 text": '{"a": 1}\n'.encode("utf-16"),
    "a Python pickle": pickle.dumps({}),
}
MODEL = SOURCE / "tests/parity/huggingface/llama"
CHECKPOINTS = SOURCE / "tests/cli/fixtures/format_2"
TOKENIZER = SOURCE / "tests/tokenizer/fixtures/gpt2.json"


class ForeignFiles(ProgramTest):
    def check(self, file, *command):
        """Runs the command with each kind of file in the place of `file`."""
        file.parent.mkdir(parents=True, exist_ok=True)
        for kind, content in KINDS.items():
            with self.subTest(file=file.name, kind=kind):
                file.write_bytes(content)
                self.assert_refused(run(*command), f"{file}: this is {kind}")

    def test_in_a_hugging_face_model(self):
        for name in ("config.json", "model.safetensors", "generation_config.json", "model.safetensors.index.json"):
            directory = shutil.copytree(MODEL, self.folder / f"with {name}")
            if name == "model.safetensors.index.json":
                (directory / "model.safetensors").unlink()
            self.check(directory / name, "checkpoint", "import-hf", directory, "--save", self.folder / "imported")

    def test_in_a_checkpoint(self):
        for name in ("latest_checkpointed_iteration.txt", "iter_0000004/index.json", "iter_0000004/common.json"):
            folder = shutil.copytree(CHECKPOINTS, self.folder / name.replace("/", " "))
            self.check(folder / name, "checkpoint", "export-hf", folder, "--save", self.folder / "exported")

    def test_in_a_tokenizer(self):
        for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                     "tokenizer.model"):
            directory = self.folder / f"with {name}"
            directory.mkdir()
            if name != "tokenizer.model":
                shutil.copy(TOKENIZER, directory / "tokenizer.json")
            self.check(directory / name, "tokenizer", "encode", "--text", "a", "--tokenizer_model", directory)
        self.check(self.folder / "a.tiktoken", "tokenizer", "encode", "--text", "a", "--tokenizer_type", "TikTokenizer",
                   "--tokenizer_model", self.folder / "a.tiktoken")

    def test_in_a_gpt2_tokenizer(self):
        vocabulary, merges = self.folder / "vocab.json", self.folder / "merges.txt"
        command = ("tokenizer", "encode", "--text", "a", "--tokenizer_type", "GPT2BPETokenizer", "--vocab_file",
                   vocabulary, "--merge_file", merges)
        merges.write_text("")
        self.check(vocabulary, *command)
        vocabulary.write_text(json.dumps({"a": 0}))
        self.check(merges, *command)

    def test_in_an_experiment_and_its_presets(self):
        experiment = Experiment(self.folder / "run")
        config = shutil.copytree(SOURCE / "configs", self.folder / "configs")
        command = ("config", "show", "--config", experiment.config, "--config_dir", config)
        self.assert_success(run(*command))
        model = config / "models/megatron/llama_tiny.yaml"
        shutil.copy(model, self.folder / "kept.yaml")
        self.check(model, *command)
        shutil.copy(self.folder / "kept.yaml", model)
        self.check(experiment.config, *command)


if __name__ == "__main__":
    unittest.main()
