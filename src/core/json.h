#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace primus {

/// The JSON document in a text; `file` is where it stands. Throws UserError with file and line where the text
/// is not JSON, or nests deeper than any file that we read: what walks through a document is recursive, and a
/// hostile one must not use up the stack.
nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file);

/// The document that a file holds. Throws UserError, also when the file cannot be read.
nlohmann::json read_json(const std::filesystem::path& file);

/// In our words: why a value could not be taken from a document that has another content than expected.
std::string describe(const nlohmann::json::exception& error);

}  // namespace primus
