// Random damage to real files and command lines: every input ends in values or in a UserError, never in
// anything else.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/file.h"
#include "tests/config/fuzz_input.h"

namespace primus::config {
namespace {

constexpr int rounds = 400;

/// Replaces, inserts, deletes or repeats a few bytes, with a liking for those that mean something in YAML.
std::string damaged(std::string text, std::mt19937& random) {
  constexpr std::string_view special = ":-[]{}&*!|>'\"%@#,?<\n\t ~.0123456789eExX_$nulltruefalse";
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

TEST(RandomInput, DamagedYamlGivesValuesOrAMessage) {
  std::mt19937 random(1);
  const std::string file =
      read_file(std::string(PRIMUS_SOURCE_DIR) + "/configs/models/megatron/deepseek_v3_base.yaml");
  const std::string syntax =
      "a: &x {k: 1, l: [1, 2]}\nb: *x\nm:\n  <<: *x\n  k: ${V:9}\nt: |\n  one\n  two\nf: >-\n  x\n  y\nd: "
      "2001-12-14 21:59:43.10 -5\n"
      "n: 1:30.5\nh: 0x10\no: 017\ns: \"tab\\t\\u00e9\"\ni: .inf\nmoe_layer_freq: ([0]*3+[1]*58)\nlr: 1e-5\n";
  for (int round = 0; round < rounds; ++round) {
    for (const std::string& seed : {file, syntax}) {
      const std::string text = damaged(seed, random);
      EXPECT_NO_THROW(fuzz_yaml(text)) << text;
    }
  }
}

TEST(RandomInput, DamagedTokensGiveValuesOrAMessage) {
  std::mt19937 random(2);
  const std::string seed =
      "lr=1e-5\n--train_iters\n7\n--flag\na.b.c=[1, (2, 3), {'k': None}]\nprofile_ranks=[0,1]\nx=='y'\n"
      "moe_layer_freq=([0]*3+[1]*58)\nbf16=TRUE\nn=1_000\ns={1, 2}\n";
  for (int round = 0; round < 3 * rounds; ++round) {
    const std::string text = damaged(seed, random);
    EXPECT_NO_THROW(fuzz_tokens(text)) << text;
  }
}

}  // namespace
}  // namespace primus::config
