#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace primus::config {
class Arguments;
}

namespace primus::train {

/// Looks at the tokenizer, data and checkpoints that a run would read, without reading any tokens. Returns
/// the files that are not on this machine, one message each with the place where the file was named. Throws
/// UserError for what training would refuse of those that are there. `root` is the run's directory.
std::vector<std::string> missing_inputs(const config::Arguments& arguments,
                                        const std::filesystem::path& root);

}  // namespace primus::train
