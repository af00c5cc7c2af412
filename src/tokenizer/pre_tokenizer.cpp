#include "tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <memory>

#include "core/error.h"
#include "core/json_object.h"
#include "core/utf8.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/normalizer.h"

namespace primus::tokenizer {

/// Cuts words at the matches of a pattern.
class PreTokenizer::Cut {
 public:
  Cut(SplitPattern pattern, std::string_view behavior, bool invert)
      : pattern_(std::make_shared<const SplitPattern>(std::move(pattern))),
        behavior_(parse(behavior)),
        invert_(invert) {}

  void operator()(Words& text) const {
    std::vector<Range> result;
    for (const Range& word : text.words) apply(text.text, word, result);
    text.opens_text = text.opens_text && !result.empty() && !text.words.empty() &&
                      result.front().begin == text.words.front().begin;
    text.words = std::move(result);
  }

 private:
  /// What becomes of the matches.
  enum class Behavior { isolated, removed, contiguous, merged_with_previous, merged_with_next };
  struct Piece {
    Range range;
    bool matched;
  };

  static Behavior parse(std::string_view name) {
    if (name == "Isolated") return Behavior::isolated;
    if (name == "Removed") return Behavior::removed;
    if (name == "Contiguous") return Behavior::contiguous;
    if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
    if (name == "MergedWithNext") return Behavior::merged_with_next;
    throw_user_error("the behavior \"{}\" is not known", name);
  }

  /// The word in pieces, matches and what lies between; a match may be empty.
  std::vector<Piece> pieces(std::string_view text, const Range& word) const {
    std::vector<Piece> result;
    std::size_t at = word.begin;
    for (const Range& match : pattern_->find_all(text.substr(word.begin, word.end - word.begin))) {
      const Range range{word.begin + match.begin, word.begin + match.end};
      if (at < range.begin) result.push_back({{at, range.begin}, invert_});
      result.push_back({range, !invert_});
      at = range.end;
    }
    if (at < word.end) result.push_back({{at, word.end}, invert_});
    return result;
  }

  /// Whether a piece belongs to the one before it.
  bool joins(bool matched, bool before_matched) const {
    switch (behavior_) {
      case Behavior::contiguous: return matched == before_matched;
      case Behavior::merged_with_previous: return matched && !before_matched;
      case Behavior::merged_with_next: return !matched && before_matched;
      default: return false;
    }
  }

  void apply(std::string_view text, const Range& word, std::vector<Range>& words) const {
    const std::size_t first = words.size();
    bool before_matched = false, is_first = true;
    for (const Piece& piece : pieces(text, word)) {
      if (!is_first && joins(piece.matched, before_matched)) {
        words.back().end = piece.range.end;
      } else if (behavior_ != Behavior::removed || !piece.matched) {
        words.push_back(piece.range);
      }
      before_matched = piece.matched;
      is_first = false;
    }
    const auto is_empty = [](const Range& range) { return range.begin == range.end; };
    words.erase(std::remove_if(words.begin() + static_cast<std::ptrdiff_t>(first), words.end(), is_empty),
                words.end());
  }

