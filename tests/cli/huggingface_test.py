"""import-hf and export-hf for the next user of what they make: to train it, or to load it with Transformers."""

import json
import math
import os
import shutil
import struct
import unittest
from pathlib import Path

from program import SOURCE, Experiment, ProgramTest, run

MODEL = SOURCE / "tests/parity/huggingface/llama"
TOKENIZERS = SOURCE / "tests/tokenizer/fixtures"
NULL_TOKENIZER = ["--tokenizer_type", "NullTokenizer", "--vocab_size", "79"]


def read_tensors(path):
    """Name -> (dtype, shape, bytes) of a safetensors file."""
    data = path.read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    at = lambda entry: [start + offset for offset in entry["data_offsets"]]
    return {name: (entry["dtype"], entry["shape"], data[slice(*at(entry))]) for name, entry in header.items()}


def write_tensors(path, tensors):
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def with_biases(tensors):
    """A bias, each element another number, for every linear layer."""
    result = dict(tensors)
    for name, (_, shape, _) in tensors.items():
        if "proj" in name:
            values = [math.sin(len(result) + i) * 0.1 for i in range(shape[0])]
            result[name.replace("weight", "bias")] = ("F32", shape[:1], floats(*values))
    return result


class HuggingFaceTest(ProgramTest):
    def model(self, name="model", tensors=lambda tensors: tensors, **config):
        """A copy of the fixture with other tensors and other keys."""
        directory = self.folder / name
        directory.mkdir()
        values = json.loads((MODEL / "config.json").read_text())
        (directory / "config.json").write_text(json.dumps({**values, **config}))
        write_tensors(directory / "model.safetensors", tensors(read_tensors(MODEL / "model.safetensors")))
        return directory

    def import_model(self, directory, *arguments):
        result = run("checkpoint", "import-hf", directory, "--save", self.folder / "imported", *arguments)
        self.assert_success(result)
        return result

    def export(self, source, *arguments):
        exported = self.folder / "exported"
        result = run("checkpoint", "export-hf", source, "--save", exported, *arguments)
        self.assert_success(result)
        return exported, json.loads((exported / "config.json").read_text()), result


class Training(HuggingFaceTest):
    def train_and_export(self, directory):
        """Trains an import for one iteration that changes nothing, with the arguments that import printed."""
        lines = self.import_model(directory).stdout.partition("\n\n")[2].splitlines()
        arguments = [line.replace(": ", "=") for line in lines if not line.startswith("#")]
        experiment = Experiment(self.folder / "run", vocab_size=79, train_iters=1, lr=0.0, min_lr=0.0,
                                lr_warmup_iters=0, save="checkpoints", save_interval=1)
        self.assert_success(experiment.train(*arguments))
        return self.export(experiment.root / "checkpoints")[0]

    def check_same_weights(self, directory):
        exported = self.train_and_export(directory)
        self.assertEqual(read_tensors(exported / "model.safetensors"), read_tensors(directory / "model.safetensors"))

    def test_an_imported_model_trains_with_the_arguments_that_import_prints(self):
        self.check_same_weights(self.model())

    def test_so_does_one_with_biases_everywhere(self):
        self.check_same_weights(self.model(tensors=with_biases, attention_bias=True, mlp_bias=True))

    def test_so_does_one_with_scaled_rotary_embeddings(self):
        llama3 = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 4.0, "low_freq_factor": 1.0,
                  "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
        self.check_same_weights(self.model(rope_parameters=llama3))

    def test_import_says_when_no_arguments_make_the_model(self):
        imported = self.import_model(self.model(rope_parameters={"rope_type": "linear", "factor": 2.5}))
        self.assertIn("rotary_seq_len_interpolation_factor 2.5", imported.stdout)


