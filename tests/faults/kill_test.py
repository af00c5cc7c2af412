"""A run that is killed at any moment and started again reads, in metrics.jsonl, like one that was never killed."""

import random
import signal
import time
import unittest

from program import Experiment, ProgramTest, start

ITERATIONS = 60
SAVING = {"save": "checkpoints", "save_interval": 7, "auto_continue_train": True, "train_iters": ITERATIONS,
          "lr_decay_iters": ITERATIONS}


class Kill(ProgramTest):
    def reference(self, **overrides):
        experiment = Experiment(self.folder / "unbroken", **{**SAVING, **overrides})
        self.assert_success(experiment.train())
        self.assertEqual(len(experiment.metrics()), ITERATIONS)
        return experiment.trajectory()

    def run_with_kills(self, experiment, moments):
        """Kills one start after the other, each as soon as its callable says so. Returns how many were killed,
        rather than done before."""
        killed = 0
        for moment in moments:
            process = start("train", "pretrain", "--config", experiment.config)
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline and not moment():
                time.sleep(0.0005)
            killed += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.assert_success(experiment.train())
        return killed

    def random_moments(self, experiment, count):
        """Random delays after random iterations, later and later."""
        generator = random.Random(3)

        def moment(iteration, delay):
            def reached():
                if len(experiment.metrics()) < iteration:
                    return False
                time.sleep(delay)
                return True
            return reached

        iterations = sorted(generator.sample(range(1, ITERATIONS - 5), count))
        return [moment(iteration, generator.uniform(0, 0.01)) for iteration in iterations]

    def test_killed_at_random_moments(self):
        expected = self.reference()
        experiment = Experiment(self.folder / "killed", **SAVING)
        self.assertGreaterEqual(self.run_with_kills(experiment, self.random_moments(experiment, 6)), 4)
        self.assertEqual(experiment.trajectory(), expected)

    def test_killed_during_a_save(self):
        expected = self.reference()
        experiment = Experiment(self.folder / "killed", **SAVING)
        checkpoints = experiment.root / "checkpoints"

        def saving():
            return checkpoints.is_dir() and any("tmp" in entry.name for entry in checkpoints.iterdir())

        self.assertGreaterEqual(self.run_with_kills(experiment, [saving] * 5), 4)
        self.assertEqual(experiment.trajectory(), expected)
        leftovers = [entry.name for entry in checkpoints.iterdir() if "tmp" in entry.name]
        self.assertEqual(leftovers, [])

    def test_killed_in_bf16_with_dropout(self):
        changes = {"bf16": True, "hidden_dropout": 0.1, "attention_dropout": 0.1}
        expected = self.reference(**changes)
        experiment = Experiment(self.folder / "killed", **{**SAVING, **changes})
        self.assertGreaterEqual(self.run_with_kills(experiment, self.random_moments(experiment, 2)), 1)
        self.assertEqual(experiment.trajectory(), expected)

    def test_sigterm_saves_and_exits_with_success(self):
        experiment = Experiment(self.folder / "stopped", **{**SAVING, "save_interval": 1000, "train_iters": 100000})
        process = start("train", "pretrain", "--config", experiment.config)
        while len(experiment.metrics()) < 3:
            self.assertIsNone(process.poll())
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=30), 0)
        iteration = int((experiment.root / "checkpoints/latest_checkpointed_iteration.txt").read_text())
        self.assertEqual(iteration, experiment.metrics()[-1]["iteration"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
