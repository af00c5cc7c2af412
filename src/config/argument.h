#pragma once

#include <string_view>

#include "config/range.h"

namespace primus::config {

/// What an argument holds. Texts that look like numbers (`1e-5`, a quoted "8") count as numbers where one is
/// wanted.
enum class Type {
  boolean,  ///< also 0 and 1; null is false
  integer,  ///< 64 bits; 4000.0 is one
  number,   ///< double; an integer is one
  text,
  integers,  ///< list; one integer is a list of one, null the empty list
  numbers,
  texts,
  words,          ///< list of texts; one text is split at white space
  layer_pattern,  ///< which layers: an integer, a list of 0 and 1, or an expression such as ([0]*3+[1]*58)
  map,
};

/// What this engine makes of an argument.
enum class Status {
  implemented,
  no_effect,    ///< accepted, and nothing changes
  unsupported,  ///< `train` refuses any value but the default
};

/// A status, and the reason for what is refused or has no effect.
struct Support {
  Status status;
  std::string_view reason = "";
  std::string_view values = "";  ///< the implemented values, as in "adam|sgd"; empty: all
};

/// What only some rows need.
struct Details {
  std::string_view preset = "";   ///< what pre_trainer.yaml or language_model.yaml say, where not the default
  bool null = false;              ///< null is a value. When the default is null and this is false: required
  std::string_view choices = "";  ///< the allowed texts, as in "a|b"
  Range range = {};               ///< of a number, or of each number of a list
  /// The condition under which the argument counts, beside that of its section (see condition.h). Where it
  /// does not hold, the value is never refused and has no effect, which is said once.
  std::string_view when = "";
};

/// One row of the argument table: all that is known about an argument, from which parsing, checks, help and
/// docs/parameters.md are made.
struct Argument {
  std::string_view name;
  Type type;
  std::string_view
      default_value;  ///< Megatron's own default, in YAML; for Primus' own arguments the presets'
  Support support;
  std::string_view doc;
  Details details = {};

  constexpr bool required() const { return default_value == "null" && !details.null; }
  constexpr bool holds_list() const {
    return type == Type::integers || type == Type::numbers || type == Type::texts || type == Type::words;
  }
  /// Whether typed access gives a std::optional: null stands for nothing but an empty list, map or false.
  constexpr bool optional() const {
    return details.null && !holds_list() && type != Type::boolean && type != Type::map;
  }
};

/// The rows of the table, and the words that they are written in.
namespace table {

using enum Type;

inline constexpr Range positive = {.low = 0, .low_excluded = true};
inline constexpr Range not_negative = {.low = 0};
inline constexpr Range fraction = {.low = 0, .high = 1};
inline constexpr Range below_one = {.low = 0, .high = 1, .high_excluded = true};
inline constexpr Range ranks = {.low = 1, .high = most_ranks};

inline constexpr Support implemented = {Status::implemented};
/// Implemented for some values; `train` refuses the others.
constexpr Support only(std::string_view values, std::string_view reason = "not yet") {
  return {Status::implemented, reason, values};
}
constexpr Support no_effect(std::string_view reason) { return {Status::no_effect, reason}; }
constexpr Support unsupported(std::string_view reason) { return {Status::unsupported, reason}; }

inline constexpr Support not_yet = unsupported("not yet");
inline constexpr Support gpu_kernels =
    no_effect("it selects GPU kernels; the CPU engine computes the same values");
inline constexpr Support gpu_tuning =
    no_effect("it tunes GPU memory or GPU communication, which a CPU run does not have");
inline constexpr Support python_only = no_effect("it controls Python code, and this program has none");
inline constexpr Support megatron_files =
    no_effect("it concerns Megatron's checkpoint files; here they are sharded safetensors");
inline constexpr Support other_models =
    unsupported("models for vision, retrieval and BERT are outside the scope of this engine");
inline constexpr Support reinforcement_learning =
    unsupported("reinforcement learning is outside the scope of this engine");
inline constexpr Support finetuning =
    unsupported("supervised fine-tuning is outside the scope of this engine");
inline constexpr Support trainer_inference =
    no_effect("text is generated with `primus-cli generate`, not by the trainer");

}  // namespace table

}  // namespace primus::config
