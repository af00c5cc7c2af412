"""Full training step of a peer on the shapes of docs/performance.md: forward, backward, clip, AdamW.

    python bench/peers/transformer_step.py --peer hf|hf-compile|nano|nano-compile --shape gpt2|llama110m|tiny
                                           [--micro-batch-size N] [--seq-length N] [--dtype bf16|fp32]

Needs torch, and transformers for the hf peers. Speaks the protocol of `primus-cli benchmark step --blocks`, so that
compare.py can alternate the two: a JSON line after the first step, then for each number of steps read from stdin one
line with their seconds, the rate of a large matrix product of that dtype, and peak memory.
"""

import argparse
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

SHAPES = {
    "gpt2": dict(hidden=768, ffn=3072, layers=12, heads=12, groups=12, vocab=50304, seq=1024, batch=1, llama=False),
    "llama110m": dict(hidden=768, ffn=2048, layers=12, heads=12, groups=4, vocab=32000, seq=1024, batch=2, llama=True),
    "tiny": dict(hidden=256, ffn=688, layers=4, heads=4, groups=4, vocab=4096, seq=256, batch=8, llama=True),
}


class NanoBlock(nn.Module):
    """A GPT-2 block as one writes it by hand, on scaled_dot_product_attention."""

    def __init__(self, shape):
        super().__init__()
        h, f = shape["hidden"], shape["ffn"]
        self.heads = shape["heads"]
        self.norm_1, self.norm_2 = nn.LayerNorm(h), nn.LayerNorm(h)
        self.qkv, self.projection = nn.Linear(h, 3 * h), nn.Linear(h, h)
        self.up, self.down = nn.Linear(h, f), nn.Linear(f, h)

    def forward(self, x):
        b, s, h = x.shape
        parts = self.qkv(self.norm_1(x)).view(b, s, 3, self.heads, h // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        x = x + self.projection(y.transpose(1, 2).reshape(b, s, h))
        return x + self.down(F.gelu(self.up(self.norm_2(x)), approximate="tanh"))


class Nano(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.tokens = nn.Embedding(shape["vocab"], shape["hidden"])
        self.positions = nn.Embedding(shape["seq"], shape["hidden"])
        self.blocks = nn.ModuleList(NanoBlock(shape) for _ in range(shape["layers"]))
        self.norm = nn.LayerNorm(shape["hidden"])

    def forward(self, tokens, labels):
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten())


class HuggingFace(nn.Module):
    def __init__(self, shape):
        super().__init__()
        import transformers

        if shape["llama"]:
            config = transformers.LlamaConfig(
                vocab_size=shape["vocab"], hidden_size=shape["hidden"], intermediate_size=shape["ffn"],
                num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"],
                num_key_value_heads=shape["groups"], max_position_embeddings=shape["seq"],
                attn_implementation="sdpa", use_cache=False)
            self.model = transformers.LlamaForCausalLM(config)
        else:
            config = transformers.GPT2Config(
                vocab_size=shape["vocab"], n_embd=shape["hidden"], n_layer=shape["layers"], n_head=shape["heads"],
                n_positions=shape["seq"], attn_pdrop=0, embd_pdrop=0, resid_pdrop=0, use_cache=False)
            self.model = transformers.GPT2LMHeadModel(config)

    def forward(self, tokens, labels):
        logits = self.model(tokens).logits
        return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten())


def step_flops(shape):
    """6 x parameters of matrix products x tokens, and causal attention."""
    h, head = shape["hidden"], shape["hidden"] // shape["heads"]
    attention = h * (h + 2 * shape["groups"] * head) + h * h
    mlp = (3 if shape["llama"] else 2) * h * shape["ffn"]
    parameters = shape["layers"] * (attention + mlp) + h * shape["vocab"]
    tokens = shape["batch"] * shape["seq"]
    return 6 * parameters * tokens + 6 * shape["layers"] * shape["batch"] * h * shape["seq"] ** 2


def gemm_rate(dtype):
    a = torch.randn(1536, 1536).to(dtype)
    best = 0.0
    for _ in range(3):
        start = time.perf_counter()
        a @ a
        best = max(best, 2 * 1536**3 / (time.perf_counter() - start) / 1e9)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", choices=["hf", "hf-compile", "nano", "nano-compile"], required=True)
    parser.add_argument("--shape", choices=sorted(SHAPES), required=True)
    parser.add_argument("--micro-batch-size", type=int)
    parser.add_argument("--seq-length", type=int)
    parser.add_argument("--dtype", choices=["bf16", "fp32"], default="bf16")
    options = parser.parse_args()
    shape = dict(SHAPES[options.shape])
    shape["batch"] = options.micro_batch_size or shape["batch"]
    shape["seq"] = options.seq_length or shape["seq"]
    dtype = torch.bfloat16 if options.dtype == "bf16" else torch.float32

    torch.manual_seed(0)
    model = (HuggingFace if options.peer.startswith("hf") else Nano)(shape)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.1, fused=True)
    forward = torch.compile(model) if options.peer.endswith("compile") else model
    tokens = torch.randint(shape["vocab"], (shape["batch"], shape["seq"] + 1))

    def step():
        # fp32 weights and bf16 arithmetic, as these peers train.
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = forward(tokens[:, :-1], tokens[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def timed_step():
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    def say(**line):
        print(json.dumps(line), flush=True)

    say(first_step_s=timed_step(), flops=step_flops(shape), threads=torch.get_num_threads())
    for line in sys.stdin:
        seconds = [timed_step() for _ in range(int(line))]
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        say(seconds=seconds, gemm_gflops=gemm_rate(dtype), peak_mb=peak_mb)


if __name__ == "__main__":
    main()
