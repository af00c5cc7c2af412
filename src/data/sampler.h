#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace primus::data {

struct SamplerOptions {
  /// The size of the dataset.
  std::int64_t total_samples = 0;
  /// How many samples all ranks together have used up, from a checkpoint.
  std::int64_t consumed_samples = 0;
  std::int64_t micro_batch_size = 1;
  std::int64_t data_parallel_rank = 0;
  std::int64_t data_parallel_size = 1;
  /// Only for "cyclic": each rank shuffles a part of its own.
  bool data_sharding = true;
};

/// Decides which samples make up this rank's next micro-batch. Two samplers with equal options, or one
/// resumed at another's consumed samples, go on alike.
class Sampler {
 public:
  virtual ~Sampler() = default;
  /// The indices of the next `micro_batch_size` samples. Throws UserError when no full batch is left.
  virtual std::vector<std::int64_t> next() = 0;
};

/// Megatron's samplers by `dataloader_type`: "single" goes through the dataset once, in order; "cyclic" goes
/// through it again and again, each time in another random order (torch.randperm seeded with the epoch).
/// A resumed run goes on as if it had never stopped. (Megatron's does not where, without data_sharding, the
/// ranks' shares of an epoch differ in length: its ranks get out of step, and a restart puts them in step
/// again.) Throws UserError for another type, an empty dataset, or consumed samples that do not divide into
/// batches.
std::unique_ptr<Sampler> make_sampler(std::string_view dataloader_type, const SamplerOptions& options);

}  // namespace primus::data
