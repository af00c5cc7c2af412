// The sizes and parts of a model.
#include <fmt/format.h>

#include "config/rules.h"

namespace primus::config {

namespace {

class ModelRules : RuleSubject {
 public:
  using RuleSubject::RuleSubject;

  void check_all() {
    sizes();
    attention();
    position();
    activation();
  }

 private:
  void sizes() {
    require<"encoder_num_layers">(
        !a.get<"encoder_num_layers">(),
        "'num_layers' and 'encoder_num_layers' are both set: set the latter to null");
    require<"encoder_seq_length">(
        !a.get<"encoder_seq_length">(),
        "'seq_length' and 'encoder_seq_length' are both set: set the latter to null");
  }

  void attention() {
    const std::int64_t heads = a.get<"num_attention_heads">();
    const std::int64_t hidden = a.get<"hidden_size">();
    require<"num_attention_heads", "hidden_size">(
        a.get<"kv_channels">() || hidden % heads == 0,
        fmt::format("'hidden_size' ({}) is not divisible by 'num_attention_heads' ({}): set 'kv_channels'",
                    hidden, heads));
    require<"multi_latent_attention">(
        !a.get<"multi_latent_attention">() || !a.get<"group_query_attention">(),
        "'multi_latent_attention' and 'group_query_attention' exclude each other");
    const std::int64_t tensor = a.get<"tensor_model_parallel_size">();
    require<"num_attention_heads", "tensor_model_parallel_size">(
        heads % tensor == 0,
        fmt::format("'num_attention_heads' ({}) is not divisible by 'tensor_model_parallel_size' ({})", heads,
                    tensor));
    require<"seq_length", "tensor_model_parallel_size">(
        !a.get<"sequence_parallel">() || a.get<"seq_length">() % tensor == 0,
        fmt::format("'seq_length' ({}) is not divisible by 'tensor_model_parallel_size' ({}), as "
                    "'sequence_parallel' needs",
                    a.get<"seq_length">(), tensor));
    if (a.get<"group_query_attention">())
      query_groups(a.get<"num_query_groups">().value_or(heads), heads, tensor);
    require<"rotary_interleaved">(!a.get<"rotary_interleaved">() || !a.get<"multi_latent_attention">(),
                                  "'rotary_interleaved' and 'multi_latent_attention' exclude each other");
  }

  void query_groups(std::int64_t groups, std::int64_t heads, std::int64_t tensor) {
    require<"num_query_groups", "num_attention_heads">(
        heads % groups == 0,
        fmt::format("'num_attention_heads' ({}) is not divisible by 'num_query_groups' ({})", heads, groups));
    require<"num_query_groups", "tensor_model_parallel_size">(
        groups % tensor == 0 || tensor % groups == 0,
        fmt::format(
            "one of 'num_query_groups' ({}) and 'tensor_model_parallel_size' ({}) must be a multiple of the "
            "other",
            groups, tensor));
  }

  void position() {
    require<"max_position_embeddings", "seq_length">(
        a.get<"max_position_embeddings">() >= a.get<"seq_length">(),
        fmt::format("'max_position_embeddings' ({}) must be at least 'seq_length' ({})",
                    a.get<"max_position_embeddings">(), a.get<"seq_length">()));
    const bool rope =
        a.get<"position_embedding_type">() == "rope" || a.get<"use_rotary_position_embeddings">();
    require<"position_embedding_type">(
        rope || a.get<"add_position_embedding">(),
        "'position_embedding_type' other than rope needs 'add_position_embedding: true'");
    require<"mrope_section">(
        a.get<"position_embedding_type">() != "mrope" || !a.get<"mrope_section">().empty(),
        "'position_embedding_type: mrope' needs 'mrope_section'");
    if (a.get<"mtp_num_layers">().value_or(0) > 0) {
      require<"mtp_num_layers">(rope || a.get<"position_embedding_type">() == "none",
                                "multi-token prediction needs 'position_embedding_type' rope or none");
    }
  }

  void activation() {
    require<"squared_relu">(!a.get<"squared_relu">() || !a.get<"swiglu">(),
                            "'squared_relu' and 'swiglu' exclude each other");
    require<"quick_geglu">(!a.get<"quick_geglu">() || !a.get<"swiglu">(),
                           "'quick_geglu' and 'swiglu' exclude each other");
  }
};

}  // namespace

void check_model_rules(const Arguments& arguments, const RunContext& context,
                       std::vector<Problem>& problems) {
  ModelRules(arguments, context, problems).check_all();
}

}  // namespace primus::config
