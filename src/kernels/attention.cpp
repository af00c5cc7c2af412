#include "kernels/attention.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <limits>

#include "kernels/compute_dtype.h"
#include "kernels/cpu/attention.h"
#include "kernels/span.h"

namespace primus::kernels {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

double scale_of(const AttentionConfig& config, const at::Tensor& query) {
  return config.scale != 0.0 ? config.scale : 1.0 / std::sqrt(static_cast<double>(query.size(-1)));
}

/// true where query i may see key j of sample `sample`: bool [s, t].
at::Tensor visible(const AttentionInputs& inputs, const AttentionConfig& config, std::int64_t sample) {
  const auto options = inputs.query.options().dtype(at::kLong);
  const at::Tensor position = at::arange(inputs.query.size(0), options).unsqueeze(1) + config.query_offset;
  const at::Tensor distance = position - at::arange(inputs.key.size(0), options).unsqueeze(0);
  at::Tensor result = at::ones_like(distance, at::kBool);
  if (config.causal) result.logical_and_(distance.ge(0));
  if (config.window_left >= 0) result.logical_and_(distance.le(config.window_left));
  if (config.window_right >= 0) result.logical_and_(distance.ge(-config.window_right));
  if (inputs.query_documents.defined()) {
    result.logical_and_(inputs.query_documents.select(1, sample).unsqueeze(1).eq(
        inputs.key_documents.select(1, sample).unsqueeze(0)));
  }
  return result;
}

/// One sample of [s, b, g, r, d] as [g, r·s, d], and of [t, b, g, d] as [g, t, d], in the compute dtype.
at::Tensor rows_of(const at::Tensor& x, std::int64_t sample) {
  const at::Tensor one = x.select(1, sample).to(compute_dtype(x));
  return one.dim() == 4 ? one.permute({1, 2, 0, 3}).flatten(1, 2) : one.transpose(0, 1);
}

/// Puts [g, r·s, d] (or [g, t, d]) back in its place in x.
void put_rows(at::Tensor& x, std::int64_t sample, const at::Tensor& rows) {
  at::Tensor one = x.select(1, sample);
  if (one.dim() == 4) {
    one.copy_(rows.view({x.size(2), x.size(3), x.size(0), x.size(4)}).permute({2, 0, 1, 3}));
  } else {
    one.copy_(rows.transpose(0, 1));
  }
}

/// What both directions compute of one sample.
struct Scores {
  /// Softcapped and masked scores [g, r·s, t].
  at::Tensor masked;
  /// Derivative of the softcap at each score; undefined without one.
  at::Tensor softcap_slope;
};

Scores scores_of(const AttentionInputs& inputs, const AttentionConfig& config, std::int64_t sample) {
  Scores result;
  result.masked = at::bmm(rows_of(inputs.query, sample), rows_of(inputs.key, sample).transpose(1, 2));
  result.masked.mul_(scale_of(config, inputs.query));
  if (config.softcap > 0.0) {
    const at::Tensor capped = at::tanh(result.masked / config.softcap);
    result.softcap_slope = 1.0 - capped.square();
    result.masked = capped * config.softcap;
  }
  const std::int64_t heads_per_group = inputs.query.size(3);
  const at::Tensor hidden = visible(inputs, config, sample).logical_not_().repeat({heads_per_group, 1});
  result.masked.masked_fill_(hidden, minus_infinity);
  return result;
}

/// Dropout factors of one sample's probabilities, [g, r·s, t].
at::Tensor dropout_of(const AttentionInputs& inputs, const AttentionDropout& dropout, std::int64_t sample) {
  const std::int64_t queries = inputs.query.size(0), groups = inputs.query.size(2);
  const std::int64_t per_group = inputs.query.size(3), keys = inputs.key.size(0);
  const std::int64_t all_keys = dropout.keys > 0 ? dropout.keys : keys;
  const at::Tensor token = dropout.key.token_index.select(1, sample);
  const at::Tensor head = at::arange(groups * per_group, token.options()).unsqueeze(1);
  const at::Tensor row = token * dropout.key.columns + dropout.key.first_column + head;
  return dropout_factors(dropout.key.key, row * all_keys + dropout.first_key, keys, dropout.p)
      .view({groups, per_group * queries, keys});
}

AttentionOutput reference_forward(const AttentionInputs& inputs, const AttentionConfig& config,
                                  const AttentionDropout& dropout) {
  const at::Tensor& query = inputs.query;
  const std::int64_t samples = query.size(1), groups = query.size(2), per_group = query.size(3);
  const auto wide = query.options().dtype(compute_dtype(query));
  AttentionOutput output{
      at::empty({query.size(0), samples, groups, per_group, inputs.value.size(-1)}, query.options()),
      at::empty({samples, groups, per_group, query.size(0)}, wide)};
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    const at::Tensor scores = scores_of(inputs, config, sample).masked;
    const at::Tensor log_sum_exp = scores.logsumexp(-1, /*keepdim=*/true);
    at::Tensor probabilities = (scores - log_sum_exp.masked_fill(log_sum_exp.isinf(), 0.0)).exp_();
    if (dropout.p > 0.0) probabilities.mul_(dropout_of(inputs, dropout, sample));
    put_rows(output.context, sample, at::bmm(probabilities, rows_of(inputs.value, sample)));
    output.log_sum_exp.select(0, sample).copy_(log_sum_exp.view({groups, per_group, query.size(0)}));
  }
  return output;
}

