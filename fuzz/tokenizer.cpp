#include <algorithm>
#include <stdexcept>

#include "core/error.h"
#include "fuzz/input_files.h"
#include "fuzz/targets.h"
#include "tokenizer/tokenizer.h"

namespace primus::fuzz {

namespace {

using tokenizer::TokenId;
using tokenizer::Tokenizer;

constexpr std::string_view texts[] = {"", "hello  world 1234\n\n<s>it's",
                                      " caf\u00e9 \u4f60\u597d \U0001F600\u0301 <|endoftext|>",
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

/// A tokenizer that was made can be used: ids lie in the vocabulary, and all of it can be decoded.
void use(const Tokenizer& tokenizer) {
  const std::int64_t size = tokenizer.vocab_size();
  for (const std::string_view text : texts) {
    try {
      const std::vector<TokenId> ids = tokenizer.encode(text);
      const auto outside = [&](TokenId id) { return id < 0 || id >= size; };
      if (std::ranges::any_of(ids, outside)) throw std::logic_error("an id outside of the vocabulary");
      tokenizer.decode(ids);
    } catch (const UserError&) {  // this text has no ids, the next may have
    }
  }
  for (TokenId id = 0; id < std::min<std::int64_t>(size, 300); ++id) {
    try {
      tokenizer.decode(std::vector<TokenId>{id});
    } catch (const UserError&) {  // a hole in the vocabulary
    }
  }
  for (const auto& special : {tokenizer.eod(), tokenizer.bos(), tokenizer.eos(), tokenizer.pad()}) {
    if (special && (*special < 0 || *special >= size))
      throw std::logic_error("a special token outside of the vocabulary");
  }
}

}  // namespace

/// The sections tokenizer.json, tokenizer_config.json and special_tokens_map.json.
void read_huggingface_tokenizer(std::string_view bytes) {
  const InputFiles files(bytes);
  use(*tokenizer::make_tokenizer({.type = "HuggingFaceTokenizer", .model = files.folder().string()}));
}

/// Lines of base64 and rank, or a JSON list.
void read_tiktoken_vocabulary(std::string_view bytes) {
  const InputFiles files(bytes.starts_with('[') ? "v.json" : "v.tiktoken", bytes);
  const std::string file = (files / (bytes.starts_with('[') ? "v.json" : "v.tiktoken")).string();
  use(*tokenizer::make_tokenizer(
      {.type = "TikTokenizer", .model = file, .vocab_size = 12, .tiktoken_num_special_tokens = 8}));
}

void read_sentencepiece_model(std::string_view bytes) {
  const InputFiles files("tokenizer.model", bytes);
  for (const char* type : {"SentencePieceTokenizer", "Llama2Tokenizer"})
    use(*tokenizer::make_tokenizer({.type = type, .model = (files / "tokenizer.model").string()}));
}

}  // namespace primus::fuzz
