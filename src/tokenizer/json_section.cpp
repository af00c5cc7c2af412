#include "tokenizer/json_section.h"

#include <algorithm>

#include "core/json.h"

namespace primus::tokenizer {

JsonSection::JsonSection(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
  constexpr std::size_t longest_path = 1000;  // readers recurse into what is nested
  if (path_.size() > longest_path) throw_user_error("`{}...` is nested too deeply", path_.substr(0, 60));
  if (!json_.is_object()) throw_user_error("`{}` must be an object", path_);
}

std::string JsonSection::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

const nlohmann::json* JsonSection::find(const char* key) {
  read_.insert(key);
  const auto found = json_.find(key);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

const nlohmann::json& JsonSection::at(const char* key) {
  if (const Json* value = find(key)) return *value;
  throw_user_error("`{}` is missing", path_of(key));
}

std::string JsonSection::text(const char* key) {
  const Json& value = at(key);
  if (!value.is_string()) refuse_type(key, "a string");
  return value.get<std::string>();
}

std::string JsonSection::text(const char* key, std::string_view otherwise) {
  return find(key) == nullptr ? std::string(otherwise) : text(key);
}

bool JsonSection::flag(const char* key) {
  const Json& value = at(key);
  if (!value.is_boolean()) refuse_type(key, "true or false");
  return value.get<bool>();
}

bool JsonSection::flag(const char* key, bool otherwise) {
  return find(key) == nullptr ? otherwise : flag(key);
}

std::int64_t JsonSection::integer(const char* key) {
  return whole_number<std::int64_t>(at(key), fmt::format("`{}`", path_of(key)));
}

void JsonSection::ignore(std::initializer_list<const char*> keys) { read_.insert(keys.begin(), keys.end()); }

void JsonSection::require_unused(const char* key, std::initializer_list<Json> unused) {
  const Json* value = find(key);
  if (value != nullptr && std::ranges::find(unused, *value) == unused.end())
    throw_user_error("`{}`: {} is not supported", path_of(key), value->dump());
}

void JsonSection::refuse(std::string_view why) const {
  throw_user_error("{}{}{}", path_.empty() ? "" : fmt::format("`{}`", path_), path_.empty() ? "" : ": ", why);
}

void JsonSection::refuse_type(std::string_view key, std::string_view wanted) const {
  throw_user_error("`{}` must be {}", path_of(key), wanted);
}

void JsonSection::require_all_read() const {
  for (const auto& [key, value] : json_.items()) {
    if (!read_.contains(key))
      throw_user_error("`{}` is not known, so it is not known what it changes", path_of(key));
  }
}

}  // namespace primus::tokenizer
