#pragma once

#include "config/value.h"

namespace primus::config {

/// Lays `over` on `base`: maps are merged key by key, anything else replaces (lists are never joined). The
/// keys of `base` come first. A value that replaces another remembers it in `replaced`.
void deep_merge(Value& base, const Value& over);

/// As `deep_merge`, with the rule of a module's `overrides`: the text "null" becomes null, at this level and
/// in maps that `base` already had. A map that is new is stored as it is.
void merge_overrides(Value& base, const Value& over);

/// Adds the keys of `over` that `base` lacks, whole. Afterwards texts "null" are null, by the rule above.
void fill_missing(Value& base, const Value& over);

/// Remembers `old` as the value that `value` replaced, behind all those it replaced already.
void remember_replaced(Value& value, const Value& old);

}  // namespace primus::config
