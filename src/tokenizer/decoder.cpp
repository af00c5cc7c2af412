#include "tokenizer/decoder.h"

#include "core/error.h"
#include "core/json_object.h"
#include "core/utf8.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/normalizer.h"

namespace primus::tokenizer {

namespace {

using Tokens = std::vector<std::string>;

void fuse(Tokens& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  tokens = {std::move(text)};
}

void decode_byte_level(Tokens& tokens) {
  for (std::string& token : tokens) {
    if (auto bytes = from_byte_alphabet(token)) token = std::move(*bytes);
  }
  fuse(tokens);
}

/// The byte of a token of the form <0x41>, or -1.
int fallback_byte(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  const int high = digit(text[3]), low = digit(text[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void decode_fallback_bytes(Tokens& tokens) {
  for (std::string& token : tokens) {
    const int byte = fallback_byte(token);
    if (byte >= 0) token = std::string(1, static_cast<char>(byte));
  }
}

/// Spaces for the stand-in; in the first token nothing, when encoding put a prefix there.
void decode_metaspace(Tokens& tokens, const std::string& stand_in, bool drop_first) {
  for (std::size_t i = 0; i < tokens.size(); ++i)
    replace_all(tokens[i], stand_in, i == 0 && drop_first ? "" : " ");
}

/// Takes up to `most` copies of `content` from the front of `token`, or from its end.
void strip_copies(std::string& token, const std::string& content, std::int64_t most, bool at_front) {
  for (; most > 0 && (at_front ? token.starts_with(content) : token.ends_with(content)); --most)
    token.erase(at_front ? 0 : token.size() - content.size(), content.size());
}

}  // namespace

Decoder Decoder::byte_level() {
  Decoder result;
  result.steps_.push_back(decode_byte_level);
  return result;
}

Decoder::Decoder(const nlohmann::json& description, const std::string& path) { add(description, path); }

void Decoder::add(const nlohmann::json& description, const std::string& path) {
  JsonObject::read_all(description, path, [&](const JsonObject& section) {
    const std::string type = section.get<std::string>("type");
    if (type == "Sequence") {
      section.each_value("decoders", [&](const auto& part, const auto& at) { add(part, at); });
    } else if (type == "ByteLevel") {
      section.ignore({"add_prefix_space", "trim_offsets", "use_regex"});  // these are for encoding
      steps_.push_back(decode_byte_level);
    } else if (type == "ByteFallback") {
      steps_.push_back(decode_fallback_bytes);
    } else if (type == "Fuse") {
      steps_.push_back(fuse);
    } else if (type == "Metaspace") {
      section.ignore({"split", "add_prefix_space"});  // these are for encoding
      const std::string stand_in = section.get<std::string>("replacement");
      const bool drop_first = section.get<std::string>("prepend_scheme", "always") != "never";
      steps_.push_back([=](Tokens& tokens) { decode_metaspace(tokens, stand_in, drop_first); });
    } else if (type == "Replace") {
      steps_.push_back([replace = read_replacement(section)](Tokens& tokens) {
        for (std::string& token : tokens) replace(token);
      });
    } else if (type == "Strip") {
      const std::string content = section.get<std::string>("content");
      const std::int64_t start = section.get<std::int64_t>("start"), stop = section.get<std::int64_t>("stop");
      steps_.push_back([=](Tokens& tokens) {
        for (std::string& token : tokens) {
          strip_copies(token, content, start, true);
          strip_copies(token, content, stop, false);
        }
      });
    } else {
      section.refuse(
          fmt::format("the decoder {} is not supported (supported: ByteLevel, Metaspace, Replace, "
                      "ByteFallback, Fuse, Strip, Sequence)",
                      type));
    }
  });
}

std::string Decoder::decode(std::vector<std::string> tokens) const {
  if (steps_.empty()) return fmt::format("{}", fmt::join(tokens, " "));
  for (const Step& step : steps_) step(tokens);
  fuse(tokens);
  return std::move(tokens.front());
}

}  // namespace primus::tokenizer
