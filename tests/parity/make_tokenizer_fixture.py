#!/usr/bin/env python3
"""Writes tests/tokenizer/fixtures with Hugging Face's tokenizers, tiktoken and sentencepiece, the references of
our tokenizers: small tokenizers of every family, and the ids that the references give for awkward texts.

Needs tokenizers, tiktoken and sentencepiece. Run it only to change the fixtures; the tests read them.
"""

import base64
import io
import json
from pathlib import Path

import sentencepiece
import tiktoken
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FIXTURES = Path(__file__).resolve().parents[1] / "tokenizer" / "fixtures"

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TIKTOKEN_V2 = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
               r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
               r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

CORPUS = [
    "the quick brown fox jumps over the lazy dog", "She sells sea shells by the sea shore; the shells she sells",
    "How much wood would a woodchuck chuck if a woodchuck could chuck wood?", "It's 1984, and they'll see 2024!",
    "Größe, naïveté, façade, Ελλάδα, Россия, 日本語, 한국어", "    indented\n\n\tcode: x += 10_000;\r\n",
    "aaaaaaaa bbbb abababab aabbaabb", "I've I'm we're he'd DON'T can't",
] * 3

TEXTS = [
    "", " ", "a", "the quick brown fox", "  two  spaces  ", "tab\tand\nnew\r\nlines\n\n\n  end   ",
    "I'll he'd WE'RE don't 'tis it’s", "12345 1,234.56 7e-3 ①②", "naïve café Größe ñ Ω≈ç√∫",
    "e\u0301 vs \u00e9, A\u030a", "日本語テキスト 中文 한국어 ไทย हिन्दी", "emoji 👍🏽 👩‍👩‍👧‍👦 🇩🇪 end", "a\u00a0b\u2003c\u3000d\u180ee\u200bf\u2028g\x85h",
    "def f(x):\n    return x**2  # comment\n", "<|endoftext|>", "one<|endoftext|>two <|endoftext|> three",
    "<|end", "<s>hi</s>", "   <mask>   x", "http://example.com/a?b=c&d=%20", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" * 5,
    "ab" * 60, "x" * 130 + " " * 70 + "y", "\u0000\u0001\x7f", "ﬁ ligature Ⅷ ǅ ʰ", "▁under▁score_", "...!!!???", "end\n",
]


def trained(pre_tokenizer, special, vocab_size=420, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=2, special_tokens=special, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def split(expression, behavior="isolated"):
    return pre_tokenizers.Split(Regex(expression), behavior)


def byte_level(use_regex=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def template(tokenizer, token):
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{token} $A", pair=f"{token} $A {token} $B", special_tokens=[(token, tokenizer.token_to_id(token))])


def gpt2():
    tokenizer = trained(byte_level(use_regex=True), ["<|endoftext|>"])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def gpt2_prefix_space():
    tokenizer = trained(pre_tokenizers.ByteLevel(add_prefix_space=True), ["<|endoftext|>"])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def llama3():
    tokenizer = trained(pre_tokenizers.Sequence([split(LLAMA3), byte_level()]), [], ignore_merges=True)
    # A token that no merge reaches, so that ignore_merges shows.
    state = json.loads(tokenizer.to_str())
    state["model"]["vocab"]["foxtrot"] = len(state["model"]["vocab"])
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.add_special_tokens(["<s>", "</s>", "<|endoftext|>"])
    template(tokenizer, "<s>")
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def qwen():
    tokenizer = trained(pre_tokenizers.Sequence([split(QWEN2), byte_level()]), [])
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.add_tokens([AddedToken("<mask>", lstrip=True, rstrip=True, normalized=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def deepseek():
    cjk = "[一-龥぀-ゟ゠-ヿ]+"
    tokenizer = trained(pre_tokenizers.Sequence([split(r"\p{N}{1,3}"), split(cjk), split(QWEN2), byte_level()]), [])
    tokenizer.add_special_tokens(["<｜begin▁of▁sentence｜>", "<|endoftext|>"])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def behaviors():
    steps = [split(r"\p{N}", "contiguous"), split("x", "merged_with_previous"), split("o", "merged_with_next"),
             pre_tokenizers.Digits(individual_digits=True), split("q", "removed"), byte_level()]
    tokenizer = trained(pre_tokenizers.Sequence(steps), ["<|endoftext|>"])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def llama2_pieces():
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2}
    for byte in range(256):
        vocab[f"<0x{byte:02X}>"] = len(vocab)
    for character in "▁abcdefghijklmnopqrstuvwxyz'.,!?ABCDEFISW0123456789":
        vocab.setdefault(character, len(vocab))
    merges = []
    for left, right in [("t", "h"), ("th", "e"), ("▁", "the"), ("▁", "a"), ("q", "u"), ("i", "c"), ("qu", "ic"),
                        ("quic", "k"), ("▁", "▁"), ("▁▁", "▁▁"), ("a", "a"), ("aa", "aa"), ("e", "n"), ("en", "d")]:
        merges.append((left, right))
        vocab.setdefault(left + right, len(vocab))
    return vocab, merges


def llama2():
    vocab, merges = llama2_pieces()
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    template(tokenizer, "<s>")
    return tokenizer


def metaspace(scheme, fuse):
    vocab, merges = llama2_pieces()
    # Of a first token of several stand-ins the reference drops all when decoding; we keep what was text.
    merges = [merge for merge in merges if "▁" not in merge[1]]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=fuse))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme, split=fuse)
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme=scheme, split=fuse)
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


