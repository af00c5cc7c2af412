#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace primus::tokenizer::testing {

inline std::string fixture(const std::string& name) {
  return std::string(PRIMUS_SOURCE_DIR) + "/tests/tokenizer/fixtures/" + name;
}

/// What Hugging Face's tokenizers, tiktoken and sentencepiece gave (tests/parity/make_tokenizer_fixture.py).
inline nlohmann::json cases() { return nlohmann::json::parse(std::ifstream(fixture("cases.json"))); }

}  // namespace primus::tokenizer::testing
