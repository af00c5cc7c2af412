#include "kernels/embedding.h"

#include <ATen/Parallel.h>

#include "kernels/options.h"
#include "tests/kernels/testing.h"

namespace primus::kernels {
namespace {

class FusedEmbedding : public testing::TestWithParam<at::ScalarType> {};

INSTANTIATE_TEST_SUITE_P(All, FusedEmbedding, testing::Values(at::kFloat, at::kBFloat16));

/// Ids of a table of 40 rows, many of them again and again.
at::Tensor crowded_ids(std::int64_t tokens) { return at::arange(tokens) * at::arange(tokens) % 40; }

struct Results {
  at::Tensor y;
  at::Tensor main_grad;
};

Results look_up(const at::Tensor& table, const at::Tensor& ids, const at::Tensor& dy, std::int64_t first_row,
                const KernelOptions& options) {
  const Weight weight = sink_weight(table);
  const at::Tensor y = embedding(ids, weight, first_row, options);
  y.backward(dy);
  return {y.detach(), weight.sink->main_grad};
}

TEST_P(FusedEmbedding, looks_rows_up_and_sums_their_gradients_no_worse_than_the_composite) {
  for (const std::int64_t width : {1, 7, 96}) {
    for (const std::int64_t tokens : {1, 13, 1000}) {
      for (const std::int64_t first_row : {0, 15}) {
        SCOPED_TRACE(fmt::format("width {} tokens {} first row {}", width, tokens, first_row));
        const at::Tensor ids = crowded_ids(tokens).view({tokens, 1});
        const at::Tensor table = random_tensor({25, width}, 1, GetParam());
        const at::Tensor dy = random_tensor({tokens, 1, width}, 2, GetParam());
        const Results ours = look_up(table, ids, dy, first_row, KernelOptions::all_fused());
        const Results plain = look_up(table, ids, dy, first_row, {});
        EXPECT_TRUE(at::equal(ours.y, plain.y));
        at::Tensor truth = at::zeros({25, width}, at::kDouble);
        const at::Tensor local = ids.flatten() - first_row;
        const at::Tensor here = local.ge(0).logical_and(local.lt(25));
        truth.index_add_(0, local.masked_select(here),
                         dy.view({tokens, width}).index_select(0, here.nonzero().flatten()).to(at::kDouble));
        EXPECT_LE(root_mean_square_error(ours.main_grad, truth),
                  root_mean_square_error(plain.main_grad, truth));
      }
    }
  }
}

TEST_P(FusedEmbedding, has_the_same_bits_with_every_number_of_threads) {
  const at::Tensor ids = crowded_ids(3000);
  const at::Tensor table = random_tensor({40, 130}, 1, GetParam());
  const at::Tensor dy = random_tensor({3000, 130}, 2, GetParam());
  const int threads = at::get_num_threads();
  std::vector<at::Tensor> gradients;
  for (const int count : {1, 2, 3}) {
    at::set_num_threads(count);
    gradients.push_back(look_up(table, ids, dy, 0, KernelOptions::all_fused()).main_grad);
  }
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(gradients[0], gradients[1]));
  EXPECT_TRUE(at::equal(gradients[0], gradients[2]));
}

TEST_P(FusedEmbedding, hands_its_gradient_to_autograd_without_a_sink) {
  const Weight weight = plain_weight(random_tensor({40, 8}, 1, GetParam()));
  embedding(crowded_ids(5), weight, 0, KernelOptions::all_fused()).sum().backward();
  EXPECT_EQ(weight.value.grad().scalar_type(), GetParam());
  EXPECT_EQ(weight.value.grad().sum().item<double>(), 40.0);
}

}  // namespace
}  // namespace primus::kernels
