"""What signals and vanished readers do to a training, alone and under the launcher."""

import json
import os
import signal
import subprocess
import time
import unittest

from program import CLI, ENVIRONMENT, Experiment, ProgramTest

# Long enough that no test sees the end of it, and no regular save.
ENDLESS = {"train_iters": 100000, "lr_decay_iters": 100000, "save": "checkpoints", "save_interval": 100000}


def ignoring(numbers):
    """For a process before it becomes the program: it ignores these signals, and no others that whoever runs the tests
    may ignore."""
    def prepare():
        for number in (signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN if number in numbers else signal.SIG_DFL)
    return prepare


class SignalsTest(ProgramTest):
    def start(self, experiment, *overrides, launcher=(), ignored=(), **options):
        process = subprocess.Popen(
            [CLI, *launcher, "train", "pretrain", "--config", str(experiment.config), *overrides], cwd=self.folder,
            env=ENVIRONMENT, preexec_fn=ignoring(ignored),
            **{"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, **options})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_for(self, process, condition, what):
        deadline = time.monotonic() + 60
        while not condition():
            self.assertIsNone(process.poll(), f"{what}: it has ended")
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.01)

    def wait_for_iterations(self, process, experiment, count):
        self.wait_for(process, lambda: len(experiment.metrics()) >= count, f"iteration {count}")

    def saved_iteration(self, experiment):
        tracker = experiment.checkpoints / "latest_checkpointed_iteration.txt"
        return int(tracker.read_text()) if tracker.exists() else None

    def assert_saves_and_ends(self, process, experiment, name):
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, errors[-2000:])
        self.assertIn(f"exiting program after receiving {name}.", errors)
        self.assertEqual(self.saved_iteration(experiment), experiment.metrics()[-1]["iteration"])

    LAUNCHER = ("direct", "--nproc_per_node", "2", "--")
    PARALLEL = {**ENDLESS, "dataloader_type": "single"}


class Alone(SignalsTest):
    def test_a_closed_terminal_saves_and_ends(self):
        experiment = Experiment(self.folder / "run", **ENDLESS)
        process = self.start(experiment)
        self.wait_for_iterations(process, experiment, 2)
        process.send_signal(signal.SIGHUP)
        self.assert_saves_and_ends(process, experiment, "SIGHUP")

    def test_under_nohup_a_closed_terminal_changes_nothing(self):
        experiment = Experiment(self.folder / "run", **ENDLESS)
        process = self.start(experiment, ignored=[signal.SIGHUP])
        self.wait_for_iterations(process, experiment, 2)
        process.send_signal(signal.SIGHUP)
        self.wait_for_iterations(process, experiment, len(experiment.metrics()) + 3)
        process.send_signal(signal.SIGTERM)
        self.assert_saves_and_ends(process, experiment, "SIGTERM")

    def test_a_schedulers_warning_saves_and_goes_on(self):
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            with self.subTest(number.name):
                experiment = Experiment(self.folder / number.name, **ENDLESS)
                process = self.start(experiment)
                self.wait_for_iterations(process, experiment, 2)
                process.send_signal(number)
                self.wait_for(process, lambda: self.saved_iteration(experiment), "a checkpoint")
                self.wait_for_iterations(process, experiment, self.saved_iteration(experiment) + 3)
                process.send_signal(signal.SIGTERM)
                self.assert_saves_and_ends(process, experiment, "SIGTERM")

    def test_a_warning_to_a_run_that_saves_nothing_ends_nothing(self):
        experiment = Experiment(self.folder / "run", **{**ENDLESS, "save": None})
        process = self.start(experiment)
        self.wait_for_iterations(process, experiment, 2)
        process.send_signal(signal.SIGUSR1)
        self.wait_for_iterations(process, experiment, len(experiment.metrics()) + 3)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertIn("received a signal to save a checkpoint, but saving is off", errors)

    def test_exit_signal_saves_and_ends(self):
        for number in (signal.SIGUSR1, signal.SIGQUIT):
            with self.subTest(number.name):
                experiment = Experiment(self.folder / number.name, exit_signal=number.name, **ENDLESS)
                process = self.start(experiment)
                self.wait_for_iterations(process, experiment, 2)
                process.send_signal(number)
                self.assert_saves_and_ends(process, experiment, number.name)

    def test_an_exit_signal_that_cannot_be_caught_is_refused(self):
        for name in ("SIGKILL", "SIGSEGV", "TERMINATE"):
            result = Experiment(self.folder / name, exit_signal=name, **ENDLESS).train()
            self.assert_refused(result, "exit_signal", name, "SIGUSR1")

    def test_readers_that_have_gone_end_nothing(self):
        for name in ("stdout", "stderr", "both"):
            with self.subTest(name):
                experiment = Experiment(self.folder / name, train_iters=6, save="checkpoints", save_interval=100)
                read_end, write_end = os.pipe()
                os.close(read_end)
                gone = {stream: write_end for stream in ("stdout", "stderr") if name in (stream, "both")}
                process = self.start(experiment, **gone)
                os.close(write_end)
                process.communicate(timeout=60)
                self.assertEqual(process.returncode, 0)
                self.assertEqual(self.saved_iteration(experiment), 6)


