#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace primus {

/// XXH3-128 of the bytes, as 32 lower-case hex digits. Guards against damage, not against an attacker.
std::string checksum(std::span<const std::byte> bytes);
std::string checksum(std::string_view text);

/// XXH3-64 of a text: the stable hash with which names key random streams and caches.
std::uint64_t stable_hash(std::string_view text);

/// `checksum` of a stream of pieces.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;

  void update(std::span<const std::byte> bytes);
  std::string digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace primus