/// With P the probabilities (normalised over all keys) and O the context: dS = P ∘ (dO·Vᵀ - rowsum(dO ∘ O)).
/// Dropout's factors stand between P and O; the row sum already holds them.
void reference_backward(const at::Tensor& context_gradient, const AttentionInputs& inputs,
                        const AttentionOutput& output, const AttentionConfig& config,
                        const AttentionDropout& dropout, AttentionGradients& gradients) {
  const double scale = scale_of(config, inputs.query);
  for (std::int64_t sample = 0; sample < inputs.query.size(1); ++sample) {
    const Scores scores = scores_of(inputs, config, sample);
    const at::Tensor log_sum_exp = output.log_sum_exp.select(0, sample).flatten(1, 2).unsqueeze(-1);
    const at::Tensor probabilities =
        (scores.masked - log_sum_exp.masked_fill(log_sum_exp.isinf(), 0.0)).exp_();
    const at::Tensor dy = rows_of(context_gradient, sample);
    at::Tensor through_values = at::bmm(dy, rows_of(inputs.value, sample).transpose(1, 2));
    at::Tensor dropped = probabilities;
    if (dropout.p > 0.0) {
      const at::Tensor factors = dropout_of(inputs, dropout, sample);
      through_values.mul_(factors);
      dropped = probabilities * factors;
    }
    const at::Tensor row_sum = (dy * rows_of(output.context, sample)).sum(-1, /*keepdim=*/true);
    at::Tensor score_gradient = through_values.sub_(row_sum).mul_(probabilities).mul_(scale);
    if (scores.softcap_slope.defined()) score_gradient.mul_(scores.softcap_slope);
    put_rows(gradients.query, sample, at::bmm(score_gradient, rows_of(inputs.key, sample)));
    put_rows(gradients.key, sample, at::bmm(score_gradient.transpose(1, 2), rows_of(inputs.query, sample)));
    put_rows(gradients.value, sample, at::bmm(dropped.transpose(1, 2), dy));
  }
}

bool runs_fused(const AttentionInputs& inputs, const AttentionConfig& config, const AttentionDropout& dropout,
                const KernelOptions& options) {
  return options.fused_attention && cpu::covers_attention(inputs, config, dropout);
}

