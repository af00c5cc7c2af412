#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/error.h"

namespace primus::tokenizer {

/// An object of a tokenizer file, which must be used up: a key that the reader did not ask for is refused, so
/// that no option is read past in silence. Messages name the place, such as `pre_tokenizer.pretokenizers[1]`.
class JsonSection {
 public:
  using Json = nlohmann::json;

  /// Calls `read(section)`, then throws UserError when a key is left over.
  template <typename Read>
  static auto read(const Json& json, std::string path, Read&& read) {
    JsonSection section(json, std::move(path));
    if constexpr (std::is_void_v<decltype(read(section))>) {
      read(section);
      section.require_all_read();
    } else {
      auto result = read(section);
      section.require_all_read();
      return result;
    }
  }

  /// Calls `use(value, path)` for each element of the list under `key`.
  template <typename Use>
  void each_value(const char* key, Use&& use) {
    const Json& list = at(key);
    if (!list.is_array()) refuse_type(key, "a list");
    for (std::size_t i = 0; i < list.size(); ++i) use(list[i], fmt::format("{}[{}]", path_of(key), i));
  }

  /// Calls `read(section)` for each object of the list under `key`.
  template <typename Read>
  void each(const char* key, Read&& read) {
    each_value(key,
               [&](const Json& json, std::string path) { JsonSection::read(json, std::move(path), read); });
  }

  /// The value of a key; null and absent are the same. UserError from `at` and the typed readers when it is
  /// missing or of another type.
  const Json* find(const char* key);
  const Json& at(const char* key);
  std::string text(const char* key);
  std::string text(const char* key, std::string_view otherwise);
  bool flag(const char* key);
  bool flag(const char* key, bool otherwise);
  std::int64_t integer(const char* key);

  /// Says that these keys have no effect on ids and texts.
  void ignore(std::initializer_list<const char*> keys);
  /// Refuses `key` unless it is absent or has one of the values that mean "not used".
  void require_unused(const char* key, std::initializer_list<Json> unused);

  [[noreturn]] void refuse(std::string_view why) const;
  std::string path_of(std::string_view key) const;

 private:
  JsonSection(const Json& json, std::string path);
  void require_all_read() const;
  [[noreturn]] void refuse_type(std::string_view key, std::string_view wanted) const;

  const Json& json_;
  std::string path_;
  std::set<std::string, std::less<>> read_;
};

}  // namespace primus::tokenizer
