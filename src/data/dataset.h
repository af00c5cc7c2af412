#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

namespace primus::data {

/// Token sequences on which datasets are built; usually one per document. Const members are thread-safe.
class SequenceSource {
 public:
  virtual ~SequenceSource() = default;

  virtual std::int64_t sequence_count() const = 0;
  /// The number of tokens of a sequence.
  virtual std::int32_t length(std::int64_t sequence) const = 0;
  /// Copies the tokens from `offset` on into all of `tokens`.
  virtual void read(std::int64_t sequence, std::int64_t offset, std::span<std::int64_t> tokens) const = 0;
  /// Where the sequences come from, for messages.
  virtual std::string description() const = 0;
  /// Tells tokens apart that lie under the same name, cheaply however many there are: a checksum of the
  /// lengths and of a fixed number of blocks of tokens.
  virtual std::string fingerprint() const = 0;
};

/// Samples of a fixed number of tokens. Const members are thread-safe.
class Dataset {
 public:
  /// What stands where the data ended before the sample did.
  static constexpr std::int64_t padding = -1;

  virtual ~Dataset() = default;

  virtual std::int64_t size() const = 0;
  virtual std::int64_t sequence_length() const = 0;
  /// Fills `tokens`, of sequence_length() + 1, with sample `index`: inputs, and one more for the last label.
  virtual void read(std::int64_t index, std::span<std::int64_t> tokens) const = 0;
  virtual std::string description() const = 0;
  /// What decides which samples come in which order, and nothing else: a dataset that is only longer has the
  /// same. Checkpoints keep it, so that a run learns when its data has changed. "source", wherever it stands,
  /// is where the tokens lie.
  virtual nlohmann::json identity() const = 0;
};

/// What samples are for.
enum class Split { train, valid, test };

std::string_view to_string(Split split);

}  // namespace primus::data
