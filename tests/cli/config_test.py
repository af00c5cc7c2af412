"""What a user types at `primus-cli config`, and what it answers."""

import json
import unittest

from program import SOURCE, ProgramTest, run

TINY = SOURCE / "examples/megatron/configs/CPU/llama_tiny-pretrain.yaml"
LLAMA3 = SOURCE / "examples/megatron/configs/MI300X/llama3.1_8B-BF16-pretrain.yaml"


class Show(ProgramTest):
    def test_prints_yaml_that_means_the_same_when_it_is_loaded(self):
        first = run("config", "show", "--config", TINY, "lr=1e-3", "--train_iters", "7")
        self.assert_success(first)
        self.assertIn("lr: 0.001", first.stdout)
        (self.folder / "exported.yaml").write_text(first.stdout)
        difference = run("config", "show", "--config", self.folder / "exported.yaml", "--diff", TINY)
        self.assert_success(difference)
        changed = [line.split(":")[0] for line in difference.stdout.splitlines()]
        self.assertEqual(sorted(changed), ["lr", "train_iters"])

    def test_json_is_canonical(self):
        result = run("config", "show", "--config", LLAMA3, "--as-original", "--format", "json")
        self.assert_success(result)
        tree = json.loads(result.stdout)
        self.assertEqual(json.dumps(tree, sort_keys=True, indent=1) + "\n", result.stdout)
        self.assertEqual(tree["modules"]["pre_trainer"]["lr"], 1e-5)

    def test_keeps_the_originals_types_when_asked(self):
        result = run("config", "show", "--config", TINY, "--as-original", "--format", "json", "lr=1e-5")
        self.assertEqual(json.loads(result.stdout)["modules"]["pre_trainer"]["lr"], "1e-5")

    def test_prints_derived_arguments(self):
        result = run("config", "show", "--config", LLAMA3, "--megatron-args", "--world_size", "8", "--format", "json")
        self.assert_success(result)
        arguments = json.loads(result.stdout)
        self.assertEqual(arguments["data_parallel_size"], 8)
        self.assertEqual(arguments["padded_vocab_size"], 131200)

    def test_writes_a_file_when_asked(self):
        target = self.folder / "resolved.yaml"
        self.assert_success(run("config", "show", "--config", TINY, "--export_config", target))
        self.assertIn("num_layers: 4", target.read_text())

    def test_finds_presets_in_a_tree_of_the_users(self):
        models = self.folder / "configs/models/megatron"
        models.mkdir(parents=True)
        (models / "mine.yaml").write_text(
            f"extends: {SOURCE}/configs/models/megatron/llama_tiny.yaml\nnum_layers: 3\n")
        (self.folder / "exp.yaml").write_text(TINY.read_text().replace("llama_tiny.yaml", "mine.yaml"))
        for options, environment in ((["--config_dir", self.folder / "configs"], {}),
                                     ([], {"PRIMUS_CONFIG_DIR": str(self.folder / "configs")})):
            result = run("config", "show", "--config", self.folder / "exp.yaml", *options, environment=environment)
            self.assert_success(result)
            self.assertIn("num_layers: 3", result.stdout)


class Refusals(ProgramTest):
    def test_a_missing_file(self):
        self.assert_refused(run("config", "show", "--config", self.folder / "none.yaml"), "none.yaml", "does not exist")

    def test_bad_yaml_names_the_line(self):
        (self.folder / "bad.yaml").write_text("work_group: a\nuser_name: [b\nexp_name: c\n")
        self.assert_refused(run("config", "show", "--config", self.folder / "bad.yaml"), "bad.yaml:")

    def test_all_problems_come_at_once(self):
        result = run("config", "show", "--config", TINY, "trian_iters=1", "hidden_size=wide", "optimizer=adan")
        self.assert_refused(result, "3 problems", "did you mean 'train_iters'", "must be an integer", "'adam'")

    def test_unknown_keys_can_be_allowed(self):
        result = run("config", "show", "--config", TINY, "--allow_unknown_keys", "my_key=1")
        self.assert_success(result)
        self.assertIn("unknown key 'my_key'", result.stderr)

    def test_the_command_line_cannot_choose_presets(self):
        self.assert_refused(run("config", "show", "--config", TINY, "model=llama3_8B"), "'model'")


class Explain(ProgramTest):
    def test_says_what_an_argument_is_for(self):
        result = run("config", "explain", "train_iters")
        self.assert_success(result)
        for text in ("Optimizer steps of the run", "integer", "default", "status"):
            self.assertIn(text, result.stdout)

    def test_names_everyone_who_set_it_strongest_first(self):
        result = run("config", "explain", "seq_length", "--config", TINY)
        self.assert_success(result)
        order = [result.stdout.index(text) for text in
                 ("llama_tiny-pretrain.yaml:", "pre_trainer.yaml:", "trainer_base.yaml:")]
        self.assertEqual(order, sorted(order))

    def test_suggests_a_name(self):
        self.assert_refused(run("config", "explain", "trian_iters"), "did you mean 'train_iters'")


class Validate(ProgramTest):
    def test_reports_every_broken_rule_with_its_place(self):
        broken = self.folder / "broken.yaml"
        broken.write_text(TINY.read_text().replace("seq_length: 256", "seq_length: 512")
                          .replace("global_batch_size: 8", "global_batch_size: 17"))
        result = run("config", "validate", "--config", broken)
        self.assertEqual(result.returncode, 2)
        for text in ("broken.yaml:", "'max_position_embeddings'", "global batch size (17) is not divisible"):
            self.assertIn(text, result.stdout)

    def test_takes_several_files_and_patterns(self):
        result = run("config", "validate", "--config", SOURCE / "examples/megatron/configs/CPU/*.yaml", LLAMA3)
        self.assertGreaterEqual(len([line for line in result.stdout.splitlines() if ".yaml  " in line]), 4)


class Keys(ProgramTest):
    def test_lists_a_section(self):
        result = run("config", "keys", "--section", "optimizer")
        self.assert_success(result)
        self.assertIn("adam_beta1", result.stdout)
        self.assertNotIn("num_layers ", result.stdout)

    def test_the_documentation_is_up_to_date(self):
        result = run("config", "keys", "--format", "markdown")
        self.assert_success(result)
        self.assertEqual(result.stdout, (SOURCE / "docs/parameters.md").read_text(),
                         "docs/parameters.md is stale: primus-cli config keys --format markdown > docs/parameters.md")


class Completion(ProgramTest):
    def candidates(self, *words):
        result = run("completion", "candidates", "--", *words)
        self.assert_success(result)
        return result.stdout.split()

    def test_knows_commands_options_and_arguments(self):
        self.assertIn("config", self.candidates("co"))
        self.assertIn("explain", self.candidates("config", ""))
        self.assertIn("--config_dir", self.candidates("config", "show", "--con"))
        self.assertIn("num_layers=", self.candidates("config", "show", "num_laye"))
        self.assertNotIn("hidden_size=", self.candidates("config", "show", "num_laye"))

    def test_scripts_are_for_their_shells(self):
        for shell, text in (("bash", "complete -o default -F"), ("zsh", "compdef _primus_cli")):
            result = run("completion", shell)
            self.assert_success(result)
            self.assertIn(text, result.stdout)


if __name__ == "__main__":
    unittest.main()
