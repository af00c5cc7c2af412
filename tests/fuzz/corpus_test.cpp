// The fuzzer's corpus, read as it is and with random damage: every input ends in values or in a UserError,
// never in anything else.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "core/file.h"
#include "fuzz/targets.h"

namespace primus::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr int rounds = 200;

const fs::path corpus = fs::path(PRIMUS_SOURCE_DIR) / "fuzz/corpus";

/// The names in a folder, sorted: the order in which they are damaged must not depend on the file system.
std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

/// Replaces, inserts, deletes or repeats a few bytes, with a liking for those that mean something in a text.
std::string damaged(std::string text, std::mt19937& random) {
  constexpr std::string_view special = ":-[]{}&*!|>'\"%@#,?<\n\t ~.0123456789eExX_$nulltruefalse=\\";
  const auto below = [&](std::size_t limit) { return random() % std::max<std::size_t>(limit, 1); };
  for (std::size_t i = 0; i < 1 + below(8); ++i) {
    const std::size_t at = below(text.size() + 1);
    const char byte = below(4) == 0 ? static_cast<char>(below(256)) : special[below(special.size())];
    switch (below(4)) {
      case 0: text.insert(at, 1, byte); break;
      case 1: text.erase(at, below(5)); break;
      case 2: text.insert(at, text.substr(below(text.size()), below(40))); break;
      default:
        if (at < text.size()) text[at] = byte;
    }
  }
  return text;
}

class Corpus : public ::testing::TestWithParam<Target> {};

TEST_P(Corpus, GivesValuesOrAMessageWhateverIsDamaged) {
  const Target& target = GetParam();
  std::mt19937 random(1);
  const fs::path folder = corpus / target.name;
  ASSERT_FALSE(names_in(folder).empty());
  for (const std::string& name : names_in(folder)) {
    const std::string seed = read_file(folder / name);
    if (name.starts_with("damaged_")) {
      EXPECT_NO_THROW(feed(target, seed)) << name;
    } else {
      EXPECT_NO_THROW(target.read(seed)) << name << " is not read to its end";
    }
    for (int round = 0; round < rounds; ++round) {
      const std::string text = damaged(seed, random);
      EXPECT_NO_THROW(feed(target, text)) << name << " damaged:\n" << text;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Corpus, ::testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(CorpusFolders, HaveATargetEach) {
  std::set<std::string> named;
  for (const Target& target : targets()) named.emplace(target.name);
  EXPECT_EQ(names_in(corpus), named);
}

}  // namespace
}  // namespace primus::fuzz
