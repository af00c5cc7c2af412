#include "optimizer/param_and_grad_buffer.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "optimizer/update.h"
#include "tests/optimizer/model.h"

namespace primus::optimizer {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

TEST(ParamAndGradBuffer, LaysParametersOutInReverseOrderOfUseAtAlignedPlaces) {
  const auto model = testing::small_model();
  const ParamAndGradBuffer buffer(testing::pointers(*model), {});
  ASSERT_EQ(buffer.slots().size(), model->all().size());
  std::int64_t previous_end = 0;
  for (std::size_t i = 0; i < buffer.slots().size(); ++i) {
    const BufferSlot& slot = buffer.slots()[i];
    EXPECT_EQ(slot.parameter, model->all()[model->all().size() - 1 - i].get());
    EXPECT_EQ(slot.begin % update_granularity, 0);
    EXPECT_GE(slot.begin, previous_end);
    EXPECT_EQ(slot.end - slot.begin, slot.parameter->local_numel());
    previous_end = slot.end;
  }
  EXPECT_EQ(buffer.weights().numel(), buffer.buckets().back().end);
}

TEST(ParamAndGradBuffer, WeightsAndGradientsBecomeViewsAndKeepTheirValues) {
  const auto model = testing::small_model(at::kBFloat16);
  std::vector<at::Tensor> before;
  for (const auto& parameter : model->all()) before.push_back(parameter->weight.value.detach().clone());
  ParamAndGradBuffer buffer(testing::pointers(*model), {});
  for (std::size_t i = 0; i < before.size(); ++i) {
    const kernels::Weight& weight = model->all()[i]->weight;
    EXPECT_TRUE(at::equal(weight.value.detach(), before[i]));
    EXPECT_TRUE(weight.value.is_leaf() && weight.value.requires_grad());
    EXPECT_TRUE(weight.value.is_alias_of(buffer.weights()));
    EXPECT_TRUE(weight.sink->main_grad.is_alias_of(buffer.gradients()));
    EXPECT_EQ(weight.sink->main_grad.scalar_type(), at::kFloat);
    weight.sink->main_grad.fill_(1);
  }
  EXPECT_EQ(buffer.gradients().count_nonzero().item<std::int64_t>(), buffer.gradients().sum().item<float>());
  buffer.zero_gradients();
  EXPECT_EQ(buffer.gradients().count_nonzero().item<std::int64_t>(), 0);
}

TEST(ParamAndGradBuffer, BucketsAreCutAtTheGivenSizeAndPaddedForAllRanks) {
  const auto model = testing::small_model();
  const ParamAndGradBuffer buffer(testing::pointers(*model), {.bucket_size = 8000, .data_parallel_size = 3});
  ASSERT_EQ(buffer.buckets().size(), 2);
  std::int64_t expected_begin = 0;
  for (const Bucket& bucket : buffer.buckets()) {
    EXPECT_EQ(bucket.begin, expected_begin);
    EXPECT_EQ((bucket.end - bucket.begin) % (3 * update_granularity), 0);
    expected_begin = bucket.end;
  }
  for (const BufferSlot& slot : buffer.slots()) {
    EXPECT_GE(slot.begin, buffer.buckets()[slot.bucket].begin);
    EXPECT_LE(slot.end, buffer.buckets()[slot.bucket].end);
  }
}

void accumulate(parallel::Parameter* parameter) { parameter->weight.sink->on_accumulated.notify(); }

/// A buffer of two buckets whose last parameter in backward's order, the tied embedding, is used twice.
struct Overlap {
  Overlap() {
    parameters.front()->add_use();
    buffer.on_bucket_ready = [this](int bucket) { ready.push_back(bucket); };
  }
  /// One accumulation each, in backward's order, without the embedding.
  void backward_of_layers() {
    for (std::size_t i = parameters.size() - 1; i > 0; --i) accumulate(parameters[i]);
  }

