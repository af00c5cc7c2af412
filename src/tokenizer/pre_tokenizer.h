#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/split_pattern.h"

namespace primus {
class JsonObject;
}

namespace primus::tokenizer {

/// The `pre_tokenizer` of a Hugging Face tokenizer.json: cuts a text into the words that are tokenized one by
/// one. Known: ByteLevel, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, CharDelimiterSplit,
/// FixedLength, Metaspace, and Sequences of these.
class PreTokenizer {
 public:
  /// GPT-2's: ByteLevel with its own pattern and without a prefix space.
  static PreTokenizer gpt2();
  /// A byte-level one that cuts as tiktoken does: each match of the expression is a word.
  static PreTokenizer tiktoken(std::string_view expression);

  PreTokenizer() = default;
  /// `description` is the JSON object; `path` is its place in the file. Throws UserError for a kind or an
  /// option that is not known.
  PreTokenizer(const nlohmann::json& description, const std::string& path);

  /// Whether words are bytes, and the vocabulary behind is written in the byte alphabet.
  bool byte_level() const { return byte_level_; }
  /// Whether a text gets something in front.
  bool adds_prefix() const { return adds_prefix_; }

  /// The words of `segment`, which may be changed on the way (prefix space, Metaspace). `at_text_start`:
  /// whether the segment opens the text, that is, no added token stands before it.
  std::vector<Range> split(std::string& segment, bool at_text_start) const;

 private:
  /// A text under way: `words` are ranges of `text` in ascending order, none empty.
  struct Words {
    std::string text;
    std::vector<Range> words;
    /// Whether the first word opens the whole text.
    bool opens_text = false;

    /// Replaces each word by what `write(word, opens_text, result)` appends to `result`.
    template <typename Write>
    void rewrite(Write write) {
      std::string result;
      for (std::size_t i = 0; i < words.size(); ++i) {
        const std::size_t begin = result.size();
        write(std::string_view(text).substr(words[i].begin, words[i].end - words[i].begin),
              opens_text && i == 0, result);
        words[i] = {begin, result.size()};
      }
      text = std::move(result);
    }
  };
  using Step = std::function<void(Words&)>;
  class Cut;

  void add(const nlohmann::json& description, const std::string& path);
  void add_split(const JsonObject& section);
  void add_byte_level(const JsonObject& section);
  void add_metaspace(const JsonObject& section);
  void add_cut(std::string_view expression, std::string_view behavior, bool invert = false);
  /// Turns bytes into their alphabet after all, because another step follows.
  void spell_bytes();

  std::vector<Step> steps_;
  bool byte_level_ = false;
  bool adds_prefix_ = false;
};

}  // namespace primus::tokenizer
