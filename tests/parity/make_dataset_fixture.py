#!/usr/bin/env python3
"""Writes tests/data/fixtures from numpy, PyTorch and Megatron-Core, the references of our data code.

Needs numpy, torch and megatron-core (0.16.1 was used). Run it only to change the fixtures; the tests read them.
"""

import hashlib
import io
import json
import tempfile
from pathlib import Path

import numpy
import torch
from megatron.core.datasets import helpers
from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig, MockGPTDataset
from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder
from megatron.core.datasets.utils import Split, get_blend_from_list

FIXTURES = Path(__file__).resolve().parents[1] / "data" / "fixtures"
EOD = 0


class FixtureTokenizer:
    """What Megatron's datasets ask a tokenizer for."""

    vocab_size, eod, eos, pad = 1000, EOD, EOD, -1
    unique_identifiers = {"class": "fixture"}


def write_dataset(prefix, seed, documents, dtype):
    random = numpy.random.default_rng(seed)
    builder = IndexedDatasetBuilder(f"{prefix}.bin", dtype=dtype)
    for _ in range(documents):
        length = int(random.integers(1, 40))
        tokens = random.integers(1, 900, length).tolist() + [EOD]
        builder.add_document(tokens, [len(tokens)])
    builder.finalize(f"{prefix}.idx")


def config(**options):
    defaults = {
        "random_seed": 1234, "sequence_length": 16, "reset_position_ids": False, "reset_attention_mask": False,
        "eod_mask_loss": False, "create_attention_mask": False, "tokenizer": FixtureTokenizer(),
    }
    return GPTDatasetConfig(**{**defaults, **options})


def build(sizes, **options):
    with tempfile.TemporaryDirectory() as cache:
        settings = config(path_to_cache=cache, **options)
        return BlendedMegatronDatasetBuilder(GPTDataset, sizes, lambda: True, settings).build()


def samples(dataset, count):
    result = []
    # Version 0.16.1 zeroes the mask of padding in its cached copy, so that it leaks into later samples (mended since).
    dataset.masks_and_position_ids_are_cacheable = False
    for i in range(min(count, len(dataset))):
        sample = dataset[i]
        result.append({name: sample[name].tolist() for name in ("tokens", "labels", "loss_mask", "position_ids")})
    return result


def describe(dataset):
    return {
        "size": len(dataset),
        "document": dataset.document_index.tolist(),
        "sample": dataset.sample_index.reshape(-1).tolist(),
        "shuffle": dataset.shuffle_index.tolist(),
        "samples": samples(dataset, 3),
    }


def gpt_cases():
    prefix = str(FIXTURES / "letters")
    cases = []
    for split, sizes, options in [
        ("95,5,0", (7, None, None), {}),
        ("969, 30, 1", (30, None, None), {"sequence_length": 8}),
        ("80,20,0", (55, 20, None), {"random_seed": 42}),
        ("70,20,10", (100, 5, 3), {"sequence_length": 5, "random_seed": 7}),
        ("70,30,0", (3, None, None), {"drop_last_partial_validation_sequence": False}),
        ("100,0,0", (260, None, None), {"reset_position_ids": True, "eod_mask_loss": True}),
    ]:
        built = build(sizes, split=split, blend=([prefix], None), **options)
        for part, dataset in zip(("train", "valid", "test"), built):
            if dataset is not None and len(dataset) > 0:
                size = sizes[("train", "valid", "test").index(part)]
                cases.append({"split": split, "part": part, "wanted": size, "options": options, **describe(dataset)})
    return cases


def blend_cases():
    paths = [str(FIXTURES / name) for name in ("letters", "digits")]
    cases = []
    for items, sizes in [
        (["0.3", paths[0], "0.7", paths[1]], (40, 10, 0)),
        (["3", paths[0], "1", paths[1]], (25, 7, 0)),
        (paths, (20, 5, 0)),
        (paths, (10000, 5, 0)),
    ]:
        train, valid, _ = build(sizes, split="80,20,0", blend=get_blend_from_list(items))
        names = [Path(item).name if "/" in item else item for item in items]
        for part, dataset in (("train", train), ("valid", valid)):
            wanted = sizes[0] if part == "train" else sizes[1]
            cases.append({
                "items": names, "part": part, "sizes": sizes, "wanted": wanted,
                "dataset": dataset.dataset_index.tolist(), "sample": dataset.dataset_sample_index.tolist(),
                "tokens": [dataset[i]["tokens"].tolist() for i in range(4)],
            })
    return cases


def exhaustive_blend(sizes):
    dataset = numpy.zeros(sum(sizes), dtype=numpy.int16)
    sample = numpy.zeros(sum(sizes), dtype=numpy.int64)
    helpers.build_exhaustive_blending_indices(dataset, sample, numpy.array(sizes, dtype=numpy.int64), len(sizes))
    return {"sizes": sizes, "dataset": dataset.tolist(), "sample": sample.tolist()}


def mock_case():
    settings = config(path_to_cache=None, sequence_length=64)
    built = BlendedMegatronDatasetBuilder(MockGPTDataset, (20, 5, 5), lambda: True, settings).build()
    return {part: samples(dataset, 2) for part, dataset in zip(("train", "valid", "test"), built)}


def numpy_shuffles():
    cases = []
    for seed, size in [(1234, 1), (1234, 10), (1234, 64), (0, 65), (4294967295, 33)]:
        values = numpy.arange(size, dtype=numpy.int32)
        numpy.random.RandomState(seed).shuffle(values)
        cases.append({"seed": seed, "values": values.tolist()})
    return cases


def randperms():
    cases = []
    for seed, size in [(0, 1), (0, 10), (3, 37), (4294967296 + 5, 8)]:
        generator = torch.Generator()
        generator.manual_seed(seed)
        cases.append({"seed": seed, "values": torch.randperm(size, generator=generator).tolist()})
    return cases


def saved(array):
    file = io.BytesIO()
    numpy.save(file, array)
    return file.getvalue().hex()


def main():
    torch.distributed.init_process_group("gloo", rank=0, world_size=1, store=torch.distributed.HashStore())
    FIXTURES.mkdir(parents=True, exist_ok=True)
    write_dataset(FIXTURES / "letters", 1, 60, numpy.uint16)
    write_dataset(FIXTURES / "digits", 2, 35, numpy.int32)
    mock_lengths = numpy.random.default_rng(0).integers(low=1, high=4096, size=100000, dtype=numpy.int32)
    content = {
        "numpy_shuffle": numpy_shuffles(),
        "randperm": randperms(),
        "mock_lengths": {"first": mock_lengths[:10].tolist(), "sum": int(mock_lengths.sum()),
                         "last": mock_lengths[-3:].tolist()},
        "npy": {"int32": saved(numpy.array([1, -2, 3], dtype=numpy.int32)),
                "uint32": saved(numpy.arange(5, dtype=numpy.uint32)),
                "int64": saved(numpy.array([2**40], dtype=numpy.int64)),
                "rows": saved(numpy.arange(6, dtype=numpy.int32).reshape(3, 2))},
        "gpt": gpt_cases(),
        "blend": blend_cases(),
        "exhaustive_blend": [exhaustive_blend([3, 7]), exhaustive_blend([5, 1, 2]), exhaustive_blend([4, 4, 9, 1])],
        "mock": mock_case(),
    }
    text = json.dumps(content, separators=(",", ":"))
    (FIXTURES / "megatron.json").write_text(text + "\n")
    print(len(text), "bytes", hashlib.md5(text.encode()).hexdigest())


main()
