#include "plan/memory.h"

#include <gtest/gtest.h>

#include "kernels/cpu/cross_entropy.h"
#include "model/analysis.h"

namespace primus::plan {
namespace {

model::TransformerConfig small_model(at::ScalarType dtype) {
  model::TransformerConfig config;
  config.num_layers = 2;
  config.hidden_size = 8;
  config.num_attention_heads = 2;
  config.num_query_groups = 1;
  config.kv_channels = config.rope.dim = 4;
  config.ffn_hidden_size = 16;
  config.vocab_size = config.padded_vocab_size = 128;
  config.params_dtype = dtype;
  return config;
}

TEST(StepMemory, counts_weights_gradients_and_two_moments_in_either_dtype) {
  const model::TransformerConfig bf16 = small_model(at::kBFloat16);
  const std::int64_t parameters = model::parameter_count(bf16);
  // Beside a bf16 weight there is what its main weight has more; in fp32 the weights are the main weights.
  EXPECT_EQ(predict_step_memory(bf16, 1, 4).weights_and_states, 16 * parameters);
  EXPECT_EQ(predict_step_memory(small_model(at::kFloat), 1, 4).weights_and_states, 16 * parameters);
}

TEST(StepMemory, counts_what_each_layer_keeps_by_hand) {
  // Per token and layer: input and output of both norms 4·8, queries, key and value 16, context 8, gate and
  // up 32; statistics: log-sum-exp 2, two for each norm.
  const std::int64_t layer = 2 * (32 + 16 + 8 + 32) + 4 * (2 + 4);
  const std::int64_t around = 2 * 2 * 8;  // the final norm's input and output
  EXPECT_EQ(predict_step_memory(small_model(at::kBFloat16), 3, 4).activations, 12 * (2 * layer + around));
}

TEST(StepMemory, holds_no_more_logits_than_a_chunk) {
  model::TransformerConfig config = small_model(at::kBFloat16);
  EXPECT_EQ(predict_step_memory(config, 1, 4).logits, 4 * 128 * 2);
  config.padded_vocab_size = 1 << 20;
  EXPECT_EQ(predict_step_memory(config, 8, 4096).logits, kernels::cpu::logit_chunk_bytes);
}

TEST(StepMemory, adds_what_the_allocator_holds_beyond_the_tensors) {
  const StepMemory memory{.weights_and_states = 3200, .activations = 640, .logits = 32};
  EXPECT_EQ(memory.tensors(), 3872);
  EXPECT_EQ(memory.total(), 3872 + 121 + kernels::cpu::allocator_segment_bytes);
}

}  // namespace
}  // namespace primus::plan
