#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"

namespace primus::data {

/// Megatron's mock data: 100,000 documents of 1 to 4,095 tokens, each counting up from 1 and closed by the
/// end-of-document token. Nothing is stored but the lengths.
class MockSource : public SequenceSource {
 public:
  MockSource(std::int64_t vocab_size, std::int64_t eod);

  std::int64_t sequence_count() const override { return static_cast<std::int64_t>(lengths_.size()); }
  std::int32_t length(std::int64_t sequence) const override {
    return lengths_[static_cast<std::size_t>(sequence)];
  }
  void read(std::int64_t sequence, std::int64_t offset, std::span<std::int64_t> tokens) const override;
  std::string description() const override { return "mock data"; }
  std::string fingerprint() const override;

 private:
  std::int64_t vocab_size_;
  std::int64_t eod_;
  std::vector<std::int32_t> lengths_;
};

}  // namespace primus::data