class DuringAnEvaluation(SignalsTest):
    """An evaluation that no test sees the end of, after every iteration or at the end."""

    BETWEEN = {**ENDLESS, "train_iters": 3, "lr_decay_iters": 3, "eval_iters": 30000, "eval_interval": 1,
               "dataloader_type": "single"}
    FINAL = {**BETWEEN, "eval_interval": 100}

    def evaluating(self, overrides, iterations, **options):
        experiment = Experiment(self.folder / "run", **overrides)
        process = self.start(experiment, **options)
        self.wait_for_iterations(process, experiment, iterations)
        time.sleep(0.3)
        return experiment, process

    def test_a_signal_abandons_it_and_saves(self):
        experiment, process = self.evaluating(self.BETWEEN, 1)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, errors[-2000:])
        self.assertRegex(errors, r"the evaluation at iteration 1 is abandoned after \d+ of 30000 iterations")
        self.assertIn("exiting program after receiving SIGTERM.", errors)
        self.assertEqual(self.saved_iteration(experiment), 1)

    def test_at_the_end_of_the_run_too_also_when_it_would_not_save_there(self):
        experiment, process = self.evaluating({**self.FINAL, "disable_last_saving": True}, 3)
        process.send_signal(signal.SIGXCPU)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, errors[-2000:])
        self.assertRegex(errors, "the evaluation at iteration 3 on validation set is abandoned")
        self.assertIn("exiting program after receiving SIGXCPU.", errors)
        self.assertEqual(self.saved_iteration(experiment), 3)

    def test_a_request_to_save_is_answered_and_the_evaluation_goes_on(self):
        experiment, process = self.evaluating(self.BETWEEN, 1, launcher=self.LAUNCHER)
        process.send_signal(signal.SIGUSR1)
        self.wait_for(process, lambda: self.saved_iteration(experiment), "a checkpoint")
        self.assertEqual(len(experiment.metrics()), 1)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, errors[-2000:])
        self.assertEqual(self.saved_iteration(experiment), 1)
        self.assertIn("the evaluation at iteration 1 is abandoned", errors)
        self.assertEqual(errors.count("successfully saved"), 1)

    def test_later_evaluations_are_as_if_it_had_not_been_abandoned(self):
        whole = Experiment(self.folder / "whole", **{**self.BETWEEN, "train_iters": 2, "eval_iters": 500})
        self.assert_success(whole.train())
        cut = Experiment(self.folder / "cut", **{**self.BETWEEN, "train_iters": 2, "eval_iters": 500,
                                                 "auto_continue_train": True})
        process = self.start(cut)
        self.wait_for_iterations(process, cut, 1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.saved_iteration(cut), 1)
        self.assert_success(cut.train())
        self.assertEqual(cut.trajectory(), whole.trajectory())
        last = [json.loads(run.metrics_file.read_text().splitlines()[-2]) for run in (whole, cut)]
        self.assertEqual([line["evaluation"] for line in last], ["valid", "valid"])
        self.assertEqual(last[0]["lm_loss"], last[1]["lm_loss"])


class UnderTheLauncher(SignalsTest):
    def test_a_closed_terminal_saves_and_ends_all(self):
        experiment = Experiment(self.folder / "run", **self.PARALLEL)
        process = self.start(experiment, launcher=self.LAUNCHER)
        self.wait_for_iterations(process, experiment, 2)
        for _ in range(3):  # Kernel and shell each send one.
            process.send_signal(signal.SIGHUP)
            time.sleep(0.05)
        self.assert_saves_and_ends(process, experiment, "SIGTERM")

    def test_a_warning_saves_once_and_goes_on(self):
        experiment = Experiment(self.folder / "run", **self.PARALLEL)
        process = self.start(experiment, launcher=self.LAUNCHER)
        self.wait_for_iterations(process, experiment, 2)
        process.send_signal(signal.SIGUSR1)
        self.wait_for(process, lambda: self.saved_iteration(experiment), "a checkpoint")
        self.wait_for_iterations(process, experiment, self.saved_iteration(experiment) + 3)
        self.assertEqual(len(list(experiment.checkpoints.glob("iter_*"))), 1)
        process.send_signal(signal.SIGTERM)
        self.assert_saves_and_ends(process, experiment, "SIGTERM")

    def test_exit_signal_is_passed_on(self):
        experiment = Experiment(self.folder / "run", exit_signal="SIGUSR2", **self.PARALLEL)
        process = self.start(experiment, launcher=self.LAUNCHER)
        self.wait_for_iterations(process, experiment, 2)
        process.send_signal(signal.SIGUSR2)
        self.assert_saves_and_ends(process, experiment, "SIGUSR2")

    def test_readers_that_have_gone_end_nothing(self):
        experiment = Experiment(self.folder / "run", train_iters=6, save="checkpoints", save_interval=100)
        read_end, write_end = os.pipe()
        os.close(read_end)
        process = self.start(experiment, launcher=self.LAUNCHER, stdout=write_end, stderr=write_end)
        os.close(write_end)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.saved_iteration(experiment), 6)


if __name__ == "__main__":
    unittest.main(verbosity=2)
