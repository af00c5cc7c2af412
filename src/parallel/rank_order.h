#pragma once

#include <array>
#include <string_view>
#include <vector>

namespace primus::parallel {

/// How the ranks are divided, in Megatron's terms. Dense layers see the axes tensor, context, data and
/// pipeline; expert layers see expert tensor, expert, expert data and pipeline over the same ranks.
struct LayoutSizes {
  int world = 1;
  int tensor = 1;
  int context = 1;
  int pipeline = 1;
  int expert = 1;
  /// 0: as `tensor`.
  int expert_tensor = 0;
  /// Ranks are numbered tensor-context-expert-pipeline-data instead of tensor-context-expert-data-pipeline,
  /// fastest first (`use_tp_pp_dp_mapping`).
  bool pipeline_before_data = false;
  /// Between the tensor-parallel linears each rank of a tensor group holds its part of the tokens.
  bool sequence_parallel = false;

  int data() const { return world / (tensor * context * pipeline); }
  int expert_tensor_or_tensor() const { return expert_tensor == 0 ? tensor : expert_tensor; }
  int expert_data() const { return world / (expert_tensor_or_tensor() * expert * pipeline); }
};

/// Throws UserError unless the sizes are positive, divide the world, and give dense and expert layers the
/// same pipeline groups.
void check(const LayoutSizes& sizes);

/// The groups that exist; to_string gives Megatron's abbreviations ("tp", "dp-cp", ...).
enum class GroupKind {
  world,
  tensor,
  context,
  data,
  pipeline,
  data_context,
  tensor_context,
  tensor_data,
  tensor_data_context,
  model,
  embedding,
  position_embedding,
  expert,
  expert_tensor,
  expert_tensor_expert,
  expert_model,
  expert_data,
};

inline constexpr std::array all_group_kinds = {
    GroupKind::world,          GroupKind::tensor,        GroupKind::context,
    GroupKind::data,           GroupKind::pipeline,      GroupKind::data_context,
    GroupKind::tensor_context, GroupKind::tensor_data,   GroupKind::tensor_data_context,
    GroupKind::model,          GroupKind::embedding,     GroupKind::position_embedding,
    GroupKind::expert,         GroupKind::expert_tensor, GroupKind::expert_tensor_expert,
    GroupKind::expert_model,   GroupKind::expert_data};

std::string_view to_string(GroupKind kind);

/// One line on what the members of such a group have in common.
std::string_view describe(GroupKind kind);

/// All groups of a kind, each with its ranks in ascending order; every rank is in exactly one of them, but
/// for the embedding kinds, which hold the first (and last) pipeline stage only.
std::vector<std::vector<int>> groups_of(GroupKind kind, const LayoutSizes& sizes);

}  // namespace primus::parallel
