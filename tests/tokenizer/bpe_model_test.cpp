#include "tokenizer/bpe_model.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/error.h"

namespace primus::tokenizer {
namespace {

/// Bytes 'a' to 'c' as ids 0 to 2, and merges of them.
BpeModel letters(BpeModel::Options options = {}) {
  Vocabulary vocabulary;
  TokenId id = 0;
  for (const char* text : {"a", "b", "c", "ab", "abc", "bc", "aa", "aaaa", "ca"}) vocabulary.add(text, id++);
  const std::vector<BpeModel::RankedMerge> merges = {{1, 2, 0}, {0, 1, 1}, {3, 2, 2},
                                                     {0, 0, 3}, {6, 6, 4}, {2, 0, 5}};
  return BpeModel(std::move(vocabulary), merges, options);
}

std::vector<TokenId> encode(const BpeModel& model, std::string_view word) {
  std::vector<TokenId> ids;
  model.encode(word, ids);
  return ids;
}

/// The definition: merge the lowest-ranked leftmost pair until none is left.
std::vector<TokenId> by_definition(const std::string& word) {
  MergeTable table(6);
  const BpeModel::RankedMerge merges[] = {{1, 2, 0}, {0, 1, 1}, {3, 2, 2}, {0, 0, 3}, {6, 6, 4}, {2, 0, 5}};
  const TokenId merged[] = {5, 3, 4, 6, 7, 8};
  for (const auto& merge : merges) table.insert(merge.left, merge.right, {merge.rank, merged[merge.rank]});
  std::vector<TokenId> ids;
  for (const char letter : word) ids.push_back(letter - 'a');
  for (;;) {
    std::size_t best = 0;
    MergeTable::Merge lowest;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto merge = table.find(ids[i], ids[i + 1]);
      if (merge.rank < lowest.rank) {
        lowest = merge;
        best = i;
      }
    }
    if (lowest.rank == MergeTable::no_rank) return ids;
    ids[best] = lowest.merged;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

RC_GTEST_PROP(BpeModel, MergesByRankInWordsOfAnyLength, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(0, 200);
  const auto word = *rc::gen::container<std::string>(size, rc::gen::element('a', 'b', 'c'));
  RC_ASSERT(encode(letters(), word) == by_definition(word));
}

TEST(BpeModel, TakesAWholeWordOnlyWhenMergesAreIgnored) {
  EXPECT_EQ(encode(letters(), "abc"), (std::vector<TokenId>{0, 5}));
  BpeModel::Options options;
  options.ignore_merges = true;
  EXPECT_EQ(encode(letters(options), "abc"), (std::vector<TokenId>{4}));
}

TEST(BpeModel, NamesATextWithoutToken) {
  EXPECT_THROW(encode(letters(), "abx"), UserError);
  BpeModel::Options options;
  options.unknown = 8;
  EXPECT_EQ(encode(letters(options), "xxa"), (std::vector<TokenId>{8, 8, 0}));
  options.fuse_unknown = true;
  EXPECT_EQ(encode(letters(options), "xxa"), (std::vector<TokenId>{8, 0}));
}

TEST(BpeModel, RefusesAMergeIntoNothing) {
  Vocabulary vocabulary;
  vocabulary.add("a", 0);
  EXPECT_THROW(BpeModel(std::move(vocabulary), {{0, 0, 0}}, {}), UserError);
}

}  // namespace
}  // namespace primus::tokenizer
