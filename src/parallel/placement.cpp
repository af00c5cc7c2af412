#include "parallel/placement.h"

#include <algorithm>

namespace primus::parallel {

Placement placement_of(const ParameterSpec& spec, const Mesh& mesh) {
  if (spec.expert) return {mesh.expert_data(), mesh.expert_tensor(), mesh.group(GroupKind::expert_model)};
  return {mesh.data_context(), mesh.tensor(), mesh.model()};
}

bool is_primary(const ParameterSpec& spec, const Mesh& mesh) {
  const bool is_cut = std::any_of(spec.shards.begin(), spec.shards.end(), [](const Shard& shard) {
    return shard.axis == Shard::Axis::tensor && shard.size > 1;
  });
  return !spec.shared_copy && (is_cut || placement_of(spec, mesh).tensor.rank() == 0);
}

}  // namespace primus::parallel
