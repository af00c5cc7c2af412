#pragma once

#include <array>
#include <memory>

#include "parallel/communicator.h"
#include "parallel/group.h"
#include "parallel/rank_order.h"

namespace primus::parallel {

/// The groups of ranks along each axis of parallelism, in Megatron's terms. A value that is passed to whoever
/// communicates: there is no global parallel state. Groups connect when they are first used.
class Mesh {
 public:
  /// The mesh of a process that runs alone: every group has one member.
  Mesh() = default;
  /// Throws UserError when the sizes do not fit the world (see `check`).
  Mesh(std::shared_ptr<Communicator> communicator, const LayoutSizes& sizes);

  /// This rank's group of a kind. Of the embedding kinds, ranks in the middle of a pipeline get a group of
  /// themselves alone.
  const Group& group(GroupKind kind) const { return groups_[static_cast<std::size_t>(kind)]; }

  const Group& world() const { return group(GroupKind::world); }
  const Group& tensor() const { return group(GroupKind::tensor); }
  const Group& context() const { return group(GroupKind::context); }
  /// Its rank selects the samples that are read.
  const Group& data() const { return group(GroupKind::data); }
  const Group& pipeline() const { return group(GroupKind::pipeline); }
  /// Gradients of dense parameters are reduced over it.
  const Group& data_context() const { return group(GroupKind::data_context); }
  /// Norms over all parameters of a model replica are summed over it.
  const Group& model() const { return group(GroupKind::model); }
  const Group& embedding() const { return group(GroupKind::embedding); }
  const Group& expert() const { return group(GroupKind::expert); }
  const Group& expert_tensor() const { return group(GroupKind::expert_tensor); }
  /// Gradients of expert parameters are reduced over it.
  const Group& expert_data() const { return group(GroupKind::expert_data); }

  bool is_first_stage() const { return pipeline().rank() == 0; }
  bool is_last_stage() const { return pipeline().rank() == pipeline().size() - 1; }

  /// Never on a tensor group of one rank.
  bool sequence_parallel() const { return sizes_.sequence_parallel && tensor().size() > 1; }

  const LayoutSizes& sizes() const { return sizes_; }
  /// Null for the process alone.
  const std::shared_ptr<Communicator>& communicator() const { return communicator_; }

 private:
  LayoutSizes sizes_;
  std::shared_ptr<Communicator> communicator_;
  std::array<Group, all_group_kinds.size()> groups_;
};

}  // namespace primus::parallel
