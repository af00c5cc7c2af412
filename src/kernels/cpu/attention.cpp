#include "kernels/cpu/attention.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <limits>

#include "kernels/cpu/isa/attention.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/types.h"

namespace primus::kernels::cpu {

namespace {

/// For each sample and query the range of keys that it sees; int32 [b, s].
struct VisibleRange {
  at::Tensor first;
  at::Tensor end;
};

VisibleRange visible_range(const AttentionInputs& inputs, const AttentionConfig& config) {
  const std::int64_t queries = inputs.query.size(0);
  const std::int64_t keys = inputs.key.size(0);
  const std::int64_t batch = inputs.query.size(1);
  VisibleRange range{at::empty({batch, queries}, at::kInt), at::empty({batch, queries}, at::kInt)};
  at::Tensor query_documents;
  at::Tensor key_documents;
  if (inputs.query_documents.defined()) {
    query_documents = inputs.query_documents.t().contiguous();
    key_documents = inputs.key_documents.t().contiguous();
  }
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t i = 0; i < queries; ++i) {
      const std::int64_t position = config.query_offset + i;
      std::int64_t first = config.window_left < 0 ? 0 : position - config.window_left;
      std::int64_t end = keys;
      if (config.causal) {
        end = position + 1;
      } else if (config.window_right >= 0) {
        end = position + config.window_right + 1;
      }
      if (query_documents.defined()) {
        const int document = query_documents.const_data_ptr<int>()[b * queries + i];
        const int* begin = key_documents.const_data_ptr<int>() + b * keys;
        const auto [low, high] = std::equal_range(begin, begin + keys, document);
        first = std::max<std::int64_t>(first, low - begin);
        end = std::min<std::int64_t>(end, high - begin);
      }
      first = std::clamp<std::int64_t>(first, 0, keys);
      range.first.mutable_data_ptr<int>()[b * queries + i] = static_cast<int>(first);
      range.end.mutable_data_ptr<int>()[b * queries + i] = static_cast<int>(std::clamp(end, first, keys));
    }
  }
  return range;
}

/// The tensor as the kernels read it: of dtype `dtype`, rows of whole 32-bit units. Mostly the tensor itself.
at::Tensor readable(const at::Tensor& x, at::ScalarType dtype) {
  at::Tensor y = x.to(dtype);
  const std::int64_t pair = 4 / static_cast<std::int64_t>(y.element_size());
  if (y.size(-1) % pair != 0) {
    return at::constant_pad_nd(y, {0, pair - y.size(-1) % pair});
  }
  for (std::int64_t i = 0; i < y.dim() - 1; ++i) {
    if (y.stride(i) % pair != 0) {
      return y.contiguous();
    }
  }
  return y.stride(-1) == 1 ? y : y.contiguous();
}

HeadStrides strides_of(const at::Tensor& x) {
  const bool per_head = x.dim() == 5;
  return {x.stride(0), x.stride(1), x.stride(2), per_head ? x.stride(3) : 0};
}

template <class T>
void fill_problem(AttentionProblem<T>& problem, const AttentionInputs& inputs, const AttentionConfig& config,
                  const VisibleRange& range) {
  problem.queries = inputs.query.size(0);
  problem.keys = inputs.key.size(0);
  problem.batch = inputs.query.size(1);
  problem.groups = inputs.query.size(2);
  problem.heads_per_group = inputs.query.size(3);
  problem.head_size = inputs.query.size(4);
  problem.value_size = inputs.value.size(3);
  problem.scale = static_cast<float>(config.scale);
  problem.softcap = static_cast<float>(config.softcap);
  problem.first_key = range.first.const_data_ptr<int>();
  problem.end_key = range.end.const_data_ptr<int>();
  problem.query = inputs.query.const_data_ptr<T>();
  problem.key = inputs.key.const_data_ptr<T>();
  problem.value = inputs.value.const_data_ptr<T>();
  problem.query_strides = strides_of(inputs.query);
  problem.key_strides = strides_of(inputs.key);
  problem.value_strides = strides_of(inputs.value);
}

