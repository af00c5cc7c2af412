#pragma once

#include <string_view>

#include "tests/temporary_directory.h"

namespace primus::fuzz {

/// The files that one input of a fuzzer describes, in a folder of their own.
class InputFiles {
 public:
  /// One file with these bytes.
  InputFiles(const std::string& name, std::string_view bytes);
  /// Several, each behind a line "--- NAME"; what stands before the first such line is left out.
  explicit InputFiles(std::string_view sections);

  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }
  const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  testing::TemporaryDirectory folder_;
};

}  // namespace primus::fuzz
