#include "tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/utf8.h"
#include "tokenizer/normalizer.h"

namespace primus::tokenizer {

namespace {

/// A regular expression that matches `text` and nothing else.
std::string literally(std::string_view text) {
  std::string expression;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}-#").find(c) != std::string_view::npos) expression += '\\';
    expression += c;
  }
  return expression;
}

bool starts_with_space(std::string_view text) { return is_white_space(decode_utf8(text, 0).value); }

}  // namespace

PreTokenizer PreTokenizer::gpt2() { return byte_level_with(gpt2_pattern); }

PreTokenizer PreTokenizer::byte_level_with(std::string_view expression) {
  PreTokenizer result;
  result.byte_level_ = true;
  result.steps_.push_back({SplitPattern(expression)});
  return result;
}

PreTokenizer::PreTokenizer(const nlohmann::json& description) {
  if (!description.is_null()) add(description);
}

void PreTokenizer::add(const nlohmann::json& description) {
  const std::string type = description.at("type");
  if (type == "Sequence") {
    for (const auto& part : description.at("pretokenizers")) add(part);
  } else if (type == "Split") {
    add_split(description);
  } else if (type == "ByteLevel") {
    add_byte_level(description);
  } else if (type == "Digits") {
    const bool individual = description.value("individual_digits", false);
    steps_.push_back({SplitPattern(R"(\p{N})"), individual ? Behavior::isolated : Behavior::contiguous});
  } else if (type == "Metaspace") {
    add_metaspace(description);
  } else {
    throw_user_error(
        "the pre-tokenizer {} is not supported (supported: ByteLevel, Split, Digits, Metaspace, Sequence)",
        type);
  }
}

void PreTokenizer::add_split(const nlohmann::json& description) {
  const auto& pattern = description.at("pattern");
  const std::string expression = pattern.contains("Regex")
                                     ? pattern.at("Regex").get<std::string>()
                                     : literally(pattern.at("String").get<std::string>());
  steps_.push_back({SplitPattern(expression), parse_behavior(description.at("behavior")),
                    description.value("invert", false)});
}

void PreTokenizer::add_byte_level(const nlohmann::json& description) {
  byte_level_ = true;
  if (description.value("add_prefix_space", true)) {
    if (!steps_.empty())
      throw UserError("ByteLevel with add_prefix_space behind another split is not supported");
    prefix_space_ = true;
  }
  if (description.value("use_regex", true)) steps_.push_back({SplitPattern(gpt2_pattern)});
}

void PreTokenizer::add_metaspace(const nlohmann::json& description) {
  if (!steps_.empty() || !metaspace_.empty())
    throw UserError("Metaspace behind another split is not supported");
  metaspace_ = description.at("replacement");
  const std::string scheme = description.contains("prepend_scheme")        ? description.at("prepend_scheme")
                             : description.value("add_prefix_space", true) ? "always"
                                                                           : "never";
  scheme_ = scheme == "always"  ? PrefixScheme::always
            : scheme == "first" ? PrefixScheme::first
                                : PrefixScheme::never;
  if (description.value("split", true))
    steps_.push_back({SplitPattern(literally(metaspace_)), Behavior::merged_with_next});
}

PreTokenizer::Behavior PreTokenizer::parse_behavior(const std::string& name) {
  if (name == "Isolated") return Behavior::isolated;
  if (name == "Removed") return Behavior::removed;
  if (name == "Contiguous") return Behavior::contiguous;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  throw_user_error("the split behavior {} is not known", name);
}

std::vector<PreTokenizer::Piece> PreTokenizer::cut(std::string_view segment, const Range& word,
                                                   const Step& step) {
  std::vector<Piece> pieces;
  std::size_t at = word.begin;
  for (const Range& match : step.pattern.find_all(segment.substr(word.begin, word.end - word.begin))) {
    const Range range{word.begin + match.begin, word.begin + match.end};
    if (at < range.begin) pieces.push_back({{at, range.begin}, step.invert});
    pieces.push_back({range, !step.invert});
    at = range.end;
  }
  if (at < word.end) pieces.push_back({{at, word.end}, step.invert});
  return pieces;
}

void PreTokenizer::apply(std::string_view segment, const Range& word, const Step& step,
                         std::vector<Range>& words) {
  const std::vector<Piece> pieces = cut(segment, word, step);
  bool last_matched = false;
  bool is_first = true;
  for (const Piece& piece : pieces) {
    const bool joins =
        !is_first && ((step.behavior == Behavior::contiguous && piece.matched == last_matched) ||
                      (step.behavior == Behavior::merged_with_previous && piece.matched && !last_matched) ||
                      (step.behavior == Behavior::merged_with_next && !piece.matched && last_matched));
    if (joins) {
      words.back().end = piece.range.end;
    } else if (step.behavior != Behavior::removed || !piece.matched) {
      words.push_back(piece.range);
    }
    last_matched = piece.matched;
    is_first = false;
  }
}

void PreTokenizer::add_prefix(std::string& segment, bool at_text_start) const {
  if (prefix_space_ && !starts_with_space(segment)) segment.insert(segment.begin(), ' ');
  if (metaspace_.empty()) return;
  replace_all(segment, " ", metaspace_);
  const bool wanted = scheme_ == PrefixScheme::always || (scheme_ == PrefixScheme::first && at_text_start);
  if (wanted && !segment.starts_with(metaspace_)) segment.insert(0, metaspace_);
}

std::vector<Range> PreTokenizer::split(std::string& segment, bool at_text_start) const {
  if (segment.empty()) return {};
  add_prefix(segment, at_text_start);
  std::vector<Range> words = {{0, segment.size()}};
  for (const Step& step : steps_) {
    std::vector<Range> next;
    for (const Range& word : words) apply(segment, word, step, next);
    words = std::move(next);
  }
  return words;
}

}  // namespace primus::tokenizer