def write_huggingface():
    made = {"gpt2": gpt2(), "gpt2_prefix_space": gpt2_prefix_space(), "llama3": llama3(), "qwen": qwen(),
            "deepseek": deepseek(), "behaviors": behaviors(), "llama2": llama2(),
            "metaspace_first": metaspace("first", True), "metaspace_always": metaspace("always", False)}
    cases = {}
    for name, tokenizer in made.items():
        (FIXTURES / f"{name}.json").write_text(tokenizer.to_str() + "\n")
        cases[name] = [{"ids": encoding.ids, "decoded": tokenizer.decode(encoding.ids, skip_special_tokens=False),
                        "without_special": tokenizer.encode(text, add_special_tokens=False).ids}
                       for text in TEXTS for encoding in [tokenizer.encode(text)]]
    return cases


def tiktoken_cases():
    model = json.loads(gpt2().to_str())["model"]
    alphabet = {character: byte for byte, character in zip(*bytes_to_characters())}
    pieces = [bytes(alphabet[c] for c in piece) for piece in list(model["vocab"])[1:]]
    # Ranks as tiktoken wants them: the single bytes first, in order.
    ranked = [bytes([b]) for b in range(256)] + [piece for piece in pieces if len(piece) > 1]
    entries = [{"rank": rank, "token_bytes": base64.b64encode(piece).decode(), "token_str": piece.decode(errors="replace")}
               for rank, piece in enumerate(ranked)]
    (FIXTURES / "tiktoken_vocab.json").write_text(json.dumps(entries) + "\n")
    lines = [f"{entry['token_bytes']} {entry['rank']}" for entry in entries]
    (FIXTURES / "tiktoken_vocab.tiktoken").write_text("\n".join(lines) + "\n")
    special = 20
    names = ["<unk>", "<s>", "</s>", "<mask>", "<pad>", "<cls>", "<sep>"] + [f"<SPECIAL_{i}>" for i in range(7, special)]
    encoding = tiktoken.Encoding("fixture", pat_str=TIKTOKEN_V2,
                                 mergeable_ranks={piece: rank + special for rank, piece in enumerate(ranked)},
                                 special_tokens={name: i for i, name in enumerate(names)})
    return {"vocab_size": len(ranked) + special, "special": special,
            "ids": [encoding.encode(text, allowed_special="all") for text in TEXTS]}


def bytes_to_characters():
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [b for b in range(256) if b not in printable]
    return [*printable, *rest], [*map(chr, printable), *(chr(256 + i) for i in range(len(rest)))]


def sentencepiece_cases():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=340, model_type="bpe", byte_fallback=True,
        minloglevel=2, character_coverage=0.98, normalization_rule_name="identity")
    (FIXTURES / "sentencepiece.model").write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    texts = [text for text in TEXTS if "\0" not in text]
    return [{"text": text, "ids": processor.encode(text), "decoded": processor.decode(processor.encode(text))}
            for text in texts]


def training_case():
    state = json.loads(gpt2().to_str())["model"]
    return {"corpus": CORPUS, "vocab": state["vocab"], "merges": state["merges"]}


def main():
    FIXTURES.mkdir(parents=True, exist_ok=True)
    content = {"texts": TEXTS, "huggingface": write_huggingface(), "tiktoken": tiktoken_cases(),
               "sentencepiece": sentencepiece_cases(), "training": training_case()}
    (FIXTURES / "cases.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")


main()
