#pragma once

#include <ATen/core/ivalue.h>

#include "parallel/group.h"

namespace primus::parallel {

/// A group as an autograd function's context stores it (`ctx->saved_data`).
struct GroupCapsule : torch::CustomClassHolder {
  explicit GroupCapsule(const Group& of) : group(of) {}
  Group group;
};

inline c10::IValue pack_group(const Group& group) {
  return c10::IValue::make_capsule(c10::make_intrusive<GroupCapsule>(group));
}

inline Group unpack_group(const c10::IValue& packed) {
  return c10::static_intrusive_pointer_cast<GroupCapsule>(packed.toCapsule())->group;
}

}  // namespace primus::parallel