AttentionInputs readable_inputs(const AttentionInputs& inputs, at::ScalarType dtype) {
  return {readable(inputs.query, dtype), readable(inputs.key, dtype), readable(inputs.value, dtype),
          inputs.query_documents, inputs.key_documents};
}

AttentionConfig with_scale(AttentionConfig config, const at::Tensor& query) {
  if (config.scale == 0.0) {
    config.scale = 1.0 / std::sqrt(static_cast<double>(query.size(-1)));
  }
  return config;
}

at::Tensor scratch_memory(std::int64_t words) { return at::empty({words}, at::kFloat); }

template <class T, Isa isa>
void run_forward(AttentionForward<T>& call) {
  run_tasks(call.batch * call.groups, [&] {
    return [&call, scratch = scratch_memory(call.scratch_words())](std::int64_t task) {
      attention_pack_values<isa>(call, task, scratch.template mutable_data_ptr<float>());
    };
  });
  const std::int64_t blocks = call.query_blocks();
  run_tasks(call.batch * call.groups * call.heads_per_group * blocks, [&] {
    return [&call, blocks, scratch = scratch_memory(call.scratch_words())](std::int64_t task) {
      const std::int64_t head = task / blocks;
      // With a causal mask the last block is the longest; so the threads end together.
      const std::int64_t block = blocks - 1 - task % blocks;
      const std::int64_t group = head / call.heads_per_group;
      attention_forward_block<isa>(call, group / call.groups, group % call.groups,
                                   head % call.heads_per_group, block,
                                   scratch.template mutable_data_ptr<float>());
    };
  });
}

template <class T, Isa isa>
AttentionOutput typed_forward(const AttentionInputs& inputs, const AttentionConfig& config,
                              const at::Tensor& sinks) {
  const VisibleRange range = visible_range(inputs, config);
  AttentionForward<T> call;
  fill_problem(call, inputs, config, range);
  const auto dtype = inputs.query.scalar_type();
  AttentionOutput output{
      at::empty({call.queries, call.batch, call.groups, call.heads_per_group, call.value_size}, dtype),
      at::empty({call.batch, call.groups, call.heads_per_group, call.queries}, at::kFloat)};
  constexpr std::int64_t step = 32;
  call.padded_keys = (call.keys + step - 1) / step * step;
  const at::Tensor packed = at::empty({call.batch, call.groups, call.value_size, call.padded_keys}, dtype);
  call.packed_value = packed.mutable_data_ptr<T>();
  const at::Tensor sink_logits = sinks.defined() ? sinks.to(at::kFloat).contiguous() : at::Tensor();
  call.sinks = sinks.defined() ? sink_logits.const_data_ptr<float>() : nullptr;
  call.context = output.context.mutable_data_ptr<T>();
  call.context_strides = strides_of(output.context);
  call.log_sum_exp = output.log_sum_exp.mutable_data_ptr<float>();
  run_forward<T, isa>(call);
  return output;
}

template <class T, Isa isa>
void run_backward(AttentionBackward<T>& call) {
  run_tasks(call.batch * call.groups, [&] {
    return [&call, scratch = scratch_memory(call.scratch_words())](std::int64_t task) {
      attention_backward_group<isa>(call, task / call.groups, task % call.groups,
                                    scratch.template mutable_data_ptr<float>());
    };
  });
}

