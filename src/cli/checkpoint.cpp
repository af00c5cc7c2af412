#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>

#include "checkpoint/layout.h"
#include "checkpoint/reader.h"
#include "checkpoint/safetensors.h"
#include "cli/commands.h"
#include "core/error.h"

namespace primus::cli {

namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using checkpoint::Location;

struct CheckpointOptions {
  std::string directory;
  std::optional<std::int64_t> iteration;
  bool json = false;
};

std::string size_text(std::uint64_t bytes) {
  constexpr double kilo = 1000.0;
  if (bytes >= 1'000'000'000)
    return fmt::format("{:.2f} GB", static_cast<double>(bytes) / (kilo * kilo * kilo));
  if (bytes >= 1'000'000) return fmt::format("{:.1f} MB", static_cast<double>(bytes) / (kilo * kilo));
  return fmt::format("{:.1f} kB", static_cast<double>(bytes) / kilo);
}

std::uint64_t size_of(const Checkpoint& checkpoint) {
  std::uint64_t bytes = 0;
  for (const auto& [number, size] : checkpoint.index().shards) bytes += size;
  return bytes;
}

bool is_one_checkpoint(const CheckpointOptions& options) {
  return fs::exists(fs::path(options.directory) / checkpoint::index_file);
}

/// The directory itself when it is one checkpoint, else all in it. Throws UserError when there is none.
std::vector<fs::path> all_checkpoints(const CheckpointOptions& options) {
  if (is_one_checkpoint(options)) return {options.directory};
  std::vector<fs::path> result;
  for (const Location& location : checkpoint::list_checkpoints(options.directory))
    result.push_back(location.path);
  if (result.empty()) throw_user_error("{}: contains no complete checkpoint", options.directory);
  return result;
}

/// The directory itself when it is one checkpoint, else the latest in it, or the one asked for.
fs::path one_checkpoint(const CheckpointOptions& options) {
  if (is_one_checkpoint(options)) return options.directory;
  const auto found = checkpoint::find_checkpoint(options.directory, options.iteration);
  if (!found) throw_user_error("{}: contains no complete checkpoint", options.directory);
  if (!found->note.empty()) fmt::print(stderr, "primus: warning: {}\n", found->note);
  return found->path;
}

/// A damaged checkpoint has a line like the others: whoever looks for one that is whole sees which are.
void list(const CheckpointOptions& options) {
  const auto directories = all_checkpoints(options);
  fs::path latest;
  std::exception_ptr no_latest;
  try {
    if (!is_one_checkpoint(options)) latest = one_checkpoint({options.directory});
  } catch (const UserError&) {
    no_latest = std::current_exception();
  }
  for (const fs::path& directory : directories) {
    if (const std::string damage = checkpoint::damage_of(directory); !damage.empty()) {
      fmt::print("{:<14} damaged: {}\n", directory.filename().string(), damage);
      continue;
    }
    const Checkpoint checkpoint(directory);
    fmt::print("{:<14} {:>6} tensors  {:>10}  {} shard{}{}\n", directory.filename().string(),
               checkpoint.index().tensors.size(), size_text(size_of(checkpoint)),
               checkpoint.index().shards.size(), checkpoint.index().shards.size() == 1 ? "" : "s",
               directory == latest ? "  latest" : "");
  }
  if (no_latest) std::rethrow_exception(no_latest);
}

nlohmann::json description_of(const Checkpoint& checkpoint) {
  nlohmann::json tensors = nlohmann::json::object();
  for (const auto& [name, tensor] : checkpoint.index().tensors) {
    tensors[name] = {{"dtype", checkpoint::safetensors_dtype(tensor.dtype)},
                     {"shape", tensor.shape},
                     {"pieces", tensor.pieces.size()}};
  }
  return {{"path", checkpoint.path().string()},
          {"bytes", size_of(checkpoint)},
          {"common", checkpoint.common()},
          {"tensors", tensors}};
}

void inspect(const CheckpointOptions& options) {
  const Checkpoint checkpoint(one_checkpoint(options));
  if (options.json) {
    fmt::print("{}\n", description_of(checkpoint).dump());
    return;
  }
  fmt::print("{}  {}\n\n{}\n\n", checkpoint.path().string(), size_text(size_of(checkpoint)),
             checkpoint.common().dump(2));
  for (const auto& [name, tensor] : checkpoint.index().tensors) {
    const std::string shape = fmt::format("[{}]", fmt::join(tensor.shape, ", "));
    fmt::print("{:<5} {:<20} {:>3} piece{} {}\n", checkpoint::safetensors_dtype(tensor.dtype), shape,
               tensor.pieces.size(), tensor.pieces.size() == 1 ? " " : "s", name);
  }
}

void verify(const CheckpointOptions& options) {
  for (const fs::path& directory : all_checkpoints(options)) {
    const Checkpoint checkpoint(directory);
    checkpoint.verify();
    fmt::print("{}: ok, {} in {} tensors\n", directory.string(), size_text(size_of(checkpoint)),
               checkpoint.index().tensors.size());
  }
}

CLI::App* add_command(CLI::App& parent, const char* name, const char* help,
                      void (*command)(const CheckpointOptions&)) {
  CLI::App* app = parent.add_subcommand(name, help);
  const auto options = std::make_shared<CheckpointOptions>();
  app->add_option("directory", options->directory, "A folder of checkpoints, or one checkpoint in it")
      ->required();
  if (command == inspect) {
    app->add_option("--iteration", options->iteration, "Which one; default: the latest");
    app->add_flag("--json", options->json, "Print one JSON object");
  }
  app->callback([options, command] { command(*options); });
  return app;
}

}  // namespace

void add_checkpoint(CLI::App& program) {
  CLI::App* app = program.add_subcommand("checkpoint", "List, inspect, check and convert checkpoints");
  app->require_subcommand(1);
  add_command(*app, "list", "One line per checkpoint", list);
  add_command(*app, "inspect", "Common state and tensors of one checkpoint", inspect);
  add_command(*app, "verify", "Compare every byte with its checksum", verify);
  add_huggingface_conversions(*app);
}

}  // namespace primus::cli
