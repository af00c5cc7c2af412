"""Computes with Hugging Face Transformers what our models must compute, and keeps it as fixtures.

    python tests/parity/huggingface_oracle.py            writes tests/parity/huggingface/<case>/
    python tests/parity/huggingface_oracle.py --check    computes anew and compares with what is kept; with PRIMUS_CLI in
                                                         the environment, Transformers also reads what we export

Each case is a tiny model with random weights: `config.json` and `model.safetensors` as Transformers saves them, and
`expected.safetensors` with the tokens, the logits the gradient of every parameter and a greedy continuation. The case `llama` adds 20 losses
of a plain PyTorch training loop: AdamW, decay on matrices only, clipping, warm-up and cosine in Megatron's terms.

Needs torch (CPU), transformers and safetensors.
"""

import argparse
import copy
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file, save_file

FIXTURES = pathlib.Path(__file__).parent / "huggingface"
SAMPLES, LENGTH, STEPS = 4, 16, 20
TRAINING = {"lr": 3e-3, "min_lr": 3e-4, "warmup": 4, "weight_decay": 0.1, "betas": (0.9, 0.95), "eps": 1e-8, "clip": 1.0}

SIZES = dict(
    vocab_size=80,
    hidden_size=48,
    intermediate_size=80,
    num_hidden_layers=2,
    num_attention_heads=6,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=64,
    rms_norm_eps=1e-5,
    tie_word_embeddings=False,
    attention_dropout=0.0,
)


def rope(theta=10000.0, **scaling):
    return {"rope_type": "default", "rope_theta": theta, **scaling}


def cases():
    """Name -> (model, whether it is trained)."""
    llama3 = rope(500000.0, rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
                  original_max_position_embeddings=16)
    small = {**SIZES, "num_hidden_layers": 1}
    return {
        "llama": (transformers.LlamaConfig(**SIZES, rope_parameters=rope()), True),
        "llama3": (transformers.LlamaConfig(**{**small, "tie_word_embeddings": True}, rope_parameters=llama3), False),
        "qwen2": (transformers.Qwen2Config(**small, rope_parameters=rope(1000000.0)), False),
        "qwen3": (transformers.Qwen3Config(**small, rope_parameters=rope(1000000.0)), False),
    }


def make_model(config, seed):
    torch.manual_seed(seed)
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config).to(torch.float32).train()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn_like(parameter)
            parameter.copy_(1.0 + 0.1 * noise if "norm" in name else 0.1 * noise)
    return model


def make_tokens(count, seed):
    """Token ids that can be learned: each is the last one's successor, with some noise. [count, samples, length + 1]."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, SAMPLES, LENGTH + 1)
    start = torch.randint(0, SIZES["vocab_size"], shape[:2] + (1,), generator=generator)
    noise = (torch.rand(shape, generator=generator) < 0.1) * torch.randint(0, 40, shape, generator=generator)
    return (start + torch.arange(LENGTH + 1) * 3 + noise) % SIZES["vocab_size"]


def loss_of(model, tokens):
    logits = model(tokens[:, :-1]).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten()), logits


def continue_greedily(model, tokens, count):
    """The prompt and `count` most probable tokens after it."""
    with torch.no_grad():
        for _ in range(count):
            tokens = torch.cat([tokens, model(tokens[None]).logits[0, -1].argmax()[None]])
    return tokens


def learning_rate(step):
    """Megatron's: the first step of a warm-up has rate 0."""
    warmup = TRAINING["warmup"]
    if step <= warmup and warmup > 0:
        return TRAINING["lr"] * step / warmup
    coefficient = 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / (STEPS - warmup)))
    return TRAINING["min_lr"] + coefficient * (TRAINING["lr"] - TRAINING["min_lr"])


def train(model, batches):
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": TRAINING["weight_decay"]}, {"params": vectors, "weight_decay": 0.0}],
        betas=TRAINING["betas"], eps=TRAINING["eps"])
    losses, norms, rates = [], [], []
    for step, tokens in enumerate(batches):
        rates.append(learning_rate(step))
        for group in optimizer.param_groups:
            group["lr"] = rates[-1]
        optimizer.zero_grad()
        loss, _ = loss_of(model, tokens)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), TRAINING["clip"]).item())
        optimizer.step()
        losses.append(loss.item())
    as_tensor = lambda values: torch.tensor(values, dtype=torch.float64)
    return {"train.losses": as_tensor(losses), "train.grad_norms": as_tensor(norms), "train.rates": as_tensor(rates)}


def compute(name, config, trained, directory):
    """Saves a case's model and expected values; returns the latter."""
    model = make_model(copy.deepcopy(config), seed=sum(map(ord, name)))
    model.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    expected = {"tokens": make_tokens(STEPS if trained else 1, seed=7)}
    loss, logits = loss_of(model, expected["tokens"][0])
    loss.backward()
    expected["logits"] = logits.detach().clone()
    expected["greedy"] = continue_greedily(model, expected["tokens"][0, 0, :4], 16)
    expected["loss"] = loss.detach().to(torch.float64)
    for parameter_name, parameter in model.named_parameters():
        expected["gradient." + parameter_name] = parameter.grad.clone()
    if trained:
        expected |= train(model, expected["tokens"])
    save_file(expected, directory / "expected.safetensors")
    return expected


def check(name, expected):
    """The largest relative difference between new values and those kept, norm-wise."""
    kept = load_file(FIXTURES / name / "expected.safetensors")
    assert kept.keys() == expected.keys(), f"{name}: other tensors"
    differences = {
        key: ((expected[key].double() - kept[key].double()).norm() / kept[key].double().norm().clamp_min(1e-30)).item()
        for key in kept
    }
    worst = max(differences, key=differences.get)
    print(f"{name}: {len(kept)} tensors, largest relative difference {differences[worst]:.1e} ({worst})")
    return differences[worst] < 1e-5


def check_export(name, cli):
    """Our import and export of a case, read by Transformers, must give the case's logits."""
    expected = load_file(FIXTURES / name / "expected.safetensors")
    with tempfile.TemporaryDirectory() as directory:
        imported, exported = pathlib.Path(directory, "imported"), pathlib.Path(directory, "exported")
        run = lambda *arguments: subprocess.run([cli, "checkpoint", *map(str, arguments)], check=True, stdout=sys.stderr)
        run("import-hf", FIXTURES / name, "--save", imported)
        run("export-hf", imported, "--save", exported)
        model = transformers.AutoModelForCausalLM.from_pretrained(exported, attn_implementation="eager")
        logits = model(expected["tokens"][0][:, :-1]).logits
    difference = ((logits - expected["logits"]).norm() / expected["logits"].norm()).item()
    print(f"{name}: exported model read by Transformers, logits differ by {difference:.1e}")
    return difference < 1e-6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the fixtures instead of writing them")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    good = True
    for name, (config, trained) in cases().items():
        if arguments.check:
            with tempfile.TemporaryDirectory() as directory:
                good &= check(name, compute(name, config, trained, pathlib.Path(directory)))
            if "PRIMUS_CLI" in os.environ:
                good &= check_export(name, os.environ["PRIMUS_CLI"])
        else:
            (FIXTURES / name).mkdir(parents=True, exist_ok=True)
            expected = compute(name, config, trained, FIXTURES / name)
            print(f"{name}: loss {expected['loss'].item():.6f}")
    if not arguments.check:
        (FIXTURES / "training.json").write_text(json.dumps({**TRAINING, "steps": STEPS}, indent=2) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
