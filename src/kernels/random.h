#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace primus::kernels {

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): four random words that
/// depend on nothing but key and counter, so any element of any stream can be computed on any rank alone.
std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter_low, std::uint64_t counter_high);

/// A named stream of random numbers: `seed` from the configuration, `name` e.g. a parameter's logical name.
struct RandomStream {
  std::uint64_t key;
  RandomStream(std::uint64_t seed, std::string_view name);
};

/// The standard normal number with index `index` of the stream (Box-Muller on 53-bit uniforms, in double).
double normal_at(const RandomStream& stream, std::uint64_t index);

/// out[i] = deviation · normal_at(stream, first + i), both numbers of each pair at once.
void fill_normal(const RandomStream& stream, std::uint64_t first, double deviation, std::span<float> out);

/// The uniform number in [0, 1) with index `index` of the stream.
double uniform_at(const RandomStream& stream, std::uint64_t index);

}  // namespace primus::kernels
