#include "core/json.h"

#include <algorithm>

#include "core/file_kind.h"

namespace primus {

using nlohmann::json;

namespace {

constexpr int deepest = 200;

/// The place of byte `at`, counted from 0.
Where place_of(std::string_view text, std::size_t at, const std::filesystem::path& file) {
  const auto lines = std::ranges::count(text.substr(0, at), '\n');
  return {file.string(), static_cast<int>(lines) + 1};
}

/// The error's text without the library's mark in front, "[json.exception.type_error.302] ".
std::string_view without_mark(std::string_view text) {
  const std::size_t end = text.find("] ");
  return end == std::string_view::npos ? text : text.substr(end + 2);
}

/// The text with quotes around NaN, Infinity and -Infinity where they stand for values.
std::string with_quoted_constants(std::string_view text) {
  std::string result;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t size = 1;
    if (in_string) {
      if (text[at] == '\\') size = std::min<std::size_t>(2, text.size() - at);
      in_string = text[at] != '"';
    } else if (text[at] == '"') {
      in_string = true;
    } else {
      for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
        if (!text.substr(at).starts_with(word)) continue;
        size = word.size();
        result += fmt::format("\"{}\"", word);
      }
    }
    if (size <= 2) result += text.substr(at, size);
    at += size;
  }
  return result;
}

bool may_hold_constants(std::string_view text) {
  return text.find("NaN") != std::string_view::npos || text.find("Infinity") != std::string_view::npos;
}

}  // namespace

json parse_json(std::string_view text, const std::filesystem::path& file) {
  std::string quoted;
  if (may_hold_constants(text)) text = quoted = with_quoted_constants(text);
  const auto check_depth = [&](int depth, json::parse_event_t, const json&) {
    if (depth > deepest) throw UserError({file.string()}, "this JSON is nested too deeply");
    return true;
  };
  try {
    return json::parse(text, check_depth);
  } catch (const json::parse_error& error) {
    const std::size_t at = error.byte == 0 ? 0 : error.byte - 1;
    throw UserError(place_of(text, at, file),
                    at >= text.size() ? "this JSON ends before it is complete" : "this is not JSON");
  } catch (const json::exception&) {
    throw UserError({file.string()}, "a number in this JSON is too large");
  }
}

json read_json(const std::filesystem::path& file) { return parse_json(read_text_file(file), file); }

std::string describe(const json::exception& error) {
  constexpr int missing_key = 403;
  const std::string_view text = without_mark(error.what());
  if (error.id == missing_key) return fmt::format("something is missing in it: {}", text);
  return fmt::format("a value in it has another type than expected: {}", text);
}

}  // namespace primus
