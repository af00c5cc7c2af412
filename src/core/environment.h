#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace primus {

/// Looks up an environment variable; nothing when it is unset.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The variables of this process.
Environment process_environment();

/// An environment in which nothing but `variables` is set.
Environment environment_of(std::map<std::string, std::string> variables);

}  // namespace primus
