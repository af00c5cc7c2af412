#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/arguments/table.h"
#include "config/layer_pattern.h"
#include "config/problem.h"
#include "config/value.h"

namespace primus::config {

/// The value of an argument in the C++ type of its row.
using TypedValue =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::int64_t>,
                 std::vector<double>, std::vector<std::string>, LayerPattern, Map>;

/// The name of an argument as a template parameter: `arguments.get<"num_layers">()`.
template <std::size_t N>
struct ArgumentName {
  char characters[N] = {};
  constexpr ArgumentName(const char (&text)[N]) { std::copy_n(text, N, characters); }
  constexpr std::string_view view() const { return {characters, N - 1}; }
};

namespace detail {

/// The C++ type that holds a value of a `Type`.
template <Type type>
struct Stored;
template <>
struct Stored<Type::boolean> {
  using type = bool;
};
template <>
struct Stored<Type::integer> {
  using type = std::int64_t;
};
template <>
struct Stored<Type::number> {
  using type = double;
};
template <>
struct Stored<Type::text> {
  using type = std::string;
};
template <>
struct Stored<Type::integers> {
  using type = std::vector<std::int64_t>;
};
template <>
struct Stored<Type::numbers> {
  using type = std::vector<double>;
};
template <>
struct Stored<Type::texts> {
  using type = std::vector<std::string>;
};
template <>
struct Stored<Type::words> {
  using type = std::vector<std::string>;
};
template <>
struct Stored<Type::layer_pattern> {
  using type = LayerPattern;
};
template <>
struct Stored<Type::map> {
  using type = Map;
};

/// The index of an argument. A name that is not in the table does not compile.
template <ArgumentName Name>
consteval std::size_t index_of() {
  constexpr std::size_t index = find_argument(Name.view());
  static_assert(index < argument_count, "there is no argument of this name in src/config/arguments");
  return index;
}

}  // namespace detail

/// The arguments of a run: each one of the table, with a value of its type and where it came from.
class Arguments {
 public:
  /// Every argument at its default. Those without one are unset, and reading them throws.
  Arguments();

  /// Takes the merged parameters of a module (a map). What is wrong is added to `problems`: unknown keys with
  /// the nearest names, wrong types, values outside of the choices or the row's check, required arguments not
  /// given.
  static Arguments from(const Value& parameters, std::vector<Problem>& problems);

  /// Parameters written as YAML, over the table's defaults; for tests and tools.
  /// Throws UserError with all problems.
  static Arguments from_yaml(std::string_view text);

  /// The value, in the type that the argument's row gives: bool, std::int64_t, double, std::string,
  /// LayerPattern, Map or a vector; a std::optional of it when null is a value of its own.
  template <ArgumentName Name>
  auto get() const {
    constexpr std::size_t index = detail::index_of<Name>();
    constexpr bool optional = argument_at(index).optional();
    using T = typename detail::Stored<argument_at(index).type>::type;
    const TypedValue& value = typed_[index];
    if constexpr (optional) {
      return std::holds_alternative<T>(value) ? std::optional<T>(std::get<T>(value)) : std::nullopt;
    } else {
      if (!std::holds_alternative<T>(value)) throw_unset(index);
      return std::get<T>(value);
    }
  }

  /// Where the value was set, for messages: "file:line", or the layer when it is a default. Of several
  /// arguments, where the one was set that the strongest layer sets, as an override beats a preset; at a tie
  /// the first.
  template <ArgumentName... Names>
  Where where() const {
    return where_of({detail::index_of<Names>()...});
  }

  /// The value as it was given, with its origin and what it replaced; by index in the table.
  const Value& value_at(std::size_t index) const { return values_[index]; }
  /// The value by index, in the type of its row where the file has another: a text that is a number, 1 for
  /// true.
  Value resolved_at(std::size_t index) const;
  /// The value that was set, by index: not what follows from other arguments. Typed as in `resolved_at`.
  Value set_at(std::size_t index) const;
  /// By name. Throws UserError, with the nearest names, when there is no such argument.
  const Value& value(std::string_view name) const;

  /// Sets an argument from outside of the files, e.g. from a checkpoint. Throws UserError as `from` would say
  /// it.
  void set(std::string_view name, Value value);

  /// Whether the argument counts: what it belongs to is on, by the conditions of its row and its section.
  bool counts(std::size_t index) const;
  template <ArgumentName Name>
  bool counts() const {
    return counts(detail::index_of<Name>());
  }

  /// Arguments that count and were set to what this engine does not support: another value than those of
  /// their row, or than their default (Megatron's or the base presets'). `train` refuses them. What belongs
  /// to a feature that is refused itself is left out.
  std::vector<Problem> unsupported() const;

  /// What the experiment file or the command line sets, other than its default, and what has no effect: since
  /// it does not count, another value follows from other arguments, or this engine has no use for it. One
  /// line each, with the reason.
  std::vector<std::string> without_effect() const;

 private:
  std::optional<Problem> store(std::size_t index, const Value& value);
  bool holds(std::string_view condition, std::string_view name) const;
  bool is_refused(std::size_t index) const;
  bool belongs_to_refused(std::size_t index) const;
  std::string no_effect_of(std::size_t index) const;
  Where where_of(std::initializer_list<std::size_t> indices) const;
  [[noreturn]] static void throw_unset(std::size_t index);

  std::vector<Value> values_;
  std::vector<TypedValue> typed_;
};

/// The default of an argument, or the value of the base presets, as a value. An argument whose preset is the
/// default has one value for both.
Value default_value(const Argument& argument);
Value preset_value(const Argument& argument);

/// Turns a value into the type of its argument. Returns the reason why it cannot, in words that follow "'lr'
/// ", e.g. "must be a number, not the text 'high'".
std::variant<TypedValue, std::string> convert(const Argument& argument, const Value& value);

/// Whether a value, or every item of a list, is one of `choices`, as in "adam|sgd".
bool is_among(std::string_view choices, const TypedValue& value);

/// The names of all arguments, in the order of the table.
const std::vector<std::string>& argument_names();

}  // namespace primus::config
