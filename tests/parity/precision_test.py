"""Runs that differ only in precision or kernels keep to the same loss curve."""

import unittest

import token_file
from program import Experiment, ProgramTest

ITERATIONS = 200
SMALL = {"mock_data": False, "tokenizer_type": "NullTokenizer", "vocab_size": 127, "split": "100,0,0",
         "hidden_size": 64, "ffn_hidden_size": 128, "num_layers": 2, "seq_length": 64,
         "max_position_embeddings": 64, "micro_batch_size": 4, "global_batch_size": 8, "train_iters": ITERATIONS,
         "lr_decay_iters": ITERATIONS, "lr_warmup_iters": 20, "lr": 0.003}
FUSED = {"enable_primus_turbo": True, "use_turbo_attention": True, "use_turbo_gemm": True,
         "use_turbo_rms_norm": True, "cross_entropy_loss_fusion": True}
UNFUSED = {"bias_swiglu_fusion": False, "apply_rope_fusion": False, "bias_dropout_fusion": False}


class Precision(ProgramTest):
    known = {}  # the losses of each run by its name: each is trained once

    def losses(self, name, **changes):
        if name not in self.known:
            prefix = self.folder / "tokens"
            token_file.write(prefix, documents=200)
            experiment = Experiment(self.folder / name, **{**SMALL, "data_path": str(prefix), **changes})
            self.assert_success(experiment.train(timeout=600))
            self.known[name] = [line["lm_loss"] for line in experiment.metrics()]
            self.assertEqual(len(self.known[name]), ITERATIONS)
        return self.known[name]

    def assert_tracks(self, first, second, limit):
        distance = sum(abs(a - b) for a, b in zip(first, second)) / ITERATIONS
        self.assertLess(distance, limit)
        self.assertGreater(distance, 0, "both runs are the same: the setting has no effect")

    def test_bf16_tracks_fp32(self):
        self.assert_tracks(self.losses("fp32"), self.losses("bf16", bf16=True), 0.02)

    def test_fused_kernels_track_the_reference(self):
        self.assert_tracks(self.losses("reference", bf16=True, **UNFUSED),
                           self.losses("fused", bf16=True, **FUSED), 0.01)

    def test_training_learns(self):
        losses = self.losses("fp32")
        self.assertLess(losses[-1], losses[0] - 0.02)


if __name__ == "__main__":
    unittest.main(verbosity=2)
