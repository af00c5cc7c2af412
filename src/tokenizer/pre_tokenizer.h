#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/split_pattern.h"

namespace primus::tokenizer {

/// The `pre_tokenizer` of a Hugging Face tokenizer.json: cuts a text into the words that are tokenized one by
/// one. Known: ByteLevel, Split, Digits, Metaspace, and Sequences of these.
class PreTokenizer {
 public:
  /// GPT-2's: ByteLevel with its own pattern and without a prefix space.
  static PreTokenizer gpt2();
  /// A byte-level one that cuts with any expression, each match a word.
  static PreTokenizer byte_level_with(std::string_view expression);

  PreTokenizer() = default;
  /// `description` is null or the JSON object. Throws UserError for a kind that is not known.
  explicit PreTokenizer(const nlohmann::json& description);

  /// Whether the vocabulary behind is written in the byte alphabet.
  bool byte_level() const { return byte_level_; }

  /// The words of `segment`, which may be changed on the way (prefix space, Metaspace). `at_text_start`:
  /// whether the segment opens the text, that is, no added token stands before it.
  std::vector<Range> split(std::string& segment, bool at_text_start) const;

 private:
  /// What becomes of the matches of a pattern.
  enum class Behavior { isolated, removed, contiguous, merged_with_previous, merged_with_next };
  enum class PrefixScheme { never, first, always };
  struct Step {
    SplitPattern pattern;
    Behavior behavior = Behavior::isolated;
    bool invert = false;
  };
  struct Piece {
    Range range;
    bool matched;
  };

  void add(const nlohmann::json& description);
  void add_split(const nlohmann::json& description);
  void add_byte_level(const nlohmann::json& description);
  void add_metaspace(const nlohmann::json& description);
  static Behavior parse_behavior(const std::string& name);
  static std::vector<Piece> cut(std::string_view segment, const Range& word, const Step& step);
  static void apply(std::string_view segment, const Range& word, const Step& step, std::vector<Range>& words);
  void add_prefix(std::string& segment, bool at_text_start) const;

  std::vector<Step> steps_;
  bool byte_level_ = false;
  bool prefix_space_ = false;
  /// What stands for a space; empty without Metaspace.
  std::string metaspace_;
  PrefixScheme scheme_ = PrefixScheme::never;
};

}  // namespace primus::tokenizer
