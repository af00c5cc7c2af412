#include "launch/launcher_file.h"

#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/file_kind.h"

namespace primus::launch {

namespace {

constexpr std::array<std::string_view, 4> sections = {"main", "direct", "slurm", "container"};

Where where_is(const std::string& file, const YAML::Mark& mark) { return {file, mark.line + 1}; }

std::vector<std::string> values_of(const YAML::Node& node, const Where& where) {
  std::vector<std::string> values;
  if (node.IsScalar()) return {node.Scalar()};
  if (!node.IsSequence()) throw UserError(where, "expected a value or a list of values");
  for (const YAML::Node& item : node) {
    if (!item.IsScalar()) throw UserError(where, "expected a list of plain values");
    values.push_back(item.Scalar());
  }
  return values;
}

}  // namespace

LauncherFile::LauncherFile(const std::filesystem::path& path) {
  const std::string file = path.string();
  YAML::Node root;
  try {
    root = YAML::Load(read_text_file(path));
  } catch (const YAML::ParserException& error) {
    throw UserError(where_is(file, error.mark), "not YAML: " + error.msg);
  }
  if (root.IsNull()) return;
  if (!root.IsMap()) throw UserError({file, 1}, "expected the sections main, direct, slurm, container");
  for (const auto& section : root) {
    const std::string name = section.first.Scalar();
    const Where at = where_is(file, section.first.Mark());
    if (std::find(sections.begin(), sections.end(), name) == sections.end()) {
      throw UserError(at,
                      fmt::format("unknown section '{}': expected main, direct, slurm or container", name));
    }
    if (!section.second.IsMap()) throw UserError(at, fmt::format("section '{}' must hold keys", name));
    for (const auto& entry : section.second) {
      const std::string key = entry.first.Scalar();
      const Where where = where_is(file, entry.first.Mark());
      if (name == "container" && key == "options" && entry.second.IsMap()) {
        for (const auto& option : entry.second) {
          const Where place = where_is(file, option.first.Mark());
          entries_.push_back(
              {name, "options." + option.first.Scalar(), values_of(option.second, place), place});
        }
      } else {
        entries_.push_back({name, key, values_of(entry.second, where), where});
      }
    }
  }
}

const LauncherFile::Entry* LauncherFile::find(const std::string& section, const std::string& key) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.section == section && entry.key == key;
  });
  return found == entries_.end() ? nullptr : &*found;
}

std::vector<std::string> LauncherFile::values(const std::string& section, const std::string& key) const {
  const Entry* entry = find(section, key);
  return entry == nullptr ? std::vector<std::string>() : entry->values;
}

std::optional<std::string> LauncherFile::value(const std::string& section, const std::string& key) const {
  const Entry* entry = find(section, key);
  if (entry == nullptr) return std::nullopt;
  if (entry->values.size() != 1) throw UserError(entry->where, fmt::format("'{}' takes one value", key));
  return entry->values.front();
}

bool LauncherFile::flag(const std::string& section, const std::string& key) const {
  const auto text = value(section, key);
  if (!text || *text == "false") return false;
  if (*text == "true") return true;
  throw UserError(find(section, key)->where, fmt::format("'{}' must be true or false, not '{}'", key, *text));
}

std::vector<std::string> LauncherFile::keys(const std::string& section) const {
  std::vector<std::string> result;
  for (const Entry& entry : entries_) {
    if (entry.section == section) result.push_back(entry.key);
  }
  return result;
}

void LauncherFile::refuse_unknown(const std::string& section, const std::vector<std::string>& known) const {
  for (const Entry& entry : entries_) {
    if (entry.section != section || std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    throw UserError(entry.where, fmt::format("unknown key '{}' in section '{}': known are {}", entry.key,
                                             section, fmt::join(known, ", ")));
  }
}

LauncherFile find_launcher_file(const std::string& named, const Environment& environment) {
  if (!named.empty()) return LauncherFile(named);
  const auto home = environment("HOME");
  if (!home) return {};
  const std::filesystem::path path = std::filesystem::path(*home) / ".primus.yaml";
  return std::filesystem::exists(path) ? LauncherFile(path) : LauncherFile();
}

}  // namespace primus::launch
