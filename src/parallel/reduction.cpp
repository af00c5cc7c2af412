#include "parallel/reduction.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <array>
#include <type_traits>

#include "core/error.h"

namespace primus::parallel {

namespace {

/// Elements summed at a time: small enough for the first-level cache, and a constant, so that the compiler
/// vectorizes the loops.
constexpr std::int64_t block = 2048;

template <typename T>
using Accumulator =
    std::conditional_t<std::is_same_v<T, at::BFloat16> || std::is_same_v<T, at::Half>, float, T>;

template <typename T>
struct Reducer {
  using Sum = Accumulator<T>;
  const T* parts;
  T* out;
  std::int64_t ranks;
  std::int64_t stride;
  Reduction reduction;

  void add_part(std::array<Sum, block>& sums, const T* part, std::int64_t count) const {
    if (count == block) {
      for (std::int64_t i = 0; i < block; ++i) sums[i] += static_cast<Sum>(part[i]);
    } else {
      for (std::int64_t i = 0; i < count; ++i) sums[i] += static_cast<Sum>(part[i]);
    }
  }

  void take_maximum(std::array<Sum, block>& sums, const T* part, std::int64_t count) const {
    for (std::int64_t i = 0; i < count; ++i) {
      const Sum value = static_cast<Sum>(part[i]);
      // Written so that a NaN of either side survives.
      if (!(value <= sums[i]) && sums[i] == sums[i]) sums[i] = value;
    }
  }

  void run_block(std::int64_t begin, std::int64_t count) const {
    std::array<Sum, block> sums;
    for (std::int64_t i = 0; i < count; ++i) sums[i] = static_cast<Sum>(parts[begin + i]);
    for (std::int64_t r = 1; r < ranks; ++r) {
      const T* part = parts + r * stride + begin;
      if (reduction == Reduction::maximum) {
        take_maximum(sums, part, count);
      } else {
        add_part(sums, part, count);
      }
    }
    if (reduction == Reduction::average) {
      for (std::int64_t i = 0; i < count; ++i) sums[i] /= static_cast<Sum>(ranks);
    }
    for (std::int64_t i = 0; i < count; ++i) out[begin + i] = static_cast<T>(sums[i]);
  }

  void run(std::int64_t count) const {
    for (std::int64_t begin = 0; begin < count; begin += block) {
      run_block(begin, std::min(block, count - begin));
    }
  }
};

template <typename T>
void reduce_as(const at::Tensor& out, const at::Tensor& parts, Reduction reduction) {
  Reducer<T>{.parts = parts.const_data_ptr<T>(),
             .out = out.mutable_data_ptr<T>(),
             .ranks = parts.size(0),
             .stride = out.numel(),
             .reduction = reduction}
      .run(out.numel());
}

}  // namespace

void reduce_with_operators(const at::Tensor& out, const at::Tensor& parts, Reduction reduction) {
  const bool narrow = out.scalar_type() == at::kBFloat16 || out.scalar_type() == at::kHalf;
  const auto part = [&](std::int64_t rank) { return narrow ? parts[rank].to(at::kFloat) : parts[rank]; };
  at::Tensor result = part(0).clone();
  for (std::int64_t rank = 1; rank < parts.size(0); ++rank) {
    if (reduction == Reduction::maximum) {
      result = at::maximum(result, part(rank));
    } else {
      result.add_(part(rank));
    }
  }
  if (reduction == Reduction::average) {
    at::isIntegralType(out.scalar_type(), false) ? result.div_(parts.size(0), "trunc")
                                                 : result.div_(parts.size(0));
  }
  out.copy_(result.view_as(out));
}

void reduce_in_rank_order(const at::Tensor& out, const at::Tensor& parts, Reduction reduction) {
  if (!out.is_cpu()) return reduce_with_operators(out, parts, reduction);
  switch (out.scalar_type()) {
    case at::kFloat: return reduce_as<float>(out, parts, reduction);
    case at::kDouble: return reduce_as<double>(out, parts, reduction);
    case at::kBFloat16: return reduce_as<at::BFloat16>(out, parts, reduction);
    case at::kHalf: return reduce_as<at::Half>(out, parts, reduction);
    case at::kInt: return reduce_as<std::int32_t>(out, parts, reduction);
    case at::kLong: return reduce_as<std::int64_t>(out, parts, reduction);
    default: throw Error(fmt::format("cannot reduce tensors of type {}", at::toString(out.scalar_type())));
  }
}

}  // namespace primus::parallel
