"""Two programs never write to one place at once: the second is refused at once, and learns who the first is."""

import fcntl
import os
import signal
import socket
import time
import unittest

import token_file
from program import CLI, SOURCE, Experiment, Launched, ProgramTest, run, start

ENDLESS = {"save": "checkpoints", "save_interval": 5, "auto_continue_train": True, "train_iters": 1000000,
           "lr_decay_iters": 1000000}
REFUSED_WITHIN = 30


class TwoTrainings(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment = Experiment(self.folder, **ENDLESS)

    def wait_for_iterations(self, process, count=6):
        deadline = time.monotonic() + 120
        while len(self.experiment.metrics()) < count:
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def assert_second_is_refused(self, result, holder):
        self.assert_refused(result, str(self.experiment.root), "is in use by", f"process {holder} on "
                            f"{socket.gethostname()}, since 20")

    def test_the_second_is_refused_and_a_killed_first_lets_go(self):
        first = start("train", "pretrain", "--config", self.experiment.config)
        try:
            self.wait_for_iterations(first)
            began = time.monotonic()
            self.assert_second_is_refused(self.experiment.train(), first.pid)
            self.assertLess(time.monotonic() - began, REFUSED_WITHIN)
            self.assertIsNone(first.poll())
        finally:
            first.kill()
            first.wait()
        self.assert_success(self.experiment.train("exit_interval=5"))
        self.assert_success(run("checkpoint", "verify", self.experiment.checkpoints))
        self.assertEqual([line["iteration"] for line in self.experiment.metrics()],
                         list(range(1, len(self.experiment.metrics()) + 1)))

    def test_ranks_of_one_run_share_it_and_keep_others_out(self):
        first = self.experiment.launch(2)
        first.wait_for(lambda: len(self.experiment.metrics()) > 5, "training")
        ranks = first.ranks()
        self.assert_second_is_refused(self.experiment.train_ranks(2), ranks[0])
        # The other rank still writes for a moment: as long as it lives, nobody else begins.
        os.kill(first.process.pid, signal.SIGSTOP)
        os.kill(ranks[1], signal.SIGSTOP)
        os.kill(ranks[0], signal.SIGKILL)
        self.assert_second_is_refused(self.experiment.train(), ranks[0])
        for pid in (ranks[1], first.process.pid):
            os.kill(pid, signal.SIGCONT)
        first.process.send_signal(signal.SIGTERM)
        first.end()
        self.assert_success(self.experiment.train("exit_interval=5"))

    def test_a_model_is_not_imported_into_the_folder_of_a_run(self):
        model = self.folder / "hf"
        self.assert_success(self.experiment.train("exit_interval=5"))
        self.assert_success(run("checkpoint", "export-hf", self.experiment.checkpoints, "--save", model))
        first = start("train", "pretrain", "--config", self.experiment.config)
        try:
            self.wait_for_iterations(first, 8)
            self.assert_refused(run("checkpoint", "import-hf", model, "--save", self.experiment.checkpoints),
                                str(self.experiment.checkpoints), f"process {first.pid} on ")
        finally:
            first.kill()
            first.wait()

    def test_a_run_that_is_refused_leaves_no_lock(self):
        self.assert_refused(self.experiment.train("data_path=/nowhere/data", "mock_data=false",
                                                  "tokenizer_type=NullTokenizer"), "/nowhere/data")
        self.assert_leaves_only_logs(self.experiment)


class TwoWriters(ProgramTest):
    """Programs that read from a pipe that the test holds open: they are at work for as long as it wants."""

    def waiting(self, *command):
        source = self.folder / "input.jsonl"
        os.mkfifo(source)
        process = start(*[source if word is None else word for word in command])
        self.pipe = os.open(source, os.O_WRONLY)  # Returns when the program has opened the other end.
        return process

    def finish(self, process):
        os.write(self.pipe, b'{"text": "1 2 3 4 5"}\n')
        os.close(self.pipe)
        self.assertEqual(process.wait(timeout=60), 0)

    def test_preprocessing_to_one_prefix(self):
        prefix = self.folder / "corpus"
        command = ("data", "preprocess", "--input", None, "--format", "jsonl", "--output_prefix", prefix,
                   "--tokenizer_type", "NullTokenizer", "--vocab_size", 10, "--workers", 1)
        other = self.folder / "other.jsonl"
        other.write_text('{"text": "1 2"}\n')
        first = self.waiting(*command)
        second = run(*[other if word is None else word for word in command])
        self.assert_refused(second, f"{prefix}_text_document is in use by process {first.pid} on ")
        self.finish(first)
        self.assertEqual(sorted(path.name for path in self.folder.glob("corpus*")),
                         ["corpus_text_document.bin", "corpus_text_document.idx"])
        self.assert_success(run(*[other if word is None else word for word in command]))

    def test_a_killed_preprocessing_locks_nothing(self):
        prefix = self.folder / "corpus"
        command = ("data", "preprocess", "--input", None, "--format", "jsonl", "--output_prefix", prefix,
                   "--tokenizer_type", "NullTokenizer", "--vocab_size", 10, "--workers", 1)
        first = self.waiting(*command)
        first.kill()
        first.wait()
        os.close(self.pipe)
        other = self.folder / "other.jsonl"
        other.write_text('{"text": "1 2"}\n')
        self.assert_success(run(*[other if word is None else word for word in command]))

    def test_training_a_tokenizer_into_one_folder(self):
        output = self.folder / "tokenizer"
        command = ("tokenizer", "train", "--input", None, "--format", "jsonl", "--vocab_size", 260, "--output", output)
        first = self.waiting(*command)
        second = run(*[self.folder / "any.jsonl" if word is None else word for word in command])
        self.assert_refused(second, f"{output} is in use by process {first.pid} on ")
        self.finish(first)
        self.assertEqual(sorted(path.name for path in output.iterdir()), ["tokenizer.json", "tokenizer_config.json"])


class HeldByAnother(ProgramTest):
    """Locks that somebody else, on another machine perhaps, holds."""

    CHECKPOINTS = SOURCE / "tests/cli/fixtures/format_1"
    HOLDER = "process 7 on elsewhere, since 2026-01-02 03:04:05"

    def assert_refused_while_held(self, lock, place, *command):
        with open(lock, "w") as file:
            file.write(self.HOLDER + "\n")
            file.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
            self.assert_refused(run(*command), f"{place} is in use by {self.HOLDER}")
        self.assert_success(run(*command))
        self.assertFalse(lock.exists())

    def test_exporting(self):
        directory = self.folder / "hf"
        self.assert_refused_while_held(self.folder / "hf.lock", directory, "checkpoint", "export-hf", self.CHECKPOINTS,
                                       "--save", directory)

    def test_importing(self):
        model, imported = self.folder / "hf", self.folder / "imported"
        self.assert_success(run("checkpoint", "export-hf", self.CHECKPOINTS, "--save", model))
        imported.mkdir()
        self.assert_refused_while_held(imported / ".lock", imported, "checkpoint", "import-hf", model, "--save", imported)

    def test_merging(self):
        token_file.write(self.folder / "one")
        merged = self.folder / "all"
        self.assert_refused_while_held(self.folder / "all.lock", merged, "data", "merge", "--input",
                                       self.folder / "one", "--output_prefix", merged)


class Launches(ProgramTest):
    def words(self, experiment, *options):
        return ("direct", *options, "--nproc_per_node", 1, "--", "train", "pretrain", "--config", experiment.config)

    def test_launches_within_one_second_have_log_files_of_their_own(self):
        experiments = [Experiment(self.folder / f"run{number}", train_iters=2) for number in range(4)]
        launches = [Launched(self.folder, CLI, *self.words(experiment)) for experiment in experiments]
        self.assertEqual([launch.end() for launch in launches], [0] * len(launches))
        logs = sorted((self.folder / "logs").glob("log_*.txt"))
        self.assertEqual(len(logs), len(launches), logs)
        for log in logs:
            self.assertEqual(log.read_text().count("Training completed"), 1, log)

    def test_a_folder_that_cannot_be_written_keeps_no_launch_from_its_workspace(self):
        experiment = Experiment(self.folder, train_iters=2)
        result = run(*self.words(experiment), cwd="/proc")
        self.assert_success(result)
        self.assertIn("this launch has no log file", result.stderr)
        self.assertIn("--log_file", result.stderr)
        self.assertEqual(len(experiment.metrics()), 2)

    def test_a_log_file_that_was_asked_for_must_be_writable(self):
        words = self.words(Experiment(self.folder, train_iters=2), "--log_file", "/proc/launch.txt")
        result = run(*words, cwd=self.folder)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("/proc/launch.txt", result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
