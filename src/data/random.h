#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace primus::data {

/// `numpy.random.RandomState(seed)`, as far as dataset indices need it. The state that an integer seed gives
/// is that of `std::mt19937`.
class NumpyRandomState {
 public:
  explicit NumpyRandomState(std::uint32_t seed) : engine_(seed) {}

  /// `RandomState.shuffle` of a one-dimensional array: the same order as numpy gives.
  template <typename T>
  void shuffle(std::span<T> values) {
    for (std::size_t i = values.size(); i-- > 1;) std::swap(values[i], values[interval(i)]);
  }

 private:
  /// A number from 0 to `largest`, by drawing below the next power of two until one fits.
  std::uint64_t interval(std::uint64_t largest);

  std::mt19937 engine_;
};

/// `torch.randperm(n, generator=torch.Generator().manual_seed(seed))` on the CPU.
std::vector<std::int64_t> torch_randperm(std::int64_t n, std::uint64_t seed);

/// `numpy.random.default_rng(seed).integers(low, high, count, dtype=numpy.int32)`: PCG64 (O'Neill 2014)
/// seeded through numpy's SeedSequence, bounded by Lemire's method ("Fast random integer generation in an
/// interval", 2019). `high` is excluded.
std::vector<std::int32_t> numpy_integers(std::uint32_t seed, std::int32_t low, std::int32_t high,
                                         std::size_t count);

}  // namespace primus::data
