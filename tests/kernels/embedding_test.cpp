#include "kernels/embedding.h"

#include "tests/kernels/testing.h"

namespace primus::kernels {
namespace {

const at::Tensor ids() { return at::tensor({3, 0, 7, 3, 5, 1}, at::kLong).view({3, 2}); }

TEST(Embedding, LooksRowsUpAndAddsGradientsOfRepeatedIds) {
  const Weight weight = sink_weight(random_tensor({8, 4}, 1), at::kDouble);
  const at::Tensor dy = random_tensor({3, 2, 4}, 2);
  const at::Tensor y = embedding(ids(), weight);
  y.backward(dy);
  EXPECT_TRUE(at::equal(y, at::embedding(weight.value.detach(), ids())));
  at::Tensor expected = at::zeros({8, 4}, at::kDouble);
  for (int i = 0; i < 6; ++i) expected[ids().flatten()[i].item<std::int64_t>()] += dy.flatten(0, 1)[i];
  expect_close(weight.sink->main_grad, expected, 1e-15);
}

TEST(Embedding, PartsOfTheTableSumToTheWhole) {
  const at::Tensor table = random_tensor({8, 4}, 1);
  const at::Tensor dy = random_tensor({3, 2, 4}, 2);
  at::Tensor sum = at::zeros({3, 2, 4}, at::kDouble);
  std::vector<at::Tensor> gradients;
  for (const std::int64_t first : {0, 4}) {
    const Weight part = plain_weight(table.slice(0, first, first + 4));
    const at::Tensor y = embedding(ids(), part, first);
    y.backward(dy);
    sum += y.detach();
    gradients.push_back(part.value.grad());
  }
  const Weight whole = plain_weight(table);
  const at::Tensor y = embedding(ids(), whole);
  y.backward(dy);
  EXPECT_TRUE(at::equal(sum, y));
  EXPECT_TRUE(at::equal(at::cat(gradients), whole.value.grad()));
}

}  // namespace
}  // namespace primus::kernels
