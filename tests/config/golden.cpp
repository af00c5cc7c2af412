#include "golden.h"

#include <fmt/format.h>

#include <utility>

#include "config/print.h"
#include "core/file.h"

namespace primus::config::testing {

using nlohmann::json;

namespace {

json put_together(const json& record, const std::map<std::string, json>& earlier) {
  if (record.contains("document")) return record["document"];
  json document = earlier.at(record["from"].get<std::string>());
  for (const json& member : record.value("drop", json::array())) {
    const json::json_pointer pointer(member.get<std::string>());
    document.at(pointer.parent_pointer()).erase(pointer.back());
  }
  const json changes = record.value("set", json::object());
  for (const auto& [member, value] : changes.items()) document[json::json_pointer(member)] = value;
  return document;
}

void compare(const json& expected, const json& actual, const std::string& where,
             std::vector<std::string>& lines) {
  if (!expected.is_object() || !actual.is_object()) {
    if (expected.dump() == actual.dump()) return;
    lines.push_back(fmt::format("{}: expected {}, got {}", where, expected.dump(), actual.dump()));
    return;
  }
  for (const auto& [key, value] : expected.items()) {
    if (actual.contains(key)) {
      compare(value, actual[key], where + "/" + key, lines);
    } else {
      lines.push_back(fmt::format("{}/{}: expected {}, is missing", where, key, value.dump()));
    }
  }
  for (const auto& [key, value] : actual.items()) {
    if (!expected.contains(key))
      lines.push_back(fmt::format("{}/{}: {} is not expected", where, key, value.dump()));
  }
}

}  // namespace

std::filesystem::path source_directory() { return PRIMUS_SOURCE_DIR; }

std::vector<GoldenRecord> read_golden(const std::string& name) {
  std::vector<GoldenRecord> records;
  std::map<std::string, json> documents;
  const std::string text = read_file(source_directory() / "tests/config/golden" / name);
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = text.find('\n', start);
    const json fields = json::parse(text.substr(start, end - start));
    start = end + 1;
    GoldenRecord record;
    record.id = fields["id"];
    record.input = fields.value("input", record.id);
    record.env = fields.value("env", std::map<std::string, std::string>());
    record.document = put_together(fields, documents);
    record.fields = fields;
    documents[record.id] = record.document;
    records.push_back(std::move(record));
  }
  return records;
}

json as_json(const Value& value) { return json::parse(to_json(value, JsonStyle::one_line)); }

std::vector<std::string> differences(const json& expected, const json& actual) {
  std::vector<std::string> lines;
  compare(expected, actual, "", lines);
  return lines;
}

}  // namespace primus::config::testing
