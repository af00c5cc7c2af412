#include "tokenizer/normalizer.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace primus::tokenizer {

namespace {

void compose(std::string& text) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (std::ranges::all_of(text, is_ascii)) return;
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = icu::Normalizer2::getNFCInstance(status);
  std::string composed;
  icu::StringByteSink<std::string> sink(&composed);
  if (U_SUCCESS(status)) normalizer->normalizeUTF8(0, text, sink, nullptr, status);
  if (U_FAILURE(status)) throw Error(fmt::format("Unicode normalization failed: {}", u_errorName(status)));
  text = std::move(composed);
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

Normalizer::Normalizer(const nlohmann::json& description) {
  if (!description.is_null()) add(description);
}

void Normalizer::add(const nlohmann::json& description) {
  const std::string type = description.at("type");
  if (type == "Sequence") {
    for (const auto& part : description.at("normalizers")) add(part);
  } else if (type == "NFC") {
    steps_.push_back({Step::Kind::nfc, {}, {}});
  } else if (type == "Prepend") {
    steps_.push_back({Step::Kind::prepend, {}, description.at("prepend")});
  } else if (type == "Replace" && description.at("pattern").contains("String")) {
    const std::string from = description.at("pattern").at("String");
    if (from.empty()) throw UserError("a Replace normalizer with an empty pattern is not supported");
    steps_.push_back({Step::Kind::replace, from, description.at("content")});
  } else {
    throw_user_error("the normalizer {} is not supported (supported: NFC, Prepend, Replace of a string)",
                     type);
  }
}

void Normalizer::apply(std::string& text) const {
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Step::Kind::nfc: compose(text); break;
      case Step::Kind::prepend:
        if (!text.empty()) text.insert(0, step.to);
        break;
      case Step::Kind::replace: replace_all(text, step.from, step.to); break;
    }
  }
}

}  // namespace primus::tokenizer
