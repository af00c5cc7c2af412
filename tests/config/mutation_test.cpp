// Every slip of the keyboard is caught: 50 examples, each with one key misspelt, one misplaced, one of a
// wrong type.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "config/validate.h"
#include "core/file.h"
#include "tests/temporary_directory.h"

namespace primus::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t example_count = 50;

/// A line `      key: value` under `overrides`.
struct Entry {
  std::size_t line;  ///< from 0
  std::string key;
};

std::vector<std::string> lines_of(const fs::path& file) {
  std::istringstream stream(read_file(file));
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<Entry> entries_of(const std::vector<std::string>& lines) {
  std::vector<Entry> entries;
  bool inside = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (line.find("overrides:") != std::string::npos) inside = true;
    const auto colon = line.find(": ");
    const bool entry =
        inside && line.starts_with("      ") && line.size() > 6 && line[6] != ' ' && line[6] != '#';
    if (!entry || colon == std::string::npos) continue;
    const std::string key = line.substr(6, colon - 6);
    if (find_argument(key) < argument_count && key.size() > 3) entries.push_back({i, key});
  }
  return entries;
}

std::vector<fs::path> examples() {
  std::vector<fs::path> files;
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(PRIMUS_SOURCE_DIR) / "examples/megatron")) {
    if (entry.path().extension() == ".yaml" && !entries_of(lines_of(entry.path())).empty())
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<fs::path> spread;
  for (std::size_t i = 0; i < example_count; ++i)
    spread.push_back(files.at(i * files.size() / example_count));
  return spread;
}

/// A misspelling of the kind that fingers make; `kind` picks which.
std::string misspelt(const std::string& key, std::size_t kind) {
  std::string out = key;
  const std::size_t middle = key.size() / 2;
  switch (kind % 4) {
    case 0: std::swap(out[middle], out[middle - 1]); break;
    case 1: out.erase(middle, 1); break;
    case 2: out.insert(middle, 1, out[middle]); break;
    default: out[middle] = out[middle] == 'x' ? 'z' : 'x';
  }
  return out == key ? key + "s" : out;
}

class Mutations : public ::testing::Test {
 protected:
  /// Whether a problem names the mutated file and the line, and which text it says.
  std::string caught(const std::vector<std::string>& lines, std::size_t line) {
    const fs::path file = directory_ / "mutated.yaml";
    std::ofstream stream(file);
    for (const std::string& text : lines) stream << text << "\n";
    stream.close();
    ResolveRequest request;
    request.config = file;
    request.config_directories = {fs::path(PRIMUS_SOURCE_DIR) / "configs"};
    request.environment = [](const std::string&) { return std::nullopt; };
    for (const Problem& problem : validate(request, std::nullopt).problems) {
      const bool named =
          problem.where.file == file.string() && problem.where.line == static_cast<int>(line) + 1;
      // A broken file is reported as a whole, with the place in the message.
      if (named || problem.message.find(file.string() + ":") == 0) return problem.message;
    }
    return "";
  }

 private:
  primus::testing::TemporaryDirectory directory_;
};

TEST_F(Mutations, MisspeltKeysAreCaughtAndTheRightOneIsSuggested) {
  std::size_t suggested = 0, mutated = 0;
  const auto files = examples();
  for (std::size_t i = 0; i < files.size(); ++i) {
    SCOPED_TRACE(files[i]);
    auto lines = lines_of(files[i]);
    const auto entries = entries_of(lines);
    const Entry& entry = entries[i * 7 % entries.size()];
    const std::string wrong = misspelt(entry.key, i);
    ASSERT_EQ(find_argument(wrong), argument_count) << wrong << " is an argument of its own";
    lines[entry.line].replace(6, entry.key.size(), wrong);
    const std::string message = caught(lines, entry.line);
    EXPECT_THAT(message, ::testing::HasSubstr("unknown key '" + wrong + "'"));
    const bool right = message.find("'" + entry.key + "'") != std::string::npos;
    if (!right) std::printf("%s is not suggested: %s\n", entry.key.c_str(), message.c_str());
    suggested += right ? 1 : 0;
    ++mutated;
  }
  std::printf("the right key is suggested for %zu of %zu misspellings\n", suggested, mutated);
  EXPECT_EQ(mutated, example_count);
  EXPECT_GE(suggested * 100, mutated * 95);
}

TEST_F(Mutations, MisplacedKeysAreCaught) {
  const auto files = examples();
  for (std::size_t i = 0; i < files.size(); ++i) {
    SCOPED_TRACE(files[i]);
    auto lines = lines_of(files[i]);
    const auto entries = entries_of(lines);
    const Entry entry = entries[i * 11 % entries.size()];
    const std::string text = lines[entry.line].substr(6);
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(entry.line));
    const bool to_module = i % 2 == 0;
    std::size_t at = 0;
    while (lines[at].find(to_module ? "overrides:" : "modules:") == std::string::npos) ++at;
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(at), (to_module ? "    " : "") + text);
    EXPECT_THAT(caught(lines, at), ::testing::HasSubstr(entry.key));
  }
}

TEST_F(Mutations, WrongTypesAreCaught) {
  const auto files = examples();
  for (std::size_t i = 0; i < files.size(); ++i) {
    SCOPED_TRACE(files[i]);
    auto lines = lines_of(files[i]);
    const auto entries = entries_of(lines);
    const Entry& entry = entries[i * 13 % entries.size()];
    const Type type = argument_at(find_argument(entry.key)).type;
    const bool scalar = type == Type::boolean || type == Type::integer || type == Type::number;
    lines[entry.line] = "      " + entry.key + (scalar ? ": banana" : ": {a: 1}");
    if (type == Type::map) lines[entry.line] = "      " + entry.key + ": banana";
    EXPECT_THAT(caught(lines, entry.line), ::testing::HasSubstr("'" + entry.key + "' must be"));
  }
}

}  // namespace
}  // namespace primus::config
