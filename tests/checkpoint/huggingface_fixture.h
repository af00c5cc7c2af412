#pragma once

#include <filesystem>
#include <string>

namespace primus::checkpoint {

/// A model that Transformers saved, with what it computes; made by tests/parity/huggingface_oracle.py.
inline std::filesystem::path huggingface_fixture(const std::string& name) {
  return std::filesystem::path(PRIMUS_SOURCE_DIR) / "tests" / "parity" / "huggingface" / name;
}

}  // namespace primus::checkpoint
