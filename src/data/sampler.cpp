#include "data/sampler.h"

#include "core/error.h"
#include "data/random.h"

namespace primus::data {

namespace {

/// MegatronPretrainingSampler.
class SequentialSampler : public Sampler {
 public:
  explicit SequentialSampler(const SamplerOptions& options) : options_(options) {}

  std::vector<std::int64_t> next() override {
    const std::int64_t step = options_.micro_batch_size * options_.data_parallel_size;
    if (options_.consumed_samples + step > options_.total_samples)
      throw_user_error(
          "no samples left: {} of {} are consumed, and a step takes {}; dataloader_type cyclic starts over",
          options_.consumed_samples, options_.total_samples, step);
    std::vector<std::int64_t> batch;
    const std::int64_t first =
        options_.consumed_samples + options_.data_parallel_rank * options_.micro_batch_size;
    for (std::int64_t i = 0; i < options_.micro_batch_size; ++i) batch.push_back(first + i);
    options_.consumed_samples += step;
    return batch;
  }

 private:
  SamplerOptions options_;
};

/// MegatronPretrainingRandomSampler.
class CyclicSampler : public Sampler {
 public:
  explicit CyclicSampler(const SamplerOptions& options)
      : options_(options),
        step_(options.micro_batch_size * options.data_parallel_size),
        samples_per_epoch_(options.total_samples - options.total_samples % step_) {
    if (samples_per_epoch_ == 0)
      throw_user_error(
          "the dataset has {} samples, fewer than one step of {} (micro_batch_size {} times {} data-parallel "
          "ranks)",
          options.total_samples, step_, options.micro_batch_size, options.data_parallel_size);
    if (options.consumed_samples % samples_per_epoch_ % step_ != 0)
      throw_user_error(
          "{} consumed samples do not divide into steps of {}: with dataloader_type cyclic, "
          "micro_batch_size times data-parallel size cannot change in the middle of an epoch like this",
          options.consumed_samples, step_);
  }

  std::vector<std::int64_t> next() override {
    const std::int64_t epoch = options_.consumed_samples / samples_per_epoch_;
    if (epoch != epoch_) start(epoch);
    const std::int64_t steps_done = options_.consumed_samples % samples_per_epoch_ / step_;
    std::vector<std::int64_t> batch;
    for (std::int64_t i = 0; i < options_.micro_batch_size; ++i) {
      const std::int64_t draw = steps_done * options_.micro_batch_size + i;
      batch.push_back(sample_at(draw));
    }
    options_.consumed_samples += step_;
    return batch;
  }

 private:
  void start(std::int64_t epoch) {
    const std::int64_t count = options_.data_sharding ? samples_per_epoch_ / options_.data_parallel_size
                                                      : options_.total_samples / options_.micro_batch_size *
                                                            options_.micro_batch_size;
    order_ = torch_randperm(count, static_cast<std::uint64_t>(epoch));
    epoch_ = epoch;
  }

  /// The sample that this rank draws `draw`-th in the epoch.
  std::int64_t sample_at(std::int64_t draw) const {
    if (options_.data_sharding) {
      const std::int64_t bucket = samples_per_epoch_ / options_.data_parallel_size;
      return options_.data_parallel_rank * bucket + order_[static_cast<std::size_t>(draw)];
    }
    return order_[static_cast<std::size_t>(draw * options_.data_parallel_size + options_.data_parallel_rank)];
  }

  SamplerOptions options_;
  std::int64_t step_;
  std::int64_t samples_per_epoch_;
  std::int64_t epoch_ = -1;
  std::vector<std::int64_t> order_;
};

}  // namespace

std::unique_ptr<Sampler> make_sampler(std::string_view dataloader_type, const SamplerOptions& options) {
  if (options.total_samples < 1) throw UserError("the dataset has no samples");
  if (options.micro_batch_size < 1 || options.data_parallel_size < 1 || options.data_parallel_rank < 0 ||
      options.data_parallel_rank >= options.data_parallel_size || options.consumed_samples < 0)
    throw Error("impossible sampler options");
  if (dataloader_type == "single") return std::make_unique<SequentialSampler>(options);
  if (dataloader_type == "cyclic") return std::make_unique<CyclicSampler>(options);
  throw_user_error("dataloader_type must be single or cyclic, not \"{}\"", dataloader_type);
}

}  // namespace primus::data
