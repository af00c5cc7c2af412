#include "kernels/random.h"

#include <ATen/Parallel.h>

#include <bit>
#include <cmath>
#include <numbers>
#include <string>

#include "core/hash.h"
#include "core/vector_clones.h"

namespace primus::kernels {

namespace {

constexpr std::uint64_t philox_multiplier_0 = 0xD2511F53;
constexpr std::uint64_t philox_multiplier_1 = 0xCD9E8D57;
constexpr std::uint32_t philox_weyl_0 = 0x9E3779B9;
constexpr std::uint32_t philox_weyl_1 = 0xBB67AE85;
constexpr int philox_rounds = 10;

}  // namespace

std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter_low,
                                    std::uint64_t counter_high) {
  std::array<std::uint32_t, 4> x = {
      static_cast<std::uint32_t>(counter_low), static_cast<std::uint32_t>(counter_low >> 32),
      static_cast<std::uint32_t>(counter_high), static_cast<std::uint32_t>(counter_high >> 32)};
  auto key_0 = static_cast<std::uint32_t>(key);
  auto key_1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < philox_rounds; ++round) {
    const std::uint64_t product_0 = philox_multiplier_0 * x[0];
    const std::uint64_t product_1 = philox_multiplier_1 * x[2];
    x = {static_cast<std::uint32_t>(product_1 >> 32) ^ x[1] ^ key_0, static_cast<std::uint32_t>(product_1),
         static_cast<std::uint32_t>(product_0 >> 32) ^ x[3] ^ key_1, static_cast<std::uint32_t>(product_0)};
    key_0 += philox_weyl_0;
    key_1 += philox_weyl_1;
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

// The normal numbers of a whole model are drawn at every start, so they are made many at a time: loops of a
// fixed length without branches and calls, which the compiler turns into vector code.
constexpr int block_pairs = 32;

struct NormalBlock {
  double even[block_pairs];
  double odd[block_pairs];
};

/// A whole number below 2^52.
inline double to_double(std::uint64_t bits) {
  constexpr std::uint64_t exponent = 0x4330'0000'0000'0000;  // 2^52, in which the last bit counts 1
  return std::bit_cast<double>(bits | exponent) - 0x1.0p52;
}

/// ln x for x in (0, 1], by the series of ln((1 + s) / (1 - s)).
inline double log_of(double x) {
  constexpr std::uint64_t mantissa = 0x000F'FFFF'FFFF'FFFF, half = 0x3FE0'0000'0000'0000;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  double m = std::bit_cast<double>((bits & mantissa) | half);  // in [1/2, 1)
  double exponent = to_double(bits >> 52U) - 1022.0;
  const bool small = m < std::numbers::sqrt2 / 2;
  m = small ? m + m : m;
  exponent = small ? exponent - 1.0 : exponent;
  const double s = (m - 1.0) / (m + 1.0), square = s * s;
  double series = 1.0 / 21.0;
#pragma GCC unroll 16
  for (int k = 19; k > 0; k -= 2) series = series * square + 1.0 / k;
  return exponent * std::numbers::ln2 + 2.0 * s * series;
}

/// Sine and cosine of 2π·t for t in [0, 1): their Taylor series, within an eighth of a turn around a quarter.
inline void sine_and_cosine_of_turn(double t, double& sine, double& cosine) {
  constexpr double round = 0x1.8p52;  // added and taken away: rounds to a whole number
  const double quarter = (4.0 * t + round) - round;
  const double angle = (t - 0.25 * quarter) * (2.0 * std::numbers::pi), square = angle * angle;
  double s = 1.0, c = 1.0;
#pragma GCC unroll 16
  for (int n = 16; n > 0; n -= 2) {
    s = 1.0 - s * square * (1.0 / (n * (n + 1)));
    c = 1.0 - c * square * (1.0 / (n * (n - 1)));
  }
  s *= angle;
  const bool turned = quarter == 1.0 || quarter == 3.0;
  const double sine_size = turned ? c : s, cosine_size = turned ? s : c;
  sine = quarter == 2.0 || quarter == 3.0 ? -sine_size : sine_size;
  cosine = quarter == 1.0 || quarter == 2.0 ? -cosine_size : cosine_size;
}

/// philox() of `block_pairs` counters on; the words in 64 bits each.
inline void philox_block(std::uint64_t key, std::uint64_t first, std::uint64_t (&words)[4][block_pairs]) {
  constexpr std::uint64_t low = 0xFFFF'FFFF;
  for (int i = 0; i < block_pairs; ++i) {
    const std::uint64_t counter = first + static_cast<std::uint64_t>(i);
    std::uint64_t x0 = counter & low, x1 = counter >> 32U, x2 = 0, x3 = 0;
    std::uint64_t key_0 = key & low, key_1 = key >> 32U;
#pragma GCC unroll 16
    for (int round = 0; round < philox_rounds; ++round) {
      const std::uint64_t product_0 = philox_multiplier_0 * x0, product_1 = philox_multiplier_1 * x2;
      x0 = (product_1 >> 32U) ^ x1 ^ key_0;
      x1 = product_1 & low;
      x2 = (product_0 >> 32U) ^ x3 ^ key_1;
      x3 = product_0 & low;
      key_0 = (key_0 + philox_weyl_0) & low;
      key_1 = (key_1 + philox_weyl_1) & low;
    }
    words[0][i] = x0;
    words[1][i] = x1;
    words[2][i] = x2;
    words[3][i] = x3;
  }
}

/// The normal numbers with indices 2·first_pair ... (Box and Muller, 1958).
PRIMUS_VECTOR_CLONES
void normal_block(std::uint64_t key, std::uint64_t first_pair, NormalBlock& out) {
  std::uint64_t words[4][block_pairs];
  philox_block(key, first_pair, words);
  // to_unit, for words in 64 bits each.
  const auto unit = [](std::uint64_t high, std::uint64_t rest) {
    return to_double(high) * 0x1.0p-32 + to_double(rest >> 11U) * 0x1.0p-53;
  };
  for (int i = 0; i < block_pairs; ++i) {
    const double radius = std::sqrt(-2.0 * log_of(1.0 - unit(words[0][i], words[1][i])));
    double sine = 0, cosine = 0;
    sine_and_cosine_of_turn(unit(words[2][i], words[3][i]), sine, cosine);
    out.even[i] = radius * cosine;
    out.odd[i] = radius * sine;
  }
}

}  // namespace

