#include "config/value.h"

#include <algorithm>
#include <cmath>

#include "config/print.h"

namespace primus::config {

std::string_view to_string(Layer layer) {
  switch (layer) {
    case Layer::table: return "default";
    case Layer::module_preset: return "module preset";
    case Layer::model_preset: return "model preset";
    case Layer::platform: return "platform preset";
    case Layer::experiment: return "experiment file";
    case Layer::overrides: return "overrides";
    case Layer::command_line: return "command line";
    case Layer::derived: return "derived";
  }
  return "";
}

Where Origin::where() const {
  if (file) return {*file, line};
  return {std::string(to_string(layer)), 0};
}

const Value* Map::find(std::string_view key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &entries_[found->second].second;
}

Value* Map::find(std::string_view key) { return const_cast<Value*>(std::as_const(*this).find(key)); }

void Map::set(std::string_view key, Value value) {
  if (Value* existing = find(key)) {
    *existing = std::move(value);
    return;
  }
  index_.emplace(std::string(key), entries_.size());
  entries_.emplace_back(std::string(key), std::move(value));
}

void Map::erase(std::string_view key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return;
  const std::size_t position = found->second;
  index_.erase(found);
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(position));
  for (auto& [name, at] : index_) {
    if (at > position) --at;
  }
}

const Value& Value::as_set() const {
  const Value* value = this;
  while (value->origin.layer == Layer::derived && value->replaced) value = value->replaced.get();
  return *value;
}

std::string_view Value::kind() const {
  constexpr std::string_view names[] = {"null", "boolean", "integer", "number", "text", "list", "map"};
  if (const auto* other = std::get_if<OtherScalar>(&content)) {
    return other->kind == OtherScalar::Kind::big_integer ? "big integer" : "date";
  }
  return names[content.index()];
}

std::string Value::a_kind() const {
  const std::string_view name = kind();
  if (is_null()) return std::string(name);
  return (std::string_view("aeiou").find(name[0]) == std::string_view::npos ? "a " : "an ") +
         std::string(name);
}

std::string Value::as_written() const {
  if (!written.empty()) return written;
  if (const std::string* characters = text()) return *characters;
  return to_json(*this, JsonStyle::one_line);
}

bool same_content(const Value& a, const Value& b) {
  if (a.content.index() != b.content.index()) return false;
  if (const auto* list = a.list()) {
    return std::equal(list->begin(), list->end(), b.list()->begin(), b.list()->end(), same_content);
  }
  if (const auto* map = a.map()) {
    return map->size() == b.map()->size() && std::all_of(map->begin(), map->end(), [&](const auto& entry) {
             const Value* other = b.map()->find(entry.first);
             return other != nullptr && same_content(entry.second, *other);
           });
  }
  if (a.text()) return *a.text() == *b.text();
  if (a.boolean()) return *a.boolean() == *b.boolean();
  if (a.integer()) return *a.integer() == *b.integer();
  if (a.number()) return *a.number() == *b.number() || (std::isnan(*a.number()) && std::isnan(*b.number()));
  if (const auto* other = std::get_if<OtherScalar>(&a.content)) {
    return *other == std::get<OtherScalar>(b.content);
  }
  return true;
}

}  // namespace primus::config
