"""Compares the tokenizer.json that export-hf writes for a TikTokenizer with tiktoken itself, on many texts.

Run with a Python that has tiktoken, tokenizers and transformers, and PRIMUS_CLI set. Prints how many texts get other
ids; exit code 1 when any does.
"""

import base64
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import tiktoken
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

CLI = os.environ["PRIMUS_CLI"]
SOURCE = pathlib.Path(__file__).resolve().parents[2]
SPECIAL = ["<unk>", "<s>", "</s>", "<mask>", "<pad>", "<cls>", "<sep>", *(f"<SPECIAL_{i}>" for i in range(7, 20))]
# Megatron's two patterns, as its TikTokenizer has them.
PATTERNS = {
    "v1": r"[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    "v2": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
          r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|"
          r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
SNIPPETS = ["a", "B", " ", "  ", "\n", "\r\n", "\t", "é", "日本", "١٢", "12345", "'s", "</s>", "<s>", "<SPECIAL_9>", "//",
            "\u00a0", "😀", "ß", "Ǆ", "\u0364", "…", "_", "{", "\u2028", "x\u0301"]
EXPERIMENT = """\
work_group: t
user_name: u
exp_name: {pattern}
workspace: {folder}
modules:
  pre_trainer:
    framework: megatron
    config: pre_trainer.yaml
    model: llama_tiny.yaml
    overrides: {{num_layers: 1, hidden_size: 16, ffn_hidden_size: 16, num_attention_heads: 2, num_query_groups: 2,
      seq_length: 16, max_position_embeddings: 16, micro_batch_size: 1, global_batch_size: 1, train_iters: 1, lr: 0.0,
      min_lr: 0.0, lr_warmup_iters: 0, eval_iters: 0, bf16: false, mock_data: false, split: "100,0,0",
      data_path: {folder}/data_text_document, tokenizer_type: TikTokenizer, tokenizer_model: {folder}/v.tiktoken,
      vocab_size: {size}, tiktoken_num_special_tokens: {special}, tiktoken_pattern: {pattern}, save: checkpoints,
      save_interval: 1}}
"""


def run(*arguments):
    subprocess.run([CLI, *map(str, arguments)], check=True, capture_output=True)


def learn_ranks(corpus):
    """A vocabulary of its own, as tiktoken holds one: bytes -> rank."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=6000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {**{chr(byte): byte for byte in printable}, **{chr(256 + i): byte for i, byte in enumerate(others)}}
    by_id = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    return {bytes(alphabet[c] for c in token): rank for token, rank in by_id}


def make_texts(corpus):
    random.seed(1)
    for content in corpus:
        for _ in range(40):
            start = random.randrange(len(content))
            yield content[start:start + random.randrange(1, 300)]
    for _ in range(20000):
        yield "".join(random.choices(SNIPPETS, k=random.randrange(1, 40)))


def main():
    corpus = [path.read_text() for path in sorted(SOURCE.glob("src/**/*.cpp"))]
    ranks = learn_ranks(corpus)
    texts = list(make_texts(corpus))
    differences = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        lines = (f"{base64.b64encode(piece).decode()} {rank}\n" for piece, rank in ranks.items())
        (folder / "v.tiktoken").write_text("".join(lines))
        (folder / "text").write_text("1 2 3\n" * 100)
        run("data", "preprocess", "--input", folder / "text", "--output_prefix", folder / "data", "--tokenizer_type",
            "NullTokenizer", "--vocab_size", 9)
        for pattern, expression in PATTERNS.items():
            (folder / "exp.yaml").write_text(EXPERIMENT.format(
                folder=folder, pattern=pattern, size=len(ranks) + len(SPECIAL), special=len(SPECIAL)))
            run("train", "pretrain", "--config", folder / "exp.yaml")
            run("checkpoint", "export-hf", folder / "t/u" / pattern / "checkpoints", "--save", folder / pattern)
            # In tiktoken special tokens come behind the ranks, in Megatron's tokenizer before them.
            encoding = tiktoken.Encoding(pattern, pat_str=expression, mergeable_ranks=ranks, special_tokens={
                token: len(ranks) + i for i, token in enumerate(SPECIAL)})
            size = len(ranks) + len(SPECIAL)
            wanted = [[(token + len(SPECIAL)) % size for token in encoding.encode(text, allowed_special="all")]
                      for text in texts]
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder / pattern)
            ids = tokenizer(texts)["input_ids"]
            different = sum(given != expected for given, expected in zip(ids, wanted))
            print(f"{pattern}: {len(texts)} texts, {different} with other ids", flush=True)
            differences += different
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
