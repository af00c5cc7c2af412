#include "checkpoint/layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "checkpoint/reader.h"
#include "core/error.h"
#include "core/file_kind.h"

namespace primus::checkpoint {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view iteration_prefix = "iter_";
constexpr std::string_view temporary_prefix = ".tmp_";
constexpr std::string_view release_name = "release";

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// A damaged file may hold anything.
std::string printable(std::string text) {
  constexpr std::size_t shown = 40;
  if (text.size() > shown) text = text.substr(0, shown) + "...";
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

std::string names_of_complete(const fs::path& folder) {
  std::vector<std::string> names;
  for (const Location& location : list_checkpoints(folder)) {
    if (damage_of(location.path).empty()) names.push_back(location.path.filename().string());
  }
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

fs::path iteration_directory(const fs::path& folder, std::int64_t iteration) {
  return folder / fmt::format("{}{:07d}", iteration_prefix, iteration);
}

fs::path release_directory(const fs::path& folder) { return folder / release_name; }

fs::path temporary_directory(const fs::path& final_directory) {
  return final_directory.parent_path() /
         fmt::format("{}{}", temporary_prefix, final_directory.filename().string());
}

fs::path shard_file(const fs::path& directory, int rank) {
  return directory / fmt::format("shard_{:05d}.safetensors", rank);
}

fs::path tracker_file(const fs::path& folder) { return folder / "latest_checkpointed_iteration.txt"; }

namespace {

/// What a folder without a tracker file offers: the iteration before anything else, since a release is where
/// training begins.
std::optional<Location> newest_checkpoint(const fs::path& folder) {
  const std::vector<Location> all = list_checkpoints(folder);
  std::vector<std::string> damaged;
  for (auto newest = all.rbegin(); newest != all.rend(); ++newest) {
    const std::string name = newest->path.filename().string();
    if (const std::string damage = damage_of(newest->path); !damage.empty()) {
      damaged.push_back(fmt::format("{} is damaged ({})", name, damage));
      continue;
    }
    Location found = *newest;
    found.note = fmt::format("{} is missing: using the newest complete checkpoint next to it, {}",
                             tracker_file(folder).string(), name);
    if (!damaged.empty()) found.note += fmt::format("; {}", fmt::join(damaged, "; "));
    return found;
  }
  if (damaged.empty()) return std::nullopt;
  throw_user_error("{}: contains no complete checkpoint: {}. Restore the files, or move the folder away",
                   folder.string(), fmt::join(damaged, "; "));
}

Location tracked_checkpoint(const fs::path& folder) {
  const std::string content = trimmed(read_text_file(tracker_file(folder)));
  if (const std::optional<std::int64_t> number = parse_number(content))
    return {iteration_directory(folder, *number), *number, false};
  if (content == release_name) return {release_directory(folder), 0, true};
  throw_user_error(
      "{}: it {}; it must hold an iteration or 'release'. Complete checkpoints: {}. Write the iteration to "
      "load into the file, or remove the file to load the newest",
      tracker_file(folder).string(),
      content.empty() ? "is empty" : fmt::format("holds '{}'", printable(content)),
      names_of_complete(folder));
}

}  // namespace

std::optional<Location> find_checkpoint(const fs::path& folder, std::optional<std::int64_t> iteration) {
  if (!iteration && !fs::exists(tracker_file(folder))) return newest_checkpoint(folder);
  Location location = iteration ? Location{iteration_directory(folder, *iteration), *iteration, false}
                                : tracked_checkpoint(folder);
  const std::string damage = damage_of(location.path);
  if (damage.empty()) return location;
  const std::string missing = fmt::format("{}: there is no complete checkpoint {}", folder.string(),
                                          location.path.filename().string());
  const std::string complete = names_of_complete(folder);
  if (iteration) throw_user_error("{}: {}. Complete checkpoints: {}", missing, damage, complete);
  throw_user_error(
      "{0}, which {1} names: {2}. Complete checkpoints: {3}. Write the iteration to load into {1}, or remove "
      "{1} to load the newest",
      missing, tracker_file(folder).filename().string(), damage, complete);
}

std::vector<Location> list_checkpoints(const fs::path& folder) {
  std::vector<Location> result;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory(none)) continue;
    if (name == release_name) result.push_back({entry.path(), 0, true});
    if (!name.starts_with(iteration_prefix)) continue;
    const auto number = parse_number(std::string_view(name).substr(iteration_prefix.size()));
    if (number) result.push_back({entry.path(), *number, false});
  }
  std::sort(result.begin(), result.end(), [](const Location& a, const Location& b) {
    return std::pair(!a.release, a.iteration) < std::pair(!b.release, b.iteration);
  });
  return result;
}

std::string damage_of(const fs::path& directory) {
  try {
    const Checkpoint opened(directory);
    return "";
  } catch (const UserError& error) {
    return error.what();
  }
}

int remove_stale_temporaries(const fs::path& folder) {
  std::vector<fs::path> stale;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(temporary_prefix) || name.find(temporary_mark) != std::string::npos)
      stale.push_back(entry.path());
  }
  for (const fs::path& path : stale) fs::remove_all(path, ignored);
  return static_cast<int>(stale.size());
}

}  // namespace primus::checkpoint
