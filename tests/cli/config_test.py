"""What a user types at `primus-cli config`, and what it answers."""

import json
import os
import shutil
import subprocess
import unittest

from program import CLI, ENVIRONMENT, SOURCE, Experiment, ProgramTest, run

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

    def test_what_it_writes_can_be_trained_from(self):
        target = self.folder / "resolved.yaml"
        for options in ([], ["--as-original"]):
            self.assert_success(run("config", "show", "--config", TINY, "train_iters=7", *options, "--export_config", target))
            difference = run("config", "show", "--config", target, "--diff", TINY)
            self.assert_success(difference)
            self.assertEqual([line.split(":")[0] for line in difference.stdout.splitlines()], ["train_iters"])

    def test_a_file_that_cannot_be_written_is_named(self):
        result = run("config", "show", "--config", TINY, "--export_config", self.folder / "none/resolved.yaml")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("none/resolved.yaml", result.stderr)

    def test_overrides_belong_to_the_first_of_two(self):
        result = run("config", "show", "--config", TINY, "--diff", TINY, "lr=0.5")
        self.assert_success(result)
        self.assertRegex(result.stdout, r"^lr: 0.5 -> 0?\.?3.0e-3   \(command line \| .*llama_tiny-pretrain.yaml:\d+\)\n$")

    def test_says_nothing_when_nothing_differs(self):
        result = run("config", "show", "--config", TINY, "--diff", TINY)
        self.assert_success(result)
        self.assertEqual(result.stdout, "")

    def test_options_that_exclude_each_other(self):
        for options in (["--diff", TINY, "--format", "json"], ["--megatron-args", "--as-original"],
                        ["--world_size", "8"], ["--megatron-args", "--world_size", "-8"], ["--format", "toml"]):
            self.assert_refused(run("config", "show", "--config", TINY, *options), "primus: error: ")

    def test_derived_arguments_depend_on_the_world_size(self):
        def batches(*options):
            result = run("config", "show", "--config", LLAMA3, "--megatron-args", "--format", "json", *options)
            self.assert_success(result)
            return json.loads(result.stdout)["num_microbatches"]
        self.assertEqual(batches("--world_size", "4"), 2 * batches("--world_size", "8"))
        self.assert_refused(run("config", "show", "--config", LLAMA3, "--megatron-args", "--world_size", "7"),
                            "not divisible by")

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
    def test_a_tree_of_presets_that_is_not_there(self):
        self.assert_refused(run("config", "show", "--config", TINY, "--config_dir", self.folder / "none"),
                            "--config_dir", "is not a directory")
        self.assert_refused(run("config", "show", "--config", TINY,
                                environment={"PRIMUS_CONFIG_DIR": str(self.folder / "none")}),
                            "PRIMUS_CONFIG_DIR", "is not a directory")

    def test_an_unknown_preset(self):
        (self.folder / "exp.yaml").write_text(TINY.read_text().replace("llama_tiny.yaml", "lama_tiny.yaml"))
        self.assert_refused(run("config", "show", "--config", self.folder / "exp.yaml"), "exp.yaml:11",
                            "no preset 'lama_tiny.yaml'", "did you mean 'llama_tiny'")

    def test_post_training(self):
        self.assert_refused(run("train", "posttrain", "--config", TINY), "posttrain", "outside the scope of this engine")

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
        for word in ("model=llama3_8B", "framework=megatron"):
            self.assert_refused(run("config", "show", "--config", TINY, word), "must be set in the experiment file")
            self.assert_refused(run("train", "pretrain", "--config", TINY, word), "must be set in the experiment file")


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

    def test_names_the_command_line_and_what_is_derived(self):
        result = run("config", "explain", "global_batch_size", "--config", TINY, "global_batch_size=null")
        self.assert_success(result)
        order = [result.stdout.index(text) for text in ("derived", "command line", "overrides")]
        self.assertEqual(order, sorted(order))

    def test_explains_in_spite_of_problems_elsewhere(self):
        result = run("config", "explain", "lr", "--config", TINY, "trian_iters=1", "lr=0.5")
        self.assert_success(result)
        self.assertIn("did you mean 'train_iters'", result.stderr)
        self.assertIn("value     0.5", result.stdout)

    def test_overrides_need_a_file(self):
        self.assert_refused(run("config", "explain", "lr", "lr=1"), "'lr=1'", "needs --config")

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
        cpu = sorted((SOURCE / "examples/megatron/configs/CPU").glob("*.yaml"))
        result = run("config", "validate", "--config", SOURCE / "examples/megatron/configs/CPU/*.yaml", LLAMA3)
        heading, *lines = result.stdout.splitlines()[:len(cpu) + 2]
        self.assertEqual(heading.split(), ["FILE", "RANKS", "VERDICT"])
        self.assertEqual([line.split()[0] for line in lines], [*map(str, cpu), str(LLAMA3)])

    def test_prints_a_table_of_all_examples(self):
        files = list((SOURCE / "examples").glob("megatron/configs/*/*.yaml"))
        result = run("config", "validate", "--config", SOURCE / "examples/megatron/configs/*/*.yaml")
        table, _, details = result.stdout.partition("\n\n")
        self.assertEqual(len(table.splitlines()) - 1, len(files))
        broken = [line.split()[0] for line in table.splitlines() if line.endswith(" problem")]
        self.assertEqual(len(broken), 9, broken)
        self.assertEqual(details.count("is not divisible by 'pipeline_model_parallel_size' (8)"), 9)
        self.assertEqual(result.returncode, 2)

    def test_a_file_that_is_not_there_does_not_keep_the_others_from_being_checked(self):
        result = run("config", "validate", "--config", self.folder / "none*.yaml", TINY)
        self.assertEqual(result.returncode, 2)
        self.assertIn("does not exist", result.stdout)
        self.assertIn("1 of 2 files", result.stderr)

    def test_overrides_and_the_number_of_ranks_count(self):
        self.assert_success(run("config", "validate", "--config", TINY, "--world_size", "8", "micro_batch_size=1"))
        result = run("config", "validate", "--config", TINY, "--world_size", "3", "micro_batch_size=1")
        self.assertEqual(result.returncode, 2)
        self.assertIn("global batch size (8) is not divisible", result.stdout)

    def test_what_this_engine_lacks_is_refused_with_the_reason(self):
        result = run("config", "validate", "--config", TINY, "fp8=hybrid")
        self.assertEqual(result.returncode, 2)
        self.assertIn("'fp8: hybrid' is not supported", result.stdout)


    def test_accepts_what_training_accepts(self):
        experiment = Experiment(self.folder, train_iters=1)
        for words in (["moe_router_topk=0", "moe_router_dtype=bf16", "wandb_project=mine", "use_pytorch_profiler=true"],
                      ["decoupled_min_lr=0.1", "save_interval=0", "num_experts=0"],
                      ["expert_tensor_parallel_size=2", "split=0,100,0", "ddp_bucket_size=0"]):
            self.assert_success(run("config", "validate", "--config", experiment.config, *words))
            self.assert_success(experiment.train(*words))

    def test_refuses_what_training_refuses(self):
        experiment = Experiment(self.folder)
        tokens = ["mock_data=false", "tokenizer_type=NullTokenizer"]
        for words, message in ((["pipeline_model_parallel_size=2"], "is not supported (not yet): take 1"),
                               (["window_size=[1,2,3]"], "takes two numbers"),
                               (["train_iters=null"], "no length"),
                               (["mock_data=false", "tokenizer_type=NullTokenizer"], "no data"),
                               (["seed=-1"], "command line: 'seed' must be between 0 and 4294967295"),
                               (["attention_dropout=1.0"], "less than 1"),
                               (["adam_beta1=1.0"], "less than 1"),
                               (["iterations_to_skip=0"], "must be greater than 0; it holds 0"),
                               (["lr_warmup_iters=8"], "command line: the warm-up (32 samples) must be shorter"),
                               (["lr_warmup_init=0.1"], "command line: 'lr_warmup_init' (0.1) must not be above"),
                               ([f"data_cache_path={experiment.config}"], "exp.yaml is a file"),
                               ([f"workspace={experiment.config}"], "exp.yaml"),
                               ([f"load={self.folder}"], f"command line: load: {self.folder} holds no checkpoint"),
                               ([*tokens, "data_path="], "command line: no data"),
                               ([*tokens, "data_path=[]"], "command line: no data"),
                               ([*tokens, "data_path={a: 1}"], "command line: 'data_path' must be"),
                               ([*tokens, "data_path=/x", "split=0,100,0"], "command line: split 0,100,0 leaves no"),
                               ([*tokens, "valid_data_path=/x"], "there is no data to train on"),
                               ([*tokens, "data_path=/x", "tokenizer_type=null"],
                                "command line: GPT2BPETokenizer needs vocab_file"),
                               (["kv_channels=7"], "rotary_percent"),
                               (["mock_data=false", "data_path=x", "tokenizer_type=HuggingFaceTokenizer"],
                                "needs a tokenizer_model")):
            with self.subTest(words):
                validated = run("config", "validate", "--config", experiment.config, *words)
                self.assert_refused(validated)
                self.assertIn(message, validated.stdout + validated.stderr)
                self.assert_refused(experiment.train(*words), message)

    def test_a_file_that_is_not_on_this_machine_is_a_warning(self):
        experiment = Experiment(self.folder)
        real = ["mock_data=false", "tokenizer_type=HuggingFaceTokenizer", "tokenizer_model=/none/tokenizer"]
        for words, messages in (([*real, "data_path=/none/a"], ["tokenizer_model /none/tokenizer", "/none/a.idx", "/none/a.bin"]),
                                ([*real, "data_args_path=/none/list"], ["data_args_path: /none/list"]),
                                (["load=/none/run"], ["load: /none/run"])):
            with self.subTest(words):
                result = run("config", "validate", "--config", experiment.config, *words)
                self.assert_success(result)
                for message in messages:
                    self.assertIn(f"primus: warning: command line: {message}", result.stderr.replace("dataset file ", ""))
                self.assertIn("can be trained on 1 rank once the missing files are in place", result.stdout)
                self.assert_refused(experiment.train(*words), "command line: ", "/none/")
        table = run("config", "validate", "--config", experiment.config, experiment.config, "load=/none/run")
        self.assertIn("ok, 1 file not on this machine", table.stdout)

    def test_refuses_a_run_that_would_overwrite_the_checkpoints_of_another(self):
        experiment = Experiment(self.folder, train_iters=1, save="x", save_interval=1)
        self.assert_success(run("config", "validate", "--config", experiment.config))
        self.assert_success(experiment.train())
        again = run("config", "validate", "--config", experiment.config)
        self.assert_refused(again)
        self.assertIn("holds checkpoints of an earlier run (iter_0000001)", again.stdout)
        self.assert_refused(experiment.train(), "holds checkpoints of an earlier run (iter_0000001)")
        self.assert_success(run("config", "validate", "--config", experiment.config, "auto_continue_train=true"))

    def test_a_tokenizer_that_is_there_is_read(self):
        (self.folder / "tokenizer.json").write_text("{")
        words = ["mock_data=false", "data_path=/x", "tokenizer_type=HuggingFaceTokenizer", f"tokenizer_model={self.folder}"]
        result = run("config", "validate", "--config", Experiment(self.folder).config, *words)
        self.assert_refused(result)
        self.assertIn(f"command line: {self.folder}/tokenizer.json", result.stdout)

    def test_what_has_no_effect_is_said_once(self):
        result = Experiment(self.folder, train_iters=1, tensorboard_dir="/t", attention_backend="flash").train()
        self.assert_success(result)
        for name in ("tensorboard_dir", "attention_backend"):
            self.assertEqual(result.stderr.count(f"'{name}: "), 1, result.stderr)


