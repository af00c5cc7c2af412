#include "core/json.h"

#include <algorithm>

#include "core/file.h"

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

}  // namespace

json parse_json(std::string_view text, const std::filesystem::path& file) {
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
    throw UserError({file.string()}, "a number in this JSON is larger than any computer's");
  }
}

json read_json(const std::filesystem::path& file) { return parse_json(read_file(file), file); }

std::string describe(const json::exception& error) {
  constexpr int missing_key = 403;
  const std::string_view text = without_mark(error.what());
  if (error.id == missing_key) return fmt::format("something is missing in it: {}", text);
  return fmt::format("a value in it has another type than expected: {}", text);
}

}  // namespace primus
