"""`parallel show` tells who is where: its groups are those of Megatron (tests/parallel/rank_groups.txt)."""

import json
import unittest

from program import SOURCE, Experiment, ProgramTest, run

NAMES = ("tensor_model_parallel_size", "context_parallel_size", "pipeline_model_parallel_size",
         "expert_model_parallel_size", "expert_tensor_parallel_size")


def oracle():
    """Groups by (world, sizes in the order of NAMES, rank order), then by kind."""
    found = {}
    for line in (SOURCE / "tests/parallel/rank_groups.txt").read_text().splitlines()[1:]:
        facts, groups = line.split(" : ")
        *numbers, order, kind = facts.split()
        key = (*map(int, numbers), order)
        found.setdefault(key, {})[kind] = [[int(rank) for rank in group.split()] for group in groups.split("|")]
    return found


class ParallelShow(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment = Experiment(self.folder, num_experts=8)

    def show(self, world, *overrides):
        return run("parallel", "show", "--config", self.experiment.config, "--world_size", world, *overrides)

    def test_the_groups_are_megatrons_in_both_orders(self):
        cases = {key: groups for key, groups in oracle().items() if key[0] in (8, 12, 24)}
        self.assertEqual({key[-1] for key in cases}, {"tp-cp-ep-dp-pp", "tp-cp-ep-pp-dp"})
        for (world, *sizes, order), groups in cases.items():
            with self.subTest(world=world, sizes=sizes, order=order):
                overrides = [f"{name}={size}" for name, size in zip(NAMES, sizes)]
                overrides.append(f"use_tp_pp_dp_mapping={str(order.endswith('pp-dp')).lower()}")
                shown = self.show(world, "--json", *overrides)
                self.assert_success(shown)
                ours = json.loads(shown.stdout)
                self.assertEqual({kind: ours["groups"][kind] for kind in groups}, groups)
                for place in ours["ranks"]:
                    for kind, index in place["place"].items():
                        group = next(g for g in ours["groups"][kind] if place["rank"] in g)
                        self.assertEqual(group.index(place["rank"]), index, kind)

    def test_for_people(self):
        shown = self.show(8, "tensor_model_parallel_size=2", "pipeline_model_parallel_size=2")
        self.assert_success(shown)
        self.assertIn("8 ranks: tensor 2, context 1, data 2, pipeline 2", shown.stdout)
        self.assertIn("rank    tp    cp    dp    pp", shown.stdout)
        self.assertIn("   5     1     0     0     1", shown.stdout)
        self.assertRegex(shown.stdout, r"dp +hold the same weights, read different samples\n +0 2 \| 1 3 \| 4 6 \| 5 7\n")
        self.assertRegex(shown.stdout, r"cp +share the tokens of a sequence\n +each rank alone\n")

    def test_what_does_not_fit_is_refused(self):
        self.assert_refused(self.show(6, "tensor_model_parallel_size=4"), "the number of ranks, 6, is not divisible",
                            "tensor_model_parallel_size 4")
        self.assert_refused(self.show(0), "--world_size")
        self.assert_refused(self.show("many"), "--world_size")
        self.assert_refused(run("parallel", "show", "--config", self.experiment.config), "--world_size is required")
        self.assert_refused(self.show(8, "use_tp_pp_dp_mapping=true", "pipeline_model_parallel_size=2",
                                      "tensor_model_parallel_size=2", "expert_model_parallel_size=2",
                                      "expert_tensor_parallel_size=2"), "different pipelines")


if __name__ == "__main__":
    unittest.main(verbosity=2)