/// Gradients into tensors that exist: they may be parts of a larger one.
void backward_into(AttentionGradients& gradients, const at::Tensor& context_gradient,
                   const AttentionInputs& inputs, const AttentionOutput& output,
                   const AttentionConfig& config, const AttentionDropout& dropout,
                   const KernelOptions& options) {
  const at::NoGradGuard no_grad;
  if (runs_fused(inputs, config, dropout, options)) {
    cpu::flash_attention_backward(context_gradient, inputs, output, config, gradients);
  } else {
    reference_backward(context_gradient, inputs, output, config, dropout, gradients);
  }
}

}  // namespace

AttentionOutput attention_forward(const AttentionInputs& inputs, const AttentionConfig& config,
                                  const AttentionDropout& dropout, const KernelOptions& options) {
  const at::NoGradGuard no_grad;
  if (runs_fused(inputs, config, dropout, options)) return cpu::flash_attention_forward(inputs, config);
  return reference_forward(inputs, config, dropout);
}

AttentionGradients attention_backward(const at::Tensor& context_gradient, const AttentionInputs& inputs,
                                      const AttentionOutput& output, const AttentionConfig& config,
                                      const AttentionDropout& dropout, const KernelOptions& options) {
  AttentionGradients gradients{at::empty_like(inputs.query, at::MemoryFormat::Contiguous),
                               at::empty_like(inputs.key, at::MemoryFormat::Contiguous),
                               at::empty_like(inputs.value, at::MemoryFormat::Contiguous)};
  backward_into(gradients, context_gradient, inputs, output, config, dropout, options);
  return gradients;
}

namespace {

/// What a backward needs besides tensors.
struct AttentionState : torch::CustomClassHolder {
  at::Tensor query_documents;
  at::Tensor key_documents;
  AttentionConfig config;
  AttentionDropout dropout;
  KernelOptions options;
  c10::intrusive_ptr<GradientSink> sinks_gradient;
};

/// The sinks' logits [g·r] for log_sum_exp [b, g, r, s].
at::Tensor sinks_like(const at::Tensor& sinks, const at::Tensor& log_sum_exp) {
  return sinks.to(log_sum_exp.scalar_type()).view({1, log_sum_exp.size(1), log_sum_exp.size(2), 1});
}

/// [b, g, r, s] as [s, b, g, r, 1], to scale a context by.
at::Tensor per_context_row(const at::Tensor& x) { return x.permute({3, 0, 1, 2}).unsqueeze(-1); }

/// Lets the sinks take their share of every softmax.
void add_sinks(AttentionOutput& output, const at::Tensor& sinks) {
  const at::Tensor without = output.log_sum_exp;
  output.log_sum_exp = at::logaddexp(without, sinks_like(sinks, without));
  output.context = (output.context * per_context_row((without - output.log_sum_exp).exp()))
                       .to(output.context.scalar_type());
}

/// A sink has no value: its score's gradient is -P(sink) · rowsum(dO ∘ O), summed over queries. [g·r]
at::Tensor sinks_gradient(const at::Tensor& context_gradient, const AttentionOutput& output,
                          const at::Tensor& sinks) {
  const at::ScalarType dtype = output.log_sum_exp.scalar_type();
  const at::Tensor row_sum =
      (context_gradient.to(dtype) * output.context.to(dtype)).sum(-1).permute({1, 2, 3, 0});
  const at::Tensor share = (sinks_like(sinks, output.log_sum_exp) - output.log_sum_exp).exp();
  return -(share * row_sum).sum({0, 3}).flatten().to(sinks.scalar_type());
}

struct Attention : torch::autograd::Function<Attention> {
  /// `key` and `value` absent: `query` holds the packed projection [s, b, g, r + 2, d].
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& query,
                            const std::optional<at::Tensor>& key, const std::optional<at::Tensor>& value,
                            const std::optional<at::Tensor>& sinks,
                            const c10::intrusive_ptr<AttentionState>& state) {
    const at::Tensor none;
    const AttentionInputs inputs = inputs_of(query, key.value_or(none), value.value_or(none), *state);
    const AttentionOutput output = forward_with_sinks(inputs, sinks, *state);
    ctx->save_for_backward({query, key.value_or(none), value.value_or(none), sinks.value_or(none),
                            output.context, output.log_sum_exp});
    ctx->saved_data["state"] = c10::IValue::make_capsule(state);
    return output.context.flatten(2);
  }

