#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace primus::tokenizer {

/// The `decoder` of a Hugging Face tokenizer.json: makes text of tokens. Known: ByteLevel, Metaspace,
/// Replace, ByteFallback, Fuse, Strip, and Sequences of these; without a decoder tokens are joined by spaces.
/// Bytes that are no UTF-8 stay as they are, where the reference writes U+FFFD.
class Decoder {
 public:
  Decoder() = default;
  /// `description` is the JSON object; `path` is its place in the file. Throws UserError for a kind or an
  /// option that is not known.
  Decoder(const nlohmann::json& description, const std::string& path);
  static Decoder byte_level();

  std::string decode(std::vector<std::string> tokens) const;

 private:
  using Step = std::function<void(std::vector<std::string>&)>;
  void add(const nlohmann::json& description, const std::string& path);

  std::vector<Step> steps_;
};

}  // namespace primus::tokenizer
