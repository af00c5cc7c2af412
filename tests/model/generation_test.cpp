#include "model/generation.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/error.h"
#include "tests/message_of.h"
#include "tests/model/tiny_config.h"

namespace primus::model {
namespace {

using ::testing::HasSubstr;

const at::Tensor logits() { return at::log(at::tensor({0.1, 0.5, 0.15, 0.25}, at::kDouble)).to(at::kFloat); }

std::map<std::int64_t, double> shares(const SamplingOptions& options) {
  constexpr int draws = 4000;
  std::map<std::int64_t, double> result;
  for (int i = 0; i < draws; ++i) result[sample_token(logits(), options, i)] += 1.0 / draws;
  return result;
}

TEST(SampleToken, TemperatureZeroTakesTheMostProbable) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(sample_token(logits(), {.temperature = 0.0}, i), 1);
}

TEST(SampleToken, DrawsInProportionToProbability) {
  const auto share = shares({});
  EXPECT_NEAR(share.at(0), 0.1, 0.03);
  EXPECT_NEAR(share.at(1), 0.5, 0.03);
  EXPECT_NEAR(share.at(2), 0.15, 0.03);
  EXPECT_NEAR(share.at(3), 0.25, 0.03);
}

TEST(SampleToken, TopKAndTopPLeaveTheMostProbableTokens) {
  const auto two = shares({.top_k = 2});
  EXPECT_EQ(two.size(), 2U);
  EXPECT_NEAR(two.at(1), 0.5 / 0.75, 0.03);
  EXPECT_NEAR(two.at(3), 0.25 / 0.75, 0.03);
  EXPECT_EQ(shares({.top_p = 0.4}).size(), 1U);
  EXPECT_EQ(shares({.top_p = 0.8}).size(), 3U);
}

TEST(SampleToken, TheSeedFixesTheDraws) {
  bool differs = false;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(sample_token(logits(), {.seed = 1}, i), sample_token(logits(), {.seed = 1}, i));
    differs |= sample_token(logits(), {.seed = 1}, i) != sample_token(logits(), {.seed = 2}, i);
  }
  EXPECT_TRUE(differs);
}

class Generation : public ::testing::Test {
 protected:
  Generation() : model_(tiny_llama(), ChunkSpec::whole(tiny_llama()), parallel::Mesh()) {
    model_.initialize();
  }

  std::vector<std::int64_t> continue_text(const std::vector<std::int64_t>& prompt,
                                          const GenerationOptions& options) {
    std::vector<std::int64_t> tokens;
    generate(model_, prompt, options, [&](std::int64_t token) { tokens.push_back(token); });
    return tokens;
  }

  GPTModel model_;
};

TEST_F(Generation, GreedyTokensAreThoseOfTheWholeSequenceComputedAnew) {
  const GenerationOptions greedy{.sampling = {.temperature = 0.0}, .max_new_tokens = 6};
  std::vector<std::int64_t> sequence = {5, 17, 3};
  const std::vector<std::int64_t> actual = continue_text(sequence, greedy);
  const at::NoGradGuard no_grad;
  for (const std::int64_t token : actual) {
    const at::Tensor all = model_.logits({.tokens = at::tensor(sequence, at::kLong).unsqueeze(0)});
    EXPECT_EQ(token, all[0][-1].slice(0, 0, 60).argmax().item<std::int64_t>());
    sequence.push_back(token);
  }
  EXPECT_EQ(actual.size(), 6U);
}

TEST_F(Generation, EndsAtTheEndTokenAndAtTheLastPosition) {
  GenerationOptions options{.sampling = {.temperature = 0.0}, .max_new_tokens = 1000};
  const std::vector<std::int64_t> all = continue_text({5, 17, 3}, options);
  EXPECT_EQ(all.size(), 32U - 3U);
  options.end_token = all[4];
  EXPECT_LT(continue_text({5, 17, 3}, options).size(), 5U);
}

TEST_F(Generation, RefusesPromptsTheModelCannotTake) {
  const auto message_of = [&](const std::vector<std::int64_t>& prompt, const GenerationOptions& options) {
    return primus::testing::message_of([&] { continue_text(prompt, options); });
  };
  EXPECT_THAT(message_of({}, {}), HasSubstr("no token"));
  EXPECT_THAT(message_of({60}, {}), HasSubstr("token 60"));
  EXPECT_THAT(message_of(std::vector<std::int64_t>(32, 1), {}), HasSubstr("32 tokens"));
  EXPECT_THAT(message_of({1}, {.sampling = {.top_p = 0.0}}), HasSubstr("top_p"));
}

TEST_F(Generation, NothingIsMadeOfWeightsThatAreNoNumbers) {
  const at::NoGradGuard no_grad;
  model_.parameters().find("decoder.final_layernorm.weight")->weight.value[3].fill_(NAN);
  for (const double temperature : {0.0, 1.0}) {
    EXPECT_THAT(
        primus::testing::message_of([&] { continue_text({5}, {.sampling = {.temperature = temperature}}); }),
        HasSubstr("decoder.final_layernorm.weight holds NaN or infinity"));
  }
}

TEST_F(Generation, LogitsThatOverflowAreAFailure) {
  const at::NoGradGuard no_grad;
  model_.parameters().find("decoder.final_layernorm.weight")->weight.value.fill_(3e38);
  EXPECT_THROW(continue_text({5}, {}), Error);
}

}  // namespace
}  // namespace primus::model
