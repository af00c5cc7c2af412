#include "parallel/parameter.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "parallel/tensor_piece.h"

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
      spec.shards = {{.dim = dim, .rank = rank, .size = 4}};
      const std::int64_t part = spec.global_shape[dim] / 4;
      EXPECT_TRUE(at::equal(initialized(spec), whole.slice(dim, rank * part, (rank + 1) * part)));
    }
  }
}

TEST(Parameter, EveryBlockOfAFusedTensorIsCutOnItsOwn) {
  ParameterSpec spec{.name = "fc1", .global_shape = {8, 3}};
  const at::Tensor whole = initialized(spec);
  spec.shards = {{.dim = 0, .rank = 1, .size = 2, .blocks = 2}};
  const at::Tensor expected = at::cat({whole.slice(0, 2, 4), whole.slice(0, 6, 8)});
  EXPECT_TRUE(at::equal(initialized(spec), expected));
}

/// Grouped weights of 6 experts, [6, 8, 3], of rank `expert` of 3 and `tensor` of 2; gated, so that each
/// expert's second dimension has two blocks.
ParameterSpec grouped_experts(int expert, int tensor) {
  return {.name = "experts",
          .global_shape = {6, 8, 3},
          .shards = {{.dim = 0, .rank = expert, .size = 3, .axis = Shard::Axis::expert},
                     {.dim = 1, .rank = tensor, .size = 2, .blocks = 2}},
          .expert = true};
}

TEST(Parameter, TwoDimensionsMayBeCut) {
  ParameterSpec uncut = grouped_experts(0, 0);
  uncut.shards.clear();
  const at::Tensor whole = initialized(uncut);
  for (int expert = 0; expert < 3; ++expert) {
    for (int tensor = 0; tensor < 2; ++tensor) {
      const at::Tensor mine = whole.slice(0, 2 * expert, 2 * expert + 2);
      const at::Tensor gate = mine.slice(1, 2 * tensor, 2 * tensor + 2);
      const at::Tensor up = mine.slice(1, 4 + 2 * tensor, 4 + 2 * tensor + 2);
      EXPECT_TRUE(at::equal(initialized(grouped_experts(expert, tensor)), at::cat({gate, up}, 1)));
    }
  }
}

TEST(Parameter, PiecesOfARangeAreWhereTheWholeTensorHasThem) {
  ParameterSpec uncut = grouped_experts(0, 0);
  uncut.shards.clear();
  const at::Tensor whole = initialized(uncut);
  Parameter parameter(grouped_experts(1, 1), at::kFloat, at::kCPU);
  parameter.initialize(1234);
  const at::Tensor flat = parameter.weight.value.detach().view(-1);
  for (std::int64_t begin = 0; begin < flat.numel(); begin += 7) {
    const std::int64_t end = std::min<std::int64_t>(begin + 10, flat.numel());
    std::int64_t covered = 0;
    for (const TensorPiece& piece :
         tensor_pieces_of_range(parameter, "experts", begin, flat.slice(0, begin, end), false)) {
      at::Tensor box = whole;
      for (std::int64_t d = 0; d < 3; ++d) box = box.narrow(d, piece.offset[d], piece.extent[d]);
      EXPECT_TRUE(at::equal(piece.data, box.reshape({-1}).slice(0, piece.flat_begin, piece.flat_end)));
      covered += piece.data.numel();
    }
    EXPECT_EQ(covered, end - begin);
  }
}

TEST(Parameter, RefusesADimensionThatRanksCannotShare) {
  const ParameterSpec spec{.name = "w", .global_shape = {6, 2}, .shards = {{.dim = 0, .rank = 0, .size = 4}}};
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
