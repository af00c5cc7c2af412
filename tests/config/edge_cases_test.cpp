#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <regex>

#include "config/experiment.h"
#include "config/loader.h"
#include "config/merge.h"
#include "config/module.h"
#include "config/tokens.h"
#include "core/file.h"
#include "golden.h"
#include "tests/temporary_directory.h"

namespace primus::config {

namespace {

using nlohmann::json;
using testing::as_json;
using testing::differences;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

json read_edge_file(const std::string& name) {
  return json::parse(read_file(testing::source_directory() / "tests/config/golden/edge" / name));
}

/// The content of a file that is written as its lines.
std::string text_of(const json& file) {
  if (file.is_object()) return file["text"];
  std::string text;
  for (const json& line : file) text += line.get<std::string>() + "\n";
  return text;
}

/// A case of tests/config/golden/edge, its files laid out in a directory of its own.
class EdgeCase {
 public:
  explicit EdgeCase(const json& fields) : fields(fields) {
    if (fields.value("common_files", false)) write(read_edge_file("common_files.json"));
    write(fields.value("files", json::object()));
    std::filesystem::create_directories(root / "configs");
  }

  std::string text(const std::string& key) const { return fields.at(key); }
  std::filesystem::path file() const { return root / text("file"); }
  Environment environment() const {
    return environment_of(fields.value("env", std::map<std::string, std::string>()));
  }

  ResolveRequest request(const std::string& experiment) const {
    ResolveRequest request;
    request.module = "";
    request.config = root / experiment;
    request.environment = environment();
    request.config_directories = {root / "configs"};
    return request;
  }

  /// A result with this directory's name taken out of it.
  json without_root(const json& result) const {
    std::string text = result.dump();
    const std::string prefix = root.path().string() + "/";
    for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at))
      text.erase(at, prefix.size());
    return json::parse(text);
  }

  const json fields;
  const primus::testing::TemporaryDirectory root;

 private:
  void write(const json& files) const {
    for (const auto& [name, lines] : files.items()) {
      std::filesystem::create_directories((root / name).parent_path());
      std::ofstream(root / name, std::ios::binary) << text_of(lines);
    }
  }
};

/// Python's tuples and sets are lists here.
json as_lists(const json& value) {
  if (value.is_object() && value.size() == 1) {
    for (const char* key : {"__tuple__", "__set__"}) {
      if (value.contains(key)) return as_lists(value[key]);
    }
  }
  if (!value.is_structured()) return value;
  json result = value;
  for (json& member : result) member = as_lists(member);
  return result;
}

/// What a message must name: the file, key, module or variable that the original's message names.
std::vector<std::string> facts_of(const json& error) {
  std::vector<std::string> facts;
  const std::string message = error["message"];
  static const std::regex name(R"(key\((\w+)\)|(?:variable|Preset|framework|module) '([^']+)'|module: (\w+))"
                               R"(|file '([^']+)'|not found: (\S+)|/([^/']+)'\.$)");
  for (std::sregex_iterator found(message.begin(), message.end(), name), end; found != end; ++found) {
    for (std::size_t group = 1; group < found->size(); ++group) {
      if ((*found)[group].matched) facts.push_back((*found)[group]);
    }
  }
  return facts;
}

/// Runs every case of a file: equal value, or an error that names the same facts.
void check_cases(const std::string& file_name, std::size_t count,
                 const std::function<json(const EdgeCase&)>& run) {
  std::size_t seen = 0;
  for (const json& fields : read_edge_file(file_name)) {
    ++seen;
    if (fields.contains("deviation") && !fields.contains("here")) continue;
    SCOPED_TRACE(fields["name"].get<std::string>());
    const json& expected = fields.contains("here") ? fields["here"] : fields;
    const EdgeCase edge_case(fields);
    json result;
    std::string message;
    try {
      result = run(edge_case);
    } catch (const UserError& error) {
      message = error.what();
    }
    if (expected.contains("error")) {
      EXPECT_NE(message, "") << "no error, but " << result;
      if (expected.value("own_message", false)) {
        for (const std::string& fact : facts_of(expected["error"])) EXPECT_THAT(message, HasSubstr(fact));
      }
    } else {
      EXPECT_EQ(message, "");
      EXPECT_THAT(differences(as_lists(expected["value"]), edge_case.without_root(result)), IsEmpty());
    }
  }
  EXPECT_EQ(seen, count);
}

TEST(EdgeCases, FilesLoadAsInTheOriginal) {
  check_cases("load.json", 37, [](const EdgeCase& edge_case) {
    return as_json(load_file(edge_case.file(), Layer::experiment, edge_case.environment()));
  });
}

TEST(EdgeCases, ExperimentsMergeAsInTheOriginal) {
  check_cases("experiment.json", 43, [](const EdgeCase& edge_case) {
    const Value tree = merge_experiment(edge_case.request(edge_case.text("file"))).tree;
    json result = {{"exp", as_json(tree)}};
    if (edge_case.fields.contains("value"))
      result["exp_root_path"] = edge_case.fields["value"]["exp_root_path"];
    return result;
  });
}

TEST(EdgeCases, PresetsLoadAsInTheOriginal) {
  check_cases("preset.json", 3, [](const EdgeCase& edge_case) {
    const Environment environment = edge_case.environment();
    const PresetFinder presets({edge_case.root / "configs"}, environment);
    const bool modules = edge_case.fields.value("config_type", "models") == "modules";
    return as_json(presets.load(Value(edge_case.text("preset")), edge_case.text("framework"),
                                modules ? Layer::module_preset : Layer::model_preset));
  });
}

TEST(EdgeCases, OverridesParseAsInTheOriginal) {
  check_cases("overrides.json", 9, [](const EdgeCase& edge_case) {
    const Overrides overrides = parse_tokens(edge_case.fields["tokens"], "pre_trainer");
    EXPECT_EQ(overrides.warnings.size(), edge_case.fields.value("printed", json::array()).size());
    return as_json(overrides.values);
  });
}

TEST(EdgeCases, CommandLineOverridesMergeAsInTheOriginal) {
  std::size_t with_value = 0;
  for (const json& fields : read_edge_file("command_line.json")) {
    if (!fields.contains("value")) continue;
    ++with_value;
    SCOPED_TRACE(fields["name"].get<std::string>());
    const EdgeCase edge_case(fields);
    const json& expected = fields["value"];
    Value tree = merge_experiment(edge_case.request(expected["args"]["config"])).tree;
    Value& module = *tree.map()->find("modules")->map()->find(expected["module"]["name"].get<std::string>());
    for (const char* key : {"name", "framework", "config", "trainer_class"}) module.map()->erase(key);
    deep_merge(module, parse_tokens(expected["override_tokens"], "pre_trainer").values);
    EXPECT_THAT(differences(expected["module"]["params"], as_json(module)), IsEmpty());
  }
  EXPECT_EQ(with_value, 18u);
}

}  // namespace

}  // namespace primus::config
