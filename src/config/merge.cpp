#include "config/merge.h"

namespace primus::config {

namespace {

void null_text_to_null(Value& value) {
  const std::string* text = value.text();
  if (text == nullptr || *text != "null") return;
  value.content = std::monostate();
  value.written = "null";
}

/// Texts "null" in a map and in the maps below it; lists are left alone.
void null_texts_in(Value& value) {
  null_text_to_null(value);
  if (Map* map = value.map()) {
    for (auto& entry : *map) null_texts_in(entry.second);
  }
}

void merge(Value& base, const Value& over, bool convert_null_text) {
  for (const auto& [key, value] : *over.map()) {
    Value* existing = base.map()->find(key);
    if (existing && existing->is_map() && value.is_map()) {
      merge(*existing, value, convert_null_text);
      continue;
    }
    Value copy = value;
    if (convert_null_text) null_text_to_null(copy);
    if (existing) remember_replaced(copy, *existing);
    base.map()->set(key, std::move(copy));
  }
}

}  // namespace

void remember_replaced(Value& value, const Value& old) {
  auto tail = std::make_shared<Value>(old);
  if (!value.replaced) {
    value.replaced = std::move(tail);
    return;
  }
  auto head = std::make_shared<Value>(*value.replaced);
  remember_replaced(*head, old);
  value.replaced = std::move(head);
}

void deep_merge(Value& base, const Value& over) { merge(base, over, false); }

void merge_overrides(Value& base, const Value& over) {
  // The original writes the whole merged map back, so that maps which were there before are converted as
  // well.
  null_texts_in(base);
  merge(base, over, true);
}

void fill_missing(Value& base, const Value& over) {
  null_texts_in(base);
  for (const auto& [key, value] : *over.map()) {
    if (base.map()->contains(key)) continue;
    Value copy = value;
    null_text_to_null(copy);
    base.map()->set(key, std::move(copy));
  }
}

}  // namespace primus::config
