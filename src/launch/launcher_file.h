#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "launch/world.h"

namespace primus::launch {

/// The launcher's own configuration file (`.primus.yaml`; not the experiment's): sections `main`, `direct`,
/// `slurm` and `container`, each of keys with one value or a list.
class LauncherFile {
 public:
  /// No file: nothing is set.
  LauncherFile() = default;
  /// Throws UserError, with the line, when the file cannot be read or has another shape.
  explicit LauncherFile(const std::filesystem::path& path);

  /// The values of a key of a section, e.g. ("container", "options.image"); empty when it is not set.
  std::vector<std::string> values(const std::string& section, const std::string& key) const;
  /// The only value of a key. Throws UserError when the key has a list.
  std::optional<std::string> value(const std::string& section, const std::string& key) const;
  /// Whether a key says true. Throws UserError for anything but true and false.
  bool flag(const std::string& section, const std::string& key) const;
  /// The keys of a section in the file's order.
  std::vector<std::string> keys(const std::string& section) const;
  /// Throws UserError that names the first key of a section that is none of `known`.
  void refuse_unknown(const std::string& section, const std::vector<std::string>& known) const;

 private:
  struct Entry {
    std::string section;
    std::string key;
    std::vector<std::string> values;
    Where where;
  };
  const Entry* find(const std::string& section, const std::string& key) const;

  std::vector<Entry> entries_;
};

/// The file named on the command line, else ~/.primus.yaml if it exists, else none.
LauncherFile find_launcher_file(const std::string& named, const Environment& environment);

}  // namespace primus::launch
