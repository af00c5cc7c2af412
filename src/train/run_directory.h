#pragma once

#include <filesystem>
#include <string>

namespace primus::train {

/// The places under `<workspace>/<work_group>/<user_name>/<exp_name>/` that a run writes to. Making one
/// touches nothing on the disk.
struct RunDirectory {
  std::filesystem::path root;

  std::filesystem::path logs(const std::string& module, int rank) const {
    return root / "logs" / module / ("rank-" + std::to_string(rank));
  }
  std::filesystem::path checkpoints() const { return root / "checkpoints"; }
  std::filesystem::path tensorboard() const { return root / "tensorboard"; }
  std::filesystem::path metrics() const { return root / "metrics.jsonl"; }
  std::filesystem::path resolved_config() const { return root / "config.yaml"; }
};

}  // namespace primus::train
