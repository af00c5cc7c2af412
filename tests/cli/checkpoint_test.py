"""checkpoint list | inspect | verify on what a run has saved, whole and damaged."""

import json
import unittest

from program import Experiment, ProgramTest, run


class CheckpointCommands(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment = Experiment(self.folder / "run", save="checkpoints", save_interval=3)
        self.assert_success(self.experiment.train())
        self.checkpoints = self.experiment.root / "checkpoints"

    def command(self, name, *arguments):
        return run("checkpoint", name, *arguments)

    def test_list_shows_every_complete_checkpoint_and_which_is_the_latest(self):
        (self.checkpoints / ".tmp_iter_0000099").mkdir()
        listed = self.command("list", self.checkpoints)
        self.assert_success(listed)
        lines = listed.stdout.splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["iter_0000003", "iter_0000006", "iter_0000008"])
        self.assertEqual(["latest" in line for line in lines], [False, False, True])

    def test_inspect_shows_common_state_and_tensors(self):
        name = "decoder.layers.0.mlp.linear_fc1.weight"
        inspected = self.command("inspect", self.checkpoints)
        self.assert_success(inspected)
        self.assertIn(name, inspected.stdout)
        self.assertIn('"iteration": 8', inspected.stdout)
        older = self.command("inspect", self.checkpoints, "--iteration", 6, "--json")
        self.assert_success(older)
        description = json.loads(older.stdout)
        self.assertEqual(description["common"]["iteration"], 6)
        self.assertEqual(description["tensors"][name], {"dtype": "F32", "shape": [128, 32], "pieces": 1})

    def test_verify_reads_everything_and_names_what_is_damaged(self):
        verified = self.command("verify", self.checkpoints)
        self.assert_success(verified)
        self.assertEqual(verified.stdout.count(": ok"), 3)
        shard = self.checkpoints / "iter_0000006" / "shard_00000.safetensors"
        content = bytearray(shard.read_bytes())
        content[-1] ^= 1
        shard.write_bytes(content)
        self.assert_refused(self.command("verify", self.checkpoints), str(shard), "tensor", "checksum")
        self.assert_success(self.command("verify", self.checkpoints / "iter_0000003"))

    def test_folders_without_checkpoints_are_refused(self):
        for name in ("list", "inspect", "verify"):
            self.assert_refused(self.command(name, self.folder), "no complete checkpoint")
        self.assert_refused(self.command("inspect", self.checkpoints, "--iteration", 4), "iter_0000004",
                            "iter_0000003, iter_0000006, iter_0000008")


if __name__ == "__main__":
    unittest.main()
