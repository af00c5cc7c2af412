#!/usr/bin/env python3
"""Writes tests/tokenizer/fixtures with Hugging Face's tokenizers and transformers, tiktoken and sentencepiece, the
references of our tokenizers: small tokenizers of every family, and the ids that the references give for awkward texts.

Needs tokenizers, transformers, tiktoken and sentencepiece. Run it only to change the fixtures; the tests read them.
"""

import base64
import io
import json
import tempfile
from pathlib import Path

import sentencepiece
import tiktoken
import transformers
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


def split_digits_by_three():
    tokenizer = trained(pre_tokenizers.Sequence([split(LLAMA3.replace("{1,3}", "{1,3}+")), byte_level()]), [])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def kimi():
    han = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"
    tokenizer = trained(pre_tokenizers.Sequence([split(r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?" + han + "|" + QWEN2), byte_level()]), [])
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.StripAccents()])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def falcon():
    steps = [pre_tokenizers.Punctuation("contiguous"), byte_level(use_regex=True), pre_tokenizers.Digits(False),
             split("[0-9][0-9][0-9]")]
    tokenizer = trained(pre_tokenizers.Sequence(steps), ["<|endoftext|>"])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def words():
    tokenizer = trained(pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.FixedLength(length=3),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)]), [])
    tokenizer.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.Replace(Regex(r"\d+"), "0")])
    tokenizer.post_processor = processors.RobertaProcessing(("!", 1), ("0", 2))
    return tokenizer


def byte_normalizer():
    tokenizer = trained(split(r"\s+|[^\s]+"), [])
    tokenizer.normalizer = normalizers.ByteLevel()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def gemma():
    vocab, merges = llama2_pieces()
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def metaspace_sequence():
    vocab, merges = llama2_pieces()
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(True), pre_tokenizers.Metaspace("▁", "first"), pre_tokenizers.CharDelimiterSplit("b")])
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def added():
    """Every property of an added token."""
    tokenizer = trained(pre_tokenizers.Sequence([split(QWEN2), byte_level()]), [])
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_tokens([AddedToken("<mask>", lstrip=True, normalized=False), AddedToken("fox", single_word=True),
                          AddedToken("\n\n", rstrip=True), AddedToken("é"), AddedToken("▁", special=True),
                          AddedToken("  ", normalized=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def write_huggingface():
    made = {"gpt2": gpt2(), "gpt2_prefix_space": gpt2_prefix_space(), "llama3": llama3(), "qwen": qwen(),
            "deepseek": deepseek(), "behaviors": behaviors(), "llama2": llama2(),
            "metaspace_first": metaspace("first", True), "metaspace_always": metaspace("always", False),
            "split_digits_by_three": split_digits_by_three(), "kimi": kimi(), "falcon": falcon(), "words": words(),
            "byte_normalizer": byte_normalizer(), "gemma": gemma(), "metaspace_sequence": metaspace_sequence(),
            "added": added()}
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


EXPRESSIONS = [
    r"\w+", r"\W", r"\b", r"\d{2}", r"\h+", r"[\w-]+", r"[^\S\n]+", r"[\S&&[^a-z]]+", r"[[:alpha:]]+", r"[[:^punct:]]+",
    r"\p{Han}|\p{Hiragana}+", r"\P{L}+", r"\p{^L}", r"^.", r".$", r"(?m:.)\z", r"a{,2}", r"a{2}?", r"\R", r"\N+", r"(?<=a)b",
    r"x*", r"(?i)THE|K", r"[a[bc]&&[^b]]+", r"[^a[bc]]", r"\u0061|\x{62}", r"[]a]", r"\p{Uppercase_Letter}", r"(?<name>a)b?",
    r"\p{Punct}", r"[[:word:]]+", r"(?m)a.b", r"a(?i)b|c", r"1{1,3}+", r"1{2}+", r"(?=(\d{3})+(?!\d))", r"\e|\a|\v", r"a**",
]
EXPRESSION_TEXT = "a\nb aab AB bé 日本、々ひ ²½ 1234567 111111 \u180e\x85x-_\x0b\x1b THE ſK\u212a ABBA\r\n «a.b» 'z'"


def expression_cases():
    """What Oniguruma makes of expressions that other engines read otherwise."""
    return [{"expression": expression, "pieces": [piece for piece, _ in split(expression).pre_tokenize_str(EXPRESSION_TEXT)]}
            for expression in EXPRESSIONS]


CONFIGURATIONS = [
    ("gpt2", {"eos_token": "<|endoftext|>", "pad_token": "<pad>"}),
    ("gpt2", {"eos_token": {"__type": "AddedToken", "content": "<eos>", "lstrip": True, "rstrip": False, "normalized": False,
                            "single_word": False}, "additional_special_tokens": ["<x>", "fox"]}),
    ("gpt2", {"bos_token": "the", "sep_token": "</s>", "split_special_tokens": True}),
    ("gpt2", {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False}),
    ("gpt2", {"tokenizer_class": "Qwen2Tokenizer", "unk_token": None, "pad_token": None, "eos_token": "<eos>"}),
    ("llama3", {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True, "add_eos_token": False}),
    ("gpt2", {"added_tokens_decoder": {"0": {"content": "<|endoftext|>", "lstrip": True, "rstrip": False, "normalized": False,
                                             "single_word": False, "special": True}}}),
]
CONFIGURED_TEXTS = ["the fox <x> </s> x", "one <|endoftext|> two  <eos><pad>"]


def configured_cases():
    """What tokenizer_config.json changes, where Transformers 4 and 5 agree."""
    cases = []
    for file, config in CONFIGURATIONS:
        config = {"tokenizer_class": "PreTrainedTokenizerFast", **config}
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "tokenizer.json").write_text((FIXTURES / f"{file}.json").read_text())
            (Path(directory) / "tokenizer_config.json").write_text(json.dumps(config))
            (Path(directory) / "config.json").write_text("{}")
            tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
        cases.append({"file": file, "config": config, "size": len(tokenizer), "ids": tokenizer(CONFIGURED_TEXTS).input_ids})
    return {"texts": CONFIGURED_TEXTS, "cases": cases}


def llama3_tiktoken_cases():
    """The vocabulary of tiktoken_vocab.tiktoken with Llama 3's pattern, in a file of 128,000 entries."""
    lines = (FIXTURES / "tiktoken_vocab.tiktoken").read_text().split()
    ranks = {base64.b64decode(piece): int(rank) for piece, rank in zip(lines[::2], lines[1::2])}
    special = {"<|begin_of_text|>": 128000, "<|end_of_text|>": 128001, "<|eot_id|>": 128009}
    encoding = tiktoken.Encoding("llama3", pat_str=LLAMA3, mergeable_ranks=ranks, special_tokens=special)
    texts = TEXTS + ["<|begin_of_text|>the fox<|eot_id|> 1234<|end_of_text|>"]
    return {"texts": texts, "ids": [encoding.encode(text, allowed_special="all") for text in texts]}


def main():
    FIXTURES.mkdir(parents=True, exist_ok=True)
    content = {"texts": TEXTS, "huggingface": write_huggingface(), "tiktoken": tiktoken_cases(),
               "sentencepiece": sentencepiece_cases(), "training": training_case(),
               "expressions": {"text": EXPRESSION_TEXT, "cases": expression_cases()}, "configured": configured_cases(),
               "llama3_tiktoken": llama3_tiktoken_cases()}
    (FIXTURES / "cases.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")


main()
