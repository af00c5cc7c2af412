"""The peers' models: each a module that takes tokens and labels, and gives the mean loss.

A builder imports its package itself, so that a peer runs without the packages of the others.
"""

import torch
import torch.nn.functional as F
from torch import nn


def cross_entropy(logits, labels):
    return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten())


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
    """GPT-2 with tied embeddings in the style of nanoGPT."""

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
        return cross_entropy(F.linear(self.norm(x), self.tokens.weight), labels)


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
        return cross_entropy(self.model(tokens).logits, labels)


class TorchTitan(nn.Module):
    def __init__(self, shape):
        super().__init__()
        from torchtitan.models.llama3 import Transformer, TransformerModelArgs

        # It computes the width of the MLP itself: two thirds of 4 x hidden, rounded up.
        self.model = Transformer(TransformerModelArgs(
            dim=shape["hidden"], n_layers=shape["layers"], n_heads=shape["heads"], n_kv_heads=shape["groups"],
            vocab_size=shape["vocab"], max_seq_len=shape["seq"], multiple_of=8))
        with torch.no_grad():
            self.model.init_weights()
        width = self.model.layers["0"].feed_forward.w1.out_features
        assert width == shape["ffn"], f"torchtitan made an MLP of width {width}"

    def forward(self, tokens, labels):
        return cross_entropy(self.model(tokens), labels)


class Megatron(nn.Module):
    """megatron-core's GPTModel on its local layer specification, the one that needs no Transformer Engine."""

    def __init__(self, shape):
        super().__init__()
        from megatron.core import parallel_state, tensor_parallel
        from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
        from megatron.core.models.gpt.gpt_model import GPTModel
        from megatron.core.transformer.transformer_config import TransformerConfig

        torch.cuda.current_device = lambda: "cpu"  # where the rotary embedding moves its table
        torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
        parallel_state.initialize_model_parallel()
        tensor_parallel.random.initialize_rng_tracker(inference_rng_tracker=True)  # the other one asks for CUDA
        llama = shape["llama"]
        config = TransformerConfig(
            num_layers=shape["layers"], hidden_size=shape["hidden"], ffn_hidden_size=shape["ffn"],
            num_attention_heads=shape["heads"], num_query_groups=shape["groups"], use_cpu_initialization=True,
            normalization="RMSNorm" if llama else "LayerNorm", gated_linear_unit=llama, add_bias_linear=not llama,
            activation_func=F.silu if llama else F.gelu, hidden_dropout=0, attention_dropout=0)
        self.model = GPTModel(
            config, get_gpt_layer_local_spec(normalization=config.normalization), vocab_size=shape["vocab"],
            max_sequence_length=shape["seq"], share_embeddings_and_output_weights=not llama,
            position_embedding_type="rope" if llama else "learned_absolute")
        seq = shape["seq"]
        self.register_buffer("positions", torch.arange(seq).expand(shape["batch"], seq))
        self.register_buffer("mask", torch.ones(1, 1, seq, seq, dtype=torch.bool).triu(1))

    def forward(self, tokens, labels):
        return self.model(tokens, self.positions, self.mask, labels=labels).mean()


MODELS = {"nano": Nano, "hf": HuggingFace, "torchtitan": TorchTitan, "megatron": Megatron}
PACKAGES = {"nano": "", "hf": "transformers", "torchtitan": "torchtitan==0.2.2 triton", "megatron": "megatron-core"}
