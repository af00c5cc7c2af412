#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "core/file.h"

namespace primus::observe {

/// metrics.jsonl: one JSON object per line and iteration (and per evaluation), each with its "iteration".
/// Numbers are printed so that reading them gives the same bits; JSON has no word for one that is NaN or
/// infinite, which is null. Every line reaches the kernel when it is
/// added, so a killed process loses none.
///
///     MetricsFile metrics(run_directory / "metrics.jsonl", /*resume_iteration=*/0);
///     metrics.add({{"iteration", 1}, {"consumed_samples", 16}, {"lm_loss", 10.9}, ...});
class MetricsFile {
 public:
  /// Continues a file after the lines of iterations up to `resume_iteration`: later ones, of a run that came
  /// further than its last checkpoint, and a line cut off by a kill are removed, so that the file reads as
  /// one uninterrupted run. Throws UserError when the file cannot be written.
  MetricsFile(std::filesystem::path path, std::int64_t resume_iteration);

  void add(const nlohmann::ordered_json& line);

 private:
  std::filesystem::path path_;
  FileDescriptor file_;
};

/// The largest resident size of this process so far, in bytes (VmHWM); 0 when the system does not tell.
std::int64_t peak_resident_bytes();

}  // namespace primus::observe
