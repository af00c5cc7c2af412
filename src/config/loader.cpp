#include "config/loader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "config/merge.h"
#include "config/yaml.h"
#include "core/file_kind.h"

namespace primus::config {

namespace {

namespace fs = std::filesystem;

class Loader {
 public:
  Loader(Layer layer, const Environment& environment) : layer_(layer), environment_(environment) {}

  Value load(const fs::path& path, const Origin* named_at) {
    const fs::path key = fs::weakly_canonical(path);
    check_cycle(key, path, named_at);
    chain_.push_back(key);
    Value file = read(path, named_at);
    substitute_environment(file, environment_);
    if (file.is_map()) file = with_parents(std::move(file), path);
    chain_.pop_back();
    return file;
  }

 private:
  void check_cycle(const fs::path& key, const fs::path& path, const Origin* named_at) const {
    const auto first = std::find(chain_.begin(), chain_.end(), key);
    if (first == chain_.end()) return;
    std::vector<std::string> names;
    for (auto it = first; it != chain_.end(); ++it) names.push_back(it->filename().string());
    names.push_back(path.filename().string());
    throw UserError(named_at->where(),
                    fmt::format("files inherit from each other in a circle: {}", fmt::join(names, " -> ")));
  }

  Value read(const fs::path& path, const Origin* named_at) const {
    std::error_code ignored;
    if (named_at && !fs::exists(path, ignored)) {
      throw UserError(named_at->where(),
                      fmt::format("the file '{}' to inherit from does not exist", path.string()));
    }
    Value file = parse_yaml(read_text_file(path), path.string(), layer_);
    if (file.is_null()) {
      throw UserError({path.string(), 0},
                      "this YAML configuration file is empty or invalid: it holds no value");
    }
    if (!file.is_map() && !file.is_list() && !file.is_text()) {
      throw UserError(
          {path.string(), 1},
          fmt::format("a configuration file must hold a map of keys; this one is {}", file.a_kind()));
    }
    return file;
  }

  Value with_parents(Value file, const fs::path& path) {
    Value result{Value::Content(Map()), file.origin};
    for (const Value& parent : parents(file, "extends", path)) deep_merge(result, parent);
    const auto bases = parents(file, "bases", path);
    const auto includes = parents(file, "includes", path);
    for (const std::string_view key : {"extends", "bases", "includes"}) file.map()->erase(key);

    for (const auto* older : {&bases, &includes}) {
      for (const Value& parent : *older) inherit(file, parent);
    }
    deep_merge(result, file);
    return result;
  }

  /// The keys of `parent` that `file` lacks; those it has remember what they replaced.
  static void inherit(Value& file, const Value& parent) {
    for (const auto& [key, value] : *parent.map()) {
      if (Value* own = file.map()->find(key)) {
        remember_replaced(*own, value);
      } else {
        file.map()->set(key, value);
      }
    }
  }

  std::vector<Value> parents(const Value& file, std::string_view key, const fs::path& path) {
    const Value* names = file.map()->find(key);
    if (names == nullptr) return {};
    const Value::List single = {*names};
    std::vector<Value> loaded;
    for (const Value& name : names->is_list() ? *names->list() : single) {
      if (!name.is_text()) {
        throw UserError(name.origin.where(),
                        fmt::format("'{}' takes a file name or a list of file names, not the {} {}", key,
                                    name.kind(), name.as_written()));
      }
      const fs::path parent = path.parent_path() / *name.text();
      loaded.push_back(load(parent, &name.origin));
      if (!loaded.back().is_map()) {
        throw UserError(name.origin.where(), fmt::format("'{}' holds {}; only a map of keys can be inherited",
                                                         parent.string(), loaded.back().a_kind()));
      }
    }
    return loaded;
  }

  Layer layer_;
  const Environment& environment_;
  std::vector<fs::path> chain_;
};

}  // namespace

Value load_file(const fs::path& path, Layer layer, const Environment& environment) {
  return Loader(layer, environment).load(path, nullptr);
}

}  // namespace primus::config
