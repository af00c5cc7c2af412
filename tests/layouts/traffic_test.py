"""The bytes that metrics.jsonl reports for each kind of collective are those that the layout must move."""

import unittest

from program import TINY_OVERRIDES, Experiment, ProgramTest

ITERATIONS = 4
HIDDEN, FFN, LAYERS, SEQUENCE, VOCABULARY = 32, 64, 2, 32, 128
MICRO, GLOBAL, HEADS, GROUPS = 2, 8, 4, 4
FLOAT, DOUBLE = 4, 8
ALIGNMENT = 64  # elements between the starts of parameters


def round_up(value, multiple):
    return -(-value // multiple) * multiple


def flat_bytes(tensor, data):
    """Of all gradients of one rank as one padded bucket."""
    qkv = (HEADS + 2 * GROUPS) * (HIDDEN // HEADS) * HIDDEN
    sharded = [VOCABULARY * HIDDEN] * 2 + LAYERS * [qkv, HIDDEN * HIDDEN, 2 * FFN * HIDDEN, FFN * HIDDEN]
    whole = (2 * LAYERS + 1) * [HIDDEN]
    elements = sum(round_up(n // tensor, ALIGNMENT) for n in sharded) + sum(round_up(n, ALIGNMENT) for n in whole)
    return FLOAT * round_up(elements, ALIGNMENT * data)


def expected(tensor, data, sequence_parallel=False, distributed=False):
    """Bytes of each kind of collective in one iteration on one rank, by Megatron's rules."""
    micro_batches = GLOBAL // (MICRO * data)
    activation = SEQUENCE * MICRO * HIDDEN * FLOAT
    per_token_value = SEQUENCE * MICRO * FLOAT
    bytes_of = {"all_reduce": 0, "all_gather": 0, "reduce_scatter": 0}
    # The loss over data-parallel ranks, the gradient norm over every axis, and the question whether to stop:
    # the signal, the requests to save, and the minutes.
    bytes_of["all_reduce"] += 2 * DOUBLE * (data > 1) + 3 * DOUBLE
    bytes_of["all_reduce"] += DOUBLE * (tensor > 1) + DOUBLE * (distributed and data > 1)
    if tensor > 1:
        # The softmax over the vocabulary: the maximum, then the sum and the label's logit.
        bytes_of["all_reduce"] += micro_batches * 3 * per_token_value
        if sequence_parallel:
            # Forward gathers before both column linears and scatters after both row linears; backward does the
            # reverse, and gathers the columns' input once more for its weight gradient. Embedding and head beside.
            bytes_of["all_gather"] += micro_batches * activation * (6 * LAYERS + 2)
            bytes_of["reduce_scatter"] += micro_batches * activation * (4 * LAYERS + 2)
            bytes_of["all_reduce"] += (2 * LAYERS + 1) * HIDDEN * FLOAT  # gradients of the norms
        else:
            bytes_of["all_reduce"] += micro_batches * activation * (4 * LAYERS + 2)
    if data > 1:
        gradients = flat_bytes(tensor, data)
        bytes_of["reduce_scatter" if distributed else "all_reduce"] += gradients
        bytes_of["all_gather"] += gradients * distributed
    return {kind: count for kind, count in bytes_of.items() if count > 0}


class Traffic(ProgramTest):
    def check(self, ranks, tensor, sequence_parallel=False, distributed=False):
        layout = {"tensor_model_parallel_size": tensor, "sequence_parallel": sequence_parallel,
                  "use_distributed_optimizer": distributed}
        experiment = Experiment(self.folder / "run", **{
            **layout, "dataloader_type": "single", "num_query_groups": GROUPS, "global_batch_size": GLOBAL,
            "train_iters": ITERATIONS})
        self.assert_success(experiment.train_ranks(ranks))
        wanted = expected(tensor, ranks // tensor, sequence_parallel, distributed)
        # The first iteration does not follow another one, whose question whether to stop would be its own.
        for line in experiment.metrics()[1:]:
            moved = {kind: totals["bytes"] for kind, totals in line["communication"].items()}
            self.assertEqual(moved, wanted, f"iteration {line['iteration']}")
            for kind, totals in line["communication"].items():
                self.assertGreater(totals["calls"], 0, kind)
                self.assertGreater(totals["seconds"], 0, kind)
                self.assertLess(totals["seconds"], 60, kind)

    def test_the_sizes_here_are_those_of_the_tiny_experiment(self):
        self.assertEqual((HIDDEN, FFN, LAYERS, SEQUENCE, MICRO, HEADS), tuple(TINY_OVERRIDES[key] for key in (
            "hidden_size", "ffn_hidden_size", "num_layers", "seq_length", "micro_batch_size", "num_attention_heads")))

    def test_data_parallel(self):
        self.check(2, tensor=1)

    def test_data_parallel_with_the_distributed_optimizer(self):
        self.check(4, tensor=1, distributed=True)

    def test_tensor_parallel(self):
        self.check(2, tensor=2)

    def test_sequence_parallel(self):
        self.check(2, tensor=2, sequence_parallel=True)

    def test_all_together(self):
        self.check(4, tensor=2, sequence_parallel=True, distributed=True)

    def communication(self, ranks, **overrides):
        """What an iteration moves, with the losses and gradient norms of the run."""
        experiment = Experiment(self.folder / "options", **{
            "dataloader_type": "single", "global_batch_size": GLOBAL, "train_iters": ITERATIONS,
            "overlap_grad_reduce": True, "use_distributed_optimizer": False, **overrides})
        self.assert_success(experiment.train_ranks(ranks))
        line = experiment.metrics()[-1]
        return line["communication"], [(m["lm_loss"], m["grad_norm"]) for m in experiment.metrics()]

    def test_bucket_sizes_cut_the_reduction_and_change_no_bit(self):
        whole, expected_losses = self.communication(2)
        cut, losses = self.communication(2, ddp_bucket_size=5000)
        numbered, more_losses = self.communication(2, ddp_num_buckets=3)
        self.assertGreater(cut["all_reduce"]["calls"], whole["all_reduce"]["calls"] + 2)
        self.assertGreater(numbered["all_reduce"]["calls"], whole["all_reduce"]["calls"])
        self.assertEqual(losses, expected_losses)
        self.assertEqual(more_losses, expected_losses)

    def test_gathers_of_weights_that_overlap_change_no_bit(self):
        zero = {"use_distributed_optimizer": True, "ddp_bucket_size": 5000}
        plain, expected_losses = self.communication(2, **zero)
        overlapped, losses = self.communication(2, **zero, overlap_param_gather=True)
        self.assertEqual(overlapped["all_gather"]["bytes"], plain["all_gather"]["bytes"])
        self.assertEqual(losses, expected_losses)

    def test_a_run_does_not_end_before_its_last_gathers(self):
        experiment = Experiment(self.folder / "short", dataloader_type="single", train_iters=1, eval_iters=0,
                                use_distributed_optimizer=True, ddp_bucket_size=1000, overlap_grad_reduce=True,
                                overlap_param_gather=True)
        for _ in range(8):
            self.assert_success(experiment.train_ranks(2))

    def test_gradients_in_bf16_move_half_the_bytes(self):
        zero = {"use_distributed_optimizer": True}
        full, _ = self.communication(2, **zero)
        half, losses = self.communication(2, **zero, grad_reduce_in_bf16=True)
        self.assertEqual(2 * half["reduce_scatter"]["bytes"], full["reduce_scatter"]["bytes"])
        self.assertEqual(half["all_gather"]["bytes"], full["all_gather"]["bytes"])
        self.assertLess(losses[-1][0], losses[0][0])

    def test_the_loss_per_token_is_that_of_one_process(self):
        # Several documents in a sample, whose ends do not count: micro-batches differ in their tokens.
        masked = {"calculate_per_token_loss": True, "eod_mask_loss": True}
        _, trained = self.communication(4, **masked)
        alone = Experiment(self.folder / "alone", dataloader_type="single", global_batch_size=GLOBAL,
                           train_iters=ITERATIONS, **masked)
        self.assert_success(alone.train())
        for (loss, norm), line in zip(trained, alone.metrics(), strict=True):
            self.assertAlmostEqual(loss, line["lm_loss"], delta=2e-6 * loss)
            self.assertAlmostEqual(norm, line["grad_norm"], delta=2e-6 * norm)

    def test_one_process_communicates_nothing(self):
        experiment = Experiment(self.folder / "alone", train_iters=2)
        self.assert_success(experiment.train_ranks(1))
        self.assertTrue(all("communication" not in line for line in experiment.metrics()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
