#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/error.h"
#include "core/json.h"

namespace primus {

/// An object in a JSON file of another program's, which must be used up: it notes which keys are read, so
/// that an option that nobody asked for is named and not passed over in silence. Null counts as absent.
/// Messages name the place within the file, such as 'pre_tokenizer.pretokenizers[1]'; see `in_file` for the
/// file.
class JsonObject {
 public:
  using Json = nlohmann::json;

  /// `json` must outlive this. `path`: its place in the file; empty for the whole file. Throws UserError when
  /// it is not an object.
  explicit JsonObject(const Json& json, std::string path = "");

  /// Calls `read(object)`, then throws UserError when a key is left over.
  template <typename Read>
  static auto read_all(const Json& json, std::string path, Read&& read) {
    const JsonObject object(json, std::move(path));
    if constexpr (std::is_void_v<decltype(read(object))>) {
      read(object);
      object.require_all_read();
    } else {
      auto result = read(object);
      object.require_all_read();
      return result;
    }
  }

  /// Whether the key is there, if only with null.
  bool contains(const std::string& key) const { return json_->contains(key); }
  bool has(const std::string& key) const { return value_of(key) != nullptr; }

  /// Any value; nothing when it is absent.
  const Json* find(const std::string& key) const;
  /// Any value. Throws UserError when it is absent, as do `get` without a default, `object` and `each`.
  const Json& at(const std::string& key) const;
  /// T is bool, std::int64_t, double (finite) or std::string. Throws UserError for a value of another type.
  template <typename T>
  T get(const std::string& key) const;
  template <typename T>
  T get(const std::string& key, T otherwise) const {
    return find(key) == nullptr ? otherwise : get<T>(key);
  }
  JsonObject object(const std::string& key) const { return JsonObject(at(key), path_of(key)); }

  /// Calls `use(value, path)` for each element of the list under `key`.
  void each_value(const std::string& key,
                  const std::function<void(const Json&, const std::string& path)>& use) const;
  /// Calls `read(object)` for each object of the list under `key`; all of their keys must be read.
  template <typename Read>
  void each(const std::string& key, const Read& read) const {
    each_value(key, [&](const Json& json, const std::string& path) { read_all(json, path, read); });
  }

  /// Marks keys as read that have no effect.
  void ignore(std::initializer_list<const char*> keys) const { read_.insert(keys.begin(), keys.end()); }
  void ignore(const std::string& key) const { read_.insert(key); }
  /// Refuses `key` unless it is absent or has one of the values that mean "not used".
  void require_unused(const std::string& key, std::initializer_list<Json> unused) const;

  /// The keys that have a value and were never read.
  std::vector<std::string> unread() const;

  /// Throws UserError with the place before `why`.
  [[noreturn]] void refuse(std::string_view why) const;
  std::string path_of(std::string_view key) const;

 private:
  const Json* value_of(const std::string& key) const;
  void require_all_read() const;
  [[noreturn]] void refuse_type(const std::string& key, std::string_view wanted) const;

  const Json* json_;
  std::string path_;
  mutable std::set<std::string> read_;
};

/// Runs `read`, and names the file in whatever it finds wrong with the content.
template <typename Read>
auto in_file(const std::filesystem::path& path, const Read& read) {
  return blame({path.string()}, [&] {
    try {
      return read();
    } catch (const nlohmann::json::exception& error) {
      throw UserError(describe(error));
    }
  });
}

template <typename T>
T JsonObject::get(const std::string& key) const {
  const Json& found = at(key);
  const auto require = [&](bool fits, const char* wanted) {
    if (!fits) refuse_type(key, wanted);
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

}  // namespace primus
