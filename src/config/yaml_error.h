#pragma once

#include <string>
#include <string_view>

#include "core/error.h"

namespace YAML {
class Exception;
}

namespace primus::config {

/// yaml-cpp's error about `text`, in words that say what to look for.
UserError explained(const YAML::Exception& error, std::string_view text, const std::string& file_name);

}  // namespace primus::config
