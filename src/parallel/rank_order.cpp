#include "parallel/rank_order.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "core/error.h"

namespace primus::parallel {

namespace {

enum class Axis { tensor, context, expert, data, pipeline };

struct SizedAxis {
  Axis axis;
  int size;
};

/// The axes of one view of the ranks, fastest first.
std::vector<SizedAxis> axes_of(const LayoutSizes& sizes, bool expert_view) {
  std::vector<SizedAxis> axes;
  if (expert_view) {
    axes = {{Axis::tensor, sizes.expert_tensor_or_tensor()},
            {Axis::expert, sizes.expert},
            {Axis::data, sizes.expert_data()},
            {Axis::pipeline, sizes.pipeline}};
  } else {
    axes = {{Axis::tensor, sizes.tensor},
            {Axis::context, sizes.context},
            {Axis::data, sizes.data()},
            {Axis::pipeline, sizes.pipeline}};
  }
  if (sizes.pipeline_before_data) std::swap(axes[2], axes[3]);
  return axes;
}

/// Ranks that differ in nothing but the axes `within` form a group. Megatron's RankGenerator.
std::vector<std::vector<int>> groups_within(const LayoutSizes& sizes, const std::vector<SizedAxis>& axes,
                                            const std::vector<Axis>& within) {
  std::vector<std::vector<int>> groups;
  for (int rank = 0; rank < sizes.world; ++rank) {
    int rest = rank, group = 0, stride = 1;
    for (const auto& [axis, size] : axes) {
      if (std::find(within.begin(), within.end(), axis) == within.end()) {
        group += stride * (rest % size);
        stride *= size;
      }
      rest /= size;
    }
    if (static_cast<std::size_t>(group) >= groups.size()) groups.resize(group + 1);
    groups[group].push_back(rank);
  }
  return groups;
}

/// First and last stage of each pipeline, or the first alone.
std::vector<std::vector<int>> ends_of(std::vector<std::vector<int>> pipelines, bool last_too) {
  for (auto& ranks : pipelines) {
    std::vector<int> ends = {ranks.front()};
    if (last_too && ranks.size() > 1) ends.push_back(ranks.back());
    ranks = ends;
  }
  return pipelines;
}

struct Definition {
  std::string_view name;
  std::string_view text;
  bool expert_view;
  std::vector<Axis> within;
};

Definition definition_of(GroupKind kind) {
  using enum Axis;
  switch (kind) {
    case GroupKind::world: return {"world", "all ranks", false, {tensor, context, data, pipeline}};
    case GroupKind::tensor: return {"tp", "share the weights of a layer", false, {tensor}};
    case GroupKind::context: return {"cp", "share the tokens of a sequence", false, {context}};
    case GroupKind::data: return {"dp", "hold the same weights, read different samples", false, {data}};
    case GroupKind::pipeline: return {"pp", "share the layers", false, {pipeline}};
    case GroupKind::data_context:
      return {"dp-cp", "reduce gradients of dense layers together", false, {data, context}};
    case GroupKind::tensor_context: return {"tp-cp", "work on the same sequences", false, {tensor, context}};
    case GroupKind::tensor_data:
      return {"tp-dp", "one stage, one part of the sequence", false, {tensor, data}};
    case GroupKind::tensor_data_context:
      return {"tp-dp-cp", "one pipeline stage", false, {tensor, data, context}};
    case GroupKind::model: return {"tp-pp", "together hold the whole model once", false, {tensor, pipeline}};
    case GroupKind::embedding: return {"embd", "hold the tied embedding", false, {pipeline}};
    case GroupKind::position_embedding: return {"pos-embd", "hold the position embedding", false, {pipeline}};
    case GroupKind::expert: return {"ep", "share the experts of a layer", true, {expert}};
    case GroupKind::expert_tensor: return {"etp", "share the weights of an expert", true, {tensor}};
    case GroupKind::expert_tensor_expert:
      return {"etp-ep", "exchange tokens of a mixture-of-experts layer", true, {tensor, expert}};
    case GroupKind::expert_model:
      return {"etp-ep-pp", "together hold all experts once", true, {tensor, expert, pipeline}};
    case GroupKind::expert_data: return {"edp", "reduce gradients of experts together", true, {data}};
  }
  throw Error("unknown kind of group");
}

}  // namespace

std::string_view to_string(GroupKind kind) { return definition_of(kind).name; }

std::string_view describe(GroupKind kind) { return definition_of(kind).text; }

std::vector<std::vector<int>> groups_of(GroupKind kind, const LayoutSizes& sizes) {
  const Definition definition = definition_of(kind);
  auto groups = groups_within(sizes, axes_of(sizes, definition.expert_view), definition.within);
  if (kind == GroupKind::embedding) return ends_of(std::move(groups), true);
  if (kind == GroupKind::position_embedding) return ends_of(std::move(groups), false);
  return groups;
}

void check(const LayoutSizes& sizes) {
  const auto positive = [](const char* name, int size) {
    if (size < 1) throw_user_error("{} is {}: it must be at least 1", name, size);
  };
  positive("world_size", sizes.world);
  positive("tensor_model_parallel_size", sizes.tensor);
  positive("context_parallel_size", sizes.context);
  positive("pipeline_model_parallel_size", sizes.pipeline);
  positive("expert_model_parallel_size", sizes.expert);
  positive("expert_tensor_parallel_size", sizes.expert_tensor_or_tensor());
  const int dense = sizes.tensor * sizes.context * sizes.pipeline;
  if (sizes.world % dense != 0) {
    throw_user_error(
        "the number of ranks, {}, is not divisible by tensor_model_parallel_size {} x context_parallel_size "
        "{} x "
        "pipeline_model_parallel_size {} = {}",
        sizes.world, sizes.tensor, sizes.context, sizes.pipeline, dense);
  }
  const int experts = sizes.expert_tensor_or_tensor() * sizes.expert * sizes.pipeline;
  if (sizes.world % experts != 0) {
    throw_user_error(
        "the number of ranks, {}, is not divisible by expert_tensor_parallel_size {} x "
        "expert_model_parallel_size {} x pipeline_model_parallel_size {} = {}",
        sizes.world, sizes.expert_tensor_or_tensor(), sizes.expert, sizes.pipeline, experts);
  }
  const std::vector<Axis> pipeline = {Axis::pipeline};
  if (groups_within(sizes, axes_of(sizes, false), pipeline) !=
      groups_within(sizes, axes_of(sizes, true), pipeline)) {
    throw_user_error(
        "dense and expert layers would get different pipelines: with use_tp_pp_dp_mapping, tensor x context "
        "({}) must equal expert tensor x expert ({})",
        sizes.tensor * sizes.context, sizes.expert_tensor_or_tensor() * sizes.expert);
  }
}

}  // namespace primus::parallel
