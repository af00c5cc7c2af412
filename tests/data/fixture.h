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

/// What Megatron-LM's random sampler gave (tests/parity/make_sampler_fixture.py).
inline nlohmann::json samplers() { return nlohmann::json::parse(std::ifstream(fixture("samplers.json"))); }

}  // namespace primus::data::testing
