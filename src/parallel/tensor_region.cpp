#include "parallel/tensor_region.h"

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/error.h"
#include "parallel/group_capsule.h"

namespace primus::parallel {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

at::Tensor sum(const at::Tensor& x, const Group& group) {
  const at::Tensor result = x.clone(at::MemoryFormat::Contiguous);
  group.all_reduce(result);
  return result;
}

at::Tensor part(const at::Tensor& x, const Group& group, std::int64_t dim) {
  const std::int64_t length = x.size(dim) / group.size();
  return x.narrow(dim, group.rank() * length, length).contiguous();
}

at::Tensor same(const at::Tensor& x, const Group&) { return x.view_as(x); }
at::Tensor unchanged(const at::Tensor& x, const Group&) { return x; }
at::Tensor first_part(const at::Tensor& x, const Group& group) { return part(x, group, 0); }
at::Tensor last_part(const at::Tensor& x, const Group& group) { return part(x, group, -1); }
at::Tensor gather_first(const at::Tensor& x, const Group& group) { return group.all_gather(x, 0); }
at::Tensor gather_last(const at::Tensor& x, const Group& group) { return group.all_gather(x, x.dim() - 1); }
at::Tensor reduce_scatter(const at::Tensor& x, const Group& group) { return group.reduce_scatter(x, 0); }

using Move = at::Tensor (*)(const at::Tensor&, const Group&);

/// A move and that of its gradient.
template <Move forward_move, Move backward_move>
struct Region : torch::autograd::Function<Region<forward_move, backward_move>> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const Group& group) {
    ctx->saved_data["group"] = pack_group(group);
    return forward_move(x, group);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    return {backward_move(gradients[0], unpack_group(ctx->saved_data["group"])), {}};
  }
};

template <Move forward_move, Move backward_move>
at::Tensor move(const at::Tensor& x, const Group& group) {
  return group.size() == 1 ? x : Region<forward_move, backward_move>::apply(x, group);
}

void check_divides(const at::Tensor& x, const Group& group) {
  if (x.size(0) % group.size() == 0) return;
  throw_user_error("sequence_parallel: {} tokens cannot be divided evenly among {} tensor-parallel ranks",
                   x.size(0), group.size());
}

}  // namespace

at::Tensor copy_to_tensor_region(const at::Tensor& x, const Group& group) {
  return move<same, sum>(x, group);
}

at::Tensor reduce_from_tensor_region(const at::Tensor& x, const Group& group) {
  return move<sum, unchanged>(x, group);
}

at::Tensor gather_from_tensor_region(const at::Tensor& x, const Group& group) {
  return move<gather_last, last_part>(x, group);
}

at::Tensor scatter_to_sequence_region(const at::Tensor& x, const Group& group) {
  check_divides(x, group);
  return move<first_part, gather_first>(x, group);
}

at::Tensor gather_from_sequence_region(const at::Tensor& x, const Group& group) {
  return move<gather_first, reduce_scatter>(x, group);
}

at::Tensor reduce_scatter_to_sequence_region(const at::Tensor& x, const Group& group) {
  check_divides(x, group);
  return move<reduce_scatter, gather_first>(x, group);
}

}  // namespace primus::parallel