double uniform_at(const RandomStream& stream, std::uint64_t index) {
  const auto words = philox(stream.key, index / 2, 1);
  return index % 2 == 0 ? to_unit(words[0], words[1]) : to_unit(words[2], words[3]);
}

double normal_at(const RandomStream& stream, std::uint64_t index) {
  NormalBlock block;
  normal_block(stream.key, index / 2, block);
  return index % 2 == 0 ? block.even[0] : block.odd[0];
}

void fill_normal(const RandomStream& stream, std::uint64_t first, double deviation, std::span<float> out) {
  constexpr std::uint64_t block_size = 2 * block_pairs;
  // Blocks are counted from index 0, so that every index is always in the same place of its block.
  const std::uint64_t end = first + out.size();
  const auto first_block = static_cast<std::int64_t>(first / block_size);
  const auto last_block = static_cast<std::int64_t>((end + block_size - 1) / block_size);
  constexpr std::int64_t grain = 256;
  at::parallel_for(first_block, last_block, grain, [&](std::int64_t from, std::int64_t to) {
    NormalBlock block;
    for (std::int64_t b = from; b < to; ++b) {
      const std::uint64_t start = static_cast<std::uint64_t>(b) * block_size;
      normal_block(stream.key, start / 2, block);
      const std::uint64_t begin = std::max(first, start), limit = std::min(end, start + block_size);
      for (std::uint64_t index = begin; index < limit; ++index) {
        const std::uint64_t i = index - start;
        const double value = i % 2 == 0 ? block.even[i / 2] : block.odd[i / 2];
        out[index - first] = static_cast<float>(deviation * value);
      }
    }
  });
}

}  // namespace primus::kernels
