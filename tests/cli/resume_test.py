"""What a run says, or refuses, when it goes on from a checkpoint in another way than it began."""

import json
import shutil
import tempfile
import unittest
from pathlib import Path

import token_file
from program import Experiment, ProgramTest, run

SAVING = {"save": "checkpoints", "save_interval": 4, "auto_continue_train": True}
REAL_DATA = {"mock_data": False, "tokenizer_type": "NullTokenizer", "vocab_size": 126, "split": "80,20,0"}


class Resumed(ProgramTest):
    """Each test changes something about a run of 8 iterations that has saved iterations 4 and 8."""

    overrides = SAVING

    @classmethod
    def setUpClass(cls):
        # Trained once; each test has a copy.
        cls.shared = Path(tempfile.mkdtemp(prefix="primus-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        cls.prepare()
        cls.trained = Experiment(cls.shared / "trained", **cls.overrides)
        result = cls.trained.train()
        assert result.returncode == 0, result.stderr

    @classmethod
    def prepare(cls):
        pass

    def setUp(self):
        super().setUp()
        self.experiment = Experiment(self.folder, **self.overrides)
        shutil.copytree(self.trained.root, self.experiment.root)

    def resume(self, *arguments, **changes):
        self.experiment.write(**{**self.overrides, "train_iters": 10, "lr_decay_iters": 8, **changes})
        return self.experiment.train(*arguments)

    def assert_says(self, result, *lines):
        self.assert_success(result)
        for line in lines:
            self.assertEqual(result.stderr.count(line), 1, f"{line}\n{result.stderr[-5000:]}")

    @property
    def tracker(self):
        return self.experiment.checkpoints / "latest_checkpointed_iteration.txt"


class AnotherModel(Resumed):
    def test_a_field_that_only_one_side_sets_is_compared(self):
        self.assert_refused(self.resume(use_rope_scaling=True), "a checkpoint of another model",
                            "use_rope_scaling is false in the checkpoint, true in this run")

    def test_and_in_the_other_direction(self):
        scaled = Experiment(self.folder / "scaled", **SAVING, use_rope_scaling=True)
        self.assert_success(scaled.train())
        scaled.write(**SAVING)
        self.assert_refused(scaled.train(), "a checkpoint of another model",
                            "use_rope_scaling is true in the checkpoint, false in this run")

    def test_what_differs_is_named_as_a_user_sets_it(self):
        self.assert_refused(self.resume(rotary_percent=0.5), "rotary_percent is 1.0 in the checkpoint, 0.5 in this run")
        windows = self.resume(window_size=[8, 0], window_attn_skip_freq=2)
        self.assert_refused(windows, "window_size (tokens to the left, for each layer after window_attn_skip_freq) is not "
                            "set in the checkpoint, [8,-1] in this run")
        gelu = self.resume(swiglu=False)
        self.assert_refused(gelu, 'activation (swiglu, quick_geglu, squared_relu, openai_gelu, bias_gelu_fusion) is '
                            '"swiglu" in the checkpoint')

    def test_through_load_of_an_import_too(self):
        model, imported = self.folder / "hf", self.folder / "imported"
        self.assert_success(run("checkpoint", "export-hf", self.experiment.checkpoints, "--save", model))
        self.assert_success(run("checkpoint", "import-hf", model, "--save", imported))
        fresh = Experiment(self.folder / "fresh")
        self.assert_success(fresh.train(f"load={imported}"))
        self.assert_refused(fresh.train(f"load={imported}", "use_rope_scaling=true"),
                            "use_rope_scaling is false in the checkpoint")

    def test_another_optimizer_is_named_as_that(self):
        result = self.resume(optimizer="sgd")
        self.assert_refused(result, "holds the optimizer state of adam, and this run uses sgd", "no_load_optim: true")
        self.assertNotIn("another model", result.stderr)

    def test_another_optimizer_begins_anew_as_the_message_says(self):
        fresh = Experiment(self.folder / "fresh", optimizer="sgd", no_load_optim=True, finetune=False, train_iters=10)
        self.assert_success(fresh.train(f"load={self.experiment.checkpoints}"))
        self.assertEqual([line["iteration"] for line in fresh.metrics()], [9, 10])

    def test_a_checkpoint_without_optimizer_state_is_named_as_that(self):
        bare = Experiment(self.folder / "bare", **SAVING, no_save_optim=True)
        self.assert_success(bare.train())
        bare.write(**SAVING, train_iters=10)
        self.assert_refused(bare.train(), "was saved without the optimizer's state")


class AnotherPrecision(Resumed):
    def test_fp32_goes_on_in_bf16_and_back(self):
        self.assert_says(self.resume(bf16=True), "bf16 was false, is true: numbers are rounded differently")
        self.assertEqual(len(self.experiment.metrics()), 10)
        self.assert_says(self.resume(train_iters=12), "bf16 was true, is false")
        self.assertEqual(len(self.experiment.metrics()), 12)


class AnotherPadding(ProgramTest):
    """A vocabulary of 128 in multiples of 50: 150 rows at tensor-parallel size 1, 200 at 2 and at 4."""

    MODEL = {**SAVING, "make_vocab_size_divisible_by": 50, "num_query_groups": 4, "lr_decay_iters": 16}

    def go_on(self, source, name, ranks, train_iters, **changes):
        """Continues what `source` has saved, with so many tensor-parallel ranks; the run, and what it said."""
        experiment = Experiment(self.folder / name, **{**self.MODEL, "tensor_model_parallel_size": ranks,
                                                       "train_iters": train_iters, **changes})
        shutil.copytree(source.checkpoints, experiment.checkpoints)
        result = experiment.train() if ranks == 1 else experiment.train_ranks(ranks)
        self.assert_success(result)
        return experiment, result.stderr

    @staticmethod
    def rows(experiment):
        inspected = json.loads(run("checkpoint", "inspect", experiment.checkpoints, "--json").stdout)
        return inspected["tensors"]["optimizer.state.exp_avg.output_layer.weight"]["shape"][0]

    def test_any_tensor_parallel_size_loads_any_other(self):
        one = Experiment(self.folder / "one", **self.MODEL, train_iters=4)
        self.assert_success(one.train())
        two, said = self.go_on(one, "two", 2, 8, sequence_parallel=True)
        self.assertIn("padded to 150 rows in the checkpoint and to 200 in this run: 50 rows of zeros are added, as "
                      "Megatron-Core does.", said)
        self.assertIn("the loss begins higher (by ln(200/150) = 0.2877 if the other logits are near 0 as well). "
                      "make_vocab_size_divisible_by: 75 keeps the checkpoint's rows", said)
        # Which is so: the loss goes on where it was.
        kept, said = self.go_on(one, "kept", 2, 8, make_vocab_size_divisible_by=75)
        unchanged, _ = self.go_on(one, "unchanged", 1, 8)
        self.assertNotIn("padded to", said)
        self.assertAlmostEqual(kept.metrics()[0]["lm_loss"], unchanged.metrics()[0]["lm_loss"], delta=1e-5)
        self.assertGreater(two.metrics()[0]["lm_loss"], unchanged.metrics()[0]["lm_loss"] + 0.2)
        # One process with as much padding is the oracle.
        padded, _ = self.go_on(one, "padded", 1, 8, make_vocab_size_divisible_by=100)
        for ours, expected in zip(two.metrics(), padded.metrics(), strict=True):
            self.assertAlmostEqual(ours["lm_loss"], expected["lm_loss"], delta=1e-5)
            self.assertAlmostEqual(ours["grad_norm"], expected["grad_norm"], delta=1e-4)
        four, said = self.go_on(two, "four", 4, 12, use_distributed_optimizer=True)
        self.assertNotIn("padded to", said)
        back, said = self.go_on(four, "back", 1, 16)
        self.assertIn("padded to 200 rows in the checkpoint and to 150 in this run: 50 rows of padding are left out",
                      said)
        self.assertEqual([self.rows(run_of) for run_of in (one, two, four, back)], [150, 200, 200, 150])


class AnotherCyclicOrder(Resumed):
    @classmethod
    def prepare(cls):
        token_file.write(cls.shared / "tokens", documents=201)
        cls.overrides = {**SAVING, **REAL_DATA, "data_path": [str(cls.shared / "tokens")], "train_data_path": None,
                         "dataloader_type": "cyclic"}

    def test_another_micro_batch_size_that_shuffles_other_samples_is_said(self):
        # With 2 at once the last of an odd number of samples is left out.
        changed = "micro_batch_size was 2, is 1: the order of samples changes"
        self.assertIn(changed, self.resume(micro_batch_size=1).stderr)
        self.assertNotIn("micro_batch_size was", self.resume(micro_batch_size=1).stderr)


class AnotherCourse(Resumed):
    """Changes that are allowed: each is said in one line."""

    @classmethod
    def prepare(cls):
        cls.data = cls.shared / "tokens"
        token_file.write(cls.data, documents=200)
        cls.overrides = {**SAVING, **REAL_DATA, "data_path": [str(cls.data)], "train_data_path": None,
                         "dataloader_type": "single"}

    def make_data(self, name, **options):
        token_file.write(self.folder / name, **options)
        return self.folder / name

    def changes_in(self, result):
        """The lines that speak of a change, without time and place."""
        self.assert_success(result)
        lines = [line.split("] : ", 1)[1] for line in result.stderr.splitlines() if "[WARNING]" in line]
        return [line for line in lines if " was " in line]

    def assert_change(self, result, *texts):
        changes = self.changes_in(result)
        self.assertEqual(len(changes), 1, changes)
        for text in texts:
            self.assertIn(text, changes[0])

    def test_nothing_is_said_when_nothing_has_changed(self):
        self.assertEqual(self.changes_in(self.resume()), [])

    def test_seed(self):
        self.assert_change(self.resume(seed=5), "seed was 1234, is 5", "the order of samples changes",
                           "some of the 32 consumed so far will repeat, and others will never be seen")

    def test_sequence_length(self):
        self.assert_change(self.resume(seq_length=16), "seq_length was 32, is 16", "divided into samples differently",
                           "first 32")

    def test_longer_sequences_than_the_model_was_made_for(self):
        self.assert_change(self.resume(seq_length=48, max_position_embeddings=48), "seq_length was 32, is 48")

    def test_other_data(self):
        other = self.make_data("other", documents=210, seed=2)
        self.assert_change(self.resume(data_path=[str(other)]), f'data_path was ["{self.data}"], is ["{other}"]',
                           "the first 32 samples of the new data count as consumed")

    def test_data_that_was_moved_is_the_same(self):
        moved = self.make_data("moved", documents=200)
        self.assert_change(self.resume(data_path=[str(moved)]), "data_path was",
                           "the samples are the same, in the same order")

    def test_data_that_was_replaced_under_its_name(self):
        self.addCleanup(token_file.write, self.data, documents=200)
        token_file.write(self.data, documents=190, seed=7)
        self.assert_change(self.resume(), "the data under the same name has changed")

    def flip_a_token(self, prefix):
        """Other tokens in documents of the same lengths."""
        path = Path(f"{prefix}.bin")
        tokens = bytearray(path.read_bytes())
        tokens[len(tokens) // 2] ^= 1
        path.write_bytes(tokens)

    def test_other_tokens_in_documents_of_the_same_lengths(self):
        self.addCleanup(token_file.write, self.data, documents=200)
        self.flip_a_token(self.data)
        for changes in ({}, {"split": "90,10,0", "train_iters": 12}):
            said = [line for line in self.changes_in(self.resume(**changes)) if line.startswith("the tokens of")]
            self.assertEqual(said, ["the tokens of the training data are not what they were when the checkpoint was saved, "
                                    f"under the same name: the first {40 if changes else 32} samples of the new data count "
                                    "as consumed and are skipped (compared: all of each .idx file, and of each .bin "
                                    "file its size and 64 blocks of 64 KiB)"])
            # What was saved since is of the new tokens.
            self.assertEqual(self.changes_in(self.resume(**{**changes, "train_iters": changes.get("train_iters", 10)})), [])
            self.flip_a_token(self.data)

    def test_moved_data_with_other_tokens_is_not_the_same(self):
        moved = self.make_data("moved", documents=200)
        self.flip_a_token(moved)
        self.assert_change(self.resume(data_path=[str(moved)]), "data_path was", "of the new data count as consumed")

    def test_other_tokens_to_validate_on(self):
        valid = self.make_data("valid", documents=50, seed=3)
        overrides = {**self.overrides, "data_path": None, "train_data_path": [str(self.data)], "split": None,
                     "valid_data_path": [str(valid)], "eval_iters": 1}
        experiment = Experiment(self.folder / "apart", **overrides)
        self.assert_success(experiment.train())
        self.assertEqual(self.changes_in(experiment.train("train_iters=10")), [])
        self.flip_a_token(valid)
        self.assert_change(experiment.train("train_iters=12"), "the tokens of valid_data_path are not what they were",
                           "evaluations before and after are not comparable")

    def test_a_checkpoint_that_does_not_know_its_tokens_says_nothing_of_them(self):
        path = self.experiment.checkpoints / "iter_0000008" / "common.json"
        common = json.loads(path.read_text())
        del common["run"]["samples"]["content"]
        del common["run"]["tokenizer_files"]
        path.write_text(json.dumps(common))
        self.addCleanup(token_file.write, self.data, documents=200)
        self.flip_a_token(self.data)
        self.assertEqual(self.changes_in(self.resume()), [])

    def test_other_content_of_the_tokenizers_files(self):
        corpus, model = self.folder / "corpus.txt", self.folder / "tokenizer"
        corpus.write_text("the quick brown fox jumps over the lazy dog, and the dog sleeps on\n" * 50)
        self.assert_success(run("tokenizer", "train", "--input", corpus, "--vocab_size", 280, "--output", model))
        overrides = {**self.overrides, "tokenizer_type": "HuggingFaceTokenizer", "tokenizer_model": str(model),
                     "vocab_size": None}
        experiment = Experiment(self.folder / "text", **overrides)
        self.assert_success(experiment.train())
        for number, name in enumerate(("tokenizer.json", "tokenizer_config.json")):
            content = json.loads((model / name).read_text())
            if name == "tokenizer.json":
                content["model"]["merges"].reverse()
            else:
                content["eos_token"] = "the"
            (model / name).write_text(json.dumps(content))
            self.assert_change(experiment.train(f"train_iters={10 + 2 * number}"), "the tokenizer's files are not what they "
                               f"were when the checkpoint was saved, under the same name ({name}): token ids may now stand")
        shutil.copytree(model, self.folder / "moved")
        self.assert_change(experiment.train("train_iters=14", f"tokenizer_model={self.folder}/moved"),
                           "tokenizer_model was", "its files have the same content")

    def test_another_blend(self):
        other = self.make_data("other", documents=200, seed=2)
        self.assert_change(self.resume(data_path=["0.5", str(self.data), "0.5", str(other)]), "data_path was",
                           "count as consumed")

    def test_split(self):
        self.assert_change(self.resume(split="90,10,0"), 'split was "80,20,0", is "90,10,0"',
                           "held out for validation may be trained on now")

    def test_dataloader_type(self):
        self.assert_change(self.resume(dataloader_type="cyclic"), 'dataloader_type was "single", is "cyclic"',
                           "the order of samples changes")

    def test_global_batch_size(self):
        self.assert_change(self.resume(global_batch_size=8), "global_batch_size was 4, is 8: iterations take a different "
                           "number of samples", "; the learning rate's decay was 32 samples, is 64 samples; the learning rate's "
                           "warm-up was 8 samples, is 16 samples; this run's value is used")

    def test_more_passes_over_the_data(self):
        few = self.make_data("few", documents=4, shortest=100, longest=120)
        overrides = {**self.overrides, "data_path": [str(few)], "split": "100,0,0"}
        small = Experiment(self.folder / "small", **overrides)
        self.assert_success(small.train())
        small.write(**{**overrides, "train_iters": 30})
        self.assert_change(small.train(), "the number of passes over the data", "all passes are shuffled together")

    def test_tokenizer(self):
        self.assert_change(self.resume(tokenizer_model="other"), 'tokenizer_model was not set, is "other"',
                           "token ids may now stand for different text")

    def test_optimizer_numbers(self):
        changes = self.changes_in(self.resume(adam_beta2=0.99, clip_grad=0.5))
        self.assertEqual(len(changes), 2, changes)
        self.assertIn("adam_beta2 was 0.999, is 0.99", changes[0])
        self.assertIn("clip_grad was 1.0, is 0.5", changes[1])

    def test_learning_rate_schedule(self):
        self.assert_change(self.resume(lr=0.001), "lr was 0.003, is 0.001: this run's value is used from here on "
                           "[override_opt_param_scheduler]")
        refused = self.resume(lr=0.002, override_opt_param_scheduler=False, train_iters=12)
        self.assert_refused(refused, ": lr was 0.001, is 0.002.", "use_checkpoint_opt_param_scheduler")
        self.assert_change(self.resume(lr=0.002, override_opt_param_scheduler=False, train_iters=12,
                                       use_checkpoint_opt_param_scheduler=True), "the checkpoint's value is used")

    def test_each_argument_of_the_schedule_has_one_line_with_units(self):
        self.assert_change(self.resume(lr_decay_iters=10), "lr_decay_iters was 8, is 10: the learning rate's decay was 32 "
                           "samples, is 40 samples; this run's value is used")
        self.assert_change(self.resume(train_iters=12, lr_decay_iters=10, lr_warmup_iters=3),
                           "lr_warmup_iters was 2, is 3: the learning rate's warm-up was 8 samples, is 12 samples")
        self.assert_change(self.resume(train_iters=14, lr_decay_iters=10, lr_warmup_iters=3, weight_decay=0.2),
                           "weight_decay was 0.0, is 0.2: this run's value is used")
        growing = self.changes_in(self.resume(
            train_iters=16, lr_decay_iters=10, lr_warmup_iters=3, weight_decay=0.2, weight_decay_incr_style="linear",
            start_weight_decay=0.1, end_weight_decay=0.3, min_lr=0.0001))
        self.assertEqual([line.split(":")[0] for line in growing],
                         ["end_weight_decay was not set, is 0.3", "min_lr was 0.0, is 0.0001",
                          "start_weight_decay was not set, is 0.1", 'weight_decay_incr_style was "constant", is "linear"'])

    def test_the_schedule_follows_train_iters_where_nothing_else_is_set(self):
        experiment = Experiment(self.folder / "whole", **{**self.overrides, "lr_decay_iters": None,
                                                          "lr_warmup_iters": 0, "lr_warmup_fraction": 0.25})
        self.assert_success(experiment.train())
        self.assert_change(experiment.train("train_iters=12"), "train_iters was 8, is 12: the learning rate's decay was 32 "
                           "samples, is 48 samples; the learning rate's warm-up was 8 samples, is 12 samples; this run's")

    def test_a_checkpoint_of_an_older_program_has_the_arguments_named_too(self):
        path = self.experiment.checkpoints / "iter_0000008" / "common.json"
        common = json.loads(path.read_text())
        for name in ("lr", "lr_decay_iters", "weight_decay"):
            del common["run"][name]
        path.write_text(json.dumps(common))
        changes = self.changes_in(self.resume(lr=0.001, lr_decay_iters=10, weight_decay=0.1))
        self.assertCountEqual(
            [line.split(" (")[0] for line in changes],
            ["the learning rate's decay was 32 samples, is 40 samples",
             "lr was 0.003, is 0.001: this run's value is used from here on [override_opt_param_scheduler]",
             "weight_decay was 0.0, is 0.1: this run's value is used from here on [override_opt_param_scheduler]"])

    def test_a_run_that_is_over_says_so(self):
        result = self.resume(train_iters=6)
        self.assert_success(result)
        self.assertIn("nothing is left to train: the checkpoint is at iteration 8, and the run ends at 6", result.stderr)
        self.assertIn("completed at iteration 8", result.stdout)


class EarlierRun(Resumed):
    """What a run has written is not overwritten by one that starts at iteration 0 in its folder."""

    def files(self):
        """All that was written, but for the logs, which grow."""
        return {path: path.read_bytes() for path in self.experiment.root.rglob("*")
                if path.is_file() and "logs" not in path.parts and path.name != ".lock"}

    def test_a_start_at_iteration_0_stops_whether_or_not_it_saves(self):
        before = self.files()
        starts = {"saves nothing": {"save": None}, "never saves": {"save": None, "save_interval": None},
                  "only evaluates": {"skip_train": True, "eval_iters": 1},
                  "evaluates weights": {"skip_train": True, "eval_iters": 1, "finetune": True,
                                        "load": str(self.experiment.checkpoints)}}
        for name, changes in starts.items():
            with self.subTest(name):
                self.assert_refused(self.resume(auto_continue_train=False, **changes), "iter_0000004, iter_0000008",
                                    "would start at iteration 0", "auto_continue_train: true", "exp_name",
                                    f"remove the folder {self.experiment.root}")
        shutil.rmtree(self.experiment.checkpoints / "iter_0000008")
        (self.experiment.checkpoints / "iter_0000004" / "common.json").unlink()
        self.assert_refused(self.resume(auto_continue_train=False, save=None), "iter_0000004")
        self.assertEqual({path: text for path, text in before.items() if "checkpoints" not in path.parts},
                         {path: text for path, text in self.files().items() if "checkpoints" not in path.parts})

    def test_an_evaluation_adds_to_the_run_and_replaces_nothing(self):
        (self.experiment.checkpoints / "latest_checkpointed_iteration.txt").write_text("4")
        before = self.files()
        result = self.resume(skip_train=True, eval_iters=1, lr=0.001)
        self.assert_success(result)
        self.assertNotIn("Checkpoints:", result.stdout)
        after = self.files()
        self.assertEqual(set(after), set(before))
        for path, content in before.items():
            added = after[path].removeprefix(content)
            lines = [json.loads(line) for line in added.splitlines()] if path == self.experiment.metrics_file else []
            self.assertEqual(b"" if lines else added, b"", path)
            self.assertEqual([line["evaluation"] for line in lines],
                             ["valid", "test"] if path == self.experiment.metrics_file else [])

    def test_going_back_without_saving_does_not_cut_the_metrics(self):
        before = self.files()
        self.assert_refused(self.resume(auto_continue_train=False, finetune=False, save=None,
                                        load=str(self.experiment.checkpoints), ckpt_step=4),
                            "holds newer checkpoints (iter_0000008)", "another exp_name")
        self.assertEqual(self.files(), before)


class Damaged(Resumed):
    """A checkpoint of which a file is lost or cut off is no complete one."""

    def damage(self, name, iteration=8):
        path = self.experiment.checkpoints / f"iter_{iteration:07d}" / name
        if name.startswith("shard"):
            with path.open("r+b") as shard:
                shard.truncate(path.stat().st_size - 100)
        else:
            path.unlink()

    FILES = ("common.json", "index.json", "shard_00000.safetensors")

    def test_without_a_tracker_the_newest_complete_one_is_continued(self):
        for name in self.FILES:
            with self.subTest(name):
                shutil.rmtree(self.experiment.root)
                shutil.copytree(self.trained.root, self.experiment.root)
                self.tracker.unlink()
                self.damage(name)
                self.assert_says(self.resume(), "using the newest complete checkpoint next to it, "
                                 "iter_0000004; iter_0000008 is damaged")
                self.assertEqual(len(self.experiment.metrics()), 10)

    def test_a_tracker_that_names_a_damaged_one_stops_the_run_and_the_complete_one_is_named(self):
        for name in self.FILES:
            with self.subTest(name):
                self.damage(name)
                self.assert_refused(self.resume(), "there is no complete checkpoint iter_0000008, which "
                                    "latest_checkpointed_iteration.txt names", name, "Complete checkpoints: iter_0000004",
                                    "Write the iteration to load into latest_checkpointed_iteration.txt")
                listed = run("checkpoint", "list", self.experiment.checkpoints)
                self.assertIn("iter_0000008   damaged", listed.stdout)
                self.assertIn("iter_0000004", listed.stdout)
                shutil.rmtree(self.experiment.root)
                shutil.copytree(self.trained.root, self.experiment.root)
        self.damage("common.json")
        self.tracker.write_text("4")
        self.assert_says(self.resume(), "newer checkpoints in")
        self.assertEqual(len(self.experiment.metrics()), 10)

    def test_when_all_are_damaged_the_run_does_not_start_at_iteration_0(self):
        self.tracker.unlink()
        self.damage("common.json", 4)
        self.damage("shard_00000.safetensors")
        self.assert_refused(self.resume(), "contains no complete checkpoint: iter_0000008 is damaged",
                            "iter_0000004 is damaged")


class LostTracker(Resumed):
    def iterations(self):
        return [line["iteration"] for line in self.experiment.metrics()]

    def ages(self):
        """When each checkpoint was written."""
        return {path.name: path.stat().st_mtime_ns for path in self.experiment.checkpoints.glob("iter_*")}

    def test_the_newest_checkpoint_is_continued(self):
        self.tracker.unlink()
        self.assert_says(self.resume(), "latest_checkpointed_iteration.txt is missing: using the newest complete "
                         "checkpoint next to it, iter_0000008")
        self.assertEqual(self.iterations(), list(range(1, 11)))

    def test_commands_that_read_take_the_newest_too(self):
        self.tracker.unlink()
        for command in ("list", "inspect"):
            result = run("checkpoint", command, self.experiment.checkpoints)
            self.assert_says(result, "is missing: using the newest")

    def test_a_start_at_iteration_0_stops_before_checkpoints_of_an_earlier_run(self):
        before = self.ages()
        for changes in ({}, {"finetune": True, "load": str(self.experiment.checkpoints)}):
            for lost in (False, True):
                if lost:
                    self.tracker.unlink()
                self.assert_refused(self.resume(auto_continue_train=False, **changes),
                                    "iter_0000004, iter_0000008", "would start at iteration 0",
                                    "auto_continue_train: true")
                if lost:
                    self.tracker.write_text("8")
        self.assertEqual(self.ages(), before)
        self.assertEqual(self.iterations(), list(range(1, 9)))

    def test_a_damaged_tracker_stops_the_run(self):
        for content, words in (("", "is empty"), ("\0\0", "it must hold an iteration"),
                               ("99", "iter_0000099"), ("release", "release"), ("8 9", "holds '8 9'")):
            with self.subTest(content):
                self.tracker.write_text(content)
                self.assert_refused(self.resume(), words, "iter_0000004, iter_0000008")
        self.tracker.write_text(" 8\n")
        self.assert_success(self.resume())

    def test_going_back_says_what_will_be_overwritten(self):
        self.tracker.write_text("4")
        self.assert_says(self.resume(), "newer checkpoints in")
        self.assertEqual(self.iterations(), list(range(1, 11)))

    def test_a_release_in_the_runs_own_folder_is_where_it_begins(self):
        model = self.folder / "hf"
        self.assert_success(run("checkpoint", "export-hf", self.experiment.checkpoints, "--save", model))
        fresh = Experiment(self.folder / "fresh", **SAVING)
        self.assert_success(run("checkpoint", "import-hf", model, "--save", fresh.checkpoints))
        self.assert_says(fresh.train(), "it is a release, which has no training state: only weights are loaded")
        self.assertEqual(len(fresh.metrics()), 8)


if __name__ == "__main__":
    unittest.main(verbosity=2)
