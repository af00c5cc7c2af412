#include "model/analysis.h"

#include <c10/util/accumulate.h>

#include "model/gpt_model.h"
#include "model/layer_spec.h"

namespace primus::model {

double flops_per_iteration(const TransformerConfig& config, std::int64_t samples, std::int64_t seq_length) {
  double multiply_adds = static_cast<double>(config.hidden_size * config.padded_vocab_size);
  for (const LayerSpec& layer : layer_specs(config)) {
    multiply_adds += layer.attention->costs(config, layer, seq_length).multiply_adds +
                     layer.feed_forward->costs(config, layer, seq_length).multiply_adds;
  }
  // Each is two operations, and backward has two products for every one of forward.
  return 6.0 * static_cast<double>(samples * seq_length) * multiply_adds;
}

std::int64_t parameter_count(const TransformerConfig& config) {
  // A model without memory.
  const GPTModel model(config, ChunkSpec::whole(config), parallel::Mesh(), at::kMeta);
  std::int64_t count = 0;
  for (const auto& parameter : model.parameters().all())
    count += c10::multiply_integers(parameter->spec().global_shape);
  return count;
}

std::int64_t activation_bytes_per_token(const TransformerConfig& config, std::int64_t seq_length,
                                        std::int64_t element_size) {
  const std::int64_t h = config.hidden_size;
  constexpr std::int64_t fp32 = 4;
  std::int64_t bytes = 2 * h * element_size;  // the input and the output of the final norm
  for (const LayerSpec& layer : layer_specs(config)) {
    // Inputs and outputs of both norms, and two statistics of each.
    bytes += 4 * h * element_size + 4 * fp32;
    for (const PartKind* part : {layer.attention, layer.feed_forward}) {
      const PartCosts costs = part->costs(config, layer, seq_length);
      bytes += costs.kept_elements * element_size + costs.kept_bytes;
    }
  }
  return bytes;
}

}  // namespace primus::model
