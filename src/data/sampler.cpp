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
          "no samples left: {} of {} are consumed, and a step takes {}; dataloader_type cyclic would start "
          "another epoch",
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

/// MegatronPretrainingRandomSampler. A pass is what Megatron's iterator yields before it is started again.
/// Without sharding a rank whose share of the permutation is the longer one may get a batch more out of a
/// pass than its neighbours, so that from the second pass on the ranks stand at different places.
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
    if (options.consumed_samples % step_ != 0)
      throw_user_error(
          "{} consumed samples are not a whole number of steps of {}: with dataloader_type cyclic, "
          "micro_batch_size times data-parallel size cannot change like this within an epoch",
          options.consumed_samples, step_);
    skip(options.consumed_samples / step_);
  }

  std::vector<std::int64_t> next() override {
    if (batch_ == batches_in_pass()) {
      pass_start_ += batch_ * step_;
      batch_ = 0;
      order_.clear();
    }
    if (order_.empty()) order_ = torch_randperm(permuted_samples(), epoch());
    std::vector<std::int64_t> batch;
    for (std::int64_t i = 0; i < options_.micro_batch_size; ++i)
      batch.push_back(sample_at(batch_ * options_.micro_batch_size + i));
    ++batch_;
    return batch;
  }

 private:
  /// Goes where the sampler stands after so many batches.
  void skip(std::int64_t batches) {
    for (; batches > batches_in_pass(); pass_start_ += batches_in_pass() * step_)
      batches -= batches_in_pass();
    batch_ = batches;
  }

  std::uint64_t epoch() const { return static_cast<std::uint64_t>(pass_start_ / samples_per_epoch_); }

  std::int64_t permuted_samples() const {
    return options_.data_sharding
               ? samples_per_epoch_ / options_.data_parallel_size
               : options_.total_samples - options_.total_samples % options_.micro_batch_size;
  }

  std::int64_t batches_in_pass() const {
    if (options_.data_sharding) return samples_per_epoch_ / step_;
    const std::int64_t left = permuted_samples() - first_of_pass();
    return (left + options_.data_parallel_size - 1) / options_.data_parallel_size / options_.micro_batch_size;
  }

  /// Where in the permutation this rank's pass begins; only without sharding.
  std::int64_t first_of_pass() const {
    return pass_start_ % samples_per_epoch_ + options_.data_parallel_rank;
  }

  /// The sample that this rank draws `draw`-th in the pass.
  std::int64_t sample_at(std::int64_t draw) const {
    if (options_.data_sharding)
      return options_.data_parallel_rank * permuted_samples() + order_[static_cast<std::size_t>(draw)];
    return order_[static_cast<std::size_t>(first_of_pass() + draw * options_.data_parallel_size)];
  }

  SamplerOptions options_;
  std::int64_t step_;
  std::int64_t samples_per_epoch_;
  /// Megatron's consumed_samples when this pass began, as this rank counts them.
  std::int64_t pass_start_ = 0;
  /// The next batch of the pass.
  std::int64_t batch_ = 0;
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
