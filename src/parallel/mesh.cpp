#include "parallel/mesh.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace primus::parallel {

Mesh::Mesh(std::shared_ptr<Communicator> communicator, const LayoutSizes& sizes)
    : sizes_(sizes), communicator_(std::move(communicator)) {
  check(sizes_);
  const launch::World& world = communicator_->world();
  if (sizes_.world != world.size) {
    throw Error(fmt::format("a layout of {} ranks in a world of {}", sizes_.world, world.size));
  }
  for (const GroupKind kind : all_group_kinds) {
    for (const auto& ranks : groups_of(kind, sizes_)) {
      if (std::find(ranks.begin(), ranks.end(), world.rank) == ranks.end()) continue;
      groups_[static_cast<std::size_t>(kind)] = communicator_->group(std::string(to_string(kind)), ranks);
    }
  }
}

}  // namespace primus::parallel
