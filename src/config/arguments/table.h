#pragma once

#include "config/arguments/checkpoint.h"
#include "config/arguments/data.h"
#include "config/arguments/experiment_tracking.h"
#include "config/arguments/fault_tolerance.h"
#include "config/arguments/finetuning.h"
#include "config/arguments/fsdp.h"
#include "config/arguments/inference.h"
#include "config/arguments/kernels.h"
#include "config/arguments/latent_attention.h"
#include "config/arguments/logging.h"
#include "config/arguments/mixture_of_experts.h"
#include "config/arguments/model.h"
#include "config/arguments/multi_token_prediction.h"
#include "config/arguments/optimizer.h"
#include "config/arguments/other_models.h"
#include "config/arguments/parallelism.h"
#include "config/arguments/pipeline_layout.h"
#include "config/arguments/precision.h"
#include "config/arguments/profiling.h"
#include "config/arguments/recompute_and_memory.h"
#include "config/arguments/reinforcement_learning.h"
#include "config/arguments/sparse_and_hybrid.h"
#include "config/arguments/tokenizer.h"
#include "config/arguments/training.h"
#include "config/arguments/turbo.h"
#include "config/arguments/zero_bubble.h"

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace primus::config {

/// The arguments of one subject.
struct Section {
  std::string_view name;
  std::string_view title;
  std::span<const Argument> arguments;
  /// Under which the section's arguments count (see condition.h). Those that it names always do: they are
  /// the section's switches.
  std::string_view when = "";
};

/// The table of all arguments, by section. An argument is added by a row in the file of its section.
inline constexpr std::array<Section, 26> sections = {{
    {"training", "Batch size, length of a run, evaluation", table::training_arguments},
    {"data", "Data sets and batches", table::data_arguments},
    {"tokenizer", "Tokenizer and vocabulary", table::tokenizer_arguments},
    {"model", "Transformer", table::model_arguments},
    {"latent_attention", "Multi-head latent attention", table::latent_attention_arguments,
     "multi_latent_attention or experimental_attention_variant"},
    {"mixture_of_experts", "Mixture of experts", table::mixture_of_experts_arguments, "num_experts"},
    {"multi_token_prediction", "Multi-token prediction", table::multi_token_prediction_arguments,
     "mtp_num_layers or num_nextn_predict_layers"},
    {"sparse_and_hybrid", "Hybrid, linear and sparse attention models", table::sparse_and_hybrid_arguments},
    {"optimizer", "Optimizer and learning rate", table::optimizer_arguments},
    {"precision", "Number formats", table::precision_arguments},
    {"parallelism", "Parallel sizes and collectives", table::parallelism_arguments},
    {"pipeline_layout", "Pipeline layout", table::pipeline_layout_arguments,
     "pipeline_model_parallel_size!=1"},
    {"zero_bubble", "Zero-bubble and Primus pipeline schedules", table::zero_bubble_arguments,
     "patch_zero_bubble or patch_primus_pipeline"},
    {"fsdp", "Fully sharded data parallelism", table::fsdp_arguments,
     "use_torch_fsdp2 or use_megatron_fsdp or use_custom_fsdp"},
    {"recompute_and_memory", "Recomputation and memory", table::recompute_and_memory_arguments},
    {"kernels", "Kernel and fusion switches", table::kernels_arguments},
    {"turbo", "Primus Turbo kernels", table::turbo_arguments, "enable_primus_turbo"},
    {"checkpoint", "Checkpoints", table::checkpoint_arguments},
    {"logging", "Log lines and sinks", table::logging_arguments},
    {"experiment_tracking", "TensorBoard, Weights & Biases, MLflow", table::experiment_tracking_arguments},
    {"profiling", "Profiling and memory reports", table::profiling_arguments},
    {"fault_tolerance", "Faults, reruns and stragglers", table::fault_tolerance_arguments},
    {"finetuning", "Fine-tuning", table::finetuning_arguments, "sft or stage=sft"},
    {"inference", "Inference inside of the trainer", table::inference_arguments},
    {"reinforcement_learning", "Reinforcement learning", table::reinforcement_learning_arguments,
     "perform_rl_step"},
    {"other_models", "Vision, retrieval and BERT models", table::other_models_arguments,
     "vision_pretraining or retro_add_retriever"},
}};

constexpr std::size_t count_arguments() {
  std::size_t count = 0;
  for (const Section& section : sections) count += section.arguments.size();
  return count;
}

/// How many arguments there are. Each has an index below it: its place in the table.
inline constexpr std::size_t argument_count = count_arguments();

constexpr const Argument& argument_at(std::size_t index) {
  for (const Section& section : sections) {
    if (index < section.arguments.size()) return section.arguments[index];
    index -= section.arguments.size();
  }
  return sections[0].arguments[0];
}

constexpr const Section& section_at(std::size_t index) {
  for (const Section& section : sections) {
    if (index < section.arguments.size()) return section;
    index -= section.arguments.size();
  }
  return sections[0];
}

/// The index of the argument of that name, or `argument_count` when there is none. Rows are sorted by name
/// inside of their section.
constexpr std::size_t find_argument(std::string_view name) {
  std::size_t first = 0;
  for (const Section& section : sections) {
    std::size_t low = 0, high = section.arguments.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (section.arguments[middle].name < name) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low < section.arguments.size() && section.arguments[low].name == name) return first + low;
    first += section.arguments.size();
  }
  return argument_count;
}

}  // namespace primus::config
