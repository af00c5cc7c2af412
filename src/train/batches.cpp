#include "train/batches.h"

#include <ATen/Functions.h>

namespace primus::train {

namespace {

template <typename T>
at::Tensor to_tensor(const std::vector<T>& values, const data::Batch& batch, at::ScalarType dtype,
                     const at::Device& device) {
  // from_blob only borrows: clone() or the copy to another device makes the tensor own its memory.
  const at::Tensor view = at::from_blob(const_cast<T*>(values.data()),
                                        {batch.micro_batch_size, batch.sequence_length}, at::dtype(dtype));
  return device.is_cpu() ? view.clone() : view.to(device);
}

bool counts_from_zero(const data::Batch& batch) {
  for (std::size_t i = 0; i < batch.position_ids.size(); ++i) {
    if (batch.position_ids[i] != static_cast<std::int64_t>(i) % batch.sequence_length) return false;
  }
  return true;
}

/// The number of each token's document within its sample, int32 [b, s].
std::vector<std::int32_t> documents_of(const data::Batch& batch) {
  std::vector<std::int32_t> documents(
      static_cast<std::size_t>(batch.micro_batch_size * batch.sequence_length), 0);
  for (std::int64_t row = 0; row < batch.micro_batch_size; ++row) {
    std::int32_t* const ids = documents.data() + row * batch.sequence_length;
    std::int32_t document = -1;
    const std::vector<std::int64_t>& starts = batch.document_starts[static_cast<std::size_t>(row)];
    for (std::int64_t i = 0; i < batch.sequence_length; ++i) {
      const auto next = static_cast<std::size_t>(document + 1);
      if (next < starts.size() && starts[next] == i) ++document;
      ids[i] = document;
    }
  }
  return documents;
}

}  // namespace

MicroBatch to_micro_batch(const data::Batch& batch, const at::Device& device) {
  MicroBatch result;
  result.input.tokens = to_tensor(batch.tokens, batch, at::kLong, device);
  result.input.labels = to_tensor(batch.labels, batch, at::kLong, device);
  if (!counts_from_zero(batch))
    result.input.positions = to_tensor(batch.position_ids, batch, at::kLong, device);
  if (!batch.document_starts.empty()) {
    result.input.documents = to_tensor(documents_of(batch), batch, at::kInt, device);
  }
  result.loss_mask = to_tensor(batch.loss_mask, batch, at::kFloat, device);
  result.samples.assign(batch.samples.begin(), batch.samples.end());
  return result;
}

StepBatch fetch(data::DataLoader& loader, std::int64_t iteration, const BatchShare& share,
                const at::Device& device) {
  StepBatch result{.iteration = iteration, .micro_batches = {}};
  for (std::int64_t m = 0; m < share.num_microbatches; ++m) {
    MicroBatch micro_batch = to_micro_batch(loader.next(), device);
    micro_batch.input.training = true;
    micro_batch.input.step = iteration;
    micro_batch.input.first_sample =
        (m * share.data_parallel_size + share.data_parallel_rank) * share.micro_batch_size;
    result.micro_batches.push_back(std::move(micro_batch));
  }
  return result;
}

}  // namespace primus::train
