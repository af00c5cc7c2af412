#include "data/mock_source.h"

#include <fmt/format.h>

#include "core/hash.h"
#include "data/random.h"

namespace primus::data {

namespace {
constexpr std::size_t document_count = 100000;
constexpr std::int32_t length_end = 4096;
}  // namespace

MockSource::MockSource(std::int64_t vocab_size, std::int64_t eod)
    : vocab_size_(vocab_size), eod_(eod), lengths_(numpy_integers(0, 1, length_end, document_count)) {}

void MockSource::read(std::int64_t sequence, std::int64_t offset, std::span<std::int64_t> tokens) const {
  const std::int64_t last = length(sequence) - 1;
  for (std::int64_t& token : tokens) {
    token = offset == last ? eod_ : (offset + 1) % vocab_size_;
    ++offset;
  }
}

std::string MockSource::fingerprint() const { return checksum(fmt::format("{} {}", vocab_size_, eod_)); }

}  // namespace primus::data
