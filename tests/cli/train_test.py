"""What switches of training change, seen in the losses of tiny runs."""

import unittest

from program import Experiment, ProgramTest

FUSED = ["enable_primus_turbo=true", "use_turbo_attention=true", "use_turbo_gemm=true", "use_turbo_rms_norm=true",
         "cross_entropy_loss_fusion=true"]
UNFUSED = ["bias_swiglu_fusion=false", "apply_rope_fusion=false", "bias_dropout_fusion=false"]


class Switches(ProgramTest):
    def losses(self, name, *overrides):
        experiment = Experiment(self.folder / name, train_iters=4, lr_warmup_iters=0, lr_decay_style="constant")
        self.assert_success(experiment.train(*overrides))
        return [line["lm_loss"] for line in experiment.metrics()]

    def test_embedding_and_output_learn_at_their_own_rate(self):
        plain, decoupled = self.losses("plain"), self.losses("decoupled", "decoupled_lr=0.1")
        self.assertEqual(decoupled[0], plain[0])
        self.assertGreater(abs(decoupled[1] - plain[1]), 0.01)
        self.assertEqual(self.losses("same", "decoupled_lr=0.003"), plain)

    def test_a_window_narrows_what_is_seen_whatever_the_kernel(self):
        plain, window = self.losses("plain"), self.losses("window", "window_size=[2,0]")
        self.assertGreater(abs(window[0] - plain[0]), 1e-4)
        for reference, fused in zip(window, self.losses("fused", "window_size=[2,0]", *FUSED)):
            self.assertAlmostEqual(reference, fused, places=4)

    def test_fused_kernels_compute_the_same(self):
        for reference, fused in zip(self.losses("reference", *UNFUSED), self.losses("fused", *FUSED)):
            self.assertAlmostEqual(reference, fused, places=4)

    def test_options_of_the_python_program_are_said_to_have_no_effect(self):
        result = Experiment(self.folder, train_iters=1).train("--data_path", "somewhere")
        self.assert_success(result)
        self.assertIn("'somewhere' is without effect", result.stderr)


if __name__ == "__main__":
    unittest.main()
