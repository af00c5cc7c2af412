"""Writes tests/optimizer/fixtures/schedules.json with Megatron's own scheduler (package: megatron-core 0.16.1).

Megatron's module is loaded alone, because importing the package would import all of its engine.
"""

import importlib.metadata
import importlib.util
import itertools
import json
import pathlib
import sys
import types

FIXTURE = pathlib.Path(__file__).parent.parent / "optimizer" / "fixtures" / "schedules.json"
POINTS = [0, 1, 7, 8, 64, 99, 100, 101, 160, 400, 500, 501, 640, 799, 800, 801, 1000, 1001, 2000]


def load_scheduler():
    files = importlib.metadata.files("megatron-core")
    (path,) = [file.locate() for file in files if str(file) == "megatron/core/optimizer_param_scheduler.py"]
    utilities = types.ModuleType("megatron.core.utils")
    utilities.log_single_rank = lambda *arguments, **options: None
    sys.modules["megatron.core.utils"] = utilities
    spec = importlib.util.spec_from_file_location("optimizer_param_scheduler", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.OptimizerParamScheduler


def configurations():
    styles = [("constant", None), ("linear", None), ("cosine", None), ("inverse-square-root", None)]
    styles += [("WSD", style) for style in ("linear", "cosine", "exponential", "minus_sqrt")]
    warmups = [(0, 0.0), (100, 0.0), (100, 1e-4), (0.0125 * 801, 0.0)]
    for (style, wsd), (warmup, init), min_lr in itertools.product(styles, warmups, (0.0, 1e-4)):
        decay = {"wd_incr_style": "constant", "start_wd": 0.1, "end_wd": 0.1}
        if min_lr > 0:
            decay = {"wd_incr_style": "linear" if warmup else "cosine", "start_wd": 0.01, "end_wd": 0.1}
        yield dict(
            init_lr=init, max_lr=1e-3, min_lr=min_lr, lr_warmup_steps=warmup, lr_decay_steps=800,
            lr_decay_style=style, wsd_decay_steps=300 if wsd else None, lr_wsd_decay_style=wsd,
            wd_incr_steps=1000, **decay,
        )  # fmt: skip


def main():
    scheduler_class = load_scheduler()
    cases = []
    for configuration in configurations():
        group = {}
        optimizer = types.SimpleNamespace(param_groups=[group])
        scheduler = scheduler_class(optimizer, **configuration)
        values = []
        for point in POINTS:
            scheduler.step(point - scheduler.num_steps)
            values.append([group["lr"], group["weight_decay"]])
        cases.append({"config": configuration, "values": values})
    FIXTURE.parent.mkdir(exist_ok=True)
    text = ",\n".join(json.dumps(case) for case in cases)
    FIXTURE.write_text(f'{{"points": {POINTS},\n"cases": [\n{text}\n]}}\n')


if __name__ == "__main__":
    main()
