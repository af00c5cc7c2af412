#pragma once

#include <optional>
#include <string_view>

namespace primus {

/// What a file is that should be text or a file of our own, told by its first bytes: a Git LFS pointer, data
/// in another encoding or compression, a table or archive. As it stands in a sentence ("it is a ZIP
/// archive"); nothing for bytes that are none of these.
std::optional<std::string_view> foreign_kind(std::string_view first_bytes);

/// What Git leaves in the place of a large file until it is fetched; any file may be one.
bool is_git_lfs_pointer(std::string_view first_bytes);

}  // namespace primus