  std::shared_ptr<const SplitPattern> pattern_;
  Behavior behavior_;
  bool invert_;
};

namespace {

/// ASCII's punctuation and symbols, and Unicode's punctuation.
constexpr std::string_view punctuation = R"([!-/:-@\[-`{-~\p{P}])";

}  // namespace

PreTokenizer PreTokenizer::gpt2() {
  PreTokenizer result;
  result.byte_level_ = true;
  result.add_cut(gpt2_pattern, "Isolated");
  return result;
}

PreTokenizer PreTokenizer::tiktoken(std::string_view expression) {
  PreTokenizer result;
  result.byte_level_ = true;
  result.steps_.push_back(Cut(SplitPattern(expression, RegexSyntax::tiktoken), "Isolated", false));
  return result;
}

PreTokenizer::PreTokenizer(const nlohmann::json& description, const std::string& path) {
  add(description, path);
}

void PreTokenizer::add_cut(std::string_view expression, std::string_view behavior, bool invert) {
  steps_.push_back(Cut(SplitPattern(expression), behavior, invert));
}

void PreTokenizer::add(const nlohmann::json& description, const std::string& path) {
  JsonObject::read_all(description, path, [&](const JsonObject& section) {
    const std::string type = section.get<std::string>("type");
    if (type != "Sequence") spell_bytes();
    if (type == "Sequence") {
      section.each_value("pretokenizers", [&](const auto& part, const auto& at) { add(part, at); });
    } else if (type == "Split") {
      add_split(section);
    } else if (type == "ByteLevel") {
      add_byte_level(section);
    } else if (type == "Metaspace") {
      add_metaspace(section);
    } else if (type == "Digits") {
      add_cut(R"(\p{N})", section.get<bool>("individual_digits") ? "Isolated" : "Contiguous");
    } else if (type == "Punctuation") {
      add_cut(punctuation, section.get<std::string>("behavior", "Isolated"));
    } else if (type == "Whitespace") {
      add_cut(fmt::format("[{0}]+|[^{0}\\s]+", word_items), "Removed", true);
    } else if (type == "WhitespaceSplit") {
      add_cut(R"(\s)", "Removed");
    } else if (type == "CharDelimiterSplit") {
      steps_.push_back(Cut(SplitPattern::literal(section.get<std::string>("delimiter")), "Removed", false));
    } else if (type == "FixedLength") {
      add_cut(fmt::format("(?m:.{{1,{}}})", std::max<std::int64_t>(section.get<std::int64_t>("length"), 1)),
              "Isolated");
    } else {
      section.refuse(
          fmt::format("the pre-tokenizer {} is not supported (supported: ByteLevel, Split, Digits, "
                      "Punctuation, Whitespace, WhitespaceSplit, CharDelimiterSplit, FixedLength, "
                      "Metaspace, Sequence)",
                      type));
    }
  });
}

void PreTokenizer::add_split(const JsonObject& section) {
  const bool invert = section.get<bool>("invert");
  const std::string behavior = section.get<std::string>("behavior");
  JsonObject::read_all(section.at("pattern"), section.path_of("pattern"), [&](const JsonObject& pattern) {
    const bool is_regex = pattern.find("Regex") != nullptr;
    const std::string expression = pattern.get<std::string>(is_regex ? "Regex" : "String");
    if (expression.empty()) pattern.refuse("an empty pattern is not supported");
    steps_.push_back(
        Cut(is_regex ? SplitPattern(expression) : SplitPattern::literal(expression), behavior, invert));
  });
}

void PreTokenizer::add_byte_level(const JsonObject& section) {
  section.ignore({"trim_offsets"});  // offsets are not ids
  byte_level_ = true;
  if (section.get<bool>("add_prefix_space")) {
    adds_prefix_ = true;
    steps_.push_back([](Words& text) {
      text.rewrite([](std::string_view word, bool, std::string& result) {
        if (!word.starts_with(' ')) result += ' ';
        result += word;
      });
    });
  }
  if (section.get<bool>("use_regex", true)) add_cut(gpt2_pattern, "Isolated");
}

void PreTokenizer::add_metaspace(const JsonObject& section) {
  const std::string stand_in = section.get<std::string>("replacement");
  const std::string scheme = section.get<std::string>("prepend_scheme", "always");
  if (scheme != "always" && scheme != "first" && scheme != "never")
    section.refuse(fmt::format("prepend_scheme \"{}\" is not known", scheme));
  // An older spelling of the scheme.
  if (section.get<bool>("add_prefix_space", scheme != "never") != (scheme != "never"))
    section.refuse("add_prefix_space contradicts prepend_scheme");
  adds_prefix_ = adds_prefix_ || scheme != "never";
  steps_.push_back([stand_in, scheme](Words& text) {
    text.rewrite([&](std::string_view word, bool opens_text, std::string& result) {
      std::string written(word);
      replace_all(written, " ", stand_in);
      const bool wanted = scheme == "always" || (scheme == "first" && opens_text);
      if (wanted && !written.starts_with(stand_in)) result += stand_in;
      result += written;
    });
  });
  if (section.get<bool>("split", true))
    steps_.push_back(Cut(SplitPattern::literal(stand_in), "MergedWithNext", false));
}

void PreTokenizer::spell_bytes() {
  if (!byte_level_) return;
  byte_level_ = false;
  steps_.push_back([](Words& text) {
    text.rewrite([](std::string_view word, bool, std::string& result) { result += to_byte_alphabet(word); });
  });
}

std::vector<Range> PreTokenizer::split(std::string& segment, bool at_text_start) const {
  if (segment.empty()) return {};
  Words text{std::move(segment), {}, at_text_start};
  text.words.push_back({0, text.text.size()});
  for (const Step& step : steps_) step(text);
  segment = std::move(text.text);
  return std::move(text.words);
}

}  // namespace primus::tokenizer
