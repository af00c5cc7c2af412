#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/environment.h"
#include "config/value.h"

namespace primus::config::testing {

/// The root of the source tree.
std::filesystem::path source_directory();

/// A record of a tests/config/golden/*.jsonl file, its document put together. See README.md there.
struct GoldenRecord {
  std::string id;
  std::string input;                       ///< the input file, relative to the source tree
  std::map<std::string, std::string> env;  ///< variables that are set
  nlohmann::json fields;                   ///< the record as it stands in the file
  nlohmann::json document;
  bool deviates() const { return fields.contains("deviation"); }
};

/// All records of tests/config/golden/`name`.
std::vector<GoldenRecord> read_golden(const std::string& name);

/// A tree in the encoding of the golden files.
nlohmann::json as_json(const Value& value);

/// What differs, a line each: "/modules/pre_trainer/lr: expected 1, got 1.0". Empty when nothing does. Unlike
/// nlohmann::json's own comparison it tells 1 from 1.0.
std::vector<std::string> differences(const nlohmann::json& expected, const nlohmann::json& actual);

}  // namespace primus::config::testing
