#include "parallel/rank_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "core/error.h"

namespace primus::parallel {
namespace {

using testing::ElementsAre;
using Groups = std::vector<std::vector<int>>;

GroupKind kind_named(const std::string& name) {
  for (const GroupKind kind : all_group_kinds) {
    if (to_string(kind) == name) return kind;
  }
  throw Error("no kind " + name);
}

Groups parse_groups(std::istream& in) {
  Groups groups(1);
  for (std::string word; in >> word;) {
    if (word == "|") {
      groups.emplace_back();
    } else {
      groups.back().push_back(std::stoi(word));
    }
  }
  return groups;
}

TEST(RankOrder, GivesTheGroupsOfMegatronsRankGenerator) {
  std::ifstream file(PRIMUS_SOURCE_DIR "/tests/parallel/rank_groups.txt");
  std::string line;
  int compared = 0;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream in(line);
    LayoutSizes sizes;
    std::string order, kind, colon;
    in >> sizes.world >> sizes.tensor >> sizes.context >> sizes.pipeline >> sizes.expert >>
        sizes.expert_tensor >> order >> kind >> colon;
    sizes.pipeline_before_data = order == "tp-cp-ep-pp-dp";
    EXPECT_NO_THROW(check(sizes)) << line;
    EXPECT_EQ(groups_of(kind_named(kind), sizes), parse_groups(in)) << line;
    ++compared;
  }
  EXPECT_GT(compared, 200);
}

TEST(RankOrder, EveryRankIsInOneGroupOfEachKind) {
  const LayoutSizes sizes{.world = 24, .tensor = 2, .context = 3, .pipeline = 2, .expert = 3};
  for (const GroupKind kind : all_group_kinds) {
    if (kind == GroupKind::embedding || kind == GroupKind::position_embedding) continue;
    std::multiset<int> seen;
    for (const auto& group : groups_of(kind, sizes)) seen.insert(group.begin(), group.end());
    EXPECT_EQ(seen.size(), 24u) << to_string(kind);
    EXPECT_EQ(std::set<int>(seen.begin(), seen.end()).size(), 24u) << to_string(kind);
  }
}

TEST(RankOrder, EmbeddingGroupsHoldTheEndsOfThePipeline) {
  const LayoutSizes sizes{.world = 8, .tensor = 2, .pipeline = 4};
  EXPECT_THAT(groups_of(GroupKind::embedding, sizes), ElementsAre(ElementsAre(0, 6), ElementsAre(1, 7)));
  EXPECT_THAT(groups_of(GroupKind::position_embedding, sizes), ElementsAre(ElementsAre(0), ElementsAre(1)));
  EXPECT_THAT(groups_of(GroupKind::embedding, {.world = 1}), ElementsAre(ElementsAre(0)));
}

TEST(RankOrder, RefusesSizesThatDoNotFit) {
  EXPECT_THROW(check({.world = 6, .tensor = 4}), UserError);
  EXPECT_THROW(check({.world = 8, .tensor = 2, .expert = 8}), UserError);
  EXPECT_THROW(check({.world = 8, .tensor = 0}), UserError);
  // Pipelines of the two views differ: strides 2 and 4.
  EXPECT_THROW(check({.world = 8, .tensor = 2, .pipeline = 2, .expert = 2, .pipeline_before_data = true}),
               UserError);
  EXPECT_NO_THROW(check({.world = 8, .tensor = 2, .pipeline = 2, .expert = 2}));
}

}  // namespace
}  // namespace primus::parallel
