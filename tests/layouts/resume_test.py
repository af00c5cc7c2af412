"""A checkpoint that one layout of ranks has saved is continued by any other as if nothing had happened."""

import json
import math
import shutil
import tempfile
import unittest
from pathlib import Path

from program import Experiment, ProgramTest, run

ITERATIONS = 8
SAVED = 4
MODEL = {"num_attention_heads": 8, "num_query_groups": 8, "micro_batch_size": 2, "global_batch_size": 8,
         "dataloader_type": "single", "train_iters": ITERATIONS, "lr_decay_iters": ITERATIONS, "save": "checkpoints",
         "save_interval": SAVED, "auto_continue_train": True}
TENSOR = {"sequence_parallel": True}
DISTRIBUTED = {"use_distributed_optimizer": True, "overlap_grad_reduce": True, "overlap_param_gather": True,
               "ddp_bucket_size": 5000}
# Number of ranks, and how they are used.
LAYOUTS = {
    "alone": (1, {}),
    "dp2_zero": (2, {**DISTRIBUTED}),
    "tp2": (2, {"tensor_model_parallel_size": 2}),
    "dp4": (4, {"overlap_grad_reduce": True}),
    "tp2_sp_dp2_zero": (4, {"tensor_model_parallel_size": 2, **TENSOR, **DISTRIBUTED}),
    "tp4_sp_dp2_zero": (8, {"tensor_model_parallel_size": 4, **TENSOR, **DISTRIBUTED}),
    "tp8_sp": (8, {"tensor_model_parallel_size": 8, **TENSOR}),
}
PAIRS = [
    ("alone", "tp2_sp_dp2_zero"), ("alone", "tp4_sp_dp2_zero"), ("dp2_zero", "alone"), ("dp2_zero", "tp2"),
    ("tp2", "dp2_zero"), ("dp4", "tp8_sp"), ("tp2_sp_dp2_zero", "dp4"), ("tp2_sp_dp2_zero", "alone"),
    ("tp4_sp_dp2_zero", "alone"), ("tp8_sp", "tp2_sp_dp2_zero"), ("tp8_sp", "dp2_zero"),
]
TOLERANCE = 2e-6


def bytes_of_pieces(index):
    return sum(4 * (piece["range"][1] - piece["range"][0]) for tensor in index["tensors"].values()
               for piece in tensor["pieces"])


def replace_weights(checkpoint, other):
    """Gives a checkpoint the model's weights of another, and leaves its optimizer's state."""
    index, theirs = (json.loads((folder / "index.json").read_text()) for folder in (checkpoint, other))
    first = len(index["shards"])
    for shard in theirs["shards"]:
        shutil.copy(other / f"shard_{shard['shard']:05d}.safetensors",
                    checkpoint / f"shard_{first + shard['shard']:05d}.safetensors")
        index["shards"].append({**shard, "shard": first + shard["shard"]})
    for name, tensor in theirs["tensors"].items():
        if not name.startswith("optimizer."):
            pieces = [{**piece, "shard": first + piece["shard"]} for piece in tensor["pieces"]]
            index["tensors"][name] = {**tensor, "pieces": pieces}
    (checkpoint / "index.json").write_text(json.dumps(index))


