#pragma once

#include <cstddef>
#include <string_view>

namespace primus::tokenizer {

/// Where the white space that ends at byte `at` begins.
std::size_t without_space_before(std::string_view text, std::size_t at);

/// Where the white space that begins at byte `at` ends.
std::size_t without_space_after(std::string_view text, std::size_t at);

}  // namespace primus::tokenizer
