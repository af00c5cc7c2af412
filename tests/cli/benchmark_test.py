"""primus-cli benchmark: prints a table of rates, refuses sizes that do not fit each other."""

import json
import os
import re
import subprocess
import tempfile
import unittest

SMALL = ["--repeats", "1", "--seq-length", "64", "--micro-batch-size", "1", "--hidden-size", "64",
         "--ffn-hidden-size", "96", "--num-attention-heads", "4", "--num-query-groups", "2", "--kv-channels", "16",
         "--vocab-size", "128"]


TINY = ["--config", os.path.join(os.environ["PRIMUS_SOURCE_DIR"], "examples/megatron/configs/CPU/llama_tiny-pretrain.yaml"),
        "num_layers=2", "hidden_size=64", "ffn_hidden_size=96", "num_attention_heads=4", "num_query_groups=2",
        "seq_length=32", "micro_batch_size=2", "global_batch_size=4", "vocab_size=127"]


def benchmark(*arguments, **options):
    return subprocess.run([os.environ["PRIMUS_CLI"], "benchmark", *arguments], capture_output=True, text=True, **options)


class Benchmark(unittest.TestCase):
    def test_layer_lists_every_operator_with_its_share_of_the_gemm_rate(self):
        for dtype in ("bf16", "fp32"):
            result = benchmark("layer", "--dtype", dtype, *SMALL)
            self.assertEqual(result.returncode, 0, result.stderr)
            for name in ("linear 64 x 64", "attention (1, 4/2, 64, 16)", "RMSNorm", "RoPE", "SwiGLU", "output layer"):
                self.assertIn(name, result.stdout)
            # Forward and backward of five linears and attention; the output layer has it all in its forward.
            self.assertGreaterEqual(len(re.findall(r"\d+ %", result.stdout)), 13)

    def test_reference_operators_can_be_measured_as_well(self):
        result = benchmark("attention", "--reference", *SMALL)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("reference kernels", result.stdout)

    def test_refuses_heads_that_groups_do_not_divide(self):
        result = benchmark("attention", "--num-attention-heads", "4", "--num-query-groups", "3")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--num-attention-heads 4 is not a multiple", result.stderr)

    def test_step_measures_the_training_step_of_an_experiment(self):
        result = benchmark("step", *TINY, "--repeats", "2")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("128 tokens a step", result.stdout)
        calls = {name: int(count) for name, count in re.findall(r"^(\w+(?: backward)?) +(\d+) +[\d.]+ ", result.stdout, re.M)}
        # Two micro-batches of two layers with three linears each, and one with the activation; the update once.
        self.assertEqual(calls["Linear"], 12)
        self.assertEqual(calls["Linear backward"], 12)
        self.assertEqual(calls["ActivationLinear"], 4)
        self.assertEqual(calls["FusedActivationLinear backward"], 4)
        self.assertEqual(calls["Attention backward"], 4)
        self.assertEqual(calls["OptimizerUpdate"], 1)
        self.assertRegex(result.stdout, r"peak memory +\d+ MB; predicted \d+")

    def test_step_answers_scripts_block_by_block(self):
        result = benchmark("step", *TINY, "--blocks", input="1\n3\n")
        self.assertEqual(result.returncode, 0, result.stderr)
        first, one, three = (json.loads(line) for line in result.stdout.splitlines())
        # 6 x the weights of products x tokens, and causal attention.
        weights = 2 * (64 * 128 + 64 * 64 + 3 * 64 * 96) + 64 * 128
        self.assertEqual(first["flops"], 6 * weights * 128 + 6 * 2 * 4 * 64 * 32 * 32)
        self.assertEqual([len(block["seconds"]) for block in (one, three)], [1, 3])
        self.assertGreater(three["gemm_gflops"], 0)

    def test_step_leaves_nothing_behind(self):
        with tempfile.TemporaryDirectory() as folder:
            result = benchmark("step", *TINY, "--repeats", "1", cwd=folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(os.listdir(folder), [])

    def test_refuses_an_unknown_dtype(self):
        self.assertEqual(benchmark("gemm", "--dtype", "fp7").returncode, 2)


if __name__ == "__main__":
    unittest.main()
