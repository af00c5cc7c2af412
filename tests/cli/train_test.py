"""What switches of training change, seen in the losses of tiny runs."""

import json
import re
import unittest

import token_file
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

    def test_the_residual_switch_that_nothing_in_megatron_core_reads_changes_nothing_and_says_so(self):
        switch = "apply_residual_connection_post_layernorm=true"
        self.assertEqual(self.losses("plain"), self.losses("switched", switch))
        result = Experiment(self.folder, train_iters=1).train(switch)
        self.assertIn("apply_residual_connection_post_layernorm", result.stderr)
        self.assertIn("nothing in Megatron-Core's models reads it", result.stderr)

    def test_evaluations_have_the_final_batch_size_while_the_batch_ramps_up(self):
        experiment = Experiment(self.folder, train_iters=None, train_samples=60, global_batch_size=8, seq_length=4,
                                micro_batch_size=2, rampup_batch_size=[2, 2, 30], eval_iters=3, eval_interval=2,
                                lr_decay_iters=None, lr_warmup_iters=0)
        self.assert_success(experiment.train())
        batches = {line["consumed_samples"] - before["consumed_samples"]
                   for before, line in zip(experiment.metrics(), experiment.metrics()[1:])}
        self.assertEqual(batches, {2, 4, 6, 8})
        lines = [json.loads(line) for line in experiment.metrics_file.read_text().splitlines()]
        tokens = [line["tokens"] for line in lines if line.get("evaluation") == "valid"]
        self.assertGreater(len(tokens), 3)
        self.assertEqual(set(tokens), {3 * 8 * 4})

    def test_options_of_the_python_program_are_said_to_have_no_effect(self):
        result = Experiment(self.folder, train_iters=1).train("--data_path", "somewhere")
        self.assert_success(result)
        self.assertIn("'somewhere' has no effect", result.stderr)


class Numbers(ProgramTest):
    """What the log and metrics.jsonl say of a run is measured, or left out."""

    def test_a_checkpoint_that_probably_holds_nan_is_announced_as_that(self):
        experiment = Experiment(self.folder, lr=1e30, check_for_nan_in_loss_and_grad=False, save="checkpoints",
                                save_interval=2, train_iters=4)
        result = experiment.train()
        self.assert_success(result)
        # The second iteration's own loss and gradients were still finite.
        self.assertNotIn("the checkpoint of iteration 2 probably holds NaN", result.stderr)
        self.assertEqual(result.stderr.count("the checkpoint of iteration 4 probably holds NaN: iteration 4 had the loss "
                                             "nan and the gradient norm nan. Continue from an earlier one"), 1)
        self.assertIn("Training completed at iteration 4; the loss of 2 iterations was NaN or infinite.", result.stdout)

    def test_with_the_check_off_a_loss_that_is_no_number_is_counted_and_shown(self):
        experiment = Experiment(self.folder, init_method_std=1e38, check_for_nan_in_loss_and_grad=False, train_iters=3,
                                eval_iters=1, log_throughput=True, save="checkpoints", save_interval=100)
        result = experiment.train()
        self.assert_success(result)
        lines = [line for line in result.stderr.splitlines() if "| number of nan iterations" in line]
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertIn("| lm loss: NAN |", line)
            self.assertTrue(line.endswith("number of nan iterations:   1"), line)
        self.assertEqual(result.stderr.count("the loss of iteration 1 is nan; training continues"), 1)
        self.assertEqual(result.stderr.count("the loss was NaN or infinite in 3 of this run's iterations"), 1)
        self.assertIn("lm loss value: NAN | lm loss PPL: NAN", result.stderr)
        self.assertIn("Training completed at iteration 3; the loss of 3 iterations was NaN or infinite.\n"
                      "Validation loss: nan nats per token.\n", result.stdout)

        def refuse(constant):
            self.fail(f"{constant} is no JSON")

        for line in experiment.metrics_file.read_text().splitlines():
            self.assertIsNone(json.loads(line, parse_constant=refuse)["lm_loss"])

    def test_an_iteration_that_is_passed_over_has_no_loss_norm_or_rate(self):
        experiment = Experiment(self.folder, iterations_to_skip=[2], train_iters=3, log_throughput=True)
        result = experiment.train()
        self.assert_success(result)
        line = next(line for line in result.stderr.splitlines() if "iteration        2/" in line)
        self.assertIn("| number of skipped iterations:   1 |", line)
        for absent in ("lm loss", "grad norm", "TFLOP", "tokens/s"):
            self.assertNotIn(absent, line)
        skipped = json.loads(experiment.metrics_file.read_text().splitlines()[1])
        self.assertTrue(skipped["skipped"])
        for absent in ("lm_loss", "grad_norm", "tokens_per_second", "tflops"):
            self.assertNotIn(absent, skipped)

    def test_an_evaluation_of_no_tokens_has_no_loss(self):
        # The valid split has one sample, which is no micro-batch of two.
        token_file.write(self.folder / "corpus", documents=10, shortest=40, longest=50)
        experiment = Experiment(self.folder, train_iters=1, mock_data=False, tokenizer_type="NullTokenizer",
                                train_data_path=None, data_path=str(self.folder / "corpus"), split="90,10,0",
                                full_validation=True, eval_iters=1, eod_mask_loss=False)
        result = experiment.train()
        self.assert_success(result)
        self.assertIn("no token of the valid split was evaluated", result.stderr)
        self.assertNotIn("Validation loss", result.stdout)
        self.assertNotIn("evaluation", experiment.metrics_file.read_text())

    def test_the_throughput_of_a_small_machine_can_be_read(self):
        result = Experiment(self.folder, train_iters=3, log_throughput=True).train()
        self.assert_success(result)
        rates = re.findall(r"TFLOP/s/GPU\): ([\d.]+)", result.stderr)
        self.assertEqual(len(rates), 3)
        for rate in rates:
            self.assertGreater(float(rate), 0)


if __name__ == "__main__":
    unittest.main()
