#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace primus::tokenizer {

/// The parts of a tokenizer.json of Hugging Face's library, for byte-level BPE.

/// A special token, as an element of `added_tokens`.
nlohmann::json special_token_json(std::int64_t id, const std::string& content);

/// The stage that writes bytes in the byte alphabet. `use_regex`: it also cuts words, in GPT-2's way.
nlohmann::json byte_level_json(bool use_regex);

/// `vocabulary`: token → id; `merges`: pairs of tokens. `ignore_merges`: words of the vocabulary are one
/// token.
nlohmann::json bpe_model_json(nlohmann::json vocabulary, nlohmann::json merges, bool ignore_merges);

/// The whole file, without the model.
nlohmann::json tokenizer_json(nlohmann::json added_tokens, nlohmann::json pre_tokenizer);

}  // namespace primus::tokenizer