class WhatIsExported(HuggingFaceTest):
    def tokenizer(self, *files, **config):
        """A tokenizer's directory with copies of fixtures, (fixture, name)."""
        directory = self.folder / "tokenizer"
        directory.mkdir()
        for fixture, name in files:
            shutil.copy(TOKENIZERS / fixture, directory / name)
        if config:
            (directory / "tokenizer_config.json").write_text(json.dumps(config))
        return directory

    def test_tokens_and_tokenizer_are_those_of_the_tokenizer_given(self):
        directory = self.tokenizer(("llama3.json", "tokenizer.json"), eos_token="</s>", chat="kept")
        (directory / "chat_template.jinja").write_text("{{ messages }}")
        expected = json.loads((directory / "tokenizer.json").read_text())["added_tokens"]
        ids = {token["content"]: token["id"] for token in expected}
        exported, config, _ = self.export(MODEL, "--tokenizer", directory)
        self.assertEqual(config["eos_token_id"], ids["</s>"])
        self.assertIsNone(config["pad_token_id"])
        generation = json.loads((exported / "generation_config.json").read_text())
        self.assertEqual(generation["eos_token_id"], config["eos_token_id"])
        self.assertNotIn("pad_token_id", generation)
        for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            self.assertEqual((exported / name).read_bytes(), (directory / name).read_bytes())
        self.assertIn("library_name: transformers", (exported / "README.md").read_text())
        self.assertIn(str(MODEL), (exported / "README.md").read_text())

    def test_a_tokenizer_without_configuration_gets_one(self):
        exported, _, _ = self.export(MODEL, "--tokenizer", self.tokenizer(("llama3.json", "tokenizer.json")))
        config = json.loads((exported / "tokenizer_config.json").read_text())
        self.assertEqual(config["tokenizer_class"], "PreTrainedTokenizerFast")

    def test_a_sentencepiece_model_is_found_under_the_name_that_transformers_knows(self):
        directory = self.tokenizer(("sentencepiece.model", "my.model"))
        exported, config, _ = self.export(MODEL, "--tokenizer", directory / "my.model")
        self.assertEqual((exported / "tokenizer.model").read_bytes(), (directory / "my.model").read_bytes())
        self.assertEqual((config["bos_token_id"], config["eos_token_id"]), (1, 2))
        made = json.loads((exported / "tokenizer_config.json").read_text())
        self.assertTrue(made["add_bos_token"], "as our HuggingFaceTokenizer does with such a model")

    def test_a_tokenizer_that_transformers_would_take_for_another_is_pointed_out(self):
        directory = self.tokenizer(("llama3.json", "tokenizer.json"))
        _, _, result = self.export(MODEL.parent / "qwen2", "--tokenizer", directory)
        self.assertIn("PreTrainedTokenizerFast", result.stderr)

    def test_what_a_hugging_face_model_came_with_survives(self):
        directory = self.model(eos_token_id=[5, 7], bos_token_id=None)
        generation = {"eos_token_id": [5, 7, 9], "temperature": 0.6}
        (directory / "generation_config.json").write_text(json.dumps(generation))
        shutil.copy(TOKENIZERS / "llama3.json", directory / "tokenizer.json")
        self.import_model(directory)
        exported, config, _ = self.export(self.folder / "imported")
        self.assertEqual(config["eos_token_id"], [5, 7])
        self.assertIsNone(config["bos_token_id"])
        self.assertEqual(json.loads((exported / "generation_config.json").read_text()), generation)
        self.assertTrue((exported / "tokenizer.json").exists())

    def test_a_tokenizer_that_is_gone_is_asked_for(self):
        directory = self.model()
        shutil.copy(TOKENIZERS / "llama3.json", directory / "tokenizer.json")
        self.import_model(directory)
        os.remove(directory / "tokenizer.json")
        export = lambda *arguments: run("checkpoint", "export-hf", self.folder / "imported", "--save",
                                        self.folder / "exported", *arguments)
        self.assert_refused(export(), "tokenizer.json", "--tokenizer", "--without_tokenizer")
        self.assertFalse((self.folder / "exported").exists())
        self.assert_success(export("--without_tokenizer"))

    def test_no_tokenizer_is_said(self):
        _, config, result = self.export(MODEL)
        self.assertIn("no tokenizer is exported", result.stderr)
        self.assertEqual((config["bos_token_id"], config["eos_token_id"]), (1, 2), "as its config.json has them")


class WhatIsRefused(HuggingFaceTest):
    def commands(self, directory):
        return (run("checkpoint", "import-hf", directory, "--save", self.folder / "imported"),
                run("checkpoint", "export-hf", directory, "--save", self.folder / "exported"),
                run("generate", "--load", directory, "--prompt", "1", *NULL_TOKENIZER))

    def check_refused(self, directory, *texts):
        for result in self.commands(directory):
            self.assert_refused(result, *texts)
        self.assertEqual([path for path in self.folder.iterdir() if path != directory], [])

    def test_tensors_without_a_place(self):
        self.check_refused(self.model(tensors=with_biases), "would be lost", "layers.0.mlp.down_proj.bias")

    def test_weights_that_are_no_numbers(self):
        def spoil(tensors):
            dtype, shape, data = tensors["model.norm.weight"]
            return {**tensors, "model.norm.weight": (dtype, shape, floats(math.nan) + data[4:])}
        self.check_refused(self.model(tensors=spoil), "model.norm.weight", "NaN")

    def test_unknown_keys_are_named_and_nothing_else(self):
        for result in self.commands(self.model(rope_thetha=1.0)):
            self.assert_success(result)
            self.assertIn("rope_thetha", result.stderr)


if __name__ == "__main__":
    unittest.main()
