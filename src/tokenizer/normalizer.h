#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace primus::tokenizer {

/// The `normalizer` of a Hugging Face tokenizer.json: what is done to a text before it is cut into words.
/// Known: NFC, Prepend, Replace (of a fixed string), and Sequences of these.
class Normalizer {
 public:
  Normalizer() = default;
  /// `description` is null or the JSON object. Throws UserError for a kind that is not known.
  explicit Normalizer(const nlohmann::json& description);

  void apply(std::string& text) const;

 private:
  struct Step {
    enum class Kind { nfc, prepend, replace } kind;
    std::string from;
    std::string to;
  };
  void add(const nlohmann::json& description);

  std::vector<Step> steps_;
};

/// Replaces every occurrence of `from`, which must not be empty, by `to`.
void replace_all(std::string& text, const std::string& from, const std::string& to);

}  // namespace primus::tokenizer
