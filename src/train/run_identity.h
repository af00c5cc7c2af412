#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/datasets.h"
#include "tokenizer/tokenizer.h"

namespace primus::config {
class Arguments;
}

namespace primus::train {

struct RunState;
struct ScheduleChanges;

/// What a run is made of.
struct RunParts {
  const config::Arguments& arguments;
  const data::DataConfig& data;
  const data::Datasets& datasets;
  const tokenizer::TokenizerOptions& tokenizer;
  int data_parallel_size = 1;
};

/// What the course of a run depends on beside its model and its weights: the data and its order, the loss,
/// the optimizer's numbers, and the arguments of the schedule. Kept in checkpoints as "run".
nlohmann::json run_identity(const RunParts& parts);

/// Checksums of the files that a tokenizer is read from, by name: "tokenizer_files" of the identity.
nlohmann::json tokenizer_checksums(const tokenizer::TokenizerOptions& options);

/// One line for each part in which a run that goes on at `state` is not the run that saved the checkpoint:
/// what it was, what it is, and what follows. A change of the schedule is part of the line of the argument
/// that has caused it. Parts that only one side has are of another version of this program, and are not
/// compared.
std::vector<std::string> changes(const nlohmann::json& saved, const nlohmann::json& now,
                                 const RunState& state, const ScheduleChanges& schedule);

}  // namespace primus::train