  std::unique_ptr<parallel::ParameterSet> model = testing::small_model();
  std::vector<parallel::Parameter*> parameters = testing::pointers(*model);
  ParamAndGradBuffer buffer{parameters, {.bucket_size = 8000}};
  std::vector<int> ready;
};

TEST(ParamAndGradBuffer, ReportsEachBucketWhenEveryUseInEveryMicroBatchWasAccumulated) {
  Overlap overlap;
  for (int iteration = 0; iteration < 2; ++iteration) {
    overlap.ready.clear();
    overlap.buffer.expect_gradients(2);
    overlap.backward_of_layers();
    for (int i = 0; i < 3; ++i) accumulate(overlap.parameters.front());
    EXPECT_THAT(overlap.ready, IsEmpty());
    overlap.backward_of_layers();
    EXPECT_THAT(overlap.ready, ElementsAre(0));
    accumulate(overlap.parameters.front());
    EXPECT_THAT(overlap.ready, ElementsAre(0, 1));
    overlap.buffer.check_complete();
  }
}

TEST(ParamAndGradBuffer, MicroBatchesMayEndInAnyOrder) {
  // As zero-bubble pipelines do: all of one parameter's weight gradients, then all of the next one's.
  Overlap overlap;
  overlap.buffer.expect_gradients(3);
  for (std::size_t i = 1; i < overlap.parameters.size(); ++i)
    for (int m = 0; m < 3; ++m) accumulate(overlap.parameters[i]);
  EXPECT_THAT(overlap.ready, ElementsAre(0));
}

TEST(ParamAndGradBuffer, NamesAParameterThatIsAccumulatedTooOftenOrTooSeldom) {
  Overlap overlap;
  overlap.buffer.expect_gradients(1);
  overlap.backward_of_layers();
  accumulate(overlap.parameters.front());
  const auto names = [](const char* problem) {
    return ThrowsMessage<Error>(AllOf(HasSubstr("embedding.word_embeddings.weight"), HasSubstr(problem)));
  };
  EXPECT_THAT([&] { overlap.buffer.check_complete(); }, names("1 times fewer"));
  accumulate(overlap.parameters.front());
  overlap.buffer.check_complete();
  EXPECT_THAT([&] { accumulate(overlap.parameters.front()); }, names("more often"));
}

TEST(ParamAndGradBuffer, CountsNothingUnlessAsked) {
  Overlap overlap;
  overlap.backward_of_layers();
  EXPECT_THAT(overlap.ready, IsEmpty());
}

TEST(ParamAndGradBuffer, WithTheDistributedOptimizerEachRankOwnsAnEqualPartOfEachBucket) {
  const auto model = testing::small_model();
  for (const bool distributed : {true, false}) {
    for (int rank = 0; rank < 3; ++rank) {
      const ParamAndGradBuffer buffer(testing::pointers(*model), {.bucket_size = 8000,
                                                                  .data_parallel_rank = rank,
                                                                  .data_parallel_size = 3,
                                                                  .use_distributed_optimizer = distributed});
      for (int i = 0; i < 2; ++i) {
        const Bucket& bucket = buffer.buckets()[i];
        const std::int64_t part = (bucket.end - bucket.begin) / 3;
        EXPECT_EQ(buffer.owned_part(i).begin, distributed ? bucket.begin + rank * part : bucket.begin);
        EXPECT_EQ(buffer.owned_part(i).end, distributed ? bucket.begin + (rank + 1) * part : bucket.end);
      }
    }
  }
}

TEST(ParamAndGradBuffer, ATiedParameterHasABucketOfItsOwnWhereRanksOwnParts) {
  parallel::ParameterSet set(at::kFloat, at::kCPU);
  set.add({.name = "a", .global_shape = {100}});
  set.add({.name = "tied", .global_shape = {100}, .tied_across_stages = true});
  set.add({.name = "b", .global_shape = {100}});
  const auto buckets = [&](bool distributed) {
    const ParamAndGradBuffer buffer(testing::pointers(set), {.use_distributed_optimizer = distributed});
    std::vector<int> result;
    for (const BufferSlot& slot : buffer.slots()) result.push_back(slot.bucket);
    return result;
  };
  EXPECT_THAT(buckets(true), ElementsAre(0, 1, 2));
  EXPECT_THAT(buckets(false), ElementsAre(0, 0, 0));
}

TEST(GroupForBuffers, SeparatesExperts) {
  parallel::ParameterSet set(at::kFloat, at::kCPU);
  set.add({.name = "a", .global_shape = {2}});
  set.add({.name = "b", .global_shape = {2}, .expert = true});
  set.add({.name = "c", .global_shape = {2}});
  const auto groups = group_for_buffers(set);
  ASSERT_EQ(groups.size(), 2);
  EXPECT_THAT(groups[0], ElementsAre(set.find("a"), set.find("c")));
  EXPECT_THAT(groups[1], ElementsAre(set.find("b")));
}

}  // namespace
}  // namespace primus::optimizer
