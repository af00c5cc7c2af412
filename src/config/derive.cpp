#include "config/derive.h"

#include "config/flops.h"
#include "config/merge.h"

#include <fmt/format.h>

#include <algorithm>

namespace primus::config {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t mock_vocabulary = 131072;

/// Sets an argument while keeping what it was for `explain`.
template <ArgumentName Name>
void set(Arguments& arguments, Value::Content content) {
  Value value(std::move(content));
  value.origin.layer = Layer::derived;
  value.replaced = std::make_shared<Value>(arguments.value(Name.view()));
  arguments.set(Name.view(), std::move(value));
}

Value::List texts(const std::vector<std::string>& items) {
  Value::List list;
  for (const std::string& item : items) list.emplace_back(Value::Content(item));
  return list;
}

/// The same value as a list, set where it was.
template <ArgumentName Name>
void split_words(Arguments& arguments) {
  Value value = arguments.value(Name.view());
  if (!value.is_text()) return;
  value.written = *value.text();
  value.content = texts(arguments.get<Name>());
  arguments.set(Name.view(), std::move(value));
}

void prepare_paths(Arguments& arguments, const RunContext& context) {
  const fs::path root = fs::absolute(context.root_directory).lexically_normal();
  if (arguments.get<"save">()) set<"save">(arguments, (root / "checkpoints").string());
  if (arguments.get<"profile">()) set<"disable_tensorboard">(arguments, false);
  if (!arguments.get<"disable_tensorboard">())
    set<"tensorboard_dir">(arguments, (root / "tensorboard").string());
  if (arguments.get<"disable_wandb">()) {
    set<"wandb_project">(arguments, std::monostate());
    return;
  }
  set<"wandb_save_dir">(arguments, (root / "wandb").string());
  if (!arguments.get<"wandb_project">()) {
    set<"wandb_project">(arguments, context.work_group + "_" + context.user_name);
  }
  if (!arguments.get<"wandb_exp_name">()) set<"wandb_exp_name">(arguments, context.exp_name);
}

void prepare_data(Arguments& arguments) {
  split_words<"data_path">(arguments);
  split_words<"train_data_path">(arguments);
  split_words<"valid_data_path">(arguments);
  split_words<"test_data_path">(arguments);
  if (!arguments.get<"mock_data">()) return;
  set<"data_path">(arguments, std::monostate());
  set<"train_data_path">(arguments, std::monostate());
  set<"valid_data_path">(arguments, std::monostate());
  set<"test_data_path">(arguments, std::monostate());
  set<"tokenizer_type">(arguments, std::string("NullTokenizer"));
  if (!arguments.get<"vocab_size">()) set<"vocab_size">(arguments, mock_vocabulary);
}

void prepare_layer_pattern(Arguments& arguments) {
  if (!arguments.value("moe_layer_freq").is_text()) return;
  const LayerPattern pattern = arguments.get<"moe_layer_freq">();
  if (pattern.layers.empty()) {
    set<"moe_layer_freq">(arguments, pattern.every);
    return;
  }
  Value::List list;
  for (const std::int64_t layer : pattern.layers) list.emplace_back(Value::Content(layer));
  set<"moe_layer_freq">(arguments, std::move(list));
}

/// Kimi K3's names for two of Megatron's arguments.
void prepare_kimi_k3(Arguments& arguments) {
  if (arguments.get<"model_type">() != "kimi_k3") return;
  if (const auto width = arguments.get<"routed_expert_hidden_size">())
    set<"moe_latent_size">(arguments, *width);
  if (const auto layers = arguments.get<"num_nextn_predict_layers">())
    set<"mtp_num_layers">(arguments, *layers);
}

// ---- derivation ----

std::int64_t total_model_size(const Arguments& a) {
  return a.get<"tensor_model_parallel_size">() * a.get<"pipeline_model_parallel_size">() *
         a.get<"context_parallel_size">();
}

void derive_batch(DerivedArguments& derived, std::int64_t world_size) {
  Arguments& a = derived.arguments;
  derived.data_parallel_size = world_size / total_model_size(a);
  const std::int64_t one_step = a.get<"micro_batch_size">() * derived.data_parallel_size;
  if (!a.get<"global_batch_size">()) set<"global_batch_size">(a, one_step);
  derived.microbatches = *a.get<"global_batch_size">() / one_step;
  derived.running_batch_size = derived.microbatches * one_step;
}

void derive_parallel(Arguments& a) {
  if (!a.get<"expert_tensor_parallel_size">()) {
    set<"expert_tensor_parallel_size">(a, a.get<"tensor_model_parallel_size">());
  }
  const std::int64_t stages = virtual_stages(a);
  set<"virtual_pipeline_model_parallel_size">(
      a, stages > 1 ? Value::Content(stages) : Value::Content(std::monostate()));
  if (stages == 1) {
    set<"overlap_p2p_comm">(a, false);
    set<"align_param_gather">(a, false);
  }
  if (a.get<"use_megatron_fsdp">()) set<"use_custom_fsdp">(a, true);
  if (a.get<"use_torch_fsdp2">()) {
    std::vector<std::string> groups = a.get<"high_priority_stream_groups">();
    groups.emplace_back("dp_cp");
    if (a.get<"expert_model_parallel_size">() > 1) groups.emplace_back("ep_dp");
    set<"high_priority_stream_groups">(a, texts(groups));
  }
}

/// Who set an argument; a derived value counts for who set what it is derived from.
template <ArgumentName Name>
Layer layer_that_set(const Arguments& a) {
  return a.value(Name.view()).as_set().origin.layer;
}

/// Two names of one argument: what the stronger layer sets is the value of both, also where it sets the
/// default; at a tie the first name wins. The value keeps the origin of the one that won.
template <ArgumentName First, ArgumentName Second>
void unite(Arguments& a, std::vector<std::string>& notes) {
  const bool second = layer_that_set<Second>(a) > layer_that_set<First>(a);
  const std::string_view winner = second ? Second.view() : First.view();
  const std::string_view loser = second ? First.view() : Second.view();
  Value value = a.value(winner);
  const Value other = a.value(loser);
  if (other.origin.layer >= Layer::experiment && !same_content(value, other)) {
    notes.push_back(fmt::format("{}: '{}' ({}) overrides '{}' ({}, {})", to_string(value.origin.where()),
                                winner, value.as_written(), loser, other.as_written(),
                                to_string(other.origin.where())));
  }
  remember_replaced(value, other);
  a.set(loser, std::move(value));
}

void derive_model(Arguments& a) {
  set<"encoder_num_layers">(a, a.get<"num_layers">());
  set<"encoder_seq_length">(a, a.get<"seq_length">());
  if (!a.get<"ffn_hidden_size">()) {
    // Megatron's arithmetic, in doubles: two thirds of 4h, a multiple of 64.
    const auto hidden = static_cast<double>(a.get<"hidden_size">());
    set<"ffn_hidden_size">(a, a.get<"swiglu">() ? static_cast<std::int64_t>((4 * hidden * 2 / 3) / 64) * 64
                                                : 4 * a.get<"hidden_size">());
  }
  if (!a.get<"kv_channels">()) {
    set<"kv_channels">(a, a.get<"hidden_size">() / a.get<"num_attention_heads">());
  }
  if (!a.get<"add_bias_linear">()) set<"bias_gelu_fusion">(a, false);
  if (a.get<"add_bias_linear">()) set<"add_qkv_bias">(a, true);
  if (a.get<"use_rotary_position_embeddings">() &&
      layer_that_set<"use_rotary_position_embeddings">(a) >= layer_that_set<"position_embedding_type">(a)) {
    set<"position_embedding_type">(a, std::string("rope"));
  }
  if (a.get<"position_embedding_type">() != "rope") set<"apply_rope_fusion">(a, false);
  if (a.get<"apply_query_key_layer_scaling">()) set<"attention_softmax_in_fp32">(a, true);
  if (a.get<"hybrid_override_pattern">()) set<"hybrid_layer_pattern">(a, *a.get<"hybrid_override_pattern">());
}

/// A list of one item says the same as the item alone.
template <ArgumentName Name>
void unwrap(Arguments& a) {
  const Value& value = a.value(Name.view());
  if (value.list() && value.list()->size() == 1) set<Name>(a, value.list()->front().content);
}

void derive_experts(Arguments& a) {
  if (a.get<"num_experts">() == 0) set<"num_experts">(a, std::monostate());
  if (a.get<"num_experts">() && !a.get<"moe_ffn_hidden_size">()) {
    set<"moe_ffn_hidden_size">(a, *a.get<"ffn_hidden_size">());
  }
  unwrap<"moe_router_load_balancing_type">(a);
  unwrap<"moe_aux_loss_coeff">(a);

  const std::int64_t stage = a.get<"turbo_sync_free_moe_stage">();
  if (stage == 0) return;
  set<"moe_use_fused_router_with_aux_score">(a, true);
  set<"moe_permute_fusion">(a, true);
  set<"moe_router_padding_for_quantization">(a, a.get<"fp8">().has_value() || a.get<"fp4">().has_value());
  if (stage > 1) {
    set<"use_turbo_deepep">(a, true);
    set<"use_turbo_grouped_gemm">(a, true);
  }
  if (stage > 2) set<"use_turbo_fused_act_with_probs">(a, true);
}

void derive_precision(DerivedArguments& derived) {
  Arguments& a = derived.arguments;
  derived.params_dtype = a.get<"fp16">() ? "fp16" : a.get<"bf16">() ? "bf16" : "fp32";
  if (a.get<"fp16">() && a.get<"loss_scale">().value_or(0) == 0)
    set<"check_for_nan_in_loss_and_grad">(a, false);
  if (!a.get<"bf16">()) return;
  if (a.get<"grad_reduce_in_bf16">()) {
    set<"accumulate_allreduce_grads_in_fp32">(a, false);
  } else if (a.get<"main_grads_dtype">() == "fp32") {
    set<"accumulate_allreduce_grads_in_fp32">(a, true);
  }
}

void derive_schedule(Arguments& a) {
  if (!a.get<"dataloader_type">()) set<"dataloader_type">(a, std::string("single"));
  if (!a.get<"tokenizer_type">()) set<"tokenizer_type">(a, std::string("GPT2BPETokenizer"));
  if (!a.get<"data_path">().empty() && !a.get<"split">()) set<"split">(a, std::string("969, 30, 1"));
  if (a.get<"weight_decay_incr_style">() == "constant") {
    set<"start_weight_decay">(a, a.get<"weight_decay">());
    set<"end_weight_decay">(a, a.get<"weight_decay">());
  }
  if (a.get<"recompute_activations">()) set<"recompute_granularity">(a, std::string("selective"));
  if (a.get<"skip_train">() || a.get<"moe_use_upcycling">()) set<"no_load_optim">(a, true);
  if (a.get<"moe_use_upcycling">()) set<"no_load_rng">(a, true);
  if (a.get<"cuda_graph_impl">() != "none") set<"te_rng_tracker">(a, true);
  if (a.get<"cuda_graph_scope">() == std::vector<std::string>{"full"})
    set<"cuda_graph_scope">(a, Value::List());
  if (a.get<"dump_pp_data">() && a.get<"pipeline_model_parallel_size">() == 1) set<"dump_pp_data">(a, false);
}

/// Reads a layout from left to right; stages are counted, layers are not looked at.
class LayoutReader {
 public:
  explicit LayoutReader(std::string_view text) : text_(text) {}

