#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"

namespace primus::checkpoint {

/// An object in a JSON file of somebody else's. It notes which of its keys are read, so that those that
/// nobody asked for can be named. Null counts as absent, as in Transformers. Errors name the file, the object
/// and the key.
class JsonObject {
 public:
  /// Throws UserError when the file is missing or holds no JSON object.
  explicit JsonObject(const std::filesystem::path& file);

  /// Whether the key is there, if only with null.
  bool contains(const std::string& key) const { return json_.contains(key); }
  bool has(const std::string& key) const { return json_.contains(key) && !json_[key].is_null(); }

  bool is_null(const std::string& key) const { return json_.contains(key) && json_[key].is_null(); }
  /// Whether any value is an object of its own.
  bool holds_objects() const;

  /// T is bool, std::int64_t, double or std::string. Throws UserError when the key is absent, or has a value
  /// of another type; numbers must be finite.
  template <typename T>
  T get(const std::string& key) const;
  template <typename T>
  T get(const std::string& key, T otherwise) const {
    return has(key) ? get<T>(key) : otherwise;
  }
  /// The object under a key.
  JsonObject object(const std::string& key) const;
  /// Any value.
  const nlohmann::json& json(const std::string& key) const;

  /// Marks a key as read, for one that needs no look.
  void ignore(const std::string& key) const { read_.insert(key); }
  /// The keys that have a value and were never read.
  std::vector<std::string> unread() const;

  /// Throws UserError with the file's name before `what`.
  [[noreturn]] void refuse(const std::string& what) const { throw_user_error("{}: {}", place_, what); }

 private:
  JsonObject(std::string place, nlohmann::json json);

  /// The file, and the object's key within it.
  std::string place_;
  nlohmann::json json_;
  mutable std::set<std::string> read_;
};

template <typename T>
T JsonObject::get(const std::string& key) const {
  const nlohmann::json& found = json(key);
  const auto require = [&](bool fits, const char* kind) {
    if (!fits) refuse(fmt::format("'{}' is {}, which is not {}", key, found.dump(), kind));
  };
  if constexpr (std::is_same_v<T, bool>) {
    require(found.is_boolean(), "true or false");
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    const bool too_large = found.is_number_unsigned() && found.get<std::uint64_t>() > INT64_MAX;
    require(found.is_number_integer() && !too_large, "an integer");
  } else if constexpr (std::is_same_v<T, double>) {
    require(found.is_number() && std::isfinite(found.get<double>()), "a number");
  } else {
    static_assert(std::is_same_v<T, std::string>);
    require(found.is_string(), "a text");
  }
  return found.get<T>();
}

}  // namespace primus::checkpoint
