#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace primus {
class JsonObject;
}

namespace primus::tokenizer {

/// The `normalizer` of a Hugging Face tokenizer.json: what is done to a text before it is cut into words.
/// Known: NFC, NFD, NFKC, NFKD (ICU's tables), Lowercase, Strip, StripAccents, Prepend, Replace, ByteLevel,
/// and Sequences of these.
class Normalizer {
 public:
  Normalizer() = default;
  /// `description` is the JSON object; `path` is its place in the file. Throws UserError for a kind or an
  /// option that is not known.
  Normalizer(const nlohmann::json& description, const std::string& path);

  void apply(std::string& text) const;

  /// Whether a text that is not empty gets something in front.
  bool prepends() const { return prepends_; }

 private:
  void add(const nlohmann::json& description, const std::string& path);

  std::vector<std::function<void(std::string&)>> steps_;
  bool prepends_ = false;
};

/// Replaces every occurrence of `from`, which must not be empty, by `to`.
void replace_all(std::string& text, const std::string& from, const std::string& to);

/// The replacement that {pattern: {String | Regex}, content} describes.
std::function<void(std::string&)> read_replacement(const JsonObject& section);

}  // namespace primus::tokenizer
