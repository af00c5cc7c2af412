#include "kernels/random.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <numbers>
#include <string>

#include "core/hash.h"

namespace primus::kernels {

std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter_low,
                                    std::uint64_t counter_high) {
  constexpr std::uint64_t multiplier_0 = 0xD2511F53;
  constexpr std::uint64_t multiplier_1 = 0xCD9E8D57;
  constexpr std::uint32_t weyl_0 = 0x9E3779B9;
  constexpr std::uint32_t weyl_1 = 0xBB67AE85;
  std::array<std::uint32_t, 4> x = {
      static_cast<std::uint32_t>(counter_low), static_cast<std::uint32_t>(counter_low >> 32),
      static_cast<std::uint32_t>(counter_high), static_cast<std::uint32_t>(counter_high >> 32)};
  auto key_0 = static_cast<std::uint32_t>(key);
  auto key_1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product_0 = multiplier_0 * x[0];
    const std::uint64_t product_1 = multiplier_1 * x[2];
    x = {static_cast<std::uint32_t>(product_1 >> 32) ^ x[1] ^ key_0, static_cast<std::uint32_t>(product_1),
         static_cast<std::uint32_t>(product_0 >> 32) ^ x[3] ^ key_1, static_cast<std::uint32_t>(product_0)};
    key_0 += weyl_0;
    key_1 += weyl_1;
  }
  return x;
}

RandomStream::RandomStream(std::uint64_t seed, std::string_view name)
    : key(stable_hash(std::to_string(seed) + "/" + std::string(name))) {}

namespace {

/// 53 random bits as a double in [0, 1).
double to_unit(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = (static_cast<std::uint64_t>(high) << 32 | low) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

/// The normal numbers with indices 2·pair and 2·pair + 1 (Box and Muller, 1958).
std::array<double, 2> normal_pair(const RandomStream& stream, std::uint64_t pair) {
  const auto words = philox(stream.key, pair, 0);
  const double radius = std::sqrt(-2.0 * std::log(1.0 - to_unit(words[0], words[1])));
  const double angle = 2.0 * std::numbers::pi * to_unit(words[2], words[3]);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace

double uniform_at(const RandomStream& stream, std::uint64_t index) {
  const auto words = philox(stream.key, index / 2, 1);
  return index % 2 == 0 ? to_unit(words[0], words[1]) : to_unit(words[2], words[3]);
}

double normal_at(const RandomStream& stream, std::uint64_t index) {
  return normal_pair(stream, index / 2)[index % 2];
}

void fill_normal(const RandomStream& stream, std::uint64_t first, double deviation, std::span<float> out) {
  constexpr std::int64_t grain = 4096;
  at::parallel_for(0, static_cast<std::int64_t>(out.size()), grain,
                   [&](std::int64_t begin, std::int64_t end) {
                     std::array<double, 2> pair{};
                     for (std::int64_t i = begin; i < end; ++i) {
                       const std::uint64_t index = first + static_cast<std::uint64_t>(i);
                       if (i == begin || index % 2 == 0) pair = normal_pair(stream, index / 2);
                       out[static_cast<std::size_t>(i)] = static_cast<float>(deviation * pair[index % 2]);
                     }
                   });
}

}  // namespace primus::kernels
