"""primus-cli benchmark: prints a table of rates, refuses sizes that do not fit each other."""

import os
import re
import subprocess
import unittest

SMALL = ["--repeats", "1", "--seq-length", "64", "--micro-batch-size", "1", "--hidden-size", "64",
         "--ffn-hidden-size", "96", "--num-attention-heads", "4", "--num-query-groups", "2", "--kv-channels", "16",
         "--vocab-size", "128"]


def benchmark(*arguments):
    return subprocess.run([os.environ["PRIMUS_CLI"], "benchmark", *arguments], capture_output=True, text=True)


class Benchmark(unittest.TestCase):
    def test_layer_lists_every_operator_with_its_share_of_the_gemm_rate(self):
        for dtype in ("bf16", "fp32"):
            result = benchmark("layer", "--dtype", dtype, *SMALL)
            self.assertEqual(result.returncode, 0, result.stderr)
            for name in ("linear 64 x 64", "attention (1, 4/2, 64, 16)", "RMSNorm", "RoPE", "SwiGLU", "output layer"):
                self.assertIn(name, result.stdout)
            self.assertGreaterEqual(len(re.findall(r"\d+ %", result.stdout)), 14)

    def test_reference_operators_can_be_measured_as_well(self):
        result = benchmark("attention", "--reference", *SMALL)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("reference kernels", result.stdout)

    def test_refuses_heads_that_groups_do_not_divide(self):
        result = benchmark("attention", "--num-attention-heads", "4", "--num-query-groups", "3")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--num-attention-heads 4 is not a multiple", result.stderr)

    def test_refuses_an_unknown_dtype(self):
        self.assertEqual(benchmark("gemm", "--dtype", "fp7").returncode, 2)


if __name__ == "__main__":
    unittest.main()