class Keys(ProgramTest):
    def test_lists_a_section(self):
        result = run("config", "keys", "--section", "optimizer")
        self.assert_success(result)
        self.assertIn("adam_beta1", result.stdout)
        self.assertNotIn("num_layers ", result.stdout)

    def test_an_unknown_section_is_refused(self):
        self.assert_refused(run("config", "keys", "--section", "optimiser"), "did you mean 'optimizer'")
        self.assert_refused(run("config", "keys", "--section", "model", "--format", "markdown"), "--section")

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

    def completed_by(self, command, script):
        """What a shell offers, the program being found by its name."""
        path = self.folder / "bin"
        path.mkdir()
        (path / "primus-cli").symlink_to(CLI)
        environment = {**ENVIRONMENT, "PATH": f"{path}:{os.environ['PATH']}"}
        result = subprocess.run([*command, "-c", script], capture_output=True, text=True, timeout=60, env=environment)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout.split()

    def test_bash_completes(self):
        script = """
            source <(primus-cli completion bash)
            complete -p primus-cli > /dev/null || exit 1
            try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _primus_cli; echo "${COMPREPLY[@]}" "|"; }
            try primus-cli conf
            try primus-cli config exp
            try primus-cli config show --export
            try primus-cli config show adam_beta
            try primus-cli no_such_command x
        """
        self.assertEqual(self.completed_by(["bash", "--norc"], script),
                         ["config", "|", "explain", "|", "--export_config", "|", "adam_beta1=", "adam_beta2=", "|", "|"])

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_completes(self):
        # zsh's own completion functions only work while a key is handled: these stand in for them.
        script = """
            compdef() { registered=$2 }
            compadd() { while [[ $1 != -- ]]; do shift; done; shift; print -- $@ '|' }
            _files() { print -- files '|' }
            source <(primus-cli completion zsh)
            [[ $registered = primus-cli ]] || exit 1
            try() { words=($@); CURRENT=$#; _primus_cli }
            try primus-cli conf
            try primus-cli config exp
            try primus-cli config show adam_beta
        """
        self.assertEqual(self.completed_by(["zsh", "-f"], script),
                         ["config", "|", "explain", "|", "adam_beta1=", "adam_beta2=", "|"])


if __name__ == "__main__":
    unittest.main()
