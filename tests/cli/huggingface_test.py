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
TOKENIZER_SIZE = 424  # of llama3.json; the others have fewer entries
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


def with_rows(rows):
    """More rows of the vocabulary, each of them another."""
    def enlarge(name, dtype, shape, data):
        if name not in ("model.embed_tokens.weight", "lm_head.weight"):
            return dtype, shape, data
        values = [math.cos(i) for i in range((rows - shape[0]) * shape[1])]
        return dtype, [rows, shape[1]], data + floats(*values)
    return lambda tensors: {name: enlarge(name, *tensor) for name, tensor in tensors.items()}


class HuggingFaceTest(ProgramTest):
    def model(self, name="model", tensors=lambda tensors: tensors, fixture=MODEL, **config):
        """A copy of a fixture with other tensors and other keys."""
        directory = self.folder / name
        directory.mkdir()
        values = json.loads((fixture / "config.json").read_text())
        (directory / "config.json").write_text(json.dumps({**values, **config}))
        write_tensors(directory / "model.safetensors", tensors(read_tensors(fixture / "model.safetensors")))
        return directory

    def large_model(self, rows=TOKENIZER_SIZE, **options):
        """One with rows for the tokenizers among the fixtures."""
        return self.model(tensors=with_rows(rows), vocab_size=rows, **options)

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

    def test_so_does_one_with_more_rows_than_its_tokenizer_has_entries(self):
        self.check_same_weights(self.large_model(100))

    def test_training_it_without_these_arguments_names_the_one_that_is_missing(self):
        self.import_model(self.large_model(100))
        experiment = Experiment(self.folder / "run", vocab_size=79)
        self.assert_refused(experiment.train(f"load={self.folder / 'imported'}"), "padded_vocab_size: 100")

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
        model = self.large_model()
        exported, config, _ = self.export(model, "--tokenizer", directory)
        self.assertEqual(config["eos_token_id"], ids["</s>"])
        self.assertIsNone(config["pad_token_id"])
        generation = json.loads((exported / "generation_config.json").read_text())
        self.assertEqual(generation["eos_token_id"], config["eos_token_id"])
        self.assertNotIn("pad_token_id", generation)
        for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            self.assertEqual((exported / name).read_bytes(), (directory / name).read_bytes())
        self.assertIn("library_name: transformers", (exported / "README.md").read_text())
        self.assertIn(str(model), (exported / "README.md").read_text())

    def test_the_model_card_says_where_the_model_comes_from(self):
        experiment = Experiment(self.folder / "run", train_iters=2, save="checkpoints", save_interval=2)
        self.assert_success(experiment.train())
        card = (self.export(experiment.checkpoints, "--without_tokenizer")[0] / "README.md").read_text()
        version = run("--version").stdout.split()[-1]
        for text in (f"`{experiment.checkpoints}/iter_0000002`", "Training iteration: 2",
                     f"Tokens trained on: {2 * 4 * 32}", f"(version {version})"):
            self.assertIn(text, card)
        imported = self.folder / "imported"
        model = self.model()
        self.import_model(model)
        self.assert_success(run("checkpoint", "export-hf", imported, "--save", self.folder / "again"))
        card = (self.folder / "again/README.md").read_text()
        self.assertIn(f"Imported from: `{model}`", card)
        self.assertNotIn("iteration", card)

    def test_a_tokenizer_with_more_entries_than_the_model_is_another_models(self):
        model = self.large_model()
        shutil.copy(TOKENIZERS / "llama3.json", model / "tokenizer.json")
        self.import_model(model)
        tokenizer = json.loads((model / "tokenizer.json").read_text())
        tokenizer["added_tokens"].append({**tokenizer["added_tokens"][0], "id": TOKENIZER_SIZE, "content": "<new>"})
        (model / "tokenizer.json").write_text(json.dumps(tokenizer))
        imported, given = self.folder / "imported", model / "tokenizer.json"
        for source, tokenizer in ((imported, []), (model, []), (MODEL, ["--tokenizer", given])):
            result = run("checkpoint", "export-hf", source, "--save", self.folder / "exported", *tokenizer)
            self.assert_refused(result, "425 entries", "another model's", "--without_tokenizer")
            self.assertFalse((self.folder / "exported").exists())
        for source, tokenizer in ((imported, []), (MODEL, ["--tokenizer_model", given])):
            self.assert_refused(run("generate", "--load", source, "--prompt", "a", *tokenizer), "425 entries")

    def test_a_tiktoken_vocabulary_is_exported_as_a_tokenizer_file(self):
        tokenizer = {"tokenizer_type": "TikTokenizer", "tokenizer_model": str(TOKENIZERS / "tiktoken_vocab.json"),
                     "vocab_size": 439, "tiktoken_num_special_tokens": 20}
        options = [word for name, value in tokenizer.items() for word in (f"--{name}", value)]
        (self.folder / "text").write_text("the quick brown fox\n" * 100)
        self.assert_success(run("data", "preprocess", "--input", self.folder / "text", "--output_prefix",
                                self.folder / "data", *options))
        experiment = Experiment(self.folder / "run", **tokenizer, mock_data=False, split="100,0,0", train_iters=1,
                                data_path=str(self.folder / "data_text_document"), save="checkpoints", save_interval=1)
        self.assert_success(experiment.train())
        exported, config, _ = self.export(experiment.checkpoints)
        self.assertEqual((config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]), (1, 2, 4))
        self.assertEqual(json.loads((exported / "tokenizer_config.json").read_text())["eos_token"], "</s>")
        text = "the fox</s> 123, WE'RE"
        ids = [run("tokenizer", "encode", "--text", text, *how).stdout for how in
               (options, ["--tokenizer_model", exported])]
        self.assertEqual(ids[0], ids[1])
        self.assertTrue(ids[0])

    def test_text_is_made_of_the_tokenizers_entries_alone(self):
        def prefer_the_last(tensors):  # Each logit is the sum of a normalized vector, times the row's weight.
            dtype, shape, _ = tensors["lm_head.weight"]
            rows = [floats(*[float(row)] * shape[1]) for row in range(shape[0])]
            return {**tensors, "lm_head.weight": (dtype, shape, b"".join(rows))}
        model = self.model(tensors=lambda tensors: prefer_the_last(with_rows(100)(tensors)), vocab_size=100)
        for prompt in range(8):
            result = run("generate", "--load", model, "--prompt", prompt, "--greedy", *NULL_TOKENIZER)
            self.assert_success(result)
            self.assertLess(max(map(int, result.stdout.split())), 80)

    def test_a_tokenizer_without_configuration_gets_one(self):
        exported, _, _ = self.export(self.large_model(), "--tokenizer", self.tokenizer(("llama3.json", "tokenizer.json")))
        config = json.loads((exported / "tokenizer_config.json").read_text())
        self.assertEqual(config["tokenizer_class"], "PreTrainedTokenizerFast")

    def test_a_sentencepiece_model_is_found_under_the_name_that_transformers_knows(self):
        directory = self.tokenizer(("sentencepiece.model", "my.model"))
        exported, config, _ = self.export(self.large_model(), "--tokenizer", directory / "my.model")
        self.assertEqual((exported / "tokenizer.model").read_bytes(), (directory / "my.model").read_bytes())
        self.assertEqual((config["bos_token_id"], config["eos_token_id"]), (1, 2))
        made = json.loads((exported / "tokenizer_config.json").read_text())
        self.assertTrue(made["add_bos_token"], "as our HuggingFaceTokenizer does with such a model")

    def test_a_tokenizer_that_transformers_would_take_for_another_is_pointed_out(self):
        directory = self.tokenizer(("llama3.json", "tokenizer.json"))
        _, _, result = self.export(self.large_model(fixture=MODEL.parent / "qwen2"), "--tokenizer", directory)
        self.assertIn("PreTrainedTokenizerFast", result.stderr)

    def test_what_a_hugging_face_model_came_with_survives(self):
        directory = self.large_model(eos_token_id=[5, 7], bos_token_id=None)
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
    def commands(self, directory, *options):
        return (run("checkpoint", "import-hf", directory, "--save", self.folder / "imported", *options),
                run("checkpoint", "export-hf", directory, "--save", self.folder / "exported", *options),
                run("generate", "--load", directory, "--prompt", "1", *NULL_TOKENIZER, *options))

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

    def test_unknown_keys_unless_they_are_to_be_ignored(self):
        model = self.model(rope_thetha=1.0, clip_qkv=8.0)
        self.check_refused(model, "clip_qkv, rope_thetha", "--ignore_keys clip_qkv,rope_thetha")
        for result in self.commands(model, "--ignore_keys", "clip_qkv,rope_thetha"):
            self.assert_success(result)
        result = run("generate", "--load", self.folder / "imported", "--prompt", "1", "--ignore_keys", "a", *NULL_TOKENIZER)
        self.assert_refused(result, "--ignore_keys is for Hugging Face models")


if __name__ == "__main__":
    unittest.main()
