#pragma once

#include <optional>
#include <string_view>

#include "config/value.h"

namespace primus::config {

/// A plain (unquoted) scalar by the rules of YAML 1.1 as PyYAML's safe loader reads it: `yes` is a boolean,
/// `1e-2` is text (a float wants a dot, and an exponent a sign), `017` is octal, `12:30:45` base 60.
Value resolve_scalar(std::string_view text);

/// The value of a text whose `${...}` references were replaced: true/false in any case, an integer, a float
/// (`1e-2` and `5.` count), otherwise text. No trimming.
Value resolve_substituted(std::string_view text);

/// A whole text as a finite-or-infinite double: optional sign, digits, dot, exponent. Nothing else may stand
/// there.
std::optional<double> parse_double(std::string_view text);

/// A whole text of digits with an optional sign, as a 64-bit integer, or `big_integer` beyond 64 bits.
std::optional<Value> parse_integer(std::string_view text);

}  // namespace primus::config
