#include "core/json_object.h"

#include <algorithm>

namespace primus {

using Json = nlohmann::json;

JsonObject::JsonObject(const Json& json, std::string path) : json_(&json), path_(std::move(path)) {
  constexpr std::size_t longest_path = 1000;  // readers recurse into what is nested
  if (path_.size() > longest_path) throw_user_error("'{}...' is nested too deeply", path_.substr(0, 60));
  if (!json_->is_object()) refuse("this is not a JSON object");
}

std::string JsonObject::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

const Json* JsonObject::value_of(const std::string& key) const {
  const auto found = json_->find(key);
  return found == json_->end() || found->is_null() ? nullptr : &*found;
}

const Json* JsonObject::find(const std::string& key) const {
  read_.insert(key);
  return value_of(key);
}

const Json& JsonObject::at(const std::string& key) const {
  if (const Json* value = find(key)) return *value;
  throw_user_error("'{}' is missing", path_of(key));
}

void JsonObject::each_value(const std::string& key,
                            const std::function<void(const Json&, const std::string&)>& use) const {
  const Json& list = at(key);
  if (!list.is_array()) refuse_type(key, "a list");
  for (std::size_t i = 0; i < list.size(); ++i) use(list[i], fmt::format("{}[{}]", path_of(key), i));
}

void JsonObject::require_unused(const std::string& key, std::initializer_list<Json> unused) const {
  const Json* value = find(key);
  if (value != nullptr && std::ranges::find(unused, *value) == unused.end())
    throw_user_error("'{}': {} is not supported", path_of(key), value->dump());
}

std::vector<std::string> JsonObject::unread() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : json_->items()) {
    if (!value.is_null() && !read_.contains(key)) keys.push_back(key);
  }
  return keys;
}

void JsonObject::require_all_read() const {
  const auto keys = unread();
  if (!keys.empty())
    throw_user_error("'{}' is not a known key, and ignoring it could change the result",
                     path_of(keys.front()));
}

void JsonObject::refuse(std::string_view why) const {
  if (path_.empty()) throw UserError(std::string(why));
  throw_user_error("'{}': {}", path_, why);
}

void JsonObject::refuse_type(const std::string& key, std::string_view wanted) const {
  throw_user_error("'{}' is {}, which is not {}", path_of(key), value_of(key)->dump(), wanted);
}

}  // namespace primus
