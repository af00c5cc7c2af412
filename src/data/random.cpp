#include "data/random.h"

#include <array>
#include <bit>
#include <limits>
#include <numeric>

namespace primus::data {

std::uint64_t NumpyRandomState::interval(std::uint64_t largest) {
  const std::uint64_t mask = std::bit_ceil(largest + 1) - 1;
  const bool wide = largest > std::numeric_limits<std::uint32_t>::max();
  for (;;) {
    std::uint64_t value = engine_();
    if (wide) value = value << 32 | engine_();
    value &= mask;
    if (value <= largest) return value;
  }
}

std::vector<std::int64_t> torch_randperm(std::int64_t n, std::uint64_t seed) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), 0);
  std::mt19937 engine(static_cast<std::uint32_t>(seed));
  const auto size = static_cast<std::uint64_t>(n);
  // Torch draws 64 bits where 32 would leave too much bias.
  const bool wide = size >= std::numeric_limits<std::uint32_t>::max() / 20;
  for (std::uint64_t i = 0; i + 1 < size; ++i) {
    std::uint64_t value = engine();
    if (wide) value = value << 32 | engine();
    std::swap(values[i], values[i + value % (size - i)]);
  }
  return values;
}

namespace {

/// numpy's SeedSequence (after O'Neill's seed_seq_fe128) for one 32-bit seed: four 64-bit words.
std::array<std::uint64_t, 4> seed_sequence(std::uint32_t seed) {
  std::uint32_t hash_constant = 0x43b0d7e5;
  const auto hash = [&](std::uint32_t value) {
    value ^= hash_constant;
    hash_constant *= 0x931e8875;
    value *= hash_constant;
    return value ^ value >> 16;
  };
  const auto mix = [](std::uint32_t x, std::uint32_t y) {
    const std::uint32_t result = 0xca01f9dd * x - 0x4973f715 * y;
    return result ^ result >> 16;
  };
  std::array<std::uint32_t, 4> pool;
  for (std::size_t i = 0; i < pool.size(); ++i) pool[i] = hash(i == 0 ? seed : 0);
  for (std::size_t from = 0; from < pool.size(); ++from) {
    for (std::size_t to = 0; to < pool.size(); ++to) {
      if (from != to) pool[to] = mix(pool[to], hash(pool[from]));
    }
  }
  std::uint32_t out_constant = 0x8b51f9dd;
  std::array<std::uint32_t, 8> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::uint32_t value = pool[i % pool.size()] ^ out_constant;
    out_constant *= 0x58f38ded;
    value *= out_constant;
    words[i] = value ^ value >> 16;
  }
  std::array<std::uint64_t, 4> result;
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = static_cast<std::uint64_t>(words[2 * i + 1]) << 32 | words[2 * i];
  return result;
}

/// PCG64 (XSL-RR 128/64) giving 32-bit halves, the low one first.
class Pcg64 {
 public:
  explicit Pcg64(std::uint32_t seed) {
    const auto words = seed_sequence(seed);
    increment_ = (wide(words[2], words[3]) << 1) | 1;
    step();
    state_ += wide(words[0], words[1]);
    step();
  }

  std::uint32_t next32() {
    if (has_half_) {
      has_half_ = false;
      return half_;
    }
    const std::uint64_t value = next64();
    half_ = static_cast<std::uint32_t>(value >> 32);
    has_half_ = true;
    return static_cast<std::uint32_t>(value);
  }

 private:
  __extension__ using Wide = unsigned __int128;
  static Wide wide(std::uint64_t high, std::uint64_t low) { return static_cast<Wide>(high) << 64 | low; }

  void step() { state_ = state_ * wide(2549297995355413924ull, 4865540595714422341ull) + increment_; }

  std::uint64_t next64() {
    step();
    const auto high = static_cast<std::uint64_t>(state_ >> 64);
    return std::rotr(high ^ static_cast<std::uint64_t>(state_), static_cast<int>(high >> 58));
  }

  Wide state_ = 0;
  Wide increment_ = 0;
  std::uint32_t half_ = 0;
  bool has_half_ = false;
};

}  // namespace

std::vector<std::int32_t> numpy_integers(std::uint32_t seed, std::int32_t low, std::int32_t high,
                                         std::size_t count) {
  Pcg64 generator(seed);
  const auto range = static_cast<std::uint32_t>(high - low);
  const std::uint32_t threshold = (0u - range) % range;
  std::vector<std::int32_t> values(count);
  for (std::int32_t& value : values) {
    std::uint64_t product;
    do {
      product = static_cast<std::uint64_t>(generator.next32()) * range;
    } while (static_cast<std::uint32_t>(product) < threshold);
    value = low + static_cast<std::int32_t>(product >> 32);
  }
  return values;
}

}  // namespace primus::data
