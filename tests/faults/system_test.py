"""Failures of the system and not of the input: exit code 1, one message, and the same message in the rank's log files."""

import os
import resource
import subprocess
import time
import unittest

from program import CLI, ENVIRONMENT, Experiment, ProgramTest, free_port, run

NO_DATA = ["mock_data=false", "tokenizer_type=NullTokenizer", "train_data_path=/nowhere"]
SAVING = {"save": "checkpoints", "save_interval": 3, "train_iters": 6}


def limited(bytes_per_file):
    """For a process before it becomes the program: files cannot grow beyond this, as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_per_file, bytes_per_file))


class SystemTest(ProgramTest):
    def error_log(self, experiment, rank=0):
        return (experiment.root / f"logs/pre_trainer/rank-{rank}/error.log").read_text()

    def assert_failed(self, result, *texts):
        """Exit code 1 and one message that holds all the texts."""
        self.assertEqual(result.returncode, 1, result.stdout[-2000:] + result.stderr[-4000:])
        messages = [line for line in result.stderr.splitlines() if line.startswith("primus: error: ")]
        self.assertEqual(len(messages), 1, result.stderr[-4000:])
        for text in texts:
            self.assertIn(text, messages[0])


class FullDisk(SystemTest):
    def test_in_a_save_it_is_a_failure_of_the_run(self):
        experiment = Experiment(self.folder, **SAVING)
        result = experiment.train(preexec_fn=limited(60_000))
        self.assert_failed(result, "could not be saved", "File too large", "Older checkpoints are untouched")
        self.assertEqual(list(experiment.checkpoints.glob("*")), [])
        self.assertIn("could not be saved", self.error_log(experiment))

    def test_in_the_metrics_it_is_a_failure_of_the_run(self):
        result = Experiment(self.folder, train_iters=300).train(preexec_fn=limited(40_000))
        self.assert_failed(result, "metrics.jsonl", "File too large")

    def test_restarts_are_for_failures_of_the_system_and_not_for_bad_input(self):
        experiment = Experiment(self.folder, **SAVING)
        command = ["direct", "--max_restarts", "2", "--", "train", "pretrain", "--config", experiment.config]
        result = run(*command, cwd=self.folder, preexec_fn=limited(60_000))
        self.assertEqual(result.returncode, 1, result.stderr[-3000:])
        self.assertEqual(result.stderr.count("primus: restart "), 2)
        result = run(*command, *NO_DATA, cwd=self.folder)
        self.assertEqual(result.returncode, 2, result.stderr[-3000:])
        self.assertNotIn("primus: restart ", result.stderr)

    def test_in_preprocessing(self):
        corpus = self.folder / "corpus.txt"
        corpus.write_text("1 2 3\n" * 4000)
        result = run("data", "preprocess", "--input", corpus, "--output_prefix", self.folder / "out", "--tokenizer_type",
                     "NullTokenizer", "--vocab_size", 300, "--format", "lines", preexec_fn=limited(1000))
        self.assert_failed(result, "File too large")


class Paths(SystemTest):
    def test_a_path_that_cannot_be_is_bad_input(self):
        experiment = Experiment(self.folder)
        (self.folder / "file").write_text("")
        self.assert_refused(run("config", "show", "--config", experiment.config, "--export_config", "/nowhere/a.yaml"),
                            "/nowhere/a.yaml", "No such file or directory")
        experiment.workspace = self.folder / "file"
        experiment.write()
        self.assert_refused(experiment.train(), "cannot create directory", "Not a directory")


class Output(SystemTest):
    """Every command that prints makes sure that it could."""

    def commands(self):
        experiment = Experiment(self.folder, **SAVING)
        self.assert_success(experiment.train())
        corpus = self.folder / "corpus.txt"
        corpus.write_text("a b c\n\nd e f\n" * 10)
        config = ["--config", experiment.config]
        return [["--help"], ["--version"], ["train", "pretrain", "--help"], ["completion", "bash"],
                ["config", "show", *config], ["config", "explain", "lr"], ["config", "keys"],
                ["config", "validate", *config, "save=null", "exp_name=other"], ["data", "inspect", *config, "--samples", "0:1"],
                ["parallel", "show", *config, "--world_size", "1"], ["checkpoint", "list", experiment.checkpoints],
                ["checkpoint", "inspect", experiment.checkpoints], ["checkpoint", "verify", experiment.checkpoints],
                ["tokenizer", "encode", "--tokenizer_type", "NullTokenizer", "--vocab_size", "10", "--text", "1 2"],
                ["train", "pretrain", *config, "train_iters=1", "save=null", "exp_name=other"],
                ["direct", "--dry-run", "--", "train", "pretrain", *config],
                ["slurm", "--dry-run", "--", "train", "pretrain", *config]]

    def test_a_full_disk_behind_standard_output_is_said(self):
        for words in self.commands():
            with self.subTest(" ".join(map(str, words[:2]))), open("/dev/full", "w") as full:
                result = subprocess.run([CLI, *map(str, words)], stdout=full, stderr=subprocess.PIPE, text=True,
                                        env=ENVIRONMENT, cwd=self.folder, timeout=120)
                self.assertEqual(result.returncode, 1, result.stderr[-2000:])
                self.assertIn("primus: error: cannot write the output", result.stderr)

    def test_a_closed_standard_output_is_said_and_no_file_takes_its_place(self):
        experiment = Experiment(self.folder)
        result = subprocess.run([CLI, "config", "show", "--config", experiment.config], stderr=subprocess.PIPE, text=True,
                                env=ENVIRONMENT, preexec_fn=lambda: os.close(1))
        self.assertEqual(result.returncode, 1, result.stderr)
        result = subprocess.run([CLI, "train", "pretrain", "--config", experiment.config, "train_iters=2"],
                                stdout=subprocess.PIPE, env=ENVIRONMENT, preexec_fn=lambda: os.close(2))
        self.assertEqual(result.returncode, 0)
        self.assertEqual([line["iteration"] for line in experiment.metrics()], [1, 2])
        self.assertNotIn("[rank-0/1]", experiment.metrics_file.read_text())

    def test_a_device_is_written_to_and_not_replaced(self):
        experiment = Experiment(self.folder)
        os.mkfifo(self.folder / "pipe")
        reader = subprocess.Popen(["cat", self.folder / "pipe"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(reader.kill)
        result = run("config", "show", "--config", experiment.config, "--export_config", self.folder / "pipe")
        self.assert_success(result)
        self.assertIn("exp_name: tiny", reader.communicate(timeout=20)[0])
        self.assertTrue((self.folder / "pipe").is_fifo())


class ErrorLog(SystemTest):
    def test_the_message_that_ends_a_run_is_in_the_logs_of_its_rank(self):
        experiment = Experiment(self.folder, init_method_std=1e38)
        result = experiment.train()
        self.assert_failed(result, "the loss of iteration 1 is nan")
        message = next(line for line in result.stderr.splitlines() if line.startswith("primus: error: "))[15:]
        for name in ("error", "warning", "info", "debug"):
            log = (experiment.root / f"logs/pre_trainer/rank-0/{name}.log").read_text()
            self.assertEqual(log.count(message), 1, name)
        self.assertIn("[ERROR]", self.error_log(experiment))

    def test_also_when_the_run_ends_before_it_begins(self):
        experiment = Experiment(self.folder)
        self.assert_refused(experiment.train(*NO_DATA), "/nowhere")
        self.assert_leaves_only_logs(experiment)
        self.assertIn("/nowhere", self.error_log(experiment))
        self.assert_success(experiment.train("train_iters=1"))
        self.assert_refused(experiment.train(*NO_DATA), "/nowhere")
        self.assertEqual(self.error_log(experiment).count("/nowhere"), 2)

    def test_also_when_the_configuration_itself_is_wrong(self):
        for number, (override, word) in enumerate({"lr=fast": "must be a number", "trian_iters=5": "unknown key",
                                                   "sink_level=LOUD": "must be one of",
                                                   "tensor_model_parallel_size=3": "multiple of the other",
                                                   "num_experts=4": "not supported"}.items()):
            with self.subTest(override):
                experiment = Experiment(self.folder / str(number))
                self.assert_refused(experiment.train(override), word)
                self.assert_leaves_only_logs(experiment)
                self.assertIn(word, self.error_log(experiment))

    def test_a_folder_that_cannot_be_written_does_not_hide_the_message(self):
        (self.folder / "output").write_text("a file where the workspace should be")
        self.assert_refused(Experiment(self.folder).train("lr=fast"), "must be a number, not the text 'fast'")

    def test_of_every_rank_that_the_launcher_has_started(self):
        experiment = Experiment(self.folder, dataloader_type="single", init_method_std=1e38)
        self.assertEqual(experiment.train_ranks(2).returncode, 1)
        self.assertIn("the loss of iteration 1 is nan",
                      self.error_log(experiment, 0) + self.error_log(experiment, 1))
        for rank in range(2):
            self.assertIn("[ERROR]", self.error_log(experiment, rank))


class Rendezvous(SystemTest):
    """A variable that is left over from another job makes one process wait for ranks that never come."""

    def first_words(self, **environment):
        experiment = Experiment(self.folder)
        process = subprocess.Popen([CLI, "train", "pretrain", "--config", experiment.config], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, env={**ENVIRONMENT, **environment})
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        start = time.monotonic()
        for line in process.stderr:
            if "WORLD_SIZE" in line:
                self.assertLess(time.monotonic() - start, 10)
                return line
        self.fail("nothing was said")

    def test_rank_0_says_at_once_for_whom_and_where_it_waits(self):
        line = self.first_words(WORLD_SIZE="2", RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()))
        self.assertRegex(line, r"rank 0 waits at 127.0.0.1:\d+, for at most 300 s, for 1 of 2 ranks: 1\. "
                               r"RANK=0 and WORLD_SIZE=2 in the environment")

    def test_another_rank_says_where_it_looks_for_rank_0(self):
        port = free_port()
        line = self.first_words(WORLD_SIZE="2", RANK="1", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        self.assertRegex(line, rf"rank 1 of 2 tries to reach rank 0 at 127.0.0.1:{port}, for at most 300 s\. "
                               r"RANK=1 and WORLD_SIZE=2 in the environment")


if __name__ == "__main__":
    unittest.main(verbosity=2)
