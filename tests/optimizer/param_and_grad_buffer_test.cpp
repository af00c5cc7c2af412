#include "optimizer/param_and_grad_buffer.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "optimizer/update.h"
#include "tests/optimizer/model.h"

namespace primus::optimizer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

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

/// Accumulates into parameters in backward's order; the last named in `uses` is added to as often as it says.
void backward(const std::vector<parallel::Parameter*>& parameters, int uses_of_first) {
  for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
    const int uses = *parameter == parameters.front() ? uses_of_first : 1;
    for (int i = 0; i < uses; ++i) (*parameter)->weight.sink->on_accumulated();
  }
}

TEST(ParamAndGradBuffer, ReportsEachBucketWhenItsGradientsAreCompleteOnceUsesAreLearnt) {
  const auto model = testing::small_model();
  const auto parameters = testing::pointers(*model);
  ParamAndGradBuffer buffer(parameters, {.bucket_size = 8000});
  std::vector<int> ready;
  buffer.on_bucket_ready = [&](int bucket) { ready.push_back(bucket); };

  buffer.start_last_backward();
  backward(parameters, 2);
  EXPECT_THAT(ready, IsEmpty());
  buffer.finish_backward();
  EXPECT_THAT(ready, ElementsAre(0, 1));

  ready.clear();
  backward(parameters, 2);  // An earlier micro-batch.
  EXPECT_THAT(ready, IsEmpty());
  buffer.start_last_backward();
  backward({parameters.begin() + 1, parameters.end()}, 1);
  EXPECT_THAT(ready, ElementsAre(0));
  parameters.front()->weight.sink->on_accumulated();
  EXPECT_THAT(ready, ElementsAre(0));
  parameters.front()->weight.sink->on_accumulated();
  EXPECT_THAT(ready, ElementsAre(0, 1));
  EXPECT_THROW(parameters.front()->weight.sink->on_accumulated(), Error);
  buffer.finish_backward();
  EXPECT_THAT(ready, ElementsAre(0, 1));
}

TEST(ParamAndGradBuffer, AnUnusedParameterDelaysItsBucketToTheEnd) {
  const auto model = testing::small_model();
  const auto parameters = testing::pointers(*model);
  ParamAndGradBuffer buffer(parameters, {});
  int reports = 0;
  for (int step = 0; step < 3; ++step) {
    buffer.on_bucket_ready = [&](int) { ++reports; };
    buffer.start_last_backward();
    backward({parameters.begin() + 1, parameters.end()}, 1);
    EXPECT_EQ(reports, step);
    buffer.finish_backward();
    EXPECT_EQ(reports, step + 1);
  }
}

TEST(GroupForBuffers, SeparatesExperts) {
  parallel::ParameterSet set(at::kFloat, at::kCPU);
  set.add({.name = "a", .global_shape = {2}});
  set.add({.name = "b", .global_shape = {2}, .expert = true});
  set.add({.name = "c", .global_shape = {2}});
  const auto groups = group_for_buffers({&set});
  ASSERT_EQ(groups.size(), 2);
  EXPECT_THAT(groups[0], ElementsAre(set.find("a"), set.find("c")));
  EXPECT_THAT(groups[1], ElementsAre(set.find("b")));
}

}  // namespace
}  // namespace primus::optimizer
