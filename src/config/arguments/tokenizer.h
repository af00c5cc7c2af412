#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Tokenizer and vocabulary.
inline constexpr Argument tokenizer_arguments[] = {
    {"allow_ambiguous_pad_tokens", boolean, "false", not_yet, "Allow ambiguous pad tokens."},
    {"legacy_tokenizer", boolean, "false", not_yet, "Legacy tokenizer."},
    {"make_vocab_size_divisible_by", integer, "128", implemented, "Make vocab size divisible by."},
    {"merge_file", text, "null", implemented, "Merge file.", {.null = true}},
    {"padded_vocab_size", integer, "null", not_yet, "Padded vocab size.", {.null = true}},
    {"tiktoken_num_special_tokens", integer, "1000", implemented, "Tiktoken num special tokens."},
    {"tiktoken_pattern", text, "null", implemented, "Tiktoken pattern.", {.null = true}},
    {"tiktoken_special_tokens", texts, "null", not_yet, "Tiktoken special tokens.", {.null = true}},
    {"tokenizer_hf_include_special_tokens", boolean, "true", not_yet, "Tokenizer hf include special tokens."},
    {"tokenizer_hf_no_include_special_tokens", boolean, "false", implemented,
     "Tokenizer hf no include special tokens."},
    {"tokenizer_hf_no_use_fast", boolean, "false", python_only, "Tokenizer hf no use fast."},
    {"tokenizer_hf_use_fast", boolean, "true", python_only, "Tokenizer hf use fast."},
    {"tokenizer_metadata", text, "null", not_yet, "Tokenizer metadata.", {.null = true}},
    {"tokenizer_model", text, "null", implemented, "Tokenizer model.", {.null = true}},
    {"tokenizer_sentencepiece_legacy", boolean, "false", not_yet, "Tokenizer sentencepiece legacy."},
    {"tokenizer_special_tokens", texts, "null", not_yet, "Tokenizer special tokens.", {.null = true}},
    {"tokenizer_type",
     text,
     "null",
     implemented,
     "Tokenizer type.",
     {.null = true,
      .choices = "BertWordPieceLowerCase|BertWordPieceCase|GPT2BPETokenizer|SentencePieceTokenizer|"
                 "GPTSentencePieceTokenizer|HuggingFaceTokenizer|Llama2Tokenizer|TikTokenizer|"
                 "MultimodalTokenizer|NullTokenizer|NullMultimodalTokenizer|SFTTokenizer|DeepSeekV4Tokenizer|"
                 "Llama4Tokenizer|DeepSeekV2Tokenizer|Llama3Tokenizer|DeepSeekV3Tokenizer|MixtralTokenizer|"
                 "Lfm2Tokenizer|KimiK2Tokenizer"}},
    {"trust_remote_code", boolean, "false", python_only, "Trust remote code."},
    {"vocab_extra_ids", integer, "0", not_yet, "Vocab extra ids."},
    {"vocab_file", text, "null", implemented, "Vocab file.", {.null = true}},
    {"vocab_size", integer, "null", implemented, "Vocab size.", {.null = true}},
};

}  // namespace primus::config::table
