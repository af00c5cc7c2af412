#include "kernels/cpu/embedding.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <cstring>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/types.h"

namespace primus::kernels::cpu {

namespace {

template <class T>
void add_columns(float* __restrict to, const T* __restrict from, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] += static_cast<float>(from[i]);
}

template <class T>
void add_typed_rows(const at::Tensor& main_grad, const at::Tensor& ids, const at::Tensor& dy,
                    std::int64_t first_row) {
  const std::int64_t rows = main_grad.size(0), width = main_grad.size(1), tokens = ids.numel();
  float* gradient = main_grad.mutable_data_ptr<float>();
  const T* upstream = dy.const_data_ptr<T>();
  const auto* id = ids.const_data_ptr<std::int64_t>();
  const auto add_part = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t token = 0; token < tokens; ++token) {
      const std::int64_t row = id[token] - first_row;
      if (row < 0 || row >= rows) continue;
      add_columns(gradient + row * width + first, upstream + token * width + first, last - first);
    }
  };
  // A cache line at least, or the threads would write to the same one.
  constexpr std::int64_t line = 16;
  at::parallel_for(0, width, std::max(line, row_grain(tokens)), add_part);
}

}  // namespace

bool covers_embedding(const at::Tensor& weight) {
  return weight.is_cpu() && is_pass_dtype(weight.scalar_type()) && weight.is_contiguous();
}

at::Tensor gather_rows(const at::Tensor& weight, const at::Tensor& ids, std::int64_t first_row) {
  std::vector<std::int64_t> shape = ids.sizes().vec();
  shape.push_back(weight.size(1));
  at::Tensor result = at::empty(shape, weight.options().requires_grad(false));
  const at::Tensor flat = ids.contiguous();
  const auto* id = flat.const_data_ptr<std::int64_t>();
  const std::size_t row_bytes = static_cast<std::size_t>(weight.size(1)) * weight.element_size();
  const auto* from = static_cast<const char*>(weight.const_data_ptr());
  auto* to = static_cast<char*>(result.mutable_data_ptr());
  at::parallel_for(0, flat.numel(), row_grain(weight.size(1)), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t token = first; token < last; ++token) {
      const std::int64_t row = id[token] - first_row;
      char* target = to + static_cast<std::size_t>(token) * row_bytes;
      if (row < 0 || row >= weight.size(0)) {
        std::memset(target, 0, row_bytes);
      } else {
        std::memcpy(target, from + static_cast<std::size_t>(row) * row_bytes, row_bytes);
      }
    }
  });
  return result;
}

void add_rows(const at::Tensor& main_grad, const at::Tensor& ids, const at::Tensor& dy,
              std::int64_t first_row) {
  const at::Tensor flat = ids.contiguous();
  const at::Tensor rows = dy.contiguous();
  if (rows.scalar_type() == at::kBFloat16) {
    add_typed_rows<c10::BFloat16>(main_grad, flat, rows, first_row);
  } else {
    add_typed_rows<float>(main_grad, flat, rows, first_row);
  }
}

}  // namespace primus::kernels::cpu
