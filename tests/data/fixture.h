#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace primus::data::testing {

inline std::string fixture(const std::string& name) {
  return std::string(PRIMUS_SOURCE_DIR) + "/tests/data/fixtures/" + name;
}

/// What numpy, torch and Megatron-Core gave (tests/parity/make_dataset_fixture.py).
inline nlohmann::json megatron() { return nlohmann::json::parse(std::ifstream(fixture("megatron.json"))); }

}  // namespace primus::data::testing
