#include "parallel/parameter.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace primus::parallel {
namespace {

at::Tensor initialized(const ParameterSpec& spec) {
  Parameter parameter(spec, at::kFloat, at::kCPU);
  parameter.initialize(1234);
  return parameter.weight.value.detach();
}

TEST(Parameter, ShardsOfAnyLayoutAreSlicesOfTheWholeTensor) {
  for (const int dim : {0, 1}) {
    ParameterSpec spec{.name = "w", .global_shape = {8, 12}};
    const at::Tensor whole = initialized(spec);
    for (int rank = 0; rank < 4; ++rank) {
      spec.shard = {.dim = dim, .rank = rank, .size = 4};
      const std::int64_t part = spec.global_shape[dim] / 4;
      EXPECT_TRUE(at::equal(initialized(spec), whole.slice(dim, rank * part, (rank + 1) * part)));
    }
  }
}

TEST(Parameter, EveryBlockOfAFusedTensorIsCutOnItsOwn) {
  ParameterSpec spec{.name = "fc1", .global_shape = {8, 3}};
  const at::Tensor whole = initialized(spec);
  spec.shard = {.dim = 0, .rank = 1, .size = 2, .blocks = 2};
  const at::Tensor expected = at::cat({whole.slice(0, 2, 4), whole.slice(0, 6, 8)});
  EXPECT_TRUE(at::equal(initialized(spec), expected));
}

TEST(Parameter, RefusesADimensionThatRanksCannotShare) {
  const ParameterSpec spec{.name = "w", .global_shape = {6, 2}, .shard = {.dim = 0, .rank = 0, .size = 4}};
  EXPECT_THROW(Parameter(spec, at::kFloat, at::kCPU), UserError);
}

TEST(Parameter, TheFloatCopyIsUnrounded) {
  Parameter parameter({.name = "w", .global_shape = {4, 4}}, at::kBFloat16, at::kCPU);
  at::Tensor exact;
  parameter.initialize(1, &exact);
  EXPECT_EQ(exact.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(exact.to(at::kBFloat16), parameter.weight.value.detach()));
}

}  // namespace
}  // namespace primus::parallel
