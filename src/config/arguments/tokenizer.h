#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Tokenizer and vocabulary.
// clang-format off: one row is one line, or a few.
inline constexpr Argument tokenizer_arguments[] = {
    {"allow_ambiguous_pad_tokens", boolean, "false", not_yet,
     "Accept a tokenizer whose padding token is also an ordinary token."},
    {"legacy_tokenizer", boolean, "false", not_yet,
     "Use Megatron's tokenizers from before its tokenizer library."},
    {"make_vocab_size_divisible_by", integer, "128", implemented,
     "The vocabulary is padded to a multiple of this times the tensor-parallel size.",
     {.range = positive}},
    {"merge_file", text, "null", implemented, "BPE merges of a GPT-2 tokenizer.",
     {.null = true, .when = "!mock_data and tokenizer_type=GPT2BPETokenizer|null"}},
    {"padded_vocab_size", integer, "null", implemented,
     "Rows of the embedding, for a model that has more of them than its tokenizer has entries; null: the "
     "tokenizer's entries, padded by make_vocab_size_divisible_by.",
     {.null = true, .range = positive}},
    {"tiktoken_num_special_tokens", integer, "1000", implemented,
     "How many special tokens a tiktoken vocabulary has.", {.range = {.low = 7}, .when = "tokenizer_type=TikTokenizer"}},
    {"tiktoken_pattern", text, "null", implemented,
     "Pattern that splits text for tiktoken: v1 or v2.",
     {.null = true, .choices = "v1|v2", .when = "tokenizer_type=TikTokenizer"}},
    {"tiktoken_special_tokens", texts, "null", not_yet,
     "Names of the special tokens of a tiktoken vocabulary.",
     {.null = true, .when = "tokenizer_type=TikTokenizer"}},
    {"tokenizer_hf_include_special_tokens", boolean, "true", not_yet,
     "Let a Hugging Face tokenizer add its special tokens."},
    {"tokenizer_hf_no_include_special_tokens", boolean, "false", implemented,
     "Keep a Hugging Face tokenizer from adding its special tokens."},
    {"tokenizer_hf_no_use_fast", boolean, "false", python_only,
     "Use the slow Python version of a Hugging Face tokenizer."},
    {"tokenizer_hf_use_fast", boolean, "true", python_only,
     "Use the fast version of a Hugging Face tokenizer."},
    {"tokenizer_metadata", text, "null", not_yet,
     "File or map that describes the tokenizer.", {.null = true}},
    {"tokenizer_model", text, "null", implemented,
     "The tokenizer's file or folder: tokenizer.json, a SentencePiece model, a tiktoken vocabulary.",
     {.null = true, .when = "!mock_data and tokenizer_type!=NullTokenizer|GPT2BPETokenizer|null"}},
    {"tokenizer_sentencepiece_legacy", boolean, "false", not_yet,
     "Treat special tokens as old SentencePiece wrappers did."},
    {"tokenizer_special_tokens", texts, "null", not_yet, "Additional special tokens.", {.null = true}},
    {"tokenizer_type", text, "null", only("GPT2BPETokenizer|SentencePieceTokenizer|GPTSentencePieceTokenizer|HuggingFaceTokenizer|Llama2Tokenizer"
          "|TikTokenizer|NullTokenizer|DeepSeekV4Tokenizer|Llama4Tokenizer|DeepSeekV2Tokenizer|Llama3Tokenizer"
          "|DeepSeekV3Tokenizer|MixtralTokenizer|Lfm2Tokenizer|KimiK2Tokenizer|ByteLevelTokenizer|null"),
     "Kind of tokenizer.",
     {.null = true, .choices =
          "BertWordPieceLowerCase|BertWordPieceCase|GPT2BPETokenizer|SentencePieceTokenizer"
          "|GPTSentencePieceTokenizer|HuggingFaceTokenizer|Llama2Tokenizer|TikTokenizer"
          "|MultimodalTokenizer|NullTokenizer|NullMultimodalTokenizer|SFTTokenizer"
          "|DeepSeekV4Tokenizer|Llama4Tokenizer|DeepSeekV2Tokenizer|Llama3Tokenizer"
          "|DeepSeekV3Tokenizer|MixtralTokenizer|Lfm2Tokenizer|KimiK2Tokenizer"
          "|ByteLevelTokenizer", .when = "!mock_data"}},
    {"trust_remote_code", boolean, "false", python_only,
     "Let a Hugging Face tokenizer run Python code that comes with it."},
    {"vocab_extra_ids", integer, "0", not_yet, "Additional entries at the end of the vocabulary."},
    {"vocab_file", text, "null", implemented, "Vocabulary of a GPT-2 or BERT tokenizer.",
     {.null = true, .when = "!mock_data and tokenizer_type=GPT2BPETokenizer|null"}},
    {"vocab_size", integer, "null", implemented,
     "Entries of the vocabulary before padding; null: as many as the tokenizer has.",
     {.null = true, .range = positive,
      .when = "mock_data or tokenizer_type=NullTokenizer|TikTokenizer"}},
};
// clang-format on

}  // namespace primus::config::table
