"""A run that is killed at any moment and started again reads, in metrics.jsonl, like one that was never killed."""

import random
import signal
import time
import unittest

from program import Experiment, ProgramTest, start

SAVING = {"save": "checkpoints", "save_interval": 2, "auto_continue_train": True, "train_iters": 24,
          "lr_decay_iters": 24}


class Kill(ProgramTest):
    def reference(self, **overrides):
        experiment = Experiment(self.folder / "unbroken", **{**SAVING, **overrides})
        started = time.monotonic()
        self.assert_success(experiment.train())
        self.duration = time.monotonic() - started
        self.assertEqual(len(experiment.metrics()), 24)
        return experiment.trajectory()

    def run_with_kills(self, experiment, moments):
        """Kills one start after the other: at a time, or at the first moment at which a callable says so."""
        for moment in moments:
            process = start("train", "pretrain", "--config", experiment.config)
            deadline = time.monotonic() + (moment if isinstance(moment, float) else 60)
            while process.poll() is None and time.monotonic() < deadline:
                if callable(moment) and moment():
                    break
                time.sleep(0.0005)
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.assert_success(experiment.train())

    def test_killed_at_random_moments(self):
        expected = self.reference()
        generator = random.Random(3)
        experiment = Experiment(self.folder / "killed", **SAVING)
        self.run_with_kills(experiment, [generator.uniform(0.3, 1.0) * self.duration for _ in range(6)])
        self.assertEqual(experiment.trajectory(), expected)

    def test_killed_during_a_save(self):
        expected = self.reference()
        experiment = Experiment(self.folder / "killed", **SAVING)
        checkpoints = experiment.root / "checkpoints"

        def saving():
            return checkpoints.is_dir() and any("tmp" in entry.name for entry in checkpoints.iterdir())

        self.run_with_kills(experiment, [saving] * 5)
        self.assertEqual(experiment.trajectory(), expected)
        leftovers = [entry.name for entry in checkpoints.iterdir() if "tmp" in entry.name]
        self.assertEqual(leftovers, [])

    def test_killed_in_bf16_with_dropout(self):
        changes = {"bf16": True, "hidden_dropout": 0.1, "attention_dropout": 0.1}
        expected = self.reference(**changes)
        experiment = Experiment(self.folder / "killed", **{**SAVING, **changes})
        self.run_with_kills(experiment, [0.6 * self.duration, 0.8 * self.duration])
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
