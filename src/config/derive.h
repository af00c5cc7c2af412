#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/arguments.h"
#include "config/experiment.h"
#include "config/problem.h"

namespace primus::config {

/// What a run knows beside its files.
struct RunContext {
  std::int64_t world_size = 1;
  std::string work_group, user_name, exp_name;
  std::filesystem::path root_directory;

  static RunContext of(const Experiment& experiment, std::int64_t world_size);
};

/// The arguments as the engine sees them, and what follows from them.
struct DerivedArguments {
  Arguments arguments;  ///< after preparation and derivation
  std::int64_t data_parallel_size = 1;
  std::int64_t microbatches = 1;        ///< per step and data-parallel rank, at full batch size
  std::int64_t running_batch_size = 0;  ///< the global batch size that is used, if it had to be rounded down
  std::string params_dtype = "fp32";    ///< fp32, bf16 or fp16
  std::vector<std::string> notes;       ///< what was set and is not used as it stands, one line each
};

/// The changes that come before all rules (Primus' build_args patches): `save`, `tensorboard_dir` and
/// `wandb_save_dir` point into the run directory, data paths are split into words, mock data brings its own
/// tokenizer, list expressions become lists.
Arguments prepare(const Arguments& arguments, const RunContext& context);

/// Checks prepared arguments by Megatron's and Primus' rules. Every broken rule is added to `problems`, with
/// the place of the argument at fault.
void check_rules(const Arguments& arguments, const RunContext& context, std::vector<Problem>& problems);

/// Fills in what follows from prepared arguments that passed the rules: batch sizes, virtual stages, head and
/// feed-forward sizes, data types, switches that exclude each other.
DerivedArguments derive(const Arguments& arguments, const RunContext& context);

/// All three, one after the other. Throws UserError with every problem.
DerivedArguments derive_or_throw(const Arguments& arguments, const RunContext& context);

/// The number of virtual pipeline stages on each rank, from the three arguments that may say so; 1 without
/// any. Meaningful for arguments that passed the rules.
std::int64_t virtual_stages(const Arguments& arguments);

/// The vocabulary with the dummy entries that make it a multiple of `divisible_by` * `tensor_parallel_size`.
std::int64_t padded_vocabulary_size(std::int64_t size, std::int64_t divisible_by,
                                    std::int64_t tensor_parallel_size);

/// The vocabulary of the null tokenizer: `vocab_size` and the end-of-document entry. Nothing for other
/// tokenizers.
std::optional<std::int64_t> null_tokenizer_size(const Arguments& arguments);

/// How many stages a layout such as "Et*16|t*16L" has: parts between bars, `(...)*n` and `x*n` expanded.
/// Nothing when the text is no such layout.
std::optional<std::int64_t> stages_of_layout(std::string_view layout);

/// The map of all arguments after derivation, as `config show --megatron-args` prints it.
Value megatron_arguments(const DerivedArguments& derived, const RunContext& context);

}  // namespace primus::config