  std::optional<std::int64_t> count() {
    const auto bars = sequence(0);
    if (!bars || at_ != text_.size()) return std::nullopt;
    return *bars + 1;
  }

 private:
  /// The bars in a sequence of letters, bars, commas and groups, up to `)` or the end.
  std::optional<std::int64_t> sequence(int depth) {
    if (depth > 20) return std::nullopt;
    std::int64_t bars = 0;
    while (at_ < text_.size() && text_[at_] != ')') {
      std::int64_t here = 0;
      const char c = text_[at_++];
      if (c == '(') {
        const auto inner = sequence(depth + 1);
        if (!inner || at_ >= text_.size()) return std::nullopt;
        ++at_;
        here = *inner;
      } else if (c == '|') {
        here = 1;
      } else if (std::string_view("EtmL, ").find(c) == std::string_view::npos) {
        return std::nullopt;
      }
      const auto times = repetitions();
      if (!times || here > 10000 || *times > 10000) return std::nullopt;
      bars += here * *times;
    }
    return bars;
  }

  /// The n of `*n` behind an item; 1 without.
  std::optional<std::int64_t> repetitions() {
    if (at_ >= text_.size() || text_[at_] != '*') return 1;
    ++at_;
    std::int64_t times = 0;
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9' && times < 100000) {
      times = times * 10 + (text_[at_++] - '0');
    }
    return at_ > begin ? std::optional(times) : std::nullopt;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

RunContext RunContext::of(const Experiment& experiment, std::int64_t world_size) {
  RunContext context;
  context.world_size = world_size;
  context.work_group = experiment.work_group;
  context.user_name = experiment.user_name;
  context.exp_name = experiment.exp_name;
  context.root_directory = experiment.root_directory;
  return context;
}

std::optional<std::int64_t> stages_of_layout(std::string_view layout) { return LayoutReader(layout).count(); }

std::int64_t virtual_stages(const Arguments& a) {
  const std::int64_t pipeline = a.get<"pipeline_model_parallel_size">();
  if (pipeline <= 1) return 1;
  if (const auto layout = a.get<"pipeline_model_parallel_layout">()) {
    return std::max<std::int64_t>(stages_of_layout(*layout).value_or(pipeline) / pipeline, 1);
  }
  if (const auto stages = a.get<"num_virtual_stages_per_pipeline_rank">()) return *stages;
  if (const auto layers = a.get<"num_layers_per_virtual_pipeline_stage">()) {
    const std::int64_t ends =
        a.get<"account_for_embedding_in_pipeline_split">() + a.get<"account_for_loss_in_pipeline_split">();
    return (a.get<"num_layers">() + ends) / pipeline / *layers;
  }
  return 1;
}

std::int64_t padded_vocabulary_size(std::int64_t size, std::int64_t divisible_by,
                                    std::int64_t tensor_parallel_size) {
  const std::int64_t multiple = divisible_by * tensor_parallel_size;
  return (size + multiple - 1) / multiple * multiple;
}

Arguments prepare(const Arguments& arguments, const RunContext& context) {
  Arguments prepared = arguments;
  prepare_paths(prepared, context);
  prepare_data(prepared);
  prepare_layer_pattern(prepared);
  prepare_kimi_k3(prepared);
  if (prepared.value("iterations_to_skip").is_null()) set<"iterations_to_skip">(prepared, Value::List());
  if (prepared.get<"tensor_model_parallel_size">() == 1) set<"sequence_parallel">(prepared, false);
  return prepared;
}

DerivedArguments derive(const Arguments& arguments, const RunContext& context) {
  DerivedArguments derived;
  derived.arguments = arguments;
  derive_batch(derived, context.world_size);
  derive_parallel(derived.arguments);
  derive_schedule(derived.arguments);
  unite<"layernorm_epsilon", "norm_epsilon">(derived.arguments, derived.notes);
  derive_model(derived.arguments);
  derive_experts(derived.arguments);
  derive_precision(derived);
  for (std::string& line : derived.arguments.without_effect()) derived.notes.push_back(std::move(line));
  return derived;
}

DerivedArguments derive_or_throw(const Arguments& arguments, const RunContext& context) {
  std::vector<Problem> problems;
  const Arguments prepared = prepare(arguments, context);
  check_rules(prepared, context, problems);
  throw_if_any(problems);
  return derive(prepared, context);
}

std::optional<std::int64_t> null_tokenizer_size(const Arguments& a) {
  if (a.get<"tokenizer_type">() != "NullTokenizer" || !a.get<"vocab_size">()) return std::nullopt;
  return *a.get<"vocab_size">() + 1;
}

Value megatron_arguments(const DerivedArguments& derived, const RunContext& context) {
  const Arguments& a = derived.arguments;
  Map all;
  for (std::size_t index = 0; index < argument_count; ++index) {
    const std::string_view name = argument_at(index).name;
    // Megatron takes these away once they were looked at.
    constexpr std::string_view removed[] = {"batch_size", "warmup", "model_parallel_size",
                                            "checkpoint_activations", "recompute_activations"};
    if (std::find(std::begin(removed), std::end(removed), name) == std::end(removed)) {
      all.set(name, a.resolved_at(index));
    }
  }
  const auto put = [&](std::string_view name, Value::Content content) {
    all.set(name, Value(std::move(content)));
  };
  put("world_size", context.world_size);
  put("data_parallel_size", derived.data_parallel_size);
  put("transformer_pipeline_model_parallel_size", a.get<"pipeline_model_parallel_size">());
  put("num_microbatches", derived.microbatches);
  put("current_running_global_batch_size", derived.running_batch_size);
  put("params_dtype", derived.params_dtype);
  put("use_dist_ckpt", a.get<"ckpt_format">() != "torch");
  put("consumed_train_samples", std::int64_t{0});
  put("skipped_train_samples", std::int64_t{0});
  put("consumed_valid_samples", std::int64_t{0});
  put("variable_seq_lengths", false);
  if (const auto size = null_tokenizer_size(a)) {
    const std::int64_t padded = a.get<"padded_vocab_size">().value_or(padded_vocabulary_size(
        *size, a.get<"make_vocab_size_divisible_by">(), a.get<"tensor_model_parallel_size">()));
    put("tokenizer_vocab_size", *size);
    put("padded_vocab_size", padded);
    if (has_operation_count(a)) {
      put("floating_point_operations_per_iteration",
          floating_point_operations(a, derived.running_batch_size, padded));
    }
  }
  return Value(Value::Content(std::move(all)));
}

}  // namespace primus::config
