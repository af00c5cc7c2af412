#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace primus::config {

/// The known names nearest to a misspelt one, best first: few edits apart (swapped neighbours count once), or
/// made of the same words. At most `limit`; none when nothing is near.
std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& known,
                                       std::size_t limit = 3);

/// "; did you mean 'a', 'b'?", or nothing when no name is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace primus::config
