#pragma once

#include "data/batch.h"
#include "data/datasets.h"
#include "tokenizer/tokenizer.h"

namespace primus::config {
class Arguments;
}

namespace primus::data {

/// The data that an experiment describes, `data_args_path` and `per_split_data_args_path` read. The tokenizer
/// is only asked for mock data. Throws UserError for files that cannot be read.
DataConfig data_config_from(const config::Arguments& arguments, const tokenizer::Tokenizer& tokenizer);

/// The files of `data_args_path` and `per_split_data_args_path` that are not on this machine, one message
/// each with the place where the file was named.
std::vector<std::string> missing_lists(const config::Arguments& arguments);

/// The samples that a run of these arguments takes of each split. A `global_batch_size` that is not set is
/// micro_batch_size times `data_parallel_size`.
SplitSizes split_sizes_from(const config::Arguments& arguments, std::int64_t data_parallel_size);

/// Masks and positions, with the tokenizer's size and end-of-document id. Throws UserError when a mask needs
/// that id and the tokenizer has none.
BatchOptions batch_options_from(const config::Arguments& arguments, const tokenizer::Tokenizer& tokenizer);

}  // namespace primus::data
