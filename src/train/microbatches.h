#pragma once

#include <cstdint>
#include <optional>

namespace primus::train {

/// Megatron's `rampup_batch_size: [start, increment, samples]`.
struct BatchRampUp {
  std::int64_t start = 0;
  std::int64_t increment = 0;
  std::int64_t samples = 0;
};

struct BatchSettings {
  std::int64_t micro_batch_size = 1;
  /// Null: one micro-batch per data-parallel rank.
  std::optional<std::int64_t> global_batch_size;
  std::optional<BatchRampUp> ramp_up;
  /// Rounds the global batch down to what the data-parallel ranks can share instead of refusing it.
  bool decrease_if_needed = false;
};

/// How many samples, and micro-batches per data-parallel rank, one iteration takes (Megatron's micro-batch
/// calculator). Sizes depend on the samples consumed so far only while the batch ramps up.
class MicrobatchCalculator {
 public:
  /// Throws UserError naming the arguments when the sizes do not fit each other.
  MicrobatchCalculator(const BatchSettings& settings, std::int64_t data_parallel_size);

  std::int64_t global_batch_size(std::int64_t consumed_samples) const;
  std::int64_t num_microbatches(std::int64_t consumed_samples) const {
    return global_batch_size(consumed_samples) / samples_per_microbatch_;
  }
  /// After the ramp-up; evaluations take batches of this size from the start.
  std::int64_t final_global_batch_size() const { return final_size_; }
  std::int64_t final_num_microbatches() const { return final_size_ / samples_per_microbatch_; }
  std::int64_t micro_batch_size() const { return micro_batch_size_; }

  /// Iterations that a run of `train_samples` takes: the ramp-up's, then whole batches.
  std::int64_t iterations_for(std::int64_t train_samples) const;

 private:
  std::int64_t running_size(std::int64_t wanted) const;

  std::int64_t micro_batch_size_;
  std::int64_t samples_per_microbatch_;
  std::int64_t final_size_;
  std::optional<BatchRampUp> ramp_up_;
  bool decrease_if_needed_;
};

}  // namespace primus::train
