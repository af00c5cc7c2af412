#include "kernels/main_weight.h"

#include <ATen/Functions.h>

#include "core/vector_clones.h"

namespace primus::kernels {

namespace {

PRIMUS_VECTOR_CLONES
void join_run(const c10::BFloat16* __restrict weights, const std::int16_t* __restrict remainders,
              float* __restrict main, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) main[i] = main_weight(weights[i].x, remainders[i]);
}

PRIMUS_VECTOR_CLONES
void split_run(const float* __restrict main, c10::BFloat16* __restrict weights,
               std::int16_t* __restrict remainders, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    weights[i].x = bfloat16_bits(main[i]);
    remainders[i] = main_weight_remainder(main[i]);
  }
}

}  // namespace

at::Tensor join_main_weights(const at::Tensor& weights, const at::Tensor& remainders) {
  const at::Tensor high = weights.contiguous(), low = remainders.contiguous();
  at::Tensor main = at::empty(weights.sizes(), at::kFloat);
  join_run(high.const_data_ptr<at::BFloat16>(), low.const_data_ptr<std::int16_t>(),
           main.mutable_data_ptr<float>(), main.numel());
  return main;
}

void split_main_weights(const at::Tensor& main, const at::Tensor& weights, const at::Tensor& remainders) {
  const at::Tensor values = main.to(at::kFloat).contiguous();
  const at::Tensor high = weights.contiguous(), low = remainders.contiguous();
  split_run(values.const_data_ptr<float>(), high.mutable_data_ptr<at::BFloat16>(),
            low.mutable_data_ptr<std::int16_t>(), values.numel());
  if (!high.is_same(weights)) weights.copy_(high);
  if (!low.is_same(remainders)) remainders.copy_(low);
}

}  // namespace primus::kernels
