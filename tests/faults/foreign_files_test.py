"""A file of another kind in the place of one that the program reads is named for what it is."""

import gzip
import json
import pickle
import shutil
import unittest

import token_file
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

    def test_an_index_of_another_shape_is_named(self):
        directory = shutil.copytree(MODEL, self.folder / "model")
        (directory / "model.safetensors").unlink()
        index = directory / "model.safetensors.index.json"
        for content in ([], {"weight_map": []}, {"weight_map": {"a": "b.safetensors"}}):
            index.write_text(json.dumps(content))
            self.assert_refused(run("checkpoint", "import-hf", directory, "--save", self.folder / "imported"), str(index))

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
        merges.write_text("#version: 0.2\n")
        self.assert_refused(run(*command), f"{merges}: contains no merges")

    def test_in_a_corpus_unless_its_format_is_given(self):
        corpus = self.folder / "corpus.txt"
        command = ("data", "preprocess", "--input", corpus, "--output_prefix", self.folder / "out", "--tokenizer_type",
                   "ByteLevelTokenizer")
        for content in (KINDS["a web page"], b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"):
            corpus.write_bytes(content)
            self.assert_refused(run(*command), f"{corpus} is a web page", "--format lines")
            self.assert_success(run(*command, "--format", "lines"))

    def test_in_a_dataset(self):
        prefix = self.folder / "tokens"
        token_file.write(prefix)
        experiment = Experiment(self.folder / "run", mock_data=False, data_path=[str(prefix)], train_data_path=None,
                                tokenizer_type="NullTokenizer")
        for suffix in (".bin", ".idx"):
            file = prefix.with_suffix(suffix)
            kept = file.read_bytes()
            file.write_bytes(KINDS["a web page"])
            self.assert_refused(experiment.train(), f"{file} is a web page")
            file.write_bytes(kept)

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