/// All tensors are readable ones.
template <class T, Isa isa>
at::Tensor typed_backward(const at::Tensor& context_gradient, const AttentionInputs& inputs,
                          const AttentionOutput& output, const AttentionConfig& config,
                          AttentionGradients& gradients) {
  const VisibleRange range = visible_range(inputs, config);
  AttentionBackward<T> call;
  fill_problem(call, inputs, config, range);
  const at::Tensor log_sum_exp = output.log_sum_exp.contiguous();
  at::Tensor delta = at::empty_like(log_sum_exp);
  call.context = output.context.const_data_ptr<T>();
  call.context_strides = strides_of(output.context);
  call.context_gradient = context_gradient.const_data_ptr<T>();
  call.context_gradient_strides = strides_of(context_gradient);
  call.log_sum_exp = log_sum_exp.const_data_ptr<float>();
  call.delta = delta.mutable_data_ptr<float>();
  call.query_gradient = gradients.query.mutable_data_ptr<T>();
  call.key_gradient = gradients.key.mutable_data_ptr<T>();
  call.value_gradient = gradients.value.mutable_data_ptr<T>();
  call.query_gradient_strides = strides_of(gradients.query);
  call.key_gradient_strides = strides_of(gradients.key);
  call.value_gradient_strides = strides_of(gradients.value);
  run_backward<T, isa>(call);
  return delta;
}

bool ascending(const at::Tensor& documents) {
  const at::Tensor columns = documents.t().contiguous();
  const int* data = columns.const_data_ptr<int>();
  for (std::int64_t b = 0; b < columns.size(0); ++b) {
    if (!std::is_sorted(data + b * columns.size(1), data + (b + 1) * columns.size(1))) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool covers_attention(const AttentionInputs& inputs, const AttentionConfig& config,
                      const AttentionDropout& dropout) {
  return inputs.query.is_cpu() && dropout.p == 0.0 && config.scale >= 0.0 && inputs.query.numel() > 0 &&
         inputs.key.numel() > 0 && inputs.value.size(3) > 0 && inputs.query.scalar_type() != at::kDouble &&
         (!inputs.key_documents.defined() || ascending(inputs.key_documents));
}

AttentionOutput flash_attention_forward(const AttentionInputs& inputs, const AttentionConfig& config,
                                        const at::Tensor& sinks, Isa isa) {
  const at::ScalarType dtype = product_dtype(inputs.query.scalar_type(), isa);
  const AttentionConfig scaled = with_scale(config, inputs.query);
  const AttentionInputs operands = readable_inputs(inputs, dtype);
  AttentionOutput output = with_product_type(
      dtype, isa, [&]<class T, Isa level>() { return typed_forward<T, level>(operands, scaled, sinks); });
  output.context =
      output.context.narrow(-1, 0, inputs.value.size(-1)).to(inputs.query.scalar_type()).contiguous();
  return output;
}

at::Tensor flash_attention_backward(const at::Tensor& context_gradient, const AttentionInputs& inputs,
                                    const AttentionOutput& output, const AttentionConfig& config,
                                    AttentionGradients& gradients, Isa isa) {
  const at::ScalarType dtype = product_dtype(inputs.query.scalar_type(), isa);
  const AttentionConfig scaled = with_scale(config, inputs.query);
  const AttentionInputs operands = readable_inputs(inputs, dtype);
  const auto target = [](const at::Tensor& gradient, const at::Tensor& operand) {
    const bool fits =
        gradient.scalar_type() == operand.scalar_type() && gradient.size(-1) == operand.size(-1);
    return fits ? gradient : at::empty_like(operand, at::MemoryFormat::Contiguous);
  };
  AttentionGradients results{target(gradients.query, operands.query), target(gradients.key, operands.key),
                             target(gradients.value, operands.value)};
  const at::Tensor dy = readable(context_gradient.view(output.context.sizes()), dtype);
  const AttentionOutput saved{readable(output.context, dtype), output.log_sum_exp};
  at::Tensor delta = with_product_type(dtype, isa, [&]<class T, Isa level>() {
    return typed_backward<T, level>(dy, operands, saved, scaled, results);
  });
  const auto deliver = [](at::Tensor& gradient, const at::Tensor& result) {
    if (!gradient.is_same(result)) {
      gradient.copy_(result.narrow(-1, 0, gradient.size(-1)));
    }
  };
  deliver(gradients.query, results.query);
  deliver(gradients.key, results.key);
  deliver(gradients.value, results.value);
  return delta;
}

}  // namespace primus::kernels::cpu
