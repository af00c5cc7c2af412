#include "kernels/cpu/rope.h"

#include <ATen/ops/empty.h>

#include "kernels/cpu/isa/rope.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/types.h"

namespace primus::kernels::cpu {

bool covers_rotation(const at::Tensor& x) {
  return x.is_cpu() && is_pass_dtype(x.scalar_type()) && x.numel() > 0;
}

at::Tensor rotate(const at::Tensor& x, const RopeTable& table, bool packed, int direction, Isa isa) {
  const at::Tensor source = x.stride(-1) == 1 ? x : x.contiguous();
  const at::Tensor heads = source.dim() == 4 ? source.unsqueeze(2) : source;
  const at::Tensor cos = table.cos.contiguous();
  const at::Tensor sin = table.sin.contiguous();
  at::Tensor y = at::empty(x.sizes(), x.options());
  with_pass_types(x.scalar_type(), isa, [&]<class T, Isa level>() {
    Rotation<T> call;
    call.samples = heads.size(1);
    call.groups = heads.size(2);
    call.heads = heads.size(3);
    call.turning_heads = packed ? call.heads - 1 : call.heads;
    call.size = heads.size(4);
    call.pairs = cos.size(-1);
    call.interleaved = table.interleaved;
    call.direction = static_cast<float>(direction);
    call.cos = cos.const_data_ptr<float>();
    call.sin = sin.const_data_ptr<float>();
    call.per_sample = cos.size(1) > 1;
    call.x = heads.const_data_ptr<T>();
    call.token_stride = heads.stride(0);
    call.sample_stride = heads.stride(1);
    call.group_stride = heads.stride(2);
    call.head_stride = heads.stride(3);
    call.y = y.mutable_data_ptr<T>();
    const std::int64_t row_size = y.numel() / y.size(0);
    at::parallel_for(0, y.size(0), row_grain(row_size),
                     [&](std::int64_t first, std::int64_t last) { rotate_tokens<level>(call, first, last); });
  });
  return y;
}

}  // namespace primus::kernels::cpu
