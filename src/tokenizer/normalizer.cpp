#include "tokenizer/normalizer.h"

#include <unicode/bytestream.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>

#include "core/error.h"
#include "core/json_object.h"
#include "core/utf8.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/split_pattern.h"
#include "tokenizer/white_space.h"

namespace primus::tokenizer {

namespace {

using Step = std::function<void(std::string&)>;

void require_success(UErrorCode status) {
  if (U_FAILURE(status)) throw Error(fmt::format("Unicode normalization failed: {}", u_errorName(status)));
}

/// The characters that the reference's tables know: those of Unicode 9, whatever the age of ICU.
std::shared_ptr<const icu::UnicodeSet> known_characters() {
  UErrorCode status = U_ZERO_ERROR;
  auto set = std::make_shared<icu::UnicodeSet>(u"[:age=9.0:]", status);
  require_success(status);
  set->freeze();
  return set;
}

Step unicode_form(const icu::Normalizer2* (*instance)(UErrorCode&)) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* all = instance(status);
  require_success(status);
  return [all, known = known_characters()](std::string& text) {
    UErrorCode failed = U_ZERO_ERROR;
    if (all->isNormalizedUTF8(text, failed)) return;
    std::string result;
    icu::StringByteSink<std::string> sink(&result);
    icu::FilteredNormalizer2(*all, *known).normalizeUTF8(0, text, sink, nullptr, failed);
    require_success(failed);
    text = std::move(result);
  };
}

/// Calls `change(character, result)` for each code point.
template <typename Change>
void change_characters(std::string& text, Change change) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint character = decode_utf8(text, at);
    change(character.value, result);
    at += character.size;
  }
  text = std::move(result);
}

/// Each character by itself: a capital sigma at the end of a word is no exception.
void to_lower_case(std::string& text) {
  change_characters(text, [](char32_t character, std::string& result) {
    icu::UnicodeString lower(static_cast<UChar32>(character));
    lower.toLower(icu::Locale::getRoot()).toUTF8String(result);
  });
}

Step strip_accents() {
  return [known = known_characters()](std::string& text) {
    change_characters(text, [&](char32_t character, std::string& result) {
      const auto c = static_cast<UChar32>(character);
      const std::uint32_t marks = U_GC_M_MASK;
      if ((U_GET_GC_MASK(c) & marks) == 0 || !known->contains(c)) append_utf8(result, character);
    });
  };
}

void strip(std::string& text, bool left, bool right) {
  if (right) text.erase(without_space_before(text, text.size()));
  if (left) text.erase(0, without_space_after(text, 0));
}

Step read_strip(const JsonObject& section) {
  const bool left = section.get<bool>("strip_left"), right = section.get<bool>("strip_right");
  return [left, right](std::string& text) { strip(text, left, right); };
}

Step replace_matches(const std::string& expression, std::string content) {
  auto pattern = std::make_shared<const SplitPattern>(expression);
  return [pattern, content = std::move(content)](std::string& text) {
    std::string result;
    std::size_t at = 0;
    for (const Range& match : pattern->find_all(text)) {
      result.append(text, at, match.begin - at);
      result += content;
      at = match.end;
    }
    result.append(text, at);
    text = std::move(result);
  };
}

}  // namespace

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  std::string result;
  std::size_t at = 0;
  for (std::size_t found; (found = text.find(from, at)) != std::string::npos; at = found + from.size()) {
    result.append(text, at, found - at);
    result += to;
  }
  if (at == 0) return;
  result.append(text, at);
  text = std::move(result);
}

Step read_replacement(const JsonObject& section) {
  const std::string content = section.get<std::string>("content");
  return JsonObject::read_all(
      section.at("pattern"), section.path_of("pattern"), [&](const JsonObject& pattern) {
        if (pattern.find("Regex") != nullptr)
          return replace_matches(pattern.get<std::string>("Regex"), content);
        const std::string from = pattern.get<std::string>("String");
        if (from.empty()) pattern.refuse("an empty String is not supported");
        return Step([from, content](std::string& text) { replace_all(text, from, content); });
      });
}

Normalizer::Normalizer(const nlohmann::json& description, const std::string& path) { add(description, path); }

void Normalizer::add(const nlohmann::json& description, const std::string& path) {
  JsonObject::read_all(description, path, [&](const JsonObject& section) {
    const std::string type = section.get<std::string>("type");
    if (type == "Sequence") {
      section.each_value("normalizers", [&](const auto& part, const auto& at) { add(part, at); });
    } else if (type == "NFC") {
      steps_.push_back(unicode_form(icu::Normalizer2::getNFCInstance));
    } else if (type == "NFD") {
      steps_.push_back(unicode_form(icu::Normalizer2::getNFDInstance));
    } else if (type == "NFKC") {
      steps_.push_back(unicode_form(icu::Normalizer2::getNFKCInstance));
    } else if (type == "NFKD") {
      steps_.push_back(unicode_form(icu::Normalizer2::getNFKDInstance));
    } else if (type == "Lowercase") {
      steps_.push_back(to_lower_case);
    } else if (type == "StripAccents") {
      steps_.push_back(strip_accents());
    } else if (type == "Strip") {
      steps_.push_back(read_strip(section));
    } else if (type == "Replace") {
      steps_.push_back(read_replacement(section));
    } else if (type == "ByteLevel") {
      steps_.push_back([](std::string& text) { text = to_byte_alphabet(text); });
    } else if (type == "Prepend") {
      prepends_ = true;
      steps_.push_back([prefix = section.get<std::string>("prepend")](std::string& text) {
        if (!text.empty()) text.insert(0, prefix);
      });
    } else {
      section.refuse(
          fmt::format("the normalizer {} is not supported (supported: NFC, NFD, NFKC, NFKD, "
                      "Lowercase, Strip, StripAccents, Prepend, Replace, ByteLevel, Sequence)",
                      type));
    }
  });
}

void Normalizer::apply(std::string& text) const {
  for (const auto& step : steps_) step(text);
}

}  // namespace primus::tokenizer
