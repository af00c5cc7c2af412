#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "core/error.h"

namespace primus::config {

/// Who sets a value, weakest first.
enum class Layer {
  table,          ///< the argument table's default (Megatron's own)
  module_preset,  ///< configs/modules/<framework>/
  model_preset,   ///< configs/models/<framework>/
  platform,       ///< configs/platforms/
  experiment,     ///< the experiment file, outside of `overrides`
  overrides,      ///< the `overrides` block of a module
  command_line,   ///< key=value tokens
  derived,        ///< nobody: it follows from other arguments
};

/// A short name for messages: "module preset", "command line", ...
std::string_view to_string(Layer layer);

/// Where a value comes from. Files are shared: a tree of a thousand values names a dozen of them.
struct Origin {
  Layer layer = Layer::table;
  std::shared_ptr<const std::string> file;  ///< null for values that come from no file
  int line = 0;

  /// The file and line; for values from no file, the layer's name.
  Where where() const;
};

class Value;

/// Keys in the order of the file, found by name in constant time.
class Map {
 public:
  using Entry = std::pair<std::string, Value>;

  bool empty() const;
  std::size_t size() const;
  std::vector<Entry>::const_iterator begin() const;
  std::vector<Entry>::const_iterator end() const;
  std::vector<Entry>::iterator begin();
  std::vector<Entry>::iterator end();

  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  bool contains(std::string_view key) const { return find(key) != nullptr; }

  /// Adds the key at the end, or replaces its value in place.
  void set(std::string_view key, Value value);
  void erase(std::string_view key);

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> index_;
};

/// Scalars of YAML 1.1 that C++ has no type for. They are carried along so that they print as they should.
struct OtherScalar {
  enum class Kind { date, date_time, big_integer };
  Kind kind;
  std::string text;  ///< ISO 8601, or decimal digits

  bool operator==(const OtherScalar&) const = default;
};

/// A node of a configuration tree: a YAML value and where it comes from.
class Value {
 public:
  using List = std::vector<Value>;
  using Content =
      std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Map, OtherScalar>;

  Value() = default;
  Value(Content content) : content(std::move(content)) {}
  Value(Content content, Origin origin) : content(std::move(content)), origin(std::move(origin)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(content); }
  bool is_text() const { return std::holds_alternative<std::string>(content); }
  bool is_list() const { return std::holds_alternative<List>(content); }
  bool is_map() const { return std::holds_alternative<Map>(content); }
  const bool* boolean() const { return std::get_if<bool>(&content); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&content); }
  const double* number() const { return std::get_if<double>(&content); }
  const std::string* text() const { return std::get_if<std::string>(&content); }
  const List* list() const { return std::get_if<List>(&content); }
  List* list() { return std::get_if<List>(&content); }
  const Map* map() const { return std::get_if<Map>(&content); }
  Map* map() { return std::get_if<Map>(&content); }

  /// What was set: this value, or the one beneath it when this one is derived.
  const Value& as_set() const;

  /// "null", "boolean", "integer", "number", "text", "list", "map", "date" or "big integer".
  std::string_view kind() const;
  /// The same as it stands in a sentence: "an integer", "a map", "null".
  std::string a_kind() const;

  /// The scalar as the user wrote it (`007`, `1e-5`, `yes`), for a list or map its JSON form.
  std::string as_written() const;

  Content content;
  Origin origin;
  /// The characters of a scalar that was read as something other than text.
  std::string written;
  /// The value that this one replaced in a merge, which may itself have replaced another.
  std::shared_ptr<const Value> replaced;
};

// Here, since an entry is complete only once `Value` is.
inline bool Map::empty() const { return entries_.empty(); }
inline std::size_t Map::size() const { return entries_.size(); }
inline std::vector<Map::Entry>::const_iterator Map::begin() const { return entries_.begin(); }
inline std::vector<Map::Entry>::const_iterator Map::end() const { return entries_.end(); }
inline std::vector<Map::Entry>::iterator Map::begin() { return entries_.begin(); }
inline std::vector<Map::Entry>::iterator Map::end() { return entries_.end(); }

/// Equal content; 1 and 1.0 differ. Origins are not compared.
bool same_content(const Value& a, const Value& b);

}  // namespace primus::config
