#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace primus {

/// The JSON document in a text; `file` is where it stands. Throws UserError with file and line where the text
/// is not JSON, or nests deeper than any file that we read: what walks through a document is recursive, and a
/// hostile one must not use up the stack. NaN, Infinity and -Infinity, which Python writes as numbers, become
/// the strings of these names, so that who needs a number can name the key.
nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file);

/// The document that a file holds. Throws UserError, also when the file cannot be read.
nlohmann::json read_json(const std::filesystem::path& file);

/// The whole number that a value is; the library's own conversion cuts off fractions and wraps what is out of
/// range. `what` begins the message of the UserError for anything else.
template <typename T>
T whole_number(const nlohmann::json& value, std::string_view what) {
  const bool fits = value.is_number_unsigned()
                        ? std::in_range<T>(value.get<std::uint64_t>())
                        : value.is_number_integer() && std::in_range<T>(value.get<std::int64_t>());
  if (!fits) throw_user_error("{} must be a whole number, at most {}", what, std::numeric_limits<T>::max());
  return value.get<T>();
}

/// In our words: why a value could not be taken from a document that has another content than expected.
std::string describe(const nlohmann::json::exception& error);

}  // namespace primus
