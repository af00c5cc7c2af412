#pragma once

#include "parallel/mesh.h"
#include "parallel/parameter.h"

namespace primus::parallel {

/// The groups of ranks that have to do with a parameter: another set for the dense part of a model and for
/// its experts.
struct Placement {
  /// Hold the same part of the parameter for other samples or tokens. Gradients are reduced over them, and
  /// the distributed optimizer spreads its state over them.
  const Group& replicas;
  /// The tensor-parallel ranks: each holds a part of the parameter, or all hold copies.
  const Group& tensor;
  /// Together hold every part of every such parameter once, copies aside. Norms are summed over them.
  const Group& model;
};

/// The groups are the mesh's, which must outlive the result.
Placement placement_of(const ParameterSpec& spec, const Mesh& mesh);

/// Whether this rank's part of a parameter is the one that counts in norms and is saved: neither a copy that
/// another pipeline stage owns nor one that another rank of the tensor-parallel group holds too.
bool is_primary(const ParameterSpec& spec, const Mesh& mesh);

}  // namespace primus::parallel
