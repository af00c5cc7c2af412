#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace primus {

/// What a file is that should be text or a file of our own, told by its first bytes: a Git LFS pointer, data
/// in another encoding or compression, a table or archive. As it stands in a sentence ("it is a ZIP
/// archive"); nothing for bytes that are none of these.
std::optional<std::string_view> foreign_kind(std::string_view first_bytes);

/// The same, or a web page or an error in XML: what a failed download leaves behind.
std::optional<std::string_view> foreign_kind_or_web_page(std::string_view first_bytes);

/// Throws UserError that says what kind of file this is, when it is a `foreign_kind` or a web page, which is
/// what a failed download leaves behind. For files with a format of their own: a corpus may hold web pages.
void refuse_foreign_file(std::string_view first_bytes, const std::filesystem::path& file);

/// The content of a file of text that the program interprets (JSON, YAML, lists), without a byte-order mark.
/// Throws as `read_file` and `refuse_foreign_file`.
std::string read_text_file(const std::filesystem::path& file);

}  // namespace primus
