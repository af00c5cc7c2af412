"""Bad input of any kind ends in one clear message and exit code 2, before anything but the log is written."""

import shutil
import subprocess
import unittest

import token_file
from program import CLI, ENVIRONMENT, Experiment, ProgramTest, run

REAL_DATA = {"mock_data": False, "tokenizer_type": "NullTokenizer", "vocab_size": 127, "split": "90,10,0"}


class BadConfiguration(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment = Experiment(self.folder)

    def refuse(self, *texts, arguments=(), config=None):
        result = run("train", "pretrain", "--config", config or self.experiment.config, *arguments)
        self.assert_refused(result, *texts)
        if self.experiment.workspace.exists():  # Where the file tells which folder is the run's.
            self.assert_leaves_only_logs(self.experiment)

    def line_of(self, text):
        lines = self.experiment.config.read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    def test_missing_file(self):
        self.refuse("absent.yaml", config=self.folder / "absent.yaml")

    def test_bad_yaml_names_the_line(self):
        text = self.experiment.config.read_text().replace("hidden_size: 32", "hidden_size: [32")
        self.experiment.config.write_text(text)
        self.refuse("exp.yaml:")

    def test_unknown_key_is_named_with_line_and_suggestion(self):
        self.experiment.write(lr_warmup_iter=2)
        self.refuse(f"exp.yaml:{self.line_of('lr_warmup_iter:')}", "lr_warmup_iter", "lr_warmup_iters")

    def test_unknown_key_on_the_command_line(self):
        self.refuse("trian_iters", "train_iters", arguments=["trian_iters=5"])

    def test_wrong_type(self):
        self.experiment.write(num_layers="two")
        self.refuse(f"exp.yaml:{self.line_of('num_layers')}", "num_layers", "two")

    def test_impossible_batch_sizes(self):
        self.experiment.write(global_batch_size=5)
        self.refuse("global batch size (5)", "micro batch size (2)")

    def test_heads_that_do_not_share_the_hidden_size(self):
        self.experiment.write(hidden_size=30, num_attention_heads=4)
        self.refuse("num_attention_heads")

    def test_a_layout_that_the_processes_cannot_form(self):
        self.experiment.write(tensor_model_parallel_size=3)
        self.refuse("world size (1)", "3")

    def test_a_feature_that_is_not_there_yet_is_refused_by_name(self):
        self.experiment.write(num_experts=4)
        self.refuse(f"exp.yaml:{self.line_of('num_experts')}", "num_experts")

    def test_a_split_that_is_no_numbers(self):
        for split in ("-1,1,0", "nan,1,1", "90,abc5,5", "0,0,0"):
            with self.subTest(split):
                self.experiment.write(data_path="/none", mock_data=False, split=split)
                where = f"exp.yaml:{self.line_of('split:')}: 'split' is"
                self.refuse(where)
                validated = run("config", "validate", "--config", self.experiment.config)
                self.assertEqual(validated.returncode, 2)
                self.assertIn(where, validated.stdout)

    def test_a_blend_whose_weights_do_not_fit(self):
        self.experiment.write(data_path="0.5 /a /b /c", mock_data=False)
        self.refuse(f"exp.yaml:{self.line_of('data_path:')}: 'data_path' is", "found /b where a weight is expected")

    def test_a_split_beside_the_paths_of_each_split(self):
        self.experiment.write(train_data_path="/a", valid_data_path="/b", mock_data=False, split="9,1,0")
        self.refuse(f"exp.yaml:{self.line_of('split:')}: 'split' divides 'data_path'")

    def test_a_missing_tokenizer_is_named_where_it_was_asked_for(self):
        self.experiment.write(data_path="/a", mock_data=False, tokenizer_type="HuggingFaceTokenizer",
                              tokenizer_model="/none/tokenizer")
        self.refuse(f"exp.yaml:{self.line_of('tokenizer_model:')}: tokenizer_model /none/tokenizer does not exist")

    def test_unknown_command(self):
        self.assert_refused(run("trian", "pretrain"), "trian")


class BadData(ProgramTest):
    def setUp(self):
        super().setUp()
        self.prefix = self.folder / "tokens"
        token_file.write(self.prefix)
        self.experiment = Experiment(self.folder, **REAL_DATA, train_data_path=None, data_path=str(self.prefix))

    def refuse(self, *texts, arguments=()):
        result = self.experiment.train(*arguments)
        self.assert_refused(result, *texts)
        return result

    def line_of_the_path(self):
        lines = self.experiment.config.read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if "      data_path:" in line)

    def test_the_data_as_it_is_trains(self):
        self.assert_success(self.experiment.train())

    def test_missing_files(self):
        for suffix in (".bin", ".idx"):
            with self.subTest(suffix):
                kept = self.prefix.with_suffix(".kept")
                shutil.move(f"{self.prefix}{suffix}", kept)
                refused = self.refuse(
                    f"exp.yaml:{self.line_of_the_path()}: dataset file {self.prefix}{suffix} does not exist")
                self.assertNotIn("number of parameters", refused.stderr, "said only after the model was built")
                shutil.move(kept, f"{self.prefix}{suffix}")

    def test_paths_with_blanks(self):
        folder = self.folder / "my corpus"
        folder.mkdir()
        token_file.write(folder / "tokens")
        path = str(folder / "tokens")
        rule = "a string is split at spaces"
        self.experiment.write(**REAL_DATA, data_path=path)
        self.refuse(f"exp.yaml:{self.line_of_the_path()}", rule)
        self.experiment.write(**REAL_DATA, data_path=[f"1 {path}"])
        self.refuse(rule)
        self.experiment.write(**REAL_DATA, data_path=[path])
        self.assert_success(self.experiment.train())

    def test_a_blend_on_the_command_line_is_a_list_as_in_yaml(self):
        self.assert_success(self.experiment.train(f"data_path=[0.5,{self.prefix},0.5,{self.prefix}]"))
        self.refuse("command line: dataset file /none.idx does not exist",
                    arguments=[f"data_path=[0.5, {self.prefix}, 0.5, /none]"])

    def test_files_that_name_the_data(self):
        blend = self.folder / "blend.txt"
        self.experiment.write(**REAL_DATA, data_path=None, data_args_path=str(blend))
        self.refuse("exp.yaml:", "blend.txt")
        blend.write_text(f"\ufeff1 {self.prefix}\n")
        self.assert_success(self.experiment.train())
        blend.write_text("1 /none")
        self.refuse("blend.txt: dataset file /none.idx does not exist")

    def test_truncated_files(self):
        for suffix in (".bin", ".idx"):
            with self.subTest(suffix):
                path = self.prefix.with_suffix(suffix)
                content = path.read_bytes()
                path.write_bytes(content[:len(content) // 2])
                self.refuse(f"tokens{suffix}")
                path.write_bytes(content)

    def test_a_file_of_another_kind(self):
        self.prefix.with_suffix(".idx").write_bytes(b"PK\x03\x04" + bytes(100))
        self.refuse("tokens.idx is a ZIP archive")
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
        self.prefix.with_suffix(".idx").write_bytes(pointer)
        self.refuse("tokens.idx is a Git LFS pointer")
        token_file.write(self.prefix)
        self.prefix.with_suffix(".bin").write_bytes(pointer)
        self.refuse("tokens.bin is a Git LFS pointer")

    def test_tokens_outside_of_the_vocabulary(self):
        token_file.write(self.prefix, vocabulary=5000)
        self.refuse("vocabulary")

    def test_too_few_documents_for_a_split(self):
        token_file.write(self.prefix, documents=1)
        self.experiment.write(**REAL_DATA, data_path=str(self.prefix), eval_iters=1, eval_interval=4)
        self.refuse("split")


class BadCheckpoint(ProgramTest):
    def setUp(self):
        super().setUp()
        self.saving = {"save": "checkpoints", "save_interval": 4, "auto_continue_train": True}
        self.experiment = Experiment(self.folder, **self.saving)
        self.assert_success(self.experiment.train())
        self.checkpoints = self.experiment.root / "checkpoints"

    def resume(self, **overrides):
        self.experiment.write(**{**self.saving, "train_iters": 12, **overrides})
        return self.experiment.train()

    def shard(self, iteration=8):
        return next((self.checkpoints / f"iter_{iteration:07d}").glob("*.safetensors"))

    def test_a_checkpoint_of_another_model(self):
        self.assert_refused(self.resume(ffn_hidden_size=96), "ffn_hidden_size")

    def test_a_damaged_shard_is_refused_by_name(self):
        path = self.shard()
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        self.assert_refused(self.resume(), path.name)

    def test_a_truncated_shard_is_refused_by_name(self):
        path = self.shard()
        path.write_bytes(path.read_bytes()[:-100])
        self.assert_refused(self.resume(), path.name)

    def test_a_missing_shard_is_refused_by_name(self):
        path = self.shard()
        path.unlink()
        self.assert_refused(self.resume(), path.name)

    def test_a_pointer_to_nothing(self):
        (self.checkpoints / "latest_checkpointed_iteration.txt").write_text("999")
        self.assert_refused(self.resume(), "999")

    def test_a_full_disk_during_a_save_keeps_the_last_checkpoint(self):
        before = self.experiment.trajectory()
        self.experiment.write(**{**self.saving, "train_iters": 12})
        # A file size limit makes write() fail as a full disk does.
        result = subprocess.run(["bash", "-c", 'trap "" XFSZ; ulimit -f 40; exec "$@"', "bash", CLI, "train", "pretrain",
                                 "--config", self.experiment.config], capture_output=True, text=True, timeout=120,
                                env=ENVIRONMENT)
        self.assertEqual(result.returncode, 1, result.stderr[-4000:])
        for text in ("cannot write", "Older checkpoints are untouched"):
            self.assertIn(text, result.stderr)
        self.assertEqual((self.checkpoints / "latest_checkpointed_iteration.txt").read_text().strip(), "8")
        self.assert_success(self.resume())
        self.assertEqual(self.experiment.trajectory()[:8], before)
        self.assertEqual(len(self.experiment.metrics()), 12)


if __name__ == "__main__":
    unittest.main(verbosity=2)
