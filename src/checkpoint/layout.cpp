#include "checkpoint/layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "core/file.h"

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

bool is_checkpoint(const fs::path& directory) { return fs::exists(directory / index_file); }

std::string names_of(const std::vector<Location>& checkpoints) {
  std::vector<std::string> names;
  for (const Location& location : checkpoints) names.push_back(location.path.filename().string());
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

std::optional<Location> find_checkpoint(const fs::path& folder, std::optional<std::int64_t> iteration) {
  Location location;
  if (iteration) {
    location = {iteration_directory(folder, *iteration), *iteration, false};
  } else {
    if (!fs::exists(tracker_file(folder))) return std::nullopt;
    const std::string content = trimmed(read_file(tracker_file(folder)));
    const std::optional<std::int64_t> number = parse_number(content);
    if (!number && content != release_name) {
      throw_user_error("{}: holds '{}', neither an iteration nor 'release'. Complete checkpoints: {}",
                       tracker_file(folder).string(), content, names_of(list_checkpoints(folder)));
    }
    location = number ? Location{iteration_directory(folder, *number), *number, false}
                      : Location{release_directory(folder), 0, true};
  }
  if (!is_checkpoint(location.path)) {
    throw_user_error("{}: there is no complete checkpoint {}. Complete checkpoints: {}", folder.string(),
                     location.path.filename().string(), names_of(list_checkpoints(folder)));
  }
  return location;
}

std::vector<Location> list_checkpoints(const fs::path& folder) {
  std::vector<Location> result;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    if (!is_checkpoint(entry.path())) continue;
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

int remove_stale_temporaries(const fs::path& folder) {
  std::vector<fs::path> stale;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().filename().string().starts_with(temporary_prefix)) stale.push_back(entry.path());
  }
  for (const fs::path& path : stale) fs::remove_all(path, ignored);
  return static_cast<int>(stale.size());
}

}  // namespace primus::checkpoint
