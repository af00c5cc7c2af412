#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace primus::data {

/// The texts under each of `keys` in a line that holds one JSON object: a string is one text, a list of
/// strings several.
///
/// The line is read as Python's json module reads it, since that is what wrote most corpora: NaN and Infinity
/// are numbers, numbers may have any size, the last of equal keys counts, and a string may hold half of a
/// surrogate pair, though not under one of `keys`. Throws UserError, with the byte counted from 1, for
/// anything else, and for a key that is missing or holds something else.
std::vector<std::vector<std::string>> json_texts(std::string_view line, const std::vector<std::string>& keys);

}  // namespace primus::data
