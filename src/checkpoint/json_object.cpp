#include "checkpoint/json_object.h"

#include <algorithm>

#include "core/json.h"

namespace primus::checkpoint {

using Json = nlohmann::json;

JsonObject::JsonObject(std::string place, Json json) : place_(std::move(place)), json_(std::move(json)) {
  if (!json_.is_object()) refuse("this is not a JSON object");
}

JsonObject::JsonObject(const std::filesystem::path& file) : JsonObject(file.string(), read_json(file)) {}

const Json& JsonObject::json(const std::string& key) const {
  if (!has(key)) refuse(fmt::format("'{}' is missing", key));
  read_.insert(key);
  return json_[key];
}

JsonObject JsonObject::object(const std::string& key) const {
  return {fmt::format("{}: '{}'", place_, key), json(key)};
}

bool JsonObject::holds_objects() const {
  return std::ranges::any_of(json_, [](const Json& value) { return value.is_object(); });
}

std::vector<std::string> JsonObject::unread() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : json_.items()) {
    if (!value.is_null() && !read_.contains(key)) keys.push_back(key);
  }
  return keys;
}

}  // namespace primus::checkpoint
