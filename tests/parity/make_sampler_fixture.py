#!/usr/bin/env python3
"""Writes tests/data/fixtures/samplers.json from Megatron-LM's MegatronPretrainingRandomSampler.

Usage: make_sampler_fixture.py MEGATRON_LM_CHECKOUT [CASES]. Needs torch, numpy and megatron-core. Run it only to
change the fixture; the tests read it. Megatron itself does not always go on alike after a restart (see
src/data/sampler.h), so that the fixture holds what its sampler gives without one.
"""

import importlib.util
import json
import random
import sys
import types
from pathlib import Path

FIXTURE = Path(__file__).resolve().parents[1] / "data" / "fixtures" / "samplers.json"


def load_sampler(checkout):
    """The class alone: what else megatron.training imports is not needed."""
    for name, member in (("megatron.training", "get_args"),
                         ("megatron.training.dist_signal_handler", "DistributedSignalHandler")):
        sys.modules[name] = types.ModuleType(name)
        setattr(sys.modules[name], member, None)
    path = Path(checkout) / "megatron" / "training" / "datasets" / "data_samplers.py"
    spec = importlib.util.spec_from_file_location("data_samplers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MegatronPretrainingRandomSampler


def draw(sampler, batches):
    """The batches of a loader that starts its sampler again and again."""
    drawn = []
    while True:
        for batch in sampler:
            drawn.append(batch)
            if len(drawn) == batches:
                return drawn


def random_case(sampler_class):
    micro_batch, ranks = random.randint(1, 4), random.randint(1, 5)
    case = {"total": random.randint(micro_batch * ranks, 40), "micro_batch": micro_batch, "ranks": ranks,
            "rank": random.randrange(ranks), "data_sharding": random.random() < 0.3}
    sampler = sampler_class(None, case["total"], 0, micro_batch, case["rank"], ranks, case["data_sharding"])
    batches = 4 * case["total"] // (micro_batch * ranks) + 1
    return {**case, "batches": draw(sampler, min(batches, 40))}


def main():
    random.seed(1)
    sampler_class = load_sampler(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    cases = [random_case(sampler_class) for _ in range(count)]
    FIXTURE.write_text("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "]\n")


main()
