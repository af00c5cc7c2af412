#!/usr/bin/env python3
"""Writes the seeds in fuzz/corpus of formats that other programs write, each by the original library and tiny, so that
the fuzzer starts from files that are read to their end.

Needs torch, safetensors, tokenizers, sentencepiece and transformers. Run it only to change the seeds.
"""

import base64
import io
import json
import struct
from pathlib import Path

import safetensors.torch
import sentencepiece
import torch
import transformers
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors)

CORPUS = Path(__file__).resolve().parents[2] / "fuzz" / "corpus"


def write(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def sections(files):
    return b"\n".join(b"--- %s\n%s" % (name.encode(), content if isinstance(content, bytes) else content.encode())
                      for name, content in files.items())


def index(code, bytes_per_token, lengths, boundaries, modes=b""):
    """An .idx file of Megatron's behind the size of its .bin."""
    offsets = [sum(lengths[:i]) * bytes_per_token for i in range(len(lengths))]
    return (struct.pack("<H", sum(lengths) * bytes_per_token) + b"MMIDIDX\0\0" +
            struct.pack("<QBQQ", 1, code, len(lengths), len(boundaries)) + struct.pack(f"<{len(lengths)}i", *lengths) +
            struct.pack(f"<{len(offsets)}q", *offsets) + struct.pack(f"<{len(boundaries)}q", *boundaries) + modes)


def datasets():
    write("indexed_dataset", "uint16", index(8, 2, [3, 0, 5], [0, 1, 1, 3]))
    write("indexed_dataset", "int32", index(4, 4, [1, 2], [0, 2]))
    write("indexed_dataset", "empty", index(4, 4, [], [0]))
    write("indexed_dataset", "multimodal", index(1, 1, [4, 2], [0, 1, 2], b"\0\1"))


def tensors():
    small = {"a": torch.arange(3, dtype=torch.bfloat16), "b.w": torch.ones(2, 2), "empty": torch.empty(0, 4),
             "scalar": torch.tensor(1, dtype=torch.int64)}
    write("safetensors", "small", safetensors.torch.save(small, metadata={"format": "pt"}))
    write("safetensors", "none", safetensors.torch.save({}))
    write("safetensors", "eights", safetensors.torch.save(
        {"f": torch.ones(2).to(torch.float8_e4m3fn), "m": torch.tensor([True, False])}))


def byte_level_tokenizer():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {piece: i for i, piece in enumerate(["<s>", "</s>", *"abhelo1", "Ġ", "Ċ", "he", "ll", "hell"])}
    assert set("abhelo1ĠĊ") <= set(alphabet)
    tokenizer = Tokenizer(models.BPE(vocab, [("h", "e"), ("l", "l"), ("he", "ll")], unk_token="<s>", ignore_merges=True))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\s+(?!\S)|\p{N}{1,3}|[^\r\n\p{L}]?\p{L}+"), "isolated"),
         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.add_tokens([AddedToken("<mask>", lstrip=True, rstrip=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def metaspace_tokenizer():
    vocab = {piece: i for i, piece in enumerate(["<unk>", "<s>", "</s>", "<0x0A>", "<0x31>", "▁", *"abhelo", "▁h", "el"])}
    tokenizer = Tokenizer(models.BPE(vocab, [("▁", "h"), ("e", "l")], unk_token="<unk>", fuse_unk=True,
                                     byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    return tokenizer


def digits_tokenizer():
    vocab = {piece: i for i, piece in enumerate(["▁", *"abhelo12", "lo"])}
    tokenizer = Tokenizer(models.BPE(vocab, [("l", "o")]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace("▁", "first"), pre_tokenizers.Digits(individual_digits=True),
         pre_tokenizers.Split("x", "merged_with_next", invert=True)])
    tokenizer.decoder = decoders.Metaspace("▁", "first")
    return tokenizer


def tokenizers():
    pad = {"content": "<pad>", "special": True, "lstrip": False, "rstrip": False, "single_word": False,
           "normalized": False}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": {"content": "</s>"},
              "add_bos_token": True, "pad_token": "<pad>"}
    for name, tokenizer in {"byte_level": byte_level_tokenizer(), "metaspace": metaspace_tokenizer(),
                            "digits": digits_tokenizer()}.items():
        files = {"tokenizer.json": json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False)}
        if name != "digits":
            next_id = str(tokenizer.get_vocab_size(with_added_tokens=True))
            files["tokenizer_config.json"] = json.dumps({**config, "added_tokens_decoder": {next_id: pad}})
        write("huggingface_tokenizer", name, sections(files))
    ranks = [base64.b64encode(piece).decode() for piece in [b"a", b"b", b"ab", b"\xff\n"]]
    write("tiktoken_vocabulary", "lines", "".join(f"{piece} {rank}\n" for rank, piece in enumerate(ranks)))
    write("tiktoken_vocabulary", "list", json.dumps(
        [{"rank": rank, "token_bytes": piece, "token_str": "x"} for rank, piece in enumerate(ranks)]))


def sentencepiece_models():
    text = ["hello world", "a low hello", "he sells shells"] * 20
    for kind, options in {"bpe": {"byte_fallback": True}, "unigram": {"normalization_rule_name": "identity"}}.items():
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(text), model_writer=model, model_type=kind, character_coverage=1.0, minloglevel=2,
            vocab_size=290 if kind == "bpe" else 16, hard_vocab_limit=False, bos_id=1, eos_id=2, pad_id=3,
            **({"normalization_rule_name": "identity"} | options))
        write("sentencepiece_model", kind, model.getvalue())


def model(config):
    """A directory as save_pretrained writes it."""
    torch.manual_seed(0)
    made = transformers.AutoModelForCausalLM.from_config(config).to(torch.bfloat16)
    tied = config.tie_word_embeddings
    state = {name: value.contiguous() for name, value in made.state_dict().items() if not (tied and "lm_head" in name)}
    return json.loads(config.to_json_string()), state


def huggingface_models():
    sizes = dict(hidden_size=8, intermediate_size=4, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
                 vocab_size=5, max_position_embeddings=16, dtype="bfloat16")
    llama3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
              "high_freq_factor": 4.0, "original_max_position_embeddings": 8}
    configs = {"llama": transformers.LlamaConfig(**sizes, rope_parameters=llama3, tie_word_embeddings=False),
               "qwen2": transformers.Qwen2Config(**sizes, tie_word_embeddings=True),
               "qwen3": transformers.Qwen3Config(**sizes, head_dim=4)}
    for name, config in configs.items():
        text, state = model(config)
        files = {"config.json": json.dumps(text)}
        if name == "qwen2":
            files["model.safetensors.index.json"] = json.dumps({"metadata": {}, "weight_map": dict.fromkeys(state, "m")})
        files["m" if name == "qwen2" else "model.safetensors"] = safetensors.torch.save(state)
        write("huggingface_model", name, sections(files))


def checkpoints():
    """Ours, of each format: the files that tests/cli keeps."""
    for folder in sorted((CORPUS.parents[1] / "tests/cli/fixtures").glob("format_*")):
        saved = folder / "iter_0000004"
        write("checkpoint", folder.name, sections({name: (saved / name).read_bytes() for name in ("index.json", "common.json")}))


def launchers():
    torchrun = {"RANK": 3, "WORLD_SIZE": 8, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": 29500, "PRIMUS_RESTART_COUNT": 1, "PRIMUS_RUN_BEGAN": 1700000000}
    slurm = {"SLURM_PROCID": 1, "SLURM_STEP_NUM_TASKS": 4, "SLURM_LOCALID": 1, "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
             "SLURM_STEP_NODELIST": "gpu[007-009,12],login", "SLURM_JOB_NODELIST": "gpu[007-009,12],login",
             "SLURM_NODEID": 0, "SLURM_JOB_ID": 77, "SLURM_STEP_ID": 0, "SLURM_NTASKS": 4}
    racks = slurm | {"SLURM_STEP_NODELIST": "rack[1-2]n[03-04]", "SLURM_JOB_NODELIST": "rack[1-2]n[03-04]",
                     "MASTER_ADDR": "10.0.0.1", "SLURM_NODEID": 1}
    open_mpi = {"OMPI_COMM_WORLD_RANK": 0, "OMPI_COMM_WORLD_SIZE": 2, "OMPI_COMM_WORLD_LOCAL_RANK": 0,
                "OMPI_COMM_WORLD_LOCAL_SIZE": 2, "PMIX_NAMESPACE": "1234.0"}
    pmi = {"PMI_RANK": 0, "PMI_SIZE": 2, "MPI_LOCALRANKID": 0, "MPI_LOCALNRANKS": 1, "MASTER_ADDR": "10.0.0.1"}
    for name, variables in {"torchrun": torchrun, "slurm": slurm, "slurm_racks": racks, "open_mpi": open_mpi,
                            "pmi": pmi}.items():
        write("launcher_environment", name, "".join(f"{key}={value}\n" for key, value in variables.items()))


if __name__ == "__main__":
    datasets()
    tensors()
    tokenizers()
    sentencepiece_models()
    huggingface_models()
    checkpoints()
    launchers()
