#include "train/microbatches.h"

#include <algorithm>

#include "core/error.h"

namespace primus::train {

MicrobatchCalculator::MicrobatchCalculator(const BatchSettings& settings, std::int64_t data_parallel_size)
    : micro_batch_size_(settings.micro_batch_size),
      samples_per_microbatch_(settings.micro_batch_size * data_parallel_size),
      ramp_up_(settings.ramp_up),
      decrease_if_needed_(settings.decrease_if_needed) {
  if (micro_batch_size_ < 1)
    throw_user_error("micro_batch_size is {}: it must be at least 1", micro_batch_size_);
  final_size_ = settings.global_batch_size.value_or(samples_per_microbatch_);
  if (final_size_ < 1) throw_user_error("global_batch_size is {}: it must be at least 1", final_size_);
  final_size_ = running_size(final_size_);
  if (!ramp_up_) return;
  const std::int64_t growth = final_size_ - ramp_up_->start;
  if (ramp_up_->start < 1 || ramp_up_->increment < 1 || ramp_up_->samples < 0 || growth < 0 ||
      growth % ramp_up_->increment != 0) {
    throw_user_error(
        "rampup_batch_size [{}, {}, {}] does not reach global_batch_size {}: it must start at 1 or more, "
        "not above "
        "it, and reach it in a whole number of increments",
        ramp_up_->start, ramp_up_->increment, ramp_up_->samples, final_size_);
  }
  for (std::int64_t size = ramp_up_->start; size < final_size_; size += ramp_up_->increment)
    running_size(size);
}

std::int64_t MicrobatchCalculator::running_size(std::int64_t wanted) const {
  const std::int64_t whole = wanted / samples_per_microbatch_ * samples_per_microbatch_;
  if (whole == wanted || (decrease_if_needed_ && whole > 0)) return whole;
  throw_user_error(
      "global batch size ({}) is not divisible by micro batch size ({}) times data parallel size ({}): set "
      "global_batch_size to a multiple of {}",
      wanted, micro_batch_size_, samples_per_microbatch_ / micro_batch_size_, samples_per_microbatch_);
}

std::int64_t MicrobatchCalculator::global_batch_size(std::int64_t consumed_samples) const {
  if (!ramp_up_ || consumed_samples > ramp_up_->samples) return final_size_;
  const std::int64_t steps = (final_size_ - ramp_up_->start) / ramp_up_->increment;
  if (steps == 0 || ramp_up_->samples == 0) return final_size_;
  // consumed / (samples / steps), rounded down, without leaving integers.
  const std::int64_t step = consumed_samples * steps / ramp_up_->samples;
  return running_size(std::min(ramp_up_->start + step * ramp_up_->increment, final_size_));
}

std::int64_t MicrobatchCalculator::iterations_for(std::int64_t train_samples) const {
  std::int64_t consumed = 0, iterations = 0;
  while (ramp_up_ && consumed <= ramp_up_->samples &&
         consumed + global_batch_size(consumed) <= train_samples) {
    consumed += global_batch_size(consumed);
    ++iterations;
  }
  return iterations + (train_samples - consumed) / final_size_;
}

}  // namespace primus::train