class Resume(ProgramTest):
    @classmethod
    def setUpClass(cls):
        # Shared by the tests: each layout is trained once.
        cls.shared = Path(tempfile.mkdtemp(prefix="primus-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)

    def setUp(self):
        super().setUp()
        self.folder = self.shared

    def start(self, name, experiment):
        """Trains in a layout to the end, or to `exit_interval`."""
        ranks, _ = LAYOUTS[name]
        result = experiment.train() if ranks == 1 else experiment.train_ranks(ranks)
        self.assert_success(result)

    def experiment(self, name, layout, **overrides):
        return Experiment(self.folder / name, **{**MODEL, **LAYOUTS[layout][1], **overrides})

    def saved(self, layout, **overrides):
        """An unbroken run of a layout: its trajectory, and a folder with the checkpoint from its middle alone."""
        experiment = self.experiment("_".join(["unbroken", layout, *overrides]), layout, **overrides)
        if not experiment.checkpoints.exists():
            self.start(layout, experiment)
            shutil.rmtree(experiment.checkpoints / f"iter_{ITERATIONS:07d}")
            (experiment.checkpoints / "latest_checkpointed_iteration.txt").write_text(str(SAVED))
        return experiment

    def continued(self, source, target, **overrides):
        """Continues what `source` has saved in the layout `target`; the iterations that it ran."""
        experiment = self.experiment(f"{source.folder.name}_then_{target}", target, **overrides)
        shutil.rmtree(experiment.root, ignore_errors=True)
        shutil.copytree(source.checkpoints, experiment.checkpoints)
        self.start(target, experiment)
        return experiment

    def assert_close(self, trained, expected, label):
        self.assertEqual([row[0] for row in trained], [row[0] for row in expected], label)
        for ours, theirs in zip(trained, expected):
            for value, wanted, what in zip(ours[1:3], theirs[1:3], ("loss", "gradient norm")):
                self.assertLessEqual(abs(value / wanted - 1), TOLERANCE, f"{label}: {what} of iteration {ours[0]}")
            self.assertEqual(ours[3], theirs[3], f"{label}: learning rate of iteration {ours[0]}")

    def test_every_layout_continues_what_others_have_saved(self):
        expected = self.saved("alone").trajectory()
        for layout in LAYOUTS:
            with self.subTest(layout):
                self.assert_close(self.saved(layout).trajectory(), expected, layout)
        for source, target in PAIRS:
            with self.subTest(f"{source} to {target}"):
                trained = self.continued(self.saved(source), target).trajectory()
                self.assert_close(trained, expected[SAVED:], f"{source} to {target}")

    def test_from_eight_ranks_to_one_to_four(self):
        expected = self.saved("alone").trajectory()
        one = self.continued(self.saved("tp4_sp_dp2_zero"), "alone", exit_interval=6, save_interval=6)
        four = self.continued(one, "tp2_sp_dp2_zero")
        self.assert_close(one.trajectory(), expected[SAVED:6], "eight to one")
        self.assert_close(four.trajectory(), expected[6:], "one to four")

    def test_the_same_layout_continues_bit_for_bit(self):
        for layout in ("tp2_sp_dp2_zero", "tp4_sp_dp2_zero", "dp4"):
            with self.subTest(layout):
                source = self.saved(layout)
                trained = self.continued(source, layout)
                self.assertEqual(trained.trajectory(), source.trajectory()[SAVED:])

    def test_main_weights_of_bf16_weights_continue_in_shards_and_whole(self):
        source = self.saved("dp2_zero", bf16=True)
        expected = source.trajectory()[SAVED:]
        self.assertEqual(self.continued(source, "dp2_zero", bf16=True).trajectory(), expected)
        self.assert_close(self.continued(source, "alone", bf16=True).trajectory(), expected, "alone")

    def test_main_weights_decide_over_weights_that_are_not_their_rounding(self):
        """On every rank, and in the parts of the weights that other ranks update."""
        source = self.saved("dp2_zero", bf16=True)
        expected = source.trajectory()[SAVED:]
        mixed = self.experiment("mixed", "dp2_zero", bf16=True)
        shutil.copytree(source.checkpoints, mixed.checkpoints)
        folder = f"iter_{SAVED:07d}"
        replace_weights(mixed.checkpoints / folder, self.saved("dp2_zero").checkpoints / folder)
        self.assertEqual(self.continued(mixed, "dp2_zero", bf16=True).trajectory(), expected)

    def test_every_byte_is_written_once(self):
        for layout in ("dp4", "tp2_sp_dp2_zero", "tp8_sp"):
            with self.subTest(layout):
                source = self.saved(layout)
                folder = source.checkpoints / f"iter_{SAVED:07d}"
                index = json.loads((folder / "index.json").read_text())
                for name, tensor in index["tensors"].items():
                    held = sum(piece["range"][1] - piece["range"][0] for piece in tensor["pieces"])
                    self.assertEqual(held, math.prod(tensor["shape"]), name)
                written = 0
                for shard in folder.glob("*.safetensors"):
                    header = int.from_bytes(shard.read_bytes()[:8], "little")
                    written += shard.stat().st_size - header - 8
                self.assertEqual(written, bytes_of_pieces(index))
                self.assert_success(run("checkpoint", "verify", source.checkpoints))
                listed = run("checkpoint", "list", source.checkpoints)
                self.assertIn(f"{len(list(folder.glob('*.safetensors')))} shards  latest", listed.stdout)
                inspected = json.loads(run("checkpoint", "inspect", source.checkpoints, "--json").stdout)
                self.assertEqual(inspected["common"]["iteration"], SAVED)
                self.assertGreater(inspected["tensors"]["embedding.word_embeddings.weight"]["pieces"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
