"""A run's own config.yaml trains the same run again: the experiments that are shipped for a CPU, really trained
(tests/config/examples_test.cpp loads the config.yaml of all others), and tiny ones with all sorts of settings."""

import unittest

from program import SOURCE, Experiment, ProgramTest, run

CPU_EXAMPLES = sorted((SOURCE / "examples/megatron/configs/CPU").glob("*.yaml"))

# Small enough for a test; what the example's model is made of stays.
SMALL = ("mock_data=true", "data_path=null", "train_data_path=null", "valid_data_path=null", "vocab_size=127",
         "num_layers=1", "seq_length=16", "max_position_embeddings=16", "micro_batch_size=1", "global_batch_size=2",
         "train_iters=3", "eval_iters=0", "full_validation=false", "lr_decay_iters=3", "lr_warmup_iters=1",
         "num_workers=0", "log_interval=1", "save=null", "bf16=false")


def losses(metrics_file):
    return Experiment.trajectory(Metrics(metrics_file))


class Metrics:
    """The metrics of a folder that some other experiment file names."""

    def __init__(self, metrics_file):
        self.metrics_file = metrics_file

    metrics = Experiment.metrics


class RoundTrip(ProgramTest):
    def train_twice(self, config, *overrides):
        """Trains, trains the config.yaml of that elsewhere, and compares."""
        first = run("train", "pretrain", "--config", config, f"workspace={self.folder}/first", *overrides)
        self.assert_success(first)
        written = next(self.folder.glob("first/*/*/*/config.yaml"))
        second = run("train", "pretrain", "--config", written, f"workspace={self.folder}/second")
        self.assert_success(second)
        before, after = (losses(next(self.folder.glob(f"{name}/*/*/*/metrics.jsonl"))) for name in ("first", "second"))
        self.assertGreater(len(before), 0)
        self.assertEqual(before, after)
        written_again = next(self.folder.glob("second/*/*/*/config.yaml"))
        self.assertEqual(self.without_names_of_the_run(written), self.without_names_of_the_run(written_again))

    def without_names_of_the_run(self, config):
        lines = config.read_text().replace(f"{self.folder}/second", f"{self.folder}/first").splitlines()
        return [line for line in lines if not line.startswith("config_file: ")]

    def test_examples_for_a_cpu(self):
        self.assertEqual(len(CPU_EXAMPLES), 3)
        for example in CPU_EXAMPLES:
            with self.subTest(example.name):
                self.setUp()
                self.train_twice(example, *SMALL)

    def test_what_is_set_and_what_follows_are_told_apart(self):
        for overrides in (["save=/elsewhere", "save_interval=2"],
                          ["norm_epsilon=0.3", "layernorm_epsilon=1e-5"],
                          ["weight_decay_incr_style=cosine", "start_weight_decay=0.0", "end_weight_decay=0.3"],
                          ["add_bias_linear=true", "swiglu=false", "ffn_hidden_size=null"],
                          ["train_samples=12", "train_iters=null", "lr_warmup_iters=0", "lr_decay_iters=null"]):
            with self.subTest(overrides):
                self.setUp()
                self.train_twice(Experiment(self.folder, train_iters=3).config, *overrides)

    def test_who_set_a_value_decides_in_the_run_and_in_its_config(self):
        experiment = Experiment(self.folder, train_iters=2, layernorm_epsilon=1e-5)
        self.train_twice(experiment.config, "norm_epsilon=0.3")
        first = next(self.folder.glob("first/*/*/*/metrics.jsonl"))
        alone = Experiment(self.folder / "alone", train_iters=2, norm_epsilon=0.3)
        self.assert_success(alone.train())
        self.assertEqual(losses(first), alone.trajectory())


if __name__ == "__main__":
    unittest.main()
