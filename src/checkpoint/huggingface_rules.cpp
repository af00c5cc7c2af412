#include <ATen/Functions.h>
#include <fmt/format.h>

#include "checkpoint/huggingface.h"

namespace primus::checkpoint {

using model::TransformerConfig;

namespace {

using Shape = std::vector<std::int64_t>;

/// [q; k; v] rows as our projection packs them: per group its queries, its key, its value.
at::Tensor pack_qkv(const TransformerConfig& config, const at::Tensor& q, const at::Tensor& k,
                    const at::Tensor& v) {
  const std::int64_t groups = config.num_query_groups, size = config.kv_channels;
  const auto grouped = [&](const at::Tensor& x) {
    return x.reshape({groups, x.size(0) / (groups * size), size, -1});
  };
  const at::Tensor packed = at::cat({grouped(q), grouped(k), grouped(v)}, 1);
  return q.dim() == 1 ? packed.reshape({-1}) : packed.reshape({-1, q.size(1)});
}

/// The rows of one kind of the packed projection: slots `first` to `last` of each group.
at::Tensor unpack_qkv(const TransformerConfig& config, const at::Tensor& packed, std::int64_t first,
                      std::int64_t last) {
  const std::int64_t slots = config.heads_per_group() + 2;
  const at::Tensor rows =
      packed.reshape({config.num_query_groups, slots, config.kv_channels, -1}).slice(1, first, last);
  return packed.dim() == 1 ? rows.reshape({-1}) : rows.reshape({-1, packed.size(1)});
}

at::Tensor with_rows(const at::Tensor& x, std::int64_t rows) {
  if (x.size(0) >= rows) return x;
  return at::cat({x, at::zeros({rows - x.size(0), x.size(1)}, x.options())});
}

bool has_qkv_bias(const TransformerConfig& config) { return config.add_qkv_bias || config.add_bias_linear; }

/// "weight", and "bias" where there is one.
std::vector<std::string> suffixes(bool bias) {
  return bias ? std::vector<std::string>{"weight", "bias"} : std::vector<std::string>{"weight"};
}

/// The shape of a linear layer's weight, or of its bias.
Shape linear_shape(const std::string& suffix, std::int64_t out, std::int64_t in) {
  return suffix == "bias" ? Shape{out} : Shape{out, in};
}

/// A tensor that is the same on both sides, but for its name.
struct Renamed {
  std::string ours, theirs;
  Shape shape;
};

std::vector<Renamed> renamed_tensors(const TransformerConfig& config) {
  const Shape norm = {config.hidden_size}, head_norm = {config.kv_channels};
  const std::int64_t heads = config.num_attention_heads * config.kv_channels;
  std::vector<Renamed> tensors;
  for (std::int64_t i = 0; i < config.num_layers; ++i) {
    const std::string ours = fmt::format("decoder.layers.{}.", i),
                      theirs = fmt::format("model.layers.{}.", i);
    tensors.push_back(
        {ours + "self_attention.linear_qkv.layer_norm_weight", theirs + "input_layernorm.weight", norm});
    tensors.push_back(
        {ours + "mlp.linear_fc1.layer_norm_weight", theirs + "post_attention_layernorm.weight", norm});
    for (const std::string& suffix : suffixes(config.add_bias_linear)) {
      tensors.push_back({ours + "self_attention.linear_proj." + suffix, theirs + "self_attn.o_proj." + suffix,
                         linear_shape(suffix, config.hidden_size, heads)});
      tensors.push_back({ours + "mlp.linear_fc2." + suffix, theirs + "mlp.down_proj." + suffix,
                         linear_shape(suffix, config.hidden_size, config.ffn_hidden_size)});
    }
    if (config.qk_layernorm) {
      for (const std::string part : {"q", "k"}) {
        tensors.push_back({fmt::format("{}self_attention.{}_layernorm.weight", ours, part),
                           fmt::format("{}self_attn.{}_norm.weight", theirs, part), head_norm});
      }
    }
  }
  tensors.push_back({"decoder.final_layernorm.weight", "model.norm.weight", norm});
  return tensors;
}

/// Tables over the vocabulary, as (ours, theirs).
std::vector<std::pair<std::string, std::string>> vocabulary_tensors(const TransformerConfig& config) {
  std::vector<std::pair<std::string, std::string>> pairs = {
      {"embedding.word_embeddings.weight", "model.embed_tokens.weight"}};
  if (config.untie_embeddings_and_output_weights) pairs.emplace_back("output_layer.weight", "lm_head.weight");
  return pairs;
}

}  // namespace

std::vector<TensorRule> import_rules(const TransformerConfig& config) {
  std::vector<TensorRule> rules;
  for (const Renamed& tensor : renamed_tensors(config)) {
    rules.push_back({tensor.ours, {}, [=](const TensorSource& get) { return get(tensor.theirs); }});
  }
  for (const auto& [ours, theirs] : vocabulary_tensors(config)) {
    rules.push_back({ours, {}, [config, theirs = theirs](const TensorSource& get) {
                       return with_rows(get(theirs), config.padded_vocab_size);
                     }});
  }
  for (std::int64_t i = 0; i < config.num_layers; ++i) {
    const std::string ours = fmt::format("decoder.layers.{}.", i),
                      theirs = fmt::format("model.layers.{}.", i);
    for (const std::string& suffix : suffixes(has_qkv_bias(config))) {
      rules.push_back({ours + "self_attention.linear_qkv." + suffix, {}, [=](const TensorSource& get) {
                         const std::string attention = theirs + "self_attn.";
                         return pack_qkv(config, get(attention + "q_proj." + suffix),
                                         get(attention + "k_proj." + suffix),
                                         get(attention + "v_proj." + suffix));
                       }});
    }
    for (const std::string& suffix : suffixes(config.add_bias_linear)) {
      rules.push_back(
          {ours + "mlp.linear_fc1." + suffix, {}, [=](const TensorSource& get) {
             return at::cat({get(theirs + "mlp.gate_proj." + suffix), get(theirs + "mlp.up_proj." + suffix)});
           }});
    }
  }
  return rules;
}

std::vector<TensorRule> export_rules(const TransformerConfig& config) {
  std::vector<TensorRule> rules;
  for (const Renamed& tensor : renamed_tensors(config)) {
    rules.push_back({tensor.theirs, tensor.shape, [=](const TensorSource& get) { return get(tensor.ours); }});
  }
  for (const auto& [ours, theirs] : vocabulary_tensors(config)) {
    const Shape shape = {config.vocab_size, config.hidden_size};
    rules.push_back({theirs, shape, [config, ours = ours](const TensorSource& get) {
                       return get(ours).slice(0, 0, config.vocab_size);
                     }});
  }
  const std::int64_t queries = config.heads_per_group();
  for (std::int64_t i = 0; i < config.num_layers; ++i) {
    const std::string ours = fmt::format("decoder.layers.{}.", i),
                      theirs = fmt::format("model.layers.{}.", i);
    for (const std::string& suffix : suffixes(has_qkv_bias(config))) {
      const auto add = [&](const char* name, std::int64_t first, std::int64_t last) {
        const std::int64_t rows = (last - first) * config.num_query_groups * config.kv_channels;
        const Shape shape = linear_shape(suffix, rows, config.hidden_size);
        rules.push_back({theirs + "self_attn." + name + suffix, shape, [=](const TensorSource& get) {
                           return unpack_qkv(config, get(ours + "self_attention.linear_qkv." + suffix), first,
                                             last);
                         }});
      };
      add("q_proj.", 0, queries);
      add("k_proj.", queries, queries + 1);
      add("v_proj.", queries + 1, queries + 2);
    }
    for (const std::string& suffix : suffixes(config.add_bias_linear)) {
      const auto add = [&](const char* name, int branch) {
        const Shape shape = linear_shape(suffix, config.ffn_hidden_size, config.hidden_size);
        rules.push_back({theirs + "mlp." + name + suffix, shape, [=](const TensorSource& get) {
                           return get(ours + "mlp.linear_fc1." + suffix).chunk(2)[branch];
                         }});
      };
      add("gate_proj.", 0);
      add("up_proj.", 1);
    }
  }
  return rules;
}

}  // namespace primus::checkpoint