  static variable_list backward(AutogradContext* ctx, variable_list upstream) {
    const variable_list saved = ctx->get_saved_variables();
    const auto state =
        c10::static_intrusive_pointer_cast<AttentionState>(ctx->saved_data["state"].toCapsule());
    const at::Tensor& sinks = saved[3];
    const AttentionOutput output{saved[4], saved[5]};
    const at::Tensor context_gradient = upstream[0].reshape(output.context.sizes());
    const AttentionInputs inputs = inputs_of(saved[0], saved[1], saved[2], *state);
    // Empty tensors like the inputs; for a packed projection, its parts within one.
    variable_list result(5);
    for (std::size_t i = 0; i < 3; ++i) {
      if (saved[i].defined()) result[i] = at::empty_like(saved[i], at::MemoryFormat::Contiguous);
    }
    const AttentionInputs places = inputs_of(result[0], result[1], result[2], *state);
    AttentionGradients gradients{places.query, places.key, places.value};
    backward_into(gradients, context_gradient, inputs, output, state->config, state->dropout, state->options);
    if (sinks.defined()) {
      result[3] = deliver_gradient(state->sinks_gradient, sinks_gradient(context_gradient, output, sinks));
    }
    return result;
  }

 private:
  static AttentionInputs inputs_of(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                   const AttentionState& state) {
    if (key.defined()) return {query, key, value, state.query_documents, state.key_documents};
    const std::int64_t per_group = query.size(-2) - 2;
    return {query.slice(-2, 0, per_group), query.select(-2, per_group), query.select(-2, per_group + 1),
            state.query_documents, state.key_documents};
  }

  static AttentionOutput forward_with_sinks(const AttentionInputs& inputs,
                                            const std::optional<at::Tensor>& sinks,
                                            const AttentionState& state) {
    if (sinks && runs_fused(inputs, state.config, state.dropout, state.options)) {
      AttentionOutput output = cpu::flash_attention_forward(inputs, state.config, *sinks);
      output.log_sum_exp = at::logaddexp(output.log_sum_exp, sinks_like(*sinks, output.log_sum_exp));
      return output;
    }
    AttentionOutput output = attention_forward(inputs, state.config, state.dropout, state.options);
    if (sinks) add_sinks(output, *sinks);
    return output;
  }
};

c10::intrusive_ptr<AttentionState> make_state(const AttentionConfig& config, const AttentionDropout& dropout,
                                              const std::optional<Weight>& sinks,
                                              const KernelOptions& options) {
  auto state = c10::make_intrusive<AttentionState>();
  state->config = config;
  state->dropout = dropout;
  state->options = options;
  if (sinks) state->sinks_gradient = sinks->sink;
  return state;
}

}  // namespace

at::Tensor attention(const AttentionInputs& inputs, const AttentionConfig& config,
                     const std::optional<Weight>& sinks, const AttentionDropout& dropout,
                     const KernelOptions& options) {
  const OperatorSpan span("Attention");
  const auto state = make_state(config, dropout, sinks, options);
  state->query_documents = inputs.query_documents;
  state->key_documents = inputs.key_documents;
  return Attention::apply(inputs.query, std::optional(inputs.key), std::optional(inputs.value),
                          value_of(sinks), state);
}

at::Tensor attention_packed(const at::Tensor& qkv, const AttentionConfig& config, const at::Tensor& documents,
                            const std::optional<Weight>& sinks, const AttentionDropout& dropout,
                            const KernelOptions& options) {
  const OperatorSpan span("Attention");
  const auto state = make_state(config, dropout, sinks, options);
  state->query_documents = documents;
  state->key_documents = documents;
  const std::optional<at::Tensor> none;
  return Attention::apply(qkv, none, none, value_of(sinks), state);
}

}  // namespace primus::kernels
